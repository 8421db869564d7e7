//! `gear_stateProof`: what a state holds, with a proof that needs nothing but hash functions to be checked
//! (`gear_exe_primitives::proof`).

use super::{
    Context,
    error::RpcError,
    method,
    params::Args,
    types::{Block, Hex},
};
use codec::Encode;
use gear_exe_executor::ProveError;
use gear_exe_primitives::{ActorId, H256, MessageId, proof::Claim};
use jsonrpsee::{RpcModule, core::RegisterMethodError};
use serde::Serialize;
use std::sync::Arc;

/// Longest name of what can be proved.
const MAX_NAME: usize = 16;

/// A proof against the state root of an executed round.
#[derive(Clone, Debug, Serialize)]
struct StateProof {
    block: Block,
    state_root: H256,
    /// SCALE of the `Claim`.
    claim: Hex,
    /// SCALE of what is `Proven`.
    proven: Hex,
    /// SCALE of the `Proof`.
    proof: Hex,
}

pub(super) fn register(module: &mut RpcModule<Context>) -> Result<(), RegisterMethodError> {
    let parameters = &["program_id", "what", "key", "user", "block"];
    method(module, "gear_stateProof", parameters, prove)
}

async fn prove(args: Args, context: Arc<Context>) -> Result<StateProof, RpcError> {
    let (claim, block) = (claim(&args)?, args.optional_hash(4)?);
    let shared = context.clone();
    let work = move || {
        let rounds = &shared.deps.rounds;
        let round = match block {
            None => shared.best()?,
            Some(hash) => rounds.round(hash).ok_or_else(|| {
                RpcError::BadRequest(format!(
                    "the round of block {hash:?} is not stored here; leave `block` out for the best one"
                ))
            })?,
        };
        let root = round.outcome.state_root;
        let (proven, proof) =
            rounds
                .executor()
                .prove(root, &claim)
                .map_err(|error| match error {
                    ProveError::Store(error) => error.into(),
                    ProveError::Proof(error) => RpcError::BadRequest(error.to_string()),
                })?;
        Ok(StateProof {
            block: round.block.into(),
            state_root: root,
            claim: Hex(claim.encode()),
            proven: Hex(proven.encode()),
            proof: Hex(proof.encode()),
        })
    };
    context.calculations.blocking(work).await
}

fn claim(args: &Args) -> Result<Claim, RpcError> {
    let program = args.actor(0)?;
    let message = || args.hash(2).map(MessageId);
    let what = args.name_of(1, MAX_NAME)?;
    Ok(match what.as_str() {
        "program" => Claim::Program(program),
        "balances" => Claim::Balances(program),
        "page" => Claim::Page {
            program,
            page: args.index(2)?,
        },
        "queued" => Claim::Queued {
            program,
            place: args.index(2)?.into(),
        },
        "waiting" => Claim::Waiting {
            program,
            message: message()?,
        },
        "stashed" => Claim::Stashed {
            program,
            message: message()?,
        },
        "mail" => Claim::Mail {
            program,
            user: ActorId::from(args.address(3)?),
            message: message()?,
        },
        other => {
            return Err(RpcError::InvalidParams(format!(
                "`what` must be program, balances, page, queued, waiting, stashed or mail, not {other:?}"
            )));
        }
    })
}
