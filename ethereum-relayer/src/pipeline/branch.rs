//! What holds on one branch of Ethereum only. When the head is on another one, or the log was written on another one,
//! nonces are free again that were used, the head's number may be far lower, and what was refused may be taken.
//!
//! Nothing is remembered of a branch: each view says anew what its branch holds, and a branch that comes back is one
//! more change.

use super::{Attempt, Effect, Slot, State, TxStatus, View};

impl State {
    /// The head before is not on this branch.
    pub(super) fn change_branch(&mut self) {
        self.unsure = self.slots.keys().copied().collect();
        // Refused by another Router than this one.
        self.shelved.clear();
    }

    /// Counts of blocks start anew where the head's number went back, or they would last until it is as high again.
    pub(super) fn clamp(&mut self, view: &View) {
        let head = view.head.number;
        let attempts = self.slots.values_mut().flat_map(|slot| &mut slot.attempts);
        for attempt in attempts {
            attempt.sent_at = attempt.sent_at.min(head);
        }
        for since in self.since.values_mut() {
            *since = (*since).min(head);
        }
        self.clamp_unfit(head);
    }

    /// Transactions with nonces above one that was never signed for wait until it is used. If the node does not even
    /// hold them, that is not worth a transaction: their batches are sent with the account's next nonces.
    pub(super) fn give_up_beyond_gap(&mut self, view: &View, effects: &mut Vec<Effect>) {
        let mut next = view.nonce;
        while self.slots.contains_key(&next) {
            next = next.saturating_add(1);
        }
        let lost: Vec<_> = self
            .slots
            .range(next..)
            .filter(|(_, slot)| slot.is_lost(view))
            .map(|(nonce, _)| *nonce)
            .collect();
        for nonce in lost {
            self.slots.remove(&nonce);
            effects.push(Effect::Forget(nonce));
        }
    }
}

impl Attempt {
    /// Whether the node has it, waiting or mined.
    pub(super) fn is_held(&self, view: &View) -> bool {
        let status = view.transactions.get(&self.hash);
        status.is_some_and(|status| *status != TxStatus::Unknown)
    }
}

impl Slot {
    /// Whether the node has one of its transactions.
    pub(super) fn is_held(&self, view: &View) -> bool {
        self.attempts.iter().any(|attempt| attempt.is_held(view))
    }

    /// Whether the node was asked for all of its transactions, and has none.
    fn is_lost(&self, view: &View) -> bool {
        self.attempts
            .iter()
            .all(|attempt| view.transactions.get(&attempt.hash) == Some(&TxStatus::Unknown))
    }
}
