//! Rounds, statuses and batches over HTTP.

use super::*;
use codec::DecodeAll;
use gear_exe_primitives::{
    batch::BatchHeader, certificate::PromiseStatement, hashing::keccak256, merkle,
    signature::CompactSignature,
};

fn field<T: serde::de::DeserializeOwned>(value: &Value, name: &str) -> T {
    serde_json::from_value(value[name].clone()).unwrap()
}

fn check_roots(answer: &Value) {
    let hash = |name: &str| field::<H256>(answer, name);
    assert_eq!(
        hash("outcome_root"),
        keccak256([
            hash("receipts_root").as_bytes(),
            hash("state_root").as_bytes(),
            hash("transitions_hash").as_bytes(),
        ])
    );
}

#[tokio::test]
async fn rounds_with_receipts() {
    let node = Node::with_programs().await;
    let round = node.holder.execute(vec![
        message(PING, 3, b"PING", 0),
        message(TROUBLE, 4, b"REFUND", 9),
    ]);
    let answer = node.ask("gear_round", json!([])).await;
    assert_eq!(
        node.ask("gear_round", json!([round.block.hash])).await,
        answer
    );
    assert_eq!(
        answer["block"],
        json!({"number": 3, "hash": round.block.hash})
    );
    assert_eq!(answer["parent"], json!(hash(0xc0, 2)));
    assert_eq!(answer["base"], json!({"number": 2, "hash": hash(0xc0, 2)}));
    assert_eq!(
        answer["anchor"],
        json!({
            "number": 3,
            "hash": round.anchor.hash,
            "parent": round.anchor.parent,
            "timestamp": round.anchor.timestamp,
        })
    );
    assert_eq!(answer["state_root"], json!(round.outcome.state_root));
    assert_eq!(answer["outcome_root"], json!(round.outcome.root()));
    check_roots(&answer);
    assert_eq!(answer["work_left"], false);
    assert_eq!(answer["starved"], json!([]));
    assert_eq!(answer["receipts_count"], 2);
    let receipts = answer["receipts"].as_array().unwrap();
    // The leaves make the root.
    let leaves = receipts.iter().map(|receipt| field(receipt, "leaf"));
    assert_eq!(
        merkle::root(leaves.collect()),
        field::<H256>(&answer, "receipts_root")
    );
    let first = &round.outcome.receipts[0];
    assert_eq!(
        receipts[0],
        json!({
            "index": 0,
            "leaf": first.leaf(),
            "message_id": id(3).0,
            "program_id": hexed(PING),
            "code": "0x00010000",
            "payload_hash": keccak256([b"PONG"]),
            "value": 0,
            "gas_burned": first.gas_burned,
            "round": 3,
        })
    );
    assert_eq!(receipts[1]["value"], 9);
    assert_eq!(answer["transitions"].as_array().unwrap().len(), 2);
    let trouble = &answer["transitions"][1];
    assert_eq!(trouble["actor_id"], hexed(TROUBLE));
    assert_eq!(trouble["messages"][0]["value"], 9);
    assert_eq!(trouble["inheritor"], Value::Null);
    assert_eq!(trouble["value_claims"], json!([]));

    let rest = node
        .ask("gear_round", json!({"block": null, "receipts_from": 1}))
        .await;
    assert_eq!(rest["receipts"], json!([receipts[1]]));
    assert_eq!(
        node.ask("gear_round", json!([hash(0, 1)])).await,
        Value::Null
    );
}

fn batch(last_round: u64) -> AppliedBatch {
    AppliedBatch {
        nonce: 1,
        digest: hash(0xd0, 1),
        seal_number: last_round + 1,
        seal_hash: hash(0xc0, last_round + 1),
        last_round,
        last_round_hash: hash(0xc0, last_round),
        outbox_end: 0,
        set_id: 0,
        spent: 0,
    }
}

#[tokio::test]
async fn statuses_rise() {
    let node = Node::with_programs().await;
    let round = node.holder.execute(vec![
        message(TROUBLE, 4, b"PANIC", 0),
        message(PING, 3, b"PING", 0),
        message(PING, 5, b"PING", 0),
    ]);
    node.holder.execute(vec![]);
    let status = || node.ask("gear_messageStatus", json!([id(5).0]));
    // The only validator signs it as soon as it is executed.
    let executed = loop {
        let executed = status().await;
        if executed["level"] != "executed" {
            break executed;
        }
    };
    assert_eq!(executed["level"], "certified");
    let certificate = &executed["certificate"];
    assert_eq!(certificate["outcome"], executed["outcome_root"]);
    assert_eq!(certificate["block"], executed["block"]);
    assert_eq!(
        (&certificate["set_id"], &certificate["signers"]),
        (&json!(1), &json!("0x01"))
    );
    assert_eq!(certificate["signatures"].as_array().unwrap().len(), 1);
    // Its author has promised it.
    let promise = &executed["promise"];
    let statement = PromiseStatement {
        set_id: field(promise, "set_id"),
        slot: field(promise, "slot"),
        block_hash: field(promise, "block_hash"),
        outcome: field(promise, "outcome"),
    };
    assert_eq!(
        (statement.set_id, statement.slot, statement.block_hash),
        (1, 3, round.block.hash)
    );
    assert_eq!(statement.outcome, round.outcome.root());
    let signature = promise["signature"].as_str().unwrap();
    let signature = hex::decode(signature.strip_prefix("0x").unwrap()).unwrap();
    let signer = CompactSignature(signature.try_into().unwrap())
        .recover(statement.digest(GENESIS, &DOMAIN))
        .unwrap();
    assert_eq!(Ok(signer), address_of_secret(&VALIDATOR));
    assert_eq!(promise["author"], json!(signer));
    assert_eq!(promise["genesis"], json!(GENESIS));
    assert_eq!(
        executed["block"],
        json!({"number": 3, "hash": round.block.hash})
    );
    assert_eq!(executed["anchor"]["number"], 3);
    assert_eq!(executed["receipt"]["code"], "0x00010000");
    assert_eq!(executed["batch"], Value::Null);
    check_roots(&executed);
    let proof = &executed["proof"];
    let siblings: Vec<H256> = field(proof, "siblings");
    assert_eq!(siblings.len(), 2);
    assert!(merkle::verify(
        field(&executed, "receipts_root"),
        field(proof, "count"),
        field(proof, "index"),
        field(proof, "leaf"),
        &siblings
    ));
    assert_eq!(proof["leaf"], executed["receipt"]["leaf"]);

    node.chain.0.lock().finalized = 2;
    assert_eq!(status().await["level"], "certified");
    node.chain.0.lock().finalized = 3;
    assert_eq!(status().await["level"], "finalized");

    // A batch that ends before, or on another branch, says nothing.
    let mut foreign = batch(4);
    foreign.last_round_hash = hash(0xff, 4);
    for other in [batch(2), foreign] {
        node.chain.0.lock().router = other;
        assert_eq!(status().await["level"], "finalized");
    }
    node.chain.0.lock().router = batch(3);
    let committed = status().await;
    assert_eq!(committed["level"], "committed");
    assert_eq!(
        committed["batch"],
        json!({
            "nonce": 1,
            "digest": hash(0xd0, 1),
            "seal": {"number": 4, "hash": hash(0xc0, 4)},
            "last_round": {"number": 3, "hash": hash(0xc0, 3)},
        })
    );

    // After the block that is final the Router holds an earlier one; after the next it holds this one.
    {
        let mut said = node.chain.0.lock();
        said.held.insert(anchor(3).hash, batch(2));
        said.held.insert(anchor(4).hash, batch(3));
        said.ethereum_final = anchor(3);
    }
    assert_eq!(status().await["level"], "committed");
    node.chain.0.lock().ethereum_final = anchor(4);
    assert_eq!(status().await["level"], "settled");

    assert_eq!(
        node.ask("gear_messageStatus", json!([id(4).0])).await["receipt"]["code"],
        "0x01000300"
    );
    assert_eq!(
        node.ask("gear_messageStatus", json!([id(99).0])).await,
        Value::Null
    );
}

#[tokio::test]
async fn batch_bodies() {
    let node = Node::start().await;
    let batch = Batch {
        header: BatchHeader {
            genesis: hash(1, 1),
            seal_number: 2,
            seal_hash: hash(1, 2),
            last_round: 1,
            last_round_hash: hash(1, 3),
            nonce: 1,
            parent: H256::zero(),
            anchor_number: 5,
            anchor_hash: hash(1, 4),
            set_id: 0,
            content: H256::zero(),
            expiry: 9,
        },
        spent: 0,
        outbox_end: 0,
        transitions: Vec::new(),
        outbox: Vec::new(),
    };
    let digest = hash(0xd0, 1);
    node.holder.batches.lock().insert(digest, batch.clone());
    let body = node.ask("gear_batchBody", json!([digest])).await;
    let bytes = hex::decode(body.as_str().unwrap().strip_prefix("0x").unwrap()).unwrap();
    assert_eq!(Batch::decode_all(&mut bytes.as_slice()).unwrap(), batch);
    assert_eq!(
        node.ask("gear_batchBody", json!([hash(0, 1)])).await,
        Value::Null
    );
}
