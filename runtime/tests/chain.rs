//! The runtime as the node drives it: genesis from a preset and a patch, blocks with authorised votes, sessions.

#![allow(clippy::unwrap_used)] // a failed unwrap is a failed test

use gear_exe_primitives::{
    H160, H256,
    batch::{AppliedBatch, BatchHeader, RouterDomain},
    ethereum::{BlockId, EthereumHeader},
    host,
    outbox::OutboxItem,
    signature::CompactSignature,
    vote::{EmptyBatch, RouterAt, View},
};
use gear_exe_runtime::{
    Execution, Executive, Header, Runtime, RuntimeCall, RuntimeGenesisConfig, RuntimeOrigin,
    SESSION_LENGTH, Session, SessionKeys, Settlement, System, UncheckedExtrinsic, genesis,
};
use polkadot_sdk::{
    frame_support::dispatch::{DispatchClass, GetDispatchInfo},
    frame_system::offchain::CreateAuthorizedTransaction,
    pallet_aura, pallet_timestamp,
    sp_consensus_aura::AURA_ENGINE_ID,
    sp_core::{Encode, Pair, ecdsa},
    sp_io::TestExternalities,
    sp_keyring::Sr25519Keyring,
    sp_keystore::{KeystoreExt, testing::MemoryKeystore},
    sp_runtime::{
        BuildStorage, Digest, DigestItem,
        traits::Header as _,
        transaction_validity::{InvalidTransaction, TransactionSource, TransactionValidityError},
    },
};
use serde_json::{Value, json};

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

fn first_anchor() -> EthereumHeader {
    EthereumHeader {
        hash: H256::repeat_byte(7),
        number: 7,
        timestamp: 1_700_000_000,
        ..Default::default()
    }
}

const DOMAIN: RouterDomain = RouterDomain {
    chain_id: 31_337,
    router: H160::repeat_byte(9),
};

/// The patch that a node gives, written as the documentation of `genesis.rs` says.
fn patch() -> Value {
    let zero = H256::zero();
    json!({
        "slots": { "slotDuration": 500 },
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

fn start(preset: &str) -> TestExternalities {
    let mut config = serde_json::to_value(RuntimeGenesisConfig::default()).unwrap();
    let bytes = genesis::get_preset(&preset.into()).unwrap();
    merge(&mut config, serde_json::from_slice(&bytes).unwrap());
    merge(&mut config, patch());
    let config: RuntimeGenesisConfig = serde_json::from_value(config).unwrap();
    config.build_storage().unwrap().into()
}

/// A chain of blocks, one per slot.
struct Chain {
    number: u32,
    parent: H256,
}

impl Chain {
    fn new() -> Self {
        Self {
            number: 0,
            parent: H256::repeat_byte(1),
        }
    }

    fn block(&mut self, calls: Vec<RuntimeCall>) {
        self.number += 1;
        let slot = 1_000 + u64::from(self.number);
        let digest = Digest {
            logs: vec![DigestItem::PreRuntime(AURA_ENGINE_ID, slot.encode())],
        };
        let header = Header::new(self.number, H256::zero(), H256::zero(), self.parent, digest);
        let checked: Vec<_> = calls.into_iter().map(transaction).collect();
        for transaction in &checked {
            validate(transaction.clone()).unwrap();
        }
        Executive::initialize_block(&header);
        let now = pallet_timestamp::Call::set { now: slot * 500 };
        let inherent = UncheckedExtrinsic::new_bare(RuntimeCall::Timestamp(now));
        Executive::apply_extrinsic(inherent).unwrap().unwrap();
        for transaction in checked {
            Executive::apply_extrinsic(transaction).unwrap().unwrap();
        }
        self.parent = Executive::finalize_block().hash();
        Execution::do_try_state().unwrap();
        Settlement::do_try_state().unwrap();
    }

    /// Skips to the block before the end of a session, and goes on over it.
    fn pass_session_end(&mut self, session: u32) {
        self.number = session * SESSION_LENGTH - 2;
        System::set_block_number(self.number);
        (0..4).for_each(|_| self.block(Vec::new()));
    }
}

fn transaction(call: RuntimeCall) -> UncheckedExtrinsic {
    <Runtime as CreateAuthorizedTransaction<RuntimeCall>>::create_authorized_transaction(call)
}

/// What the pool does.
fn validate(transaction: UncheckedExtrinsic) -> Result<(), TransactionValidityError> {
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

fn sign(name: &str, digest: H256) -> CompactSignature {
    let pair = ecdsa::Pair::from_string(&format!("//{name}"), None).unwrap();
    CompactSignature::from_rsv(&pair.sign_prehashed(&digest.0).0).unwrap()
}

fn next_ethereum_block(parent: EthereumHeader) -> (EthereumHeader, Vec<u8>) {
    let mut stream = rlp::RlpStream::new_list(16);
    for field in 0..16 {
        match field {
            0 => stream.append(&parent.hash.as_bytes()),
            6 => stream.append(&[0u8; 256].as_slice()),
            7 | 9 | 10 | 15 => stream.append(&1u64),
            8 => stream.append(&(parent.number + 1)),
            11 => stream.append(&(parent.timestamp + 12)),
            12 => stream.append(&[0u8; 4].as_slice()),
            14 => stream.append(&[0u8; 8].as_slice()),
            _ => stream.append(&[1u8; 32].as_slice()),
        };
    }
    let bytes = stream.out().to_vec();
    (EthereumHeader::decode_rlp(&bytes).unwrap(), bytes)
}

/// `name` sees `block`, and that the Router holds `batch` there.
fn view(
    name: &str,
    validator: u32,
    block: &(EthereumHeader, Vec<u8>),
    batch: AppliedBatch,
) -> RuntimeCall {
    let view = View {
        set_id: 0,
        seq: System::block_number().into(),
        tip: block.0.id(),
        finalised: first_anchor().id(),
        router: Some(RouterAt {
            block: block.0.id(),
            batch,
        }),
    };
    let headers = vec![block.1.clone().try_into().unwrap()];
    RuntimeCall::Execution(pallet_execution::Call::submit_view {
        view,
        validator,
        headers: headers.try_into().unwrap(),
        signature: sign(name, view.digest(Settlement::genesis_hash())),
    })
}

fn anchor() -> BlockId {
    pallet_execution::Anchor::<Runtime>::get().id()
}

#[test]
fn presets_and_patches_make_a_genesis() {
    for (preset, validators) in [("development", 1), ("local", 4)] {
        start(preset).execute_with(|| {
            assert_eq!(pallet_execution::Anchor::<Runtime>::get(), first_anchor());
            assert_eq!(
                pallet_execution::Finalised::<Runtime>::get(),
                first_anchor()
            );
            let parameters = pallet_execution::Parameters::<Runtime>::get();
            assert_eq!(parameters.value_per_gas, 5);
            assert_eq!(
                parameters.round_gas_limit,
                gear_exe_primitives::round::ExecutionParameters::default().round_gas_limit
            );
            assert_eq!(pallet_execution::ViewRules::<Runtime>::get().depth, 1);
            assert_eq!(pallet_settlement::Domain::<Runtime>::get(), Some(DOMAIN));
            let rules = pallet_settlement::Parameters::<Runtime>::get();
            assert_eq!((rules.expiry_seconds, rules.max_in_flight), (60, 1));
            assert_eq!(Settlement::validator_set().members.len(), validators);
            assert_eq!(gear_exe_runtime::slots::SlotDuration::<Runtime>::get(), 500);
            Execution::do_try_state().unwrap();
            Settlement::do_try_state().unwrap();
        });
    }
    assert_eq!(genesis::preset_names().len(), 2);
    assert_eq!(genesis::get_preset(&"other".into()), None);
}

#[test]
fn one_validators_view_makes_an_anchor_a_seal_and_a_batch() {
    start("development").execute_with(|| {
        let mut chain = Chain::new();
        chain.block(Vec::new());
        // The first block knows the Router at the first anchor: it is a seal, in which there is nothing.
        let empty = EmptyBatch {
            set_id: 0,
            seal_number: 1,
            seal_hash: chain.parent,
        };
        chain.block(Vec::new());
        let digest = empty.digest(Settlement::genesis_hash());
        let vote = pallet_settlement::Call::submit_empty {
            empty,
            validator: 0,
            signature: sign("Alice", digest),
        };
        chain.block(vec![RuntimeCall::Settlement(vote)]);

        // Ethereum goes on: anchor, Router and seal in one block.
        let block = next_ethereum_block(first_anchor());
        chain.block(vec![view("Alice", 0, &block, AppliedBatch::default())]);
        assert_eq!(anchor(), block.0.id());
        let facts = Settlement::seal().unwrap();
        assert_eq!(facts.anchor, block.0.id());
        assert_eq!(facts.expiry, block.0.timestamp + 60);
        assert!(Execution::round_facts(true).seal);
        let (number, hash) = (u64::from(chain.number), chain.parent);
        chain.block(Vec::new());

        let header = BatchHeader {
            genesis: Settlement::genesis_hash(),
            seal_number: number,
            seal_hash: hash,
            last_round: number,
            last_round_hash: hash,
            nonce: 1,
            parent: H256::zero(),
            anchor_number: block.0.number,
            anchor_hash: block.0.hash,
            set_id: 0,
            content: H256::repeat_byte(3),
            expiry: facts.expiry,
        };
        let signature = sign("Alice", header.digest(&DOMAIN));
        let vote = pallet_settlement::Call::submit_batch_signature {
            header,
            validator: 0,
            signature,
        };
        chain.block(vec![RuntimeCall::Settlement(vote)]);
        let [ready] = &Settlement::ready_batches()[..] else {
            panic!("one batch is ready");
        };
        assert_eq!((ready.header, &ready.signers[..]), (header, &[1][..]));

        // The Router applies it.
        let next = next_ethereum_block(block.0);
        let batch = AppliedBatch {
            nonce: 1,
            digest: header.digest(&DOMAIN),
            seal_number: number,
            seal_hash: hash,
            last_round: number,
            last_round_hash: hash,
            ..Default::default()
        };
        chain.block(vec![view("Alice", 0, &next, batch)]);
        assert!(Settlement::ready_batches().is_empty());
        assert_eq!(Settlement::seal().unwrap().router, batch);
    });
}

#[test]
fn four_validators_need_three() {
    start("local").execute_with(|| {
        let mut chain = Chain::new();
        chain.block(Vec::new());
        let block = next_ethereum_block(first_anchor());
        let says = |name, validator| view(name, validator, &block, AppliedBatch::default());
        chain.block(vec![says("Alice", 0), says("Bob", 1)]);
        assert_eq!(anchor(), first_anchor().id());
        let third = says("Dave", 3);
        chain.block(vec![third]);
        assert_eq!(anchor(), block.0.id());
    });
}

#[test]
fn the_pool_refuses_with_a_number() {
    start("development").execute_with(|| {
        let mut chain = Chain::new();
        chain.block(Vec::new());
        let block = next_ethereum_block(first_anchor());
        let refused = |call| {
            let Err(TransactionValidityError::Invalid(InvalidTransaction::Custom(number))) =
                validate(transaction(call))
            else {
                panic!("not refused");
            };
            number
        };
        let forged = view("Bob", 0, &block, AppliedBatch::default());
        assert_eq!(refused(forged), pallet_execution::Refusal::Signature as u8);
        let nobody = view("Alice", 1, &block, AppliedBatch::default());
        assert_eq!(refused(nobody), pallet_execution::Refusal::Index as u8);
    });
}

#[test]
fn votes_are_operational_and_fit_a_block() {
    start("development").execute_with(|| {
        let block = next_ethereum_block(first_anchor());
        let call = view("Alice", 0, &block, AppliedBatch::default());
        let info = call.get_dispatch_info();
        assert_eq!(info.class, DispatchClass::Operational);
        let limit = gear_exe_runtime::configs::BlockWeights::get().max_block;
        // A burst of views by a hundred validators takes a few blocks.
        let views = limit.ref_time() / info.total_weight().ref_time();
        assert!(views >= 20, "{views} views per block");
    });
}

#[test]
fn sessions_rotate_on_a_chain_of_one_validator() {
    start("development").execute_with(|| {
        let mut chain = Chain::new();
        let before = Settlement::validator_set();
        for session in 1..4 {
            chain.pass_session_end(session);
            assert_eq!(Session::current_index(), session);
        }
        assert_eq!(Settlement::validator_set(), before);
        assert_eq!(pallet_settlement::OutboxEnd::<Runtime>::get(), 0);
        assert!(!Settlement::is_handing_over());
    });
}

#[test]
fn new_keys_are_handed_over_and_the_session_waits_for_that() {
    let mut externalities = start("development");
    externalities.register_extension(KeystoreExt::new(MemoryKeystore::new()));
    externalities.execute_with(|| {
        let mut chain = Chain::new();
        chain.block(Vec::new());
        let alice = Sr25519Keyring::Alice.to_account_id();
        let new = SessionKeys::generate(&alice.encode(), None);
        let origin = RuntimeOrigin::signed(alice);
        Session::set_keys(origin, new.keys.clone(), new.proof.encode()).unwrap();
        // They are queued at the end of this session, and used after the next.
        chain.pass_session_end(1);
        chain.pass_session_end(2);
        let set = Settlement::validator_set();
        assert_eq!(set.id, 1);
        assert_eq!(
            Some(set.members[0].address),
            host::address_of(&new.keys.ethereum)
        );
        assert_eq!(
            Settlement::outbox(0, 9),
            [OutboxItem::SetUpdate {
                set_id: 1,
                members: set.members
            }]
        );
        assert_eq!(pallet_aura::Authorities::<Runtime>::get()[0], new.keys.aura);
        assert!(Settlement::is_handing_over());
        chain.pass_session_end(3);
        assert_eq!(Session::current_index(), 2);
        // The update is in a final Ethereum block.
        pallet_settlement::Settled::<Runtime>::mutate(|settled| settled.set_id = 1);
        chain.pass_session_end(4);
        assert_eq!(Session::current_index(), 3);
    });
}
