//! An observer's view: what the network does as this node sees it, and its programs. The status page lives on it.

use super::{
    Context,
    error::RpcError,
    method,
    params::Args,
    types::{Actor, Amount, Anchor, Block},
};
use crate::{
    lifecycle::times::now,
    status::{BatchSeen, RoundSeen, View, levels::KEPT, watch::Validator},
};
use gear_exe_executor::state;
use gear_exe_primitives::{ActorId, H160, H256, ethereum::BlockId};
use jsonrpsee::{RpcModule, core::RegisterMethodError};
use serde::Serialize;
use std::sync::Arc;

/// Rounds that are told unless another number is asked for.
const ROUNDS: usize = 32;
/// Programs that are told unless another number is asked for.
const PROGRAMS: usize = 25;
/// Programs that are told at most.
const MAX_PROGRAMS: usize = 100;

pub(super) fn register(module: &mut RpcModule<Context>) -> Result<(), RegisterMethodError> {
    method(module, "gear_network", &["rounds"], network)?;
    method(module, "gear_programs", &["from", "limit"], programs)
}

/// Number and hash of an Ethereum block.
fn ethereum(block: BlockId) -> Block {
    Block {
        number: block.number,
        hash: block.hash,
    }
}

/// Ethereum as the chain and this node see it.
#[derive(Clone, Debug, Serialize)]
struct Ethereum {
    /// The newest executed round's anchor.
    anchor: Option<Anchor>,
    /// The head that this node sees.
    head: Option<Block>,
    /// The last block that a quorum reported final.
    #[serde(rename = "final")]
    last_final: Option<Block>,
    /// Blocks by which the anchor is behind the head.
    lag: Option<u64>,
}

/// A validator and its part in what was signed of late.
#[derive(Clone, Debug, Serialize)]
struct Member {
    address: H160,
    weight: u64,
    /// Of [`Set::rounds`].
    rounds: u64,
    /// Of [`Set::batches`].
    batches: u64,
}

impl From<Validator> for Member {
    fn from(validator: Validator) -> Self {
        Self {
            address: validator.member.address,
            weight: validator.member.weight,
            rounds: validator.rounds,
            batches: validator.batches,
        }
    }
}

/// The validator set.
#[derive(Clone, Debug, Serialize)]
struct Set {
    id: u64,
    /// Recent rounds by which participation is measured.
    rounds: u64,
    /// Recent batches by which participation is measured.
    batches: u64,
    validators: Vec<Member>,
}

/// A round of the best chain. Times are milliseconds since 1970, by this node's clock.
#[derive(Clone, Debug, Serialize)]
struct Round {
    block: Block,
    anchor: Block,
    gas: Amount,
    messages: u64,
    programs: u64,
    executed: u64,
    certified: Option<u64>,
    finalized: Option<u64>,
}

impl From<RoundSeen> for Round {
    fn from(round: RoundSeen) -> Self {
        Self {
            block: round.block.into(),
            anchor: ethereum(round.anchor),
            gas: Amount(round.gas.into()),
            messages: round.messages,
            programs: round.programs,
            executed: round.executed,
            certified: round.certified,
            finalized: round.finalized,
        }
    }
}

/// A batch. Times are milliseconds since 1970, by this node's clock.
#[derive(Clone, Debug, Serialize)]
struct BatchView {
    nonce: u64,
    digest: H256,
    state: &'static str,
    seal: Block,
    last_round: Block,
    /// Programs that it changes; null if this node does not have its body.
    programs: Option<u64>,
    /// Validators that have voted on it.
    signatures: u64,
    /// Milliseconds since this node knew of it; null if the Router held it when the node started.
    age: Option<u64>,
    signing: Option<u64>,
    ready: Option<u64>,
    committed: Option<u64>,
    settled: Option<u64>,
}

impl BatchView {
    fn of(batch: BatchSeen, now: u64) -> Self {
        Self {
            nonce: batch.nonce,
            digest: batch.digest,
            state: batch.state.name(),
            seal: batch.seal.into(),
            last_round: batch.last_round.into(),
            programs: batch.programs,
            signatures: batch.voted.len() as u64,
            age: batch.signing.map(|known| now.saturating_sub(known)),
            signing: batch.signing,
            ready: batch.ready,
            committed: batch.committed,
            settled: batch.settled,
        }
    }
}

/// The network at one moment.
#[derive(Clone, Debug, Serialize)]
struct Network {
    name: String,
    version: &'static str,
    genesis: H256,
    chain_id: u64,
    router: H160,
    /// This node's clock, in milliseconds since 1970.
    now: u64,
    best: Option<Block>,
    finalized: Option<Block>,
    executed: Option<Block>,
    certified: Option<Block>,
    ethereum: Ethereum,
    set: Set,
    /// Newest first.
    rounds: Vec<Round>,
    /// Newest first.
    batches: Vec<BatchView>,
    /// Programs whose messages wait for executable balance; up to 1,024 are counted.
    starved: u64,
    /// Names of the alarms that are raised on this node.
    alarms: Vec<&'static str>,
}

/// What the network does, with the newest rounds.
async fn network(args: Args, context: Arc<Context>) -> Result<Network, RpcError> {
    let rounds = match args.optional_amount(0)? {
        Some(_) => args.index(0)? as usize,
        None => ROUNDS,
    };
    let deps = &context.deps;
    let now = now();
    let view: View = deps.watch.view(rounds.min(KEPT));
    let best = deps.rounds.best();
    let head = deps.ethereum.head();
    let (domain, genesis) = deps.certificates.domain();
    let certified = view.rounds.iter().find(|round| round.certified.is_some());
    Ok(Network {
        name: deps.watch.name().to_owned(),
        version: env!("CARGO_PKG_VERSION"),
        genesis,
        chain_id: domain.chain_id,
        router: domain.router,
        now,
        best: view.best.map(Into::into),
        finalized: view.finalized.map(Into::into),
        executed: best.as_ref().map(|round| round.block.into()),
        certified: certified.map(|round| round.block.into()),
        ethereum: Ethereum {
            lag: best
                .as_ref()
                .zip(head)
                .map(|(round, head)| head.number.saturating_sub(round.anchor.number)),
            anchor: best.as_ref().map(|round| round.anchor.into()),
            head: head.map(ethereum),
            last_final: view.ethereum_final.map(ethereum),
        },
        set: Set {
            id: view.set_id,
            rounds: view.of_rounds,
            batches: view.of_batches,
            validators: view.validators.into_iter().map(Into::into).collect(),
        },
        rounds: view.rounds.into_iter().map(Into::into).collect(),
        batches: view
            .batches
            .into_iter()
            .map(|batch| BatchView::of(batch, now))
            .collect(),
        starved: best.map_or(0, |round| round.outcome.starved.len() as u64),
        alarms: deps.watch.alarms(),
    })
}

/// A program after the best round.
#[derive(Clone, Debug, Serialize)]
struct Program {
    program_id: Actor,
    code_id: H256,
    state_hash: H256,
    /// `created`, `active`, `exited` or `terminated`.
    status: &'static str,
    /// wVARA that pays for its gas, in base units.
    executable_balance: Amount,
    /// ETH that it owns, in wei.
    balance: Amount,
    /// Messages in its queue.
    queue: u64,
    /// They wait for executable balance.
    starved: bool,
}

/// Programs in the order of their ids.
#[derive(Clone, Debug, Serialize)]
struct Programs {
    /// The block after whose round they are like this; null before the first round.
    block: Option<Block>,
    programs: Vec<Program>,
    /// Where the next ones begin; null if these are the last.
    next: Option<Actor>,
}

/// Programs from an id on.
async fn programs(args: Args, context: Arc<Context>) -> Result<Programs, RpcError> {
    let from = args.optional_actor(0)?.unwrap_or(ActorId(H256::zero()));
    let limit = match args.index(1)? {
        0 => PROGRAMS,
        limit => (limit as usize).min(MAX_PROGRAMS),
    };
    context
        .read(move |context| list(context, from, limit))
        .await
}

fn list(context: &Context, from: ActorId, limit: usize) -> Result<Programs, RpcError> {
    let Some(best) = context.deps.rounds.best() else {
        return Ok(Programs {
            block: None,
            programs: Vec::new(),
            next: None,
        });
    };
    let store = context.deps.rounds.executor();
    let root = best.outcome.state_root;
    // No state yet: no program was ever created.
    let mut found = match root.is_zero() {
        true => Vec::new(),
        false => store.programs_from(root, from, limit + 1)?,
    };
    let next = (found.len() > limit)
        .then(|| found.pop())
        .flatten()
        .map(|(id, _)| Actor(id));
    let programs = found
        .into_iter()
        .map(|(id, record)| {
            let state = store.read_state(record.state_hash)?;
            let queue = state.canonical_queue.hash;
            Ok(Program {
                program_id: Actor(id),
                code_id: record.code_id.0,
                state_hash: record.state_hash,
                status: match state.program {
                    state::Program::Active {
                        initialized: true, ..
                    } => "active",
                    state::Program::Active { .. } => "created",
                    state::Program::Exited(_) => "exited",
                    state::Program::Terminated(_) => "terminated",
                },
                executable_balance: Amount(state.executable_balance),
                balance: Amount(state.balance),
                queue: queue.map_or(Ok(0), |hash| store.queue_length(hash))?,
                starved: store.is_starved(root, id)?,
            })
        })
        .collect::<Result<_, RpcError>>()?;
    Ok(Programs {
        block: Some(best.block.into()),
        programs,
        next,
    })
}
