//! What the tests of the runtime share: a genesis from a preset and a patch, and blocks on top of it.

#![allow(dead_code, clippy::unwrap_used)] // not every test uses all; a failed unwrap is a failed test

use gear_exe_primitives::{
    H160, H256, batch::RouterDomain, ethereum::EthereumHeader, host, signature::CompactSignature,
};
use gear_exe_runtime::{
    Bridge, Execution, Executive, Header, Restaking, Rewards, Runtime, RuntimeCall,
    RuntimeGenesisConfig, Session, Settlement, Slashing, System, UncheckedExtrinsic,
    ValidatorElection, genesis,
};
use polkadot_sdk::{
    frame_system::offchain::CreateAuthorizedTransaction,
    pallet_aura, pallet_timestamp,
    sp_consensus_aura::AURA_ENGINE_ID,
    sp_core::{Encode, Pair, ecdsa},
    sp_io::TestExternalities,
    sp_runtime::{
        BuildStorage, Digest, DigestItem,
        traits::Header as _,
        transaction_validity::{TransactionSource, TransactionValidityError},
    },
};
use serde_json::{Value, json};

/// Blocks of a session, on the chains of these tests.
pub const SESSION_LENGTH: u32 = 2_400;

/// RFC 7396, as chain specifications are merged.
fn merge(into: &mut Value, patch: Value) {
    match (into, patch) {
        (Value::Object(into), Value::Object(patch)) => {
            for (key, value) in patch {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, patch) => *into = patch,
    }
}

/// Where the chain starts to follow Ethereum.
pub fn first_anchor() -> EthereumHeader {
    EthereumHeader {
        hash: H256::repeat_byte(7),
        number: 7,
        timestamp: 1_700_000_000,
        ..Default::default()
    }
}

/// The Router.
pub const DOMAIN: RouterDomain = RouterDomain {
    chain_id: 31_337,
    router: H160::repeat_byte(9),
};

/// The patch that a node gives, written as the documentation of `genesis.rs` says.
fn patch() -> Value {
    let zero = H256::zero();
    json!({
        "pace": { "slotDuration": 500 },
        "execution": {
            "ethereum": {
                "hash": first_anchor().hash, "parent": zero, "number": 7, "timestamp": 1_700_000_000,
                "randao": zero, "receipts_root": zero,
            },
            "parameters": { "value_per_gas": 5 },
            "views": { "depth": 1 },
        },
        "settlement": {
            "domain": { "chain_id": 31_337, "router": "0x0909090909090909090909090909090909090909" },
            "router": {
                "block": { "number": 7, "hash": first_anchor().hash },
                "batch": {
                    "nonce": 0, "digest": zero, "seal_number": 0, "seal_hash": zero, "last_round": 0,
                    "last_round_hash": zero, "outbox_end": 0, "set_id": 0,
                },
            },
            "parameters": { "expiry_seconds": 60 },
        },
    })
}

/// A network of `preset`, with sessions that are longer than most tests.
pub fn start(preset: &str) -> TestExternalities {
    start_with(
        preset,
        json!({ "pace": { "durations": { "session": SESSION_LENGTH } } }),
    )
}

/// A network of `preset`, changed by one more patch.
pub fn start_with(preset: &str, more: Value) -> TestExternalities {
    let mut config = serde_json::to_value(RuntimeGenesisConfig::default()).unwrap();
    let bytes = genesis::get_preset(&preset.into()).unwrap();
    merge(&mut config, serde_json::from_slice(&bytes).unwrap());
    merge(&mut config, patch());
    merge(&mut config, more);
    let config: RuntimeGenesisConfig = serde_json::from_value(config).unwrap();
    config.build_storage().unwrap().into()
}

/// A chain of blocks, one per slot.
pub struct Chain {
    /// Number of the last block.
    pub number: u32,
    /// Its hash.
    pub parent: H256,
    /// Its slot.
    pub slot: u64,
}

impl Chain {
    pub fn new() -> Self {
        Self {
            number: 0,
            parent: H256::repeat_byte(1),
            slot: 1_000,
        }
    }

    /// A block of authorised calls.
    pub fn block(&mut self, calls: Vec<RuntimeCall>) {
        self.block_with(calls, || ());
    }

    /// A block in which `act` happens too.
    pub fn block_with<R>(&mut self, calls: Vec<RuntimeCall>, act: impl FnOnce() -> R) -> R {
        let checked: Vec<_> = calls.into_iter().map(transaction).collect();
        for transaction in &checked {
            validate(transaction.clone()).unwrap();
        }
        self.open();
        for transaction in checked {
            Executive::apply_extrinsic(transaction).unwrap().unwrap();
        }
        let result = act();
        self.close();
        result
    }

    /// Begins a block, up to where its transactions come.
    pub fn open(&mut self) {
        self.number += 1;
        // Whoever is disabled leaves its slots empty.
        let authors = pallet_aura::Authorities::<Runtime>::decode_len().unwrap() as u64;
        self.slot += 1;
        while Session::disabled_validators().contains(&((self.slot % authors) as u32)) {
            self.slot += 1;
        }
        let slot = self.slot;
        let digest = Digest {
            logs: vec![DigestItem::PreRuntime(AURA_ENGINE_ID, slot.encode())],
        };
        let header = Header::new(self.number, H256::zero(), H256::zero(), self.parent, digest);
        Executive::initialize_block(&header);
        let now = pallet_timestamp::Call::set { now: slot * 500 };
        let inherent = UncheckedExtrinsic::new_bare(RuntimeCall::Timestamp(now));
        Executive::apply_extrinsic(inherent).unwrap().unwrap();
    }

    /// Ends the block that was begun, and looks at all that our pallets say must hold.
    pub fn close(&mut self) {
        self.parent = Executive::finalize_block().hash();
        Execution::do_try_state().unwrap();
        Settlement::do_try_state().unwrap();
        Restaking::do_try_state().unwrap();
        ValidatorElection::do_try_state().unwrap();
        Slashing::do_try_state().unwrap();
        Rewards::do_try_state().unwrap();
        Bridge::do_try_state().unwrap();
    }

    /// `act` in a block of its own.
    pub fn act<R>(&mut self, act: impl FnOnce() -> R) -> R {
        self.block_with(Vec::new(), act)
    }

    /// Empty blocks until `done`; no more than `most`.
    pub fn until(&mut self, most: u32, done: impl Fn() -> bool) {
        for _ in 0..most {
            if done() {
                return;
            }
            self.block(Vec::new());
        }
        assert!(done(), "not in {most} blocks");
    }

    /// Skips to the block before the end of a session, and goes on over it.
    pub fn pass_session_end(&mut self, session: u32) {
        self.number = session * SESSION_LENGTH - 2;
        System::set_block_number(self.number);
        (0..4).for_each(|_| self.block(Vec::new()));
    }
}

/// What a test has done to the chain has broken no invariant of any pallet, those of Substrate included.
impl Drop for Chain {
    fn drop(&mut self) {
        use gear_exe_runtime::AllPalletsWithSystem;
        use polkadot_sdk::{
            frame_support::traits::{PalletsInfoAccess, TryState, TryStateSelect},
            sp_runtime::DispatchError,
        };
        if std::thread::panicking() {
            return;
        }
        // One after the other: all at once, only a log says what is wrong.
        for pallet in AllPalletsWithSystem::infos() {
            let only = TryStateSelect::Only(vec![pallet.name.as_bytes().to_vec()]);
            match AllPalletsWithSystem::try_state(self.number, only) {
                Err(DispatchError::Other(POOLS_ROUND)) => pools_hold_but_for_rounding(),
                Err(error) => panic!("{}: {error:?}", pallet.name),
                Ok(()) => {}
            }
        }
    }
}

/// What NominationPools says of pools that were slashed.
const POOLS_ROUND: &str = "TVL must be equal to or less than the total balance of all PoolMembers.";

/// NominationPools, which checks this last, adds up what members have. But each part of that is rounded down: what a member
/// has bonded, and what it unbonds in each era. After a slash the pools have up to one unit more for each.
fn pools_hold_but_for_rounding() {
    use polkadot_sdk::pallet_nomination_pools::{PoolMembers, TotalValueLocked};
    let (mut members, mut rounding) = (0, 0);
    for (_, member) in PoolMembers::<Runtime>::iter() {
        members += member.total_balance();
        rounding += 1 + member.unbonding_eras.len() as u128;
    }
    let locked = TotalValueLocked::<Runtime>::get();
    assert!(
        locked <= members + rounding,
        "pools have {locked}, their members {members}"
    );
}

/// A validator's call as a transaction.
pub fn transaction(call: RuntimeCall) -> UncheckedExtrinsic {
    <Runtime as CreateAuthorizedTransaction<RuntimeCall>>::create_authorized_transaction(call)
}

/// What the pool does.
pub fn validate(transaction: UncheckedExtrinsic) -> Result<(), TransactionValidityError> {
    let hash = H256::zero();
    // The pool throws away what validation leaves in the state.
    polkadot_sdk::frame_support::storage::with_storage_layer(|| {
        let result =
            Executive::validate_transaction(TransactionSource::External, transaction, hash);
        Err::<(), _>(Checked(result.map(|_| ())))
    })
    .unwrap_err()
    .0
}

struct Checked(Result<(), TransactionValidityError>);

impl From<polkadot_sdk::sp_runtime::DispatchError> for Checked {
    fn from(error: polkadot_sdk::sp_runtime::DispatchError) -> Self {
        panic!("no storage layer: {error:?}")
    }
}

/// The Ethereum address of a development account.
pub fn address(name: &str) -> H160 {
    let pair = ecdsa::Pair::from_string(&format!("//{name}"), None).unwrap();
    host::address_of(&host::AuthorityId::from(pair.public())).unwrap()
}

/// Signs with the Ethereum key of a development account.
pub fn sign(name: &str, digest: H256) -> CompactSignature {
    let pair = ecdsa::Pair::from_string(&format!("//{name}"), None).unwrap();
    CompactSignature::from_rsv(&pair.sign_prehashed(&digest.0).0).unwrap()
}

/// A development account's index in the current validator set. The election has its own order.
pub fn index_of(name: &str) -> u32 {
    let members = Settlement::validator_set().members;
    let index = members
        .iter()
        .position(|member| member.address == address(name));
    index.unwrap() as u32
}
