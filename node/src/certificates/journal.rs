//! What this node has signed of rounds and promised in slots. A signature is on the disk before it leaves the node, and a key
//! never signs a second statement on a block or in a slot, whatever is computed later. What lies far behind is signed no more,
//! so that what was signed of it can be forgotten.

use crate::store::{PROMISES_SIGNED, ROUNDS_SIGNED, Store, StoreError, Table, delete, put};
use codec::{Decode, Encode};
use gear_exe_primitives::{
    H160, H256,
    certificate::{PromiseStatement, RoundStatement},
    signature::CompactSignature,
};
use parking_lot::Mutex;
use std::{marker::PhantomData, sync::Arc};

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
    /// Another block was promised in the slot, or another outcome of the same one.
    #[error(
        "slot {slot}: block and outcome {first:?} were promised, now {second:?} would be; it is not signed. Does the same key \
         run twice?"
    )]
    SecondPromise {
        /// The slot.
        slot: u64,
        /// Block and outcome that were promised.
        first: (H256, H256),
        /// Block and outcome that were to be promised.
        second: (H256, H256),
    },
    /// The block or the slot lies so far behind that it is not known any more whether it was signed.
    #[error("block or slot {0} lies too far behind to be signed")]
    Old(u64),
    /// The keystore has no such key, or failed.
    #[error("the keystore did not sign: {0}")]
    Key(String),
    /// The journal cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl RoundJournalError {
    /// Whether this node has computed two outcomes of one block.
    pub fn is_two_outcomes(&self) -> bool {
        match self {
            Self::Second { .. } => true,
            Self::SecondPromise { first, second, .. } => first.0 == second.0,
            _ => false,
        }
    }
}

/// What a key signs once of each subject.
pub trait Once: Copy + PartialEq + Encode + Decode {
    /// Where it is kept.
    const TABLE: Table;
    /// Number of the block, or the slot: what is forgotten, and not signed any more, lies below a floor.
    fn position(&self) -> u64;
    /// What distinguishes subjects of one position.
    fn subject(&self) -> &[u8];
    /// That this cannot be signed, since `first` was.
    fn refuse(&self, first: &Self) -> RoundJournalError;
}

impl Once for RoundStatement {
    const TABLE: Table = ROUNDS_SIGNED;

    fn position(&self) -> u64 {
        self.block_number
    }

    fn subject(&self) -> &[u8] {
        self.block_hash.as_bytes()
    }

    fn refuse(&self, first: &Self) -> RoundJournalError {
        RoundJournalError::Second {
            number: self.block_number,
            first: first.outcome,
            second: self.outcome,
        }
    }
}

impl Once for PromiseStatement {
    const TABLE: Table = PROMISES_SIGNED;

    fn position(&self) -> u64 {
        self.slot
    }

    fn subject(&self) -> &[u8] {
        &[]
    }

    fn refuse(&self, first: &Self) -> RoundJournalError {
        RoundJournalError::SecondPromise {
            slot: self.slot,
            first: (first.block_hash, first.outcome),
            second: (self.block_hash, self.outcome),
        }
    }
}

/// A statement with its signature.
#[derive(Clone, Copy, Encode, Decode)]
struct Signed<S> {
    statement: S,
    signature: CompactSignature,
}

/// What was signed of one kind.
pub struct Log<S> {
    store: Arc<Store>,
    /// Below, nothing is signed.
    floor: Mutex<u64>,
    statements: PhantomData<S>,
}

/// Under which the floor is kept: shorter than any other key.
const FLOOR: &[u8] = &[];

impl<S: Once> Log<S> {
    fn open(store: Arc<Store>) -> Result<Self, StoreError> {
        let floor = store.get(S::TABLE, FLOOR)?.unwrap_or_default();
        Ok(Self {
            store,
            floor: Mutex::new(floor),
            statements: PhantomData,
        })
    }

    /// Keys are in the order of positions.
    fn key(statement: &S, signer: H160) -> Vec<u8> {
        [
            &statement.position().to_be_bytes()[..],
            statement.subject(),
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
        statement: &S,
        signer: H160,
        sign: impl FnOnce() -> Result<CompactSignature, String>,
    ) -> Result<CompactSignature, RoundJournalError> {
        // Held to the end: one at a time.
        let floor = self.floor.lock();
        let key = Self::key(statement, signer);
        if let Some(before) = self.store.get::<Signed<S>>(S::TABLE, &key)? {
            return if before.statement == *statement {
                Ok(before.signature)
            } else {
                Err(statement.refuse(&before.statement))
            };
        }
        if statement.position() < *floor {
            return Err(RoundJournalError::Old(statement.position()));
        }
        let signed = Signed {
            statement: *statement,
            signature: sign().map_err(RoundJournalError::Key)?,
        };
        self.store.apply([put(S::TABLE, &key, &signed)])?;
        Ok(signed.signature)
    }

    /// Signs nothing below `new` any more, and forgets what was signed there.
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
            .keys_below(S::TABLE, &new.to_be_bytes(), FORGET_AT_ONCE)?;
        let old = old.into_iter().filter(|key| key != FLOOR);
        let changes = old.map(|key| delete(S::TABLE, key));
        self.store
            .apply(changes.chain([put(S::TABLE, FLOOR, &new)]))?;
        *floor = new;
        Ok(())
    }
}

/// The journal.
pub struct RoundJournal {
    /// Statements on rounds: one for each block.
    pub rounds: Log<RoundStatement>,
    /// Promises: one for each slot.
    pub promises: Log<PromiseStatement>,
}

impl RoundJournal {
    /// In this store.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if it cannot be read.
    pub fn open(store: Arc<Store>) -> Result<Self, StoreError> {
        Ok(Self {
            rounds: Log::open(store.clone())?,
            promises: Log::open(store)?,
        })
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
        let first = open()
            .rounds
            .sign_once(&statement(5, 1), signer, sign)
            .unwrap();
        let journal = open().rounds;
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

    fn promise(slot: u64, block: u8, outcome: u8) -> PromiseStatement {
        PromiseStatement {
            set_id: 1,
            slot,
            block_hash: H256::repeat_byte(block),
            outcome: H256::repeat_byte(outcome),
        }
    }

    #[test]
    fn a_slot_is_promised_once_after_reopening() {
        let folder = tempfile::tempdir().unwrap();
        let open = || {
            let store = Store::open(&folder.path().join("signing.redb")).unwrap();
            RoundJournal::open(Arc::new(store)).unwrap().promises
        };
        let signer = H160::repeat_byte(1);
        let first = open().sign_once(&promise(5, 1, 1), signer, sign).unwrap();
        let promises = open();
        assert_eq!(
            promises
                .sign_once(&promise(5, 1, 1), signer, never)
                .unwrap(),
            first
        );
        // Another outcome of the block is the node's fault; another block in the slot is a key that runs twice.
        for (block, outcome, faulty) in [(1, 2, true), (2, 1, false)] {
            let refused = promises.sign_once(&promise(5, block, outcome), signer, never);
            let error = refused.unwrap_err();
            assert!(matches!(
                error,
                RoundJournalError::SecondPromise { slot: 5, .. }
            ));
            assert_eq!(error.is_two_outcomes(), faulty);
        }
        assert!(promises.sign_once(&promise(6, 1, 1), signer, sign).is_ok());
        promises.raise(6).unwrap();
        assert!(matches!(
            promises.sign_once(&promise(5, 1, 2), signer, never),
            Err(RoundJournalError::Old(5))
        ));
        assert!(promises.sign_once(&promise(6, 1, 1), signer, never).is_ok());
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
            let journal = open().rounds;
            for number in 1..=9 {
                journal
                    .sign_once(&statement(number, 1), signer, sign)
                    .unwrap();
            }
            journal.raise(6).unwrap();
            journal.raise(3).unwrap();
        }
        let journal = open().rounds;
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
