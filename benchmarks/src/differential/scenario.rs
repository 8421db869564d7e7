// SPDX-License-Identifier: GPL-3.0-or-later

//! Random sequences of messages. A block depends on the seed and its number alone, so a shorter scenario is the beginning of
//! a longer one.

use crate::evm::{address, calldata, number};
use gear_exe_benchmarks_protocol::{Bytes, Id};
use gear_exe_programs::{COUNTER, FAN_OUT, PING, TROUBLE, VFT};

/// What each program owns at the beginning, in wei.
pub const OWNED: u64 = 1_000_000;

/// A program of every scenario.
pub struct Program {
    /// What it is called.
    pub name: &'static str,
    /// Its WASM.
    pub code: &'static [u8],
}

/// The programs, by the index that steps use.
pub const PROGRAMS: [Program; 6] = [
    Program {
        name: "ping",
        code: PING,
    },
    Program {
        name: "counter",
        code: COUNTER,
    },
    Program {
        name: "vft",
        code: VFT,
    },
    Program {
        name: "fan-out",
        code: FAN_OUT,
    },
    Program {
        name: "trouble",
        code: TROUBLE,
    },
    Program {
        name: "trouble, too",
        code: TROUBLE,
    },
];

/// Index of that program.
pub const PING_AT: usize = 0;
const COUNTER_AT: usize = 1;
const VFT_AT: usize = 2;
/// Index of that program.
pub const FAN_OUT_AT: usize = 3;
/// Index of that program.
pub const TROUBLE_AT: usize = 4;
/// The one that may exit.
const LAST: usize = 5;
const USERS: u64 = 3;

fn program_address(index: usize) -> [u8; 20] {
    let mut address = [0x77; 20];
    address[19] = index as u8;
    address
}

fn user_address(index: usize) -> [u8; 20] {
    let mut address = [0xa1; 20];
    address[19] = index as u8;
    address
}

/// Id of a program.
pub fn program(index: usize) -> Id {
    Id::of_address(program_address(index))
}

/// Id of a user.
pub fn user(index: usize) -> Id {
    Id::of_address(user_address(index))
}

/// What a message says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Text {
    /// These bytes.
    Bytes(Bytes),
    /// The command of the trouble program that wakes the message of this index, among all that were sent.
    Wake(usize),
}

/// A message that a user sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// Index of the program.
    pub to: usize,
    /// Index of the user.
    pub from: usize,
    /// In wei.
    pub value: u64,
    /// It comes without Ethereum.
    pub native: bool,
    /// What it says.
    pub text: Text,
}

impl Step {
    /// Whether it makes a program send to another one, or to itself.
    pub fn crosses(&self) -> bool {
        match &self.text {
            Text::Wake(_) => false,
            Text::Bytes(bytes) => [&b"SEND"[..], b"ASK", b"EXIT"]
                .iter()
                .any(|command| bytes.0.starts_with(command)),
        }
    }

    /// From the first user, without value.
    pub fn new(to: usize, text: &[u8]) -> Self {
        Self {
            to,
            from: 0,
            value: 0,
            native: false,
            text: Text::Bytes(Bytes(text.to_vec())),
        }
    }
}

/// Blocks of messages; the first initialises the programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scenario {
    /// The blocks.
    pub blocks: Vec<Vec<Step>>,
}

/// A generator of numbers that look random (splitmix).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn one_in(&mut self, times: u64) -> bool {
        self.below(times) == 0
    }
}

impl Scenario {
    /// So many blocks after the first.
    pub fn random(seed: u64, length: usize) -> Self {
        let mut scenario = Self::initialised();
        let mut before = PROGRAMS.len();
        for block in 0..length as u64 {
            let mut random = Random(seed.wrapping_mul(0xd134_2543_de82_ef95) ^ block << 20);
            let native = random.one_in(4);
            let count = random.below(5);
            let mut steps: Vec<Step> = Vec::new();
            for _ in 0..count {
                // Of what makes programs send to each other one for a block: where messages of two programs meet, the
                // order is another one, which is listed, and would change what comes after.
                let alone = !steps.iter().any(Step::crosses);
                steps.push(step(&mut random, native, alone, before));
            }
            before += steps.len();
            scenario.blocks.push(steps);
        }
        scenario
    }

    /// Only the block that initialises the programs.
    pub fn initialised() -> Self {
        let no = number(0);
        let token = calldata(
            "create(bool,string,string,uint16)",
            &[no, number(4 * 32), number(5 * 32), no, no, no],
        );
        let counter = calldata("create(bool,uint32)", &[no, number(7)]);
        let targets = [program(PING_AT).0, program(TROUBLE_AT).0].concat();
        let inits: [&[u8]; 6] = [b"", &counter, &token, &targets, b"", b""];
        let init = |(index, text): (usize, &&[u8])| Step::new(index, text);
        Self {
            blocks: vec![inits.iter().enumerate().map(init).collect()],
        }
    }

    /// With these blocks behind the first.
    pub fn then(mut self, blocks: Vec<Vec<Step>>) -> Self {
        self.blocks.extend(blocks);
        self
    }

    /// Leaves a message out. What wakes it then wakes nothing; what wakes a later one still wakes that one.
    pub fn leave_out(&mut self, block: usize, step: usize) {
        let index = self.blocks[..block].iter().map(Vec::len).sum::<usize>() + step;
        self.blocks[block].remove(step);
        for later in self.blocks.iter_mut().flatten() {
            if let Text::Wake(wakes) = &mut later.text {
                if *wakes == index {
                    *wakes = usize::MAX;
                } else if *wakes > index && *wakes != usize::MAX {
                    *wakes -= 1;
                }
            }
        }
    }

    /// Index of the block in which the message of this index is sent.
    pub fn block_of(&self, mut index: usize) -> Option<usize> {
        self.blocks.iter().position(|steps| {
            let there = index < steps.len();
            index = index.saturating_sub(steps.len());
            there
        })
    }

    /// The message of this index, among all that are sent.
    pub fn step(&self, index: usize) -> Option<&Step> {
        self.blocks.iter().flatten().nth(index)
    }
}

fn step(random: &mut Random, native: bool, alone: bool, before: usize) -> Step {
    let mut to = random.below(PROGRAMS.len() as u64) as usize;
    // What a native message sends on is native in the existing engine, and then its failures are not told: that is listed,
    // and would change what comes after.
    if native && to == FAN_OUT_AT {
        to = PING_AT;
    }
    let depth = if native || !alone { 0 } else { 2 };
    let from = random.below(USERS) as usize;
    let value = if native || !random.one_in(4) {
        0
    } else {
        random.below(1_000)
    };
    let text = match to {
        PING_AT => Text::Bytes(Bytes(ping(random))),
        COUNTER_AT => Text::Bytes(Bytes(counter(random, from))),
        VFT_AT => Text::Bytes(Bytes(token(random))),
        FAN_OUT_AT => Text::Bytes(Bytes(fan_out(random, alone))),
        _ if random.one_in(8) => Text::Wake(random.below(before as u64) as usize),
        _ => Text::Bytes(Bytes(trouble(random, to, depth))),
    };
    Step {
        to,
        from,
        value,
        native,
        text,
    }
}

fn ping(random: &mut Random) -> Vec<u8> {
    match random.below(4) {
        0 | 1 => b"PING".to_vec(),
        2 => b"COUNT".to_vec(),
        _ => vec![b'x'; random.below(300) as usize],
    }
}

fn counter(random: &mut Random, from: usize) -> Vec<u8> {
    let no = number(0);
    let amount = number(random.below(20).into());
    match random.below(7) {
        0 | 1 => calldata("counterAdd(bool,uint32)", &[no, amount]),
        // Sometimes more than there is.
        2 => calldata("counterSub(bool,uint32)", &[no, amount]),
        3 => calldata("counterDeposit(bool)", &[no]),
        4 => calldata(
            "counterWithdraw(bool,uint128)",
            &[no, number(random.below(400).into())],
        ),
        5 => calldata(
            "counterDepositOf(bool,address)",
            &[no, address(user_address(from))],
        ),
        _ => calldata("counterValue(bool)", &[no]),
    }
}

fn token(random: &mut Random) -> Vec<u8> {
    let no = number(0);
    let to = address(user_address(random.below(USERS) as usize));
    let other = address(user_address(random.below(USERS) as usize));
    let amount = number(random.below(100).into());
    match random.below(8) {
        0 | 1 => calldata("vftMint(bool,address,uint256)", &[no, to, amount]),
        2 | 3 => calldata("vftTransfer(bool,address,uint256)", &[no, to, amount]),
        4 => calldata("vftApprove(bool,address,uint256)", &[no, to, amount]),
        5 => calldata(
            "vftTransferFrom(bool,address,address,uint256)",
            &[no, other, to, amount],
        ),
        6 => calldata("vftBalanceOf(bool,address)", &[no, to]),
        _ => calldata("vftTotalSupply(bool)", &[no]),
    }
}

fn fan_out(random: &mut Random, ask: bool) -> Vec<u8> {
    match if ask {
        random.below(6)
    } else {
        2 * random.below(2)
    } {
        0 => {
            // With its own question and reply it stays within four messages.
            let count = random.below(3);
            let targets = (0..count).flat_map(|_| {
                let targets = [PING_AT, TROUBLE_AT, LAST, COUNTER_AT];
                program(targets[random.below(4) as usize]).0
            });
            let targets: Vec<u8> = targets.collect();
            [b"SET", targets.as_slice()].concat()
        }
        1 => [
            &b"ASK"[..],
            [&b"COUNT"[..], b"PANIC"][random.below(2) as usize],
        ]
        .concat(),
        2 => b"NONSENSE".to_vec(),
        _ => b"ASK".to_vec(),
    }
}

fn trouble(random: &mut Random, to: usize, depth: u32) -> Vec<u8> {
    // Little, or more than there can be: what is nearly enough is listed.
    let amount = |random: &mut Random| {
        let amount = if random.one_in(4) {
            100 * OWNED
        } else {
            random.below(1_000)
        };
        u128::from(amount).to_le_bytes()
    };
    match random.below(32) {
        0 => Vec::new(),
        1..=3 => b"COUNT".to_vec(),
        4..=7 => b"BUMP".to_vec(),
        8 => b"DIRTY".to_vec(),
        9 => b"PANIC".to_vec(),
        10 => b"TRAP".to_vec(),
        11 => b"FLOOD".to_vec(),
        12 => [&b"BIG"[..], &(random.below(1_500) as u32).to_le_bytes()].concat(),
        13 => b"TWICE".to_vec(),
        14 | 15 => b"REFUND".to_vec(),
        16..=18 => b"WAIT".to_vec(),
        19 => b"REPLIES".to_vec(),
        20 => [&b"MAILBOX"[..], &amount(random)].concat(),
        21 | 22 => {
            let blocks = random.below(4) as u32 + 1;
            [&b"DELAY"[..], &blocks.to_le_bytes()].concat()
        }
        23 if to == LAST && depth > 0 && random.one_in(4) => {
            let heir = if random.one_in(2) {
                user(1)
            } else {
                program(PING_AT)
            };
            [&b"EXIT"[..], &heir.0].concat()
        }
        24..=30 if depth > 0 => {
            let target = random.below(8) as usize;
            let (id, payload) = match target {
                PING_AT => (program(target), ping(random)),
                COUNTER_AT => (program(target), counter(random, 0)),
                VFT_AT => (program(target), token(random)),
                FAN_OUT_AT => (program(target), b"ASK".to_vec()),
                TROUBLE_AT | LAST => (program(target), trouble(random, target, depth - 1)),
                _ => (user(target % 3), b"hello".to_vec()),
            };
            let value = if random.one_in(3) {
                amount(random)
            } else {
                [0; 16]
            };
            [&b"SEND"[..], &id.0, &value, &payload].concat()
        }
        _ => b"unknown".to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shorter_scenario_is_the_beginning_of_a_longer_one() {
        let (short, long) = (Scenario::random(3, 10), Scenario::random(3, 30));
        assert_eq!(short.blocks, long.blocks[..11]);
        assert_ne!(short, Scenario::random(4, 10));
    }

    #[test]
    fn what_is_left_out_keeps_the_others_apart() {
        let wake = |index| Step {
            text: Text::Wake(index),
            ..Step::new(4, b"")
        };
        let first = Step::new(4, b"WAIT");
        let second = Step::new(4, b"BUMP");
        let mut scenario = Scenario {
            blocks: vec![vec![], vec![first, second.clone()], vec![wake(0), wake(1)]],
        };
        scenario.leave_out(1, 0);
        assert_eq!(scenario.blocks[1], [second]);
        assert_eq!(scenario.blocks[2], [wake(usize::MAX), wake(0)]);
    }
}
