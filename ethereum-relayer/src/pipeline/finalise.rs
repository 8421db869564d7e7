//! What a new view of Ethereum says of what was sent. Mined is not done: a reorg gives it back. Done is what the last
//! final block holds.

use super::{Alarm, Effect, Note, Payload, Place, Slot, State, TxStatus, View};
use gear_exe_primitives::H256;

/// What is added to the gas of a batch that reverted although its pre-flight passed, in percent per time.
const EXTRA_GAS: u64 = 50;

impl State {
    pub(super) fn take_view(&mut self, view: View, effects: &mut Vec<Effect>) {
        if view.reorged {
            effects.push(Effect::Note(Note::Reorg));
            self.change_branch();
        }
        self.clamp(&view);
        let low = (view.balance < self.policy.low_balance).then(|| {
            format!(
                "the relayer's account holds {} wei, less than the warning level of {}: send it ETH",
                view.balance, self.policy.low_balance
            )
        });
        self.alarm(Alarm::LowBalance, low, effects);

        let mut reverted = Vec::new();
        for (nonce, slot) in &mut self.slots {
            let place = place(*nonce, slot, &view);
            if place == slot.place {
                continue;
            }
            if let Place::Mined { hash, .. } = slot.place {
                effects.push(Effect::Note(Note::InclusionLost(hash)));
                // It was good enough once: it is sent again before it is replaced.
                for attempt in &mut slot.attempts {
                    attempt.sent_at = view.head.number;
                }
            }
            if let Place::Mined { hash, success, .. } = place {
                match (slot.payload(hash), success) {
                    (Some(Payload::Batch(digest)), true) => {
                        effects.push(Effect::Note(included(digest, hash, &view)));
                    }
                    (Some(Payload::Batch(digest)), false) => {
                        effects.push(Effect::Note(Note::Reverted(hash)));
                        reverted.push(digest);
                    }
                    _ => {}
                }
            }
            slot.place = place;
        }
        for digest in reverted {
            if view.router.digest == digest || view.router.nonce >= self.nonce_of(digest) {
                effects.push(Effect::Note(Note::RaceLost(digest)));
            } else {
                let extra = self.extra_gas.entry(digest).or_default();
                *extra = (*extra + EXTRA_GAS).min(400);
                self.shelve(digest, &view, self.policy.bump_blocks.max(1));
            }
        }
        // What was final on a chain that is gone says nothing of nonces that this one has not used.
        let done: Vec<_> = self
            .slots
            .range(..view.settled_nonce.min(view.nonce))
            .map(|(nonce, _)| *nonce)
            .collect();
        for nonce in done {
            if let Some(slot) = self.slots.remove(&nonce) {
                // Forgotten first, so that a crash between the two does not make it settled twice.
                effects.push(Effect::Forget(nonce));
                if let Place::Mined {
                    hash,
                    success: true,
                    ..
                } = slot.place
                    && let Some(Payload::Batch(digest)) = slot.payload(hash)
                {
                    effects.push(Effect::Note(Note::Settled(digest)));
                }
            }
        }
        let foreign = self
            .slots
            .iter()
            .find(|(_, slot)| slot.place == Place::Foreign)
            .map(|(nonce, _)| {
                format!(
                    "nonce {nonce} of the relayer's account was used by a transaction that this relayer did not \
                     make: give each relayer a key of its own"
                )
            });
        self.alarm(Alarm::ForeignTransaction, foreign, effects);
        self.give_up_beyond_gap(&view, effects);
        self.view = Some(view);
        self.tidy();
    }

    fn nonce_of(&self, digest: H256) -> u64 {
        self.batches
            .get(&digest)
            .map_or(u64::MAX, |batch| batch.nonce)
    }
}

impl Slot {
    fn payload(&self, hash: H256) -> Option<Payload> {
        self.attempts
            .iter()
            .find(|attempt| attempt.hash == hash)
            .map(|attempt| attempt.payload)
    }
}

fn included(digest: H256, hash: H256, view: &View) -> Note {
    let (block, gas_used) = match view.transactions.get(&hash) {
        Some(TxStatus::Mined {
            block, gas_used, ..
        }) => (block.number, *gas_used),
        _ => (0, 0),
    };
    Note::Included {
        digest,
        block,
        gas_used,
    }
}

fn place(nonce: u64, slot: &Slot, view: &View) -> Place {
    if nonce >= view.nonce {
        return Place::Pending;
    }
    let mined = slot.attempts.iter().find_map(|attempt| {
        let TxStatus::Mined { block, success, .. } = view.transactions.get(&attempt.hash)? else {
            return None;
        };
        Some(Place::Mined {
            hash: attempt.hash,
            block: block.hash,
            success: *success,
        })
    });
    // Nonce and receipts may come from different nodes behind one address, so the first miss is not believed.
    mined.unwrap_or(match slot.place {
        Place::Missing | Place::Foreign => Place::Foreign,
        _ => Place::Missing,
    })
}
