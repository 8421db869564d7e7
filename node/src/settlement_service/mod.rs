//! Signs for Ethereum what is final: for every finalised seal it builds the batch from executed rounds, keeps its body
//! for relayers, and, if this node's key is in the seal's set, hands the signature to the chain until the chain shows it.
//!
//! Everything it does is found again from the chain after a restart. What was signed is in the [`journal`].

pub mod build;
pub mod journal;

use crate::{
    ethereum_keys,
    executor_service::{
        ExecutorService,
        records::RoundRecord,
        worker::{Lacking, outcome_of},
    },
    metrics::{Alarm, Metrics},
    rounds::{Batches, Rounds},
    store::{BATCHES, BUILT, Store, StoreError, delete, put},
};
use build::{CannotBuild, Said, build_seal};
use futures::StreamExt;
use gear_exe_primitives::{
    H160, H256,
    batch::{Batch, RouterDomain},
    outbox::OutboxItem,
    runtime_api::{ExecutionApi, SettlementApi},
    settlement::SealFacts,
    vote::EmptyBatch,
};
use gear_exe_runtime::{Runtime, RuntimeCall, opaque::Block};
use journal::{Journal, JournalError, Statement};
use parking_lot::Mutex;
use polkadot_sdk::{
    frame_system::offchain::CreateAuthorizedTransaction,
    sc_client_api::BlockchainEvents,
    sc_transaction_pool_api::{TransactionPool, TransactionSource, error::IntoPoolError},
    sp_api::ProvideRuntimeApi,
    sp_blockchain::HeaderBackend,
    sp_core::ecdsa,
    sp_keystore::KeystorePtr,
    sp_runtime::OpaqueExtrinsic,
};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::sync::broadcast::error::RecvError;

/// Chain blocks after which a signature that the chain does not show is handed over again.
const RESUBMIT: u64 = 8;

/// Batches that this node has built, on disk.
pub struct BuiltBatches {
    store: Arc<Store>,
    metrics: Metrics,
}

impl BuiltBatches {
    /// In this store.
    pub const fn new(store: Arc<Store>, metrics: Metrics) -> Self {
        Self { store, metrics }
    }
}

impl Batches for BuiltBatches {
    fn batch(&self, digest: H256) -> Option<Batch> {
        match self.store.get(BATCHES, digest) {
            Ok(batch) => batch,
            Err(error) => {
                self.metrics.raise(Alarm::StoreDamaged, error);
                None
            }
        }
    }
}

/// Why a pass had to stop.
#[derive(Debug, thiserror::Error)]
enum PassError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the runtime cannot be asked: {0}")]
    Runtime(#[from] polkadot_sdk::sp_api::ApiError),
    #[error("the chain's database failed: {0}")]
    Chain(#[from] polkadot_sdk::sp_blockchain::Error),
}

/// What the service works with.
pub struct SettlementService<C, P> {
    /// The chain.
    pub client: Arc<C>,
    /// Where signatures go.
    pub pool: Arc<P>,
    /// Where this node's Ethereum keys are.
    pub keystore: KeystorePtr,
    /// Executed rounds.
    pub rounds: Arc<ExecutorService>,
    /// Batches and what was built for seals.
    pub store: Arc<Store>,
    /// What was signed.
    pub journal: Journal,
    /// Gauges and alarms.
    pub metrics: Metrics,
    /// The Router.
    pub domain: RouterDomain,
    /// Genesis hash of the chain.
    pub genesis: H256,
    /// What this node has computed of a round is wrong: nothing is signed.
    pub halted: Arc<AtomicBool>,
    /// When a signature was handed over last, in chain blocks, by seal and signer.
    pub submitted: Mutex<BTreeMap<(u64, H160), u64>>,
    /// Executed rounds with changes that the Router does not hold: number, and time of the anchor.
    pub unsettled: Mutex<VecDeque<(u64, u64)>>,
}

impl<C, P> SettlementService<C, P>
where
    C: ProvideRuntimeApi<Block>
        + HeaderBackend<Block>
        + BlockchainEvents<Block>
        + Send
        + Sync
        + 'static,
    C::Api: ExecutionApi<Block> + SettlementApi<Block>,
    P: TransactionPool<Block = Block> + 'static,
{
    /// Works on finalised seals until the node ends.
    pub async fn run(self: Arc<Self>) {
        let mut finality = self.client.finality_notification_stream();
        let mut rounds = self.rounds.subscribe();
        let mut tick = tokio::time::interval(Duration::from_secs(1));
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                notification = finality.next() => if notification.is_none() { return },
                _ = tick.tick() => {}
                round = rounds.recv() => {
                    match round {
                        Ok(round) => {
                            if !round.outcome.transitions.is_empty() {
                                self.unsettled
                                    .lock()
                                    .push_back((round.block.number, round.anchor.timestamp));
                            }
                        }
                        Err(RecvError::Lagged(_)) => {}
                        Err(RecvError::Closed) => return,
                    }
                    continue;
                }
            }
            let service = self.clone();
            match tokio::task::spawn_blocking(move || service.pass()).await {
                Ok(Ok(transactions)) => {
                    for transaction in transactions {
                        self.submit(transaction).await;
                    }
                }
                Ok(Err(PassError::Store(error))) => {
                    self.metrics.raise(Alarm::StoreDamaged, error);
                }
                Ok(Err(error)) => self.metrics.raise(Alarm::ChainUnreadable, error),
                Err(error) if error.is_cancelled() => return,
                Err(error) => self
                    .metrics
                    .raise(Alarm::Signing, format!("settlement panicked: {error}")),
            }
        }
    }

    /// Looks at every kept seal that is final. Returns what is to be handed to the chain.
    fn pass(&self) -> Result<Vec<OpaqueExtrinsic>, PassError> {
        let info = self.client.info();
        let at = info.finalized_hash;
        let (seals, router, anchor) = {
            let api = self.client.runtime_api();
            (api.seals(at)?, api.router(at)?.batch, api.anchor(at)?)
        };
        self.note_age(router.last_round);
        self.forget(seals.first().map_or(0, |seal| seal.number))?;
        let keys = match self.halted.load(Ordering::Relaxed) {
            true => Vec::new(),
            false => ethereum_keys::all(&*self.keystore),
        };
        let mut transactions = Vec::new();
        let mut healthy = true;
        for status in seals {
            if status.number <= router.seal_number {
                // The Router holds a later one: nothing can come of it any more, unless Ethereum reorganises.
                continue;
            }
            let Some(hash) = u32::try_from(status.number)
                .ok()
                .map(|number| self.client.hash(number))
                .transpose()?
                .flatten()
            else {
                continue;
            };
            // A fresh view of the runtime for each block: calls of one are cached together.
            let Some(mut seal) = self.client.runtime_api().seal(hash)? else {
                continue;
            };
            seal.seal.hash = hash;
            let said = match self.said(&seal) {
                Ok(Some(said)) => said,
                Ok(None) => continue,
                Err(error) => {
                    healthy = false;
                    self.cannot_build(error);
                    continue;
                }
            };
            // The chain knows a seal's hash from the next block on.
            let late = status.decided || seal.expiry <= anchor.timestamp;
            if late || u64::from(info.best_number) <= status.number {
                continue;
            }
            let members = self
                .client
                .runtime_api()
                .validator_set_at(at, seal.set_id)?
                .map_or(Vec::new(), |set| set.members);
            for (address, key) in &keys {
                let Some(index) = members
                    .iter()
                    .position(|member| member.address == *address)
                    .and_then(|index| u32::try_from(index).ok())
                else {
                    continue;
                };
                if status.voted.contains(&index) || !self.is_due(&seal, *address, info.best_number)
                {
                    continue;
                }
                match self.sign(&seal, said, *address, key) {
                    Ok(statement) => transactions.push(transaction(&statement, index)),
                    Err(error) => {
                        healthy = false;
                        self.not_signed(error);
                    }
                }
            }
        }
        if healthy {
            self.metrics.clear(Alarm::SealContradiction);
            self.metrics.clear(Alarm::Signing);
        }
        Ok(transactions)
    }

    /// What there is to say of a seal; nothing while its rounds are not executed. Built once, then kept with the body.
    fn said(&self, seal: &SealFacts) -> Result<Option<Said>, CannotBuild> {
        if let Some(said) = self
            .store
            .get::<Said>(BUILT, seal.seal.hash)
            .map_err(Lacking::from)?
        {
            return Ok(Some(said));
        }
        let worker = self.rounds.worker();
        let changes = |record: &RoundRecord| {
            let outcome = outcome_of(record, &worker.executor)?;
            Ok((outcome.transitions, outcome.spent))
        };
        let outbox = self.outbox(seal)?;
        let batch = match build_seal(seal, &worker.records, &changes, &outbox) {
            Ok(batch) => batch,
            Err(CannotBuild::Waiting(block)) => {
                tracing::debug!(
                    seal = seal.seal.number,
                    ?block,
                    "the seal's rounds are not executed yet"
                );
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let said = if batch.is_empty() {
            Said::Empty(EmptyBatch {
                set_id: seal.set_id,
                seal_number: seal.seal.number,
                seal_hash: seal.seal.hash,
            })
        } else {
            Said::Batch(batch.header)
        };
        let mut changes = vec![put(BUILT, seal.seal.hash, &said)];
        if let Said::Batch(header) = said {
            let digest = header.digest(&self.domain);
            changes.push(put(BATCHES, digest, &batch));
            tracing::info!(
                ?digest,
                nonce = header.nonce,
                seal = header.seal_number,
                last_round = header.last_round,
                anchor = header.anchor_number,
                programs = batch.transitions.len(),
                spent = batch.spent,
                outbox = batch.outbox.len(),
                "batch built"
            );
            for message in batch.transitions.iter().flat_map(|change| &change.messages) {
                tracing::info!(
                    message_id = %message.id, replies_to = ?message.reply_details.map(|details| details.to), ?digest,
                    "message is in the batch"
                );
            }
        }
        self.store.apply(changes).map_err(Lacking::from)?;
        Ok(Some(said))
    }

    fn outbox(&self, seal: &SealFacts) -> Result<Vec<OutboxItem>, CannotBuild> {
        let api = self.client.runtime_api();
        let chain = |error: polkadot_sdk::sp_api::ApiError| {
            CannotBuild::Lacking(Lacking::Fault(Alarm::ChainUnreadable, error.to_string()))
        };
        let from = seal.router.outbox_end;
        let (start, end) = api.outbox_range(seal.seal.hash).map_err(chain)?;
        let items = api.outbox(seal.seal.hash, from, end).map_err(chain)?;
        if from < start || items.len() as u64 != end.saturating_sub(from) {
            return Err(CannotBuild::Contradiction {
                seal: seal.seal.number,
                reason: format!(
                    "the Router's outbox cursor is {from}, the chain keeps items {start} to {end}"
                ),
            });
        }
        Ok(items)
    }

    fn sign(
        &self,
        seal: &SealFacts,
        said: Said,
        address: H160,
        key: &ecdsa::Public,
    ) -> Result<Statement, JournalError> {
        let digest = said.digest(&self.domain, self.genesis);
        let mut fresh = false;
        let statement =
            self.journal
                .sign_once(seal.seal.hash, address, said, digest, |digest| {
                    fresh = true;
                    ethereum_keys::sign(&*self.keystore, key, digest)
                })?;
        if fresh {
            match said {
                Said::Batch(header) => {
                    self.metrics.batches_signed.inc();
                    tracing::info!(?digest, nonce = header.nonce, seal = header.seal_number, signer = ?address, "batch signed");
                }
                Said::Empty(_) => {
                    self.metrics.seals_empty.inc();
                    tracing::debug!(seal = seal.seal.number, signer = ?address, "nothing to send for the seal");
                }
            }
        }
        Ok(statement)
    }

    /// Whether the chain has had the time to show what was handed over before.
    fn is_due(&self, seal: &SealFacts, address: H160, best: u32) -> bool {
        let mut submitted = self.submitted.lock();
        let key = (seal.seal.number, address);
        let now = u64::from(best);
        let due = submitted
            .get(&key)
            .is_none_or(|last| last.saturating_add(RESUBMIT) <= now);
        if due {
            submitted.insert(key, now);
        }
        due
    }

    async fn submit(&self, transaction: OpaqueExtrinsic) {
        let at = self.client.info().best_hash;
        match self
            .pool
            .submit_one(at, TransactionSource::Local, transaction)
            .await
        {
            Ok(_) => {}
            // It is in the pool already, or the chain has just taken it: the next pass sees which.
            Err(error) => match error.into_pool_error() {
                Ok(error) => {
                    tracing::debug!(%error, "the pool did not take a signature; it is tried again")
                }
                Err(error) => {
                    tracing::warn!(%error, "the pool did not take a signature; it is tried again");
                }
            },
        }
    }

    fn cannot_build(&self, error: CannotBuild) {
        match error {
            CannotBuild::Waiting(_) => {}
            CannotBuild::Contradiction { .. } => {
                self.metrics.raise(Alarm::SealContradiction, error);
            }
            CannotBuild::Lacking(Lacking::Fault(alarm, says)) => self.metrics.raise(alarm, says),
            CannotBuild::Lacking(Lacking::Damaged(_, says)) => {
                self.metrics.raise(Alarm::StoreDamaged, says);
            }
            CannotBuild::Lacking(lacking) => {
                tracing::debug!(%lacking, "a batch cannot be built yet")
            }
        }
    }

    fn not_signed(&self, error: JournalError) {
        match error {
            JournalError::Second { .. } => self.metrics.raise(Alarm::SecondStatement, error),
            JournalError::Key(_) => self.metrics.raise(Alarm::Signing, error),
            JournalError::Store(error) => self.metrics.raise(Alarm::StoreDamaged, error),
        }
    }

    fn note_age(&self, settled: u64) {
        let mut unsettled = self.unsettled.lock();
        while unsettled
            .front()
            .is_some_and(|(round, _)| *round <= settled)
        {
            unsettled.pop_front();
        }
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        self.metrics.unsettled_age.set(
            unsettled
                .front()
                .map_or(0, |(_, since)| now.saturating_sub(*since)),
        );
    }

    /// Drops what was built for seals that the chain has forgotten.
    fn forget(&self, oldest: u64) -> Result<(), StoreError> {
        let mut submitted = self.submitted.lock();
        if submitted
            .first_key_value()
            .is_none_or(|((seal, _), _)| *seal >= oldest)
        {
            return Ok(());
        }
        *submitted = submitted.split_off(&(oldest, H160::zero()));
        drop(submitted);
        let mut changes = Vec::new();
        for (seal, said) in self.store.scan::<Said>(BUILT, &[])? {
            match said {
                Said::Batch(header) if header.seal_number < oldest => {
                    changes.push(delete(BATCHES, header.digest(&self.domain)));
                    changes.push(delete(BUILT, seal));
                }
                Said::Empty(empty) if empty.seal_number < oldest => {
                    changes.push(delete(BUILT, seal));
                }
                _ => {}
            }
        }
        self.store.apply(changes)
    }
}

/// The authorised call that carries a statement.
fn transaction(statement: &Statement, validator: u32) -> OpaqueExtrinsic {
    let signature = statement.signature;
    let call: RuntimeCall = match statement.said {
        Said::Batch(header) => pallet_settlement::Call::<Runtime>::submit_batch_signature {
            header,
            validator,
            signature,
        }
        .into(),
        Said::Empty(empty) => pallet_settlement::Call::<Runtime>::submit_empty {
            empty,
            validator,
            signature,
        }
        .into(),
    };
    let transaction = <Runtime as CreateAuthorizedTransaction<
        pallet_settlement::Call<Runtime>,
    >>::create_authorized_transaction(call);
    OpaqueExtrinsic::from(transaction)
}
