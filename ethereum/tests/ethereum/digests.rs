//! The formulas of `primitives` and those of the Router, on random batches.

use crate::common::Network;
use gear_exe_ethereum::{batch::to_abi, dev::AnvilConfig};
use gear_exe_primitives::{
    CodeId, H160, H256, MessageId,
    batch::{Batch, BatchHeader, content_hash},
    creation::ProgramCreation,
    message::{OutgoingMessage, ReplyCode, ReplyDetails},
    outbox::OutboxItem,
    quorum::Member,
    transition::{StateTransition, ValueClaim},
};
use proptest::{collection::vec, prelude::*, strategy::ValueTree, test_runner::TestRunner};

fn hash() -> impl Strategy<Value = H256> {
    any::<[u8; 32]>().prop_map(H256)
}

fn account() -> impl Strategy<Value = H160> {
    any::<[u8; 20]>().prop_map(H160)
}

fn messages() -> impl Strategy<Value = Vec<OutgoingMessage>> {
    let message = (
        hash(),
        account(),
        vec(any::<u8>(), 0..100),
        any::<u128>(),
        proptest::option::of((hash(), any::<[u8; 4]>())),
        any::<bool>(),
    )
        .prop_map(
            |(id, destination, payload, value, to, call)| OutgoingMessage {
                id: MessageId(id),
                destination,
                payload,
                value,
                reply_details: to.map(|(to, code)| ReplyDetails {
                    to: MessageId(to),
                    code: ReplyCode(code),
                }),
                call,
            },
        );
    vec(message, 0..4)
}

fn transitions() -> impl Strategy<Value = Vec<StateTransition>> {
    let claims = vec((hash(), account(), any::<u128>()), 0..3);
    let one = (
        account(),
        hash(),
        proptest::option::of(account()),
        any::<i128>(),
        any::<i128>(),
        claims,
        messages(),
        proptest::option::of((account(), hash(), hash())),
    )
        .prop_map(
            |(actor, state, inheritor, received, transferred, claims, messages, created)| {
                StateTransition {
                    actor_id: actor.into(),
                    creation: created.map(|(creator, code, salt)| ProgramCreation {
                        creator: creator.into(),
                        code_id: CodeId(code),
                        salt,
                    }),
                    new_state_hash: state,
                    inheritor: inheritor.map(Into::into),
                    value_to_receive: received,
                    net_transfer: transferred,
                    value_claims: claims
                        .into_iter()
                        .map(|(id, destination, value)| ValueClaim {
                            message_id: MessageId(id),
                            destination,
                            value,
                        })
                        .collect(),
                    messages,
                }
            },
        );
    vec(one, 0..4)
}

fn items() -> impl Strategy<Value = Vec<OutboxItem>> {
    let member = (account(), any::<u64>()).prop_map(|(address, weight)| Member { address, weight });
    vec(
        prop_oneof![
            (hash(), hash(), any::<bool>()).prop_map(|(code, request_id, valid)| {
                OutboxItem::CodeResult {
                    code_id: CodeId(code),
                    request_id,
                    valid,
                }
            }),
            (any::<u64>(), vec(member, 0..4))
                .prop_map(|(set_id, members)| OutboxItem::SetUpdate { set_id, members }),
            (hash(), any::<u128>()).prop_map(|(key, value)| OutboxItem::ParameterChange {
                key,
                value: value.into()
            }),
        ],
        0..4,
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn agree() {
    let network = Network::start(AnvilConfig::default(), &[1]).await;
    let mut runner = TestRunner::deterministic();
    let strategy = (transitions(), items(), vec(hash(), 5), any::<[u64; 7]>());
    for _ in 0..64 {
        let (transitions, outbox, hashes, numbers) =
            strategy.new_tree(&mut runner).unwrap().current();
        let outbox_end = numbers[6];
        let spent = u128::from(numbers[6]) << 64 | u128::from(numbers[0]);
        let content = content_hash(&transitions, spent, outbox_end, &outbox);
        let batch = Batch {
            header: BatchHeader {
                genesis: hashes[0],
                seal_number: numbers[0],
                seal_hash: hashes[1],
                last_round: numbers[1],
                last_round_hash: hashes[2],
                nonce: numbers[2],
                parent: hashes[3],
                anchor_number: numbers[3],
                anchor_hash: hashes[4],
                set_id: numbers[4],
                content,
                expiry: numbers[5],
            },
            spent,
            outbox_end,
            transitions,
            outbox,
        };
        let abi = to_abi(&batch);
        let theirs = network.router.batch_digest(abi).await.unwrap();
        assert_eq!(
            theirs,
            batch.header.digest(&network.router.domain()),
            "{batch:?}"
        );
    }
}
