//! `program_calculateReplyForHandle` over HTTP.

use super::*;
use gear_exe_primitives::proof;

const METHOD: &str = "program_calculateReplyForHandle";

fn query(at: Option<H256>, program: H160, payload: &[u8], value: u64) -> Value {
    json!([at, hexed(USER), hexed(program), hexed(payload), value])
}

#[tokio::test]
async fn replies() {
    let node = Node::with_programs().await;
    let before = node.holder.best().unwrap().outcome.state_root;
    let expected = json!({
        "reply": {"payload": hexed(b"PONG"), "value": 0, "code": "0x00010000"},
        "messages": [],
        "payload": hexed(b"PONG"),
        "value": 0,
        "code": "0x00010000",
    });
    for params in [
        query(None, PING, b"PING", 0),
        json!({
            "source": hexed(USER),
            "program_id": hexed(PING),
            "payload": hexed(b"PING"),
            "value": 0,
        }),
        json!([null, hexed(USER), hexed(PING), hexed(b"PING")]),
        json!([null, hexed(USER), hexed(PING), hexed(b"PING"), "0", 0]),
    ] {
        assert_eq!(node.ask(METHOD, params).await, expected);
    }
    // Nothing is kept of it.
    assert_eq!(node.holder.best().unwrap().outcome.state_root, before);
    let count = node.ask(METHOD, query(None, PING, b"COUNT", 0)).await;
    assert_eq!(count["reply"]["payload"], hexed(0u64.to_le_bytes()));

    let auto = node.ask(METHOD, query(None, PING, b"", 0)).await;
    assert_eq!(
        auto["reply"],
        json!({"payload": "0x", "value": 0, "code": "0x00000000"})
    );
    let refund = node.ask(METHOD, query(None, TROUBLE, b"REFUND", 77)).await;
    assert_eq!(
        refund["reply"],
        json!({"payload": "0x", "value": 77, "code": "0x00010000"})
    );
}

#[tokio::test]
async fn the_cost_of_a_message() {
    let node = Node::with_programs().await;
    let balance = |node: &Node| {
        let state = node
            .holder
            .executor
            .read_state(node.holder.state_hash(PING));
        state.unwrap().executable_balance
    };
    let params = query(None, PING, b"PING", 0);
    let answer = node.ask("gear_estimateCost", params.clone()).await;
    assert_eq!(answer["reply"]["payload"], hexed(b"PONG"));
    let own = &answer["programs"][0];
    assert_eq!(own["program"], hexed(PING));
    let before = balance(&node);
    let round = node.holder.execute(vec![message(PING, 9, b"PING", 0)]);
    assert_eq!(answer["gas"], round.outcome.gas_burned);
    assert_eq!(answer["cost"], (before - balance(&node)) as u64);
    assert_eq!(
        own["cost"].as_u64().unwrap(),
        own["gas_price"].as_u64().unwrap() + own["settlement_price"].as_u64().unwrap()
    );
    assert!(own["settlement_price"].as_u64().unwrap() > 0);
    node.refuse("gear_estimateCost", query(None, USER, b"PING", 0))
        .await;
}

#[tokio::test]
async fn what_a_state_holds_is_proved() {
    let node = Node::with_programs().await;
    let bytes = |answer: &Value, field: &str| {
        let text = answer[field].as_str().unwrap();
        hex::decode(text.strip_prefix("0x").unwrap()).unwrap()
    };
    let answer = node
        .ask("gear_stateProof", json!([hexed(PING), "balances"]))
        .await;
    let root = node.holder.best().unwrap().outcome.state_root;
    assert_eq!(answer["state_root"], hexed(root));
    let proof = proof::Proof::from_bytes(&bytes(&answer, "proof")).unwrap();
    let state = node
        .holder
        .executor
        .read_state(node.holder.state_hash(PING));
    let state = state.unwrap();
    assert_eq!(
        proof::verify_balances(root, PING.into(), &proof).unwrap(),
        Some((state.balance, state.executable_balance))
    );
    proof::verify_balances(H256::zero(), PING.into(), &proof).unwrap_err();
    // There is no such program, and that is proved.
    let answer = node
        .ask("gear_stateProof", json!([hexed(USER), "program"]))
        .await;
    let proof = proof::Proof::from_bytes(&bytes(&answer, "proof")).unwrap();
    proof::verify_absence(root, USER.into(), &proof).unwrap();
    for params in [
        json!([hexed(PING), "soul"]),
        json!([hexed(PING), "page", -1]),
        json!([hexed(PING), "waiting", 7]),
        json!([
            hexed(PING),
            "balances",
            null,
            null,
            hexed(H256::repeat_byte(9))
        ]),
    ] {
        node.refuse("gear_stateProof", params).await;
    }
}

#[tokio::test]
async fn programs_that_fail_answer_with_a_code() {
    let node = Node::with_programs().await;
    for (command, code) in [
        (&b"PANIC"[..], "0x01000300"),
        (b"TRAP", "0x01000400"),
        (b"LOOP", "0x01000000"),
    ] {
        let answer = node.ask(METHOD, query(None, TROUBLE, command, 0)).await;
        assert_eq!(answer["reply"]["code"], code, "{answer}");
        assert_eq!(answer["code"], code);
    }
    let panic = node.ask(METHOD, query(None, TROUBLE, b"PANIC", 0)).await;
    let words = panic["reply"]["payload"].as_str().unwrap();
    let words = hex::decode(words.strip_prefix("0x").unwrap()).unwrap();
    assert!(String::from_utf8_lossy(&words).contains("asked to panic"));
}

#[tokio::test]
async fn messages_to_users_are_shown() {
    let node = Node::with_programs().await;
    let mut mail = b"MAILBOX".to_vec();
    mail.extend(5u128.to_le_bytes());
    let answer = node.ask(METHOD, query(None, TROUBLE, &mail, 5)).await;
    let messages = answer["messages"].as_array().unwrap();
    assert_eq!(messages.len(), 1);
    let mut message = messages[0].clone();
    message["id"].take();
    assert_eq!(
        message,
        json!({
            "id": null,
            "destination": hexed(USER),
            "payload": hexed(b"MAIL"),
            "value": 5,
            "reply_details": null,
            "call": false,
        })
    );
}

#[tokio::test]
async fn at_an_ethereum_block() {
    let node = Node::with_programs().await;
    for number in 3..6 {
        node.holder.execute(vec![message(PING, number, b"PING", 0)]);
    }
    for (at, count) in [
        (Some(anchor(2).hash), 0u64),
        (Some(anchor(3).hash), 1),
        (Some(anchor(5).hash), 3),
        (None, 3),
    ] {
        let answer = node.ask(METHOD, query(at, PING, b"COUNT", 0)).await;
        assert_eq!(answer["reply"]["payload"], hexed(count.to_le_bytes()));
    }
    // The program was created in block 1, and initialised in block 2.
    assert_eq!(
        node.refuse(METHOD, query(Some(anchor(1).hash), PING, b"COUNT", 0))
            .await,
        json!({
            "code": 8000,
            "message": "Runtime error",
            "data": format!(
                "program {} is not initialised yet; send its first message",
                hexed(PING)
            ),
        })
    );
    let unknown = anchor(77).hash;
    assert_eq!(
        node.refuse(METHOD, query(Some(unknown), PING, b"COUNT", 0))
            .await,
        json!({
            "code": 8000,
            "message": "Bad request",
            "data": format!(
                "no executed round of the best chain has the Ethereum block {unknown:?}, or one \
                 before it on the same branch, as its anchor; leave `at` out for the best one"
            ),
        })
    );
}

/// The anchor goes from Ethereum block 2 to block 6 at once.
#[tokio::test]
async fn at_an_ethereum_block_that_no_anchor_was() {
    let node = Node::with_programs().await;
    node.holder
        .execute_at(anchor(6), vec![message(PING, 3, b"PING", 0)]);
    let branch = |number, parent| EthereumHeader {
        hash: hash(0xe1, number),
        parent,
        ..anchor(number)
    };
    // Two blocks of a branch that Ethereum has left, and one that begins above the best anchor; one below the first.
    let left = [
        branch(4, anchor(3).hash),
        branch(5, hash(0xe1, 4)),
        branch(9, hash(0xe1, 8)),
    ];
    let before = EthereumHeader {
        hash: hash(0xe0, 0),
        ..Default::default()
    };
    let headers = (1..=8).map(anchor).chain(left).chain([before]);
    let newer = branch(7, anchor(6).hash);
    let seen = headers.chain([newer]);
    node.chain.0.lock().seen = seen.map(|header| (header.hash, header)).collect();

    for (at, count) in [
        (anchor(2).hash, 0u64),
        (anchor(3).hash, 0),
        (anchor(5).hash, 0),
        (anchor(6).hash, 1),
        (anchor(8).hash, 1),
        (newer.hash, 1),
    ] {
        let answer = node.ask(METHOD, query(Some(at), PING, b"COUNT", 0)).await;
        assert_eq!(
            answer["reply"]["payload"],
            hexed(count.to_le_bytes()),
            "{at:?}"
        );
    }
    let refused = left.iter().chain([&before]).map(|header| header.hash);
    for at in refused.chain([anchor(77).hash]) {
        let answer = node
            .refuse(METHOD, query(Some(at), PING, b"COUNT", 0))
            .await;
        assert_eq!(answer["message"], "Bad request", "{at:?}: {answer}");
    }
}

#[tokio::test]
async fn needs_no_executable_balance_when_topped_up() {
    let node = Node::start().await;
    let code = node.holder.add_code(gear_exe_programs::PING);
    node.holder.execute(vec![created(PING, code), funded(PING)]);
    node.holder.execute(vec![message(PING, 1, b"", 0)]);
    let answer = node.ask(METHOD, query(None, PING, b"PING", 0)).await;
    assert_eq!(answer["reply"]["payload"], hexed(b"PONG"));
    let topped = json!([
        null,
        hexed(USER),
        hexed(PING),
        hexed(b"PING"),
        0,
        FUNDS.to_string()
    ]);
    assert_eq!(node.ask(METHOD, topped).await, answer);
}

#[tokio::test]
async fn refusals() {
    let node = Node::with_programs().await;
    assert_eq!(
        node.refuse(METHOD, query(None, USER, b"PING", 0)).await,
        json!({
            "code": 8000,
            "message": "Runtime error",
            "data": format!("there is no program {}", hexed(USER)),
        })
    );
    let limit = ExecutionParameters::default().max_payload_bytes as usize;
    let long = vec![0; limit + 1];
    assert_eq!(
        node.refuse(METHOD, query(None, PING, &long, 0)).await,
        json!({
            "code": -32602,
            "message": "Invalid params",
            "data": format!("`payload` has {} bytes; the limit is {limit}", limit + 1),
        })
    );
    assert_eq!(
        node.refuse(METHOD, json!({"source": hexed(USER)})).await["data"],
        "`program_id` is missing; it must be an Ethereum address: 20 bytes in hex with 0x"
    );
    assert_eq!(
        node.refuse(METHOD, json!([null, hexed(USER), hexed(PING), "0x", -1]))
            .await["data"],
        "`value` must be a whole number from 0 to 2^128 - 1, or a string with its digits"
    );
}
