//! `program_calculateReplyForHandle` and `gear_estimateCost`: what a program would answer, and what that would cost it,
//! without any trace of it.

use super::{
    Context,
    error::RpcError,
    method,
    params::Args,
    types::{Actor, Amount, CalculatedReply, Code, Hex, Message, Reply},
};
use crate::rounds::ExecutedRound;
use gear_exe_executor::{Executor, ProgramCost, Query, QueryContext, QueryError, QueryReply};
use gear_exe_primitives::H256;
use jsonrpsee::{RpcModule, core::RegisterMethodError};
use serde::Serialize;
use std::sync::Arc;

pub(super) fn register(module: &mut RpcModule<Context>) -> Result<(), RegisterMethodError> {
    let parameters = &["at", "source", "program_id", "payload", "value", "top_up"];
    method(
        module,
        "program_calculateReplyForHandle",
        parameters,
        calculate,
    )?;
    method(module, "gear_estimateCost", parameters, estimate)
}

/// What a message would cost.
#[derive(Clone, Debug, Serialize)]
struct Estimate {
    reply: Reply,
    /// Gas that all programs burn.
    gas: Amount,
    /// wVARA base units that they pay together.
    cost: Amount,
    programs: Vec<Cost>,
}

/// What it would cost one program. Amounts are in wVARA base units.
#[derive(Clone, Debug, Serialize)]
struct Cost {
    program: Actor,
    gas: Amount,
    gas_price: Amount,
    settlement_price: Amount,
    cost: Amount,
}

impl From<&ProgramCost> for Cost {
    fn from(cost: &ProgramCost) -> Self {
        Self {
            program: Actor(cost.program),
            gas: Amount(cost.gas.into()),
            gas_price: Amount(cost.gas_price),
            settlement_price: Amount(cost.settlement_price),
            cost: Amount(cost.total()),
        }
    }
}

/// The round whose state is asked for: the newest of the best chain with the Ethereum block `at` as its anchor or, since
/// an anchor may skip blocks, with the nearest block before it.
fn round(context: &Context, at: Option<H256>) -> Result<ExecutedRound, RpcError> {
    let Some(at) = at else {
        return context.best();
    };
    let anchored = context.deps.rounds.at_ethereum(at);
    anchored.or_else(|| before(context, at)).ok_or_else(|| {
        RpcError::BadRequest(format!(
            "no executed round of the best chain has the Ethereum block {at:?}, or one before it on the same branch, \
             as its anchor; leave `at` out for the best one"
        ))
    })
}

/// For a block that no anchor ever was. Nothing if this node has not seen it, if it is on another branch than the best
/// anchor, or if it is older than the first anchor.
fn before(context: &Context, at: H256) -> Option<ExecutedRound> {
    let (rounds, chain) = (&context.deps.rounds, &context.deps.chain);
    let mut block = chain.seen(at)?;
    let mut known = rounds.best()?.anchor;
    while block.number > known.number {
        block = chain.seen(block.parent)?;
    }
    while known.number > block.number {
        known = chain.seen(known.parent)?;
    }
    if known.hash != block.hash {
        return None;
    }
    loop {
        if let Some(round) = rounds.at_ethereum(block.hash) {
            return Some(round);
        }
        block = chain.seen(block.parent)?;
    }
}

async fn calculate(args: Args, context: Arc<Context>) -> Result<CalculatedReply, RpcError> {
    run(args, context, Executor::calculate_reply, |reply| {
        let answer = answer(&reply);
        CalculatedReply {
            reply: answer.clone(),
            messages: reply.messages.iter().map(Message::from).collect(),
            legacy: answer,
        }
    })
    .await
}

async fn estimate(args: Args, context: Arc<Context>) -> Result<Estimate, RpcError> {
    run(args, context, Executor::estimate_cost, |reply| {
        let total = reply.costs.iter().map(ProgramCost::total);
        Estimate {
            reply: answer(&reply),
            gas: Amount(reply.gas_burned.into()),
            cost: Amount(total.fold(0, u128::saturating_add)),
            programs: reply.costs.iter().map(Cost::from).collect(),
        }
    })
    .await
}

type Ask = fn(&Executor, H256, &QueryContext, &Query) -> Result<QueryReply, QueryError>;

fn answer(reply: &QueryReply) -> Reply {
    Reply {
        payload: Hex(reply.payload.clone()),
        value: Amount(reply.value),
        code: Code(reply.code),
    }
}

/// Runs the program on the state after a round, with the height and time that it would see there. The executor has
/// threads of its own for that, so rounds are not held up.
async fn run<T: Send + 'static>(
    args: Args,
    context: Arc<Context>,
    ask: Ask,
    tell: impl FnOnce(QueryReply) -> T + Send + 'static,
) -> Result<T, RpcError> {
    let at = args.optional_hash(0)?;
    let (source, program) = (args.address(1)?, args.actor(2)?);
    let (value, top_up) = (args.amount(4)?, args.optional_amount(5)?);
    let reader = context.clone();
    let (round, parameters) = reader
        .read(move |context| {
            let round = round(context, at)?;
            let chain = &context.deps.chain;
            // The chain's state at an old block may be gone; then today's prices and limits count.
            let parameters = chain.parameters(round.block.hash).or_else(|| {
                let best = context.deps.rounds.best()?;
                chain.parameters(best.block.hash)
            });
            Ok((round, parameters.unwrap_or_default()))
        })
        .await?;
    let limit = usize::try_from(parameters.max_payload_bytes).unwrap_or(usize::MAX);
    let query = Query {
        source,
        program,
        payload: args.bytes(3, limit)?,
        value,
        top_up,
    };
    let shared = context.clone();
    let work = move || {
        let place = QueryContext {
            anchor: round.anchor,
            parameters,
        };
        let executor = shared.deps.rounds.executor();
        let reply = ask(executor, round.outcome.state_root, &place, &query).map_err(refusal)?;
        Ok(tell(reply))
    };
    context.calculations.blocking(work).await
}

fn refusal(error: QueryError) -> RpcError {
    match error {
        QueryError::UnknownProgram(program) => {
            RpcError::Runtime(format!("there is no program {}", Actor(program)))
        }
        QueryError::Uninitialized(program) => RpcError::Runtime(format!(
            "program {} is not initialised yet; send its first message",
            Actor(program)
        )),
        QueryError::Round(error) => {
            tracing::error!(%error, "a reply cannot be calculated");
            RpcError::Internal(error.to_string())
        }
        other @ (QueryError::NoReply | QueryError::GasLimit(_)) => {
            RpcError::Runtime(other.to_string())
        }
    }
}
