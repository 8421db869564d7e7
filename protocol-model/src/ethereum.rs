//! Ethereum as a tree of blocks: what a reorganisation can lead to. Shared by both models.

/// An Ethereum block: its index in the [`Tree`]. It stands for the block's hash.
pub type Block = u8;

/// The block from which everything starts.
pub const ROOT: Block = 0;

/// Blocks by their parents. The root is its own parent.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tree {
    parents: Vec<Block>,
}

impl Tree {
    /// A tree from the parents of its blocks, where the first is the root.
    ///
    /// # Panics
    ///
    /// If a parent does not stand before its child.
    pub fn new(parents: &[Block]) -> Self {
        let ordered = |(child, parent): (usize, &Block)| usize::from(*parent) < child.max(1);
        assert!(
            parents.iter().enumerate().all(ordered),
            "parents stand before their children, the root first"
        );
        Self {
            parents: parents.to_vec(),
        }
    }

    /// How many blocks there are, the root included.
    pub fn len(&self) -> usize {
        self.parents.len()
    }

    /// Never: there is always the root.
    pub fn is_empty(&self) -> bool {
        self.parents.is_empty()
    }

    /// All blocks, parents before their children.
    pub fn blocks(&self) -> impl DoubleEndedIterator<Item = Block> + use<> {
        0..u8::try_from(self.parents.len()).unwrap_or(u8::MAX)
    }

    /// The parent; of the root the root.
    pub fn parent(&self, block: Block) -> Block {
        self.parents[usize::from(block)]
    }

    /// Adds a child, and returns it.
    pub fn grow(&mut self, parent: Block) -> Block {
        self.parents.push(parent);
        u8::try_from(self.parents.len() - 1).unwrap_or(u8::MAX)
    }

    /// The block, its parent, and so on down to the root.
    pub fn line(&self, block: Block) -> impl Iterator<Item = Block> + '_ {
        std::iter::successors(Some(block), |block| {
            (*block != ROOT).then(|| self.parent(*block))
        })
    }

    /// How far above the root the block is. It stands for number and timestamp.
    pub fn number(&self, block: Block) -> u8 {
        u8::try_from(self.line(block).count() - 1).unwrap_or(u8::MAX)
    }

    /// Whether `block` is `of` or an ancestor of it.
    pub fn is_ancestor_or_same(&self, block: Block, of: Block) -> bool {
        self.line(of).any(|ancestor| ancestor == block)
    }

    /// Neither is an ancestor of the other.
    pub fn conflict(&self, one: Block, other: Block) -> bool {
        !self.is_ancestor_or_same(one, other) && !self.is_ancestor_or_same(other, one)
    }

    /// The highest common ancestor.
    pub fn fork(&self, one: Block, other: Block) -> Block {
        self.line(one)
            .find(|block| self.is_ancestor_or_same(*block, other))
            .unwrap_or(ROOT)
    }

    /// The blocks after `from` up to `to`, oldest first. `from` must be `to` or an ancestor of it.
    pub fn path(&self, from: Block, to: Block) -> Vec<Block> {
        let mut path: Vec<_> = self.line(to).take_while(|block| *block != from).collect();
        path.reverse();
        path
    }
}
