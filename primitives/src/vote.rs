//! What validators sign towards the chain: views of Ethereum, verdicts on codes, that a batch would be empty, what vaults
//! on Ethereum hold for operators, and facts of contracts there.
//!
//! Each digest begins with the hash of its own type name and carries the chain's genesis hash and the set id, so a
//! signature means one thing on one chain in one set.

use crate::{batch::AppliedBatch, ethereum::BlockId, facts::Fact, hashing::keccak256, ids::CodeId};
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use primitive_types::H256;
use scale_info::TypeInfo;

const VIEW_TYPE: &str = "gear-exe View";
const CODE_VOTE_TYPE: &str = "gear-exe CodeVote";
const EMPTY_BATCH_TYPE: &str = "gear-exe EmptyBatch";
const SNAPSHOT_VOTE_TYPE: &str = "gear-exe SnapshotVote";
const FACTS_VOTE_TYPE: &str = "gear-exe FactsVote";

/// `keccak256(keccak256(name) ‖ genesis ‖ SCALE(body))`. Two bodies of a type never have the same bytes.
fn digest(name: &str, genesis: H256, body: &impl Encode) -> H256 {
    keccak256([
        keccak256([name]).as_bytes(),
        genesis.as_bytes(),
        &body.encode(),
    ])
}

/// The last batch that the Router holds at a given Ethereum block.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct RouterAt {
    /// The Ethereum block: the chain's anchor when the view was made.
    pub block: BlockId,
    /// The batch.
    pub batch: AppliedBatch,
}

/// What one validator sees of Ethereum.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct View {
    /// The validator set that the signer belongs to.
    pub set_id: u64,
    /// The block of the chain at which the view was made. Of two views the one with the greater number counts.
    pub seq: u64,
    /// Head of the signer's canonical Ethereum chain, less the governed depth.
    pub tip: BlockId,
    /// The last Ethereum block that the signer knows to be final.
    pub finalised: BlockId,
    /// What the Router holds at the chain's anchor; nothing while the signer does not know.
    pub router: Option<RouterAt>,
}

impl View {
    /// The 32 bytes that are signed.
    pub fn digest(&self, genesis: H256) -> H256 {
        digest(VIEW_TYPE, genesis, self)
    }
}

/// What a validator found when it was asked to validate a code.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Verdict {
    /// The bytes hash to the code id, pass validation, and are stored and served to peers.
    Valid,
    /// The bytes are there and are not a valid program, or hash to something else.
    Invalid,
    /// The bytes cannot be had. May be revised.
    Unavailable,
}

/// A verdict on one request for code validation.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct CodeVote {
    /// The validator set that the signer belongs to.
    pub set_id: u64,
    /// The code.
    pub code_id: CodeId,
    /// The request: `keccak256(abi.encode(codeId, blobHashes))`.
    pub request_id: H256,
    /// The Router's outbox cursor when the request was made: at its log, or later in the same Ethereum block. An
    /// outbox item below it was applied before and cannot be the answer.
    pub cursor: u64,
    /// What was found.
    pub verdict: Verdict,
}

impl CodeVote {
    /// The 32 bytes that are signed.
    pub fn digest(&self, genesis: H256) -> H256 {
        digest(CODE_VOTE_TYPE, genesis, self)
    }
}

/// The chain's answer to a request for code validation.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct CodeAnswer {
    /// What a quorum found.
    pub verdict: Verdict,
    /// Number of the outbox item that carries it.
    pub item: u64,
}

impl CodeAnswer {
    /// Whether the Router gets this answer after a request that was made when its outbox cursor stood at `cursor`.
    ///
    /// If not, the request came again after the item had been applied: because an Ethereum reorganisation mined it
    /// later than before, or because somebody asked once more. Then it is voted again.
    pub const fn reaches(&self, cursor: u64) -> bool {
        self.item >= cursor
    }
}

/// The statement that the batch of a seal would have no content.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
pub struct EmptyBatch {
    /// The validator set that signs for the seal.
    pub set_id: u64,
    /// Number of the seal block.
    pub seal_number: u64,
    /// Hash of the seal block.
    pub seal_hash: H256,
}

impl EmptyBatch {
    /// The 32 bytes that are signed.
    pub fn digest(&self, genesis: H256) -> H256 {
        digest(EMPTY_BATCH_TYPE, genesis, self)
    }
}

/// What a validator read on Ethereum of the stake behind the operators in one era.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SnapshotVote {
    /// The validator set that the signer belongs to.
    pub set_id: u64,
    /// The era that the stake is for.
    pub era: u32,
    /// The era's capture: unix time in seconds at which the vaults were read.
    pub capture: u64,
    /// Root over the pages; zero if there are none.
    pub root: H256,
    /// Number of pages.
    pub pages: u32,
}

impl SnapshotVote {
    /// The 32 bytes that are signed.
    pub fn digest(&self, genesis: H256) -> H256 {
        digest(SNAPSHOT_VOTE_TYPE, genesis, self)
    }
}

/// Facts that a validator has read on Ethereum, in a block that it calls final.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct FactsVote {
    /// The validator set that the signer belongs to.
    pub set_id: u64,
    /// The facts, ascending by what they are about, at most [`MAX_FACTS`](crate::facts::MAX_FACTS).
    pub facts: Vec<Fact>,
}

impl FactsVote {
    /// The 32 bytes that are signed.
    pub fn digest(&self, genesis: H256) -> H256 {
        digest(FACTS_VOTE_TYPE, genesis, self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::SlashFate;
    use alloc::vec;

    #[test]
    fn digests_are_bound_to_chain_and_content() {
        let view = View::default();
        let other = View { seq: 1, ..view };
        assert_ne!(view.digest(H256::zero()), other.digest(H256::zero()));
        assert_ne!(view.digest(H256::zero()), view.digest(H256::repeat_byte(1)));
    }

    #[test]
    fn each_kind_of_vote_has_its_own_digests() {
        let genesis = H256::repeat_byte(7);
        let code = CodeVote {
            set_id: 0,
            code_id: CodeId::zero(),
            request_id: H256::zero(),
            cursor: 0,
            verdict: Verdict::Valid,
        };
        let empty = EmptyBatch {
            set_id: 0,
            seal_number: 0,
            seal_hash: H256::zero(),
        };
        let snapshot = SnapshotVote::default();
        let facts = |set_id, facts| FactsVote { set_id, facts }.digest(genesis);
        let fact = |fate| Fact::Slash { id: 0, fate };
        let digests = [
            facts(0, vec![]),
            facts(1, vec![]),
            facts(0, vec![fact(SlashFate::Executed)]),
            facts(0, vec![fact(SlashFate::Vetoed)]),
            facts(0, vec![fact(SlashFate::Executed); 2]),
            snapshot.digest(genesis),
            SnapshotVote { era: 1, ..snapshot }.digest(genesis),
            View::default().digest(genesis),
            code.digest(genesis),
            empty.digest(genesis),
            CodeVote { cursor: 1, ..code }.digest(genesis),
            EmptyBatch { set_id: 1, ..empty }.digest(genesis),
        ];
        for (index, digest) in digests.iter().enumerate() {
            assert!(!digests[..index].contains(digest), "{index}");
        }
    }

    #[test]
    fn an_answer_reaches_requests_made_before_it_was_applied() {
        let answer = CodeAnswer {
            verdict: Verdict::Invalid,
            item: 4,
        };
        assert!(answer.reaches(0) && answer.reaches(4));
        assert!(!answer.reaches(5));
    }
}
