//! What authors have promised in recent slots: bounded, and searched for contradictions. Knows neither the network nor the
//! chain.
//!
//! A promise may come before its block. Whose block it is cannot be said then: it is kept, and passed on only when the block
//! is there ([`Promises::confirm`]).

use super::Authored;
use gear_exe_primitives::{H160, H256, certificate::SignedPromise};
use std::collections::{BTreeMap, HashMap};

/// Slots below and above that of the newest executed block for which promises are kept.
pub const WINDOW: u64 = 256;

/// What became of a promise.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It is kept.
    New,
    /// It was known.
    Known,
    /// Its slot lies too far from the newest block's.
    Ignored,
    /// The validator has promised something else in the same slot before: both together are a fault.
    Contradiction(Box<SignedPromise>),
}

/// A promise that was made first in its slot.
#[derive(Clone, Copy)]
struct Entry {
    promise: SignedPromise,
    /// The signer is the author of the block that it names.
    confirmed: bool,
}

/// The promises of recent slots, one for each member of a validator set.
#[derive(Default)]
pub struct Promises {
    newest: u64,
    slots: BTreeMap<u64, HashMap<H160, Entry>>,
}

impl Promises {
    /// The node has executed a block of this slot: what lies far behind it is forgotten.
    pub fn advance(&mut self, newest: u64) {
        self.newest = self.newest.max(newest);
        let first = self.newest.saturating_sub(WINDOW);
        self.slots = self.slots.split_off(&first);
    }

    /// The slot of the newest executed block.
    pub const fn newest(&self) -> u64 {
        self.newest
    }

    /// Whether promises for this slot are kept.
    pub fn keeps(&self, slot: u64) -> bool {
        slot.abs_diff(self.newest) <= WINDOW
    }

    /// Takes a promise, whose signature is that of `signer`, a member of its set.
    pub fn note(&mut self, promise: SignedPromise, signer: H160) -> Heard {
        let slot = promise.statement.slot;
        if !self.keeps(slot) {
            return Heard::Ignored;
        }
        let of_slot = self.slots.entry(slot).or_default();
        match of_slot.get(&signer) {
            Some(before) if before.promise.statement == promise.statement => Heard::Known,
            Some(before) => Heard::Contradiction(Box::new(before.promise)),
            None => {
                let confirmed = false;
                of_slot.insert(signer, Entry { promise, confirmed });
                Heard::New
            }
        }
    }

    /// What the author of a block has promised of it.
    pub fn of(&self, author: &Authored, block: H256) -> Option<SignedPromise> {
        let promise = self.slots.get(&author.slot)?.get(&author.address)?.promise;
        is_of(&promise, author, block).then_some(promise)
    }

    /// The block has come, and this is its author: returns what it has promised of it, the first time that it is asked.
    pub fn confirm(&mut self, author: &Authored, block: H256) -> Option<SignedPromise> {
        let entry = self.slots.get_mut(&author.slot)?.get_mut(&author.address)?;
        if entry.confirmed || !is_of(&entry.promise, author, block) {
            return None;
        }
        entry.confirmed = true;
        Some(entry.promise)
    }
}

/// Whether a promise that the author has signed in the slot is one of this block, in the name of its set.
fn is_of(promise: &SignedPromise, author: &Authored, block: H256) -> bool {
    let statement = &promise.statement;
    statement.block_hash == block && statement.set_id == author.set_id
}

#[cfg(test)]
mod tests {
    use super::*;
    use gear_exe_primitives::{certificate::PromiseStatement, signature::CompactSignature};

    const AUTHOR: H160 = H160::repeat_byte(1);

    fn promise(slot: u64, block: u8, outcome: u8) -> SignedPromise {
        SignedPromise {
            statement: PromiseStatement {
                set_id: 1,
                slot,
                block_hash: H256::repeat_byte(block),
                outcome: H256::repeat_byte(outcome),
            },
            signature: CompactSignature([0; 64]),
        }
    }

    fn author(slot: u64) -> Authored {
        Authored {
            slot,
            set_id: 1,
            address: AUTHOR,
        }
    }

    #[test]
    fn one_promise_a_slot_is_kept_and_another_contradicts_it() {
        let mut promises = Promises::default();
        promises.advance(7);
        let first = promise(7, 1, 1);
        assert_eq!(promises.note(first, AUTHOR), Heard::New);
        assert_eq!(promises.note(first, AUTHOR), Heard::Known);
        for second in [promise(7, 1, 2), promise(7, 2, 1)] {
            let heard = promises.note(second, AUTHOR);
            assert_eq!(heard, Heard::Contradiction(Box::new(first)));
        }
        // Others, and other slots, are other matters.
        let other = H160::repeat_byte(2);
        assert_eq!(promises.note(promise(7, 1, 2), other), Heard::New);
        assert_eq!(promises.note(promise(8, 1, 2), AUTHOR), Heard::New);
        let block = H256::repeat_byte(1);
        assert_eq!(promises.of(&author(7), block), Some(first));
        assert_eq!(promises.of(&author(7), H256::repeat_byte(2)), None);
        let elsewhere = Authored {
            set_id: 2,
            ..author(7)
        };
        assert_eq!(promises.of(&elsewhere, block), None);
    }

    #[test]
    fn a_promise_that_comes_before_its_block_is_confirmed_by_it_once() {
        let mut promises = Promises::default();
        let early = promise(3, 1, 1);
        promises.note(early, AUTHOR);
        let block = H256::repeat_byte(1);
        let other = Authored {
            address: H160::repeat_byte(2),
            ..author(3)
        };
        assert_eq!(promises.confirm(&other, block), None);
        assert_eq!(promises.confirm(&author(3), H256::repeat_byte(2)), None);
        assert_eq!(promises.confirm(&author(3), block), Some(early));
        assert_eq!(promises.confirm(&author(3), block), None);
    }

    #[test]
    fn nobody_fills_it() {
        let mut promises = Promises::default();
        promises.advance(1_000);
        for slot in [999 - WINDOW, 1_001 + WINDOW, u64::MAX] {
            assert_eq!(promises.note(promise(slot, 1, 1), AUTHOR), Heard::Ignored);
        }
        for slot in 1_000 - WINDOW..=1_000 + WINDOW {
            for outcome in 0..9 {
                promises.note(promise(slot, 1, outcome), AUTHOR);
            }
        }
        let kept = |promises: &Promises| promises.slots.values().map(HashMap::len).sum::<usize>();
        assert_eq!(kept(&promises), 2 * WINDOW as usize + 1);
        promises.advance(1_001 + 2 * WINDOW);
        assert_eq!(kept(&promises), 0);
    }
}
