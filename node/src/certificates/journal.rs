//! What this node has signed of rounds. A signature is on the disk before it leaves the node, and a key never signs a second
//! statement on a block, whatever is computed later. Blocks that lie far behind are signed no more, so that what was signed
//! of them can be forgotten.

use crate::store::{ROUNDS_SIGNED, Store, StoreError, delete, put};
use codec::{Decode, Encode};
use gear_exe_primitives::{H160, H256, certificate::RoundStatement, signature::CompactSignature};
use parking_lot::Mutex;
use std::sync::Arc;

/// Entries that are forgotten at a time.
const FORGET_AT_ONCE: usize = 1_024;

/// Why nothing was signed.
#[derive(Debug, thiserror::Error)]
pub enum RoundJournalError {
    /// Another statement was signed of the block.
    #[error(
        "round {number}: outcome {first:?} was signed, now {second:?} was computed; it is not signed. This node, or what it \
         computed before, is faulty: find out which before it signs on"
    )]
    Second {
        /// Number of the block.
        number: u64,
        /// The outcome that was signed.
        first: H256,
        /// The outcome that was to be signed.
        second: H256,
    },
    /// The block lies so far behind that it is not known any more whether it was signed.
    #[error("block {0} lies too far behind to be signed")]
    Old(u64),
    /// The keystore has no such key, or failed.
    #[error("the keystore did not sign: {0}")]
    Key(String),
    /// The journal cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What was signed of a block.
#[derive(Clone, Copy, Encode, Decode)]
struct Signed {
    statement: RoundStatement,
    signature: CompactSignature,
}

/// The journal.
pub struct RoundJournal {
    store: Arc<Store>,
    /// Blocks below are not signed.
    floor: Mutex<u64>,
}

/// Under which the floor is kept: shorter than any other key.
const FLOOR: &[u8] = &[];

impl RoundJournal {
    /// In this store.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if it cannot be read.
    pub fn open(store: Arc<Store>) -> Result<Self, StoreError> {
        let floor = store.get(ROUNDS_SIGNED, FLOOR)?.unwrap_or_default();
        Ok(Self {
            store,
            floor: Mutex::new(floor),
        })
    }

    /// Keys are in the order of block numbers.
    fn key(statement: &RoundStatement, signer: H160) -> Vec<u8> {
        [
            &statement.block_number.to_be_bytes()[..],
            statement.block_hash.as_bytes(),
            signer.as_bytes(),
        ]
        .concat()
    }

    /// The signature of `signer` under `statement`, made by `sign` if this is the first, and on the disk.
    ///
    /// # Errors
    ///
    /// [`RoundJournalError`]. Nothing may leave the node then.
    pub fn sign_once(
        &self,
        statement: &RoundStatement,
        signer: H160,
        sign: impl FnOnce() -> Result<CompactSignature, String>,
    ) -> Result<CompactSignature, RoundJournalError> {
        // Held to the end: one at a time.
        let floor = self.floor.lock();
        let key = Self::key(statement, signer);
        if let Some(before) = self.store.get::<Signed>(ROUNDS_SIGNED, &key)? {
            return if before.statement == *statement {
                Ok(before.signature)
            } else {
                Err(RoundJournalError::Second {
                    number: statement.block_number,
                    first: before.statement.outcome,
                    second: statement.outcome,
                })
            };
        }
        if statement.block_number < *floor {
            return Err(RoundJournalError::Old(statement.block_number));
        }
        let signed = Signed {
            statement: *statement,
            signature: sign().map_err(RoundJournalError::Key)?,
        };
        self.store.apply([put(ROUNDS_SIGNED, &key, &signed)])?;
        Ok(signed.signature)
    }

    /// Signs no blocks below `floor` any more, and forgets what was signed of them.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the store fails.
    pub fn raise(&self, new: u64) -> Result<(), StoreError> {
        let mut floor = self.floor.lock();
        if new <= *floor {
            return Ok(());
        }
        let old = self
            .store
            .keys_below(ROUNDS_SIGNED, &new.to_be_bytes(), FORGET_AT_ONCE)?;
        let old = old.into_iter().filter(|key| key != FLOOR);
        let changes = old.map(|key| delete(ROUNDS_SIGNED, key));
        self.store
            .apply(changes.chain([put(ROUNDS_SIGNED, FLOOR, &new)]))?;
        *floor = new;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gear_exe_primitives::ethereum::BlockId;

    fn statement(number: u64, outcome: u8) -> RoundStatement {
        RoundStatement {
            set_id: 1,
            block_number: number,
            block_hash: H256::repeat_byte(number as u8),
            anchor: BlockId::default(),
            outcome: H256::repeat_byte(outcome),
        }
    }

    fn sign() -> Result<CompactSignature, String> {
        CompactSignature::sign(&[7; 32], H256::zero()).map_err(|error| format!("{error:?}"))
    }

    fn never() -> Result<CompactSignature, String> {
        panic!("nothing is signed twice")
    }

    #[test]
    fn a_second_outcome_is_refused_after_reopening() {
        let folder = tempfile::tempdir().unwrap();
        let open = || {
            let store = Store::open(&folder.path().join("signing.redb")).unwrap();
            RoundJournal::open(Arc::new(store)).unwrap()
        };
        let signer = H160::repeat_byte(1);
        let first = open().sign_once(&statement(5, 1), signer, sign).unwrap();
        let journal = open();
        assert_eq!(
            journal.sign_once(&statement(5, 1), signer, never).unwrap(),
            first
        );
        assert!(matches!(
            journal.sign_once(&statement(5, 2), signer, never),
            Err(RoundJournalError::Second { number: 5, .. })
        ));
        // Another key, and another block, are other matters.
        assert!(
            journal
                .sign_once(&statement(5, 2), H160::repeat_byte(2), sign)
                .is_ok()
        );
        assert!(journal.sign_once(&statement(6, 2), signer, sign).is_ok());
    }

    #[test]
    fn what_is_forgotten_is_signed_no_more() {
        let folder = tempfile::tempdir().unwrap();
        let open = || {
            let store = Store::open(&folder.path().join("signing.redb")).unwrap();
            RoundJournal::open(Arc::new(store)).unwrap()
        };
        let signer = H160::repeat_byte(1);
        {
            let journal = open();
            for number in 1..=9 {
                journal
                    .sign_once(&statement(number, 1), signer, sign)
                    .unwrap();
            }
            journal.raise(6).unwrap();
            journal.raise(3).unwrap();
        }
        let journal = open();
        assert!(matches!(
            journal.sign_once(&statement(5, 2), signer, never),
            Err(RoundJournalError::Old(5))
        ));
        assert!(journal.sign_once(&statement(6, 1), signer, never).is_ok());
        assert!(matches!(
            journal.sign_once(&statement(9, 2), signer, never),
            Err(RoundJournalError::Second { .. })
        ));
    }
}
