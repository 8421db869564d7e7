//! `gear_subscribeMessage`: the whole life of one message, native or from Ethereum, level by level; it can be resumed after
//! the last notification that a client has read.
//!
//! Nothing is queued for a reader. It remembers what it was told last ([`Told`]), is woken when the message may have come
//! further, and is then told what lies between that and what [`crate::lifecycle`] says. The cursor is what it was told, so a
//! client can go on at any time and at any node.

use super::{
    Context,
    error::RpcError,
    params::Args,
    settlement::{CertificateShape, HeldBatch, Proof, Roots},
    subscription::{ended, number_ids},
    types::{Anchor, Block, Hex, Receipt},
};
use crate::{
    lifecycle::{Found, LifecycleError, Watch, times::now},
    natives::{explain, waiting::Noted},
};
use codec::{Decode, DecodeAll, Encode};
use gear_exe_primitives::{
    MessageId, certificate::ReceiptProof, level::Level, native::PurgeReason, round::ChainBlock,
};
use jsonrpsee::{
    PendingSubscriptionSink, RpcModule, SubscriptionMessage,
    core::{
        RegisterMethodError,
        server::{SendTimeoutError, SubscriptionCloseResponse, SubscriptionSink},
    },
    types::Params,
};
use serde::Serialize;
use std::{sync::Arc, time::Duration};

const SUBSCRIBE: &str = "gear_subscribeMessage";
const NOTIFICATION: &str = "gear_message";
const UNSUBSCRIBE: &str = "gear_unsubscribeMessage";

/// A client that does not take a notification for so long is too slow.
const SLOW: Duration = Duration::from_secs(60);
/// Pause after which a message is looked at even if nothing tells of it.
const LOOK: Duration = Duration::from_secs(15);
/// The longest cursor, in letters.
const MAX_CURSOR: usize = 256;

pub(super) fn register(module: &mut RpcModule<Context>) -> Result<(), RegisterMethodError> {
    module.register_subscription(
        SUBSCRIBE,
        NOTIFICATION,
        UNSUBSCRIBE,
        |params, pending, context, _| serve(params, pending, context),
    )?;
    number_ids(module, SUBSCRIBE)
}

/// What a reader was told last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
enum Told {
    #[default]
    Nothing,
    Waiting,
    /// That the receipt in this block has come so far.
    Reached(ChainBlock, Level),
    /// That the receipt in some block does not count any more.
    Superseded,
    Purged,
}

/// Told of which message.
#[derive(Encode, Decode)]
struct Cursor {
    id: MessageId,
    told: Told,
}

impl Told {
    /// One that is not known, or of another message, is the beginning.
    fn from_cursor(id: MessageId, cursor: &str) -> Self {
        let bytes = hex::decode(cursor).unwrap_or_default();
        match Cursor::decode_all(&mut &bytes[..]) {
            Ok(cursor) if cursor.id == id => cursor.told,
            _ => Self::Nothing,
        }
    }

    fn cursor(self, id: MessageId) -> String {
        hex::encode(Cursor { id, told: self }.encode())
    }

    /// Where the receipt was.
    const fn block(self) -> Option<ChainBlock> {
        match self {
            Self::Reached(block, _) => Some(block),
            _ => None,
        }
    }

    /// Nothing comes after it.
    const fn is_end(self) -> bool {
        matches!(self, Self::Reached(_, Level::Settled) | Self::Purged)
    }
}

/// Where a message is now.
enum Now {
    /// This node has never heard of it.
    Unknown,
    /// It waits in the pool since then, or in a block whose round is not executed.
    Waiting(Option<u64>),
    /// It has a receipt. With it, for a native message, when it came.
    Ended(Box<Found>, Option<Option<u64>>),
    /// It will never be executed.
    Purged(Option<u64>, PurgeReason),
}

/// What a client is told: the parts that belong to the level.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "level", rename_all = "lowercase")]
enum Event {
    Waiting,
    Executed(Box<Executed>),
    Certified {
        certificate: Option<CertificateShape>,
    },
    Finalized,
    Committed {
        batch: Option<HeldBatch>,
    },
    Settled {
        batch: Option<HeldBatch>,
    },
    Superseded {
        block: Block,
    },
    Purged {
        reason: u8,
        message: &'static str,
    },
}

/// The receipt with what proves it.
#[derive(Clone, Debug, Serialize)]
struct Executed {
    block: Block,
    anchor: Anchor,
    receipt: Receipt,
    proof: Proof,
    #[serde(flatten)]
    roots: Roots,
    /// What was replied to a native message: its hash is the receipt's `payload_hash`. Null for messages from Ethereum.
    payload: Option<Hex>,
}

/// A notification.
#[derive(Clone, Debug, Serialize)]
struct Notification {
    cursor: String,
    /// Milliseconds since 1970 when this node saw it; null if that is not known.
    at: Option<u64>,
    #[serde(flatten)]
    event: Event,
}

/// Where a message is. `told` says where its receipt was.
fn look(context: &Context, id: MessageId, told: Told) -> Result<Now, RpcError> {
    let natives = &context.deps.natives;
    let came = |noted: Option<Noted>| match noted {
        Some(Noted::Came { at, .. }) => Some(at),
        _ => None,
    };
    if let Some(found) = context.deps.lifecycle.find(id, told.block())? {
        let noted = natives.noted(id);
        // Only at the beginning somebody wants to know.
        let is_native = told == Told::Nothing && (came(noted).is_some() || natives.is_taken(id)?);
        let waited = is_native.then(|| came(noted));
        return Ok(Now::Ended(Box::new(found), waited));
    }
    let noted = natives.noted(id);
    // What a block has taken will end, however long that takes.
    if natives.is_taken(id)? {
        return Ok(Now::Waiting(came(noted)));
    }
    Ok(match noted {
        Some(Noted::Came { at, reference }) => match natives.waits(reference)? {
            // Not if it was taken meanwhile.
            Some(reason) if !natives.is_taken(id)? => Now::Purged(Some(now()), reason),
            _ => Now::Waiting(Some(at)),
        },
        Some(Noted::Refused { at, reason }) => Now::Purged(Some(at), reason),
        None => Now::Unknown,
    })
}

/// What a reader who was told `told` is told now, in order, and what it was told after each.
fn news(
    context: &Context,
    told: Told,
    place: Now,
) -> Result<Vec<(Told, Option<u64>, Event)>, RpcError> {
    let mut news = Vec::new();
    let mut told = told;
    let block = match &place {
        Now::Ended(found, _) => Some(found.round.block),
        _ => None,
    };
    if let Some(before) = told.block()
        && block != Some(before)
    {
        // This node may not have come as far as the one that has given the cursor.
        if block.is_none() && !context.deps.lifecycle.contradicts(before) {
            return Ok(news);
        }
        told = Told::Superseded;
        let event = Event::Superseded {
            block: before.into(),
        };
        news.push((told, Some(now()), event));
    }
    match place {
        Now::Unknown => {}
        Now::Waiting(at) => {
            if told != Told::Waiting {
                news.push((Told::Waiting, at, Event::Waiting));
            }
        }
        Now::Purged(at, reason) => {
            if told != Told::Purged {
                let event = Event::Purged {
                    reason: reason as u8,
                    message: explain(reason),
                };
                news.push((Told::Purged, at, event));
            }
        }
        Now::Ended(found, waited) => {
            if told == Told::Nothing
                && let Some(at) = waited
            {
                news.push((Told::Waiting, at, Event::Waiting));
            }
            let reached = match told {
                Told::Reached(_, level) => Some(level),
                _ => None,
            };
            for level in Level::ALL {
                if Some(level) > reached && level <= found.level {
                    let told = Told::Reached(found.round.block, level);
                    let event = event(context, &found, level)?;
                    news.push((told, found.reached.at(level), event));
                }
            }
        }
    }
    Ok(news)
}

fn event(context: &Context, found: &Found, level: Level) -> Result<Event, RpcError> {
    Ok(match level {
        Level::Executed => {
            let round = &found.round;
            let proof = ReceiptProof::of(&round.outcome, found.index)
                .ok_or_else(|| RpcError::Internal("the receipt cannot be proven".into()))?;
            let reply = round.outcome.reply_to(proof.receipt.message_id);
            Event::Executed(Box::new(Executed {
                payload: reply.map(|reply| Hex(reply.payload.clone())),
                block: round.block.into(),
                anchor: round.anchor.into(),
                receipt: Receipt::new(proof.index, &proof.receipt),
                roots: Roots::proven(&proof),
                proof: proof.into(),
            }))
        }
        Level::Certified => {
            let (_, genesis) = context.deps.certificates.domain();
            let certificate = found.certificate.as_ref();
            Event::Certified {
                certificate: certificate.map(|found| CertificateShape::of(found, genesis)),
            }
        }
        Level::Finalized => Event::Finalized,
        Level::Committed => Event::Committed {
            batch: found.batch.map(Into::into),
        },
        Level::Settled => Event::Settled {
            batch: found.batch.map(Into::into),
        },
    })
}

async fn serve(
    params: Params<'static>,
    pending: PendingSubscriptionSink,
    context: Arc<Context>,
) -> SubscriptionCloseResponse {
    let asked = Args::read(&params, &["message_id", "cursor"]).and_then(|args| {
        let id = MessageId(args.hash(0)?);
        let cursor = args.optional_name(1, MAX_CURSOR)?;
        let told = cursor.map_or(Told::Nothing, |cursor| Told::from_cursor(id, &cursor));
        // From here on nothing is missed.
        let watch = context.deps.lifecycle.watch(id).ok_or_else(|| {
            RpcError::Internal("too many messages are waited for; try again later".into())
        })?;
        Ok((id, told, watch))
    });
    let (id, told, watch) = match asked {
        Ok(asked) => asked,
        Err(error) => {
            pending.reject(error).await;
            return SubscriptionCloseResponse::None;
        }
    };
    let Ok(sink) = pending.accept().await else {
        return SubscriptionCloseResponse::None;
    };
    ended(follow(id, told, watch, &sink, context).await)
}

/// Sends until the message has come to its end or the client leaves (`Ok`), or the client is too slow.
async fn follow(
    id: MessageId,
    mut told: Told,
    mut watch: Watch,
    sink: &SubscriptionSink,
    context: Arc<Context>,
) -> Result<(), RpcError> {
    loop {
        let shared = context.clone();
        let look = move || {
            let place = look(&shared, id, told)?;
            news(&shared, told, place)
        };
        for (next, at, event) in context.watched.blocking(look).await? {
            let notification = Notification {
                cursor: next.cursor(id),
                at,
                event,
            };
            let message = SubscriptionMessage::from_json(&notification)
                .map_err(|error| RpcError::Internal(error.to_string()))?;
            match sink.send_timeout(message, SLOW).await {
                Ok(()) => told = next,
                Err(SendTimeoutError::Closed(_)) => return Ok(()),
                Err(SendTimeoutError::Timeout(_)) => {
                    return Err(RpcError::Internal(format!(
                        "a notification was not read for {} s, and the subscription has ended; subscribe anew with the \
                         last cursor",
                        SLOW.as_secs()
                    )));
                }
            }
        }
        if told.is_end() {
            return Ok(());
        }
        tokio::select! {
            () = sink.closed() => return Ok(()),
            () = watch.changed() => {}
            () = tokio::time::sleep(LOOK) => {}
        }
    }
}

impl From<LifecycleError> for RpcError {
    fn from(error: LifecycleError) -> Self {
        match error {
            LifecycleError::Natives(error) => error.into(),
            LifecycleError::Store(error) => Self::Internal(error.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gear_exe_primitives::H256;

    #[test]
    fn cursors_are_read_by_their_message_alone() {
        let (one, other) = (
            MessageId(H256::repeat_byte(1)),
            MessageId(H256::repeat_byte(2)),
        );
        let block = ChainBlock {
            number: 7,
            hash: H256::repeat_byte(3),
        };
        for told in [
            Told::Waiting,
            Told::Reached(block, Level::Certified),
            Told::Superseded,
            Told::Purged,
        ] {
            let cursor = told.cursor(one);
            assert!(cursor.len() <= MAX_CURSOR);
            assert_eq!(Told::from_cursor(one, &cursor), told);
            assert_eq!(Told::from_cursor(other, &cursor), Told::Nothing);
            assert_eq!(Told::from_cursor(one, &cursor[2..]), Told::Nothing);
        }
        for bad in ["", "zz", "00"] {
            assert_eq!(Told::from_cursor(one, bad), Told::Nothing);
        }
    }
}
