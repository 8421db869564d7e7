//! The runtime as the node drives it: genesis from a preset and a patch, blocks with authorised votes, sessions.

use crate::common::{
    Chain, DOMAIN, first_anchor, index_of, sign, start, start_with, transaction, validate,
};
use gear_exe_primitives::{
    H256,
    batch::{AppliedBatch, BatchHeader},
    ethereum::{BlockId, EthereumHeader},
    host,
    outbox::OutboxItem,
    vote::{EmptyBatch, RouterAt, View},
};
use gear_exe_runtime::{
    AccountId, Balances, Execution, Runtime, RuntimeCall, RuntimeOrigin, Session, SessionKeys,
    Settlement, System, UNITS, genesis,
};
use polkadot_sdk::{
    frame_support::{
        dispatch::{DispatchClass, GetDispatchInfo},
        traits::Currency,
    },
    pallet_aura, pallet_session,
    sp_core::{Encode, Pair, sr25519},
    sp_keyring::Sr25519Keyring,
    sp_keystore::{KeystoreExt, testing::MemoryKeystore},
    sp_runtime::transaction_validity::{InvalidTransaction, TransactionValidityError},
};
use serde_json::json;

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

/// The preset for public networks has no keys that could be left in it by mistake.
#[test]
#[should_panic(expected = "a chain has validators")]
fn a_public_network_does_not_start_without_its_founders() {
    start_with("testnet", json!({}));
}

#[test]
fn a_public_network_has_the_founders_that_are_named() {
    let account: AccountId = sr25519::Pair::from_seed(&[7; 32]).public().into();
    let development = genesis::get_preset(&"development".into()).unwrap();
    let development: serde_json::Value = serde_json::from_slice(&development).unwrap();
    let stake = 100 * UNITS;
    let founders = json!({
        "balances": { "balances": [[account, 10 * stake]] },
        "session": { "keys": [[account, account, development["session"]["keys"][0][2]]] },
        "staking": { "stakers": [[account, account, stake, "Validator"]], "validatorCount": 1 },
    });
    start_with("testnet", founders).execute_with(|| {
        assert_eq!(pallet_session::Validators::<Runtime>::get(), [account]);
        for known in Sr25519Keyring::well_known() {
            let known = known.to_account_id();
            assert_eq!(Balances::total_balance(&known), 0);
            assert!(genesis::development_name(&known, None).is_some());
        }
        let mut chain = Chain::new();
        chain.block(Vec::new());
    });
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
            assert_eq!(gear_exe_runtime::pace::SlotDuration::<Runtime>::get(), 500);
            Execution::do_try_state().unwrap();
            Settlement::do_try_state().unwrap();
        });
    }
    assert_eq!(genesis::preset_names().len(), 3);
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
        // The election has its own order.
        let says = |name| view(name, index_of(name), &block, AppliedBatch::default());
        chain.block(vec![says("Alice"), says("Bob")]);
        assert_eq!(anchor(), first_anchor().id());
        let third = says("Dave");
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
