//! What the chain reports of rounds, seals and batches: the answers of the runtime's APIs, readable without Substrate.
//!
//! The runtime makes them (`runtime_api`), the node and the relayer read them as SCALE.

use crate::{
    batch::BatchHeader,
    ethereum::EthereumHeader,
    ids::{CodeId, MessageId},
    quorum::Member,
    round::ExecutionParameters,
    signature::CompactSignature,
};
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use primitive_types::{H160, H256};
use scale_info::TypeInfo;

/// A native message that a block has taken.
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
pub struct NativeId {
    /// The message.
    pub id: MessageId,
    /// Who has signed it.
    pub source: H160,
}

/// What a block says of its round.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct RoundFacts {
    /// The anchor after the block.
    pub anchor: EthereumHeader,
    /// The anchor after its parent.
    pub previous_anchor: EthereumHeader,
    /// The anchor was rewound in this block.
    pub rewound: bool,
    /// Codes accepted as valid in this block.
    pub codes: Vec<CodeId>,
    /// Native messages of this block, in the order of its body.
    pub natives: Vec<NativeId>,
    /// Prices and limits.
    pub parameters: ExecutionParameters,
    /// The block is a seal.
    pub seal: bool,
}

/// A batch that a quorum has signed.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct ReadyBatch {
    /// What was signed.
    pub header: BatchHeader,
    /// Its digest.
    pub digest: H256,
    /// Who signed: [`crate::quorum::bitmap`] over the members of the set `header.set_id`.
    pub signers: Vec<u8>,
    /// Their signatures, in the order of the members.
    pub signatures: Vec<CompactSignature>,
}

/// The validator set with an id.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct ValidatorSet {
    /// Its id.
    pub id: u64,
    /// Its members, in the order of the signer bitmap.
    pub members: Vec<Member>,
}

/// Who authors in a slot.
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
pub struct SlotAuthor {
    /// The validator set that it belongs to.
    pub set_id: u64,
    /// Address of its Ethereum key.
    pub address: H160,
}

/// The state of one seal, for the node that has to sign for it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub struct SealStatus {
    /// Number of the seal block.
    pub number: u64,
    /// Indices of the members that voted (signature or empty), in the seal's set.
    pub voted: Vec<u32>,
    /// A quorum agreed on a batch, or on its emptiness.
    pub decided: bool,
}
