//! No wei is made or lost, whatever happens: long random histories, settled round by round against the contracts' rules
//! (`common::Books`), which also compare what programs believe to have with what the contracts hold. Nor is any of the
//! balances that pay for gas: what a program was given is what it has, has set aside, and has paid for gas that is told.

#![allow(clippy::unwrap_used)] // a failed unwrap is a failed test

mod common;

use common::{Books, RICH, World, actor, call, command, word};
use gear_exe_primitives::{ActorId, H160, MessageId, transition::squash};
use gear_exe_programs::{COUNTER, ENVOY, FAN_OUT, STEWARD, TROUBLE};

/// A small generator of its own, so that a failure can be run again.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    fn chance(&mut self, percent: u64) -> bool {
        self.next() % 100 < percent
    }

    fn value(&mut self) -> u128 {
        if self.chance(50) {
            0
        } else {
            u128::from(self.next() % 1_000)
        }
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }
}

fn users() -> Vec<H160> {
    (1..5)
        .map(|number| H160::repeat_byte(0xa0 + number))
        .collect()
}

fn payload(random: &mut Random, programs: &[ActorId], sent: &[MessageId], deep: bool) -> Vec<u8> {
    let to = match random.below(10) {
        0 => ActorId::from([9; 32]),
        1 => actor(random.pick(&users())),
        _ => random.pick(programs),
    };
    let value = random.value().to_le_bytes();
    // Mostly enough for something, sometimes for nothing.
    let gas = (random.next() % 600_000_000).to_le_bytes();
    let blocks = (random.next() as u32 % 12).to_le_bytes();
    match random.below(if deep { 32 } else { 30 }) {
        0 => b"BUMP".to_vec(),
        1 => b"PANIC".to_vec(),
        2 => b"REFUND".to_vec(),
        3 | 4 => command("MAILBOX", &[&value]),
        5 => b"WAIT".to_vec(),
        6 if !sent.is_empty() => command("WAKE", &[random.pick(sent).as_ref()]),
        7 => command("DELAY", &[&(random.next() as u32 % 4).to_le_bytes()]),
        8 => b"RECURSE".to_vec(),
        9 if random.chance(20) => command("EXIT", &[to.as_ref()]),
        10 => b"FLOOD".to_vec(),
        11 => call("counterDeposit(bool)", &[word(0)]),
        12 => call(
            "counterWithdraw(bool,uint128)",
            &[word(0), word(random.value())],
        ),
        13 => b"ASK".to_vec(),
        14 | 15 => b"WAIT".to_vec(),
        16 => command("NAP", &[&blocks]),
        17 if !sent.is_empty() => command("WAKE", &[&blocks, random.pick(sent).as_ref()]),
        18 | 19 => command("RESERVE", &[&gas, &blocks]),
        20 => command("FORGET", &[&gas, &blocks]),
        21 => b"RETURN".to_vec(),
        22 => command("SPEND", &[to.as_ref(), b"BUMP"]),
        23 => b"ANSWER".to_vec(),
        24 => command("RANDOM", &[&[1; 32]]),
        25 => command("DEPOSIT", &[&gas, to.as_ref(), b"COUNT"]),
        26 => command("ASK", &[to.as_ref(), b"COUNT"]),
        27 => command("HOOK", &[to.as_ref(), &gas, b"COUNT"]),
        28 => command("FAIL", &[to.as_ref(), b"COUNT"]),
        29 if deep => {
            let inner = payload(random, programs, sent, false);
            command("GUARD", &[&gas, &inner])
        }
        30 | 31 => {
            let inner = payload(random, programs, sent, false);
            command("SEND", &[to.as_ref(), &value, &inner])
        }
        _ => b"COUNT".to_vec(),
    }
}

fn history(seed: u64) {
    let mut random = Random(seed | 1);
    let mut world = World::new();
    world.parameters.mailbox_validity = 4;
    let mut programs: Vec<ActorId> = (0..4).map(|_| world.program(TROUBLE, b"")).collect();
    let counter = call("create(bool,uint32)", &[word(0), word(5)]);
    programs.push(world.program(COUNTER, &counter));
    let asked: Vec<u8> = [
        programs[0].as_ref(),
        programs[1].as_ref(),
        actor(users()[0]).as_ref(),
    ]
    .concat();
    programs.push(world.program(FAN_OUT, &asked));
    // Never initialised, and one whose init fails.
    programs.push(world.create(TROUBLE));
    programs.push(world.create(TROUBLE));
    world.top_up(programs[7], RICH);
    // These are told of failures, and pay for that.
    let told: Vec<ActorId> = [STEWARD, STEWARD, STEWARD, ENVOY]
        .map(|code| world.program(code, b""))
        .into();
    programs.extend(&told);
    world.parameters.message_gas_limit = 12_000_000_000;
    world.parameters.round_gas_limit = 60_000_000_000;
    world.parameters.max_wait = 20;
    world.parameters.max_round_messages = 24;

    let (mut sent, mut failed) = (Vec::new(), false);
    for _ in 0..40 {
        for _ in 0..random.below(8) {
            let program = random.pick(&programs);
            let user = random.pick(&users());
            match random.below(12) {
                0 => {
                    let value = random.value();
                    world.give(program, value);
                }
                1 => {
                    let amount = u128::from(random.next() % 400_000_000_000);
                    world.top_up(program, amount);
                }
                2 | 3 => {
                    // Mostly what is there, sometimes what is not.
                    let mail = world.mail(user);
                    let id = if mail.is_empty() {
                        MessageId::zero()
                    } else {
                        mail[random.below(mail.len())].id
                    };
                    let owner = world
                        .messages
                        .iter()
                        .find(|(_, message)| message.id == id)
                        .map_or(program, |(owner, _)| *owner);
                    if random.chance(50) {
                        world.claim(owner, user, id);
                    } else {
                        let value = random.value();
                        let text: &[u8] = if random.chance(20) {
                            b"PANIC"
                        } else {
                            b"thanks"
                        };
                        world.reply(owner, user, id, text, value);
                    }
                }
                4 => {
                    let payload = payload(&mut random, &programs, &sent, true);
                    // Often more than there is.
                    let value = random.value();
                    let id = world.native_with(program, user, &payload, value);
                    if let Some(native) = world.natives.last_mut() {
                        native.receipt_only = random.chance(50);
                    }
                    sent.push(id);
                }
                5 => {
                    let value = random.value();
                    if random.chance(70) {
                        world.deposit(user, value);
                    } else {
                        world.withdraw(user, value);
                    }
                }
                _ => {
                    let mut payload = payload(&mut random, &programs, &sent, true);
                    if program == programs[7] && !failed {
                        failed = true;
                        payload = b"PANIC".to_vec();
                    }
                    let (value, call) = (random.value(), random.chance(10));
                    sent.push(world.send_with(program, user, &payload, value, call));
                }
            }
        }
        let outcome = if random.chance(70) {
            world.round()
        } else {
            world.quiet_round()
        };
        if !outcome.work_left {
            assert_gas_is_paid(&world, &programs, &told);
        }
    }
    // Everything comes to an end once there is executable balance and time.
    world.parameters.max_round_messages = 1_000;
    for program in &programs {
        world.top_up(*program, RICH);
    }
    world.run();
    world.pass(110);
    for id in &sent {
        assert!(world.has_receipt(*id), "seed {seed}: {id} was lost");
    }
    // Nothing is on its way any more: all ETH is owned, paid, or put by.
    let put_by: u128 = world.executor.deposits(world.root).unwrap().values().sum();
    assert_eq!(
        world.books.custody.values().sum::<u128>(),
        put_by,
        "seed {seed}"
    );
    for user in users() {
        world.withdraw(user, u128::MAX);
    }
    world.run();
    assert_eq!(world.books.custody.values().sum::<u128>(), 0, "seed {seed}");
    assert_gas_is_paid(&world, &programs, &told);
    for program in &programs {
        let state = world.state(*program);
        assert_eq!(state.reservations_hash, None, "seed {seed}");
        assert_eq!(state.executable_balance, world.executable(*program));
    }
    settle_in_batches(&mut random, &world);
}

/// What programs were given for their gas is there, or has paid for gas.
fn assert_gas_is_paid(world: &World, programs: &[ActorId], told: &[ActorId]) {
    world.assert_spent_is_counted(programs);
    for program in programs {
        let unexplained = world.unexplained(*program);
        assert!(
            unexplained == 0 || told.contains(program),
            "{program}: {unexplained}"
        );
    }
}

/// The same history, settled several rounds at a time as batches are.
fn settle_in_batches(random: &mut Random, world: &World) {
    let (mut books, mut rest) = (Books::default(), world.history.as_slice());
    while !rest.is_empty() {
        let (batch, later) = rest.split_at((1 + random.below(9)).min(rest.len()));
        for (_, input, _) in batch {
            for block in &input.ethereum {
                books.deposit_all(&block.events);
            }
        }
        let rounds = batch
            .iter()
            .map(|(_, _, outcome)| outcome.transitions.clone());
        books.settle(&squash(rounds).unwrap());
        books.assert_conserved();
        rest = later;
    }
    assert_eq!(books.deposits, world.books.deposits);
    assert_eq!(books.custody, world.books.custody);
}

#[test]
fn no_wei_is_made_or_lost() {
    for seed in 1..=12 {
        history(0x9e37_79b9_7f4a_7c15u64.wrapping_mul(seed));
    }
}
