//! `program_subscribeBestState`: one notification for each transition of a program on the best chain.

use super::{
    Context,
    error::RpcError,
    params::Args,
    types::{BestState, Message},
};
use crate::rounds::ExecutedRound;
use gear_exe_primitives::{ActorId, H256};
use jsonrpsee::{
    MethodCallback, PendingSubscriptionSink, RpcModule, SubscriptionMessage,
    core::{
        RegisterMethodError,
        server::{SubscriptionCloseResponse, SubscriptionSink},
        traits::IdProvider,
    },
    types::{ErrorObjectOwned, Params, SubscriptionId},
};
use std::{
    collections::{HashSet, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio::sync::broadcast::{Receiver, error::RecvError};

const SUBSCRIBE: &str = "program_subscribeBestState";
const NOTIFICATION: &str = "program_bestState";
const UNSUBSCRIBE: &str = "program_unsubscribeBestState";

/// Rounds that a subscription which fell behind still catches up with.
const MAX_CATCH_UP: usize = 1_024;

/// The least subscription id. Existing clients keep ids of requests, which are below a million, in one map with those of
/// subscriptions, and take zero for none.
const FIRST_ID: u64 = 1_000_000;

/// Subscription ids as existing clients need them: numbers from 1,000,000, each once per process.
#[derive(Clone, Copy, Debug, Default)]
pub struct NumericIds;

impl IdProvider for NumericIds {
    fn next_id(&self) -> SubscriptionId<'static> {
        static NEXT: AtomicU64 = AtomicU64::new(FIRST_ID);
        SubscriptionId::Num(NEXT.fetch_add(1, Ordering::Relaxed))
    }
}

static NUMERIC_IDS: NumericIds = NumericIds;

pub(super) fn register(module: &mut RpcModule<Context>) -> Result<(), RegisterMethodError> {
    module.register_subscription(
        SUBSCRIBE,
        NOTIFICATION,
        UNSUBSCRIBE,
        |params, pending, context, _| serve(params, pending, context),
    )?;
    number_ids(module, SUBSCRIBE)
}

/// Makes a subscription's ids numeric, whatever the server gives to others.
pub(super) fn number_ids(
    module: &mut RpcModule<Context>,
    name: &'static str,
) -> Result<(), RegisterMethodError> {
    if let Some(MethodCallback::Subscription(subscribe)) = module.remove_method(name) {
        let numbered: jsonrpsee::core::server::SubscriptionMethod<'static> =
            Arc::new(move |id, params, sink, mut state, extensions| {
                state.id_provider = &NUMERIC_IDS;
                subscribe(id, params, sink, state, extensions)
            });
        module.verify_and_insert(name, MethodCallback::Subscription(numbered))?;
    }
    Ok(())
}

/// Rounds that a subscription has seen, the newest ones.
#[derive(Default)]
struct Seen {
    order: VecDeque<H256>,
    hashes: HashSet<H256>,
}

impl Seen {
    /// False if it was seen before.
    fn insert(&mut self, hash: H256) -> bool {
        let new = self.hashes.insert(hash);
        if new {
            self.order.push_back(hash);
            if self.order.len() > 2 * MAX_CATCH_UP
                && let Some(oldest) = self.order.pop_front()
            {
                self.hashes.remove(&oldest);
            }
        }
        new
    }
}

async fn serve(
    params: Params<'static>,
    pending: PendingSubscriptionSink,
    context: Arc<Context>,
) -> SubscriptionCloseResponse {
    let program = match Args::read(&params, &["program_id"]).and_then(|args| args.actor(0)) {
        Ok(program) => program,
        Err(error) => {
            pending.reject(error).await;
            return SubscriptionCloseResponse::None;
        }
    };
    // From here on nothing is missed; what comes meanwhile is sent after the answer.
    let newest = context.deps.rounds.best().map(|round| round.block.hash);
    let rounds = context.deps.rounds.subscribe();
    let Ok(sink) = pending.accept().await else {
        return SubscriptionCloseResponse::None;
    };
    ended(follow(program, newest, rounds, &sink, context).await)
}

/// The last notification of a subscription: an error, if it has ended with one.
pub(super) fn ended(result: Result<(), RpcError>) -> SubscriptionCloseResponse {
    match result {
        Ok(()) => SubscriptionCloseResponse::None,
        Err(error) => SubscriptionMessage::from_json(&ErrorObjectOwned::from(error))
            .map_or(SubscriptionCloseResponse::None, |message| {
                SubscriptionCloseResponse::NotifErr(message)
            }),
    }
}

/// Sends until the client leaves (`Ok`) or is too slow.
async fn follow(
    program: ActorId,
    mut newest: Option<H256>,
    mut rounds: Receiver<ExecutedRound>,
    sink: &SubscriptionSink,
    context: Arc<Context>,
) -> Result<(), RpcError> {
    let mut seen = Seen::default();
    loop {
        let received = tokio::select! {
            () = sink.closed() => return Ok(()),
            received = rounds.recv() => received,
        };
        let missed = match received {
            Ok(round) => vec![round],
            Err(RecvError::Closed) => return Ok(()),
            Err(RecvError::Lagged(_)) => {
                context
                    .clone()
                    .read(move |context| catch_up(context, newest))
                    .await?
            }
        };
        for round in missed {
            newest = Some(round.block.hash);
            if seen.insert(round.block.hash) && !send(program, &round, sink).await {
                return Ok(());
            }
        }
    }
}

/// The rounds of the best chain after `known`, oldest first.
fn catch_up(context: &Context, known: Option<H256>) -> Result<Vec<ExecutedRound>, RpcError> {
    let rounds = &context.deps.rounds;
    let branch: HashSet<H256> = {
        // The known round may have left the best chain: its ancestors end the walk too.
        let mut ancestors = HashSet::new();
        let mut at = known;
        while let Some(hash) = at.filter(|_| ancestors.len() < MAX_CATCH_UP) {
            ancestors.insert(hash);
            at = rounds.round(hash).map(|round| round.parent);
        }
        ancestors
    };
    let mut missed = Vec::new();
    let mut at = rounds.best();
    while let Some(round) = at {
        if branch.contains(&round.block.hash) {
            break;
        }
        if missed.len() == MAX_CATCH_UP {
            return Err(RpcError::Internal(format!(
                "the subscription fell {MAX_CATCH_UP} rounds behind and has ended; read faster, \
                 and subscribe anew"
            )));
        }
        at = rounds.round(round.parent);
        missed.push(round);
    }
    missed.reverse();
    Ok(missed)
}

/// False if the client has left.
async fn send(program: ActorId, round: &ExecutedRound, sink: &SubscriptionSink) -> bool {
    for transition in &round.outcome.transitions {
        if transition.actor_id != program {
            continue;
        }
        let state = BestState {
            mb_hash: round.block.hash,
            new_state_hash: transition.new_state_hash,
            messages: transition.messages.iter().map(Message::from).collect(),
        };
        match SubscriptionMessage::from_json(&state) {
            Ok(message) => {
                if sink.send(message).await.is_err() {
                    return false;
                }
            }
            Err(error) => tracing::error!(%error, "a notification cannot be written"),
        }
    }
    true
}
