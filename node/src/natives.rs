//! Native messages as clients see them: taken from a client, handed to the pool, found again, and reported when they have
//! ended and a quorum has signed that.
//!
//! Data flow: RPC brings a signed message here; what the chain does not ask is checked against the newest executed round
//! (does the program exist, can it pay, does the sender's deposit cover the value of this message and of those that wait)
//! and against the quotas ([`waiting`]), then it goes to the transaction pool as an authorised call, and from there by
//! Substrate's own gossip to whoever builds the next block, who leaves out what nobody has asked about ([`authoring`]). What
//! became of it is read from executed rounds.

pub mod authoring;
pub mod waiting;

use crate::{
    executor_service::{ExecutorService, chain::natives_in},
    rounds::{ExecutedRound, Rounds},
    store::StoreError,
};
use authoring::{Admission, LAG, Standing};
use futures::StreamExt;
use gear_exe_executor::{StoreError as ExecutorError, state::Program};
use gear_exe_primitives::{
    ActorId, H160, H256, MessageId,
    batch::RouterDomain,
    message::Receipt,
    native::{PurgeReason, SignedNative},
    round::ChainBlock,
    runtime_api::ExecutionApi,
};
use gear_exe_runtime::{Runtime, opaque::Block};
use pallet_execution::Refusal;
use polkadot_sdk::{
    frame_system::offchain::CreateAuthorizedTransaction,
    sc_client_api::BlockBackend,
    sc_transaction_pool_api::{
        InPoolTransaction, TransactionPool, TransactionSource,
        error::{Error as PoolError, IntoPoolError},
    },
    sp_api::ProvideRuntimeApi,
    sp_blockchain::HeaderBackend,
    sp_runtime::{OpaqueExtrinsic, transaction_validity::InvalidTransaction},
};
use std::{collections::HashMap, future::Future, pin::Pin, sync::Arc, time::Duration};
use tokio::sync::broadcast::{self, error::RecvError};
use waiting::{Admitted, Noted, Waiting};

/// Gas that a program must be able to pay for before a message to it is taken.
const LEAST_GAS: u128 = 2_000_000_000;

/// Why a message is not taken.
#[derive(Debug, thiserror::Error)]
pub enum Rejection {
    /// It will never be executed, and the client is told so.
    #[error("{}", explain(*.0))]
    Purged(PurgeReason),
    /// The node cannot take it now. It may be sent again.
    #[error("{0}")]
    Busy(String),
}

/// What a client is told of a reason: what to do about it.
pub const fn explain(reason: PurgeReason) -> &'static str {
    match reason {
        PurgeReason::Outdated => {
            "transaction reference block is outdated; sign again with a newer Ethereum block"
        }
        PurgeReason::UnknownReferenceBlock => {
            "transaction reference block is unknown; sign again with a recent Ethereum block"
        }
        PurgeReason::UnknownDestination => "there is no program with this address",
        PurgeReason::UninitializedDestination => {
            "the program is not initialised yet; wait until its first message is answered"
        }
        PurgeReason::InsufficientExecutableBalance => {
            "the program's executable balance is too small; top it up with wVARA"
        }
        PurgeReason::Duplicate => "another message has this id; sign again with another salt",
        PurgeReason::OverQuota => {
            "too many messages of this sender or to this program wait; send it again when some of them are executed"
        }
        PurgeReason::PoolFull => "too many messages wait; send it again later",
        PurgeReason::TooLong => "payload or salt is too long: at most 126 KiB and 32 bytes",
        PurgeReason::InsufficientDeposit => {
            "the sender's deposit is less than the value of this message and of those that wait; deposit ETH at the Router, or wait until they are executed"
        }
        PurgeReason::NonZeroValue => {
            "Injected transactions with non-zero value are not supported without a deposit at the Router"
        }
    }
}

/// A message that has ended in a round of the best chain.
#[derive(Clone, Debug)]
pub struct Ended {
    /// The round.
    pub round: ExecutedRound,
    /// Place of its receipt in the round.
    pub index: usize,
    /// What happened.
    pub receipt: Receipt,
    /// What was replied.
    pub payload: Vec<u8>,
}

/// Why it cannot be said what became of a message.
#[derive(Debug, thiserror::Error)]
pub enum NativesError {
    /// The node's store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The executor's store failed.
    #[error(transparent)]
    Executor(#[from] ExecutorError),
    /// The chain's database failed.
    #[error("the chain's database failed: {0}")]
    Chain(#[from] polkadot_sdk::sp_blockchain::Error),
    /// The runtime cannot be asked.
    #[error("the runtime cannot be asked: {0}")]
    Runtime(#[from] polkadot_sdk::sp_api::ApiError),
    /// The executed chain has not begun.
    #[error("no round is executed yet; wait until the node has synced")]
    NotReady,
}

/// The answer of [`Natives::submit`], when it comes.
pub type Submitting<'a> = Pin<Box<dyn Future<Output = Result<(), Rejection>> + Send + 'a>>;

/// What RPC asks about native messages.
pub trait Natives: Send + Sync + 'static {
    /// Where ids come from.
    fn domain(&self) -> &RouterDomain;
    /// Takes a message whose signature is checked.
    fn submit(&self, signed: SignedNative) -> Submitting<'_>;
    /// A message that a block of the best chain has taken.
    ///
    /// # Errors
    ///
    /// [`NativesError`] if a store fails.
    fn taken(&self, id: MessageId) -> Result<Option<SignedNative>, NativesError>;
    /// Whether a block of the best chain has taken a message.
    ///
    /// # Errors
    ///
    /// [`NativesError`] if a store fails.
    fn is_taken(&self, id: MessageId) -> Result<bool, NativesError>;
    /// What became of a message, as the newest executed round has it.
    ///
    /// # Errors
    ///
    /// [`NativesError`] if a store fails.
    fn ended(&self, id: MessageId) -> Result<Option<Ended>, NativesError>;
    /// Whether a message that refers to this Ethereum block can still be included, though it was not yet: why not, if not.
    ///
    /// # Errors
    ///
    /// [`NativesError`] if the chain cannot be asked.
    fn waits(&self, reference: H256) -> Result<Option<PurgeReason>, NativesError>;
    /// What is remembered of a message that came to this node.
    fn noted(&self, id: MessageId) -> Option<Noted>;
    /// Messages that come to this node, or are refused by it, from now on.
    fn news(&self) -> broadcast::Receiver<MessageId>;
}

/// Over the parts of a node.
pub struct NativeService<C, P> {
    /// The chain.
    pub client: Arc<C>,
    /// Where messages wait.
    pub pool: Arc<P>,
    /// Executed rounds.
    pub rounds: Arc<ExecutorService>,
    /// The Router.
    pub domain: RouterDomain,
    /// The messages that wait here.
    pub waiting: Waiting,
}

/// Pause between two looks at whether what is said to wait still does.
const SWEEP: Duration = Duration::from_secs(10);
/// Rounds back from the newest one, beyond which a round that was executed last is taken to be on its path.
const WALK: usize = 4_096;

impl<C, P> NativeService<C, P>
where
    C: ProvideRuntimeApi<Block>
        + HeaderBackend<Block>
        + BlockBackend<Block>
        + Send
        + Sync
        + 'static,
    C::Api: ExecutionApi<Block>,
    P: TransactionPool<Block = Block, Hash = H256> + 'static,
{
    /// The newest executed round, to judge messages by.
    fn newest(&self) -> Result<Standing, NativesError> {
        let round = self.rounds.best().ok_or(NativesError::NotReady)?;
        let parameters = self.client.runtime_api().parameters(round.block.hash)?;
        Ok(Standing {
            block: round.block,
            state_root: round.outcome.state_root,
            least: parameters.value_per_gas.saturating_mul(LEAST_GAS),
        })
    }

    /// What the chain does not ask: whether the program can do anything with a message.
    fn check(
        &self,
        standing: &Standing,
        destination: H160,
    ) -> Result<Option<PurgeReason>, NativesError> {
        let executor = self.rounds.executor();
        let (root, program) = (standing.state_root, ActorId::from(destination));
        if root.is_zero() {
            return Ok(Some(PurgeReason::UnknownDestination));
        }
        let Some(record) = executor.program(root, program)? else {
            return Ok(Some(PurgeReason::UnknownDestination));
        };
        let state = executor.read_state(record.state_hash)?;
        let initialised = match state.program {
            Program::Active { initialized, .. } => initialized,
            // It answers that it is no more.
            Program::Exited(_) | Program::Terminated(_) => return Ok(None),
        };
        if !initialised {
            return Ok(Some(PurgeReason::UninitializedDestination));
        }
        Ok((state.executable_balance < standing.least)
            .then_some(PurgeReason::InsufficientExecutableBalance))
    }

    /// What a user has deposited, in wei, as the newest executed round has it. What that round has taken waits no more.
    fn deposited(&self, source: H160) -> Result<u128, NativesError> {
        let round = self.rounds.best().ok_or(NativesError::NotReady)?;
        self.took(round.block.hash);
        let executor = self.rounds.executor();
        Ok(executor.deposit(round.outcome.state_root, source)?)
    }

    fn is_canonical(&self, block: ChainBlock) -> Result<bool, NativesError> {
        let Ok(number) = u32::try_from(block.number) else {
            return Ok(false);
        };
        Ok(self.client.hash(number)? == Some(block.hash))
    }

    /// Whether what a round did still stands: it is on the path of the newest round.
    fn stands(&self, best: &ExecutedRound, block: ChainBlock) -> Result<bool, NativesError> {
        if !self.is_canonical(block)? || block.number > best.block.number {
            return Ok(false);
        }
        let records = &self.rounds.worker().records;
        let mut cursor = best.block;
        for _ in 0..WALK {
            if cursor.number <= block.number {
                return Ok(cursor.hash == block.hash);
            }
            match records.get(cursor.hash)? {
                Some(record) => cursor = record.base,
                None => return Ok(false),
            }
        }
        Ok(true)
    }

    fn found(
        &self,
        block: ChainBlock,
        id: MessageId,
    ) -> Result<Option<SignedNative>, NativesError> {
        let body = self.client.block_body(block.hash)?.unwrap_or_default();
        Ok(natives_in(body).find(|signed| signed.id(&self.domain) == id))
    }

    /// Follows the pool and the rounds, so that it is known which messages wait, until the node ends.
    pub async fn run(self: Arc<Self>) {
        let mut imported = self.pool.import_notification_stream();
        let mut rounds = self.rounds.subscribe();
        let mut sweep = tokio::time::interval(SWEEP);
        sweep.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                Some(hash) = imported.next() => self.imported(hash),
                round = rounds.recv() => match round {
                    Ok(round) => self.took(round.block.hash),
                    // The sweep finds them.
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return,
                },
                _ = sweep.tick() => {
                    self.waiting.retain(|hash| self.pool.ready_transaction(&hash).is_some());
                    self.clear_out().await;
                }
            }
        }
    }

    /// Takes out of the pool what has waited for a while for a program that does not exist: by gossip it came without that
    /// question, and authors leave it out. Whoever waits for it is told.
    async fn clear_out(&self) {
        let Some(standing) = self.standing() else {
            return;
        };
        let mut refused = HashMap::new();
        for waits in self.waiting.long() {
            let reason = *refused
                .entry(waits.destination)
                .or_insert_with(|| self.program_refuses(&standing, waits.destination));
            let (Some(hash), Some(reason)) = (waits.hash, reason) else {
                continue;
            };
            // What is short of balance may get it while its window is open.
            if reason == PurgeReason::InsufficientExecutableBalance {
                continue;
            }
            self.pool
                .report_invalid(None, [(hash, None)].into_iter().collect())
                .await;
            self.waiting.forget(waits.id);
            self.waiting.refuse(waits.id, reason);
        }
    }

    /// A transaction has come into the pool, from wherever.
    fn imported(&self, hash: H256) {
        let Some(transaction) = self.pool.ready_transaction(&hash) else {
            return;
        };
        let body = vec![OpaqueExtrinsic::clone(transaction.data())];
        for signed in natives_in(body) {
            self.waiting.seen(&signed, signed.id(&self.domain), hash);
        }
    }

    /// The messages of a block wait no more.
    fn took(&self, block: H256) {
        match self.rounds.worker().records.get(block) {
            Ok(record) => {
                let natives = record.map_or_else(Vec::new, |record| record.natives);
                natives
                    .into_iter()
                    .for_each(|native| self.waiting.leave(native.id));
            }
            Err(error) => tracing::error!(%error, "a round's record cannot be read"),
        }
    }

    async fn hand_over(&self, signed: &SignedNative, id: MessageId) -> Result<(), Rejection> {
        let checked = self
            .newest()
            .and_then(|standing| self.check(&standing, signed.transaction.destination));
        match checked {
            Ok(None) => {}
            Ok(Some(reason)) => return Err(Rejection::Purged(reason)),
            Err(error) => return Err(Rejection::Busy(error.to_string())),
        }
        let deposit = match signed.transaction.value {
            0 => 0,
            _ => self
                .deposited(signed.source)
                .map_err(|error| Rejection::Busy(error.to_string()))?,
        };
        let admitted = self.waiting.admit(signed, id, deposit);
        let admitted = admitted.map_err(Rejection::Purged)?;
        let call = pallet_execution::Call::<Runtime>::submit_native {
            signed: signed.clone(),
        };
        let transaction = <Runtime as CreateAuthorizedTransaction<
            pallet_execution::Call<Runtime>,
        >>::create_authorized_transaction(call.into());
        let submitted = self
            .pool
            .submit_one(
                self.client.info().best_hash,
                TransactionSource::External,
                OpaqueExtrinsic::from(transaction),
            )
            .await;
        let answer = match submitted.map_err(IntoPoolError::into_pool_error) {
            Ok(hash) => {
                self.waiting.seen(signed, id, hash);
                return Ok(());
            }
            Err(Ok(error)) => self.refused(signed, error),
            Err(Err(error)) => Err(Rejection::Busy(error.to_string())),
        };
        // Also if it was taken before: it does not wait.
        if admitted == Admitted::New {
            self.waiting.forget(id);
        }
        answer
    }

    /// What a pool's refusal means for the client.
    fn refused(&self, signed: &SignedNative, error: PoolError) -> Result<(), Rejection> {
        let purged = |reason| Err(Rejection::Purged(reason));
        let is = |number: u8, refusal: Refusal| number == refusal as u8;
        let id = signed.id(&self.domain);
        match error {
            // It waits already.
            PoolError::AlreadyImported(_) => Ok(()),
            PoolError::InvalidTransaction(InvalidTransaction::Stale) => match self.taken(id) {
                Ok(Some(before)) if before == *signed => Ok(()),
                _ => purged(PurgeReason::Duplicate),
            },
            PoolError::InvalidTransaction(InvalidTransaction::Custom(number)) => {
                if is(number, Refusal::Reference) {
                    purged(PurgeReason::UnknownReferenceBlock)
                } else if is(number, Refusal::Outdated) {
                    purged(PurgeReason::Outdated)
                } else if is(number, Refusal::TooLong) {
                    purged(PurgeReason::TooLong)
                } else {
                    Err(Rejection::Busy(format!("the chain refuses it: {number}")))
                }
            }
            // Another signature of it waits already.
            PoolError::TooLowPriority { .. } if self.waiting.is_of(id, signed.source) => Ok(()),
            PoolError::ImmediatelyDropped | PoolError::TooLowPriority { .. } => {
                purged(PurgeReason::PoolFull)
            }
            error => Err(Rejection::Busy(error.to_string())),
        }
    }
}

impl<C, P> Admission for NativeService<C, P>
where
    C: ProvideRuntimeApi<Block>
        + HeaderBackend<Block>
        + BlockBackend<Block>
        + Send
        + Sync
        + 'static,
    C::Api: ExecutionApi<Block>,
    P: TransactionPool<Block = Block, Hash = H256> + 'static,
{
    fn standing(&self) -> Option<Standing> {
        let best: u64 = self.client.info().best_number.into();
        match self.newest() {
            Ok(standing) => (best.saturating_sub(standing.block.number) <= LAG).then_some(standing),
            Err(NativesError::NotReady) => None,
            Err(error) => {
                tracing::warn!(%error, "it is not known whether execution keeps up; no native messages are taken");
                None
            }
        }
    }

    fn program_refuses(&self, standing: &Standing, program: H160) -> Option<PurgeReason> {
        self.check(standing, program).unwrap_or_else(|error| {
            tracing::warn!(%error, ?program, "it is not known whether a program can take messages; its messages are taken");
            None
        })
    }
}

impl<C, P> Natives for NativeService<C, P>
where
    C: ProvideRuntimeApi<Block>
        + HeaderBackend<Block>
        + BlockBackend<Block>
        + Send
        + Sync
        + 'static,
    C::Api: ExecutionApi<Block>,
    P: TransactionPool<Block = Block, Hash = H256> + 'static,
{
    fn domain(&self) -> &RouterDomain {
        &self.domain
    }

    fn submit(&self, signed: SignedNative) -> Submitting<'_> {
        Box::pin(async move {
            let id = signed.id(&self.domain);
            let answer = self.hand_over(&signed, id).await;
            // The id of a duplicate is that of another message.
            if let Err(Rejection::Purged(reason)) = answer
                && reason != PurgeReason::Duplicate
            {
                self.waiting.refuse(id, reason);
            }
            answer
        })
    }

    fn taken(&self, id: MessageId) -> Result<Option<SignedNative>, NativesError> {
        for block in self.rounds.worker().records.taken(id)? {
            if self.is_canonical(block)?
                && let Some(signed) = self.found(block, id)?
            {
                return Ok(Some(signed));
            }
        }
        Ok(None)
    }

    fn is_taken(&self, id: MessageId) -> Result<bool, NativesError> {
        for block in self.rounds.worker().records.taken(id)? {
            if self.is_canonical(block)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn ended(&self, id: MessageId) -> Result<Option<Ended>, NativesError> {
        let Some(best) = self.rounds.best() else {
            return Ok(None);
        };
        let mut blocks = self.rounds.worker().records.ended(id)?;
        blocks.sort_by_key(|block| std::cmp::Reverse(block.number));
        for block in blocks {
            if !self.stands(&best, block)? {
                continue;
            }
            let Some(round) = self.rounds.round(block.hash) else {
                continue;
            };
            let outcome = &round.outcome;
            let place = outcome
                .receipts
                .iter()
                .position(|receipt| receipt.message_id == id);
            let reply = outcome.reply_to(id);
            if let (Some(index), Some(reply)) = (place, reply)
                && let Some(receipt) = outcome.receipts.get(index).copied()
            {
                let payload = reply.payload.clone();
                return Ok(Some(Ended {
                    round,
                    index,
                    receipt,
                    payload,
                }));
            }
        }
        Ok(None)
    }

    fn noted(&self, id: MessageId) -> Option<Noted> {
        self.waiting.noted(id)
    }

    fn news(&self) -> broadcast::Receiver<MessageId> {
        self.waiting.news()
    }

    fn waits(&self, reference: H256) -> Result<Option<PurgeReason>, NativesError> {
        // Up to the newest executed round it is known what was taken; what is over there is over for good.
        let executed = self.rounds.best().ok_or(NativesError::NotReady)?;
        let api = self.client.runtime_api();
        if let Some(open) = api.is_reference_open(executed.block.hash, reference)? {
            return Ok((!open).then_some(PurgeReason::Outdated));
        }
        // Execution may be behind the block that has brought it.
        let best = self.client.info().best_hash;
        let known = self
            .client
            .runtime_api()
            .is_reference_open(best, reference)?;
        Ok(known
            .is_none()
            .then_some(PurgeReason::UnknownReferenceBlock))
    }
}
