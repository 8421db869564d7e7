//! What Prometheus is told. Names begin with `gear_exe_relayer_`.

use crate::pipeline::{Alarm, Place, Slot, State};
use prometheus::{
    Gauge, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, core::Collector,
};

const PREFIX: &str = "gear_exe_relayer_";

/// The relayer's metrics; a clone counts into the same.
#[derive(Clone, Debug)]
pub struct Metrics {
    alarms: IntGaugeVec,
    batches: IntGaugeVec,
    router_nonce: IntGaugeVec,
    heads: IntGaugeVec,
    ethereum_node: IntGauge,
    oldest: IntGauge,
    balance: Gauge,
    base_fee: Gauge,
    chain_errors: IntCounterVec,
    ethereum_errors: IntCounterVec,
    /// Batches of ours that are final.
    pub settled: IntCounter,
    /// Transactions that were sent, also again.
    pub sent: IntCounter,
    /// Replacements with higher fees.
    pub bumps: IntCounter,
    /// Transactions that were replaced by nothing.
    pub cancels: IntCounter,
    /// Transactions that the node had lost.
    pub rebroadcasts: IntCounter,
    /// Transactions that reverted.
    pub reverts: IntCounter,
    /// Batches that somebody else applied while ours was on its way.
    pub races_lost: IntCounter,
    /// Changes of Ethereum's branch.
    pub reorgs: IntCounter,
    /// Inclusions that a reorg took back.
    pub inclusions_lost: IntCounter,
    /// Gas that our batches used.
    pub gas: IntCounter,
    /// Times that the node did not have a signed batch's body.
    pub bodies_missing: IntCounter,
    /// Bodies that were not what was signed.
    pub bodies_wrong: IntCounter,
}

struct Registrar<'a> {
    registry: &'a Registry,
}

impl Registrar<'_> {
    fn add<C: Collector + Clone + 'static>(
        &self,
        collector: Result<C, prometheus::Error>,
    ) -> Result<C, prometheus::Error> {
        let collector = collector?;
        self.registry.register(Box::new(collector.clone()))?;
        Ok(collector)
    }

    fn opts(name: &str, help: &str) -> Opts {
        Opts::new(format!("{PREFIX}{name}"), help)
    }

    fn counter(&self, name: &str, help: &str) -> Result<IntCounter, prometheus::Error> {
        self.add(IntCounter::with_opts(Self::opts(name, help)))
    }

    fn counters(
        &self,
        name: &str,
        help: &str,
        label: &str,
    ) -> Result<IntCounterVec, prometheus::Error> {
        self.add(IntCounterVec::new(Self::opts(name, help), &[label]))
    }

    fn gauge(&self, name: &str, help: &str) -> Result<Gauge, prometheus::Error> {
        self.add(Gauge::with_opts(Self::opts(name, help)))
    }

    fn integer(&self, name: &str, help: &str) -> Result<IntGauge, prometheus::Error> {
        self.add(IntGauge::with_opts(Self::opts(name, help)))
    }

    fn gauges(
        &self,
        name: &str,
        help: &str,
        label: &str,
    ) -> Result<IntGaugeVec, prometheus::Error> {
        self.add(IntGaugeVec::new(Self::opts(name, help), &[label]))
    }
}

fn set(gauge: &IntGauge, value: u64) {
    gauge.set(i64::try_from(value).unwrap_or(i64::MAX));
}

impl Metrics {
    /// Registers them.
    ///
    /// # Errors
    ///
    /// If the registry holds a metric of the same name: one relayer per registry.
    pub fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let to = Registrar { registry };
        let metrics = Self {
            alarms: to.gauges("alarm", "1 while the condition lasts", "kind")?,
            batches: to.gauges(
                "batches",
                "Signed batches by stage: ready, pending, included",
                "stage",
            )?,
            router_nonce: to.gauges(
                "router_nonce",
                "Nonce of the Router's last batch: at the head (latest), and at the last final block (finalized)",
                "at",
            )?,
            heads: to.gauges("ethereum_block", "Number of Ethereum's head (latest) and last final block (finalized)", "at")?,
            ethereum_node: to.integer(
                "ethereum_node",
                "Place, from 0, of the Ethereum node that is asked in the list that was configured",
            )?,
            oldest: to.integer(
                "oldest_unsettled_seconds",
                "Age of the oldest nonce of which a batch is signed and none is final on Ethereum, counted on over \
                 restarts and over batches that expire and are signed anew; 0 if there is none",
            )?,
            balance: to.gauge("balance_eth", "ETH of the relayer's account")?,
            base_fee: to.gauge("base_fee_gwei", "Base fee of Ethereum's next block")?,
            chain_errors: to.counters("chain_errors_total", "Questions that the chain's node did not answer, by class", "class")?,
            ethereum_errors: to.counters("ethereum_errors_total", "Questions that the Ethereum node did not answer, by class", "class")?,
            settled: to.counter("settled_total", "Batches carried by this relayer that are final")?,
            sent: to.counter("sent_total", "Transactions sent, also again")?,
            bumps: to.counter("bumps_total", "Replacements with higher fees")?,
            cancels: to.counter("cancels_total", "Transactions replaced by nothing")?,
            rebroadcasts: to.counter("rebroadcasts_total", "Transactions that the node had lost and that were sent again")?,
            reverts: to.counter("reverts_total", "Transactions that reverted")?,
            races_lost: to.counter("races_lost_total", "Batches that somebody else applied while ours was on its way")?,
            reorgs: to.counter("reorgs_total", "Changes of Ethereum's branch")?,
            inclusions_lost: to.counter("inclusions_lost_total", "Inclusions that a reorg took back")?,
            gas: to.counter("gas_used_total", "Gas used by included batches")?,
            bodies_missing: to.counter("bodies_missing_total", "Times that the node did not have a signed batch's body")?,
            bodies_wrong: to.counter("bodies_wrong_total", "Bodies that were not what was signed")?,
        };
        // A series that is missing until its first event cannot be watched.
        for stage in ["ready", "pending", "included"] {
            metrics.batches.with_label_values(&[stage]).set(0);
        }
        for at in ["latest", "finalized"] {
            metrics.router_nonce.with_label_values(&[at]).set(0);
            metrics.heads.with_label_values(&[at]).set(0);
        }
        for alarm in Alarm::ALL {
            metrics.alarm(alarm, false);
        }
        Ok(metrics)
    }

    /// A condition holds or not.
    pub fn alarm(&self, alarm: Alarm, on: bool) {
        self.alarms
            .with_label_values(&[alarm.name()])
            .set(i64::from(on));
    }

    /// The chain's node did not answer.
    pub fn chain_error(&self, class: &str) {
        self.chain_errors.with_label_values(&[class]).inc();
    }

    /// The Ethereum node did not answer.
    pub fn ethereum_error(&self, class: &str) {
        self.ethereum_errors.with_label_values(&[class]).inc();
    }

    /// Age of the oldest batch that waits, in seconds.
    pub fn oldest(&self, age: u64) {
        set(&self.oldest, age);
    }

    /// Everything that follows from the pipeline's state, and which of the Ethereum nodes is asked, from 0.
    pub fn observe(&self, state: &State, node: usize) {
        set(&self.ethereum_node, node as u64);
        let Some(view) = state.view() else {
            return;
        };
        let at = |place: &dyn Fn(&Slot) -> bool| {
            state.slots().values().filter(|slot| place(slot)).count() as u64
        };
        let stage = |name: &str, count| set(&self.batches.with_label_values(&[name]), count);
        stage("ready", state.waiting().count() as u64);
        stage("pending", at(&|slot| slot.place == Place::Pending));
        stage(
            "included",
            at(&|slot| matches!(slot.place, Place::Mined { success: true, .. })),
        );
        for (name, nonce, block) in [
            ("latest", view.router.nonce, view.head.number),
            ("finalized", view.settled.nonce, view.finalised.number),
        ] {
            set(&self.router_nonce.with_label_values(&[name]), nonce);
            set(&self.heads.with_label_values(&[name]), block);
        }
        self.balance.set(view.balance as f64 / 1e18);
        self.base_fee.set(view.market.base_fee as f64 / 1e9);
    }
}
