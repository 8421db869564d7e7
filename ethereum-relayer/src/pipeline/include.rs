//! One account nonce at a time until it is used: send, send again what the node lost, replace what waits too long or
//! has lost its sense, cancel what must not be mined any more.

use super::{Alarm, Answer, Attempt, Effect, Note, Payload, Plan, State, View, build::rival, fees};
use gear_exe_primitives::H256;

impl State {
    /// Compares what the view says with what is wanted. Only the first unused nonce is worked on: batches build on one
    /// another, and a later transaction cannot be mined before it.
    pub(super) fn drive(&mut self, effects: &mut Vec<Effect>) {
        let Some(view) = self.view.clone() else {
            return;
        };
        let candidate = self.candidate(&view).map(|batch| batch.digest);
        let later = self.slots.range(view.nonce.saturating_add(1)..);
        let later = later.filter(|(_, slot)| slot.is_live());
        // It is in the node's pool, and this nonce is all that it waits for.
        let is_next = |digest| {
            let next = self.slots.get(&view.nonce.saturating_add(1));
            next.is_some_and(|slot| slot.carries(digest) && slot.is_live() && slot.is_held(&view))
        };
        let slot = self.slots.get(&view.nonce);
        let wanted = match (candidate, slot) {
            // A reorg has freed a nonce that was not ours, below one that carries the batch already.
            (Some(digest), None) if is_next(digest) => Some(Payload::Cancel),
            (Some(digest), _) => Some(Payload::Batch(digest)),
            (None, None) if later.clone().next().is_some() => Some(Payload::Cancel),
            (None, Some(slot)) if slot.is_live() => Some(Payload::Cancel),
            (None, _) => None,
        };
        let Some(payload) = wanted else {
            self.rest(&view, effects);
            return;
        };
        match slot.and_then(|slot| slot.newest()).copied() {
            Some(newest) if newest.payload == payload => {
                if self.is_due(&newest, &view) {
                    // If no better offer is allowed, the one that was made may do again by now.
                    if !self.plan(&view, payload, Some(newest), effects)
                        && newest.fees.max_fee >= view.market.base_fee
                    {
                        self.review(&view, &newest, effects);
                    }
                } else if !newest.refused {
                    self.review(&view, &newest, effects);
                }
            }
            newest => {
                let replaced = newest.and_then(|newest| self.to_outbid(newest, &view));
                self.plan(&view, payload, replaced, effects);
            }
        }
    }

    /// What a transaction with another payload has to outbid: the newest one; but a nonce must not stay blocked by one
    /// that was lost at the cap, so then what the node really has.
    fn to_outbid(&self, newest: Attempt, view: &View) -> Option<Attempt> {
        if fees::choose(rival(Some(newest)), view.market, self.policy.max_fee).is_ok() {
            return Some(newest);
        }
        let slot = self.slots.get(&view.nonce)?;
        let held = slot.attempts.iter().filter(|attempt| attempt.is_held(view));
        held.max_by_key(|attempt| attempt.fees.max_fee).copied()
    }

    /// Nothing is wanted, so nothing can be held up, and what the node never took is not needed.
    fn rest(&mut self, view: &View, effects: &mut Vec<Effect>) {
        let dead: Vec<_> = self
            .slots
            .range(view.nonce..)
            .filter(|(_, slot)| !slot.is_live())
            .map(|(nonce, _)| *nonce)
            .collect();
        for nonce in dead {
            self.slots.remove(&nonce);
            effects.push(Effect::Forget(nonce));
        }
        self.hold = None;
        self.alarm(Alarm::FeeCap, None, effects);
        self.alarm(Alarm::NoFunds, None, effects);
        self.alarm(Alarm::RouterHolds, None, effects);
        if self.shelved.is_empty() {
            self.alarm(Alarm::BatchRefused, None, effects);
        }
    }

    /// Whether a transaction has waited long enough to be replaced by one that offers more.
    fn is_due(&self, attempt: &Attempt, view: &View) -> bool {
        let waited = view.head.number.saturating_sub(attempt.sent_at);
        waited >= self.policy.bump_blocks
            || (attempt.refused && (waited > 0 || view.market.base_fee > attempt.fees.max_fee))
    }

    pub(super) fn take_signed(&mut self, plan: Plan, attempt: Attempt, effects: &mut Vec<Effect>) {
        self.unsure.remove(&plan.nonce);
        let slot = self.slots.entry(plan.nonce).or_default();
        let replaces = slot.newest().map(|newest| newest.payload);
        slot.attempts.push(attempt);
        if attempt.payload == Payload::Cancel && replaces != Some(Payload::Cancel) {
            effects.push(Effect::Note(Note::Cancelled(plan.nonce)));
        } else if replaces.is_some() {
            effects.push(Effect::Note(Note::Bumped(plan.nonce)));
        }
        effects.push(Effect::Store(plan.nonce));
        effects.push(Effect::Send(plan.nonce, attempt.hash));
    }

    pub(super) fn take_answer(
        &mut self,
        nonce: u64,
        hash: H256,
        answer: Answer,
        effects: &mut Vec<Effect>,
    ) {
        let refused = match answer {
            // Whether it arrived, and whose transaction used the nonce, is what the next view tells.
            Answer::Unknown | Answer::NonceUsed => return,
            Answer::Taken => {
                self.alarm(Alarm::NoFunds, None, effects);
                return;
            }
            Answer::NoFunds => {
                let reason =
                    "the node says that the relayer's account cannot pay: send it ETH".to_owned();
                self.alarm(Alarm::NoFunds, Some(reason), effects);
                return;
            }
            Answer::Underpriced => None,
            Answer::Rejected(reason) => Some(reason),
        };
        let Some(attempt) = self.slots.get_mut(&nonce).and_then(|slot| {
            slot.attempts
                .iter_mut()
                .find(|attempt| attempt.hash == hash)
        }) else {
            return;
        };
        attempt.refused = true;
        let payload = attempt.payload;
        effects.push(Effect::Store(nonce));
        if let (Some(reason), Payload::Batch(digest), Some(view)) =
            (refused, payload, self.view.clone())
        {
            let reason = format!("the node refuses the transaction of batch {digest:?}: {reason}");
            self.alarm(Alarm::BatchRefused, Some(reason), effects);
            self.shelve(digest, &view, self.policy.retry_blocks);
        }
    }
}
