//! Which signed batch is next: the one that continues what the Router holds at the head.

use super::{BatchFacts, Payload, Shelved, State, View, fit::misfit};
use gear_exe_primitives::H256;

impl State {
    pub(super) fn take_ready(&mut self, batches: Vec<BatchFacts>) {
        self.ready = batches.iter().map(|batch| batch.digest).collect();
        self.batches
            .extend(batches.into_iter().map(|batch| (batch.digest, batch)));
        self.tidy();
    }

    /// The batch to be carried next. Several seals may build on one batch of the Router; all relayers then prefer the
    /// one that is already on its way, else the oldest seal.
    pub(super) fn candidate(&mut self, view: &View) -> Option<BatchFacts> {
        let under_way = self
            .slots
            .get(&view.nonce)
            .and_then(|slot| slot.newest())
            .and_then(|attempt| match attempt.payload {
                Payload::Batch(digest) => Some(digest),
                Payload::Cancel => None,
            });
        let fitting: Vec<_> = under_way
            .iter()
            .chain(&self.ready)
            .chain(self.batches.keys())
            .filter_map(|digest| self.batches.get(digest))
            .filter(|batch| misfit(batch, view).is_none() && !self.is_shelved(batch.digest, view))
            .copied()
            .collect();
        let mut early = None;
        for batch in fitting {
            let first = *self.since.entry(batch.digest).or_insert(view.head.number);
            let is_turn = self.slots.values().any(|slot| slot.carries(batch.digest))
                || view.head.number >= first.saturating_add(self.policy.stagger_blocks);
            if is_turn && !self.is_early(batch.digest, view) {
                return Some(batch);
            }
            if is_turn {
                early.get_or_insert(batch);
            }
        }
        // What must wait for Ethereum's next blocks keeps its nonce only if nothing else wants it now.
        early
    }

    /// Whether a pre-flight at this head has said that the batch must wait for a later block.
    pub(super) fn is_early(&self, digest: H256, view: &View) -> bool {
        self.early.0 == view.head.hash && self.early.1.contains(&digest)
    }

    pub(super) fn note_early(&mut self, digest: H256, view: &View) {
        if self.early.0 != view.head.hash {
            self.early = (view.head.hash, Default::default());
        }
        self.early.1.insert(digest);
    }

    fn is_shelved(&self, digest: H256, view: &View) -> bool {
        self.shelved.get(&digest).is_some_and(|shelved| {
            view.head.number < shelved.until && view.router.digest == shelved.router
        })
    }

    pub(super) fn shelve(&mut self, digest: H256, view: &View, blocks: u64) {
        let shelved = Shelved {
            until: view.head.number.saturating_add(blocks),
            router: view.router.digest,
        };
        self.shelved.insert(digest, shelved);
    }
}
