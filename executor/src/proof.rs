//! Proofs of what a state holds, for [`gear_exe_primitives::proof`] to verify: the objects that the verifier will want,
//! found by having its own code walk the store.

use crate::{
    Executor, StoreError,
    state::{Dispatch, ProgramState, line::Line, store::Content},
};
use gear_exe_primitives::{
    ActorId, H256, MessageId,
    proof::{Claim, Kind, MAX_BYTES, MAX_OBJECTS, Objects, Proof, ProofError, Proven, follow},
};

/// Why nothing can be proved.
#[derive(Debug, thiserror::Error)]
pub enum ProveError {
    /// The state is not stored.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The proof would be one that no verifier takes.
    #[error(transparent)]
    Proof(#[from] ProofError),
}

/// Objects of the store, noted down as they are asked for.
struct Noted<'a> {
    content: &'a Content,
    objects: Vec<Vec<u8>>,
    bytes: usize,
}

impl Objects for Noted<'_> {
    type Error = ProveError;

    fn object(&mut self, _: Kind, hash: H256) -> Result<Vec<u8>, ProveError> {
        let object = self.content.bytes(hash)?;
        self.bytes += object.len();
        if self.objects.len() == MAX_OBJECTS || self.bytes > MAX_BYTES {
            return Err(ProofError::TooLarge.into());
        }
        self.objects.push(object.clone());
        Ok(object)
    }
}

impl Executor {
    /// What the state behind `root` holds of what is claimed, with a proof that
    /// [`verify`](gear_exe_primitives::proof::verify) accepts for the same root and claim. That there is nothing is proved
    /// as well.
    ///
    /// # Errors
    ///
    /// [`ProveError`]: the state is not stored, or the proof would be too large.
    pub fn prove(&self, root: H256, claim: &Claim) -> Result<(Proven, Proof), ProveError> {
        let content = Content::new(&self.inner.disk);
        let mut noted = Noted {
            content: &content,
            objects: Vec::new(),
            bytes: 0,
        };
        let proven = follow(&mut noted, root, claim)?;
        let objects = noted.objects;
        Ok((proven, Proof { objects }))
    }

    /// The place of a message in its program's queue, for [`Claim::Queued`]; nothing if it is not there. The whole queue
    /// is read for it.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the state is not stored.
    pub fn place_in_queue(
        &self,
        root: H256,
        program: ActorId,
        message: MessageId,
    ) -> Result<Option<u64>, StoreError> {
        let Some(record) = self.program(root, program)? else {
            return Ok(None);
        };
        let state: ProgramState = self.read_state(record.state_hash)?;
        let Some(hash) = state.canonical_queue.hash else {
            return Ok(None);
        };
        Line::<Dispatch>::place(&Content::new(&self.inner.disk), hash, |dispatch| {
            dispatch.id == message
        })
    }
}
