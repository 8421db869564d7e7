//! A batch's transaction: whether the Router would take it, its gas limit, and whether we can pay.

use super::{
    Alarm, Attempt, Effect, Hold, Note, Payload, Plan, State, TxStatus, Verdict, View,
    fees::{self, Rival},
};
use gear_exe_ethereum::batch::{Refusal, RefusalClass};
use gear_exe_primitives::H256;

/// EIP-7825: no transaction may ask for more.
pub const MAX_GAS: u64 = 16_777_216;
/// What a transfer without data needs.
const TRANSFER_GAS: u64 = 21_000;
/// What is added to the node's estimate, in percent.
const GAS_MARGIN: u64 = 20;

/// What stands against a transaction that replaces `attempt`.
pub(super) fn rival(attempt: Option<Attempt>) -> Rival {
    match attempt {
        None => Rival::None,
        Some(attempt) if attempt.refused => Rival::Hidden(attempt.fees),
        Some(attempt) => Rival::Held(attempt.fees),
    }
}

impl State {
    /// Plans a transaction that replaces `replaced`, if the cap allows it; says whether it does.
    pub(super) fn plan(
        &mut self,
        view: &View,
        payload: Payload,
        replaced: Option<Attempt>,
        effects: &mut Vec<Effect>,
    ) -> bool {
        let fees = match fees::choose(rival(replaced), view.market, self.policy.max_fee) {
            Ok(fees) => fees,
            Err(above) => {
                let reason = format!(
                    "{} wei per gas would be needed, the cap is {} (--max-fee-gwei): waiting for \
                     Ethereum to become cheaper",
                    above.needed, self.policy.max_fee
                );
                self.alarm(Alarm::FeeCap, Some(reason), effects);
                return false;
            }
        };
        self.alarm(Alarm::FeeCap, None, effects);
        let plan = Plan {
            nonce: view.nonce,
            payload,
            fees,
            head: view.head,
            again: None,
        };
        match payload {
            Payload::Batch(digest) => self.check(view, plan, digest, effects),
            Payload::Cancel => self.sign_if_funded(view, plan, TRANSFER_GAS, effects),
        }
        true
    }

    /// Looks at a transaction that was made before: whether it still makes sense on this branch, and whether the node
    /// has lost it.
    pub(super) fn review(&mut self, view: &View, attempt: &Attempt, effects: &mut Vec<Effect>) {
        let lost = view.transactions.get(&attempt.hash) == Some(&TxStatus::Unknown);
        match attempt.payload {
            Payload::Batch(digest) if lost || self.unsure.contains(&view.nonce) => {
                let plan = Plan {
                    nonce: view.nonce,
                    payload: attempt.payload,
                    fees: attempt.fees,
                    head: view.head,
                    again: Some(attempt.hash),
                };
                self.check(view, plan, digest, effects);
            }
            Payload::Cancel if lost => resend(view.nonce, attempt.hash, effects),
            Payload::Batch(_) | Payload::Cancel => {}
        }
    }

    fn check(&self, view: &View, plan: Plan, digest: H256, effects: &mut Vec<Effect>) {
        // If this was asked before, and the answer was to wait, then something has to change first.
        if self.hold != Some(Hold::at(view, digest)) && !self.is_early(digest, view) {
            effects.push(Effect::Check(plan));
        }
    }

    pub(super) fn take_verdict(&mut self, plan: Plan, verdict: Verdict, effects: &mut Vec<Effect>) {
        let (Payload::Batch(digest), Some(view)) = (plan.payload, self.view.clone()) else {
            return;
        };
        if plan.head != view.head || plan.nonce != view.nonce {
            return;
        }
        if plan.again.is_some() && verdict != Verdict::Unknown {
            self.unsure.remove(&plan.nonce);
        }
        match verdict {
            Verdict::Unknown => {}
            Verdict::Refused(refusal) => self.take_refusal(&view, digest, refusal, effects),
            Verdict::Fits(estimate) => {
                self.note_fit(digest);
                self.alarm(Alarm::BatchRefused, None, effects);
                self.alarm(Alarm::RouterHolds, None, effects);
                if let Some(hash) = plan.again {
                    if view.transactions.get(&hash) == Some(&TxStatus::Unknown) {
                        resend(plan.nonce, hash, effects);
                    }
                    return;
                }
                let extra = self.extra_gas.get(&digest).copied().unwrap_or(0);
                let gas = estimate
                    .saturating_mul(100 + GAS_MARGIN + extra)
                    .saturating_div(100);
                if gas > MAX_GAS {
                    let reason = format!(
                        "batch {digest:?} would need a gas limit of {gas}, above the {MAX_GAS} that \
                         Ethereum allows: lower the governed limits of a batch"
                    );
                    self.alarm(Alarm::BatchRefused, Some(reason), effects);
                    self.shelve(digest, &view, self.policy.retry_blocks);
                    return;
                }
                self.sign_if_funded(&view, plan, gas, effects);
            }
        }
    }

    fn take_refusal(
        &mut self,
        view: &View,
        digest: H256,
        refusal: Refusal,
        effects: &mut Vec<Effect>,
    ) {
        let reason = refusal.reason;
        match refusal.class {
            // The next view shows what the Router holds.
            RefusalClass::Already => effects.push(Effect::Note(Note::RaceLost(digest))),
            RefusalClass::Early => {
                self.note_unfit(view, digest, &reason);
                self.note_early(digest, view);
            }
            RefusalClass::Stale => {
                self.note_unfit(view, digest, &reason);
                self.shelve(digest, view, self.policy.bump_blocks.max(1));
            }
            RefusalClass::Retry => {
                self.note_fit(digest);
                let reason = format!("the Router holds batch {digest:?} back: {reason}");
                self.alarm(Alarm::RouterHolds, Some(reason), effects);
            }
            RefusalClass::Fatal => {
                self.note_fit(digest);
                let reason = format!("the Router refuses batch {digest:?}: {reason}");
                self.alarm(Alarm::BatchRefused, Some(reason), effects);
                self.shelve(digest, view, self.policy.retry_blocks);
            }
        }
        self.hold = Some(Hold::at(view, digest));
        if self.shelved.contains_key(&digest) || self.is_early(digest, view) {
            // Another batch may fit, and must not wait for this one's turn to come again.
            self.drive(effects);
        }
    }

    fn sign_if_funded(&mut self, view: &View, plan: Plan, gas: u64, effects: &mut Vec<Effect>) {
        let needed = u128::from(gas).saturating_mul(plan.fees.max_fee);
        if needed > view.balance {
            let reason = format!(
                "the relayer's account holds {} wei and the next transaction may cost {needed}: send it ETH",
                view.balance
            );
            self.alarm(Alarm::NoFunds, Some(reason), effects);
            if let Payload::Batch(digest) = plan.payload {
                self.hold = Some(Hold::at(view, digest));
            }
            return;
        }
        self.alarm(Alarm::NoFunds, None, effects);
        self.hold = None;
        effects.push(Effect::Sign(plan, gas));
    }
}

fn resend(nonce: u64, hash: H256, effects: &mut Vec<Effect>) {
    effects.push(Effect::Note(Note::Rebroadcast(hash)));
    effects.push(Effect::Send(nonce, hash));
}
