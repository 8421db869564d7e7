//! The JSON of stored objects, as existing clients read it.

#![allow(clippy::unwrap_used)] // a failed unwrap is a failed test

mod common;

use common::{ALICE, BOB, World, actor, command};
use gear_exe_executor::state::{FullProgramState, MailboxMessage, ProgramState};
use gear_exe_programs::TROUBLE;
use serde_json::{Value, json, to_value};

fn text(value: impl std::fmt::Debug) -> Value {
    json!(format!("{value:?}"))
}

#[test]
fn a_state_and_its_parts() {
    let mut world = World::new();
    let trouble = world.program(TROUBLE, b"");
    world.give(trouble, u128::from(u64::MAX));
    let wait = world.send(trouble, BOB, b"WAIT", 0);
    world.send(
        trouble,
        BOB,
        &command("MAILBOX", &[&5u128.to_le_bytes()]),
        0,
    );
    world.send(trouble, BOB, &command("DELAY", &[&50u32.to_le_bytes()]), 0);
    world.run();
    let record = world
        .executor
        .program(world.root, trouble)
        .unwrap()
        .unwrap();
    let state = world.executor.read_state(record.state_hash).unwrap();
    let shape = to_value(&state).unwrap();
    assert_eq!(shape["program"]["Active"]["initialized"], true);
    assert_eq!(shape["program"]["Active"]["memory_infix"], 0);
    assert!(
        shape["program"]["Active"]["pages_hash"]
            .as_str()
            .unwrap()
            .starts_with("0x")
    );
    assert_eq!(
        shape["canonical_queue"],
        json!({"hash": null, "cached_queue_size": 0})
    );
    assert_eq!(shape["injected_queue"], shape["canonical_queue"]);
    // Above 2^53 - 1 a JavaScript number would lie.
    assert_eq!(shape["balance"], json!((u64::MAX - 5).to_string()));
    assert!(shape["executable_balance"].is_u64());
    assert_eq!(shape["required_gas"], Value::Null);
    assert_eq!(
        serde_json::from_value::<ProgramState>(shape).unwrap(),
        state
    );

    let full = world.executor.full_state(record.state_hash).unwrap();
    let shape = to_value(&full).unwrap();
    assert_eq!(shape["canonical_queue"], Value::Null);
    assert_eq!(shape["waitlist"]["changed"], false);
    let waiting = &shape["waitlist"]["inner"][format!("{wait:?}")];
    assert_eq!(waiting["expiry"], world.height + 5);
    let dispatch = &waiting["value"];
    assert_eq!(dispatch["id"], text(wait));
    assert_eq!(dispatch["kind"], "Handle");
    assert_eq!(dispatch["source"], text(actor(BOB)));
    assert_eq!(dispatch["payload"], json!({"Direct": "0x57414954"}));
    assert_eq!(dispatch["value"], 0);
    assert_eq!(dispatch["details"], Value::Null);
    assert_eq!(dispatch["message_type"], "Canonical");
    assert_eq!(dispatch["call"], false);
    assert!(dispatch["context"]["gas_burned"].is_u64());
    let stashed = shape["stash"].as_object().unwrap().values().next().unwrap();
    assert_eq!(stashed["value"][1], text(actor(BOB)));
    assert_eq!(stashed["value"][0]["payload"]["Direct"], "0x44454c41594544");
    assert!(shape["mailbox"]["inner"][format!("{:?}", actor(BOB))].is_string());
    assert_eq!(
        serde_json::from_value::<FullProgramState>(shape).unwrap(),
        full
    );

    let message: &MailboxMessage = &world
        .mailbox(trouble, BOB)
        .into_values()
        .next()
        .unwrap()
        .value;
    assert_eq!(
        to_value(message).unwrap(),
        json!({"payload": {"Direct": "0x4d41494c"}, "value": 5, "message_type": "Canonical"})
    );
}

#[test]
fn queues_and_replies() {
    let mut world = World::new();
    let trouble = world.create(TROUBLE);
    world.send(trouble, ALICE, &vec![7; 2_000], 1);
    world.send(trouble, ALICE, b"COUNT", 0);
    world.run();
    let record = world
        .executor
        .program(world.root, trouble)
        .unwrap()
        .unwrap();
    let shape = to_value(world.executor.full_state(record.state_hash).unwrap()).unwrap();
    let queue = shape["canonical_queue"].as_array().unwrap();
    assert_eq!(queue[0]["kind"], "Init");
    // A long payload is stored apart.
    let hash = queue[0]["payload"]["Stored"].as_str().unwrap();
    let bytes = world.executor.read_bytes(hash.parse().unwrap()).unwrap();
    assert_eq!(bytes, vec![7; 2_000]);
    assert_eq!(shape["required_gas"], gear_exe_executor::gas::DISPATCH);
}

#[test]
fn details_have_their_code_in_hex() {
    use gear_exe_executor::state::MessageDetails;
    use gear_exe_primitives::message::{ReplyCode, ReplyDetails};
    let details = MessageDetails::Reply(ReplyDetails {
        to: [1; 32].into(),
        code: ReplyCode::SUCCESS_MANUAL,
    });
    let shape = to_value(details).unwrap();
    assert_eq!(shape["Reply"]["code"], "0x00010000");
    assert_eq!(
        serde_json::from_value::<MessageDetails>(shape).unwrap(),
        details
    );
}

#[test]
fn a_signal_and_gas_that_is_set_aside() {
    use gear_exe_executor::state::{Dispatch, GasTerms, MessageDetails};
    let details = MessageDetails::Signal {
        from: [1; 32].into(),
        code: 101,
    };
    let shape = to_value(details).unwrap();
    assert_eq!(
        shape,
        json!({"Signal": {"from": text(gear_exe_primitives::MessageId::from([1; 32])), "code": 101}})
    );
    assert_eq!(
        serde_json::from_value::<MessageDetails>(shape).unwrap(),
        details
    );

    let mut world = World::new();
    let steward = world.program(gear_exe_programs::STEWARD, b"");
    let reserve = command("RESERVE", &[&7_000u64.to_le_bytes(), &9u32.to_le_bytes()]);
    world.ask(steward, &reserve);
    let wait = world.send(steward, BOB, b"WAIT", 0);
    world.run();
    let record = world
        .executor
        .program(world.root, steward)
        .unwrap()
        .unwrap();
    let full = world.executor.full_state(record.state_hash).unwrap();
    let shape = to_value(&full).unwrap();
    let reservations = shape["reservations"].as_object().unwrap();
    let reservation = reservations.values().next().unwrap();
    assert_eq!(
        reservation["value"],
        json!({"gas": 7_000, "value": 700_000})
    );
    // What was not asked for is not shown, and need not be there.
    let mut dispatch = shape["waitlist"]["inner"][format!("{wait:?}")]["value"].clone();
    assert_eq!(
        (&dispatch["gas"], &dispatch["draw"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(dispatch["context"]["wait"], "Untimed");
    assert_eq!(
        serde_json::from_value::<FullProgramState>(shape).unwrap(),
        full
    );
    dispatch["gas"] = json!({"limit": 5, "reply": null});
    let read: Dispatch = serde_json::from_value(dispatch).unwrap();
    assert_eq!(
        read.gas,
        GasTerms {
            limit: Some(5),
            reply: None
        }
    );
}
