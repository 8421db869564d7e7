//! Batches on their way to Ethereum, as this node has seen them. Pure: [`super::watch`] brings what the chain and Ethereum
//! say, and what had been seen is judged anew each time, since Ethereum may take back what it said.

use gear_exe_primitives::{
    H256,
    batch::{AppliedBatch, BatchHeader},
    round::ChainBlock,
};
use std::collections::{BTreeMap, BTreeSet};

/// Batches that are remembered, the newest ones.
pub const KEPT: usize = 64;

/// How far a batch has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BatchState {
    /// This node has built it; signatures are collected.
    Signing,
    /// A quorum has signed it: a relayer may carry it.
    Ready,
    /// The Router holds it, or one that is built on it.
    Committed,
    /// The same after an Ethereum block that is final.
    Settled,
    /// Another batch has taken its place.
    Superseded,
}

impl BatchState {
    /// All of them, in the order in which they come.
    pub const ALL: [Self; 5] = [
        Self::Signing,
        Self::Ready,
        Self::Committed,
        Self::Settled,
        Self::Superseded,
    ];

    /// Its name in RPC and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Signing => "signing",
            Self::Ready => "ready",
            Self::Committed => "committed",
            Self::Settled => "settled",
            Self::Superseded => "superseded",
        }
    }
}

/// A batch and when this node saw it reach its states, in milliseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchSeen {
    /// Its number.
    pub nonce: u64,
    /// What is signed.
    pub digest: H256,
    /// Digest of the batch before it; nothing if only the Router's word of this one is known.
    pub parent: Option<H256>,
    /// The block that closes it.
    pub seal: ChainBlock,
    /// The last round in it.
    pub last_round: ChainBlock,
    /// The set that signs it, if its header is known.
    pub set_id: Option<u64>,
    /// Programs that it changes, if this node has its body.
    pub programs: Option<u64>,
    /// Places in the set of those who have said something of its seal.
    pub voted: BTreeSet<u32>,
    /// How far it has come.
    pub state: BatchState,
    /// When it was known first; nothing if the Router held it when the node started.
    pub signing: Option<u64>,
    /// When a quorum had signed it.
    pub ready: Option<u64>,
    /// When the chain knew that the Router holds it.
    pub committed: Option<u64>,
    /// When that was final.
    pub settled: Option<u64>,
}

/// A batch that the chain tells of.
#[derive(Clone, Debug)]
pub struct Told {
    /// What is signed.
    pub header: BatchHeader,
    /// Its digest.
    pub digest: H256,
    /// Who has voted on its seal, by place in the set.
    pub voted: Vec<u32>,
    /// A quorum has signed it.
    pub ready: bool,
}

/// What the chain and Ethereum say now.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// Batches of seals on which a vote is still of use.
    pub told: Vec<Told>,
    /// The batch that the Router holds.
    pub held: AppliedBatch,
    /// The batch that it holds after the last final Ethereum block, if the node has seen that block.
    pub settled: Option<AppliedBatch>,
}

/// A state that was reached, and how many milliseconds after the batch was known.
pub type Reached = (BatchState, u64);

/// The batches, by nonce and seal.
#[derive(Debug, Default)]
pub struct BatchBook {
    batches: BTreeMap<(u64, u64), BatchSeen>,
}

impl BatchBook {
    /// All of them, newest first.
    pub fn newest_first(&self) -> impl Iterator<Item = &BatchSeen> {
        self.batches.values().rev()
    }

    /// How many are in a state.
    pub fn count(&self, state: BatchState) -> usize {
        let batches = self.batches.values();
        batches.filter(|batch| batch.state == state).count()
    }

    /// How many of the batches of a set that are signed its members have voted on, by place, and of how many.
    pub fn participation(&self, set_id: u64, members: usize) -> (Vec<u64>, u64) {
        let (mut signed, mut of) = (vec![0; members], 0);
        for batch in self.batches.values() {
            if batch.set_id != Some(set_id) || batch.ready.is_none() || batch.voted.is_empty() {
                continue;
            }
            of += 1;
            for place in &batch.voted {
                if let Some(signed) = signed.get_mut(*place as usize) {
                    *signed += 1;
                }
            }
        }
        (signed, of)
    }

    /// Takes in what is said now. `programs` says how many programs a batch changes, and is asked once for each. Returns
    /// what was reached since the last time.
    pub fn update(
        &mut self,
        facts: &Facts,
        now: u64,
        programs: impl Fn(H256) -> Option<u64>,
    ) -> Vec<Reached> {
        for told in &facts.told {
            let header = told.header;
            let key = (header.nonce, header.seal_number);
            let known = self.batches.get(&key);
            if known.is_none_or(|known| known.digest != told.digest) {
                let programs = programs(told.digest);
                self.batches.insert(key, begun(told, programs, now));
            } else if let Some(known) = self.batches.get_mut(&key) {
                known.parent = Some(header.parent);
                known.set_id = Some(header.set_id);
                known.voted.extend(told.voted.iter().copied());
            }
        }
        // Nonce 0 is no batch.
        for held in [Some(facts.held), facts.settled].into_iter().flatten() {
            if held.nonce > 0 {
                let key = (held.nonce, held.seal_number);
                self.batches
                    .entry(key)
                    .or_insert_with(|| found(&held, programs(held.digest)));
            }
        }
        let reached = self.judge(facts, now);
        while self.batches.len() > KEPT {
            self.batches.pop_first();
        }
        reached
    }

    /// Digests of the batches that lead to this one.
    fn path(&self, to: &AppliedBatch) -> BTreeSet<H256> {
        let mut path = BTreeSet::new();
        let mut next = (to.nonce > 0).then_some(to.digest);
        for batch in self.batches.values().rev() {
            if Some(batch.digest) == next {
                path.insert(batch.digest);
                next = batch.parent;
            }
        }
        path
    }

    fn judge(&mut self, facts: &Facts, now: u64) -> Vec<Reached> {
        let applied = self.path(&facts.held);
        let settled = facts.settled.map(|last| self.path(&last));
        let told: BTreeMap<H256, bool> = facts
            .told
            .iter()
            .map(|told| (told.digest, told.ready))
            .collect();
        let mut reached = Vec::new();
        for batch in self.batches.values_mut() {
            let is_settled = settled
                .as_ref()
                .is_some_and(|settled| settled.contains(&batch.digest));
            // What was settled once stays so, also where the way to it is forgotten.
            batch.state = if is_settled || batch.state == BatchState::Settled {
                BatchState::Settled
            } else if applied.contains(&batch.digest) {
                BatchState::Committed
            } else if batch.nonce <= facts.held.nonce {
                BatchState::Superseded
            } else {
                match told.get(&batch.digest) {
                    Some(true) => BatchState::Ready,
                    Some(false) => BatchState::Signing,
                    // It has expired, or was built on what the Router does not hold.
                    None => BatchState::Superseded,
                }
            };
            let state = batch.state;
            for (level, at) in [
                (BatchState::Ready, &mut batch.ready),
                (BatchState::Committed, &mut batch.committed),
                (BatchState::Settled, &mut batch.settled),
            ] {
                if state == BatchState::Superseded || state < level {
                    // Ethereum may have taken it back. That it was signed stays true.
                    if level > BatchState::Ready {
                        *at = None;
                    }
                } else if at.is_none()
                    && let Some(known) = batch.signing
                {
                    *at = Some(now);
                    reached.push((level, now.saturating_sub(known)));
                }
            }
        }
        reached
    }
}

/// A batch that is being signed.
fn begun(told: &Told, programs: Option<u64>, now: u64) -> BatchSeen {
    let header = told.header;
    BatchSeen {
        nonce: header.nonce,
        digest: told.digest,
        parent: Some(header.parent),
        seal: ChainBlock {
            number: header.seal_number,
            hash: header.seal_hash,
        },
        last_round: ChainBlock {
            number: header.last_round,
            hash: header.last_round_hash,
        },
        set_id: Some(header.set_id),
        programs,
        voted: told.voted.iter().copied().collect(),
        state: BatchState::Signing,
        signing: Some(now),
        ready: None,
        committed: None,
        settled: None,
    }
}

/// A batch that the Router held before this node knew of it.
fn found(held: &AppliedBatch, programs: Option<u64>) -> BatchSeen {
    BatchSeen {
        nonce: held.nonce,
        digest: held.digest,
        parent: None,
        seal: ChainBlock {
            number: held.seal_number,
            hash: held.seal_hash,
        },
        last_round: ChainBlock {
            number: held.last_round,
            hash: held.last_round_hash,
        },
        set_id: None,
        programs,
        voted: BTreeSet::new(),
        state: BatchState::Committed,
        signing: None,
        ready: None,
        committed: None,
        settled: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(seal: u64) -> H256 {
        H256::from_low_u64_be(seal)
    }

    /// Batch `nonce` of the seal `seal`, built on the batch of the seal `parent`.
    fn batch(nonce: u64, seal: u64, parent: u64, ready: bool) -> Told {
        Told {
            header: BatchHeader {
                genesis: H256::zero(),
                seal_number: seal,
                seal_hash: H256::zero(),
                last_round: seal,
                last_round_hash: H256::zero(),
                nonce,
                parent: digest(parent),
                anchor_number: 0,
                anchor_hash: H256::zero(),
                set_id: 1,
                content: H256::zero(),
                expiry: 0,
            },
            digest: digest(seal),
            voted: vec![0, 2],
            ready,
        }
    }

    fn held(nonce: u64, seal: u64) -> AppliedBatch {
        AppliedBatch {
            nonce,
            digest: digest(seal),
            seal_number: seal,
            ..Default::default()
        }
    }

    fn states(book: &BatchBook) -> Vec<(u64, BatchState)> {
        let batches = book.batches.values();
        batches
            .map(|batch| (batch.seal.number, batch.state))
            .collect()
    }

    #[test]
    fn a_batch_goes_its_way_and_times_are_kept() {
        let mut book = BatchBook::default();
        let mut facts = Facts {
            told: vec![batch(1, 10, 0, false)],
            ..Default::default()
        };
        let programs = |_: H256| Some(3);
        assert_eq!(book.update(&facts, 1_000, programs), []);
        assert_eq!(states(&book), [(10, BatchState::Signing)]);
        facts.told = vec![batch(1, 10, 0, true)];
        let reached = book.update(&facts, 1_500, programs);
        assert_eq!(reached, [(BatchState::Ready, 500)]);
        assert_eq!(book.update(&facts, 1_600, programs), []);
        facts.told.clear();
        facts.held = held(1, 10);
        let reached = book.update(&facts, 3_000, programs);
        assert_eq!(reached, [(BatchState::Committed, 2_000)]);
        facts.settled = Some(facts.held);
        let reached = book.update(&facts, 5_000, programs);
        assert_eq!(reached, [(BatchState::Settled, 4_000)]);
        let seen = book.newest_first().next().unwrap();
        assert_eq!(seen.programs, Some(3));
        assert_eq!(
            (seen.signing, seen.ready, seen.committed, seen.settled),
            (Some(1_000), Some(1_500), Some(3_000), Some(5_000))
        );
        assert_eq!(book.participation(1, 3), (vec![1, 0, 1], 1));
        assert_eq!(book.participation(2, 3), (vec![0, 0, 0], 0));
    }

    #[test]
    fn of_two_with_one_nonce_one_counts_and_ethereum_may_change_its_mind() {
        let mut book = BatchBook::default();
        let mut facts = Facts {
            told: vec![batch(1, 10, 0, true), batch(1, 11, 0, true)],
            ..Default::default()
        };
        book.update(&facts, 0, |_| None);
        facts.held = held(1, 11);
        book.update(&facts, 1, |_| None);
        let of = |first, second| vec![(10, first), (11, second)];
        assert_eq!(
            states(&book),
            of(BatchState::Superseded, BatchState::Committed)
        );
        // Ethereum has left that branch.
        facts.held = held(0, 0);
        book.update(&facts, 2, |_| None);
        assert_eq!(states(&book), of(BatchState::Ready, BatchState::Ready));
        let second = book.newest_first().next().unwrap();
        assert_eq!((second.ready, second.committed), (Some(0), None));
        // Two at once: the second is built on the first.
        facts.told = vec![batch(2, 12, 10, true)];
        facts.held = held(2, 12);
        book.update(&facts, 3, |_| None);
        assert_eq!(
            states(&book),
            [
                (10, BatchState::Committed),
                (11, BatchState::Superseded),
                (12, BatchState::Committed),
            ]
        );
    }

    #[test]
    fn what_the_router_held_before_is_shown_and_nothing_grows() {
        let mut book = BatchBook::default();
        let facts = Facts {
            held: held(7, 90),
            settled: Some(held(6, 80)),
            ..Default::default()
        };
        assert_eq!(book.update(&facts, 5, |_| None), []);
        assert_eq!(
            states(&book),
            [(80, BatchState::Settled), (90, BatchState::Committed)]
        );
        for nonce in 8..200 {
            let facts = Facts {
                told: vec![batch(nonce, 100 + nonce, 99 + nonce, true)],
                held: held(7, 90),
                settled: None,
            };
            book.update(&facts, nonce, |_| None);
        }
        assert_eq!(book.newest_first().count(), KEPT);
    }
}
