//! How views are counted at the end of a block: the counterpart of `pallets/execution/src/anchor.rs`.

use super::{Anchors, View};
use crate::{
    clause::Clause,
    ethereum::{Block, Tree},
};

/// The views that count.
pub(super) struct Votes {
    views: Vec<View>,
    quorum: usize,
}

impl Votes {
    pub(super) fn new(model: &Anchors, views: impl Iterator<Item = View>) -> Self {
        Self {
            views: views.collect(),
            quorum: if model.has(Clause::TwoThirds) { 3 } else { 2 },
        }
    }

    /// The highest block that a quorum of the tips supports.
    fn supported(&self, model: &Anchors, tips: impl Fn(&View) -> Block) -> Option<Block> {
        let ancestors = model.has(Clause::AncestorsAreSupported);
        let supports = |view: &&View, block| {
            let tip = tips(view);
            tip == block || ancestors && model.tree.is_ancestor_or_same(block, tip)
        };
        model
            .tree
            .blocks()
            .filter(|block| {
                let support = self.views.iter().filter(|view| supports(view, *block));
                support.count() >= self.quorum
            })
            .max_by_key(|block| model.tree.number(*block))
    }

    /// A quorum's tips are neither ancestors nor descendants of `anchor`.
    fn conflict_with(&self, tree: &Tree, anchor: Block) -> bool {
        let against = self
            .views
            .iter()
            .filter(|view| tree.conflict(view.tip, anchor));
        against.count() >= self.quorum
    }

    /// Where the anchor goes.
    pub(super) fn anchor(&self, model: &Anchors, anchor: Block, finalised: Block) -> Block {
        let tree = &model.tree;
        let Some(best) = self.supported(model, |view| view.tip) else {
            return anchor;
        };
        if tree.is_ancestor_or_same(anchor, best) {
            return best;
        }
        let above_final = tree.is_ancestor_or_same(finalised, best);
        let conflict = self.conflict_with(tree, anchor);
        let may_rewind = (above_final || !model.has(Clause::FinalStays))
            && (conflict || !model.has(Clause::RewindNeedsConflict));
        if may_rewind { best } else { anchor }
    }

    /// Where the finalised block goes: up along the anchor's branch.
    pub(super) fn finalised(&self, model: &Anchors, anchor: Block, finalised: Block) -> Block {
        let tree = &model.tree;
        self.supported(model, |view| view.finalised)
            .filter(|best| tree.is_ancestor_or_same(finalised, *best))
            .filter(|best| tree.is_ancestor_or_same(*best, anchor))
            .unwrap_or(finalised)
    }
}
