// SPDX-License-Identifier: GPL-3.0-or-later

//! Where our executor differs from the existing engine on purpose, and why ours is right.

use super::{
    Mismatch, PROGRAMS, Scenario, Step, Text, What,
    scenario::{FAN_OUT_AT, OWNED, PING_AT, TROUBLE_AT, program, user},
};
use gear_exe_benchmarks_protocol::{Bytes, Id, Sent};
use gear_exe_primitives::MessageId;

/// A difference that is meant.
pub struct Listed {
    /// What it is called.
    pub name: &'static str,
    /// Why ours is right.
    pub why: &'static str,
    /// Whether it explains a mismatch in a scenario whose messages got these ids, in order.
    pub covers: fn(&Mismatch, &Scenario, &[Id]) -> bool,
    /// A scenario that shows it, and no other.
    pub example: fn() -> Scenario,
}

const AUTOMATIC: [u8; 4] = [0, 0, 0, 0];
const PANIC: [u8; 4] = [1, 0, 3, 0];
const EXITED: [u8; 4] = [1, 2, 0, 0];

/// All of them.
pub const LISTED: &[Listed] = &[
    Listed {
        name: "an automatic reply follows what the run sent",
        why: "The existing engine puts an automatic reply before the messages of the same run, but a reply of the program's \
              own behind them. Here both are behind: whoever sees a reply has seen all that the run sent.",
        covers: |mismatch, _, _| match &mismatch.what {
            What::Order { theirs, ours, .. } => {
                ids(&behind_their_runs(theirs), |_| true) == ids(ours, |_| true)
            }
            _ => false,
        },
        example: || {
            let mail = [&b"MAILBOX"[..], &[0; 16]].concat();
            Scenario::initialised().then(vec![vec![Step::new(TROUBLE_AT, &mail)]])
        },
    },
    Listed {
        name: "a native message that panics early is answered",
        why: "The existing engine drops the reply of a native message that panics in its first run with at most 10^9 gas \
              burned: the user hears nothing. Every failure has to be told (design.md, section 4).",
        covers: |mismatch, scenario, ids| match &mismatch.what {
            What::Extra(sent) => sent.reply.is_some_and(|(to, code)| {
                code == PANIC && step(to, scenario, ids).is_some_and(|step| step.native)
            }),
            _ => false,
        },
        example: || {
            let panics = Step {
                native: true,
                ..Step::new(TROUBLE_AT, b"PANIC")
            };
            Scenario::initialised().then(vec![vec![panics]])
        },
    },
    Listed {
        name: "a program that asks for a native message hears of a panic",
        why: "The same, between programs: in the existing engine what a native message sends is native too, so the error \
              reply of a program that panics is dropped and the one that asked waits until its time is over.",
        covers: |mismatch, scenario, ids| match &mismatch.what {
            What::Extra(sent) => sent.reply.is_some_and(|(to, code)| {
                let step = step(to, scenario, ids);
                code[0] == 0 && step.is_some_and(|step| step.native && step.to == FAN_OUT_AT)
            }),
            _ => false,
        },
        example: || {
            // The trouble program, which is one of those asked, panics on PING.
            let asks = Step {
                native: true,
                ..Step::new(FAN_OUT_AT, b"ASK")
            };
            Scenario::initialised().then(vec![vec![asks]])
        },
    },
    Listed {
        name: "what comes from Ethereum, and what is due, runs before what is native",
        why: "A round takes the events of Ethereum's blocks, then what is due, then native messages (design.md, terms: round), \
              and a program has one queue. In the existing engine native messages overtake what Ethereum has had for longer, \
              and waits that have ended. (It may meet the automatic replies of the native messages, see above.)",
        covers: |mismatch, scenario, known| match &mismatch.what {
            What::Order { theirs, ours, .. } => {
                let class = |sent: &Sent| {
                    let index = origin(sent, known)?;
                    let now = scenario.block_of(index) == Some(mismatch.block);
                    Some((scenario.step(index)?.native, now))
                };
                let theirs = behind_their_runs(theirs);
                let all: Vec<_> = theirs.iter().map(class).collect();
                let native = |sent: &&Sent| class(sent) == Some((true, true));
                let before = ours.iter().take_while(|sent| !native(sent)).count();
                ours[before..].iter().all(|sent| native(&sent))
                    && all.iter().any(|class| matches!(class, Some((true, _))))
                    && all.iter().all(|one| {
                        ids(&theirs, |sent| class(sent) == *one)
                            == ids(ours, |sent| class(sent) == *one)
                    })
            }
            _ => false,
        },
        example: || {
            let native = Step {
                native: true,
                ..Step::new(TROUBLE_AT, b"BUMP")
            };
            Scenario::initialised().then(vec![vec![Step::new(TROUBLE_AT, b"BUMP"), native]])
        },
    },
    Listed {
        name: "a native message that is woken runs in the same block",
        why: "In the existing engine a message from Ethereum that wakes a native one comes too late: the queue of native \
              messages is not looked at again before the next block. Here there is one queue.",
        covers: |mismatch, scenario, ids| match &mismatch.what {
            What::Extra(sent) | What::Missing(sent) => {
                sent.payload.0 == b"WOKEN"
                    && sent.reply.is_some_and(|(to, _)| {
                        step(to, scenario, ids).is_some_and(|step| step.native)
                    })
            }
            _ => false,
        },
        example: || {
            let waits = Step {
                native: true,
                ..Step::new(TROUBLE_AT, b"WAIT")
            };
            let wakes = Step {
                text: Text::Wake(PROGRAMS.len()),
                ..Step::new(TROUBLE_AT, b"")
            };
            Scenario::initialised().then(vec![vec![waits], vec![wakes], Vec::new()])
        },
    },
    Listed {
        name: "where messages of two programs meet, the lower program's is first",
        why: "At the end of a wave messages are routed in the order of (program, message): design.md, section 5. The existing \
              engine has the same waves and routes them in an order that depends on the lengths of the queues, from the \
              highest program to the lowest; nothing documents it.",
        covers: |mismatch, scenario, _| {
            let block = scenario.blocks.get(mismatch.block);
            let senders = block.into_iter().flatten().filter(|step| step.crosses());
            senders.count() > 1
                && matches!(&mismatch.what, What::Unlike { .. } | What::Order { .. })
        },
        example: || {
            // Both ask ping, one for its count, one for a PING; the answer tells which came first.
            let sends = [&b"SEND"[..], &program(PING_AT).0, &[0; 16], b"PING"].concat();
            Scenario::initialised().then(vec![vec![
                Step::new(FAN_OUT_AT, b"ASKCOUNT"),
                Step::new(TROUBLE_AT, &sends),
            ]])
        },
    },
    Listed {
        name: "gas alone bounds what a message sends",
        why: "The existing engine lets a run send at most 4 messages and 4 KiB; here gas and sane ceilings bound it (design.md, \
              section 9). So a longer reply succeeds, and a program may ask as many others as it wants.",
        covers: |mismatch, scenario, ids| match &mismatch.what {
            What::Unlike { theirs, ours } => {
                let code = |sent: &Sent| sent.reply.map(|(_, code)| code);
                let index = origin(ours, ids);
                let step = index.and_then(|index| scenario.step(index));
                code(theirs) == Some(PANIC)
                    && code(ours) == Some([0, 1, 0, 0])
                    && step.is_some_and(|step| says(step, b"BIG") || says(step, b"ASK"))
            }
            _ => false,
        },
        example: || {
            let big = [&b"BIG"[..], &5_000u32.to_le_bytes()].concat();
            let set = [&b"SET"[..], &program(PING_AT).0.repeat(6)].concat();
            Scenario::initialised().then(vec![
                vec![Step::new(TROUBLE_AT, &big)],
                vec![Step::new(FAN_OUT_AT, &set)],
                vec![Step::new(FAN_OUT_AT, b"ASK")],
            ])
        },
    },
    Listed {
        name: "what waits is answered when its program exits",
        why: "Nothing will wake it any more. The existing engine leaves it in the waitlist until its time is over.",
        covers: |mismatch, scenario, ids| match &mismatch.what {
            What::Extra(sent) | What::Missing(sent) => sent.reply.is_some_and(|(to, code)| {
                let waits = Text::Bytes(Bytes(b"WAIT".to_vec()));
                code == EXITED && step(to, scenario, ids).is_some_and(|step| step.text == waits)
            }),
            _ => false,
        },
        example: || {
            let exit = [&b"EXIT"[..], &user(0).0].concat();
            Scenario::initialised().then(vec![
                vec![Step::new(TROUBLE_AT, b"WAIT")],
                vec![Step::new(TROUBLE_AT, &exit)],
                Vec::new(),
                Vec::new(),
                Vec::new(),
                Vec::new(),
                Vec::new(),
            ])
        },
    },
    Listed {
        name: "nothing runs in a program that has exited",
        why: "What is queued behind the message that exits is refused here. The existing engine runs it all the same if both \
              are of one block, and only the next block's messages hear of the exit.",
        covers: |mismatch, scenario, _| match &mismatch.what {
            What::Unlike { theirs, ours } => {
                let exited = |sent: &Sent| sent.reply.is_some_and(|(_, code)| code == EXITED);
                let block = scenario.blocks.get(mismatch.block);
                let exits = block
                    .into_iter()
                    .flatten()
                    .any(|step| says(step, b"EXIT") && program(step.to) == ours.from);
                exits && exited(ours) && !exited(theirs)
            }
            _ => false,
        },
        example: || {
            let exit = [&b"EXIT"[..], &user(0).0].concat();
            Scenario::initialised().then(vec![vec![
                Step::new(TROUBLE_AT, &exit),
                Step::new(TROUBLE_AT, b"COUNT"),
            ]])
        },
    },
    Listed {
        name: "a program spends its value once",
        why: "The existing engine checks each message of a run of the queue against what the program owned before it, so that \
              two messages together may send more than there is: then its arithmetic panics. Here the second fails.",
        covers: |mismatch, _, _| matches!(mismatch.what, What::Crashed),
        example: || {
            let most = u128::from(OWNED / 2 + 1);
            let mail = [&b"MAILBOX"[..], &most.to_le_bytes()].concat();
            let step = || Step::new(TROUBLE_AT, &mail);
            Scenario::initialised().then(vec![vec![step(), step()]])
        },
    },
];

/// More messages than one of the random ones sends.
const MOST_SENT: u32 = 16;

/// The user's message that is answered, or was running when this was sent.
fn origin(sent: &Sent, ids: &[Id]) -> Option<usize> {
    ids.iter().position(|id| match sent.reply {
        Some((to, _)) => to == *id,
        None => (0..MOST_SENT)
            .any(|nonce| MessageId::outgoing(MessageId::from(id.0), nonce).as_ref() == sent.id.0),
    })
}

/// What the existing engine sent, with each automatic reply behind what the same run sent.
fn behind_their_runs(theirs: &[Sent]) -> Vec<Sent> {
    let mut all = theirs.to_vec();
    for at in 0..all.len() {
        let Some((to, _)) = all[at].reply.filter(|_| automatic(&all[at])) else {
            continue;
        };
        let of_run = |sent: &&Sent| {
            sent.reply.is_none()
                && (0..MOST_SENT).any(|nonce| {
                    MessageId::outgoing(MessageId::from(to.0), nonce).as_ref() == sent.id.0
                })
        };
        let run = all[at + 1..].iter().take_while(of_run).count();
        all[at..=at + run].rotate_left(1);
    }
    all
}

fn automatic(sent: &Sent) -> bool {
    sent.reply.is_some_and(|(_, code)| code == AUTOMATIC)
}

fn ids(sent: &[Sent], which: impl Fn(&Sent) -> bool) -> Vec<Id> {
    let sent = sent.iter().filter(|sent| which(sent));
    sent.map(|sent| sent.id).collect()
}

/// Whether a step says something that begins like this.
fn says(step: &Step, beginning: &[u8]) -> bool {
    matches!(&step.text, Text::Bytes(bytes) if bytes.0.starts_with(beginning))
}

/// The step whose message got an id.
fn step<'a>(id: Id, scenario: &'a Scenario, ids: &[Id]) -> Option<&'a Step> {
    let index = ids.iter().position(|own| *own == id)?;
    scenario.step(index)
}
