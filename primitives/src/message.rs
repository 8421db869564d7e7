//! Messages as they leave a program, the codes of replies, and receipts.

use crate::{
    ids::{ActorId, MessageId},
    merkle,
};
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use primitive_types::{H160, H256};
use scale_info::TypeInfo;

/// Four bytes that say how a message ended: `[0 success | 1 error, reason, sub-reason, 0]`.
///
/// The values are those that existing clients and programs know.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ReplyCode(pub [u8; 4]);

impl ReplyCode {
    /// The program returned without a reply of its own.
    pub const SUCCESS_AUTO: Self = Self([0, 0, 0, 0]);
    /// The program replied.
    pub const SUCCESS_MANUAL: Self = Self([0, 1, 0, 0]);
    /// The message spent its whole gas.
    pub const RAN_OUT_OF_GAS: Self = Self([1, 0, 0, 0]);
    /// The program asked for more memory than it may have.
    pub const MEMORY_OVERFLOW: Self = Self([1, 0, 1, 0]);
    /// A system call was used against its contract.
    pub const BACKEND_ERROR: Self = Self([1, 0, 2, 0]);
    /// The program panicked; the payload holds its words.
    pub const USERSPACE_PANIC: Self = Self([1, 0, 3, 0]);
    /// An `unreachable` instruction, a bad memory access, a division by zero and the like.
    pub const UNREACHABLE: Self = Self([1, 0, 4, 0]);
    /// The call stack went over its limit.
    pub const STACK_LIMIT_EXCEEDED: Self = Self([1, 0, 5, 0]);
    /// The program has exited; the payload holds its inheritor.
    pub const PROGRAM_EXITED: Self = Self([1, 2, 0, 0]);
    /// The program's `init` failed.
    pub const INITIALIZATION_FAILURE: Self = Self([1, 2, 1, 0]);
    /// The program has not finished its `init`.
    pub const UNINITIALIZED: Self = Self([1, 2, 2, 0]);
    /// There is no such program.
    pub const PROGRAM_NOT_CREATED: Self = Self([1, 2, 3, 0]);
    /// The wait of the message ended before anything woke it.
    pub const REMOVED_FROM_WAITLIST: Self = Self([1, 3, 0, 0]);
    /// A native message carries more value than its sender's deposit has. No program saw it, and the deposit has kept its
    /// value. Only the sender of a native message gets this one.
    pub const INSUFFICIENT_DEPOSIT: Self = Self([1, 4, 0, 0]);

    /// True for both success codes.
    pub const fn is_success(self) -> bool {
        self.0[0] == 0
    }
}

/// To which message something replies, and how that one ended.
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
pub struct ReplyDetails {
    /// The message that is replied to.
    pub to: MessageId,
    /// How it ended.
    pub code: ReplyCode,
}

/// A message from a program to an Ethereum address: a reply, a mailbox message or an event.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct OutgoingMessage {
    /// Its id.
    pub id: MessageId,
    /// Who gets it.
    pub destination: H160,
    /// What it says. For a call-back this is calldata.
    pub payload: Vec<u8>,
    /// ETH that goes with it, in wei.
    pub value: u128,
    /// Set if and only if it is a reply.
    pub reply_details: Option<ReplyDetails>,
    /// The reply calls its destination back instead of emitting an event.
    pub call: bool,
}

/// What happened to one message.
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
pub struct Receipt {
    /// The message.
    pub message_id: MessageId,
    /// The program that executed or refused it.
    pub program_id: ActorId,
    /// How it ended.
    pub code: ReplyCode,
    /// Keccak-256 of the reply's payload.
    pub payload_hash: H256,
    /// ETH that went back with the reply, in wei.
    pub value: u128,
    /// Gas burned by this message over all its runs.
    pub gas_burned: u64,
    /// Number of the chain block in whose round it ended.
    pub round: u64,
}

impl Receipt {
    /// The leaf of this receipt in a round's receipts tree.
    pub fn leaf(&self) -> H256 {
        merkle::leaf(&[
            self.message_id.as_ref(),
            self.program_id.as_ref(),
            &self.code.0,
            self.payload_hash.as_bytes(),
            &self.value.to_be_bytes(),
            &self.gas_burned.to_be_bytes(),
            &self.round.to_be_bytes(),
        ])
    }
}

/// Root over the receipts of a round, in execution order; the zero hash for none.
pub fn receipts_root(receipts: &[Receipt]) -> H256 {
    merkle::root(receipts.iter().map(Receipt::leaf).collect())
}
