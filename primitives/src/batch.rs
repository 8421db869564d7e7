//! The batch: what the Router verifies, and the digest that validators sign.
//!
//! Everything in a batch is a pure function of its seal block, so all validators build the same one. The digest is
//! EIP-712 over the Router's domain, which binds it to one Ethereum chain and one Router.

use crate::{
    abi::{address, uint},
    creation::ProgramCreation,
    hashing::keccak256,
    outbox::{OutboxItem, outbox_hash},
    transition::{StateTransition, list_hash},
};
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use primitive_types::{H160, H256};
use scale_info::TypeInfo;

/// Name in the Router's EIP-712 domain. Existing clients sign against it.
pub const DOMAIN_NAME: &str = "Vara.ETH Router";
/// Version in the Router's EIP-712 domain.
pub const DOMAIN_VERSION: &str = "1";
/// The EIP-712 type that a batch's digest is of.
pub const BATCH_TYPE: &str = "Batch(bytes32 genesis,uint64 sealNumber,bytes32 sealHash,uint64 lastRound,\
bytes32 lastRoundHash,uint64 nonce,bytes32 parent,uint64 anchorNumber,bytes32 anchorHash,uint64 setId,\
bytes32 content,uint64 expiry)";

/// A Router on an Ethereum chain: what a digest towards Ethereum is bound to.
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
pub struct RouterDomain {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// The Router's address.
    pub router: H160,
}

impl RouterDomain {
    /// The EIP-712 domain separator.
    pub fn separator(&self) -> H256 {
        keccak256([
            keccak256([
                "EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)",
            ])
            .0,
            keccak256([DOMAIN_NAME]).0,
            keccak256([DOMAIN_VERSION]).0,
            uint(self.chain_id),
            address(self.router),
        ])
    }

    /// What is signed of a structure in this domain (EIP-712), by its hash.
    pub fn typed_data(&self, structure: H256) -> H256 {
        keccak256([
            &[0x19, 0x01][..],
            self.separator().as_bytes(),
            structure.as_bytes(),
        ])
    }
}

/// What the digest says of a batch: everything but its content, of which it holds the hash.
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
pub struct BatchHeader {
    /// Genesis hash of the chain that made it.
    pub genesis: H256,
    /// Number of the chain block that closes the batch.
    pub seal_number: u64,
    /// Hash of that block.
    pub seal_hash: H256,
    /// Number of the chain block whose round is the last in the batch.
    pub last_round: u64,
    /// Hash of that block.
    pub last_round_hash: H256,
    /// One more than that of the batch the Router holds.
    pub nonce: u64,
    /// Digest of the batch the Router holds; zero for the first.
    pub parent: H256,
    /// Ethereum block up to which events were executed.
    pub anchor_number: u64,
    /// Its hash. The Router applies the batch only if that block is its ancestor.
    pub anchor_hash: H256,
    /// The validator set that signs.
    pub set_id: u64,
    /// [`content_hash`] of transitions and outbox items.
    pub content: H256,
    /// Unix time in seconds after which the Router refuses the batch.
    pub expiry: u64,
}

impl BatchHeader {
    /// The 32 bytes that validators sign.
    pub fn digest(&self, domain: &RouterDomain) -> H256 {
        let structure = keccak256([
            keccak256([BATCH_TYPE]).0,
            self.genesis.0,
            uint(self.seal_number),
            self.seal_hash.0,
            uint(self.last_round),
            self.last_round_hash.0,
            uint(self.nonce),
            self.parent.0,
            uint(self.anchor_number),
            self.anchor_hash.0,
            uint(self.set_id),
            self.content.0,
            uint(self.expiry),
        ]);
        domain.typed_data(structure)
    }
}

/// A batch with its content.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Batch {
    /// What is signed. Its `content` is the hash of the other fields.
    pub header: BatchHeader,
    /// What programs paid in its rounds, in wVARA base units.
    pub spent: u128,
    /// The Router's outbox cursor after the batch.
    pub outbox_end: u64,
    /// One per program, ordered by actor id.
    pub transitions: Vec<StateTransition>,
    /// The outbox items up to `outbox_end`.
    pub outbox: Vec<OutboxItem>,
}

impl Batch {
    /// Whether the header's content hash is that of the content.
    pub fn is_consistent(&self) -> bool {
        self.header.content
            == content_hash(&self.transitions, self.spent, self.outbox_end, &self.outbox)
    }

    /// A batch without transitions and outbox items is voted empty and never sent.
    pub fn is_empty(&self) -> bool {
        self.transitions.is_empty() && self.outbox.is_empty()
    }
}

/// The programs that come into being with these transitions.
pub fn creations(transitions: &[StateTransition]) -> impl Iterator<Item = &ProgramCreation> {
    transitions
        .iter()
        .filter_map(|transition| transition.creation.as_ref())
}

/// `keccak256(creationsHash ‖ transitionsHash ‖ spent ‖ outboxEnd ‖ outboxHash)`, `spent` in 16 bytes and `outboxEnd` in 8.
pub fn content_hash(
    transitions: &[StateTransition],
    spent: u128,
    outbox_end: u64,
    outbox: &[OutboxItem],
) -> H256 {
    keccak256([
        list_hash(creations(transitions).map(ProgramCreation::hash)).as_bytes(),
        list_hash(transitions.iter().map(StateTransition::hash)).as_bytes(),
        &spent.to_be_bytes(),
        &outbox_end.to_be_bytes(),
        outbox_hash(outbox).as_bytes(),
    ])
}

/// The last batch that a Router has applied, as its `BatchApplied` event tells it; all zero before the first.
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
pub struct AppliedBatch {
    /// Its nonce.
    pub nonce: u64,
    /// Its digest: the parent of the next one.
    pub digest: H256,
    /// Its seal.
    pub seal_number: u64,
    /// Hash of its seal.
    pub seal_hash: H256,
    /// Its last round.
    pub last_round: u64,
    /// Hash of the block of its last round.
    pub last_round_hash: H256,
    /// The outbox cursor after it.
    pub outbox_end: u64,
    /// The validator set after it.
    pub set_id: u64,
    /// What programs have paid in all batches up to it, in wVARA base units.
    pub spent: u128,
}
