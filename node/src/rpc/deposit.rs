//! What users have deposited at the Router for the value of native messages, as the newest executed round has it.

use super::{
    Context,
    error::RpcError,
    method,
    params::Args,
    types::{Amount, Anchor, Block},
};
use crate::natives::explain;
use gear_exe_primitives::{
    H160,
    native::{PurgeReason, SignedNative, SigningForm},
};
use jsonrpsee::{RpcModule, core::RegisterMethodError};
use serde::Serialize;
use std::sync::Arc;

pub(super) fn register(module: &mut RpcModule<Context>) -> Result<(), RegisterMethodError> {
    method(module, "gear_deposit", &["address"], deposit)
}

/// A user's deposit.
#[derive(Clone, Debug, Serialize)]
struct Deposit {
    address: H160,
    /// In wei: neither spent nor withdrawn. Messages that wait are not taken off it.
    value: Amount,
    /// The block whose round it is.
    block: Block,
    /// The Ethereum block up to which deposits and withdrawals are taken in.
    anchor: Anchor,
}

/// The deposit of an address after the best round; zero if it has none.
async fn deposit(args: Args, context: Arc<Context>) -> Result<Deposit, RpcError> {
    let address = args.address(0)?;
    context
        .read(move |context| {
            let best = context.best()?;
            Ok(Deposit {
                address,
                value: Amount(of(context, address)?),
                block: best.block.into(),
                anchor: best.anchor.into(),
            })
        })
        .await
}

/// What `address` has deposited; nothing before the first round.
fn of(context: &Context, address: H160) -> Result<u128, RpcError> {
    match context.deps.rounds.best() {
        Some(best) => {
            let executor = context.deps.rounds.executor();
            Ok(executor.deposit(best.outcome.state_root, address)?)
        }
        None => Ok(0),
    }
}

/// Refuses a message in a form of existing clients that brings value, if its sender has deposited nothing: in the words that
/// these clients know. All others are told whether the deposit covers the value when they are taken.
pub(super) async fn require(signed: &SignedNative, context: &Arc<Context>) -> Result<(), RpcError> {
    if signed.transaction.value == 0 || signed.form == SigningForm::Typed {
        return Ok(());
    }
    let source = signed.source;
    let deposit = context.clone().read(move |context| of(context, source));
    if deposit.await? == 0 {
        return Err(RpcError::BadRequest(
            explain(PurgeReason::NonZeroValue).into(),
        ));
    }
    Ok(())
}
