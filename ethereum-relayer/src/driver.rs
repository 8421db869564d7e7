//! The loop around the pipeline: reads Ethereum, steps, and does what the step asks for, in order.
//!
//! It may be dropped at any await: what was sent is in the log, and what is in the log but was not sent will be sent.

use crate::{
    alarms::Alarms,
    backlog::Backlog,
    backoff::Backoff,
    ethereum::{Ethereum, EthereumError},
    intake::Batches,
    metrics::Metrics,
    pipeline::{
        Alarm, Answer, Attempt, BatchFacts, Effect, Event, MAX_GAS, Note, Payload, Plan, Policy,
        State, Verdict,
    },
    store::{SignedBatch, Store, StoreError},
    wallet::{KeyError, Order, Wallet},
};
use alloy::primitives::{Address, Bytes};
use gear_exe_ethereum::batch::calldata;
use gear_exe_primitives::{H256, batch::RouterDomain};
use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};
use tokio::sync::watch;

/// Why a turn ended early.
#[derive(Debug, thiserror::Error)]
enum TurnError {
    #[error(transparent)]
    Ethereum(#[from] EthereumError),
    #[error(transparent)]
    Log(#[from] StoreError),
    #[error(transparent)]
    Key(#[from] KeyError),
}

/// What the driver works with.
pub struct Parts {
    /// The nodes.
    pub ethereum: Arc<Ethereum>,
    /// The account.
    pub wallet: Wallet,
    /// The log.
    pub store: Store,
    /// What the operator decides.
    pub policy: Policy,
    /// What digests and transactions are bound to.
    pub domain: RouterDomain,
    /// How often to look at Ethereum.
    pub poll: Duration,
    /// Warn when a batch is older.
    pub max_age: Duration,
    /// Counts.
    pub metrics: Metrics,
    /// Alarms.
    pub alarms: Alarms,
    /// Set when Ethereum was read.
    pub started: Arc<AtomicBool>,
}

/// The loop's state.
pub struct Driver {
    parts: Parts,
    state: State,
    bodies: BTreeMap<H256, Arc<SignedBatch>>,
    /// Signed, not yet stored.
    raw: BTreeMap<H256, Vec<u8>>,
    backlog: Backlog,
}

/// Unix time in seconds.
fn unix_now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

fn facts(signed: &SignedBatch) -> BatchFacts {
    let header = &signed.ready.header;
    BatchFacts {
        digest: signed.ready.digest,
        nonce: header.nonce,
        parent: header.parent,
        set_id: header.set_id,
        expiry: header.expiry,
    }
}

fn input(signed: &SignedBatch) -> Bytes {
    let signatures: Vec<u8> = signed
        .ready
        .signatures
        .iter()
        .flat_map(|signature| signature.0)
        .collect();
    calldata(&signed.batch, &signed.ready.signers, &signatures).into()
}

impl Driver {
    /// Continues where the log ends.
    ///
    /// # Errors
    ///
    /// [`StoreError`] if the log does not read.
    pub fn new(parts: Parts) -> Result<Self, StoreError> {
        let mut driver = Self {
            state: State::new(parts.policy, [], []),
            parts,
            bodies: BTreeMap::new(),
            raw: BTreeMap::new(),
            backlog: Backlog::default(),
        };
        driver.reload()?;
        if !driver.state.slots().is_empty() {
            tracing::info!(
                transactions = driver.state.tracked().len(),
                "continuing with transactions from the log"
            );
        }
        Ok(driver)
    }

    /// Forgets everything but the log, like a restart.
    fn reload(&mut self) -> Result<(), StoreError> {
        let contents = self.parts.store.load()?;
        let batches: Vec<_> = contents.batches.into_iter().map(Arc::new).collect();
        self.state = State::new(
            self.parts.policy,
            contents.slots,
            batches.iter().map(|batch| facts(batch)),
        );
        self.bodies = batches
            .into_iter()
            .map(|batch| (batch.ready.digest, batch))
            .collect();
        self.raw.clear();
        self.backlog.restore(contents.waiting, unix_now());
        // What still holds is found again.
        for alarm in Alarm::ALL {
            if !matches!(
                alarm,
                Alarm::EthereumDown | Alarm::ChainDown | Alarm::LogFailure
            ) {
                self.parts.alarms.set(alarm, None);
            }
        }
        Ok(())
    }

    /// Runs until it is dropped.
    pub async fn run(mut self, mut batches: watch::Receiver<Batches>) {
        let mut backoff = Backoff::new(self.parts.poll, Duration::from_secs(30));
        let mut failures = 0usize;
        loop {
            let list = batches.borrow_and_update().clone();
            self.take(list);
            let turn = self.turn().await;
            // Also if Ethereum does not answer: what waits grows older.
            let turn = match self.look_at_ages() {
                Ok(()) => turn,
                Err(error) => Err(error.into()),
            };
            self.parts.alarms.remind();
            match turn {
                Ok(()) => {
                    failures = 0;
                    backoff.reset();
                    self.parts.alarms.set(Alarm::EthereumDown, None);
                    self.parts.alarms.set(Alarm::LogFailure, None);
                    self.parts.ethereum.take_better().await;
                    let news = tokio::time::timeout(self.parts.poll, batches.changed());
                    if let Ok(Err(_)) = news.await {
                        // Nobody sends any more; what is on its way still has to be followed.
                        tokio::time::sleep(self.parts.poll).await;
                    }
                }
                Err(TurnError::Ethereum(error)) => {
                    failures = failures.saturating_add(1);
                    self.parts.metrics.ethereum_error(error.class());
                    tracing::debug!(%error, "the Ethereum node did not answer");
                    // One miss is a hiccup, and another node may do better.
                    self.parts.ethereum.switch(&error).await;
                    if failures > self.parts.ethereum.nodes() {
                        let reason = error.to_string();
                        self.parts.alarms.set(Alarm::EthereumDown, Some(reason));
                    }
                    // Each node is tried once before it is waited longer.
                    if failures < self.parts.ethereum.nodes() {
                        continue;
                    }
                    tokio::time::sleep(backoff.next()).await;
                }
                Err(error @ (TurnError::Log(_) | TurnError::Key(_))) => {
                    let reason = error.to_string();
                    self.parts.alarms.set(Alarm::LogFailure, Some(reason));
                    tokio::time::sleep(backoff.next()).await;
                    if let Err(error) = self.parts.store.reopen().and_then(|()| self.reload()) {
                        tracing::debug!(%error, "the log does not open");
                    }
                }
            }
        }
    }

    fn take(&mut self, batches: Batches) {
        let list = batches.iter().map(|batch| facts(batch)).collect();
        for batch in batches {
            self.bodies.insert(batch.ready.digest, batch);
        }
        // Only a view or an answer has effects.
        let effects = self.state.step(Event::Ready(list));
        debug_assert!(effects.is_empty());
        let state = &self.state;
        self.bodies.retain(|digest, _| state.needs(*digest));
    }

    async fn turn(&mut self) -> Result<(), TurnError> {
        let view = self
            .parts
            .ethereum
            .view(self.state.view(), &self.state.tracked())
            .await?;
        self.parts.started.store(true, Ordering::Relaxed);
        let mut work: VecDeque<_> = self.state.step(Event::View(Box::new(view))).into();
        while let Some(effect) = work.pop_front() {
            if let Some(event) = self.execute(effect).await? {
                for effect in self.state.step(event).into_iter().rev() {
                    work.push_front(effect);
                }
            }
        }
        let node = self.parts.ethereum.node();
        self.parts.metrics.observe(&self.state, node);
        Ok(())
    }

    async fn execute(&mut self, effect: Effect) -> Result<Option<Event>, TurnError> {
        match effect {
            Effect::Check(plan) => Ok(Some(Event::Checked(plan, self.check(plan).await))),
            Effect::Sign(plan, gas_limit) => Ok(self
                .sign(plan, gas_limit)?
                .map(|attempt| Event::Signed(plan, attempt))),
            Effect::Store(nonce) => {
                self.store(nonce)?;
                Ok(None)
            }
            Effect::Send(nonce, hash) => {
                let answer = self.send(nonce, hash).await?;
                Ok(Some(Event::Sent(nonce, hash, answer)))
            }
            Effect::Forget(nonce) => {
                let carried = self.state.slots().values().flat_map(|slot| &slot.attempts);
                let kept = carried
                    .filter_map(|attempt| match attempt.payload {
                        Payload::Batch(digest) => Some(digest),
                        Payload::Cancel => None,
                    })
                    .collect();
                self.parts.store.forget(nonce, &kept)?;
                Ok(None)
            }
            Effect::Alarm(alarm, reason) => {
                self.parts.alarms.set(alarm, reason);
                Ok(None)
            }
            Effect::Note(note) => {
                self.note(note);
                Ok(None)
            }
        }
    }

    async fn check(&self, plan: Plan) -> Verdict {
        let (Payload::Batch(digest), Some(view)) = (plan.payload, self.state.view()) else {
            return Verdict::Unknown;
        };
        let Some(body) = self.bodies.get(&digest) else {
            return Verdict::Unknown;
        };
        let (input, anchor) = (input(body), body.ready.header.anchor_number);
        let ethereum = &self.parts.ethereum;
        match ethereum.check(&input, anchor, view, MAX_GAS).await {
            Ok(Ok(gas)) => Verdict::Fits(gas),
            Ok(Err(refusal)) => {
                tracing::info!(?digest, class = ?refusal.class, reason = refusal.reason, "the Router would refuse");
                Verdict::Refused(refusal)
            }
            Err(error) => {
                self.parts.metrics.ethereum_error(error.class());
                tracing::warn!(?digest, %error, "no pre-flight");
                Verdict::Unknown
            }
        }
    }

    fn sign(&mut self, plan: Plan, gas_limit: u64) -> Result<Option<Attempt>, KeyError> {
        let (to, input) = match plan.payload {
            Payload::Batch(digest) => match self.bodies.get(&digest) {
                Some(body) => (self.parts.domain.router, input(body)),
                None => return Ok(None),
            },
            Payload::Cancel => (self.parts.wallet.address(), Bytes::new()),
        };
        let (hash, raw) = self.parts.wallet.sign(Order {
            chain_id: self.parts.domain.chain_id,
            nonce: plan.nonce,
            fees: plan.fees,
            gas_limit,
            to: Address::from(to.0),
            input,
        })?;
        self.raw.insert(hash, raw);
        Ok(Some(Attempt {
            hash,
            payload: plan.payload,
            fees: plan.fees,
            gas_limit,
            sent_at: plan.head.number,
            refused: false,
        }))
    }

    fn store(&mut self, nonce: u64) -> Result<(), StoreError> {
        let Some(slot) = self.state.slots().get(&nonce) else {
            return Ok(());
        };
        let newest = slot.attempts.last();
        let raw = newest.and_then(|attempt| self.raw.get_key_value(&attempt.hash));
        let body = newest.and_then(|attempt| match attempt.payload {
            Payload::Batch(digest) => self.bodies.get(&digest),
            Payload::Cancel => None,
        });
        self.parts.store.put(
            nonce,
            &slot.attempts,
            raw.map(|(hash, raw)| (*hash, raw.as_slice())),
            body.map(|body| body.as_ref()),
        )?;
        self.raw.clear();
        Ok(())
    }

    async fn send(&self, nonce: u64, hash: H256) -> Result<Answer, StoreError> {
        let Some(raw) = self.parts.store.raw(hash)? else {
            // Bytes and attempt are written together.
            tracing::error!(?hash, "the log does not hold the transaction's bytes");
            return Ok(Answer::Unknown);
        };
        self.parts.metrics.sent.inc();
        let answer = self.parts.ethereum.send(&raw, hash).await;
        let slot = self.state.slots().get(&nonce);
        let attempt =
            slot.and_then(|slot| slot.attempts.iter().find(|attempt| attempt.hash == hash));
        if let Some(attempt) = attempt {
            tracing::info!(
                nonce,
                ?hash,
                payload = ?attempt.payload,
                max_fee = attempt.fees.max_fee,
                tip = attempt.fees.tip,
                gas_limit = attempt.gas_limit,
                ?answer,
                "sent a transaction"
            );
        }
        Ok(answer)
    }

    fn note(&self, note: Note) {
        let metrics = &self.parts.metrics;
        match note {
            Note::Bumped(nonce) => {
                metrics.bumps.inc();
                tracing::info!(
                    nonce,
                    "replacing a transaction that waits by one that offers more"
                );
            }
            Note::Cancelled(nonce) => {
                metrics.cancels.inc();
                tracing::info!(
                    nonce,
                    "replacing a transaction that lost its sense by nothing"
                );
            }
            Note::Rebroadcast(hash) => {
                metrics.rebroadcasts.inc();
                tracing::info!(
                    ?hash,
                    "the node does not have the transaction: sending it again"
                );
            }
            Note::Included {
                digest,
                block,
                gas_used,
            } => {
                metrics.gas.inc_by(gas_used);
                tracing::info!(?digest, block, gas_used, "the batch is in a block");
            }
            Note::Reverted(hash) => {
                metrics.reverts.inc();
                tracing::warn!(?hash, "the transaction reverted");
            }
            Note::InclusionLost(hash) => {
                metrics.inclusions_lost.inc();
                tracing::warn!(
                    ?hash,
                    "a reorg took back the block that held the transaction"
                );
            }
            Note::Reorg => {
                metrics.reorgs.inc();
                tracing::info!("Ethereum's branch changed");
            }
            Note::RaceLost(digest) => {
                metrics.races_lost.inc();
                tracing::info!(
                    ?digest,
                    "the Router holds a batch of this nonce already: somebody else was faster"
                );
            }
            Note::Settled(digest) => {
                metrics.settled.inc();
                tracing::info!(?digest, "the batch is final on Ethereum");
            }
        }
    }

    fn look_at_ages(&mut self) -> Result<(), StoreError> {
        let now = unix_now();
        let waiting: BTreeMap<_, _> = self
            .state
            .waiting()
            .map(|batch| (batch.nonce, batch.digest))
            .collect();
        let settled = self.state.view().map(|view| view.settled.nonce);
        self.backlog
            .look(&waiting.keys().copied().collect(), settled, now);
        let oldest = self.backlog.oldest(now);
        let age = oldest.map_or(0, |(_, age)| age);
        self.parts.metrics.oldest(age);
        let reason = oldest
            .filter(|_| age > self.parts.max_age.as_secs())
            .map(|(nonce, _)| {
                let digest = waiting
                    .get(&nonce)
                    .map_or_else(String::new, |digest| format!(" ({digest:?})"));
                format!(
                    "batch {nonce}{digest} waits for {age} s: look at the other alarms, at --max-fee-gwei, and at \
                     the Router's state"
                )
            });
        self.parts.alarms.set(Alarm::OldBatch, reason);
        if let Some(since) = self.backlog.unwritten() {
            self.parts.store.note_waiting(&since)?;
            self.backlog.written(since);
        }
        Ok(())
    }
}
