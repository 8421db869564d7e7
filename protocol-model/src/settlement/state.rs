//! What is known at a moment: Ethereum, the chain, and what was signed.

use crate::{
    ethereum::{Block, ROOT, Tree},
    log::Log,
};

/// A seal's block: its number in the chain, and which fork it is on. It stands for the block's hash, and for the
/// digest of the batch, since no two batches have one seal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SealId {
    /// Number in the chain.
    pub number: u8,
    /// Fork.
    pub fork: u8,
}

/// Something that the Router must learn beside transitions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Item {
    /// The set to hand over to.
    Set(u8),
    /// A mint, by its place among all mints.
    Mint(u8),
}

/// What Router, Mirrors and token hold after an Ethereum block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Router {
    /// Batches applied.
    pub nonce: u8,
    /// The last batch.
    pub last: Option<SealId>,
    /// Its last round; genesis if there is none.
    pub last_round: SealId,
    /// The set that must sign next.
    pub set: u8,
    /// Outbox items up to here were applied.
    pub outbox_end: u8,
    /// Everything that was applied, in order.
    pub log: Log,
    /// What was paid to users.
    pub paid: u8,
    /// Bit by bit, the mints that were applied.
    pub minted: u8,
    /// Something was applied that had been before, or was not next in order.
    pub disorder: bool,
}

/// A batch that honest validators have signed.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Batch {
    /// Its seal.
    pub seal: SealId,
    /// Nonce.
    pub nonce: u8,
    /// The batch it builds on.
    pub parent: Option<SealId>,
    /// The set that signs.
    pub set: u8,
    /// The seal's anchor.
    pub anchor: Block,
    /// The last round in it.
    pub last_round: SealId,
    /// What was executed in its rounds.
    pub content: Log,
    /// What it pays to users.
    pub paid: u8,
    /// Outbox items from the Router's cursor on.
    pub items: Vec<Item>,
    /// The cursor after them.
    pub outbox_end: u8,
    /// The last Ethereum block number at which it may be applied.
    pub expiry: u8,
}

/// Who has voted on a seal, of three honest validators and a Byzantine one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Votes {
    /// How many honest ones.
    pub honest: u8,
    /// The Byzantine one has put its signature on the chain. It may give it to a relayer without doing so.
    pub byzantine: bool,
}

impl Votes {
    /// All honest validators.
    pub const HONEST: u8 = 3;
    /// More than two thirds of all.
    const QUORUM: u8 = 3;

    /// The chain has a quorum's signatures.
    pub(super) fn are_ready(self) -> bool {
        self.honest + u8::from(self.byzantine) >= Self::QUORUM
    }

    /// A relayer may have a quorum's signatures.
    pub(super) fn can_be_ready(self) -> bool {
        self.honest + 1 >= Self::QUORUM
    }
}

/// What became of a seal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Seal {
    /// The block is none.
    No,
    /// Nobody has voted.
    Open,
    /// Voted is that there is nothing to send.
    Empty(Votes),
    /// Signed is the batch with this seal in [`State::batches`].
    Signed(Votes),
}

impl Seal {
    /// Votes of honest validators so far, if the block is a seal.
    pub(super) fn honest_votes(self) -> Option<u8> {
        match self {
            Self::No => None,
            Self::Open => Some(0),
            Self::Empty(votes) | Self::Signed(votes) => Some(votes.honest),
        }
    }
}

/// What a round has led to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Outcome {
    /// The round whose outcome it started from. `None` if there is no such round.
    pub base: Option<u8>,
    /// Everything that was executed up to here.
    pub log: Log,
    /// Native messages of the chain's blocks below this one are in it.
    pub cursor: u8,
}

/// A block of the chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ChainBlock {
    /// Differs from that of a block of the same number that was given up, if anything was signed for it.
    pub fork: u8,
    /// Its anchor.
    pub anchor: Block,
    /// The native message in it.
    pub native: Option<u8>,
    /// It has put a mint into the outbox.
    pub mint: bool,
    /// It has elected another set.
    pub elect: bool,
    /// Whether it is a seal.
    pub seal: Seal,
    /// What honest validators found and signed when they executed it.
    pub outcome: Outcome,
}

impl ChainBlock {
    pub(super) fn genesis() -> Self {
        Self {
            fork: 0,
            anchor: ROOT,
            native: None,
            mint: false,
            elect: false,
            seal: Seal::No,
            outcome: Outcome {
                base: Some(0),
                log: Log::default(),
                cursor: 1,
            },
        }
    }
}

/// A state of [`super::Settlement`].
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    /// Ethereum's blocks.
    pub tree: Tree,
    /// The batch in each.
    pub carried: Vec<Option<SealId>>,
    /// What the Router holds after each.
    pub routers: Vec<Router>,
    /// What Ethereum has finalised.
    pub ethereum_final: Block,
    /// The best chain, from genesis.
    pub chain: Vec<ChainBlock>,
    /// What honest validators have signed, by seal.
    pub batches: Vec<Batch>,
    /// An honest validator voted otherwise than one before it had on the same seal.
    pub contradicted: bool,
}

impl State {
    /// The newest block of the chain.
    pub fn tip(&self) -> &ChainBlock {
        // Genesis is always there.
        &self.chain[self.chain.len() - 1]
    }

    /// What the Router holds at an Ethereum block.
    pub fn router(&self, block: Block) -> &Router {
        &self.routers[usize::from(block)]
    }

    /// The block of the chain as it is called in batches.
    pub fn id(&self, number: usize) -> SealId {
        SealId {
            number: u8::try_from(number).unwrap_or(u8::MAX),
            fork: self.chain[number].fork,
        }
    }

    /// Whether the best chain has this block.
    pub fn has(&self, id: SealId) -> bool {
        let block = self.chain.get(usize::from(id.number));
        block.is_some_and(|block| block.fork == id.fork)
    }

    /// Whether an Ethereum block is final or an anchor of the chain, or below one.
    pub(super) fn is_referenced(&self, block: Block) -> bool {
        let anchors = self.chain.iter().map(|block| block.anchor);
        anchors
            .chain([self.ethereum_final])
            .any(|anchor| self.tree.is_ancestor_or_same(block, anchor))
    }

    /// Whether a relayer may have a quorum's signatures on the batch.
    pub(super) fn may_be_carried(&self, batch: &Batch) -> bool {
        match self
            .chain
            .get(usize::from(batch.seal.number))
            .map(|block| block.seal)
        {
            Some(Seal::Signed(votes)) if self.has(batch.seal) => votes.can_be_ready(),
            // A block that was given up was voted on by all, if at all.
            _ => true,
        }
    }

    /// How many native messages the chain's blocks below `number` have.
    pub fn natives_below(&self, number: usize) -> usize {
        let blocks = self.chain.iter().take(number);
        blocks.filter(|block| block.native.is_some()).count()
    }

    /// The fork of the next block: new if a block of that number was given up, and something was signed for it.
    pub(super) fn fork_after(&self) -> u8 {
        let next = self.chain.len();
        let used = self
            .batches
            .iter()
            .flat_map(|batch| [batch.seal, batch.last_round])
            .filter(|id| usize::from(id.number) >= next)
            .map(|id| id.fork + 1);
        used.max().unwrap_or(0).max(self.tip().fork)
    }
}
