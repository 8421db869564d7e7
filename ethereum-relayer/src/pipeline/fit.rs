//! Whether a ready batch fits what the Router holds, and the alarm for one that has not for long.
//!
//! The chain reports as ready what it believes that the Router would take now. It knows Ethereum as of its anchor, so
//! after a race, a reorg or a handover a batch may not fit for some blocks. If it lasts, chain and Ethereum node do not
//! speak of the same Router, or one of them has stopped, and nothing settles: only a person can mend that.

use super::{Alarm, BatchFacts, Effect, State, View};
use gear_exe_primitives::H256;

/// What keeps a batch from being the Router's next, as far as its header tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Misfit {
    /// The Router holds a batch of this nonce already.
    Behind,
    /// The batch before it is missing.
    Ahead,
    /// It builds on another batch than the one that the Router holds.
    Parent,
    /// The Router would not take the signatures of its set.
    Set,
    /// It is too late.
    Expired,
}

/// A ready batch that does not fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unfit {
    /// Number of Ethereum's head when that was first seen.
    since: u64,
    /// What a pre-flight said, if the header alone would do.
    refused: Option<String>,
}

/// Why the Router, as it is at the head, would not take `batch` next; nothing if, by its header, it would.
pub(super) fn misfit(batch: &BatchFacts, view: &View) -> Option<Misfit> {
    let next = view.router.nonce.saturating_add(1);
    if batch.nonce < next {
        Some(Misfit::Behind)
    } else if batch.nonce > next {
        Some(Misfit::Ahead)
    } else if batch.parent != view.router.digest {
        Some(Misfit::Parent)
    } else if batch.set_id != view.router.set_id {
        Some(Misfit::Set)
    } else if batch.expiry <= view.timestamp {
        Some(Misfit::Expired)
    } else {
        None
    }
}

impl State {
    /// A pre-flight has refused a batch for a reason that should pass, or be replaced, by itself.
    pub(super) fn note_unfit(&mut self, view: &View, digest: H256, reason: &str) {
        let unfit = self.unfit.entry(digest).or_insert(Unfit {
            since: view.head.number,
            refused: None,
        });
        unfit.refused = Some(reason.to_owned());
    }

    /// The head's number may have gone back: no wait is shorter for it, and none much longer.
    pub(super) fn clamp_unfit(&mut self, head: u64) {
        let latest = head.saturating_add(self.policy.unfit_blocks);
        for unfit in self.unfit.values_mut() {
            unfit.since = unfit.since.min(latest);
        }
    }

    /// A pre-flight has found that it fits, or that something else is in the way, which has an alarm of its own.
    pub(super) fn note_fit(&mut self, digest: H256) {
        self.unfit.remove(&digest);
    }

    /// Compares the ready batches with the Router, and raises or ends the alarm.
    pub(super) fn look_at_fit(&mut self, view: &View, effects: &mut Vec<Effect>) {
        let mut overdue = None;
        for digest in self.ready.clone() {
            let Some(batch) = self.batches.get(&digest).copied() else {
                continue;
            };
            let misfit = misfit(&batch, view);
            let fits = match misfit {
                // What the Router holds fitted, and the chain learns of it: at the latest when it is final.
                Some(Misfit::Behind) => {
                    digest == view.router.digest
                        || digest == view.settled.digest
                        || batch.nonce > view.settled.nonce
                }
                Some(_) => false,
                None => self
                    .unfit
                    .get(&digest)
                    .is_none_or(|unfit| unfit.refused.is_none()),
            };
            if fits {
                self.unfit.remove(&digest);
                continue;
            }
            let unfit = self.unfit.entry(digest).or_insert(Unfit {
                since: view.head.number,
                refused: None,
            });
            if misfit.is_some() {
                unfit.refused = None;
            }
            let blocks = view.head.number.saturating_sub(unfit.since);
            if overdue.is_none() && blocks >= self.policy.unfit_blocks {
                let why = explain(misfit, unfit.refused.as_deref(), &batch, view);
                overdue = Some((digest, describe(&batch, view, blocks, &why)));
            }
        }
        let named = overdue.as_ref().map(|(digest, _)| (*digest, view.router));
        if named != self.overdue {
            // What was said is not true any more.
            self.alarm(Alarm::BatchUnfit, None, effects);
            self.overdue = named;
        }
        self.alarm(
            Alarm::BatchUnfit,
            overdue.map(|(_, reason)| reason),
            effects,
        );
    }
}

/// What the batch wants, and what the Router holds.
fn describe(batch: &BatchFacts, view: &View, blocks: u64, why: &str) -> String {
    let (router, settled) = (&view.router, &view.settled);
    format!(
        "batch {:?} has not fitted the Router for {blocks} Ethereum blocks. It wants nonce {} on batch {:?}, of set {}, \
         before {}; the Router holds nonce {}, batch {:?}, set {} (final: nonce {}, set {}) at block {}, {}. {why}",
        batch.digest,
        batch.nonce,
        batch.parent,
        batch.set_id,
        batch.expiry,
        router.nonce,
        router.digest,
        router.set_id,
        settled.nonce,
        settled.set_id,
        view.head.number,
        view.timestamp,
    )
}

/// What it means, and what the operator can do.
fn explain(
    misfit: Option<Misfit>,
    refused: Option<&str>,
    batch: &BatchFacts,
    view: &View,
) -> String {
    const NODES: &str = "compare the heads of --node and --ethereum with those of other nodes, and replace the one that \
        has fallen behind or is on another network";
    match misfit {
        Some(Misfit::Behind) => format!(
            "The chain has not noticed that a batch of this nonce is final on Ethereum: {NODES}; if both are right, the \
             validators' Ethereum nodes must be looked at"
        ),
        Some(Misfit::Ahead) => format!(
            "The batch before it is not on this branch of Ethereum: {NODES}; if both are right, the validators have to \
             seal anew on what the Router holds"
        ),
        Some(Misfit::Parent) => format!(
            "The Router has applied another batch than the one that this one builds on: {NODES}; if both are right, the \
             validators have to seal anew on what the Router holds"
        ),
        Some(Misfit::Set) if batch.set_id > view.router.set_id => format!(
            "The Router has not got the handover to this set: {NODES}; if both are right, the set that the Router holds \
             has to sign the handover, or governance has to recover the set (recoverValidatorSet)"
        ),
        Some(Misfit::Set) => format!(
            "The Router has moved on to a newer set, whose members have to sign: {NODES}; if both are right, the \
             validators' Ethereum nodes must be looked at"
        ),
        Some(Misfit::Expired) => format!(
            "It has expired, and the chain has put no other in its place: {NODES}; if both are right, look whether the \
             chain still finalises blocks and its anchor moves"
        ),
        None => format!(
            "The Router would refuse it: {}. {NODES}; if both are right, the validators have to seal anew",
            refused.unwrap_or_default()
        ),
    }
}
