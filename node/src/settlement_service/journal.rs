//! What this node has signed for seals. A signature is on the disk before it leaves the node, and a key never signs a
//! second statement for a seal, whatever is computed later: after a restart, a fork, or with a damaged store.

use super::build::Said;
use crate::store::{STATEMENTS, Store, StoreError, put};
use codec::{Decode, Encode};
use gear_exe_primitives::{H160, H256, signature::CompactSignature};
use parking_lot::Mutex;
use std::sync::Arc;

/// A signed statement about a seal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Statement {
    /// What is said.
    pub said: Said,
    /// What was signed.
    pub digest: H256,
    /// The signature.
    pub signature: CompactSignature,
}

/// Why nothing was signed.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// Another statement was signed for the seal.
    #[error(
        "seal {seal:?}: {first:?} was signed, now {second:?} was computed; it is not signed. \
         This node, or what it computed before, is faulty: find out which before it signs on"
    )]
    Second {
        /// Hash of the seal block.
        seal: H256,
        /// The digest that was signed.
        first: H256,
        /// The digest that was to be signed.
        second: H256,
    },
    /// The keystore has no such key, or failed.
    #[error("the keystore did not sign: {0}")]
    Key(String),
    /// The journal cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The journal.
pub struct Journal {
    store: Arc<Store>,
    signing: Mutex<()>,
}

impl Journal {
    /// In this store, which nothing else but a journal should be in.
    pub const fn new(store: Arc<Store>) -> Self {
        Self {
            store,
            signing: Mutex::new(()),
        }
    }

    fn key(seal: H256, signer: H160) -> Vec<u8> {
        (seal, signer).encode()
    }

    /// The statement about `seal` by `signer`, signed by `sign` if this is the first, and on the disk.
    ///
    /// # Errors
    ///
    /// [`JournalError::Second`] if another one was signed; otherwise whatever failed. Nothing may leave the node then.
    pub fn sign_once(
        &self,
        seal: H256,
        signer: H160,
        said: Said,
        digest: H256,
        sign: impl FnOnce(H256) -> Result<CompactSignature, String>,
    ) -> Result<Statement, JournalError> {
        let _one_at_a_time = self.signing.lock();
        let key = Self::key(seal, signer);
        if let Some(before) = self.store.get::<Statement>(STATEMENTS, &key)? {
            return if before.digest == digest {
                Ok(before)
            } else {
                Err(JournalError::Second {
                    seal,
                    first: before.digest,
                    second: digest,
                })
            };
        }
        let statement = Statement {
            said,
            digest,
            signature: sign(digest).map_err(JournalError::Key)?,
        };
        self.store.apply([put(STATEMENTS, &key, &statement)])?;
        Ok(statement)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gear_exe_primitives::{signature::address_of_secret, vote::EmptyBatch};

    const SECRET: [u8; 32] = [7; 32];

    fn said(set_id: u64) -> Said {
        Said::Empty(EmptyBatch {
            set_id,
            seal_number: 0,
            seal_hash: H256::zero(),
        })
    }

    fn sign(digest: H256) -> Result<CompactSignature, String> {
        CompactSignature::sign(&SECRET, digest).map_err(|error| format!("{error:?}"))
    }

    #[test]
    fn a_second_statement_is_refused_after_reopening() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("signing.redb");
        let (seal, signer) = (H256::repeat_byte(1), address_of_secret(&SECRET).unwrap());
        let (one, two) = (H256::repeat_byte(2), H256::repeat_byte(3));
        let first = {
            let journal = Journal::new(Arc::new(Store::open(&path).unwrap()));
            journal.sign_once(seal, signer, said(1), one, sign).unwrap()
        };
        assert_eq!(first.signature.recover(one), Ok(signer));

        let journal = Journal::new(Arc::new(Store::open(&path).unwrap()));
        let again = journal.sign_once(seal, signer, said(1), one, |_| {
            panic!("what was signed is not signed again")
        });
        assert_eq!(again.unwrap(), first);
        let second = journal.sign_once(seal, signer, said(2), two, |_| {
            panic!("a second statement is never signed")
        });
        assert!(matches!(
            second,
            Err(JournalError::Second { first, second, .. }) if (first, second) == (one, two)
        ));
        // Another seal, and another key, are other matters.
        let other = journal.sign_once(H256::repeat_byte(9), signer, said(2), two, sign);
        assert!(other.is_ok());
        let other = journal.sign_once(seal, H160::repeat_byte(9), said(2), two, sign);
        assert!(other.is_ok());
    }

    #[test]
    fn what_was_not_signed_can_be_signed_later() {
        let journal = Journal::new(Arc::new(Store::in_memory().unwrap()));
        let seal = H256::repeat_byte(1);
        let failed = journal.sign_once(seal, H160::zero(), said(1), seal, |_| Err("locked".into()));
        assert!(matches!(failed, Err(JournalError::Key(_))));
        assert!(
            journal
                .sign_once(seal, H160::zero(), said(2), H256::zero(), sign)
                .is_ok()
        );
    }
}
