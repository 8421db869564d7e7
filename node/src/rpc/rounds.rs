//! `gear_subscribeRounds`: each round of the executed path when it is executed here, when it has its certificate, and when
//! its block is final. One subscription for whoever watches the network rather than single messages.

use super::{
    Context,
    error::RpcError,
    params::Args,
    subscription::{ended, number_ids},
    types::Block,
};
use crate::lifecycle::RoundEvent;
use gear_exe_primitives::{H256, ethereum::BlockId, level::Level};
use jsonrpsee::{
    PendingSubscriptionSink, RpcModule, SubscriptionMessage,
    core::{
        RegisterMethodError,
        server::{SubscriptionCloseResponse, SubscriptionSink},
    },
    types::Params,
};
use serde::Serialize;
use std::sync::Arc;
use tokio::sync::broadcast::{Receiver, error::RecvError};

const SUBSCRIBE: &str = "gear_subscribeRounds";
const NOTIFICATION: &str = "gear_roundLevel";
const UNSUBSCRIBE: &str = "gear_unsubscribeRounds";

/// A round has reached a level.
#[derive(Clone, Debug, Serialize)]
struct Told {
    level: Level,
    /// Milliseconds since 1970 when this node saw it.
    at: u64,
    block: Block,
    anchor: Block,
    outcome: H256,
    /// With `executed`, if they were asked for: the ids of all messages with a receipt, in order.
    #[serde(skip_serializing_if = "Option::is_none")]
    messages: Option<Vec<H256>>,
}

fn block(id: BlockId) -> Block {
    Block {
        number: id.number,
        hash: id.hash,
    }
}

impl Told {
    fn of(event: &RoundEvent, messages: bool) -> Self {
        let ids = || event.messages.iter().map(|id| id.0).collect();
        Self {
            level: event.level,
            at: event.at,
            block: event.block.into(),
            anchor: block(event.anchor),
            outcome: event.outcome,
            messages: (messages && event.level == Level::Executed).then(ids),
        }
    }
}

pub(super) fn register(module: &mut RpcModule<Context>) -> Result<(), RegisterMethodError> {
    module.register_subscription(
        SUBSCRIBE,
        NOTIFICATION,
        UNSUBSCRIBE,
        |params, pending, context, _| serve(params, pending, context),
    )?;
    number_ids(module, SUBSCRIBE)
}

async fn serve(
    params: Params<'static>,
    pending: PendingSubscriptionSink,
    context: Arc<Context>,
) -> SubscriptionCloseResponse {
    let messages = Args::read(&params, &["messages"]).and_then(|args| args.flag(0));
    let messages = match messages {
        Ok(messages) => messages,
        Err(error) => {
            pending.reject(error).await;
            return SubscriptionCloseResponse::None;
        }
    };
    // From here on nothing is missed; what comes meanwhile is sent after the answer.
    let events = context.deps.lifecycle.rounds();
    let Ok(sink) = pending.accept().await else {
        return SubscriptionCloseResponse::None;
    };
    ended(follow(messages, events, &sink).await)
}

/// Sends until the client leaves (`Ok`) or is too slow.
async fn follow(
    messages: bool,
    mut events: Receiver<RoundEvent>,
    sink: &SubscriptionSink,
) -> Result<(), RpcError> {
    loop {
        let event = tokio::select! {
            () = sink.closed() => return Ok(()),
            event = events.recv() => event,
        };
        let event = match event {
            Ok(event) => event,
            Err(RecvError::Closed) => return Ok(()),
            Err(RecvError::Lagged(missed)) => {
                return Err(RpcError::Internal(format!(
                    "the subscription has missed {missed} events and has ended; read faster, and subscribe anew"
                )));
            }
        };
        match SubscriptionMessage::from_json(&Told::of(&event, messages)) {
            Ok(message) => {
                if sink.send(message).await.is_err() {
                    return Ok(());
                }
            }
            Err(error) => tracing::error!(%error, "a notification cannot be written"),
        }
    }
}
