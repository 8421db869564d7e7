//! Sequences of messages, replies, claims and gifts over several rounds, among real programs that wait, fail, flood, exit,
//! set gas aside and draw numbers; with commands that they know and with any payload. Prices and limits change in between.

use crate::{
    common::{ALICE, BOB, RICH, World, actor, call, command, word},
    source::Source,
    stage::{Actor, Stage},
};
use codec::Encode;
use gear_exe_primitives::{ActorId, CodeId, H160, MessageId};
use gear_exe_programs::{COUNTER, ENVOY, FAN_OUT, KERNELS, PING, STEWARD, TROUBLE, VFT};
use std::cell::RefCell;

/// Inputs of one stage. Its codes are compiled once.
const INPUTS: usize = 20_000;
const USERS: [H160; 4] = [ALICE, BOB, H160([0xc1; 20]), H160([0; 20])];

thread_local! {
    static STAGE: RefCell<Option<Stage>> = const { RefCell::new(None) };
}

/// Plays the sequence that `data` stands for.
///
/// # Panics
///
/// If the executor breaks a promise.
pub fn run(data: &[u8]) {
    let mut stage = STAGE.take().unwrap_or_else(|| Stage::new(prepare));
    let programs = stage.world.programs.clone();
    stage.play(|act| {
        let mut play = Play {
            source: Source(data),
            programs,
            sent: Vec::new(),
            same_price: true,
        };
        play.rounds(act);
    });
    if stage.played < INPUTS {
        STAGE.set(Some(stage));
    }
}

fn prepare(world: &mut World) {
    let pings = [world.program(PING, b""), world.program(PING, b"")];
    let asked = [pings[0].as_ref(), pings[1].as_ref()].concat();
    world.program(FAN_OUT, &asked);
    world.program(COUNTER, &call("create(bool,uint32)", &[word(0), word(5)]));
    // The constructor's name, then its arguments, as Sails encodes them.
    let create = ("Create", "Token", "TOK", 18u16).encode();
    world.program(VFT, &create);
    for wasm in [TROUBLE, TROUBLE, STEWARD, ENVOY, KERNELS] {
        world.program(wasm, b"");
    }
    // One that has nothing to pay with, and one that was never sent anything.
    let poor = world.create(TROUBLE);
    world.top_up(poor, 1_000_000);
    world.send(poor, ALICE, b"", 0);
    world.create(STEWARD);
}

struct Play<'a> {
    source: Source<'a>,
    programs: Vec<ActorId>,
    sent: Vec<MessageId>,
    /// The price of gas is what it was at first.
    same_price: bool,
}

impl Play<'_> {
    fn rounds(&mut self, act: &mut Actor<'_>) {
        let base_gas: Vec<u128> = self.unexplained(act.world);
        for _ in 0..12 {
            if self.source.is_empty() {
                break;
            }
            for _ in 0..self.source.below(6) {
                self.act(act);
            }
            let outcome = match self.source.once_in(4) {
                true => act.world.quiet_round(),
                false => act.world.round(),
            };
            if !outcome.work_left && self.same_price {
                // Only those that are told of failures pay for more than receipts tell.
                let now = self.unexplained(act.world);
                for (index, (now, before)) in now.iter().zip(&base_gas).enumerate() {
                    assert!(
                        now == before || (7..=8).contains(&index) || index == 11,
                        "{index}"
                    );
                }
            }
        }
        let (program, payload) = self.payload(act, true);
        // Nobody has to have what a query is asked with.
        let value = match self.source.below(4) {
            0 => u128::MAX - u128::from(self.source.byte()),
            _ => self.source.value(),
        };
        act.query(program, ALICE, &payload, value);
    }

    fn unexplained(&self, world: &World) -> Vec<u128> {
        let all = self.programs.iter();
        all.map(|program| world.unexplained(*program)).collect()
    }

    fn program(&mut self) -> ActorId {
        self.source.pick(&self.programs)
    }

    /// Anyone: a program, a user, somebody who does not exist.
    fn anyone(&mut self) -> ActorId {
        match self.source.below(10) {
            0 => ActorId::from([9; 32]),
            1 => actor(self.source.pick(&USERS)),
            _ => self.program(),
        }
    }

    fn message(&mut self, act: &Actor<'_>) -> MessageId {
        match self.source.below(4) {
            0 => MessageId::from([self.source.byte(); 32]),
            1 if !self.sent.is_empty() => {
                MessageId::outgoing(self.source.pick(&self.sent), self.source.byte().into())
            }
            2 if !act.world.messages.is_empty() => {
                let at = usize::from(self.source.u16()) % act.world.messages.len();
                act.world.messages[at].1.id
            }
            _ if !self.sent.is_empty() => self.source.pick(&self.sent),
            _ => MessageId::zero(),
        }
    }

    fn act(&mut self, act: &mut Actor<'_>) {
        let (program, user) = (self.program(), self.source.pick(&USERS));
        match self.source.below(20) {
            0 => act.world.give(program, self.source.value()),
            1 => {
                let amount = match self.source.below(3) {
                    0 => u128::from(self.source.u32()),
                    1 => u128::from(self.source.u16()) * 100_000_000,
                    _ => RICH,
                };
                act.world.top_up(program, amount);
            }
            2..5 => self.answer(act, program, user),
            5 => {
                // As if somebody had created a program that is there, or one of a code that is not.
                let (wasm, code) = (PING, CodeId::of(PING));
                match self.source.below(3) {
                    0 => {
                        act.world.create(wasm);
                    }
                    _ => {
                        act.world
                            .events
                            .push(gear_exe_primitives::ethereum::EthereumEvent::Router(
                                gear_exe_primitives::ethereum::RouterEvent::ProgramCreated {
                                    actor_id: program,
                                    code_id: code,
                                },
                            ))
                    }
                }
            }
            6 => self.change(act.world),
            7..9 => {
                let (program, payload) = self.payload(act, true);
                let id = act.native(program, user, payload, self.source.once_in(2));
                self.sent.push(id);
            }
            9 => {
                // To nobody.
                let payload = self.source.text(32);
                let nobody = ActorId::from(H160::repeat_byte(0x55));
                self.sent.push(act.native(nobody, user, payload, false));
            }
            _ => {
                let (program, payload) = self.payload(act, true);
                let (value, call) = (self.source.value(), self.source.once_in(8));
                self.sent
                    .push(act.send(program, user, payload, value, call));
            }
        }
    }

    /// Replies to mail, or takes its value; also what is not there, or is another's.
    fn answer(&mut self, act: &mut Actor<'_>, program: ActorId, user: H160) {
        let mail = act.world.messages.iter().rev().map(|(owner, own)| {
            let wanted = own.reply_details.is_none() && own.value > 0;
            (wanted, *owner, own.id, own.destination)
        });
        let found = mail.clone().find(|own| own.0).or(mail.clone().next());
        let (owner, id, user) = match (self.source.below(6), found) {
            (0, _) | (_, None) => (program, self.message(act), user),
            (1, Some((_, owner, id, _))) => (owner, id, user),
            (_, Some((_, owner, id, destination))) => (owner, id, destination),
        };
        if self.source.once_in(2) {
            act.world.claim(owner, user, id);
        } else {
            let payload = match self.source.once_in(4) {
                true => b"PANIC".to_vec(),
                false => self.source.text(40),
            };
            act.world
                .reply(owner, user, id, &payload, self.source.value());
        }
    }

    /// What governance may change between two rounds.
    fn change(&mut self, world: &mut World) {
        let parameters = &mut world.parameters;
        match self.source.below(7) {
            0 => {
                parameters.value_per_gas = self.source.pick(&[0, 1, 100, 100, 1_000_000]);
                self.same_price = false;
            }
            1 => parameters.max_round_messages = self.source.byte().into(),
            2 => parameters.max_round_bytes = u32::from(self.source.u16()),
            3 => parameters.max_outgoing_messages = self.source.byte().into(),
            4 => parameters.max_payload_bytes = u32::from(self.source.u16()),
            5 => {
                let gas = 10_000_000 * u64::from(self.source.byte());
                parameters.message_gas_limit = gas;
            }
            _ => {
                parameters.value_per_settled_message = u128::from(self.source.u16());
                parameters.value_per_settled_byte = u128::from(self.source.byte());
                self.same_price = false;
            }
        }
    }

    /// A payload, and a program that mostly is one that knows it.
    fn payload(&mut self, act: &Actor<'_>, deep: bool) -> (ActorId, Vec<u8>) {
        let choice = self.source.below(48);
        let payload = self.command(act, deep, choice);
        let fitting: &[usize] = match choice {
            12 | 13 => &[3],
            14 | 15 | 36 => &[2],
            16..25 | 32 | 33 | 38..41 | 43 => &[7],
            25..28 | 34 | 35 => &[8],
            37 => &[4],
            0..44 => &[5, 5, 6, 6, 10],
            _ => &[0, 1, 9, 11],
        };
        let program = match self.source.once_in(5) {
            true => self.program(),
            false => self.programs[self.source.pick(fitting)],
        };
        (program, payload)
    }

    fn command(&mut self, act: &Actor<'_>, deep: bool, choice: usize) -> Vec<u8> {
        let to = self.anyone();
        let value = self.source.value().to_le_bytes();
        let gas = match self.source.below(4) {
            0 => self.source.u64(),
            _ => 100_000 * u64::from(self.source.u16()),
        }
        .to_le_bytes();
        let blocks = match self.source.below(8) {
            0 => self.source.u32(),
            _ => u32::from(self.source.byte() % 12),
        }
        .to_le_bytes();
        let to = to.as_ref();
        match choice {
            0 => b"BUMP".to_vec(),
            1 => b"PANIC".to_vec(),
            2 => b"REFUND".to_vec(),
            3 => command("MAILBOX", &[&value]),
            4 | 5 => b"WAIT".to_vec(),
            6 => command("WAKE", &[self.message(act).as_ref()]),
            7 => command("DELAY", &[&blocks]),
            8 => b"RECURSE".to_vec(),
            9 => command("EXIT", &[to]),
            10 => b"FLOOD".to_vec(),
            11 => b"DIRTY".to_vec(),
            12 => call("counterDeposit(bool)", &[word(0)]),
            13 => {
                let amount = word(self.source.value());
                call("counterWithdraw(bool,uint128)", &[word(0), amount])
            }
            14 => b"ASK".to_vec(),
            15 => command("ASK", &[&self.source.text(40)]),
            16 => command("NAP", &[&blocks]),
            17 => command("WAKE", &[&blocks, self.message(act).as_ref()]),
            18 => command("RESERVE", &[&gas, &blocks]),
            19 => command("FORGET", &[&gas, &blocks]),
            20 => b"RETURN".to_vec(),
            21 => command("SPEND", &[to, b"BUMP"]),
            22 => b"ANSWER".to_vec(),
            23 => command("RANDOM", &[&[self.source.byte(); 32]]),
            24 => command("DEPOSIT", &[&gas, to, b"COUNT"]),
            25 => command("ASK", &[to, b"COUNT"]),
            26 => command("HOOK", &[to, &gas, b"COUNT"]),
            27 => command("FAIL", &[to, b"COUNT"]),
            28 => command("BIG", &[&self.source.u32().to_le_bytes()]),
            29 => b"LOOP".to_vec(),
            30 => b"ALLOC".to_vec(),
            31 => b"WILD".to_vec(),
            32 => command("GAMBLE", &[&[self.source.byte(); 32]]),
            33 => b"DEAF".to_vec(),
            34 => command("ROLL", &[to, b"PING"]),
            35 => command("SLEEP", &[&blocks]),
            36 => {
                let ids: Vec<u8> = (0..self.source.below(9))
                    .flat_map(|_| self.anyone().as_ref().to_vec())
                    .collect();
                command("SET", &[&ids])
            }
            37 => call(
                "vftTransfer(bool,address,uint256)",
                &[word(0), word(7), word(1)],
            ),
            38 => command("REPLY", &[&gas]),
            39 | 40 if deep => {
                let choice = self.source.pick(&[1, 16, 18, 20, 21, 23, 24, 29, 32, 43]);
                command("GUARD", &[&gas, &self.command(act, false, choice)])
            }
            41 | 42 if deep => {
                let (to, payload) = self.payload(act, false);
                command("SEND", &[to.as_ref(), &value, &payload])
            }
            43 if deep => {
                let (to, payload) = self.payload(act, false);
                command("SEND", &[&gas, to.as_ref(), &payload])
            }
            44 => {
                let length = usize::from(self.source.u16()) * 3;
                vec![self.source.byte(); length]
            }
            _ => self.source.text(120),
        }
    }
}
