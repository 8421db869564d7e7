//! The outbox: a numbered list of everything, besides transitions, that the chain tells the Router.
//!
//! A batch carries the items from the Router's cursor up to its own `outbox_end`. The Router applies each item or
//! skips it with an event; no item can make a batch revert.

use crate::{
    abi::{self, Token},
    hashing::keccak256,
    ids::CodeId,
    quorum::Member,
    transition::list_hash,
};
use alloc::{vec, vec::Vec};
use codec::{Decode, DecodeWithMemTracking, Encode};
use primitive_types::{H256, U256};
use scale_info::TypeInfo;

/// One item.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum OutboxItem {
    /// The answer to a request for code validation.
    CodeResult {
        /// The code.
        code_id: CodeId,
        /// Which request: `keccak256(abi.encode(codeId, blobHashes))`.
        request_id: H256,
        /// Whether the code may be used.
        valid: bool,
    },
    /// The next validator set.
    SetUpdate {
        /// Its id, greater than that of any set before.
        set_id: u64,
        /// Its members, in the order of the signer bitmap.
        members: Vec<Member>,
    },
    /// A parameter that the Router holds too.
    ParameterChange {
        /// Keccak-256 of the parameter's name.
        key: H256,
        /// Its new value, in the unit of the parameter.
        value: U256,
    },
}

impl OutboxItem {
    /// The number by which the Router knows the kind of item.
    pub const fn kind(&self) -> u8 {
        match self {
            Self::CodeResult { .. } => 0,
            Self::SetUpdate { .. } => 1,
            Self::ParameterChange { .. } => 2,
        }
    }

    /// The item's content as the Router decodes it.
    pub fn data(&self) -> Vec<u8> {
        match self {
            Self::CodeResult {
                code_id,
                request_id,
                valid,
            } => abi::encode(&[
                Token::Word(code_id.0.0),
                Token::Word(request_id.0),
                Token::Word(abi::uint(u8::from(*valid))),
            ]),
            Self::SetUpdate { set_id, members } => abi::encode(&[
                Token::Word(abi::uint(*set_id)),
                Token::List(
                    members
                        .iter()
                        .map(|member| abi::address(member.address))
                        .collect(),
                ),
                Token::List(
                    members
                        .iter()
                        .map(|member| abi::uint(member.weight))
                        .collect(),
                ),
            ]),
            Self::ParameterChange { key, value } => {
                abi::encode(&[Token::Word(key.0), Token::Word(abi::uint(*value))])
            }
        }
    }

    /// `keccak256(kind ‖ keccak256(data))`.
    pub fn hash(&self) -> H256 {
        let data = vec![self.data()];
        keccak256([&[self.kind()][..], keccak256(data).as_bytes()])
    }
}

/// Hash of the items of a batch, in order.
pub fn outbox_hash(items: &[OutboxItem]) -> H256 {
    list_hash(items.iter().map(OutboxItem::hash))
}
