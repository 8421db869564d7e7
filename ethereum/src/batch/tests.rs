use super::*;
use crate::convert::h256;
use alloy::{
    primitives::{Address, U256, aliases::U48, keccak256},
    sol,
    sol_types::{SolStruct, SolValue, eip712_domain},
};
use gear_exe_primitives::{
    ActorId, CodeId, H160, H256, MessageId,
    batch::{BATCH_TYPE, BatchHeader, DOMAIN_NAME, DOMAIN_VERSION, RouterDomain, content_hash},
    creation::ProgramCreation,
    message::{ReplyCode, ReplyDetails},
    outbox::VaultReward,
    quorum::Member,
};
use proptest::prelude::*;

sol! {
    struct Batch {
        bytes32 genesis;
        uint64 sealNumber;
        bytes32 sealHash;
        uint64 lastRound;
        bytes32 lastRoundHash;
        uint64 nonce;
        bytes32 parent;
        uint64 anchorNumber;
        bytes32 anchorHash;
        uint64 setId;
        bytes32 content;
        uint64 expiry;
    }
}

/// The content hash by the contract's formulas, from ABI structures and alloy's packed encoding only.
fn content_by_abi(batch: &Gear::Batch) -> B256 {
    let list = |hashes: Vec<B256>| keccak256(hashes.concat());
    let transitions = batch.transitions.iter().map(|transition| {
        let claims = transition.valueClaims.iter().map(|claim| {
            keccak256((claim.messageId, claim.destination, claim.value).abi_encode_packed())
        });
        let messages = transition.messages.iter().map(|message| {
            keccak256(
                (
                    message.id,
                    message.destination,
                    message.payload.clone(),
                    message.value,
                    message.replyDetails.to,
                    message.replyDetails.code,
                    message.call,
                )
                    .abi_encode_packed(),
            )
        });
        keccak256(
            (
                transition.actorId,
                transition.newStateHash,
                transition.exited,
                transition.inheritor,
                transition.valueToReceive,
                transition.valueToReceiveNegativeSign,
                transition.netTransfer,
                list(claims.collect()),
                list(messages.collect()),
            )
                .abi_encode_packed(),
        )
    });
    let outbox = batch
        .outbox
        .iter()
        .map(|item| keccak256([&[item.kind][..], keccak256(&item.data).as_slice()].concat()));
    let creations = batch.creations.iter().map(|creation| {
        keccak256((creation.creator, creation.codeId, creation.salt).abi_encode_packed())
    });
    keccak256(
        (
            list(creations.collect()),
            list(transitions.collect()),
            batch.spent,
            batch.outboxEnd,
            list(outbox.collect()),
        )
            .abi_encode_packed(),
    )
}

fn digest_by_alloy(header: &BatchHeader, domain: &RouterDomain) -> B256 {
    Batch {
        genesis: b256(header.genesis),
        sealNumber: header.seal_number,
        sealHash: b256(header.seal_hash),
        lastRound: header.last_round,
        lastRoundHash: b256(header.last_round_hash),
        nonce: header.nonce,
        parent: b256(header.parent),
        anchorNumber: header.anchor_number,
        anchorHash: b256(header.anchor_hash),
        setId: header.set_id,
        content: b256(header.content),
        expiry: header.expiry,
    }
    .eip712_signing_hash(&eip712_domain! {
        name: DOMAIN_NAME,
        version: DOMAIN_VERSION,
        chain_id: domain.chain_id,
        verifying_contract: address(domain.router),
    })
}

fn hash() -> impl Strategy<Value = H256> {
    any::<[u8; 32]>().prop_map(H256)
}

fn account() -> impl Strategy<Value = H160> {
    any::<[u8; 20]>().prop_map(H160)
}

fn some_message() -> impl Strategy<Value = OutgoingMessage> {
    (
        hash(),
        account(),
        proptest::collection::vec(any::<u8>(), 0..80),
        any::<u128>(),
        proptest::option::of((hash(), any::<[u8; 4]>())),
        any::<bool>(),
    )
        .prop_map(
            |(id, destination, payload, value, reply, call)| OutgoingMessage {
                id: MessageId(id),
                destination,
                payload,
                value,
                reply_details: reply.map(|(to, code)| ReplyDetails {
                    to: MessageId(to),
                    code: ReplyCode(code),
                }),
                call,
            },
        )
}

fn some_transition() -> impl Strategy<Value = StateTransition> {
    (
        account(),
        hash(),
        proptest::option::of(account()),
        any::<i128>(),
        any::<i128>(),
        proptest::collection::vec((hash(), account(), any::<u128>()), 0..3),
        proptest::collection::vec(some_message(), 0..3),
        proptest::option::of((account(), hash(), hash())),
    )
        .prop_map(
            |(
                actor,
                state,
                inheritor,
                value_to_receive,
                net_transfer,
                claims,
                messages,
                created,
            )| {
                StateTransition {
                    actor_id: actor.into(),
                    creation: created.map(|(creator, code, salt)| ProgramCreation {
                        creator: creator.into(),
                        code_id: CodeId(code),
                        salt,
                    }),
                    new_state_hash: state,
                    inheritor: inheritor.map(ActorId::from),
                    value_to_receive,
                    net_transfer,
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
        )
}

fn some_item() -> impl Strategy<Value = OutboxItem> {
    prop_oneof![
        (hash(), hash(), any::<bool>()).prop_map(|(code, request_id, valid)| {
            OutboxItem::CodeResult {
                code_id: CodeId(code),
                request_id,
                valid,
            }
        }),
        (
            any::<u64>(),
            proptest::collection::vec((account(), any::<u64>()), 0..5)
        )
            .prop_map(|(set_id, members)| OutboxItem::SetUpdate {
                set_id,
                members: members
                    .into_iter()
                    .map(|(address, weight)| Member { address, weight })
                    .collect(),
            }),
        (hash(), any::<u128>()).prop_map(|(key, value)| OutboxItem::ParameterChange {
            key,
            value: value.into(),
        }),
        (any::<u64>(), account(), any::<u32>(), 0..1u64 << 48).prop_map(
            |(id, operator, fraction, capture)| OutboxItem::Slash {
                id,
                operator,
                fraction,
                capture,
            }
        ),
        any::<u64>().prop_map(|id| OutboxItem::SlashCancel { id }),
        (
            any::<u32>(),
            0..1u64 << 48,
            hash(),
            any::<u128>(),
            proptest::collection::vec((account(), any::<u128>()), 0..5)
        )
            .prop_map(|(era, capture, operators_root, operators_total, vaults)| {
                OutboxItem::Rewards {
                    era,
                    capture,
                    operators_root,
                    operators_total,
                    vaults: vaults
                        .into_iter()
                        .map(|(vault, amount)| VaultReward { vault, amount })
                        .collect(),
                }
            }),
        (any::<u64>(), account(), any::<u128>()).prop_map(|(id, to, amount)| OutboxItem::Mint {
            id,
            to,
            amount
        }),
        (
            any::<u64>(),
            0..1u64 << 48,
            proptest::collection::vec((account(), account()), 0..5)
        )
            .prop_map(|(set_id, capture, pairs)| {
                let (signers, operators) = pairs.into_iter().unzip();
                OutboxItem::OperatorSet {
                    set_id,
                    capture,
                    signers,
                    operators,
                }
            }),
    ]
}

/// A time as Solidity has it.
fn uint48(seconds: u64) -> U48 {
    U48::from(seconds)
}

fn addresses(list: &[H160]) -> Vec<Address> {
    list.iter().copied().map(address).collect()
}

fn item_data_by_alloy(item: &OutboxItem) -> Vec<u8> {
    match item {
        OutboxItem::CodeResult {
            code_id,
            request_id,
            valid,
        } => (b256(code_id.0), b256(*request_id), *valid).abi_encode_params(),
        OutboxItem::SetUpdate { set_id, members } => (
            *set_id,
            members
                .iter()
                .map(|member| address(member.address))
                .collect::<Vec<_>>(),
            members
                .iter()
                .map(|member| member.weight)
                .collect::<Vec<_>>(),
        )
            .abi_encode_params(),
        OutboxItem::ParameterChange { key, value } => {
            (b256(*key), U256::from_be_bytes::<32>(value.to_big_endian())).abi_encode_params()
        }
        OutboxItem::Slash {
            id,
            operator,
            fraction,
            capture,
        } => (*id, address(*operator), *fraction, uint48(*capture)).abi_encode_params(),
        OutboxItem::SlashCancel { id } => (*id,).abi_encode_params(),
        OutboxItem::Rewards {
            era,
            capture,
            operators_root,
            operators_total,
            vaults,
        } => (
            *era,
            uint48(*capture),
            b256(*operators_root),
            *operators_total,
            vaults
                .iter()
                .map(|reward| address(reward.vault))
                .collect::<Vec<_>>(),
            vaults
                .iter()
                .map(|reward| reward.amount)
                .collect::<Vec<_>>(),
        )
            .abi_encode_params(),
        OutboxItem::Mint { id, to, amount } => (*id, address(*to), *amount).abi_encode_params(),
        OutboxItem::OperatorSet {
            set_id,
            capture,
            signers,
            operators,
        } => (
            *set_id,
            uint48(*capture),
            addresses(signers),
            addresses(operators),
        )
            .abi_encode_params(),
    }
}

#[test]
fn the_type_is_alloys() {
    assert_eq!(Batch::eip712_encode_type(), BATCH_TYPE);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn hashes_agree(
        words in any::<[u64; 7]>(),
        hashes in proptest::collection::vec(hash(), 5),
        chain_id in any::<u64>(),
        router in account(),
        spent in any::<u128>(),
        outbox_end in any::<u64>(),
        transitions in proptest::collection::vec(some_transition(), 0..4),
        outbox in proptest::collection::vec(some_item(), 0..4),
    ) {
        let content = content_hash(&transitions, spent, outbox_end, &outbox);
        let header = BatchHeader {
            genesis: hashes[0],
            seal_number: words[0],
            seal_hash: hashes[1],
            last_round: words[1],
            last_round_hash: hashes[2],
            nonce: words[2],
            parent: hashes[3],
            anchor_number: words[3],
            anchor_hash: hashes[4],
            set_id: words[4],
            content,
            expiry: words[5],
        };
        let domain = RouterDomain { chain_id, router };
        prop_assert_eq!(header.digest(&domain), h256(digest_by_alloy(&header, &domain)));
        for item in &outbox {
            prop_assert_eq!(item.data(), item_data_by_alloy(item));
        }
        let batch = gear_exe_primitives::batch::Batch { header, spent, outbox_end, transitions, outbox };
        let abi = to_abi(&batch);
        prop_assert_eq!(content, h256(content_by_abi(&abi)));

        let call = Router::commitBatchCall::abi_decode_validate(&calldata(&batch, &[3], &[7; 64])).unwrap();
        prop_assert_eq!(call.batch, abi);
        prop_assert_eq!(&call.signers[..], &[3]);
        prop_assert_eq!(&call.signatures[..], &[7; 64]);
    }
}
