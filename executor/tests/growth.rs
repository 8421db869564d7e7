//! A round costs what it does, however many programs and messages there are that it does not touch.

#![allow(clippy::unwrap_used)] // a failed unwrap is a failed test

mod common;

use common::{ALICE, BOB, RICH, World, command};
use gear_exe_executor::ExecutorConfig;
use gear_exe_primitives::{ActorId, H160, round::RoundOutcome};
use gear_exe_programs::{PING, TROUBLE};
use std::collections::{BTreeMap, BTreeSet};

/// Objects that a round has read and written.
#[derive(Clone, Copy, Debug)]
struct Cost {
    read: u64,
    written: u64,
}

/// A world in which nothing stays in memory, so that everything is read from the store.
fn world() -> World {
    World::with(ExecutorConfig {
        threads: 2,
        memory_budget: 0,
        ..ExecutorConfig::default()
    })
}

/// Executes what was sent, without a look at all the rest.
fn round(world: &mut World) -> (RoundOutcome, Cost) {
    let before = (
        world.executor.stats().objects_read,
        world.executor.stored().unwrap().objects,
    );
    let input = world.input();
    let outcome = world.executor.execute_round(world.root, &input).unwrap();
    world.root = outcome.state_root;
    world.receipts.extend(&outcome.receipts);
    let cost = Cost {
        read: world.executor.stats().objects_read - before.0,
        written: world.executor.stored().unwrap().objects - before.1,
    };
    (outcome, cost)
}

fn unbounded(world: &mut World) {
    world.parameters.max_round_messages = 1_000_000;
    world.parameters.max_round_bytes = 1 << 30;
    world.parameters.round_gas_limit = u64::MAX / 4;
}

/// So many programs that have something waiting in every way: starved, with messages to run, in the schedule, with more to
/// send than rounds have room for.
fn crowd(world: &mut World, count: usize) -> ActorId {
    let own = world.program(PING, b"");
    let normal = world.parameters;
    unbounded(world);
    let poor: Vec<_> = (0..count).map(|_| world.create(PING)).collect();
    let busy: Vec<_> = (0..count).map(|_| world.create(TROUBLE)).collect();
    for program in &poor {
        world.send(*program, BOB, b"", 0);
    }
    for program in &busy {
        world.top_up(*program, RICH);
        world.send(*program, BOB, b"", 0);
        world.send(*program, BOB, b"WAIT", 0);
        world.send(
            *program,
            BOB,
            &command("DELAY", &[&900u32.to_le_bytes()]),
            0,
        );
        world.send(
            *program,
            BOB,
            &command("MAILBOX", &[&0u128.to_le_bytes()]),
            0,
        );
    }
    // Their waits end when nobody looks any more.
    round(world);
    for program in &busy {
        world.send(
            *program,
            BOB,
            &command("MAILBOX", &[&0u128.to_le_bytes()]),
            0,
        );
        world.send(*program, BOB, b"BUMP", 0);
    }
    world.parameters.round_gas_limit = 0;
    let (outcome, _) = round(world);
    assert!(outcome.work_left);
    assert_eq!(outcome.starved.len(), count.min(1_024));
    let last = *poor.last().unwrap();
    assert!(world.executor.is_starved(world.root, last).unwrap());
    assert!(!world.executor.is_starved(world.root, own).unwrap());
    world.parameters = normal;
    own
}

#[test]
fn what_is_not_touched_costs_nothing() {
    let costs = [10, 2_000].map(|count| {
        let mut world = world();
        let own = crowd(&mut world, count);
        // No gas for those that are busy: this is about what they cost by being there.
        world.parameters.round_gas_limit = 0;
        world.parameters.max_round_messages = 8;
        let mut most = Cost {
            read: 0,
            written: 0,
        };
        for _ in 0..5 {
            world.top_up(own, 1);
            let (outcome, cost) = round(&mut world);
            // There is room for a little of what is due.
            assert!(outcome.transitions.len() <= 4);
            most.read = most.read.max(cost.read);
            most.written = most.written.max(cost.written);
        }
        most
    });
    let [few, many] = costs;
    // A longer way to each of what is touched, no more.
    assert!(many.read <= few.read + 120, "{few:?} {many:?}");
    assert!(many.written <= few.written + 12, "{few:?} {many:?}");
}

#[test]
fn a_crowd_that_waits_is_served_in_turn() {
    let mut world = world();
    let own = crowd(&mut world, 400);
    let mut served = BTreeMap::<ActorId, u32>::new();
    let mut rounds = 0;
    loop {
        world.send(own, ALICE, b"PING", 0);
        let (outcome, cost) = round(&mut world);
        assert!(cost.read < 6_000 && cost.written < 3_000, "{cost:?}");
        rounds += 1;
        let programs: BTreeSet<_> = outcome
            .receipts
            .iter()
            .map(|receipt| receipt.program_id)
            .collect();
        for program in programs {
            *served.entry(program).or_default() += 1;
        }
        if served.len() == 401 {
            break;
        }
        assert!(rounds < 60, "{} were served", served.len());
    }
    // Nobody's turn came much more often than that of the last.
    served.remove(&own);
    let most = served.values().max();
    assert!(most.is_some_and(|most| *most <= 2), "{most:?} in {rounds}");
}

#[test]
fn a_long_line_is_not_carried_around() {
    const LONG: u64 = 30_000;
    // Natives leave a long queue; events also more replies than rounds have room for.
    for native in [true, false] {
        let mut world = world();
        let ping = world.program(PING, b"");
        let normal = world.parameters;
        unbounded(&mut world);
        world.parameters.round_gas_limit = 0;
        for index in 0..LONG as usize {
            if native {
                world.native(ping, ALICE, b"PING");
                world.natives[index].receipt_only = true;
            } else {
                world.send(ping, ALICE, b"PING", 0);
            }
        }
        round(&mut world);
        world.parameters = normal;
        if native {
            world.parameters.message_gas_limit = 100_000_000;
            world.parameters.round_gas_limit = 1_000_000_000;
        } else {
            // Many run, and few of their replies go.
            let (outcome, _) = round(&mut world);
            assert!(outcome.receipts.len() > 5_000);
        }
        for _ in 0..20 {
            let (outcome, cost) = round(&mut world);
            assert!(outcome.work_left);
            let sent = outcome.transitions.iter().map(|own| own.messages.len());
            let done = (outcome.receipts.len() + sent.sum::<usize>()) as u64;
            assert!((5..1_000).contains(&done), "{done}");
            assert!(cost.written < 100 + done, "{done}: {cost:?}");
            assert!(cost.read < 200 + 2 * done, "{done}: {cost:?}");
        }
    }
}

#[test]
fn a_lower_price_wakes_who_can_pay() {
    let mut world = world();
    let rich = 2_000_000_000u128;
    let programs: Vec<_> = (1..=40u128)
        .map(|index| {
            let program = world.create(PING);
            world.top_up(program, index * rich);
            world.send(program, H160::repeat_byte(1), b"", 0);
            program
        })
        .collect();
    // Nobody can pay this.
    world.parameters.value_per_gas = u128::from(u64::MAX);
    world.run();
    assert_eq!(world.history.last().unwrap().2.starved, programs);
    let mut awake = 0;
    for price in [100_000, 3_000, 500, 100, 1] {
        world.parameters.value_per_gas = price;
        world.run();
        let starved = &world.history.last().unwrap().2.starved;
        for program in &programs {
            let is = world.executor.is_starved(world.root, *program).unwrap();
            assert_eq!(is, starved.contains(program));
        }
        // The poorest are last.
        assert!(programs.starts_with(starved));
        assert!(programs.len() - starved.len() >= awake);
        awake = programs.len() - starved.len();
    }
    assert_eq!(awake, programs.len());
}
