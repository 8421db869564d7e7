//! What the chain takes from Ethereum: block facts, read from headers, and the events of Router and Mirrors.
//!
//! Nobody is trusted for these facts. A header is accepted if its Keccak-256 is the hash that validators voted for;
//! number, parent, timestamp, RANDAO and receipts root are read from its bytes. The events of a block are accepted by
//! a node only from receipts whose root equals that receipts root.

use crate::{
    batch::AppliedBatch,
    hashing::keccak256,
    ids::{ActorId, CodeId, MessageId},
};
use alloc::vec::Vec;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use primitive_types::{H160, H256};
use scale_info::TypeInfo;

/// Longest header in bytes that is accepted. Headers of today have about 600; `extraData` is at most 32.
pub const MAX_HEADER_LENGTH: u32 = 2048;

/// Number and hash of an Ethereum block.
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
pub struct BlockId {
    /// Its number.
    pub number: u64,
    /// Its hash.
    pub hash: H256,
}

/// What the chain keeps of an Ethereum header.
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
pub struct EthereumHeader {
    /// Keccak-256 of the header's RLP.
    pub hash: H256,
    /// Hash of its parent.
    pub parent: H256,
    /// Its number.
    pub number: u64,
    /// Unix time in seconds.
    pub timestamp: u64,
    /// RANDAO mix of the beacon chain (`prevRandao`).
    pub randao: H256,
    /// Root of its receipts trie.
    pub receipts_root: H256,
}

/// Why bytes are no Ethereum header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
pub enum HeaderError {
    /// Longer than [`MAX_HEADER_LENGTH`].
    TooLong,
    /// Not the RLP list of a header.
    Malformed,
}

impl EthereumHeader {
    /// Number and hash.
    pub const fn id(&self) -> BlockId {
        BlockId {
            number: self.number,
            hash: self.hash,
        }
    }

    /// Reads the RLP of a header and computes its hash.
    ///
    /// # Errors
    ///
    /// [`HeaderError`] if the bytes are too many or not a header.
    pub fn decode_rlp(bytes: &[u8]) -> Result<Self, HeaderError> {
        if bytes.len() > MAX_HEADER_LENGTH as usize {
            return Err(HeaderError::TooLong);
        }
        let list = rlp::Rlp::new(bytes);
        let whole = list
            .payload_info()
            .map_err(|_| HeaderError::Malformed)?
            .total()
            == bytes.len();
        if !whole || !list.is_list() {
            return Err(HeaderError::Malformed);
        }
        Ok(Self {
            hash: keccak256([bytes]),
            parent: hash_at(&list, 0)?,
            receipts_root: hash_at(&list, 5)?,
            number: number_at(&list, 8)?,
            timestamp: number_at(&list, 11)?,
            randao: hash_at(&list, 13)?,
        })
    }
}

fn hash_at(list: &rlp::Rlp<'_>, index: usize) -> Result<H256, HeaderError> {
    let bytes = list
        .at(index)
        .and_then(|item| item.data())
        .map_err(|_| HeaderError::Malformed)?;
    (bytes.len() == 32)
        .then(|| H256::from_slice(bytes))
        .ok_or(HeaderError::Malformed)
}

fn number_at(list: &rlp::Rlp<'_>, index: usize) -> Result<u64, HeaderError> {
    list.val_at(index).map_err(|_| HeaderError::Malformed)
}

/// An event of the Router.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum RouterEvent {
    /// Somebody paid for the validation of a code whose bytes are in blobs of the same transaction.
    CodeValidationRequested {
        /// The code, as announced; validators check it against the bytes.
        code_id: CodeId,
        /// `keccak256(abi.encode(codeId, blobHashes))`: requests for one code with other blobs stand beside each other.
        request_id: H256,
        /// Versioned hashes of the blobs, in order.
        blob_hashes: Vec<H256>,
    },
    /// A program was created from a validated code; its Mirror exists.
    ProgramCreated {
        /// The program: the Mirror's address.
        actor_id: ActorId,
        /// Its code.
        code_id: CodeId,
    },
    /// The Router applied a batch.
    BatchApplied(AppliedBatch),
    /// ETH was deposited, for the value of native messages.
    Deposited {
        /// Whose deposit it is.
        account: H160,
        /// In wei.
        value: u128,
    },
    /// `account` wants some of its deposit back, on Ethereum.
    WithdrawalRequested {
        /// Whose deposit it is, and who is paid.
        account: H160,
        /// In wei, at most.
        amount: u128,
        /// Names the payout.
        id: MessageId,
    },
}

/// An event of a program's Mirror.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum MirrorEvent {
    /// ETH was given to the program, without a message.
    OwnedBalanceTopUpRequested {
        /// In wei.
        value: u128,
    },
    /// wVARA was given to the program to pay for its gas.
    ExecutableBalanceTopUpRequested {
        /// In wVARA base units.
        value: u128,
    },
    /// A message to the program.
    MessageQueueingRequested {
        /// Its id.
        id: MessageId,
        /// Who called the Mirror.
        source: H160,
        /// What it says.
        payload: Vec<u8>,
        /// In wei.
        value: u128,
        /// The reply shall call `source` back.
        call_reply: bool,
    },
    /// A reply to a message in `source`'s mailbox.
    ReplyQueueingRequested {
        /// The mailbox message.
        replied_to: MessageId,
        /// Who called the Mirror.
        source: H160,
        /// What it says.
        payload: Vec<u8>,
        /// In wei.
        value: u128,
    },
    /// `source` wants the value of a message in its mailbox.
    ValueClaimingRequested {
        /// The mailbox message.
        claimed_id: MessageId,
        /// Who called the Mirror.
        source: H160,
    },
}

/// An event that concerns execution or settlement.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum EthereumEvent {
    /// Of the Router.
    Router(RouterEvent),
    /// Of a Mirror.
    Mirror {
        /// The Mirror's program.
        actor_id: ActorId,
        /// The event.
        event: MirrorEvent,
    },
}

/// An Ethereum block with its events in `(transaction, log)` order.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct EthereumBlock {
    /// Its header's facts.
    pub header: EthereumHeader,
    /// Its events.
    pub events: Vec<EthereumEvent>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(fields: usize) -> Vec<u8> {
        let mut stream = rlp::RlpStream::new_list(fields);
        for index in 0..fields {
            match index {
                8 => stream.append(&77u64),
                11 => stream.append(&1_700_000_000u64),
                6 => stream.append(&vec![0u8; 256]),
                7 | 9 | 10 | 15 | 17 | 18 => stream.append(&1u64),
                12 => stream.append(&vec![0u8; 3]),
                14 => stream.append(&vec![0u8; 8]),
                _ => stream.append(&vec![index as u8; 32]),
            };
        }
        stream.out().to_vec()
    }

    #[test]
    fn reads_headers_of_any_fork() {
        for fields in [15, 16, 20, 21] {
            let bytes = header(fields);
            let read = EthereumHeader::decode_rlp(&bytes).unwrap();
            assert_eq!(read.hash, keccak256([&bytes]));
            assert_eq!(read.number, 77);
            assert_eq!(read.timestamp, 1_700_000_000);
            assert_eq!(read.parent, H256::repeat_byte(0));
            assert_eq!(read.receipts_root, H256::repeat_byte(5));
            assert_eq!(read.randao, H256::repeat_byte(13));
        }
    }

    #[test]
    fn refuses_what_is_no_header() {
        let mut long = header(21);
        long.resize(MAX_HEADER_LENGTH as usize + 1, 0);
        assert_eq!(EthereumHeader::decode_rlp(&long), Err(HeaderError::TooLong));
        let mut trailing = header(20);
        trailing.push(0);
        for bytes in [
            &[][..],
            &[0xc0],
            &[0x80],
            &[0xff; 9],
            &header(10),
            &trailing,
        ] {
            assert_eq!(
                EthereumHeader::decode_rlp(bytes),
                Err(HeaderError::Malformed)
            );
        }
    }
}
