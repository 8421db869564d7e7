//! Listens to what happens in this node and remembers the newest of it, for RPC, metrics and the status page.
//!
//! Rounds are kept as they are on the best chain, with the time at which this node saw each level. Once a second it looks at
//! the chain: who is in the set, who takes part, and what became of batches. Everything kept is bounded.

use super::{
    batches::{BatchBook, BatchSeen, BatchState, Facts, Told},
    levels::{Levels, RoundSeen},
};
use crate::{
    certificates::CertificateService,
    ethereum_service::History,
    lifecycle::times::now,
    metrics::Metrics,
    rounds::{Batches, ExecutedRound, Rounds},
    settlement_service::build::Said,
    store::{BUILT, Store, StoreError},
};
use futures::{StreamExt, future};
use gear_exe_primitives::{
    H256,
    batch::RouterDomain,
    ethereum::BlockId,
    quorum::Member,
    report::ValidatorSet,
    round::ChainBlock,
    runtime_api::{ExecutionApi, SettlementApi},
};
use gear_exe_runtime::opaque::Block;
use parking_lot::Mutex;
use polkadot_sdk::{
    sc_client_api::BlockchainEvents,
    sp_api::{ApiError, ProvideRuntimeApi},
    sp_blockchain::{self, HeaderBackend},
};
use std::{collections::BTreeMap, pin::pin, sync::Arc, time::Duration};
use tokio::sync::broadcast::error::RecvError;

/// Rounds younger than this do not count for participation: signatures are still on their way.
const ON_THEIR_WAY_MS: u64 = 2_000;
/// Pause between two looks at the chain.
const LOOK: Duration = Duration::from_secs(1);

/// A validator of the current set and what it signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validator {
    /// Address and weight.
    pub member: Member,
    /// Rounds that it has signed, of [`View::of_rounds`].
    pub rounds: u64,
    /// Batches that it has signed, of [`View::of_batches`].
    pub batches: u64,
}

/// What is known of the network.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// Rounds, newest first.
    pub rounds: Vec<RoundSeen>,
    /// Batches, newest first.
    pub batches: Vec<BatchSeen>,
    /// The chain's best block at the last look.
    pub best: Option<ChainBlock>,
    /// The last block that GRANDPA has finalised.
    pub finalized: Option<ChainBlock>,
    /// The last Ethereum block that a quorum reported final.
    pub ethereum_final: Option<BlockId>,
    /// Id of the validator set.
    pub set_id: u64,
    /// The set.
    pub validators: Vec<Validator>,
    /// Recent rounds of this set by which participation is measured.
    pub of_rounds: u64,
    /// Recent batches of this set by which participation is measured.
    pub of_batches: u64,
}

/// What was seen at the last look at the chain.
#[derive(Default)]
struct Looked {
    best: Option<ChainBlock>,
    finalized: Option<ChainBlock>,
    ethereum_final: Option<BlockId>,
    set_id: u64,
    validators: Vec<Validator>,
    of_rounds: u64,
    of_batches: u64,
}

/// Where what happens is read.
pub struct Sources<C> {
    /// The chain.
    pub client: Arc<C>,
    /// Executed rounds.
    pub rounds: Arc<dyn Rounds>,
    /// Signed rounds and certificates.
    pub certificates: Arc<CertificateService>,
    /// Batches that this node has built.
    pub batches: Arc<dyn Batches>,
    /// Ethereum blocks that it has taken in.
    pub history: Arc<History>,
    /// What was built for seals.
    pub store: Arc<Store>,
    /// The Router.
    pub domain: RouterDomain,
}

/// Why a look at the chain failed.
#[derive(Debug, thiserror::Error)]
enum LookError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Runtime(#[from] ApiError),
    #[error(transparent)]
    Chain(#[from] sp_blockchain::Error),
}

/// What this node sees of the network.
pub struct Watch {
    name: String,
    metrics: Metrics,
    levels: Mutex<Levels>,
    batches: Mutex<BatchBook>,
    looked: Mutex<Looked>,
}

impl Watch {
    /// Of the network with this name; nothing is seen yet.
    pub fn new(name: impl Into<String>, metrics: Metrics) -> Arc<Self> {
        Arc::new(Self {
            name: name.into(),
            metrics,
            levels: Mutex::default(),
            batches: Mutex::default(),
            looked: Mutex::default(),
        })
    }

    /// The chain's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Names of the alarms that are raised.
    pub fn alarms(&self) -> Vec<&'static str> {
        let raised = self.metrics.raised();
        raised.iter().map(|(alarm, _)| alarm.name()).collect()
    }

    /// What is known, with at most so many rounds.
    pub fn view(&self, rounds: usize) -> View {
        let rounds = {
            let levels = self.levels.lock();
            levels.rounds.iter().rev().take(rounds).copied().collect()
        };
        let batches = self.batches.lock().newest_first().cloned().collect();
        let looked = self.looked.lock();
        View {
            rounds,
            batches,
            best: looked.best,
            finalized: looked.finalized,
            ethereum_final: looked.ethereum_final,
            set_id: looked.set_id,
            validators: looked.validators.clone(),
            of_rounds: looked.of_rounds,
            of_batches: looked.of_batches,
        }
    }

    /// A round was executed.
    pub fn executed(&self, round: &ExecutedRound, now: u64) {
        self.levels.lock().executed(round, now);
        let head = self.metrics.ethereum_head.get();
        self.metrics
            .anchor_lag
            .set(head.saturating_sub(round.anchor.number));
    }

    /// A block's round has a certificate.
    pub fn certified(&self, block: H256, now: u64) {
        if let Some(took) = self.levels.lock().certified(block, now) {
            self.observe("certified", took);
        }
    }

    /// GRANDPA has finalised a block, and with it those before.
    pub fn finalized(&self, block: ChainBlock, now: u64) {
        let took = self.levels.lock().finalized(block.number, now);
        took.into_iter()
            .for_each(|took| self.observe("finalized", took));
        self.looked.lock().finalized = Some(block);
    }

    fn observe(&self, level: &str, took: u64) {
        let seconds = Duration::from_millis(took).as_secs_f64();
        self.metrics
            .level_seconds
            .with_label_values(&[level])
            .observe(seconds);
    }

    /// Watches until the node ends.
    pub async fn run<C>(self: Arc<Self>, sources: Sources<C>)
    where
        C: ProvideRuntimeApi<Block>
            + HeaderBackend<Block>
            + BlockchainEvents<Block>
            + Send
            + Sync
            + 'static,
        C::Api: ExecutionApi<Block> + SettlementApi<Block>,
    {
        let sources = Arc::new(sources);
        let listen = pin!(self.listen(&sources));
        let look = pin!(self.keep_looking(&sources));
        future::select(listen, look).await;
    }

    async fn listen<C: BlockchainEvents<Block>>(&self, sources: &Sources<C>) {
        let mut rounds = sources.rounds.subscribe();
        let mut certificates = sources.certificates.subscribe();
        let mut finality = sources.client.finality_notification_stream();
        loop {
            tokio::select! {
                round = rounds.recv() => match round {
                    Ok(round) => self.executed(&round, now()),
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return,
                },
                certificate = certificates.recv() => match certificate {
                    Ok(certificate) => self.certified(certificate.statement.block_hash, now()),
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return,
                },
                notification = finality.next() => match notification {
                    Some(notification) => self.finalized(
                        ChainBlock {
                            number: notification.header.number.into(),
                            hash: notification.hash,
                        },
                        now(),
                    ),
                    None => return,
                },
            }
        }
    }

    async fn keep_looking<C>(self: &Arc<Self>, sources: &Arc<Sources<C>>)
    where
        C: ProvideRuntimeApi<Block> + HeaderBackend<Block> + Send + Sync + 'static,
        C::Api: ExecutionApi<Block> + SettlementApi<Block>,
    {
        let mut tick = tokio::time::interval(LOOK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            let (watch, sources) = (self.clone(), sources.clone());
            let looked = tokio::task::spawn_blocking(move || watch.look(&sources, now())).await;
            match looked {
                Ok(Ok(())) => {}
                // The services that need it raise the alarm.
                Ok(Err(error)) => tracing::debug!(%error, "the chain cannot be looked at"),
                Err(error) if error.is_cancelled() => return,
                Err(error) => tracing::error!(%error, "looking at the chain panicked"),
            }
        }
    }

    fn look<C>(&self, sources: &Sources<C>, now: u64) -> Result<(), LookError>
    where
        C: ProvideRuntimeApi<Block> + HeaderBackend<Block>,
        C::Api: ExecutionApi<Block> + SettlementApi<Block>,
    {
        let info = sources.client.info();
        let at = info.best_hash;
        let api = sources.client.runtime_api();
        let (seals, ready) = (api.seals(at)?, api.ready_batches(at)?);
        let (held, ethereum_final) = (api.router(at)?.batch, api.finalised(at)?.id());
        let set = api.validator_set(at)?;

        let mut told = BTreeMap::new();
        for ready in ready {
            told.insert(
                ready.header.seal_number,
                Told {
                    header: ready.header,
                    digest: ready.digest,
                    voted: Vec::new(),
                    ready: true,
                },
            );
        }
        for seal in seals {
            if let Some(known) = told.get_mut(&seal.number) {
                known.voted = seal.voted;
                continue;
            }
            let Ok(number) = u32::try_from(seal.number) else {
                continue;
            };
            let Some(hash) = sources.client.hash(number)? else {
                continue;
            };
            if let Some(Said::Batch(header)) = sources.store.get::<Said>(BUILT, hash)? {
                told.insert(
                    seal.number,
                    Told {
                        header,
                        digest: header.digest(&sources.domain),
                        voted: seal.voted,
                        ready: false,
                    },
                );
            }
        }
        let settled = sources.history.block(ethereum_final.hash)?;
        let facts = Facts {
            told: told.into_values().collect(),
            held,
            settled: settled.map(|block| block.router),
        };
        self.batches(sources, &facts, now);
        let block = |number: u32, hash| ChainBlock {
            number: number.into(),
            hash,
        };
        {
            let mut looked = self.looked.lock();
            looked.best = Some(block(info.best_number, info.best_hash));
            looked.finalized = Some(block(info.finalized_number, info.finalized_hash));
            looked.ethereum_final = Some(ethereum_final);
        }
        self.takes_part(&sources.certificates, set, now);
        Ok(())
    }

    fn batches<C>(&self, sources: &Sources<C>, facts: &Facts, now: u64) {
        let programs = |digest| {
            let batch = sources.batches.batch(digest)?;
            Some(super::programs(&batch.transitions))
        };
        let mut book = self.batches.lock();
        for (level, took) in book.update(facts, now, programs) {
            self.metrics
                .batch_seconds
                .with_label_values(&[level.name()])
                .observe(Duration::from_millis(took).as_secs_f64());
        }
        for state in [
            BatchState::Signing,
            BatchState::Ready,
            BatchState::Committed,
        ] {
            self.metrics
                .batches
                .with_label_values(&[state.name()])
                .set(book.count(state) as u64);
        }
        if let Some(settled) = facts.settled {
            self.metrics.settled_nonce.set(settled.nonce);
        }
    }

    fn takes_part(&self, certificates: &CertificateService, set: ValidatorSet, now: u64) {
        let recent: Vec<ChainBlock> = {
            let levels = self.levels.lock();
            let old = levels
                .rounds
                .iter()
                .filter(|round| round.executed.saturating_add(ON_THEIR_WAY_MS) <= now);
            old.map(|round| round.block).collect()
        };
        let count = set.members.len();
        let (rounds, of_rounds) = certificates.participation(set.id, count, &recent);
        let (batches, of_batches) = self.batches.lock().participation(set.id, count);
        let validators: Vec<Validator> = set
            .members
            .into_iter()
            .zip(rounds.into_iter().zip(batches))
            .map(|(member, (rounds, batches))| Validator {
                member,
                rounds,
                batches,
            })
            .collect();
        let mut looked = self.looked.lock();
        let gauges = &self.metrics.participation;
        if looked.set_id != set.id || looked.validators.len() != validators.len() {
            // Who has left the set is not shown any more.
            gauges.reset();
        }
        for validator in &validators {
            let address = format!("{:?}", validator.member.address);
            for (of, signed, all) in [
                ("rounds", validator.rounds, of_rounds),
                ("batches", validator.batches, of_batches),
            ] {
                if all > 0 {
                    gauges
                        .with_label_values(&[address.as_str(), of])
                        .set(signed as f64 / all as f64);
                }
            }
        }
        self.metrics.set.set(set.id);
        self.metrics.validators.set(count as u64);
        looked.set_id = set.id;
        looked.validators = validators;
        looked.of_rounds = of_rounds;
        looked.of_batches = of_batches;
    }
}

#[cfg(test)]
mod tests {
    use super::{super::levels::KEPT, *};
    use gear_exe_primitives::{ethereum::EthereumHeader, round::RoundOutcome};

    fn hash(fork: u8, number: u64) -> H256 {
        let mut bytes = [fork; 32];
        bytes[24..].copy_from_slice(&number.to_be_bytes());
        H256(bytes)
    }

    fn round(fork: u8, number: u64, parent: H256) -> ExecutedRound {
        let block = ChainBlock {
            number,
            hash: hash(fork, number),
        };
        ExecutedRound {
            block,
            parent,
            base: block,
            anchor: EthereumHeader::default(),
            outcome: Arc::new(RoundOutcome {
                state_root: H256::zero(),
                receipts: Vec::new(),
                replies: Vec::new(),
                transitions: Vec::new(),
                gas_burned: 5,
                spent: 0,
                work_left: false,
                starved: Vec::new(),
            }),
        }
    }

    fn shown(watch: &Watch) -> Vec<(u64, u64, Option<u64>, Option<u64>)> {
        let rounds = watch.view(KEPT).rounds;
        rounds
            .iter()
            .map(|round| {
                let number = round.block.number;
                (number, round.executed, round.certified, round.finalized)
            })
            .collect()
    }

    #[test]
    fn levels_are_timed_in_whatever_order_they_come() {
        let metrics = Metrics::new(None).unwrap();
        let watch = Watch::new("test", metrics.clone());
        watch.executed(&round(1, 1, H256::zero()), 1_000);
        watch.executed(&round(1, 2, hash(1, 1)), 1_250);
        watch.certified(hash(1, 1), 1_100);
        // This node is behind the others.
        watch.certified(hash(1, 3), 1_300);
        let block = ChainBlock {
            number: 2,
            hash: hash(1, 2),
        };
        watch.finalized(block, 1_450);
        watch.executed(&round(1, 3, hash(1, 2)), 1_500);
        assert_eq!(
            shown(&watch),
            [
                (3, 1_500, Some(1_500), None),
                (2, 1_250, None, Some(1_450)),
                (1, 1_000, Some(1_100), Some(1_450)),
            ]
        );
        assert_eq!(watch.view(1).rounds.len(), 1);
        assert_eq!(watch.view(1).finalized, Some(block));
        let of = |level| metrics.level_seconds.with_label_values(&[level]);
        assert_eq!(of("certified").get_sample_count(), 1);
        assert_eq!(of("finalized").get_sample_count(), 2);
        // Told again, nothing changes.
        watch.certified(hash(1, 1), 9_000);
        watch.finalized(block, 9_000);
        assert_eq!(of("certified").get_sample_count(), 1);
        assert_eq!(of("finalized").get_sample_count(), 2);
    }

    #[test]
    fn only_the_best_chain_is_kept_and_not_all_of_it() {
        let watch = Watch::new("test", Metrics::new(None).unwrap());
        let mut parent = H256::zero();
        for number in 1..=3 {
            watch.executed(&round(1, number, parent), number);
            parent = hash(1, number);
        }
        // A fork after block 1, of which block 2 was executed long ago.
        watch.executed(&round(2, 3, hash(2, 2)), 4);
        assert_eq!(shown(&watch), [(3, 4, None, None), (1, 1, None, None)]);
        for number in 4..1_000 {
            watch.executed(&round(2, number, hash(2, number - 1)), number);
        }
        assert_eq!(shown(&watch).len(), KEPT);
    }
}
