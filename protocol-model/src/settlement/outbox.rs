//! The outbox as the chain has it after one of its blocks: the counterpart of `pallets/settlement/src/outbox.rs` and
//! `sets.rs`. It follows from the chain's blocks alone.

use super::{Item, Settlement, State};
use crate::clause::Clause;

/// The outbox and what belongs to it.
#[derive(Clone, Debug, Default)]
pub(super) struct Outbox {
    /// All items, from the first one on.
    pub items: Vec<Item>,
    /// The set that the chain has now.
    pub set: u8,
    /// Items before this one are deleted.
    pub start: usize,
    /// Items that hand over.
    handovers: Vec<usize>,
}

impl Settlement {
    /// The outbox after block `number`.
    pub(super) fn outbox(&self, state: &State, number: usize) -> Outbox {
        let mut outbox = Outbox::default();
        let mut mints = 0;
        let mut router = state.router(state.chain[0].anchor);
        for block in &state.chain[1..=number] {
            let now = state.router(block.anchor);
            if now != router {
                router = now;
                self.hand_over(&mut outbox, router.set, router.outbox_end.into());
            }
            if !self.has(Clause::OutboxIsKeptUntilFinal) {
                outbox.start = outbox.start.max(router.outbox_end.into());
            }
            if block.mint {
                outbox.items.push(Item::Mint(mints));
                mints += 1;
            }
            if block.elect {
                outbox.set += 1;
                self.hand_over(&mut outbox, router.set, router.outbox_end.into());
            }
        }
        outbox
    }

    /// Sees to it that a Router which holds `set`, and items up to `applied`, will learn of the current set.
    fn hand_over(&self, outbox: &mut Outbox, set: u8, applied: usize) {
        if outbox.set == set {
            return;
        }
        let current = Item::Set(outbox.set);
        let replaces = |item: usize| item >= applied || !self.has(Clause::NewestSetIsHandedTo);
        let mut pending = false;
        for &item in outbox.handovers.iter().filter(|item| replaces(**item)) {
            outbox.items[item] = current;
            pending = true;
        }
        if !pending {
            outbox.handovers.push(outbox.items.len());
            outbox.items.push(current);
        }
    }
}
