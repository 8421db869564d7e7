// SPDX-License-Identifier: GPL-3.0-or-later

//! What differs between what a block did there and here.

use super::engine::Own;
use gear_exe_benchmarks_protocol::{Block, Id, Sent};
use std::collections::BTreeMap;

/// A difference.
#[derive(Clone, Debug)]
pub struct Mismatch {
    /// Index of the block in the scenario.
    pub block: usize,
    /// What differs.
    pub what: What,
}

/// What differs.
#[derive(Clone, Debug)]
pub enum What {
    /// Only the existing engine sent this.
    Missing(Sent),
    /// Only ours sent this.
    Extra(Sent),
    /// Both sent it, but not the same.
    Unlike {
        /// What the existing engine sent.
        theirs: Sent,
        /// What ours sent.
        ours: Sent,
    },
    /// A program sent the same, in another order.
    Order {
        /// The program.
        program: Id,
        /// As the existing engine sent them.
        theirs: Vec<Sent>,
        /// As ours sent them.
        ours: Vec<Sent>,
    },
    /// The existing engine crashed. There is nothing to compare any more.
    Crashed,
    /// A program does not own the same.
    Owned {
        /// The program.
        program: Id,
        /// In wei, there.
        theirs: u128,
        /// In wei, here.
        ours: u128,
    },
}

/// What was found in a block.
#[derive(Default)]
pub struct Found {
    /// Messages that are the same.
    pub same: usize,
    /// What differs.
    pub mismatches: Vec<Mismatch>,
}

/// Messages of each program, in order.
fn by_program(sent: &[Sent]) -> BTreeMap<Id, Vec<&Sent>> {
    let mut programs: BTreeMap<Id, Vec<&Sent>> = BTreeMap::new();
    for message in sent {
        programs.entry(message.from).or_default().push(message);
    }
    programs
}

/// Compares what a block did. The order counts for each program: between programs there is none on Ethereum.
pub fn compare(block: usize, theirs: &Block, ours: &Own) -> Found {
    let mut found = Found::default();
    let mut differ = |what| found.mismatches.push(Mismatch { block, what });
    let index = |sent: &[Sent]| -> BTreeMap<Id, Sent> {
        let pairs = sent.iter().map(|message| (message.id, message.clone()));
        pairs.collect()
    };
    let (there, here) = (index(&theirs.sent), index(&ours.sent));
    for (id, message) in &there {
        match here.get(id) {
            None => differ(What::Missing(message.clone())),
            Some(own) if own != message => differ(What::Unlike {
                theirs: message.clone(),
                ours: own.clone(),
            }),
            Some(_) => found.same += 1,
        }
    }
    for (id, message) in &here {
        if !there.contains_key(id) {
            differ(What::Extra(message.clone()));
        }
    }
    let (there_by, here_by) = (by_program(&theirs.sent), by_program(&ours.sent));
    for (program, messages) in &there_by {
        let Some(own) = here_by.get(program) else {
            continue;
        };
        // Those that only one side has were told above.
        let common = |messages: &[&Sent], other: &BTreeMap<Id, Sent>| -> Vec<Sent> {
            let both = messages
                .iter()
                .filter(|message| other.contains_key(&message.id));
            both.map(|message| (*message).clone()).collect()
        };
        let (theirs, ours) = (common(messages, &here), common(own, &there));
        let ids = |sent: &[Sent]| -> Vec<Id> { sent.iter().map(|message| message.id).collect() };
        if ids(&theirs) != ids(&ours) {
            differ(What::Order {
                program: *program,
                theirs,
                ours,
            });
        }
    }
    let owned: BTreeMap<Id, u128> = ours.owned.iter().copied().collect();
    for (program, theirs) in &theirs.owned {
        let ours = owned.get(program).copied().unwrap_or_default();
        if ours != *theirs {
            differ(What::Owned {
                program: *program,
                theirs: *theirs,
                ours,
            });
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use gear_exe_benchmarks_protocol::Bytes;

    fn sent(id: u8, from: u8, payload: &[u8]) -> Sent {
        Sent {
            id: Id([id; 32]),
            from: Id([from; 32]),
            to: Id([0xa1; 32]),
            payload: Bytes(payload.to_vec()),
            reply: None,
        }
    }

    #[test]
    fn each_kind_of_difference_is_found() {
        let owned = vec![(Id([1; 32]), 5), (Id([2; 32]), 6)];
        let theirs = Block {
            height: 1,
            ids: Vec::new(),
            sent: vec![
                sent(1, 1, b"a"),
                sent(2, 1, b"b"),
                sent(3, 2, b"c"),
                sent(4, 2, b"d"),
            ],
            owned: owned.clone(),
        };
        let same = Own {
            // Another order of programs is none.
            sent: [&theirs.sent[2..], &theirs.sent[..2]].concat(),
            owned,
        };
        let found = compare(0, &theirs, &same);
        assert_eq!((found.same, found.mismatches.len()), (4, 0));

        let other = Own {
            sent: vec![
                sent(2, 1, b"b"),
                sent(1, 1, b"a"),
                sent(3, 2, b"other"),
                sent(5, 2, b"e"),
            ],
            owned: vec![(Id([1; 32]), 5), (Id([2; 32]), 7)],
        };
        let found = compare(0, &theirs, &other);
        assert_eq!(found.same, 2);
        let kinds: Vec<_> = found
            .mismatches
            .iter()
            .map(|mismatch| match mismatch.what {
                What::Missing(_) => "missing",
                What::Extra(_) => "extra",
                What::Unlike { .. } => "unlike",
                What::Order { .. } => "order",
                What::Owned { .. } => "owned",
                What::Crashed => "crashed",
            })
            .collect();
        assert_eq!(kinds, ["unlike", "missing", "extra", "order", "owned"]);
    }
}
