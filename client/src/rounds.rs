//! Rounds as they reach their levels: what a status page, a statistic or a load generator follows.

use crate::{Client, Error, Level, wire};
use futures::Stream;
use gear_exe_primitives::{H256, MessageId, ethereum::BlockId, round::ChainBlock};
use jsonrpsee::core::{client::Subscription, params::ObjectParams};
use serde::Deserialize;
use serde_json::Value;
use std::{
    pin::Pin,
    task::{Context, Poll},
};

const METHOD: &str = "gear_subscribeRounds";
const UNSUBSCRIBE: &str = "gear_unsubscribeRounds";

/// A round has reached a level, as this node sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoundLevel {
    /// Which: [`Level::Executed`], [`Level::Certified`] or [`Level::Finalized`].
    pub level: Level,
    /// When, by the node's clock: milliseconds since 1970.
    pub at: Option<u64>,
    /// The block whose round it is.
    pub block: ChainBlock,
    /// The Ethereum block up to which it has taken events; nothing if the node does not say.
    pub anchor: Option<BlockId>,
    /// What validators sign of it; nothing if the node does not say.
    pub outcome: Option<H256>,
    /// The messages with a receipt in it, in order. Only with [`Level::Executed`], and if they were asked for.
    pub messages: Vec<MessageId>,
}

/// The rounds of a node's best chain from the subscription on. It ends with [`Error::Interrupted`] when the connection
/// breaks or this reader was too slow: then subscribe again, and read by [`Client::round`] what was missed.
#[derive(Debug)]
pub struct Rounds {
    notifications: Subscription<Value>,
    ended: bool,
}

#[derive(Deserialize)]
struct Raw {
    level: String,
    #[serde(default)]
    at: Option<u64>,
    block: wire::Block,
    #[serde(default)]
    anchor: Option<wire::Block>,
    #[serde(default)]
    outcome: Option<H256>,
    #[serde(default)]
    messages: Option<Vec<H256>>,
}

fn read(value: Value) -> Result<RoundLevel, Error> {
    let malformed = |reason: String| Error::Malformed {
        method: METHOD,
        reason,
    };
    let raw: Raw = serde_json::from_value(value).map_err(|error| malformed(error.to_string()))?;
    Ok(RoundLevel {
        level: Level::from_name(&raw.level)
            .filter(|level| *level <= Level::Finalized)
            .ok_or_else(|| malformed(format!("no level of a round: {}", raw.level)))?,
        at: raw.at,
        block: raw.block.into(),
        anchor: raw.anchor.map(Into::into),
        outcome: raw.outcome,
        messages: raw
            .messages
            .unwrap_or_default()
            .into_iter()
            .map(MessageId)
            .collect(),
    })
}

impl Rounds {
    pub(crate) async fn begin(client: &Client, messages: bool) -> Result<Self, Error> {
        let mut params = ObjectParams::new();
        params
            .insert("messages", messages)
            .map_err(|error| Error::Malformed {
                method: METHOD,
                reason: error.to_string(),
            })?;
        Ok(Self {
            notifications: client.subscribe(METHOD, params, UNSUBSCRIBE).await?,
            ended: false,
        })
    }

    /// What comes next; nothing after the subscription has ended, which is said by an error before.
    pub async fn next(&mut self) -> Option<Result<RoundLevel, Error>> {
        futures::StreamExt::next(self).await
    }

    fn interrupted(reason: &str) -> Error {
        Error::Interrupted {
            method: METHOD,
            reason: reason.to_owned(),
        }
    }
}

impl Stream for Rounds {
    type Item = Result<RoundLevel, Error>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ended {
            return Poll::Ready(None);
        }
        let Poll::Ready(item) = Pin::new(&mut self.notifications).poll_next(context) else {
            return Poll::Pending;
        };
        Poll::Ready(Some(match item {
            Some(Ok(value)) => read(value),
            Some(Err(error)) => Err(Error::Malformed {
                method: METHOD,
                reason: error.to_string(),
            }),
            None => {
                self.ended = true;
                Err(Self::interrupted("the subscription has ended"))
            }
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn levels_of_rounds_are_read_as_nodes_write_them() {
        let hash = |byte: u8| format!("{:?}", H256::repeat_byte(byte));
        let executed = json!({
            "level": "executed", "at": 1_800_000_000_123u64, "block": { "number": 12, "hash": hash(1) },
            "anchor": { "number": 3, "hash": hash(2) }, "outcome": hash(3), "messages": [hash(4), hash(5)],
        });
        assert_eq!(
            read(executed).unwrap(),
            RoundLevel {
                level: Level::Executed,
                at: Some(1_800_000_000_123),
                block: ChainBlock {
                    number: 12,
                    hash: H256::repeat_byte(1)
                },
                anchor: Some(BlockId {
                    number: 3,
                    hash: H256::repeat_byte(2)
                }),
                outcome: Some(H256::repeat_byte(3)),
                messages: vec![
                    MessageId(H256::repeat_byte(4)),
                    MessageId(H256::repeat_byte(5))
                ],
            }
        );
        let finalized = json!({
            "level": "finalized", "at": null, "block": { "number": 12, "hash": hash(1) }, "messages": null,
        });
        let finalized = read(finalized).unwrap();
        assert_eq!(finalized.level, Level::Finalized);
        assert_eq!(
            (finalized.at, finalized.anchor, finalized.outcome),
            (None, None, None)
        );
        assert!(finalized.messages.is_empty());
        for wrong in [
            json!({ "level": "settled", "block": { "number": 1, "hash": hash(1) } }),
            json!({ "level": "executed" }),
            Value::Null,
        ] {
            assert!(matches!(read(wrong), Err(Error::Malformed { .. })));
        }
    }
}
