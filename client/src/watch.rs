//! The life of one message, as a node tells it.

use crate::{Client, Error, HeldBatch, Promise, verify_reply, wire};
use futures::{Stream, StreamExt, stream};
use gear_exe_primitives::{
    H256, MessageId,
    certificate::{Certificate, ReceiptProof},
    message::Receipt,
    round::ChainBlock,
};
use jsonrpsee::{core::client::Subscription, rpc_params};
use serde::Deserialize;
use serde_json::Value;
use std::{fmt, time::Duration};
use tokio::time::{Instant, sleep};

const METHOD: &str = "gear_subscribeMessage";
const UNSUBSCRIBE: &str = "gear_unsubscribeMessage";

/// Pause before a broken watch looks for its node again, at first. It doubles up to [`LAST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest such pause.
const LAST_PAUSE: Duration = Duration::from_secs(2);

/// A place in the life of a message, to go on from: [`Client::watch_from`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor(pub String);

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Something has happened to the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// To go on after this.
    pub cursor: Cursor,
    /// When the node has seen it, by its clock: milliseconds since 1970. Nothing if it was before anybody watched.
    pub at: Option<u64>,
    /// What has happened.
    pub stage: Stage,
}

/// What can happen to a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// It waits for a block.
    Waiting,
    /// The node has executed it.
    Executed(Box<Executed>),
    /// More than two thirds of the validators have signed its round. Without their signatures if the node has learned it from
    /// a later level.
    Certified(Option<Box<Certificate>>),
    /// The chain has finalised the block of its round.
    Finalized,
    /// The Router holds this batch with its round, or one after it.
    Committed(Option<HeldBatch>),
    /// It holds one after an Ethereum block that is final. Nothing comes after this.
    Settled(Option<HeldBatch>),
    /// What was told of it since the block with this round does not count any more, since Ethereum has gone back or the
    /// block was left: what counts instead follows.
    Superseded(ChainBlock),
    /// It will never be executed. Nothing comes after this.
    Purged {
        /// The number of a [`PurgeReason`](gear_exe_primitives::native::PurgeReason).
        reason: u8,
        /// Why, and what to do.
        message: String,
    },
}

/// A message that was executed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Executed {
    /// The block in whose round it ended.
    pub block: ChainBlock,
    /// How it ended.
    pub receipt: Receipt,
    /// That the receipt is in the round, if the node says so here; else [`Client::status`] does.
    pub proof: Option<ReceiptProof>,
    /// What was replied to a native message, as the receipt's hash proves. Nothing for one from Ethereum.
    pub payload: Option<Vec<u8>>,
    /// The word of the block's author, if the node has it.
    pub promise: Option<Promise>,
}

impl Stage {
    /// Its name, as nodes write it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Executed(_) => "executed",
            Self::Certified(_) => "certified",
            Self::Finalized => "finalized",
            Self::Committed(_) => "committed",
            Self::Settled(_) => "settled",
            Self::Superseded(_) => "superseded",
            Self::Purged { .. } => "purged",
        }
    }

    /// Whether nothing comes after it.
    pub const fn is_last(&self) -> bool {
        matches!(self, Self::Settled(_) | Self::Purged { .. })
    }
}

#[derive(Deserialize)]
struct Raw {
    cursor: String,
    level: String,
    #[serde(default)]
    at: Option<u64>,
    #[serde(default)]
    block: Option<wire::Block>,
    #[serde(default)]
    receipt: Option<wire::RawReceipt>,
    #[serde(default)]
    proof: Option<wire::RawProof>,
    #[serde(default)]
    receipts_root: Option<H256>,
    #[serde(default)]
    state_root: Option<H256>,
    #[serde(default)]
    transitions_hash: Option<H256>,
    #[serde(default)]
    payload: Option<wire::Hex>,
    #[serde(default)]
    promise: Option<wire::RawPromise>,
    #[serde(default)]
    certificate: Option<wire::RawCertificate>,
    #[serde(default)]
    batch: Option<wire::RawBatch>,
    #[serde(default)]
    reason: Option<u8>,
    #[serde(default)]
    message: Option<String>,
}

impl Raw {
    fn stage(self) -> Result<Stage, String> {
        fn some<T>(level: &str, name: &str, value: Option<T>) -> Result<T, String> {
            value.ok_or_else(|| format!("`{level}` without `{name}`"))
        }
        let level = self.level.as_str();
        Ok(match level {
            "waiting" => Stage::Waiting,
            "executed" => {
                let receipt = some(level, "receipt", self.receipt)?;
                let roots =
                    wire::RawRoots::of(self.receipts_root, self.state_root, self.transitions_hash);
                let proof = match (self.proof, roots) {
                    (Some(proof), Some(roots)) => Some(wire::proof(receipt, proof, roots)?),
                    _ => None,
                };
                let receipt: Receipt = receipt.try_into()?;
                let payload = self.payload.map(|payload| payload.0);
                if let Some(payload) = &payload {
                    verify_reply(&receipt, payload)
                        .map_err(|error| format!("`payload`: {error}"))?;
                }
                Stage::Executed(Box::new(Executed {
                    block: some(level, "block", self.block)?.into(),
                    receipt,
                    proof,
                    payload,
                    promise: self.promise.map(Into::into),
                }))
            }
            "certified" => Stage::Certified(self.certificate.map(|raw| Box::new(raw.into()))),
            "finalized" => Stage::Finalized,
            "committed" => Stage::Committed(self.batch.map(Into::into)),
            "settled" => Stage::Settled(self.batch.map(Into::into)),
            "superseded" => Stage::Superseded(some(level, "block", self.block)?.into()),
            "purged" => Stage::Purged {
                reason: some(level, "reason", self.reason)?,
                message: self.message.unwrap_or_default(),
            },
            other => return Err(format!("no level: {other}")),
        })
    }
}

fn read(value: Value) -> Result<Event, Error> {
    let malformed = |reason: String| Error::Malformed {
        method: METHOD,
        reason,
    };
    let raw: Raw = serde_json::from_value(value).map_err(|error| malformed(error.to_string()))?;
    Ok(Event {
        cursor: Cursor(raw.cursor.clone()),
        at: raw.at,
        stage: raw.stage().map_err(malformed)?,
    })
}

/// The life of one message. When the connection breaks it goes on from where it was, at the same address; an event may then be
/// told again if the node does not remember the place.
#[derive(Debug)]
pub struct Watch {
    client: Client,
    id: MessageId,
    cursor: Option<Cursor>,
    notifications: Option<Subscription<Value>>,
    ended: bool,
}

impl Watch {
    pub(crate) async fn begin(
        client: Client,
        id: MessageId,
        cursor: Option<Cursor>,
    ) -> Result<Self, Error> {
        let mut watch = Self {
            client,
            id,
            cursor,
            notifications: None,
            ended: false,
        };
        watch.notifications = Some(watch.subscribe().await?);
        Ok(watch)
    }

    /// The message.
    pub const fn id(&self) -> MessageId {
        self.id
    }

    /// Where it is: after the last event that was told.
    pub const fn cursor(&self) -> Option<&Cursor> {
        self.cursor.as_ref()
    }

    async fn subscribe(&self) -> Result<Subscription<Value>, Error> {
        let cursor = self.cursor.as_ref().map(|cursor| &cursor.0);
        let params = rpc_params![self.id.0, cursor];
        self.client.subscribe(METHOD, params, UNSUBSCRIBE).await
    }

    /// What happens next; nothing after [`Stage::is_last`], and after an error.
    ///
    /// # Errors
    ///
    /// [`Error::Unreachable`] or [`Error::Interrupted`] if the node stays away for longer than
    /// [`patience`](crate::Options::patience); [`Error::Malformed`] if it tells what it should not.
    pub async fn next(&mut self) -> Option<Result<Event, Error>> {
        if self.ended {
            return None;
        }
        let told = self.told().await;
        match &told {
            Ok(event) => {
                self.cursor = Some(event.cursor.clone());
                self.ended = event.stage.is_last();
            }
            Err(_) => self.ended = true,
        }
        Some(told)
    }

    async fn told(&mut self) -> Result<Event, Error> {
        let mut gone: Option<Instant> = None;
        let mut pause = FIRST_PAUSE;
        loop {
            if let Some(notifications) = &mut self.notifications {
                let began = Instant::now();
                match notifications.next().await {
                    Some(Ok(value)) => return read(value),
                    Some(Err(error)) => {
                        return Err(Error::Malformed {
                            method: METHOD,
                            reason: error.to_string(),
                        });
                    }
                    // The connection broke, or one of both was too slow.
                    None => self.notifications = None,
                }
                if began.elapsed() > LAST_PAUSE {
                    (gone, pause) = (None, FIRST_PAUSE);
                }
            }
            let since = match gone {
                Some(since) => {
                    sleep(pause).await;
                    pause = LAST_PAUSE.min(pause.saturating_mul(2));
                    since
                }
                None => *gone.insert(Instant::now()),
            };
            let again = self.subscribe().await;
            let too_long = since.elapsed() > self.client.options().patience;
            match again {
                Ok(_) if too_long => {
                    return Err(Error::Interrupted {
                        method: METHOD,
                        reason: "the subscription ends again and again".into(),
                    });
                }
                Ok(notifications) => self.notifications = Some(notifications),
                Err(Error::Unreachable { .. } | Error::Interrupted { .. }) if !too_long => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// The same as a stream.
    pub fn into_stream(self) -> impl Stream<Item = Result<Event, Error>> + Send + Unpin {
        stream::unfold(self, |mut watch| async move {
            let event = watch.next().await?;
            Some((event, watch))
        })
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gear_exe_primitives::{hashing::keccak256, message::ReplyCode};
    use serde_json::json;

    fn hash(byte: u8) -> String {
        format!("{:?}", H256::repeat_byte(byte))
    }

    fn told(level: &str, with: Value) -> Value {
        let mut told = json!({ "cursor": "7", "level": level, "at": 1_800_000_000_123u64 });
        if let (Value::Object(told), Value::Object(with)) = (&mut told, with) {
            told.extend(with);
        }
        told
    }

    fn stage(level: &str, with: Value) -> Stage {
        let event = read(told(level, with)).unwrap();
        assert_eq!(event.cursor, Cursor("7".into()));
        assert_eq!(event.at, Some(1_800_000_000_123));
        assert_eq!(event.stage.name(), level);
        event.stage
    }

    fn executed() -> Value {
        json!({
            "block": { "number": 12, "hash": hash(2) },
            "receipt": {
                "index": 0, "leaf": hash(5), "message_id": hash(1), "program_id": format!("0x{}", "ab".repeat(20)),
                "code": "0x00010000", "payload_hash": hash(6), "value": 0, "gas_burned": 5, "round": 12,
            },
            "proof": { "count": 1, "index": 0, "leaf": hash(5), "siblings": [] },
        })
    }

    #[test]
    fn every_level_is_read_as_nodes_write_it() {
        let batch = json!({ "batch": {
            "nonce": 9, "digest": hash(13), "seal": { "number": 14, "hash": hash(14) },
            "last_round": { "number": 13, "hash": hash(15) },
        } });
        let block = json!({ "block": { "number": 12, "hash": hash(2) } });
        let certificate = json!({ "certificate": {
            "genesis": hash(12), "set_id": 4, "block": { "number": 12, "hash": hash(2) }, "anchor_number": 3,
            "anchor_hash": hash(3), "outcome": hash(8), "signers": "0x07",
            "signatures": [format!("0x{}", "01".repeat(64))],
        } });

        assert_eq!(stage("waiting", json!({})), Stage::Waiting);
        let Stage::Certified(Some(signed)) = stage("certified", certificate) else {
            panic!("not certified");
        };
        assert_eq!(signed.statement.block_number, 12);
        let unsigned = stage("certified", json!({ "certificate": null }));
        assert_eq!(unsigned, Stage::Certified(None));
        assert_eq!(stage("finalized", block.clone()), Stage::Finalized);
        let Stage::Superseded(left) = stage("superseded", block) else {
            panic!("not superseded");
        };
        assert_eq!(left.hash, H256::repeat_byte(2));
        for level in ["committed", "settled"] {
            let (Stage::Committed(held) | Stage::Settled(held)) = stage(level, batch.clone())
            else {
                panic!("no batch");
            };
            assert_eq!(held.map(|held| held.nonce), Some(9));
        }
        let purged = stage("purged", json!({ "reason": 1, "message": "sign again" }));
        assert!(purged.is_last());
        assert_eq!(
            purged,
            Stage::Purged {
                reason: 1,
                message: "sign again".into()
            }
        );
        let unknown_time = json!({ "cursor": "0", "level": "waiting", "at": null });
        assert_eq!(read(unknown_time).unwrap().at, None);
    }

    #[test]
    fn an_execution_comes_with_its_proof_if_the_node_gives_the_roots() {
        let Stage::Executed(without) = stage("executed", executed()) else {
            panic!("not executed");
        };
        assert_eq!(without.block.number, 12);
        assert_eq!(without.receipt.code, ReplyCode::SUCCESS_MANUAL);
        assert_eq!((&without.proof, &without.promise), (&None, &None));
        assert_eq!(without.payload, None);

        let mut with = executed();
        with["receipts_root"] = json!(hash(9));
        with["state_root"] = json!(hash(10));
        with["transitions_hash"] = json!(hash(11));
        with["promise"] = json!({
            "set_id": 4, "slot": 77, "block_hash": hash(2), "outcome": hash(8),
            "signature": format!("0x{}", "02".repeat(64)), "author": format!("0x{}", "cd".repeat(20)),
        });
        let Stage::Executed(with) = stage("executed", with) else {
            panic!("not executed");
        };
        let proof = with.proof.unwrap();
        assert_eq!(proof.receipt, with.receipt);
        assert_eq!(proof.receipts_root, H256::repeat_byte(9));
        assert_eq!(with.promise.unwrap().statement.slot, 77);
    }

    #[test]
    fn a_reply_is_believed_by_its_hash() {
        let mut replied = executed();
        replied["payload"] = json!("0x504f4e47");
        let error = read(told("executed", replied.clone())).unwrap_err();
        assert!(error.to_string().contains("`payload`"), "{error}");
        replied["receipt"]["payload_hash"] = json!(keccak256([b"PONG"]));
        let Stage::Executed(read) = stage("executed", replied) else {
            panic!("not executed");
        };
        assert_eq!(read.payload.as_deref(), Some(&b"PONG"[..]));
    }

    #[test]
    fn what_does_not_fit_is_named() {
        for wrong in [
            told("promised", json!({})),
            told("executed", json!({})),
            told("certified", json!({ "certificate": 1 })),
            told("superseded", json!({})),
            told("purged", json!({ "reason": 300 })),
            json!({ "level": "waiting" }),
            Value::Null,
        ] {
            let error = read(wrong).unwrap_err();
            assert!(matches!(error, Error::Malformed { .. }), "{error}");
        }
    }
}
