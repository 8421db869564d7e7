//! The real programs, from init to reply.

#![allow(clippy::unwrap_used)] // a failed unwrap is a failed test

mod common;

use common::{ALICE, BOB, RICH, World, actor, call, word};
use gear_exe_executor::{QueryError, state::Program};
use gear_exe_primitives::{
    ActorId, H160, hashing::keccak256, ids::ETHEREUM_EVENT_ADDRESS, message::ReplyCode,
};
use gear_exe_programs::{COUNTER, FAN_OUT, PING, VFT};

const NO_CALL: [u8; 32] = [0; 32];

fn yes() -> [u8; 32] {
    word(1)
}

#[test]
fn ping_answers_and_counts() {
    let mut world = World::new();
    let ping = world.program(PING, b"");
    let reply = world.ask(ping, b"PING");
    assert_eq!(reply.payload, b"PONG");
    assert_eq!(reply.reply_details.unwrap().code, ReplyCode::SUCCESS_MANUAL);
    world.ask(ping, b"PING");
    assert_eq!(world.ask(ping, b"COUNT").payload, 2u64.to_le_bytes());
    let auto = world.ask(ping, b"something else");
    assert_eq!(auto.reply_details.unwrap().code, ReplyCode::SUCCESS_AUTO);

    let state = world.state(ping);
    assert!(matches!(
        state.program,
        Program::Active {
            initialized: true,
            ..
        }
    ));
    let burned: u64 = world
        .receipts
        .iter()
        .map(|receipt| receipt.gas_burned)
        .sum();
    assert!(burned > 0);
    assert_eq!(state.executable_balance, RICH - u128::from(burned) * 100);
    let stats = world.executor.stats();
    assert_eq!((stats.messages, stats.gas_burned), (5, burned));
    assert_eq!((stats.rounds, stats.messages_to_ethereum), (5, 5));
    assert_eq!((stats.codes_in_memory, stats.codes_compiled), (1, 1));
}

#[test]
fn native_messages_are_answered_like_others() {
    let mut world = World::new();
    let ping = world.program(PING, b"");
    let id = world.native(ping, BOB, b"PING");
    let nobody = ActorId::from(H160::repeat_byte(9));
    let lost = world.native(nobody, BOB, b"PING");
    world.run();
    assert_eq!(world.reply_to(id).payload, b"PONG");
    assert_eq!(world.reply_to(id).destination, BOB);
    assert_eq!(world.code(lost), ReplyCode::PROGRAM_NOT_CREATED);
}

#[test]
fn fan_out_asks_many_and_joins() {
    let mut world = World::new();
    let pings: Vec<_> = (0..8).map(|_| world.program(PING, b"")).collect();
    let ids: Vec<u8> = pings.iter().flat_map(|id| id.as_ref().to_vec()).collect();
    let fan_out = world.program(FAN_OUT, &ids);
    let reply = world.ask(fan_out, b"ASK");
    assert_eq!(reply.reply_details.unwrap().code, ReplyCode::SUCCESS_MANUAL);
    assert_eq!(reply.payload[..4], 8u32.to_le_bytes());
    assert_eq!(reply.payload[4..], b"PONG".repeat(8));
    assert!(world.waitlist(fan_out).is_empty());
}

#[test]
fn fan_out_counts_only_good_answers() {
    let mut world = World::new();
    let ping = world.program(PING, b"");
    // Never initialised: it answers with an error.
    let raw = world.create(PING);
    let nobody = [7u8; 32];
    let ids = [ping.as_ref(), raw.as_ref(), &nobody, ping.as_ref()].concat();
    let fan_out = world.program(FAN_OUT, &ids);
    let reply = world.ask(fan_out, b"ASK");
    assert_eq!(reply.payload[..4], 2u32.to_le_bytes());
    assert_eq!(reply.payload[4..], b"PONGPONG"[..]);
}

#[test]
fn fan_out_gives_up_after_its_wait() {
    let mut world = World::new();
    // A user does not answer by itself: its mailbox holds the question until the wait ends.
    let fan_out = world.program(FAN_OUT, actor(BOB).as_ref());
    let id = world.send(fan_out, ALICE, b"ASK", 0);
    world.run();
    assert!(!world.has_receipt(id));
    assert_eq!(world.mail(BOB).len(), 1);
    assert_eq!(world.mailbox(fan_out, BOB).len(), 1);
    world.pass(99);
    assert!(!world.has_receipt(id));
    world.pass(1);
    assert_eq!(world.reply_to(id).payload, 0u32.to_le_bytes());
}

#[test]
fn a_user_may_answer_a_program() {
    let mut world = World::new();
    let fan_out = world.program(FAN_OUT, actor(BOB).as_ref());
    let id = world.send(fan_out, ALICE, b"ASKhow are you?", 0);
    world.run();
    let mail = world.mail(BOB);
    assert_eq!(mail[0].payload, b"how are you?");
    // Not the addressee: ignored.
    world.reply(fan_out, ALICE, mail[0].id, b"bad", 0);
    world.reply(fan_out, BOB, mail[0].id, b"well", 0);
    world.reply(fan_out, BOB, mail[0].id, b"twice", 0);
    world.run();
    assert_eq!(
        world.reply_to(id).payload,
        [&1u32.to_le_bytes()[..], b"well"].concat()
    );
    assert!(world.mailbox(fan_out, BOB).is_empty());
}

#[test]
fn counter_speaks_solidity_and_emits_events() {
    let mut world = World::new();
    let counter = world.program(COUNTER, &call("create(bool,uint32)", &[NO_CALL, word(40)]));
    let add = call("counterAdd(bool,uint32)", &[NO_CALL, word(2)]);
    assert_eq!(world.ask(counter, &add).payload, word(42));
    let events = world.mail(ETHEREUM_EVENT_ADDRESS);
    assert_eq!(events.len(), 1);
    let topic = keccak256(["Changed(address,uint32)"]);
    assert_eq!(
        events[0].payload,
        [
            &[2u8][..],
            topic.as_bytes(),
            actor(ALICE).as_ref(),
            &word(42)
        ]
        .concat()
    );
    assert!(world.mailbox(counter, ETHEREUM_EVENT_ADDRESS).is_empty());

    let sub = call("counterSub(bool,uint32)", &[yes(), word(2)]);
    let id = world.send_with(counter, BOB, &sub, 0, true);
    world.run();
    let reply = world.reply_to(id);
    assert!(reply.call);
    let id_word: [u8; 32] = id.0.0;
    assert_eq!(
        reply.payload,
        call("replyOn_counterSub(bytes32,uint32)", &[id_word, word(40)])
    );

    let sub = call("counterSub(bool,uint32)", &[yes(), word(41)]);
    let id = world.send_with(counter, BOB, &sub, 7, true);
    world.run();
    let reply = world.reply_to(id);
    assert!(reply.call);
    assert_eq!(reply.value, 7);
    assert_eq!(
        reply.reply_details.unwrap().code,
        ReplyCode::USERSPACE_PANIC
    );
}

#[test]
fn counter_keeps_eth_and_gives_it_back() {
    let mut world = World::new();
    let counter = world.program(COUNTER, &call("create(bool,uint32)", &[NO_CALL, word(0)]));
    let id = world.send(counter, BOB, &call("counterDeposit(bool)", &[NO_CALL]), 100);
    world.run();
    assert_eq!(world.reply_to(id).payload, word(100));
    assert_eq!(world.books.owned[&counter], 100);
    let withdraw = call("counterWithdraw(bool,uint128)", &[NO_CALL, word(30)]);
    let id = world.send(counter, BOB, &withdraw, 0);
    world.run();
    let reply = world.reply_to(id);
    assert_eq!((reply.payload, reply.value), (word(70).to_vec(), 30));
    assert_eq!(world.books.owned[&counter], 70);
    assert_eq!(world.books.paid[&BOB], 30);
}

#[test]
fn vft_mints_and_transfers() {
    let mut world = World::new();
    let selector = |name: &str| keccak256([name]).0[..4].to_vec();
    let create = [
        selector("create(bool,string,string,uint16)"),
        [NO_CALL, word(128), word(192), word(12)].concat(),
        [word(1), pad(b"T"), word(1), pad(b"T")].concat(),
    ]
    .concat();
    let token = world.program(VFT, &create);
    let mint = call(
        "vftMint(bool,address,uint256)",
        &[NO_CALL, actor(ALICE).0.0, word(1_000)],
    );
    assert_eq!(world.ask(token, &mint).payload, yes());
    let transfer = call(
        "vftTransfer(bool,address,uint256)",
        &[NO_CALL, actor(BOB).0.0, word(300)],
    );
    assert_eq!(world.ask(token, &transfer).payload, yes());
    let balance = call("vftBalanceOf(bool,address)", &[NO_CALL, actor(BOB).0.0]);
    assert_eq!(world.query(token, &balance).unwrap().payload, word(300));
}

fn pad(text: &[u8]) -> [u8; 32] {
    let mut word = [0; 32];
    word[..text.len()].copy_from_slice(text);
    word
}

#[test]
fn queries_leave_no_trace_and_see_any_state() {
    let mut world = World::new();
    let ping = world.program(PING, b"");
    let before = world.root;
    world.ask(ping, b"PING");
    let reply = world.query(ping, b"COUNT").unwrap();
    assert_eq!(reply.payload, 1u64.to_le_bytes());
    assert_eq!(reply.code, ReplyCode::SUCCESS_MANUAL);
    assert!(reply.gas_burned > 0);
    assert_eq!(world.query(ping, b"PING").unwrap().payload, b"PONG");
    assert_eq!(
        world.query(ping, b"COUNT").unwrap().payload,
        1u64.to_le_bytes()
    );
    let now = std::mem::replace(&mut world.root, before);
    assert_eq!(
        world.query(ping, b"COUNT").unwrap().payload,
        0u64.to_le_bytes()
    );
    world.root = now;

    let nobody = ActorId::from(H160::repeat_byte(9));
    assert!(matches!(
        world.query(nobody, b""),
        Err(QueryError::UnknownProgram(id)) if id == nobody
    ));
    let raw = world.create(PING);
    world.run();
    assert!(matches!(world.query(raw, b""), Err(QueryError::Uninitialized(id)) if id == raw));
}

#[test]
fn queries_go_through_other_programs() {
    let mut world = World::new();
    let ping = world.program(PING, b"");
    let fan_out = world.program(FAN_OUT, &[ping.as_ref(), ping.as_ref()].concat());
    let reply = world.query(fan_out, b"ASK").unwrap();
    assert_eq!(reply.payload[4..], b"PONGPONG"[..]);
    assert_eq!(world.ask(ping, b"COUNT").payload, 0u64.to_le_bytes());
    // Nobody answers for a user.
    let lonely = world.program(FAN_OUT, actor(BOB).as_ref());
    assert!(matches!(
        world.query(lonely, b"ASK"),
        Err(QueryError::NoReply)
    ));
    // The event that goes with an answer is reported.
    let counter = world.program(COUNTER, &call("create(bool,uint32)", &[NO_CALL, word(1)]));
    let add = call("counterAdd(bool,uint32)", &[NO_CALL, word(2)]);
    let reply = world.query(counter, &add).unwrap();
    assert_eq!(reply.payload, word(3));
    assert_eq!(reply.messages.len(), 1);
    assert_eq!(reply.messages[0].destination, ETHEREUM_EVENT_ADDRESS);
}

#[test]
fn queries_need_no_executable_balance() {
    let mut world = World::new();
    let ping = world.create(PING);
    world.top_up(ping, 50_000_000_000);
    let init = world.send(ping, ALICE, b"", 0);
    world.run();
    assert!(world.code(init).is_success());
    // Drain it.
    for _ in 0..100 {
        world.send(ping, ALICE, b"PING", 0);
    }
    let outcome = world.run();
    assert_eq!(outcome.starved, [ping]);
    assert_eq!(world.query(ping, b"PING").unwrap().payload, b"PONG");
}

#[test]
fn a_native_message_may_want_no_more_than_its_receipt() {
    let mut world = World::new();
    let ping = world.program(PING, b"");
    let silent = world.native(ping, BOB, b"PING");
    world.natives[0].receipt_only = true;
    let told = world.native(ping, BOB, b"PING");
    let outcome = world.run();
    for id in [silent, told] {
        assert_eq!(world.code(id), ReplyCode::SUCCESS_MANUAL);
        let reply = outcome
            .replies
            .iter()
            .find(|reply| reply.message_id == id)
            .unwrap();
        assert_eq!(reply.payload, b"PONG");
        assert_eq!(keccak256([&reply.payload]), world.receipt(id).payload_hash);
    }
    assert_eq!(world.reply_to(told).payload, b"PONG");
    let to_ethereum = outcome.transitions[0].messages.len();
    assert_eq!(to_ethereum, 1, "one of them costs nothing there");
}

#[test]
fn value_in_the_reply_to_a_native_message_goes_through_the_mirror() {
    let mut world = World::new();
    let create = call("create(bool,uint32)", &[NO_CALL, word(0)]);
    let counter = world.program(COUNTER, &create);
    world.send(counter, BOB, &call("counterDeposit(bool)", &[NO_CALL]), 100);
    world.run();
    let withdraw = call("counterWithdraw(bool,uint128)", &[NO_CALL, word(30)]);
    let id = world.native(counter, BOB, &withdraw);
    world.natives[0].receipt_only = true;
    world.run();
    assert_eq!(world.reply_to(id).value, 30);
}
