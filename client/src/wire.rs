//! JSON as nodes write it, and what it becomes. The shapes are those of the node's reference (`node/src/rpc/README.md`).

use gear_exe_primitives::{
    ActorId, H160, H256, MessageId,
    certificate::{Certificate, PromiseStatement, ReceiptProof, RoundStatement},
    ethereum::BlockId,
    message::{Receipt, ReplyCode},
    round::ChainBlock,
    signature::CompactSignature,
};
use serde::{Deserialize, Deserializer, de::Error as _};

use crate::{HeldBatch, Promise};

/// Bytes in hex with `0x`.
#[derive(Clone, Debug)]
pub(crate) struct Hex(pub Vec<u8>);

impl<'de> Deserialize<'de> for Hex {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.strip_prefix("0x")
            .and_then(|digits| hex::decode(digits).ok())
            .map(Self)
            .ok_or_else(|| D::Error::custom(format!("`{text}` is not bytes in hex with 0x")))
    }
}

impl Hex {
    fn array<const N: usize, E: serde::de::Error>(self) -> Result<[u8; N], E> {
        let length = self.0.len();
        self.0
            .try_into()
            .map_err(|_| E::custom(format!("{length} bytes where {N} are expected")))
    }
}

/// A number, or a decimal string where JavaScript's numbers do not reach.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Amount(pub u128);

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either {
            Number(u64),
            Text(String),
        }
        match Either::deserialize(deserializer)? {
            Either::Number(number) => Ok(Self(number.into())),
            Either::Text(text) => text.parse().map(Self).map_err(D::Error::custom),
        }
    }
}

/// An address in 20 bytes, or an actor's 32.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Actor(pub ActorId);

impl<'de> Deserialize<'de> for Actor {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = Hex::deserialize(deserializer)?;
        if bytes.0.len() == 20 {
            return Ok(Self(H160(bytes.array()?).into()));
        }
        Ok(Self(ActorId(H256(bytes.array()?))))
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Code(pub ReplyCode);

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self(ReplyCode(Hex::deserialize(deserializer)?.array()?)))
    }
}

/// 64 bytes (EIP-2098), or 65 as wallets write them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Signature(pub CompactSignature);

impl<'de> Deserialize<'de> for Signature {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = Hex::deserialize(deserializer)?;
        if bytes.0.len() == 65 {
            return CompactSignature::from_rsv(&bytes.array()?)
                .map(Self)
                .map_err(|error| D::Error::custom(format!("no signature: {error:?}")));
        }
        Ok(Self(CompactSignature(bytes.array()?)))
    }
}

/// Number and hash of a block of either chain.
#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct Block {
    number: u64,
    hash: H256,
}

impl From<Block> for ChainBlock {
    fn from(block: Block) -> Self {
        Self {
            number: block.number,
            hash: block.hash,
        }
    }
}

impl From<Block> for BlockId {
    fn from(block: Block) -> Self {
        Self {
            number: block.number,
            hash: block.hash,
        }
    }
}

#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct RawReceipt {
    message_id: H256,
    program_id: Actor,
    code: Code,
    payload_hash: H256,
    value: Amount,
    gas_burned: Amount,
    round: u64,
}

impl TryFrom<RawReceipt> for Receipt {
    type Error = String;

    fn try_from(raw: RawReceipt) -> Result<Self, String> {
        Ok(Self {
            message_id: MessageId(raw.message_id),
            program_id: raw.program_id.0,
            code: raw.code.0,
            payload_hash: raw.payload_hash,
            value: raw.value.0,
            gas_burned: u64::try_from(raw.gas_burned.0)
                .map_err(|_| String::from("more gas than there can be"))?,
            round: raw.round,
        })
    }
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct RawProof {
    index: u64,
    count: u64,
    siblings: Vec<H256>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct RawRoots {
    receipts_root: H256,
    state_root: H256,
    transitions_hash: H256,
}

impl RawRoots {
    /// Of all three; nothing if one is missing.
    pub(crate) fn of(
        receipts_root: Option<H256>,
        state_root: Option<H256>,
        transitions_hash: Option<H256>,
    ) -> Option<Self> {
        Some(Self {
            receipts_root: receipts_root?,
            state_root: state_root?,
            transitions_hash: transitions_hash?,
        })
    }
}

/// A receipt, with where it is proven.
pub(crate) fn proof(
    receipt: RawReceipt,
    proof: RawProof,
    roots: RawRoots,
) -> Result<ReceiptProof, String> {
    Ok(ReceiptProof {
        receipt: receipt.try_into()?,
        index: proof.index,
        count: proof.count,
        siblings: proof.siblings,
        receipts_root: roots.receipts_root,
        state_root: roots.state_root,
        transitions: roots.transitions_hash,
    })
}

#[derive(Clone, Debug, Deserialize)]
pub(crate) struct RawCertificate {
    set_id: u64,
    block: Block,
    anchor_number: u64,
    anchor_hash: H256,
    outcome: H256,
    signers: Hex,
    signatures: Vec<Signature>,
}

impl From<RawCertificate> for Certificate {
    fn from(raw: RawCertificate) -> Self {
        Self {
            statement: RoundStatement {
                set_id: raw.set_id,
                block_number: raw.block.number,
                block_hash: raw.block.hash,
                anchor: BlockId {
                    number: raw.anchor_number,
                    hash: raw.anchor_hash,
                },
                outcome: raw.outcome,
            },
            signers: raw.signers.0,
            signatures: raw.signatures.into_iter().map(|one| one.0).collect(),
        }
    }
}

#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct RawPromise {
    set_id: u64,
    slot: u64,
    block_hash: H256,
    outcome: H256,
    signature: Signature,
    author: H160,
}

impl From<RawPromise> for Promise {
    fn from(raw: RawPromise) -> Self {
        Self {
            statement: PromiseStatement {
                set_id: raw.set_id,
                slot: raw.slot,
                block_hash: raw.block_hash,
                outcome: raw.outcome,
            },
            signature: raw.signature.0,
            author: raw.author,
        }
    }
}

#[derive(Clone, Copy, Debug, Deserialize)]
pub(crate) struct RawBatch {
    nonce: u64,
    digest: H256,
    seal: Block,
    last_round: Block,
}

impl From<RawBatch> for HeldBatch {
    fn from(raw: RawBatch) -> Self {
        Self {
            nonce: raw.nonce,
            digest: raw.digest,
            seal: raw.seal.into(),
            last_round: raw.last_round.into(),
        }
    }
}
