//! States that differ only in what Ethereum's blocks are called are one: a block's name is its place in a walk over the
//! tree that visits siblings in an order which depends on nothing but their role.
//!
//! Whatever the protocol does commutes with another choice of names, since it never compares them. Where two siblings
//! cannot be told apart, any order will do, because any choice of names is sound.

use super::State;
use crate::ethereum::{Block, ROOT, Tree};
use std::{
    collections::VecDeque,
    hash::{DefaultHasher, Hash, Hasher},
};

impl State {
    /// Renames Ethereum's blocks.
    pub(super) fn make_canonical(&mut self) {
        let order = self.order();
        if order
            .iter()
            .zip(self.tree.blocks())
            .any(|(old, new)| *old != new)
        {
            self.reorder(&order);
        }
    }

    /// Forgets blocks that are nobody's anchor nor below one: they may come again.
    pub(super) fn forget_pending(&mut self) {
        let kept = self
            .tree
            .blocks()
            .filter(|block| self.is_referenced(*block));
        self.reorder(&kept.collect::<Vec<_>>());
    }

    /// Keeps these blocks, in this order.
    fn reorder(&mut self, order: &[Block]) {
        let mut names = vec![ROOT; self.tree.len()];
        for (old, new) in order.iter().zip(self.tree.blocks()) {
            names[usize::from(*old)] = new;
        }
        let name = |block: Block| names[usize::from(block)];
        let parents: Vec<_> = order
            .iter()
            .map(|old| name(self.tree.parent(*old)))
            .collect();
        self.carried = order
            .iter()
            .map(|old| self.carried[usize::from(*old)])
            .collect();
        self.routers = order
            .iter()
            .map(|old| self.routers[usize::from(*old)])
            .collect();
        self.tree = Tree::new(&parents);
        self.ethereum_final = name(self.ethereum_final);
        for router in &mut self.routers {
            router.log = router.log.renamed(name);
        }
        for block in &mut self.chain {
            block.anchor = name(block.anchor);
            block.outcome.log = block.outcome.log.renamed(name);
        }
        for batch in &mut self.batches {
            batch.anchor = name(batch.anchor);
            batch.content = batch.content.renamed(name);
        }
    }

    /// The blocks in their new order.
    fn order(&self) -> Vec<Block> {
        let count = self.tree.len();
        let mut children = vec![Vec::new(); count];
        let mut roles = vec![0; count];
        let descending: Vec<_> = self.tree.blocks().rev().collect();
        for block in descending {
            let place = usize::from(block);
            let mut hasher = DefaultHasher::new();
            self.carried[place].hash(&mut hasher);
            (block == self.ethereum_final).hash(&mut hasher);
            let anchors = self.chain.iter().map(|at| at.anchor == block);
            anchors.for_each(|is_anchor| is_anchor.hash(&mut hasher));
            children[place].sort_by_key(|child: &Block| roles[usize::from(*child)]);
            let below = children[place]
                .iter()
                .map(|child| roles[usize::from(*child)]);
            below.for_each(|role: u64| role.hash(&mut hasher));
            roles[place] = hasher.finish();
            if block != ROOT {
                children[usize::from(self.tree.parent(block))].push(block);
            }
        }
        let mut order = Vec::with_capacity(count);
        let mut queue = VecDeque::from([ROOT]);
        while let Some(block) = queue.pop_front() {
            order.push(block);
            queue.extend(&children[usize::from(block)]);
        }
        order
    }
}
