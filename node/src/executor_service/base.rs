//! On which outcome a round is executed: protocol.md, section 3. Pure, so that every node finds the same.
//!
//! A round with anchor `f` starts from its parent's outcome if that outcome's anchor is `f` or an ancestor of it, and
//! the last batch that the Router holds at `f` ends in a round on that outcome's path; otherwise from the newest
//! earlier round for which both hold. The *path* of a round is the round itself, its base, the base's base, and so on.

use super::records::{Records, RoundRecord};
use crate::{ethereum_service::History, store::StoreError};
use gear_exe_primitives::{
    H256,
    batch::AppliedBatch,
    ethereum::{BlockId, EthereumHeader},
    round::ChainBlock,
};
use std::collections::HashMap;

/// What is known of a block's round.
#[derive(Clone, Debug)]
#[allow(clippy::large_enum_variant)]
pub enum Known {
    /// It was executed.
    Executed(RoundRecord),
    /// It was not, yet.
    Waiting {
        /// The block's parent.
        parent: H256,
        /// The block's anchor.
        anchor: BlockId,
    },
}

/// Why no base can be named.
#[derive(Debug, thiserror::Error)]
pub enum BaseError {
    /// A round that might be the base is not executed.
    #[error("the round of block {0:?} has to be executed first")]
    Round(H256),
    /// An Ethereum block is not known.
    #[error("Ethereum block {0:?} is not known to this node yet")]
    Ethereum(H256),
    /// The Router holds a batch that no round of this chain leads to, or the anchor lies below the first.
    #[error(
        "no earlier round fits Ethereum block {anchor:?}, where the Router holds batch {nonce} up to round {round}; \
         was this chain's data restored from an old copy?"
    )]
    None {
        /// The anchor.
        anchor: H256,
        /// Nonce of the Router's batch.
        nonce: u64,
        /// Its last round.
        round: u64,
    },
    /// What would have to be known lies before the round whose state this node has taken from others.
    #[error("what this node has begins with round {}, which is too late", .0.number)]
    Floor(ChainBlock),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What was asked for the rounds failed.
    #[error(transparent)]
    Chain(#[from] super::chain::ChainError),
}

/// Rounds by block hash.
pub trait Rounds {
    /// What is known of the block's round.
    ///
    /// # Errors
    ///
    /// [`BaseError`] if that cannot be said.
    fn known(&self, block: H256) -> Result<Known, BaseError>;

    /// The record of an executed round.
    ///
    /// # Errors
    ///
    /// [`BaseError::Round`] if it is not executed.
    fn executed(&self, block: H256) -> Result<RoundRecord, BaseError> {
        match self.known(block)? {
            Known::Executed(record) => Ok(record),
            Known::Waiting { .. } => Err(BaseError::Round(block)),
        }
    }
}

impl Rounds for Records {
    fn known(&self, block: H256) -> Result<Known, BaseError> {
        self.get(block)?
            .map(Known::Executed)
            .ok_or(BaseError::Round(block))
    }
}

/// Ethereum headers by hash.
pub trait Headers {
    /// The header.
    ///
    /// # Errors
    ///
    /// [`BaseError::Ethereum`] if it is not known.
    fn header(&self, hash: H256) -> Result<EthereumHeader, BaseError>;
}

impl Headers for History {
    fn header(&self, hash: H256) -> Result<EthereumHeader, BaseError> {
        self.block(hash)?
            .map(|block| block.header)
            .ok_or(BaseError::Ethereum(hash))
    }
}

/// An Ethereum block with its ancestors, read as far down as somebody asked.
struct Line<'a> {
    headers: &'a dyn Headers,
    lowest: EthereumHeader,
    hashes: HashMap<u64, H256>,
    top: u64,
}

impl<'a> Line<'a> {
    fn new(headers: &'a dyn Headers, tip: EthereumHeader) -> Self {
        Self {
            headers,
            lowest: tip,
            hashes: HashMap::from([(tip.number, tip.hash)]),
            top: tip.number,
        }
    }

    /// Whether `block` is the tip or an ancestor of it.
    fn contains(&mut self, block: BlockId) -> Result<bool, BaseError> {
        if block.number > self.top {
            return Ok(false);
        }
        while self.lowest.number > block.number {
            self.lowest = self.headers.header(self.lowest.parent)?;
            self.hashes.insert(self.lowest.number, self.lowest.hash);
        }
        Ok(self.hashes.get(&block.number) == Some(&block.hash))
    }
}

/// Whether the Router's batch ends in a round on the path of some rounds.
struct Ends<'a> {
    rounds: &'a dyn Rounds,
    router: AppliedBatch,
    known: HashMap<H256, bool>,
}

impl Ends<'_> {
    fn on_path_of(&mut self, record: &RoundRecord) -> Result<bool, BaseError> {
        if self.router.nonce == 0 {
            return Ok(true);
        }
        let mut walked = Vec::new();
        let mut cursor = record.clone();
        let answer = loop {
            if let Some(answer) = self.known.get(&cursor.block.hash) {
                break *answer;
            }
            walked.push(cursor.block.hash);
            // Rounds are executed only on a path that the Router's batch at their own anchor ends on.
            if cursor.router == self.router || cursor.block.hash == self.router.last_round_hash {
                break true;
            }
            // The batch's last number may be that of a block that its path skips; it names the round before it then.
            if cursor.block.number <= self.router.last_round || cursor.block.number == 0 {
                break false;
            }
            if cursor.is_taken() {
                return Err(BaseError::Floor(cursor.block));
            }
            cursor = self.rounds.executed(cursor.base.hash)?;
        };
        self.known
            .extend(walked.into_iter().map(|hash| (hash, answer)));
        Ok(answer)
    }
}

/// The round on whose outcome a block with this parent is executed, if its anchor is `anchor` and the Router holds
/// `router` there.
///
/// # Errors
///
/// [`BaseError`] says what is missing.
pub fn find_base(
    parent: H256,
    anchor: EthereumHeader,
    router: AppliedBatch,
    rounds: &dyn Rounds,
    headers: &dyn Headers,
) -> Result<RoundRecord, BaseError> {
    let mut line = Line::new(headers, anchor);
    let mut ends = Ends {
        rounds,
        router,
        known: HashMap::new(),
    };
    let mut cursor = parent;
    loop {
        cursor = match rounds.known(cursor)? {
            Known::Executed(record) => {
                if line.contains(record.anchor.id())? && ends.on_path_of(&record)? {
                    return Ok(record);
                }
                if record.block.number == 0 {
                    return Err(BaseError::None {
                        anchor: anchor.hash,
                        nonce: router.nonce,
                        round: router.last_round,
                    });
                }
                if record.is_taken() {
                    return Err(BaseError::Floor(record.block));
                }
                record.parent
            }
            Known::Waiting { parent, anchor } => {
                if line.contains(anchor)? {
                    return Err(BaseError::Round(cursor));
                }
                parent
            }
        };
    }
}

/// A stretch of a path: a round, and how many chain blocks after it the path skips.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The number, which may be that of a skipped block.
    pub number: u64,
    /// The round whose state stands at this number: itself, or the one before, if the path skips the number.
    pub round: ChainBlock,
}

impl Step {
    /// The path skips this number.
    pub const fn skipped(&self) -> bool {
        self.number != self.round.number
    }
}

/// The path from the round after the Router's last one up to the round of `seal`, without a gap in the numbers: what a
/// batch is built from. A number that the path skips stands for an empty round with the hash of the round before it, so
/// that the last round of a batch always names a round on the path.
///
/// # Errors
///
/// [`BaseError::Round`] if the seal's round is not executed, [`BaseError::None`] if its path does not lead to the
/// Router's last round, [`BaseError::Floor`] if this node does not know all of it.
pub fn path_since(
    seal: H256,
    router: &AppliedBatch,
    rounds: &dyn Rounds,
) -> Result<Vec<Step>, BaseError> {
    let mut path = Vec::new();
    let mut cursor = rounds.executed(seal)?;
    let anchor = cursor.anchor.hash;
    while cursor.block.number > router.last_round {
        if cursor.is_taken() {
            return Err(BaseError::Floor(cursor.block));
        }
        path.push(cursor.block);
        cursor = rounds.executed(cursor.base.hash)?;
    }
    if router.nonce > 0 && cursor.block.hash != router.last_round_hash {
        return Err(BaseError::None {
            anchor,
            nonce: router.nonce,
            round: router.last_round,
        });
    }
    let mut steps = Vec::new();
    let mut before = cursor.block;
    let mut next = router.last_round.saturating_add(1);
    for round in path.into_iter().rev() {
        steps.extend((next..round.number).map(|number| Step {
            number,
            round: before,
        }));
        steps.push(Step {
            number: round.number,
            round,
        });
        next = round.number.saturating_add(1);
        before = round;
    }
    Ok(steps)
}

#[cfg(test)]
#[path = "base_tests.rs"]
pub(crate) mod tests;
