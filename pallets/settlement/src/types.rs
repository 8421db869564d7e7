//! What the pallet stores, and what it asks of the runtime around it.

use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use frame_support::{
    BoundedVec, CloneNoBound, DebugNoBound, DefaultNoBound, EqNoBound, PartialEqNoBound,
    traits::Get,
};
use gear_exe_primitives::{
    H160, H256,
    batch::AppliedBatch,
    ethereum::{BlockId, EthereumHeader},
    host::AuthorityId,
    settlement::BatchLimits,
    signature::CompactSignature,
};
use polkadot_sdk::{
    frame_support,
    sp_runtime::{
        Perbill,
        transaction_validity::{InvalidTransaction, TransactionValidityError},
    },
};
use scale_info::TypeInfo;

/// What the chain knows of Ethereum.
pub trait Ethereum {
    /// The anchor.
    fn anchor() -> EthereumHeader;
    /// The last Ethereum block that a quorum reported final.
    fn finalised() -> EthereumHeader;
    /// Whether `ancestor` is `block` or a known ancestor of it.
    fn is_ancestor_or_same(ancestor: BlockId, block: EthereumHeader) -> bool;
    /// Makes `header` the anchor.
    #[cfg(feature = "runtime-benchmarks")]
    fn set_anchor(header: EthereumHeader);
}

/// Settlement weights of validators: the seam at which stake in VARA and ETH decides.
pub trait Weights<AccountId> {
    /// The weight of each of `validators`, in their order. A validator without weight is not in the set.
    fn weights(validators: &[AccountId]) -> Vec<u64>;
}

/// Everybody weighs the same.
impl<AccountId> Weights<AccountId> for () {
    fn weights(validators: &[AccountId]) -> Vec<u64> {
        validators.iter().map(|_| 1).collect()
    }
}

/// Who stands behind validators on Ethereum.
pub trait Operators<AccountId> {
    /// When the stake behind the running era was read, in seconds, and the operator of each of `validators`, in their
    /// order: zero for who had none. Nothing if nobody had.
    fn operators(validators: &[AccountId]) -> Option<(u64, Vec<H160>)>;
}

/// Nobody does.
impl<AccountId> Operators<AccountId> for () {
    fn operators(_: &[AccountId]) -> Option<(u64, Vec<H160>)> {
        None
    }
}

/// A key of a session with the account that it belongs to.
pub(crate) type KeyOf<AccountId> = (AccountId, AuthorityId);

/// Why an authorised call is refused, as the number in `InvalidTransaction::Custom`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Refusal {
    /// There is no such seal, or the hash is not that of the seal block.
    Seal = 1,
    /// The seal's set has no validator with that index.
    Index = 2,
    /// The header contradicts the seal.
    Header = 3,
    /// The validator has said so already, or has contradicted itself.
    Said = 4,
    /// Not signed by the validator's Ethereum key.
    Signature = 5,
    /// The set is not the one that signs for the seal.
    Set = 6,
}

impl From<Refusal> for TransactionValidityError {
    fn from(refusal: Refusal) -> Self {
        InvalidTransaction::Custom(refusal as u8).into()
    }
}

/// An outbox item that tells the Router of a validator set.
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
pub struct Handover {
    /// Its number in the outbox.
    pub item: u64,
    /// The set that it tells of.
    pub set_id: u64,
    /// The block of this chain since which it tells of that set.
    pub since: u64,
}

/// Rules for batches.
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
    serde::Serialize,
    serde::Deserialize,
)]
pub struct SettlementParameters {
    /// Seconds after the anchor's timestamp until which the Router accepts a batch.
    pub expiry_seconds: u64,
    /// Signed batches that may wait for Ethereum at a time.
    pub max_in_flight: u32,
    /// Blocks for which a seal that has no quorum yet holds back the next one.
    pub patience: u32,
    /// Blocks for which the session does not rotate while the Router has not got the current set.
    pub handover_patience: u32,
    /// Blocks after which the set gets a new id, and the Router is told of it, though it has not changed. Less than the
    /// Router's `maxStaleness`, after which it takes nothing from a set.
    pub renewal: u32,
    /// The part of the seals that were decided in a session on which a validator must have voted; else it was away.
    pub attendance: Perbill,
    /// Seals that must have been decided in a session before anybody is called away.
    pub least_seals: u32,
    /// Caps of a batch, with the table by which its gas is summed.
    pub limits: BatchLimits,
}

impl Default for SettlementParameters {
    fn default() -> Self {
        Self {
            expiry_seconds: 600,
            max_in_flight: 1,
            patience: 40,
            handover_patience: 14_400,
            renewal: 691_200,
            attendance: Perbill::from_percent(50),
            least_seals: 16,
            limits: BatchLimits::default(),
        }
    }
}

/// How many votes the members of a set have given since the session began.
#[derive(
    CloneNoBound,
    DebugNoBound,
    DefaultNoBound,
    PartialEqNoBound,
    EqNoBound,
    Encode,
    Decode,
    MaxEncodedLen,
    TypeInfo,
)]
#[scale_info(skip_type_params(Most))]
pub struct Roll<Most: Get<u32>> {
    /// The set.
    pub set_id: u64,
    /// Its seals that were decided.
    pub seals: u32,
    /// Votes by member, in the order of the set.
    pub votes: BoundedVec<u32, Most>,
}

/// What a quorum said of a seal.
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
pub enum SealResult {
    /// The batch with this digest is signed.
    Ready(H256),
    /// There is nothing to send.
    Empty,
}

/// What became of the Ethereum block that is a seal's anchor.
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
pub enum Fate {
    /// It is not as deep as the finalised block.
    #[default]
    Open,
    /// It is final.
    Final,
    /// Another branch became final.
    Lost,
}

/// A seal: everything that its batch depends on besides rounds and outbox.
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
pub struct Seal {
    /// Hash of the seal block; zero within that block itself.
    pub hash: H256,
    /// Its anchor.
    pub anchor: BlockId,
    /// The set that the Router holds at the anchor: it signs.
    pub set_id: u64,
    /// The batch that the Router holds at the anchor.
    pub router: AppliedBatch,
    /// Unix time in seconds after which the batch may not be applied.
    pub expiry: u64,
    /// Caps of the batch.
    pub limits: BatchLimits,
    /// End of the outbox at the seal.
    pub outbox_end: u64,
    /// What a quorum said of it.
    pub result: Option<SealResult>,
    /// What became of its anchor.
    pub fate: Fate,
}

/// What a validator said of a seal.
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
pub struct SealVote {
    /// The digest that was signed.
    pub digest: H256,
    /// It is the statement that the batch is empty.
    pub empty: bool,
    /// Its signature.
    pub signature: CompactSignature,
    /// The validator has signed another digest for this seal, too.
    pub equivocated: bool,
}

/// Votes for one digest.
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
pub struct Tally {
    /// How many.
    pub heads: u32,
    /// Their weight.
    pub weight: u128,
}
