//! Value in native messages, out of deposits: it is spent once, comes back if it was not taken, and can be taken back. The
//! world checks after each round that users and programs have what the contracts hold for them.

#![allow(clippy::unwrap_used)] // a failed unwrap is a failed test

mod common;

use common::{ALICE, BOB, RICH, World, call, command, word};
use gear_exe_primitives::{
    ActorId, H160, H256, MessageId,
    ethereum::EthereumEvent,
    hashing::keccak256,
    message::ReplyCode,
    round::{ChainBlock, RoundInput, RoundOutcome},
};
use gear_exe_programs::{COUNTER, PING, TROUBLE};

const NO_CALL: [u8; 32] = [0; 32];

fn counter(world: &mut World) -> ActorId {
    let create = call("create(bool,uint32)", &[NO_CALL, word(0)]);
    world.program(COUNTER, &create)
}

fn put_in() -> Vec<u8> {
    call("counterDeposit(bool)", &[NO_CALL])
}

fn is_refused(world: &World, id: MessageId) {
    let receipt = world.receipt(id);
    assert_eq!(receipt.code, ReplyCode::INSUFFICIENT_DEPOSIT);
    assert_eq!((receipt.value, receipt.gas_burned), (0, 0));
    let replies = world.history.iter().flat_map(|(.., own)| &own.replies);
    let told: Vec<_> = replies.filter(|own| own.message_id == id).collect();
    assert_eq!(told.len(), 1);
    assert_eq!(
        String::from_utf8_lossy(&told[0].payload),
        "the sender's deposit is less than the message's value"
    );
    assert_eq!(keccak256([&told[0].payload]), receipt.payload_hash);
}

#[test]
fn a_native_message_brings_value_from_the_deposit() {
    let mut world = World::new();
    let counter = counter(&mut world);
    world.deposit(BOB, 100);
    world.deposit(BOB, 20);
    world.deposit(ALICE, 7);
    let id = world.native_with(counter, BOB, &put_in(), 50);
    let outcome = world.run();
    assert_eq!(world.code(id), ReplyCode::SUCCESS_MANUAL);
    assert_eq!(world.state(counter).balance, 50);
    assert_eq!((world.deposit_of(BOB), world.deposit_of(ALICE)), (70, 7));
    let deposits = &outcome.transitions[0];
    assert!(deposits.is_of_deposits());
    assert_eq!((deposits.net_transfer, deposits.value_to_receive), (-50, 0));
    let root = world.executor.deposits(world.root).unwrap();
    assert_eq!(
        root.into_iter().collect::<Vec<_>>(),
        [(ALICE, 7), (BOB, 70)]
    );
    // All of it, and then there is none.
    let all = world.native_with(counter, BOB, &put_in(), 70);
    let more = world.native_with(counter, BOB, &put_in(), 1);
    world.run();
    assert_eq!(world.code(all), ReplyCode::SUCCESS_MANUAL);
    is_refused(&world, more);
    assert_eq!(
        (world.state(counter).balance, world.deposit_of(BOB)),
        (120, 0)
    );
}

#[test]
fn what_a_deposit_does_not_cover_is_not_executed() {
    let mut world = World::new();
    let counter = counter(&mut world);
    world.run();
    let before = world.state(counter);
    let nothing = world.native_with(counter, BOB, &put_in(), 1);
    world.deposit(ALICE, 1_000);
    world.run();
    is_refused(&world, nothing);
    world.deposit(BOB, 99);
    let more = world.native_with(counter, BOB, &put_in(), 100);
    let huge = world.native_with(counter, BOB, &put_in(), u128::MAX);
    world.run();
    is_refused(&world, more);
    is_refused(&world, huge);
    assert_eq!(world.deposit_of(BOB), 99);
    assert_eq!(world.state(counter), before);
}

#[test]
fn two_messages_spend_a_deposit_once() {
    let mut world = World::new();
    let (one, other) = (counter(&mut world), counter(&mut world));
    world.deposit(BOB, 100);
    let first = world.native_with(one, BOB, &put_in(), 60);
    let second = world.native_with(other, BOB, &put_in(), 60);
    let third = world.native_with(other, BOB, &put_in(), 40);
    let fourth = world.native_with(one, BOB, &put_in(), 1);
    world.run();
    assert_eq!(world.code(first), ReplyCode::SUCCESS_MANUAL);
    is_refused(&world, second);
    assert_eq!(world.code(third), ReplyCode::SUCCESS_MANUAL);
    is_refused(&world, fourth);
    assert_eq!(world.state(one).balance, 60);
    assert_eq!(world.state(other).balance, 40);
    assert_eq!(world.deposit_of(BOB), 0);
}

#[test]
fn what_a_message_that_fails_has_brought_goes_back_into_the_deposit() {
    let mut world = World::new();
    let trouble = world.program(TROUBLE, b"");
    let raw = world.create(PING);
    world.deposit(BOB, 100);
    for receipt_only in [false, true] {
        let id = world.native_with(trouble, BOB, b"DIRTY", 30);
        world.natives.last_mut().unwrap().receipt_only = receipt_only;
        let outcome = world.run();
        assert_eq!(world.code(id), ReplyCode::USERSPACE_PANIC);
        assert_eq!(
            world.receipt(id).value,
            30,
            "the receipt tells what came back"
        );
        assert_eq!(world.deposit_of(BOB), 100);
        assert_eq!(world.state(trouble).balance, 0);
        let told = world
            .messages
            .iter()
            .filter(|(_, own)| own.reply_details.is_some_and(|details| details.to == id));
        let told: Vec<_> = told.map(|(_, own)| own.value).collect();
        match receipt_only {
            true => assert!(told.is_empty()),
            false => assert_eq!(told, [0], "the Mirror pays nothing"),
        }
        // It went there and back: Ethereum need not know.
        assert!(outcome.transitions.iter().all(|own| !own.is_of_deposits()));
    }
    // A program that has not begun, one that is no more, and one that never was.
    let early = world.native_with(raw, BOB, b"PING", 30);
    world.run();
    assert_eq!(world.code(early), ReplyCode::UNINITIALIZED);
    let nobody = H160::repeat_byte(0x55).into();
    let nowhere = world.native_with(nobody, BOB, b"", 30);
    world.run();
    assert_eq!(world.code(nowhere), ReplyCode::PROGRAM_NOT_CREATED);
    let bye = command("EXIT", &[ActorId::from(ALICE).as_ref()]);
    world.native(trouble, BOB, &bye);
    let late = world.native_with(trouble, BOB, b"BUMP", 30);
    world.run();
    assert_eq!(world.code(late), ReplyCode::PROGRAM_EXITED);
    assert_eq!(world.deposit_of(BOB), 100);
    assert_eq!(world.books.paid.get(&BOB), None);
}

#[test]
fn what_a_program_pays_goes_to_the_user_on_ethereum() {
    let mut world = World::new();
    let trouble = world.program(TROUBLE, b"");
    world.deposit(BOB, 100);
    let id = world.native_with(trouble, BOB, b"REFUND", 30);
    world.natives[0].receipt_only = true;
    world.run();
    assert!(world.code(id).is_success());
    assert_eq!(world.reply_to(id).value, 30);
    assert_eq!((world.deposit_of(BOB), world.books.paid[&BOB]), (70, 30));
}

#[test]
fn a_message_that_waits_for_executable_balance_has_its_value_with_it() {
    let mut world = World::new();
    let counter = counter(&mut world);
    world.parameters.value_per_gas = RICH;
    world.deposit(BOB, 100);
    let id = world.native_with(counter, BOB, &put_in(), 30);
    let outcome = world.run();
    assert_eq!(outcome.starved, [counter]);
    assert_eq!(world.deposit_of(BOB), 70);
    assert_eq!(world.books.custody[&counter], 30);
    world.parameters.value_per_gas = 100;
    world.run();
    assert!(world.code(id).is_success());
    assert_eq!(world.state(counter).balance, 30);
}

#[test]
fn a_deposit_is_taken_back() {
    let mut world = World::new();
    let counter = counter(&mut world);
    world.deposit(BOB, 100);
    let some = world.withdraw(BOB, 30);
    world.run();
    assert_eq!(world.withdrawn(some), [30]);
    assert_eq!((world.deposit_of(BOB), world.books.paid[&BOB]), (70, 30));

    // Ethereum's events come first: what is withdrawn cannot be spent any more.
    let most = world.withdraw(BOB, 60);
    let spent = world.native_with(counter, BOB, &put_in(), 20);
    let fits = world.native_with(counter, BOB, &put_in(), 10);
    world.run();
    assert_eq!(world.withdrawn(most), [60]);
    is_refused(&world, spent);
    assert!(world.code(fits).is_success());

    // What is spent cannot be withdrawn any more: there is what there is.
    world.deposit(BOB, 50);
    world.native_with(counter, BOB, &put_in(), 45);
    world.run();
    let rest = world.withdraw(BOB, u128::MAX);
    let nothing = world.withdraw(BOB, u128::MAX);
    let stranger = world.withdraw(ALICE, 1);
    world.run();
    assert_eq!(world.withdrawn(rest), [5]);
    assert!(world.withdrawn(nothing).is_empty());
    assert!(world.withdrawn(stranger).is_empty());
    assert_eq!((world.deposit_of(BOB), world.books.paid[&BOB]), (0, 95));
    assert_eq!(world.books.custody[&ActorId::DEPOSITS], 0);
}

/// Executes what a round was given on another base, as another block.
fn again(world: &World, base: H256, input: &RoundInput, events: bool) -> RoundOutcome {
    let mut input = input.clone();
    input.block = ChainBlock {
        number: input.block.number,
        hash: keccak256([input.block.hash.as_bytes(), &[u8::from(events)]]),
    };
    if !events {
        for block in &mut input.ethereum {
            block
                .events
                .retain(|event| !matches!(event, EthereumEvent::Router(_)));
        }
    }
    world.executor.execute_round(base, &input).unwrap()
}

#[test]
fn a_message_that_is_taken_in_again_spends_what_the_other_branch_has() {
    let mut world = World::new();
    let counter = counter(&mut world);
    let base = world.root;
    world.deposit(BOB, 100);
    world.round();
    let id = world.native_with(counter, BOB, &put_in(), 80);
    let later = world.native_with(counter, BOB, &put_in(), 15);
    world.run();
    assert!(world.code(id).is_success() && world.code(later).is_success());
    assert_eq!(world.deposit_of(BOB), 5);
    let rounds: Vec<_> = world.history[world.history.len() - 2..].to_vec();

    // Ethereum reorganises: on the new branch there is no deposit.
    let mut root = base;
    for (_, input, _) in &rounds {
        let outcome = again(&world, root, input, false);
        assert!(outcome.transitions.iter().all(|own| !own.is_of_deposits()));
        for receipt in &outcome.receipts {
            assert_eq!(receipt.code, ReplyCode::INSUFFICIENT_DEPOSIT);
        }
        root = outcome.state_root;
    }
    assert_eq!(world.executor.deposit(root, BOB).unwrap(), 0);

    // And back again: the same as the first time.
    let mut root = base;
    for (_, input, before) in &rounds {
        let outcome = again(&world, root, input, true);
        assert_eq!(outcome.root(), before.root());
        root = outcome.state_root;
    }
    assert_eq!(world.executor.deposit(root, BOB).unwrap(), 5);
}

#[test]
fn withdrawals_and_refunds_wait_for_room() {
    let mut world = World::new();
    let programs: Vec<_> = (0..12).map(|_| world.program(TROUBLE, b"")).collect();
    let users: Vec<_> = (1..=90u64).map(H160::from_low_u64_be).collect();
    world.parameters.max_round_messages = 20;
    for user in &users {
        world.deposit(*user, 10);
    }
    let mut ids = Vec::new();
    for (number, user) in users.iter().enumerate() {
        let payload: &[u8] = if number % 2 == 0 { b"PANIC" } else { b"BUMP" };
        ids.push(world.native_with(programs[number % 12], *user, payload, 4));
        world.natives.last_mut().unwrap().receipt_only = true;
    }
    let withdrawals: Vec<_> = users.iter().map(|user| world.withdraw(*user, 3)).collect();
    let mut rounds = vec![world.round()];
    while rounds.last().unwrap().work_left {
        assert!(rounds.len() < 200, "the work has no end");
        rounds.push(world.quiet_round());
    }
    assert!(rounds.len() > 5);
    for outcome in &rounds {
        let all = &outcome.transitions;
        let sent: usize = all
            .iter()
            .map(|own| own.messages.len() + own.value_claims.len())
            .sum();
        let used = 2 * all.len() + sent;
        assert!(used <= 20, "{used}");
    }
    for (number, user) in users.iter().enumerate() {
        let left = if number % 2 == 0 { 7 } else { 3 };
        assert_eq!(world.deposit_of(*user), left, "of user {number}");
        assert_eq!(world.withdrawn(withdrawals[number]), [3]);
        assert!(world.has_receipt(ids[number]));
    }
}

#[test]
fn many_spend_at_once() {
    let mut world = World::new();
    let programs: Vec<_> = (0..8).map(|_| counter(&mut world)).collect();
    let users: Vec<_> = (1..=200u64).map(H160::from_low_u64_be).collect();
    users.iter().for_each(|user| world.deposit(*user, 5));
    for turn in 0..6 {
        for (number, user) in users.iter().enumerate() {
            world.native_with(programs[(number + turn) % 8], *user, &put_in(), 1);
            world.natives.last_mut().unwrap().receipt_only = true;
        }
    }
    world.run();
    let refused = world
        .receipts
        .iter()
        .filter(|own| own.code == ReplyCode::INSUFFICIENT_DEPOSIT);
    assert_eq!(refused.count(), 200, "the sixth of each");
    let held: u128 = programs.iter().map(|own| world.state(*own).balance).sum();
    assert_eq!(held, 1_000);
    assert!(world.executor.deposits(world.root).unwrap().is_empty());
}
