//! From a seal and executed rounds to what is said of the seal. Pure but for reading what is stored.

use crate::executor_service::{
    base::{BaseError, Rounds, path_since},
    records::RoundRecord,
    worker::Lacking,
};
use codec::{Decode, Encode};
use gear_exe_primitives::{
    H256,
    batch::{Batch, BatchHeader, RouterDomain},
    outbox::OutboxItem,
    round::ChainBlock,
    settlement::{BuildError, SealFacts, SettledRound, build},
    transition::StateTransition,
    vote::EmptyBatch,
};

/// What is said of a seal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Said {
    /// This is its batch.
    Batch(BatchHeader),
    /// There is nothing to send.
    Empty(EmptyBatch),
}

impl Said {
    /// The 32 bytes that are signed.
    pub fn digest(&self, domain: &RouterDomain, genesis: H256) -> H256 {
        match self {
            Self::Batch(header) => header.digest(domain),
            Self::Empty(empty) => empty.digest(genesis),
        }
    }
}

/// Why nothing can be said of a seal.
#[derive(Debug, thiserror::Error)]
pub enum CannotBuild {
    /// A round is not executed yet: wait.
    #[error("the round of block {0:?} is not executed yet")]
    Waiting(H256),
    /// What the seal says is not what this node has seen or executed: an alarm, and nothing is signed.
    #[error("seal {seal}: {reason}")]
    Contradiction {
        /// Number of the seal block.
        seal: u64,
        /// What differs.
        reason: String,
    },
    /// Something is damaged or cannot be read.
    #[error(transparent)]
    Lacking(#[from] Lacking),
}

/// What an executed round adds to a batch: transitions, and what programs paid in it.
pub type Changes = (Vec<StateTransition>, u128);

/// Builds the batch of a seal. `changes` gives those of an executed round.
///
/// # Errors
///
/// [`CannotBuild`] says what is missing or wrong; nothing may be signed then.
pub fn build_seal(
    seal: &SealFacts,
    rounds: &dyn Rounds,
    changes: &dyn Fn(&RoundRecord) -> Result<Changes, Lacking>,
    outbox: &[OutboxItem],
) -> Result<Batch, CannotBuild> {
    let contradiction = |reason: String| CannotBuild::Contradiction {
        seal: seal.seal.number,
        reason,
    };
    let from_base = |error: BaseError| match error {
        BaseError::Round(block) => CannotBuild::Waiting(block),
        error @ BaseError::None { .. } => contradiction(error.to_string()),
        error => CannotBuild::Lacking(error.into()),
    };
    let record = rounds.executed(seal.seal.hash).map_err(from_base)?;
    if record.anchor.id() != seal.anchor {
        return Err(contradiction(format!(
            "its anchor is {:?}, the round was executed at {:?}",
            seal.anchor,
            record.anchor.id()
        )));
    }
    if record.router != seal.router {
        return Err(contradiction(format!(
            "the chain says that the Router holds batch {} ({:?}) at its anchor, this node saw batch {} ({:?})",
            seal.router.nonce, seal.router.digest, record.router.nonce, record.router.digest
        )));
    }
    let steps = path_since(seal.seal.hash, &seal.router, rounds).map_err(from_base)?;
    // Read one by one, for the batch may be full long before the path ends.
    let mut failed = None;
    let settled = steps.into_iter().map_while(|step| {
        let added = if step.skipped() {
            Ok(Changes::default())
        } else {
            rounds
                .executed(step.round.hash)
                .map_err(from_base)
                .and_then(|record| {
                    if record.changes {
                        Ok(changes(&record)?)
                    } else {
                        Ok(Changes::default())
                    }
                })
        };
        match added {
            Ok((transitions, spent)) => Some(SettledRound {
                block: ChainBlock {
                    number: step.number,
                    hash: step.round.hash,
                },
                transitions,
                spent,
            }),
            Err(error) => {
                failed = Some(error);
                None
            }
        }
    });
    let built = build(seal, settled, outbox);
    if let Some(error) = failed {
        return Err(error);
    }
    built.map_err(|error| {
        contradiction(match error {
            BuildError::Gap { expected, found } => {
                format!("round {found} came where round {expected} should")
            }
            BuildError::AfterSeal(number) => format!("round {number} lies after it"),
            BuildError::NotConserved => "value between programs does not sum to zero".into(),
            BuildError::AmountOverflow => "a program's amounts leave the range of 127 bits".into(),
        })
    })
}

#[cfg(test)]
#[path = "build_tests.rs"]
mod tests;
