//! What became of a message, as a node says it when asked.

use crate::{Error, wire};
use gear_exe_primitives::{
    H160, H256, MessageId,
    certificate::{Certificate, PromiseStatement, ReceiptProof},
    ethereum::BlockId,
    level::Level,
    message::ReplyCode,
    native::ClientReceipt,
    round::ChainBlock,
    signature::CompactSignature,
};
use serde::Deserialize;

/// The word of a block's author alone, which comes before a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Promise {
    /// What the author has signed.
    pub statement: PromiseStatement,
    /// Its signature.
    pub signature: CompactSignature,
    /// Address of its Ethereum key.
    pub author: H160,
}

/// A batch that the Router holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeldBatch {
    /// Its number.
    pub nonce: u64,
    /// What validators have signed.
    pub digest: H256,
    /// The block of the chain that closed it.
    pub seal: ChainBlock,
    /// The last round in it.
    pub last_round: ChainBlock,
}

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// How far it is confirmed.
    pub level: Level,
    /// The block in whose round it ended.
    pub block: ChainBlock,
    /// The Ethereum block up to which that round has taken events.
    pub anchor: BlockId,
    /// Its receipt, with the proof that it is in the round.
    pub proof: ReceiptProof,
    /// The quorum's signatures on the round; nothing if there are none yet.
    pub certificate: Option<Certificate>,
    /// The word of the block's author, if the node has it.
    pub promise: Option<Promise>,
    /// From [`Level::Committed`] on.
    pub batch: Option<HeldBatch>,
}

#[derive(Deserialize)]
struct Raw {
    level: String,
    block: wire::Block,
    anchor: wire::Block,
    receipt: wire::RawReceipt,
    proof: wire::RawProof,
    #[serde(flatten)]
    roots: wire::RawRoots,
    certificate: Option<wire::RawCertificate>,
    #[serde(default)]
    promise: Option<wire::RawPromise>,
    batch: Option<wire::RawBatch>,
}

/// Reads an answer of `gear_messageStatus`.
pub(crate) fn read(value: serde_json::Value) -> Result<Option<Status>, Error> {
    let malformed = |reason: String| Error::Malformed {
        method: "gear_messageStatus",
        reason,
    };
    let raw: Option<Raw> =
        serde_json::from_value(value).map_err(|error| malformed(error.to_string()))?;
    let Some(raw) = raw else {
        return Ok(None);
    };
    Ok(Some(Status {
        level: Level::from_name(&raw.level)
            .ok_or_else(|| malformed(format!("no level: {}", raw.level)))?,
        block: raw.block.into(),
        anchor: raw.anchor.into(),
        proof: wire::proof(raw.receipt, raw.proof, raw.roots).map_err(malformed)?,
        certificate: raw.certificate.map(Into::into),
        promise: raw.promise.map(Into::into),
        batch: raw.batch.map(Into::into),
    }))
}

/// What a validator tells the sender of a native message, with its signature, which was checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The message was executed.
    Replied {
        /// What was replied.
        payload: Vec<u8>,
        /// ETH that came with it, in wei.
        value: u128,
        /// How it ended.
        code: ReplyCode,
        /// Which validator says so.
        signer: H160,
    },
    /// It never will be: the number of a [`PurgeReason`](gear_exe_primitives::native::PurgeReason).
    Purged(u8),
}

#[derive(Deserialize)]
struct RawAnswer {
    data: RawData,
    signature: wire::Signature,
    address: H160,
}

#[derive(Deserialize)]
enum RawData {
    Promise { tx_hash: H256, reply: RawReply },
    Purged { tx_hash: H256, reason: u8 },
}

#[derive(Deserialize)]
struct RawReply {
    payload: wire::Hex,
    value: wire::Amount,
    code: wire::Code,
}

/// Reads a receipt of `injected_…` for a message, and checks its signature where it can be: the reasons for which messages
/// are purged are many, and their numbers are signed as they are.
pub(crate) fn answer(
    method: &'static str,
    value: serde_json::Value,
    id: MessageId,
) -> Result<Option<Answer>, Error> {
    let raw: Option<RawAnswer> =
        serde_json::from_value(value).map_err(|error| Error::Malformed {
            method,
            reason: error.to_string(),
        })?;
    let Some(raw) = raw else {
        return Ok(None);
    };
    let (told, digest, answer) = match raw.data {
        RawData::Promise { tx_hash, reply } => {
            let (payload, value, code) = (reply.payload.0, reply.value.0, reply.code.0);
            let said = ClientReceipt::Promise {
                id,
                payload: &payload,
                value,
                code,
            };
            let digest = said.digest();
            let signer = raw.address;
            let answer = Answer::Replied {
                payload,
                value,
                code,
                signer,
            };
            (tx_hash, digest, answer)
        }
        RawData::Purged { tx_hash, reason } => {
            let digest = gear_exe_primitives::native::personal_message(
                gear_exe_primitives::hashing::keccak256([&[1][..], id.as_ref(), &[reason]]),
            );
            (tx_hash, digest, Answer::Purged(reason))
        }
    };
    if told == id.0 && raw.signature.0.recover(digest) == Ok(raw.address) {
        Ok(Some(answer))
    } else {
        Err(Error::NotSigned { id })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gear_exe_primitives::{
        ActorId, native::PurgeReason, signature::CompactSignature, signature::address_of_secret,
    };
    use serde_json::{Value, json};

    fn hash(byte: u8) -> String {
        format!("{:?}", H256::repeat_byte(byte))
    }

    fn status() -> Value {
        json!({
            "message_id": hash(1),
            "level": "committed",
            "block": { "number": 12, "hash": hash(2) },
            "anchor": { "number": 3, "hash": hash(3), "parent": hash(4), "timestamp": 1_800_000_000 },
            "receipt": {
                "index": 1, "leaf": hash(5), "message_id": hash(1), "program_id": format!("0x{}", "ab".repeat(20)),
                "code": "0x00010000", "payload_hash": hash(6), "value": "36893488147419103232",
                "gas_burned": 5_000, "round": 12,
            },
            "proof": { "count": 2, "index": 1, "leaf": hash(5), "siblings": [hash(7)] },
            "outcome_root": hash(8), "receipts_root": hash(9), "state_root": hash(10), "transitions_hash": hash(11),
            "certificate": {
                "genesis": hash(12), "set_id": 4, "block": { "number": 12, "hash": hash(2) }, "anchor_number": 3,
                "anchor_hash": hash(3), "outcome": hash(8), "signers": "0x07",
                "signatures": [format!("0x{}", "01".repeat(64))],
            },
            "batch": {
                "nonce": 9, "digest": hash(13), "seal": { "number": 14, "hash": hash(14) },
                "last_round": { "number": 13, "hash": hash(15) },
            },
        })
    }

    #[test]
    fn a_status_is_read_as_nodes_write_it() {
        let read_back = read(status()).unwrap().unwrap();
        assert_eq!(read_back.level, Level::Committed);
        assert_eq!(read_back.block.number, 12);
        assert_eq!(read_back.anchor.hash, H256::repeat_byte(3));
        let receipt = read_back.proof.receipt;
        assert_eq!(receipt.program_id, ActorId::from(H160::repeat_byte(0xab)));
        assert_eq!(receipt.value, 1 << 65);
        assert_eq!(receipt.gas_burned, 5_000);
        assert_eq!(read_back.proof.siblings, [H256::repeat_byte(7)]);
        assert_eq!(read_back.proof.transitions, H256::repeat_byte(11));
        let certificate = read_back.certificate.unwrap();
        assert_eq!(certificate.statement.set_id, 4);
        assert_eq!(certificate.signers, [7]);
        assert_eq!(certificate.signatures, [CompactSignature([1; 64])]);
        assert_eq!(read_back.promise, None);
        assert_eq!(read_back.batch.unwrap().last_round.number, 13);

        let mut promised = status();
        promised["level"] = json!("executed");
        promised["certificate"] = Value::Null;
        promised["batch"] = Value::Null;
        promised["promise"] = json!({
            "set_id": 4, "slot": 77, "block_hash": hash(2), "outcome": hash(8),
            "signature": format!("0x{}", "02".repeat(64)), "author": format!("0x{}", "cd".repeat(20)),
        });
        let promised = read(promised).unwrap().unwrap();
        assert_eq!((promised.certificate, promised.batch), (None, None));
        let promise = promised.promise.unwrap();
        assert_eq!(promise.statement.slot, 77);
        assert_eq!(promise.author, H160::repeat_byte(0xcd));
        assert_eq!(read(Value::Null).unwrap(), None);
    }

    #[test]
    fn what_does_not_fit_is_named() {
        for (path, value) in [
            ("/level", json!("promised")),
            ("/receipt/code", json!("0x0001")),
            ("/receipt/gas_burned", json!("36893488147419103232")),
            ("/receipt/program_id", json!("0x01")),
            ("/proof/siblings/0", json!("0x00")),
            ("/certificate/signatures/0", json!("0x0102")),
            ("/block", Value::Null),
        ] {
            let mut changed = status();
            *changed.pointer_mut(path).unwrap() = value;
            let error = read(changed).unwrap_err();
            assert!(matches!(error, Error::Malformed { .. }), "{path}: {error}");
        }
    }

    #[test]
    fn answers_are_believed_if_they_are_signed() {
        let (secret, id) = ([7; 32], MessageId(H256::repeat_byte(1)));
        let address = address_of_secret(&secret).unwrap();
        let signed = |said: ClientReceipt<'_>, data: Value| {
            let signature = CompactSignature::sign(&secret, said.digest()).unwrap();
            json!({
                "data": data, "signature": format!("0x{}", hex::encode(signature.to_rsv())), "address": address,
            })
        };
        let code = ReplyCode::SUCCESS_MANUAL;
        let said = ClientReceipt::Promise {
            id,
            payload: b"PONG",
            value: 5,
            code,
        };
        let reply = json!({ "payload": "0x504f4e47", "value": 5, "code": "0x00010000" });
        let promise = signed(
            said,
            json!({ "Promise": { "tx_hash": id.0, "reply": reply } }),
        );
        assert_eq!(
            answer("test", promise.clone(), id).unwrap(),
            Some(Answer::Replied {
                payload: b"PONG".to_vec(),
                value: 5,
                code,
                signer: address
            })
        );
        let reason = PurgeReason::PoolFull;
        let purged = signed(
            ClientReceipt::Purged { id, reason },
            json!({ "Purged": { "tx_hash": id.0, "reason": 8 } }),
        );
        assert_eq!(
            answer("test", purged.clone(), id).unwrap(),
            Some(Answer::Purged(8))
        );
        assert_eq!(answer("test", Value::Null, id).unwrap(), None);

        let mut other = promise;
        other["data"]["Promise"]["reply"]["value"] = json!(6);
        let mut reasons = purged;
        reasons["data"]["Purged"]["reason"] = json!(7);
        for lie in [other, reasons] {
            let error = answer("test", lie, id).unwrap_err();
            assert!(matches!(error, Error::NotSigned { .. }), "{error}");
        }
    }
}
