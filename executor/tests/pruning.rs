//! Old rounds are forgotten, with what only they held; nothing that a kept round needs is.

#![allow(clippy::unwrap_used)] // a failed unwrap is a failed test

mod common;

use common::{ALICE, BOB, RICH, World, command};
use gear_exe_executor::{ExecutorConfig, RoundError, StoreError};
use gear_exe_primitives::H256;
use gear_exe_programs::{PING, TROUBLE};

fn blocks(world: &World) -> Vec<H256> {
    world
        .history
        .iter()
        .map(|(_, input, _)| input.block.hash)
        .collect()
}

/// A history that leaves something of every kind in the state.
fn eventful(world: &mut World) {
    let (one, two) = (world.program(TROUBLE, b""), world.program(TROUBLE, b""));
    let ping = world.program(PING, b"");
    world.give(one, 1_000);
    for turn in 0..6u32 {
        world.send(one, ALICE, b"BUMP", 0);
        world.send(two, ALICE, b"WAIT", 5);
        world.send(one, BOB, &command("DELAY", &[&3u32.to_le_bytes()]), 0);
        world.send(one, BOB, &command("MAILBOX", &[&7u128.to_le_bytes()]), 0);
        world.send(two, ALICE, b"DIRTY", 0);
        // Payloads that are stored apart.
        let long = [b"WAIT".as_slice(), &[turn as u8; 2_000]].concat();
        world.send(ping, ALICE, &long, 0);
        let to = two.as_ref();
        let inner = [b"PANIC".as_slice(), &[7; 1_500]].concat();
        let send = command("SEND", &[to, &1u128.to_le_bytes(), &inner]);
        world.send(one, ALICE, &send, 0);
        world.run();
    }
}

#[test]
fn what_is_kept_is_whole_and_can_be_built_upon() {
    for kept in [1, 3] {
        // Without memory for programs, so that all of it is read from the store.
        let cold = || ExecutorConfig {
            threads: 2,
            memory_budget: 0,
            ..ExecutorConfig::default()
        };
        let (mut pruned, mut whole) = (World::with(cold()), World::with(cold()));
        eventful(&mut pruned);
        eventful(&mut whole);
        let all = blocks(&pruned);
        let before = pruned.executor.stored().unwrap();
        let old = &all[..all.len() - kept];
        assert_eq!(pruned.executor.forget(old, None).unwrap(), old.len());
        let after = pruned.executor.stored().unwrap();
        assert_eq!(after.rounds, kept as u64);
        assert!(after.objects < before.objects / 2, "{before:?} {after:?}");
        assert_eq!(pruned.executor.forget(old, None).unwrap(), 0);
        eventful(&mut pruned);
        eventful(&mut whole);
        pruned.pass(8);
        whole.pass(8);
        assert_eq!(pruned.root, whole.root);
        assert_eq!(pruned.receipts, whole.receipts);
        assert_eq!(pruned.messages, whole.messages);
    }
}

#[test]
fn when_all_is_forgotten_nothing_is_left() {
    let mut world = World::new();
    eventful(&mut world);
    let all = blocks(&world);
    assert_eq!(world.executor.forget(&all, None).unwrap(), all.len());
    let stored = world.executor.stored().unwrap();
    assert_eq!((stored.rounds, stored.objects), (0, 0));
}

#[test]
fn forks_share_what_they_have_in_common() {
    let mut world = World::new();
    let trouble = world.program(TROUBLE, b"");
    let base = world.root;
    world.send(trouble, ALICE, b"BUMP", 0);
    let mut one = world.input();
    world.send(trouble, BOB, b"BUMP", 3);
    let mut other = world.input();
    for input in [&mut one, &mut other] {
        input.ethereum[0].header = world.header(world.height);
        input.anchor = world.header(world.height);
    }
    let left = world.executor.execute_round(base, &one).unwrap();
    let right = world.executor.execute_round(base, &other).unwrap();
    assert_ne!(left.state_root, right.state_root);
    let old = blocks(&world);
    world.executor.forget(&old, None).unwrap();
    assert_eq!(world.executor.forget(&[one.block.hash], None).unwrap(), 1);
    world.root = right.state_root;
    world.books.settle(&right.transitions);
    assert_eq!(world.ask(trouble, b"COUNT").payload, 1u64.to_le_bytes());
}

#[test]
fn a_forgotten_round_is_no_base() {
    let mut world = World::new();
    let ping = world.program(PING, b"");
    let old = blocks(&world);
    let base = world.root;
    world.send(ping, ALICE, b"PING", 0);
    world.run();
    world.executor.forget(&old, None).unwrap();
    world.send(ping, ALICE, b"PING", 0);
    let input = world.input();
    let refused = world.executor.execute_round(base, &input);
    assert!(matches!(
        refused,
        Err(RoundError::Store(StoreError::Missing(hash))) if hash == base
    ));
    assert!(world.executor.outcome(old[0]).unwrap().is_none());
    // The others go on.
    let outcome = world.executor.execute_round(world.root, &input).unwrap();
    assert_eq!(outcome.receipts.len(), 1);
}

#[test]
fn a_state_can_be_kept_without_its_round() {
    let mut world = World::new();
    let trouble = world.program(TROUBLE, b"");
    world.ask(trouble, b"BUMP");
    let executor = &world.executor;
    executor.forget(&blocks(&world), Some(world.root)).unwrap();
    assert_eq!(executor.stored().unwrap().rounds, 0);
    assert_eq!(world.ask(trouble, b"COUNT").payload, 1u64.to_le_bytes());
    // Once another is kept, or none, it goes as well.
    let old = world.history[0].2.state_root;
    let refused = world.executor.forget(&[], Some(old));
    assert!(matches!(refused, Err(StoreError::Missing(hash)) if hash == old));
    let all = blocks(&world);
    world.executor.forget(&all, None).unwrap();
    assert_eq!(world.executor.stored().unwrap().objects, 0);
}

#[test]
fn a_long_run_does_not_grow() {
    const ROUNDS: usize = 100_000;
    const KEPT: usize = 64;
    let mut world = World::new();
    let ping = world.program(PING, b"");
    world.top_up(ping, 10 * RICH);
    world.run();
    let (mut most, mut early) = (0, 0);
    for round in 1..=ROUNDS {
        world.native(ping, ALICE, b"PING");
        world.natives[0].receipt_only = true;
        assert_eq!(world.quiet_round().receipts.len(), 1);
        world.receipts.clear();
        if round % KEPT == 0 {
            let all = blocks(&world);
            let old = &all[..all.len() - KEPT.min(all.len())];
            world.executor.forget(old, None).unwrap();
            world.history.drain(..old.len());
            most = world.executor.stored().unwrap().objects.max(most);
            if round <= 10 * KEPT {
                early = most;
            }
        }
    }
    assert!(
        early > 0 && most <= early,
        "{most} objects, {early} at first"
    );
}
