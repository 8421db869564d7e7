//! The pipeline from signed batch to Ethereum's finality, as one pure step.
//!
//! `step(state, event) -> effects` reads no clock, touches no network and writes no file, so a crash, a reorg, a
//! dropped transaction, a lost race or a fee spike is a list of events in a test. Stages, in the order of the flow:
//!
//! * `source`: which signed batch is next, by what the Router holds; `fit`: the alarm for one that never is.
//! * `build`: its transaction: pre-flight, gas, fees.
//! * `include`: one nonce at a time until it is mined: send, send again, replace, cancel.
//! * `branch`: what of all this does not hold on another branch of Ethereum.
//! * `finalise`: what a new view of Ethereum says of what was sent.
//!
//! The state is driven by levels, not by edges: each view holds all that matters (the Router's last batch, our nonce,
//! what became of our transactions), and the stages compare it with what is wanted. So nothing has to be remembered
//! over a crash but the transactions that were signed, and even those only to spare a replacement.

mod branch;
mod build;
pub mod fees;
mod finalise;
mod fit;
mod include;
mod source;
mod types;

pub use build::MAX_GAS;
pub use types::*;

use fit::Unfit;
use gear_exe_primitives::H256;
use std::collections::{BTreeMap, BTreeSet};

/// What the operator decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Never offer more than this, in wei per gas.
    pub max_fee: u128,
    /// Replace a transaction with a better paid one after this many Ethereum blocks without inclusion.
    pub bump_blocks: u64,
    /// Ethereum blocks to leave to relayers with a better priority before sending.
    pub stagger_blocks: u64,
    /// Try a batch that the Router refused again after this many Ethereum blocks.
    pub retry_blocks: u64,
    /// Warn when a ready batch has not fitted what the Router holds for this many Ethereum blocks.
    pub unfit_blocks: u64,
    /// Warn when the account holds less wei than this.
    pub low_balance: u128,
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            max_fee: 200_000_000_000,
            bump_blocks: 3,
            stagger_blocks: 0,
            retry_blocks: 16,
            unfit_blocks: 20,
            low_balance: 50_000_000_000_000_000,
        }
    }
}

/// A batch that is left alone for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Shelved {
    /// Until Ethereum has this many blocks,
    until: u64,
    /// or the Router holds another batch.
    router: H256,
}

/// Why nothing is sent now, so that it is not asked again before something changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Hold {
    digest: H256,
    head: H256,
    balance: u128,
}

impl Hold {
    const fn at(view: &View, digest: H256) -> Self {
        Self {
            digest,
            head: view.head.hash,
            balance: view.balance,
        }
    }
}

/// Everything the pipeline knows.
#[derive(Clone, Debug, Default)]
pub struct State {
    policy: Policy,
    /// In the order of the chain.
    ready: Vec<H256>,
    batches: BTreeMap<H256, BatchFacts>,
    /// Head's number when a batch could first be sent.
    since: BTreeMap<H256, u64>,
    slots: BTreeMap<u64, Slot>,
    shelved: BTreeMap<H256, Shelved>,
    /// Batches that the Router cannot take before a later block than the next, by a pre-flight at this head.
    early: (H256, BTreeSet<H256>),
    /// Nonces whose transactions may have lost their sense: the branch has changed, or they are from the log.
    unsure: BTreeSet<u64>,
    hold: Option<Hold>,
    /// How much gas is added to a batch's estimate, in percent, after it reverted although the pre-flight passed.
    extra_gas: BTreeMap<H256, u64>,
    /// Ready batches that do not fit what the Router holds.
    unfit: BTreeMap<H256, Unfit>,
    /// What [`Alarm::BatchUnfit`] names: the batch, and what the Router held.
    overdue: Option<(H256, RouterState)>,
    view: Option<View>,
    alarms: BTreeSet<Alarm>,
}

impl State {
    /// A start with what the log holds.
    pub fn new(
        policy: Policy,
        slots: impl IntoIterator<Item = (u64, Vec<Attempt>)>,
        batches: impl IntoIterator<Item = BatchFacts>,
    ) -> Self {
        let slots: BTreeMap<_, _> = slots
            .into_iter()
            .map(|(nonce, attempts)| {
                let place = Place::default();
                (nonce, Slot { attempts, place })
            })
            .collect();
        Self {
            policy,
            unsure: slots.keys().copied().collect(),
            slots,
            batches: batches
                .into_iter()
                .map(|batch| (batch.digest, batch))
                .collect(),
            ..Self::default()
        }
    }

    /// Takes in an event and says what has to be done about it.
    pub fn step(&mut self, event: Event) -> Vec<Effect> {
        let mut effects = Vec::new();
        match event {
            Event::Ready(batches) => self.take_ready(batches),
            Event::View(view) => {
                self.take_view(*view, &mut effects);
                self.drive(&mut effects);
                if let Some(view) = self.view.clone() {
                    self.look_at_fit(&view, &mut effects);
                }
            }
            Event::Checked(plan, verdict) => self.take_verdict(plan, verdict, &mut effects),
            Event::Signed(plan, attempt) => self.take_signed(plan, attempt, &mut effects),
            Event::Sent(nonce, hash, answer) => {
                self.take_answer(nonce, hash, answer, &mut effects);
            }
        }
        effects
    }

    /// The last view.
    pub fn view(&self) -> Option<&View> {
        self.view.as_ref()
    }

    /// Nonces with what was signed for them.
    pub fn slots(&self) -> &BTreeMap<u64, Slot> {
        &self.slots
    }

    /// Batches that are neither in the Router nor final, by what the last view says.
    pub fn waiting(&self) -> impl Iterator<Item = &BatchFacts> {
        let settled = self.view.as_ref().map_or(0, |view| view.settled.nonce);
        let in_slots = self.batches.values().filter(|batch| {
            !self.ready.contains(&batch.digest)
                && self.slots.values().any(|slot| slot.carries(batch.digest))
        });
        self.ready
            .iter()
            .filter_map(|digest| self.batches.get(digest))
            .chain(in_slots)
            .filter(move |batch| batch.nonce > settled)
    }

    /// Whether the pipeline still needs a batch's body.
    pub fn needs(&self, digest: H256) -> bool {
        self.batches.contains_key(&digest)
    }

    /// Conditions that last.
    pub fn alarms(&self) -> &BTreeSet<Alarm> {
        &self.alarms
    }

    /// Transactions whose state the next view should hold.
    pub fn tracked(&self) -> Vec<H256> {
        self.slots
            .values()
            .flat_map(|slot| &slot.attempts)
            .map(|attempt| attempt.hash)
            .collect()
    }

    fn alarm(&mut self, alarm: Alarm, reason: Option<String>, effects: &mut Vec<Effect>) {
        let on = reason.is_some();
        if on != self.alarms.contains(&alarm) {
            if on {
                self.alarms.insert(alarm);
            } else {
                self.alarms.remove(&alarm);
            }
            effects.push(Effect::Alarm(alarm, reason));
        }
    }

    /// Drops what is said of batches that nobody needs any more.
    fn tidy(&mut self) {
        let Self {
            ready,
            batches,
            slots,
            ..
        } = self;
        batches.retain(|digest, _| {
            ready.contains(digest) || slots.values().any(|slot| slot.carries(*digest))
        });
        self.since.retain(|digest, _| batches.contains_key(digest));
        self.shelved
            .retain(|digest, _| batches.contains_key(digest));
        self.extra_gas
            .retain(|digest, _| batches.contains_key(digest));
        self.unfit.retain(|digest, _| ready.contains(digest));
        self.unsure.retain(|nonce| slots.contains_key(nonce));
    }
}

impl Slot {
    /// The attempt that counts.
    fn newest(&self) -> Option<&Attempt> {
        self.attempts.last()
    }

    /// Whether a transaction of it may be mined.
    fn is_live(&self) -> bool {
        self.attempts.iter().any(|attempt| !attempt.refused)
    }

    /// Whether one of its transactions carries the batch.
    fn carries(&self, digest: H256) -> bool {
        self.attempts
            .iter()
            .any(|attempt| attempt.payload == Payload::Batch(digest))
    }
}

#[cfg(test)]
mod branch_tests;
#[cfg(test)]
mod fit_tests;
#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;
