//! Programs and their states. States are content-addressed: what a hash names never changes.

use super::{
    Context,
    error::RpcError,
    method,
    params::Args,
    types::{
        Actor, Amount, Block, Dispatch, FullProgramState, Hex, Mailbox, ProgramState, Stash,
        UserMailbox, Waitlist,
    },
};
use codec::DecodeAll;
use gear_exe_executor::{Executor, StoreError, state};
use gear_exe_primitives::H256;
use jsonrpsee::{RpcModule, core::RegisterMethodError};
use serde::Serialize;
use std::{collections::BTreeMap, sync::Arc};

pub(super) fn register(module: &mut RpcModule<Context>) -> Result<(), RegisterMethodError> {
    method(module, "program_ids", &[], ids)?;
    method(module, "program_codeId", &["program_id"], code_id)?;
    method(module, "gear_programState", &["program_id"], current)?;
    content(module, "program_readState", |store, hash| {
        Ok(ProgramState::from(decode::<state::ProgramState>(
            store, hash,
        )?))
    })?;
    content(module, "program_readFullState", full_state)?;
    content(module, "program_readQueue", queue)?;
    content(module, "program_readWaitlist", |store, hash| {
        let all = store.waitlist(hash);
        Ok(Waitlist::from(
            all.map_err(|error| unreadable(hash, error))?,
        ))
    })?;
    content(module, "program_readStash", |store, hash| {
        let all = store.stash(hash);
        Ok(Stash::from(all.map_err(|error| unreadable(hash, error))?))
    })?;
    content(module, "program_readMailbox", |store, hash| {
        let all = store.mailbox(hash);
        Ok(Mailbox::from(all.map_err(|error| unreadable(hash, error))?))
    })?;
    content(module, "program_readUserMailbox", |store, hash| {
        let all = store.user_mailbox(hash);
        Ok(UserMailbox::from(
            all.map_err(|error| unreadable(hash, error))?,
        ))
    })?;
    content(module, "program_readPages", |store, hash| {
        store
            .memory_pages(hash)
            .map_err(|error| unreadable(hash, error))
    })?;
    content(module, "program_readPageRegion", |store, hash| {
        let region: BTreeMap<u32, H256> = store
            .memory_region(hash)
            .map_err(|error| unreadable(hash, error))?;
        Ok(region)
    })?;
    content(module, "program_readPageData", |store, hash| {
        let bytes = store.read_bytes(hash)?;
        if bytes.len() != state::PAGE_SIZE {
            return Err(other(hash, "a page"));
        }
        Ok(Hex(bytes))
    })?;
    content(module, "program_readPayload", |store, hash| {
        Ok(Hex(store.read_bytes(hash)?))
    })
}

/// Registers a method that reads one stored object by its hash.
fn content<T: Serialize + Clone + Send + 'static>(
    module: &mut RpcModule<Context>,
    name: &'static str,
    read: fn(&Executor, H256) -> Result<T, RpcError>,
) -> Result<(), RegisterMethodError> {
    method(module, name, &["hash"], move |args, context| async move {
        let hash = args.hash(0)?;
        context
            .read(move |context| read(context.deps.rounds.executor(), hash))
            .await
    })
}

fn unreadable(hash: H256, error: StoreError) -> RpcError {
    match error {
        StoreError::Unexpected(_) => other(hash, "what was asked for"),
        error => error.into(),
    }
}

fn other(hash: H256, expected: &str) -> RpcError {
    RpcError::Database(format!("{hash:?} is stored but is not {expected}"))
}

/// Reads an object. All of its bytes must belong to it: otherwise it is one of another kind. SCALE does not tell kinds
/// apart by itself, so this finds most mistakes of a caller, not all.
fn decode<T: DecodeAll>(store: &Executor, hash: H256) -> Result<T, RpcError> {
    T::decode_all(&mut store.read_bytes(hash)?.as_slice())
        .map_err(|_| other(hash, "what was asked for"))
}

fn queue(store: &Executor, hash: H256) -> Result<Vec<Dispatch>, RpcError> {
    let queue = store.queue(hash).map_err(|error| unreadable(hash, error))?;
    Ok(queue.into_iter().map(Into::into).collect())
}

fn full_state(store: &Executor, hash: H256) -> Result<FullProgramState, RpcError> {
    let state: state::ProgramState = decode(store, hash)?;
    Ok(FullProgramState {
        canonical_queue: state
            .canonical_queue
            .hash
            .map(|hash| queue(store, hash))
            .transpose()?,
        injected_queue: state
            .injected_queue
            .hash
            .map(|hash| queue(store, hash))
            .transpose()?,
        waitlist: state
            .waitlist_hash
            .map(|hash| store.waitlist(hash).map(Into::into))
            .transpose()
            .map_err(|error| unreadable(hash, error))?,
        stash: state
            .stash_hash
            .map(|hash| store.stash(hash).map(Into::into))
            .transpose()
            .map_err(|error| unreadable(hash, error))?,
        mailbox: state
            .mailbox_hash
            .map(|hash| store.mailbox(hash).map(Into::into))
            .transpose()
            .map_err(|error| unreadable(hash, error))?,
        program: state.program.into(),
        balance: Amount(state.balance),
        executable_balance: Amount(state.executable_balance),
    })
}

/// All programs after the best round, by address. None before the first round.
async fn ids(_: Args, context: Arc<Context>) -> Result<Vec<Actor>, RpcError> {
    context
        .read(|context| {
            let Some(best) = context.deps.rounds.best() else {
                return Ok(Vec::new());
            };
            let ids = context
                .deps
                .rounds
                .executor()
                .program_ids(best.outcome.state_root)?;
            Ok(ids.into_iter().map(Actor).collect())
        })
        .await
}

async fn code_id(args: Args, context: Arc<Context>) -> Result<H256, RpcError> {
    let program = args.actor(0)?;
    context
        .read(move |context| {
            let root = context.best()?.outcome.state_root;
            let record = context.deps.rounds.executor().program(root, program)?;
            record.map(|record| record.code_id.0).ok_or_else(|| {
                RpcError::Database(format!(
                    "Failed to get program code id: there is no program {} yet",
                    Actor(program)
                ))
            })
        })
        .await
}

/// A program after the best round.
#[derive(Clone, Debug, Serialize)]
struct Current {
    program_id: Actor,
    code_id: H256,
    /// The block whose round it is.
    block: Block,
    state_hash: H256,
    state: ProgramState,
    /// Its messages wait for executable balance.
    starved: bool,
}

/// The program after the best round, by its id; null if there is none.
async fn current(args: Args, context: Arc<Context>) -> Result<Option<Current>, RpcError> {
    let program = args.actor(0)?;
    context
        .read(move |context| {
            let Some(best) = context.deps.rounds.best() else {
                return Ok(None);
            };
            let store = context.deps.rounds.executor();
            let Some(record) = store.program(best.outcome.state_root, program)? else {
                return Ok(None);
            };
            Ok(Some(Current {
                program_id: Actor(program),
                code_id: record.code_id.0,
                block: best.block.into(),
                state_hash: record.state_hash,
                starved: store.is_starved(best.outcome.state_root, program)?,
                state: decode::<state::ProgramState>(store, record.state_hash)?.into(),
            }))
        })
        .await
}
