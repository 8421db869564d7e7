//! A round: the execution that belongs to one block of the chain.
//!
//! `outcome(block) = execute(base, input(block))` is a pure function. The pallet and the node put the input together;
//! the executor computes the outcome; settlement takes transitions from it; promises are signed over its root.

use crate::{
    certificate::outcome_root,
    creation::MirrorFactory,
    ethereum::{EthereumBlock, EthereumHeader},
    ids::{ActorId, CodeId, MessageId},
    message::{Receipt, receipts_root},
    transition::{StateTransition, list_hash},
};
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use primitive_types::{H160, H256};
use scale_info::TypeInfo;

/// Number and hash of a block of the chain.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ChainBlock {
    /// Its number.
    pub number: u64,
    /// Its hash.
    pub hash: H256,
}

/// Prices and limits of execution. Governance changes them; they are part of every round's input, so that all
/// validators use the same.
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
pub struct ExecutionParameters {
    /// Version of the executor's behaviour. A node that does not know it abstains.
    pub executor_version: u32,
    /// Price of one unit of gas, in wVARA base units.
    pub value_per_gas: u128,
    /// Gas that all messages of a round may burn together. What is left over stays queued.
    pub round_gas_limit: u64,
    /// Gas that one run of a message may burn.
    pub message_gas_limit: u64,
    /// WASM pages (64 KiB) of memory that a program may have.
    pub max_memory_pages: u32,
    /// Messages that one run may send.
    pub max_outgoing_messages: u32,
    /// Bytes that one run may send.
    pub max_outgoing_bytes: u32,
    /// Longest payload of one message, in bytes.
    pub max_payload_bytes: u32,
    /// Ethereum blocks for which a message stays in a mailbox.
    pub mailbox_validity: u32,
    /// Longest wait that a message may ask for, in Ethereum blocks.
    pub max_wait: u32,
    /// Messages to Ethereum addresses that one round may produce. A program that changes counts as two.
    pub max_round_messages: u32,
    /// Bytes of such messages that one round may produce.
    pub max_round_bytes: u32,
    /// What a program pays for each message of its own that goes to Ethereum, in wVARA base units. A change of its state
    /// counts as two messages, a call-back as fourteen: that is what they cost there.
    pub value_per_settled_message: u128,
    /// What a program pays for each byte of its part of a batch, in wVARA base units.
    pub value_per_settled_byte: u128,
    /// Where the Mirrors of programs that programs create come from. Without it programs cannot create any.
    pub mirrors: MirrorFactory,
}

impl Default for ExecutionParameters {
    fn default() -> Self {
        Self {
            executor_version: 1,
            value_per_gas: 100,
            round_gas_limit: 4_000_000_000_000,
            message_gas_limit: 250_000_000_000,
            max_memory_pages: 32_768,
            max_outgoing_messages: 1_024,
            max_outgoing_bytes: 1 << 20,
            max_payload_bytes: 126 << 10,
            mailbox_validity: 54_000,
            max_wait: 54_000,
            // At 40,000 gas each, half of what a batch may cost.
            max_round_messages: 150,
            max_round_bytes: 48 << 10,
            value_per_settled_message: 1_000_000_000,
            value_per_settled_byte: 1_000_000,
            mirrors: MirrorFactory::default(),
        }
    }
}

/// A message that reached the chain without Ethereum, already checked when its block was built.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct NativeMessage {
    /// Its id: the transaction's hash.
    pub id: MessageId,
    /// Who signed it.
    pub source: H160,
    /// The program.
    pub destination: ActorId,
    /// What it says.
    pub payload: Vec<u8>,
    /// In wei, from the sender's deposit.
    pub value: u128,
    /// Its reply is told by its receipt alone, and costs nothing on Ethereum. Without it the reply also becomes an event
    /// of the Mirror, as clients of the first formats expect.
    pub receipt_only: bool,
}

/// The reply to a native message, which its receipt names by hash.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct NativeReply {
    /// The message that is replied to.
    pub message_id: MessageId,
    /// What the reply says.
    pub payload: Vec<u8>,
}

/// Everything that the outcome of a round depends on, besides the state it starts from.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct RoundInput {
    /// The block whose round this is.
    pub block: ChainBlock,
    /// The anchor of that block. Height, time and randomness that programs see are its own.
    pub anchor: EthereumHeader,
    /// Ethereum blocks after the base's anchor up to and including `anchor`, oldest first.
    pub ethereum: Vec<EthereumBlock>,
    /// Codes that the chain accepted as valid since the base.
    pub codes: Vec<CodeId>,
    /// Native messages, in the order of the block's body.
    pub native: Vec<NativeMessage>,
    /// Prices and limits.
    pub parameters: ExecutionParameters,
}

/// What a round did.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct RoundOutcome {
    /// Commitment to the state of all programs afterwards, by which the next round finds it.
    pub state_root: H256,
    /// What happened to each message that ended in this round, in execution order.
    pub receipts: Vec<Receipt>,
    /// Replies to native messages, in execution order. The root covers them by their hashes in the receipts.
    pub replies: Vec<NativeReply>,
    /// Changes of programs, ordered by actor id.
    pub transitions: Vec<StateTransition>,
    /// Gas burned.
    pub gas_burned: u64,
    /// What programs paid for gas and settlement, in wVARA base units: what validators and their stakers earn.
    pub spent: u128,
    /// Messages are left in queues that could run if the round had more gas.
    pub work_left: bool,
    /// Programs whose messages wait for executable balance, ordered by actor id: the first 1,024 of them.
    pub starved: Vec<ActorId>,
}

impl RoundOutcome {
    /// What validators sign of it: `keccak256(receiptsRoot ‖ stateRoot ‖ transitionsHash)`.
    pub fn root(&self) -> H256 {
        outcome_root(
            receipts_root(&self.receipts),
            self.state_root,
            self.transitions_hash(),
        )
    }

    /// The reply to a native message that has ended in the round.
    pub fn reply_to(&self, id: MessageId) -> Option<&NativeReply> {
        self.replies.iter().find(|reply| reply.message_id == id)
    }

    /// Hash over the transitions.
    pub fn transitions_hash(&self) -> H256 {
        list_hash(self.transitions.iter().map(StateTransition::hash))
    }
}
