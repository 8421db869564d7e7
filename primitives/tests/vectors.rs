//! `vectors/batches.json`: batches with the hashes that validators sign. This test checks that the file is what Rust
//! computes, `contracts/test/Vectors.t.sol` that Solidity computes the same from it. Neither side can change a hash
//! alone.
//!
//! After a change on purpose: `UPDATE_VECTORS=1 cargo test --release -p gear-exe-primitives --test vectors`.

use gear_exe_primitives::{
    batch::{Batch, BatchHeader, RouterDomain, content_hash, creations},
    creation::ProgramCreation,
    ids::ActorId,
    merkle,
    message::{OutgoingMessage, ReplyCode, ReplyDetails},
    outbox::{OutboxItem, VaultReward, operator_reward_leaf},
    quorum::Member,
    transition::{StateTransition, ValueClaim},
};
use primitive_types::{H160, H256, U256};
use serde_json::{Value, json};
use std::{fs, path::Path};

/// Another word for every seed.
fn word(seed: u64) -> H256 {
    gear_exe_primitives::hashing::keccak256([seed.to_be_bytes()])
}

fn account(seed: u64) -> H160 {
    H160::from_slice(&word(seed).as_bytes()[..20])
}

fn bytes(length: usize) -> Vec<u8> {
    (0..length).map(|index| (index * 7 + 1) as u8).collect()
}

fn message(seed: u64, payload: Vec<u8>) -> OutgoingMessage {
    OutgoingMessage {
        id: word(seed).0.into(),
        destination: account(seed + 1),
        payload,
        value: 0,
        reply_details: None,
        call: false,
    }
}

fn reply(seed: u64, payload: Vec<u8>, code: [u8; 4]) -> OutgoingMessage {
    OutgoingMessage {
        reply_details: Some(ReplyDetails {
            to: word(seed + 2).0.into(),
            code: ReplyCode(code),
        }),
        ..message(seed, payload)
    }
}

fn claim(seed: u64, value: u128) -> ValueClaim {
    ValueClaim {
        message_id: word(seed).0.into(),
        destination: account(seed + 1),
        value,
    }
}

fn batch(
    seed: u64,
    outbox_end: u64,
    transitions: Vec<StateTransition>,
    outbox: Vec<OutboxItem>,
) -> Batch {
    let spent = u128::from(seed) << 64 | 1;
    Batch {
        header: BatchHeader {
            genesis: word(seed),
            seal_number: seed + 1,
            seal_hash: word(seed + 2),
            last_round: seed + 3,
            last_round_hash: word(seed + 4),
            nonce: seed + 5,
            parent: word(seed + 6),
            anchor_number: seed + 7,
            anchor_hash: word(seed + 8),
            set_id: seed + 9,
            content: content_hash(&transitions, spent, outbox_end, &outbox),
            expiry: seed + 10,
        },
        spent,
        outbox_end,
        transitions,
        outbox,
    }
}

/// The batches, each with its name and the Router it is for.
fn batches() -> Vec<(&'static str, RouterDomain, Batch)> {
    let domain = |chain_id| RouterDomain {
        chain_id,
        router: account(chain_id),
    };
    let program = |seed| ActorId::from(account(seed));

    let empty = Batch {
        header: BatchHeader {
            genesis: H256::zero(),
            seal_number: 0,
            seal_hash: H256::zero(),
            last_round: 0,
            last_round_hash: H256::zero(),
            nonce: 0,
            parent: H256::zero(),
            anchor_number: 0,
            anchor_hash: H256::zero(),
            set_id: 0,
            content: content_hash(&[], 0, 0, &[]),
            expiry: 0,
        },
        spent: 0,
        outbox_end: 0,
        transitions: Vec::new(),
        outbox: Vec::new(),
    };

    let mut largest = batch(100, u64::MAX, Vec::new(), Vec::new());
    for number in [
        &mut largest.header.seal_number,
        &mut largest.header.last_round,
        &mut largest.header.nonce,
        &mut largest.header.anchor_number,
        &mut largest.header.set_id,
        &mut largest.header.expiry,
    ] {
        *number = u64::MAX;
    }

    // Payloads around the word that encoders pad to.
    let payloads = StateTransition {
        messages: [0, 1, 31, 32, 33, 64, 200]
            .into_iter()
            .enumerate()
            .map(|(index, length)| message(1_000 + index as u64 * 10, bytes(length)))
            .collect(),
        ..StateTransition::new(program(201), word(202))
    };

    let replies = StateTransition {
        messages: vec![
            reply(2_000, bytes(32), [0, 1, 0, 0]),
            OutgoingMessage {
                call: true,
                value: 5,
                ..reply(2_010, bytes(68), [0, 1, 0, 0])
            },
            OutgoingMessage {
                call: true,
                ..reply(2_020, b"panicked with 'no'".to_vec(), [1, 0, 3, 0])
            },
            OutgoingMessage {
                value: u128::MAX,
                ..reply(2_030, Vec::new(), [0xff; 4])
            },
            // An Ethereum event of the program.
            OutgoingMessage {
                destination: H160::repeat_byte(0xff),
                ..message(2_040, [vec![1], bytes(64)].concat())
            },
        ],
        ..StateTransition::new(program(301), word(302))
    };

    let amounts = [
        (1, 0),
        (-1, 1),
        (0, -1),
        (i128::MAX, i128::MIN),
        (i128::MIN, i128::MAX),
    ]
    .into_iter()
    .enumerate()
    .map(
        |(index, (value_to_receive, net_transfer))| StateTransition {
            value_to_receive,
            net_transfer,
            ..StateTransition::new(program(400 + index as u64), word(410 + index as u64))
        },
    )
    .collect();

    let exits = vec![
        StateTransition {
            inheritor: Some(program(501)),
            ..StateTransition::new(program(502), H256::zero())
        },
        StateTransition {
            inheritor: Some(ActorId::zero()),
            ..StateTransition::new(program(503), word(504))
        },
    ];

    let claims = StateTransition {
        value_to_receive: 12,
        value_claims: vec![claim(3_000, 0), claim(3_010, 12), claim(3_020, u128::MAX)],
        ..StateTransition::new(program(601), word(602))
    };

    let created = |seed| StateTransition {
        creation: Some(ProgramCreation {
            creator: program(seed),
            code_id: word(seed + 1).0.into(),
            salt: word(seed + 2),
        }),
        ..StateTransition::new(program(seed + 3), word(seed + 4))
    };
    let births = vec![
        created(900),
        StateTransition::new(program(905), word(906)),
        created(910),
    ];

    let items = vec![
        OutboxItem::CodeResult {
            code_id: word(701).0.into(),
            request_id: word(702),
            valid: true,
        },
        OutboxItem::CodeResult {
            code_id: word(703).0.into(),
            request_id: word(704),
            valid: false,
        },
        OutboxItem::SetUpdate {
            set_id: 2,
            members: vec![
                Member {
                    address: account(705),
                    weight: 1,
                },
                Member {
                    address: account(706),
                    weight: u64::MAX,
                },
                Member {
                    address: account(707),
                    weight: 3,
                },
            ],
        },
        OutboxItem::SetUpdate {
            set_id: u64::MAX,
            members: Vec::new(),
        },
        OutboxItem::ParameterChange {
            key: word(708),
            value: U256::MAX,
        },
        OutboxItem::Slash {
            id: (1 << 63) - 1,
            operator: account(709),
            fraction: 1_000_000_000,
            capture: (1 << 48) - 1,
        },
        OutboxItem::SlashCancel { id: u64::MAX },
        OutboxItem::Rewards {
            era: u32::MAX,
            capture: 710,
            operators_root: word(711),
            operators_total: u128::MAX,
            vaults: vec![
                VaultReward {
                    vault: account(712),
                    amount: 1,
                },
                VaultReward {
                    vault: account(713),
                    amount: u128::MAX,
                },
            ],
        },
        OutboxItem::Rewards {
            era: 0,
            capture: 1,
            operators_root: H256::zero(),
            operators_total: 0,
            vaults: Vec::new(),
        },
        OutboxItem::Mint {
            id: 714,
            to: account(715),
            amount: u128::MAX,
        },
        OutboxItem::OperatorSet {
            set_id: 716,
            capture: 717,
            signers: vec![account(718), account(719)],
            operators: vec![account(720), H160::zero()],
        },
    ];

    let everything = StateTransition {
        inheritor: Some(program(801)),
        value_to_receive: -1_000_000_000_000_000_000,
        net_transfer: 7,
        value_claims: claims.value_claims.clone(),
        messages: replies
            .messages
            .iter()
            .chain(&payloads.messages)
            .cloned()
            .collect(),
        ..StateTransition::new(program(802), word(803))
    };
    let all = vec![
        everything,
        created(920),
        StateTransition::new(program(804), word(805)),
        claims.clone(),
    ];

    vec![
        ("empty and zero", domain(1), empty),
        ("largest numbers", domain(u64::MAX), largest),
        (
            "payloads of all lengths",
            domain(1),
            batch(200, 0, vec![payloads], Vec::new()),
        ),
        (
            "replies, call-backs, an event",
            domain(31_337),
            batch(300, 0, vec![replies], Vec::new()),
        ),
        (
            "amounts of both signs",
            domain(1),
            batch(400, 0, amounts, Vec::new()),
        ),
        ("exits", domain(1), batch(500, 0, exits, Vec::new())),
        ("claims", domain(1), batch(600, 0, vec![claims], Vec::new())),
        (
            "outbox",
            domain(560_048),
            batch(700, items.len() as u64, Vec::new(), items.clone()),
        ),
        (
            "programs of programs",
            domain(31_337),
            batch(900, 0, births, Vec::new()),
        ),
        ("everything", domain(31_337), batch(800, 12, all, items)),
    ]
}

fn hex(bytes: impl AsRef<[u8]>) -> String {
    format!("0x{}", hex::encode(bytes))
}

fn message_json(message: &OutgoingMessage) -> Value {
    let (to, code) = message
        .reply_details
        .map_or((H256::zero(), [0; 4]), |details| {
            (H256(details.to.0.0), details.code.0)
        });
    json!({
        "id": hex(message.id),
        "destination": hex(message.destination),
        "payload": hex(&message.payload),
        "value": message.value.to_string(),
        "replyDetails": { "to": hex(to), "code": hex(code) },
        "call": message.call,
    })
}

fn transition_json(transition: &StateTransition) -> Value {
    json!({
        "actorId": hex(transition.actor_id.to_address_lossy()),
        "newStateHash": hex(transition.new_state_hash),
        "exited": transition.inheritor.is_some(),
        "inheritor": hex(transition.inheritor.unwrap_or_default().to_address_lossy()),
        "valueToReceive": transition.value_to_receive.unsigned_abs().to_string(),
        "valueToReceiveNegativeSign": transition.value_to_receive < 0,
        "netTransfer": transition.net_transfer.to_string(),
        "valueClaims": transition.value_claims.iter().map(|claim| json!({
            "messageId": hex(claim.message_id),
            "destination": hex(claim.destination),
            "value": claim.value.to_string(),
        })).collect::<Vec<_>>(),
        "messages": transition.messages.iter().map(message_json).collect::<Vec<_>>(),
    })
}

/// The batch in the shape of `Gear.Batch`; numbers as decimal strings, which no reader rounds.
fn batch_json(batch: &Batch) -> Value {
    let header = &batch.header;
    json!({
        "genesis": hex(header.genesis),
        "sealNumber": header.seal_number.to_string(),
        "sealHash": hex(header.seal_hash),
        "lastRound": header.last_round.to_string(),
        "lastRoundHash": hex(header.last_round_hash),
        "nonce": header.nonce.to_string(),
        "parent": hex(header.parent),
        "anchorNumber": header.anchor_number.to_string(),
        "anchorHash": hex(header.anchor_hash),
        "setId": header.set_id.to_string(),
        "expiry": header.expiry.to_string(),
        "spent": batch.spent.to_string(),
        "outboxEnd": batch.outbox_end.to_string(),
        "creations": creations(&batch.transitions).map(|creation| json!({
            "creator": hex(creation.creator.to_address_lossy()),
            "codeId": hex(creation.code_id),
            "salt": hex(creation.salt),
        })).collect::<Vec<_>>(),
        "transitions": batch.transitions.iter().map(transition_json).collect::<Vec<_>>(),
        "outbox": batch.outbox.iter().map(|item| json!({
            "kind": item.kind().to_string(),
            "data": hex(item.data()),
        })).collect::<Vec<_>>(),
    })
}

fn vector(name: &str, domain: &RouterDomain, batch: &Batch) -> Value {
    let hashes = |list: Vec<H256>| list.into_iter().map(hex).collect::<Vec<_>>();
    json!({
        "name": name,
        "chainId": domain.chain_id.to_string(),
        "router": hex(domain.router),
        "batch": batch_json(batch),
        "hashes": {
            // One list for each transition.
            "messages": batch.transitions.iter()
                .map(|transition| hashes(transition.messages.iter().map(OutgoingMessage::hash).collect()))
                .collect::<Vec<_>>(),
            "claims": batch.transitions.iter()
                .map(|transition| hashes(transition.value_claims.iter().map(ValueClaim::hash).collect()))
                .collect::<Vec<_>>(),
            "creations": hashes(creations(&batch.transitions).map(ProgramCreation::hash).collect()),
            "transitions": hashes(batch.transitions.iter().map(StateTransition::hash).collect()),
            "items": hashes(batch.outbox.iter().map(OutboxItem::hash).collect()),
            "content": hex(batch.header.content),
            "domain": hex(domain.separator()),
            "digest": hex(batch.header.digest(domain)),
        },
    })
}

#[test]
fn vectors_are_what_rust_computes() {
    let vectors = batches();
    for (name, _, batch) in &vectors {
        assert!(batch.is_consistent(), "{name}");
    }
    let value = json!({
        "vectors": vectors
            .iter()
            .map(|(name, domain, batch)| vector(name, domain, batch))
            .collect::<Vec<_>>(),
    });
    let text = serde_json::to_string_pretty(&value).unwrap() + "\n";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors/batches.json");
    if std::env::var_os("UPDATE_VECTORS").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &text).unwrap();
    }
    let committed = fs::read_to_string(&path).unwrap();
    assert!(
        committed == text,
        "vectors/batches.json is not what Rust computes; if a hash changed on purpose, run with UPDATE_VECTORS=1, \
         and then the contracts' tests"
    );
}

#[test]
fn digests_differ() {
    let mut digests: Vec<_> = batches()
        .iter()
        .map(|(_, domain, batch)| batch.header.digest(domain))
        .collect();
    let count = digests.len();
    digests.sort();
    digests.dedup();
    assert_eq!(digests.len(), count);
}

/// Trees of operators' rewards, of every shape up to seven leaves.
fn reward_trees() -> Value {
    let trees = (1..=7u64).map(|count| {
        let era = 1_000 * count as u32;
        let entries: Vec<_> = (0..count)
            .map(|index| (account(1_100 + index), u128::from(index) * 1_000_000_000_000 + 1))
            .collect();
        let leaves: Vec<_> = entries
            .iter()
            .map(|(operator, amount)| operator_reward_leaf(era, *operator, *amount))
            .collect();
        json!({
            "era": era.to_string(),
            "count": count.to_string(),
            "root": hex(merkle::root(leaves.clone())),
            "entries": entries.iter().enumerate().map(|(index, (operator, amount))| json!({
                "operator": hex(operator),
                "amount": amount.to_string(),
                "proof": merkle::proof(leaves.clone(), index).into_iter().flatten().map(hex).collect::<Vec<_>>(),
            })).collect::<Vec<_>>(),
        })
    });
    json!({ "trees": trees.collect::<Vec<_>>() })
}

/// `vectors/rewards.json`, which `contracts/test/middleware/Rewards.t.sol` claims by.
#[test]
fn reward_trees_are_what_rust_computes() {
    let text = serde_json::to_string_pretty(&reward_trees()).unwrap() + "\n";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors/rewards.json");
    if std::env::var_os("UPDATE_VECTORS").is_some() {
        fs::write(&path, &text).unwrap();
    }
    assert!(
        fs::read_to_string(&path).unwrap() == text,
        "vectors/rewards.json is not what Rust computes; after a change on purpose, run with UPDATE_VECTORS=1"
    );
}
