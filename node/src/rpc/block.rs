//! Ethereum blocks, as clients of the existing network ask for them.

use super::{
    Context,
    error::RpcError,
    method,
    params::Args,
    types::{Actor, Amount},
};
use gear_exe_primitives::{
    H160, H256,
    ethereum::{self, EthereumBlock, EthereumEvent, EthereumHeader},
};
use jsonrpsee::{RpcModule, core::RegisterMethodError};
use serde::Serialize;
use std::{collections::BTreeSet, sync::Arc};

/// A header, beside its hash.
#[derive(Clone, Debug, Serialize)]
struct Header {
    height: u64,
    timestamp: u64,
    parent_hash: H256,
}

/// An event, in the words of existing clients. Byte strings are arrays of numbers here.
#[derive(Clone, Debug, Serialize)]
enum Event {
    Router(RouterEvent),
    Mirror { actor_id: Actor, event: MirrorEvent },
}

#[derive(Clone, Debug, Serialize)]
enum RouterEvent {
    CodeValidationRequested {
        code_id: H256,
        timestamp: u64,
        /// Not among the facts that a node keeps: always null.
        tx_hash: Option<H256>,
        request_id: H256,
        blob_hashes: Vec<H256>,
    },
    ProgramCreated {
        actor_id: Actor,
        code_id: H256,
    },
}

#[derive(Clone, Debug, Serialize)]
// The names are those that clients know.
#[allow(clippy::enum_variant_names)]
enum MirrorEvent {
    OwnedBalanceTopUpRequested {
        value: Amount,
    },
    ExecutableBalanceTopUpRequested {
        value: Amount,
    },
    MessageQueueingRequested {
        id: H256,
        source: H160,
        payload: Vec<u8>,
        value: Amount,
        call_reply: bool,
    },
    ReplyQueueingRequested {
        replied_to: H256,
        source: H160,
        payload: Vec<u8>,
        value: Amount,
    },
    ValueClaimingRequested {
        claimed_id: H256,
        source: H160,
    },
}

impl From<ethereum::MirrorEvent> for MirrorEvent {
    fn from(event: ethereum::MirrorEvent) -> Self {
        use ethereum::MirrorEvent as Raw;
        match event {
            Raw::OwnedBalanceTopUpRequested { value } => Self::OwnedBalanceTopUpRequested {
                value: Amount(value),
            },
            Raw::ExecutableBalanceTopUpRequested { value } => {
                Self::ExecutableBalanceTopUpRequested {
                    value: Amount(value),
                }
            }
            Raw::MessageQueueingRequested {
                id,
                source,
                payload,
                value,
                call_reply,
            } => Self::MessageQueueingRequested {
                id: id.0,
                source,
                payload,
                value: Amount(value),
                call_reply,
            },
            Raw::ReplyQueueingRequested {
                replied_to,
                source,
                payload,
                value,
            } => Self::ReplyQueueingRequested {
                replied_to: replied_to.0,
                source,
                payload,
                value: Amount(value),
            },
            Raw::ValueClaimingRequested { claimed_id, source } => Self::ValueClaimingRequested {
                claimed_id: claimed_id.0,
                source,
            },
        }
    }
}

pub(super) fn register(module: &mut RpcModule<Context>) -> Result<(), RegisterMethodError> {
    method(module, "block_header", &["hash"], |args, context| {
        header(args, context)
    })?;
    method(module, "block_events", &["hash"], |args, context| {
        events(args, context)
    })
}

/// The block asked for; without a hash the head of Ethereum that this node follows.
fn hash(args: &Args, context: &Context) -> Result<H256, RpcError> {
    match args.optional_hash(0)? {
        Some(hash) => Ok(hash),
        None => context
            .deps
            .ethereum
            .head()
            .map(|head| head.hash)
            .ok_or_else(|| {
                RpcError::Database(
                    "no Ethereum block is known yet; is the node's Ethereum endpoint reachable?"
                        .into(),
                )
            }),
    }
}

async fn header(args: Args, context: Arc<Context>) -> Result<(H256, Header), RpcError> {
    let hash = hash(&args, &context)?;
    let rlp = context
        .lookups
        .run(async { Ok(context.deps.ethereum.header_rlp(hash).await?) })
        .await?;
    let header = EthereumHeader::decode_rlp(&rlp)
        .map_err(|error| RpcError::Internal(format!("header of {hash:?}: {error:?}")))?;
    let answer = Header {
        height: header.number,
        timestamp: header.timestamp,
        parent_hash: header.parent,
    };
    Ok((header.hash, answer))
}

async fn events(args: Args, context: Arc<Context>) -> Result<Vec<Event>, RpcError> {
    let hash = hash(&args, &context)?;
    let block = context
        .lookups
        .run(async { Ok(context.deps.ethereum.block(hash).await?) })
        .await?;
    context.read(move |context| of_block(context, block)).await
}

/// The events that concern existing clients. Any contract can emit logs that look like a Mirror's, so only those of
/// programs count.
fn of_block(context: &Context, block: EthereumBlock) -> Result<Vec<Event>, RpcError> {
    let executor = context.deps.rounds.executor();
    let known = |actor| -> Result<bool, RpcError> {
        let round = context.deps.rounds.at_ethereum(block.header.hash);
        Ok(match round.or_else(|| context.deps.rounds.best()) {
            Some(round) => executor.program(round.outcome.state_root, actor)?.is_some(),
            None => false,
        })
    };
    let mut created = BTreeSet::new();
    let mut events = Vec::new();
    for event in block.events {
        match event {
            EthereumEvent::Router(ethereum::RouterEvent::CodeValidationRequested {
                code_id,
                request_id,
                blob_hashes,
            }) => events.push(Event::Router(RouterEvent::CodeValidationRequested {
                code_id: code_id.0,
                timestamp: block.header.timestamp,
                tx_hash: None,
                request_id,
                blob_hashes,
            })),
            EthereumEvent::Router(ethereum::RouterEvent::ProgramCreated { actor_id, code_id }) => {
                created.insert(actor_id);
                events.push(Event::Router(RouterEvent::ProgramCreated {
                    actor_id: Actor(actor_id),
                    code_id: code_id.0,
                }));
            }
            // Settlement's own, and deposits; clients of the existing network do not know them.
            EthereumEvent::Router(
                ethereum::RouterEvent::BatchApplied(_)
                | ethereum::RouterEvent::Deposited { .. }
                | ethereum::RouterEvent::WithdrawalRequested { .. },
            ) => {}
            EthereumEvent::Mirror { actor_id, event } => {
                if created.contains(&actor_id) || known(actor_id)? {
                    events.push(Event::Mirror {
                        actor_id: Actor(actor_id),
                        event: event.into(),
                    });
                }
            }
        }
    }
    Ok(events)
}
