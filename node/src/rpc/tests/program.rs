//! Programs, their states and codes over HTTP.

use super::*;
use gear_exe_executor::state;

fn stash_of(state: &state::ProgramState) -> H256 {
    state.stash_hash.unwrap()
}

#[tokio::test]
async fn programs_and_codes() {
    let node = Node::with_programs().await;
    let ids = json!([hexed(PING), hexed(TROUBLE)]);
    let listed = node.ask("program_ids", json!([])).await;
    let mut listed: Vec<Value> = serde_json::from_value(listed).unwrap();
    listed.sort_by_key(Value::to_string);
    assert_eq!(Value::from(listed), ids);

    let code = CodeId::of(gear_exe_programs::PING).0;
    // An address with a checksum, a padded one, one by name.
    for params in [
        json!([hexed(PING)]),
        json!([hexed(PING).to_uppercase().replace("0X", "0x")]),
        json!([format!("0x{}{}", "00".repeat(12), "11".repeat(20))]),
        json!({"program_id": hexed(PING)}),
    ] {
        assert_eq!(node.ask("program_codeId", params).await, json!(code));
    }
    assert_eq!(
        node.refuse("program_codeId", json!([USER])).await,
        json!({
            "code": 8000,
            "message": "Database error",
            "data": format!("Failed to get program code id: there is no program {} yet", hexed(USER)),
        })
    );
    assert_eq!(
        node.refuse("program_codeId", json!(["0x12"])).await,
        json!({
            "code": -32602,
            "message": "Invalid params",
            "data": "`program_id` must be an Ethereum address: 20 bytes in hex with 0x",
        })
    );

    assert_eq!(
        node.ask("code_getOriginal", json!([code])).await,
        hexed(gear_exe_programs::PING)
    );
    let unknown = hash(0xee, 1);
    assert_eq!(
        node.refuse("code_getOriginal", json!([unknown])).await,
        json!({
            "code": 8000,
            "message": "Database error",
            "data": format!("Failed to get code by supplied id: {unknown:?} is not stored"),
        })
    );
    assert_eq!(
        node.refuse("code_getInstrumented", json!([1, code])).await,
        json!({
            "code": 8000,
            "message": "Bad request",
            "data": "this node keeps no instrumented code: it compiles the original, which `code_getOriginal` gives",
        })
    );
    assert_eq!(
        node.refuse("code_getInstrumented", json!([1, unknown]))
            .await["message"],
        "Database error"
    );
}

#[tokio::test]
async fn custom_sections() {
    let node = Node::start().await;
    // The section goes in front of everything else; its name and content are length-prefixed.
    let mut wasm = gear_exe_programs::PING[..8].to_vec();
    wasm.extend([0, 17, 9]);
    wasm.extend(b"sails:idlservice");
    wasm.extend(&gear_exe_programs::PING[8..]);
    let code = node.holder.add_code(&wasm).0;
    let section = |name: &str| json!([code, name]);
    let method = "code_readWasmCustomSection";
    assert_eq!(
        node.ask(method, section("sails:idl")).await,
        hexed(b"service")
    );
    assert_eq!(node.ask(method, section("sails")).await, Value::Null);
    assert_eq!(
        node.ask(method, json!([hash(0, 1), "sails:idl"])).await,
        Value::Null
    );
    assert_eq!(
        node.refuse(method, section(&"x".repeat(257))).await["data"],
        "`section_name` has 257 bytes; the limit is 256"
    );
}

#[tokio::test]
async fn active_state() {
    let node = Node::with_programs().await;
    let hash = node.holder.state_hash(TROUBLE);
    let stored = node.holder.executor.read_state(hash).unwrap();
    let state::Program::Active { pages_hash, .. } = stored.program else {
        panic!("{:?}", stored.program)
    };
    let expected = json!({
        "program": {"Active": {
            "allocations_hash": null,
            "pages_hash": pages_hash,
            "memory_infix": 0,
            "initialized": true,
        }},
        "canonical_queue": {"hash": null, "cached_queue_size": 0},
        "injected_queue": {"hash": null, "cached_queue_size": 0},
        "waitlist_hash": null,
        "stash_hash": null,
        "mailbox_hash": null,
        "balance": 0,
        "executable_balance": stored.executable_balance.to_string(),
    });
    let mut read = node.ask("program_readState", json!([hash])).await;
    // Whether it has allocated is its own affair.
    read["program"]["Active"]["allocations_hash"] = Value::Null;
    assert_eq!(read, expected);

    let current = node.ask("gear_programState", json!([hexed(TROUBLE)])).await;
    assert_eq!(current["program_id"], hexed(TROUBLE));
    assert_eq!(current["state_hash"], json!(hash));
    assert_eq!(current["block"]["number"], 2);
    assert_eq!(current["starved"], false);
    assert_eq!(
        current["state"]["canonical_queue"],
        expected["canonical_queue"]
    );
    assert_eq!(
        node.ask("gear_programState", json!([USER])).await,
        Value::Null
    );

    // Of another kind, or not there.
    for (method, wanted) in [
        ("program_readQueue", hash),
        ("program_readWaitlist", hash),
        ("program_readPageData", hash),
        ("program_readState", pages_hash.unwrap()),
    ] {
        let error = node.refuse(method, json!([wanted])).await;
        assert_eq!(error["message"], "Database error", "{method}");
        let data = error["data"].as_str().unwrap();
        assert!(data.contains("is stored but is not"), "{method}: {data}");
    }
    assert_eq!(
        node.refuse("program_readState", json!([H256::zero()]))
            .await,
        json!({
            "code": 8000,
            "message": "Database error",
            "data": format!("{:?} is not stored", H256::zero()),
        })
    );
}

#[tokio::test]
async fn memory() {
    let node = Node::with_programs().await;
    node.holder.execute(vec![message(PING, 3, b"PING", 0)]);
    let hash = node.holder.state_hash(PING);
    let state = node.ask("program_readState", json!([hash])).await;
    let pages_hash = &state["program"]["Active"]["pages_hash"];
    let pages = node.ask("program_readPages", json!([pages_hash])).await;
    let pages: Vec<Option<H256>> = serde_json::from_value(pages).unwrap();
    assert_eq!(pages.len(), 16);
    let region = pages[0].unwrap();
    assert!(pages[1..].iter().all(Option::is_none));
    let region = node.ask("program_readPageRegion", json!([region])).await;
    let region: HashMap<String, H256> = serde_json::from_value(region).unwrap();
    assert!(!region.is_empty());
    let mut ones = 0;
    for (number, page) in region {
        number.parse::<u32>().unwrap();
        let data = node.ask("program_readPageData", json!([page])).await;
        let bytes = hex::decode(data.as_str().unwrap().strip_prefix("0x").unwrap()).unwrap();
        assert_eq!(bytes.len(), state::PAGE_SIZE);
        ones += bytes.iter().filter(|byte| **byte == 1).count();
    }
    // The counter of the one `PING`.
    assert!(ones >= 1);
}

#[tokio::test]
async fn queue_of_a_starved_program() {
    let node = Node::start().await;
    let code = node.holder.add_code(gear_exe_programs::PING);
    let long = vec![7; state::INLINE_PAYLOAD];
    node.holder.execute(vec![
        created(PING, code),
        message(PING, 1, b"PING", 5),
        message(PING, 2, &long, 0),
    ]);
    let hash = node.holder.state_hash(PING);
    let state = node.ask("program_readState", json!([hash])).await;
    assert_eq!(state["canonical_queue"]["cached_queue_size"], 2);
    assert_eq!(state["executable_balance"], 0);
    let queue_hash = state["canonical_queue"]["hash"].clone();
    let queue = node.ask("program_readQueue", json!([queue_hash])).await;
    let stored = queue[1]["payload"]["Stored"].clone();
    assert_eq!(
        queue,
        json!([
            {
                "id": id(1).0,
                "kind": "Init",
                "source": hexed(USER),
                "payload": {"Direct": hexed(b"PING")},
                "value": 5,
                "details": null,
                "context": null,
                "message_type": "Canonical",
                "call": false,
            },
            {
                "id": id(2).0,
                "kind": "Handle",
                "source": hexed(USER),
                "payload": {"Stored": stored},
                "value": 0,
                "details": null,
                "context": null,
                "message_type": "Canonical",
                "call": false,
            },
        ])
    );
    assert_eq!(
        node.ask("program_readPayload", json!([stored])).await,
        hexed(&long)
    );
    let full = node.ask("program_readFullState", json!([hash])).await;
    assert_eq!(full["canonical_queue"], queue);
    assert_eq!(full["injected_queue"], Value::Null);
    let current = node.ask("gear_programState", json!([hexed(PING)])).await;
    assert_eq!(current["starved"], true);
    assert_eq!(current["state_hash"], json!(hash));
    assert_eq!(
        node.ask("gear_round", json!([])).await["starved"],
        json!([hexed(PING)])
    );
}

#[tokio::test]
async fn waitlist_stash_and_mailbox() {
    let node = Node::with_programs().await;
    let mut mail = b"MAILBOX".to_vec();
    mail.extend(5u128.to_le_bytes());
    let mut delay = b"DELAY".to_vec();
    delay.extend(3u32.to_le_bytes());
    node.holder.execute(vec![
        message(TROUBLE, 3, &mail, 5),
        message(TROUBLE, 4, &delay, 0),
        message(TROUBLE, 5, b"WAIT", 0),
    ]);
    let hash = node.holder.state_hash(TROUBLE);
    let stored = node.holder.executor.read_state(hash).unwrap();
    let full = node.ask("program_readFullState", json!([hash])).await;
    assert_eq!(
        full["executable_balance"],
        stored.executable_balance.to_string()
    );
    assert!(full["program"]["Active"]["initialized"].as_bool().unwrap());

    let waitlist = node
        .ask("program_readWaitlist", json!([stored.waitlist_hash]))
        .await;
    let mut expected = json!({
        "inner": {
            (format!("{}", id(5))): {
                "value": {
                    "id": id(5).0,
                    "kind": "Handle",
                    "source": hexed(USER),
                    "payload": {"Direct": hexed(b"WAIT")},
                    "value": 0,
                    "details": null,
                    "context": {"local_nonce": 0, "replied": false},
                    "message_type": "Canonical",
                    "call": false,
                },
                "expiry": 8,
            }
        },
        "changed": false,
    });
    let at = "/inner/".to_owned() + &id(5).to_string() + "/value/context";
    let gas = waitlist.pointer(&at).unwrap()["gas_burned"].clone();
    assert!(gas.as_u64().unwrap() > 0);
    expected.pointer_mut(&at).unwrap()["gas_burned"] = gas;
    assert_eq!(waitlist, expected);
    assert_eq!(full["waitlist"], waitlist);

    let stash = node
        .ask("program_readStash", json!([stash_of(&stored)]))
        .await;
    let delayed = MessageId::outgoing(id(4), 0);
    assert_eq!(
        stash,
        json!({
            (delayed.to_string()): {
                "value": [
                    {
                        "id": delayed.0,
                        "kind": "Handle",
                        "source": hexed(TROUBLE),
                        "payload": {"Direct": hexed(b"DELAYED")},
                        "value": 0,
                        "details": null,
                        "context": null,
                        "message_type": "Canonical",
                        "call": false,
                    },
                    hexed(USER),
                ],
                "expiry": 6,
            }
        })
    );
    assert_eq!(full["stash"], stash);

    let mailbox = node
        .ask("program_readMailbox", json!([stored.mailbox_hash]))
        .await;
    assert_eq!(mailbox["changed"], false);
    assert_eq!(full["mailbox"], mailbox);
    let users = mailbox["inner"].as_object().unwrap();
    assert_eq!(users.keys().collect::<Vec<_>>(), [&hexed(USER)]);
    let box_ = node
        .ask("program_readUserMailbox", json!([users[&hexed(USER)]]))
        .await;
    let mail = MessageId::outgoing(id(3), 0);
    assert_eq!(
        box_,
        json!({
            (mail.to_string()): {
                "value": {
                    "payload": {"Direct": hexed(b"MAIL")},
                    "value": 5,
                    "message_type": "Canonical",
                },
                "expiry": 3 + ExecutionParameters::default().mailbox_validity,
            }
        })
    );
}

#[tokio::test]
async fn programs_that_ended() {
    let node = Node::with_programs().await;
    let mut exit = b"EXIT".to_vec();
    exit.extend(ActorId::from(USER).0.0);
    let code = CodeId::of(gear_exe_programs::TROUBLE);
    let third = H160::repeat_byte(0x33);
    node.holder.execute(vec![
        message(TROUBLE, 3, &exit, 0),
        created(third, code),
        funded(third),
        message(third, 4, b"PANIC", 0),
    ]);
    for (program, expected) in [
        (TROUBLE, json!({"Exited": hexed(USER)})),
        (third, json!({"Terminated": hexed(USER)})),
    ] {
        let hash = node.holder.state_hash(program);
        let state = node.ask("program_readState", json!([hash])).await;
        assert_eq!(state["program"], expected);
        let full = node.ask("program_readFullState", json!([hash])).await;
        assert_eq!(full["program"], expected);
    }
}
