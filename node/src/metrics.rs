//! What an operator watches: gauges of our own parts, and alarms.
//!
//! An alarm is something that a person should know: it is logged once when it is raised and once when it is over, and
//! is a Prometheus gauge in between. No alarm ends the node.

use parking_lot::Mutex;
use polkadot_sdk::substrate_prometheus_endpoint::{
    Counter, F64, Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, Opts, PrometheusError,
    Registry, U64, exponential_buckets, register,
};
use std::{collections::BTreeMap, sync::Arc};

/// Kinds of alarms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Alarm {
    /// The Ethereum node does not answer, is slow, or answers what contradicts itself.
    EthereumDown,
    /// The Ethereum node answers, but its head has not moved for too long.
    EthereumStale,
    /// The Ethereum node's answers contradict what proves them, or it is on another network.
    EthereumFaulty,
    /// No Ethereum node says what vaults hold for operators.
    StakesUnread,
    /// No Ethereum node says what was burned, slashed and paid.
    FactsUnread,
    /// A round has waited for an Ethereum block for long.
    EthereumMissing,
    /// A round waits for the bytes of a code.
    CodeMissing,
    /// The chain asks for an executor that this node does not know.
    ExecutorVersion,
    /// The executor failed.
    ExecutorFault,
    /// A store cannot be read or written, or holds something else than it should.
    StoreDamaged,
    /// The chain cannot be read.
    ChainUnreadable,
    /// What a seal says contradicts what this node has executed. Nothing is signed.
    SealContradiction,
    /// A second statement for one seal would have been signed. Nothing is signed.
    SecondStatement,
    /// A signature cannot be made or handed to the chain.
    Signing,
    /// A round is not signed: its key does not sign, or another outcome of the block was signed.
    RoundNotSigned,
    /// A quorum has got another outcome of a round than this node.
    OutcomeDiffers,
}

impl Alarm {
    /// All kinds.
    pub const ALL: [Self; 16] = [
        Self::EthereumDown,
        Self::EthereumStale,
        Self::EthereumFaulty,
        Self::StakesUnread,
        Self::FactsUnread,
        Self::EthereumMissing,
        Self::CodeMissing,
        Self::ExecutorVersion,
        Self::ExecutorFault,
        Self::StoreDamaged,
        Self::ChainUnreadable,
        Self::SealContradiction,
        Self::SecondStatement,
        Self::Signing,
        Self::RoundNotSigned,
        Self::OutcomeDiffers,
    ];

    /// Its name in logs and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::EthereumDown => "ethereum_down",
            Self::EthereumStale => "ethereum_stale",
            Self::EthereumFaulty => "ethereum_faulty",
            Self::StakesUnread => "stakes_unread",
            Self::FactsUnread => "facts_unread",
            Self::EthereumMissing => "ethereum_missing",
            Self::CodeMissing => "code_missing",
            Self::ExecutorVersion => "executor_version",
            Self::ExecutorFault => "executor_fault",
            Self::StoreDamaged => "store_damaged",
            Self::ChainUnreadable => "chain_unreadable",
            Self::SealContradiction => "seal_contradiction",
            Self::SecondStatement => "second_statement",
            Self::Signing => "signing",
            Self::RoundNotSigned => "round_not_signed",
            Self::OutcomeDiffers => "outcome_differs",
        }
    }
}

/// Gauges, counters and alarms. Cheap to clone.
#[derive(Clone)]
pub struct Metrics {
    /// Number of Ethereum's head, as this node sees it.
    pub ethereum_head: Gauge<U64>,
    /// Unix time in seconds of Ethereum's head.
    pub ethereum_head_time: Gauge<U64>,
    /// Number of the last final Ethereum block, as this node sees it.
    pub ethereum_finalised: Gauge<U64>,
    /// Ethereum block number of the newest executed round's anchor.
    pub anchor: Gauge<U64>,
    /// Chain block number of the newest executed round.
    pub executed: Gauge<U64>,
    /// Chain blocks by which execution is behind the best block.
    pub execution_lag: Gauge<U64>,
    /// Chain block number of the newest round with a certificate.
    pub certified: Gauge<U64>,
    /// Validators that have signed two outcomes of one block, as often as that was seen.
    pub contradictions: Counter<U64>,
    /// Rounds executed since the start of the process.
    pub rounds: Counter<U64>,
    /// Chain block of the round whose state was taken from other nodes last; zero if none was.
    pub taken_round: Gauge<U64>,
    /// Objects and codes taken from other nodes, with a state or to mend the store.
    pub objects_taken: Counter<U64>,
    /// Objects and codes of the store that were damaged, and were put back.
    pub objects_mended: Counter<U64>,
    /// Stores that could not be opened, and were set aside.
    pub stores_set_aside: Counter<U64>,
    /// Questions of other nodes for states and batches that were answered.
    pub state_answers: Counter<U64>,
    /// Gas burned by rounds.
    pub gas_burned: Counter<U64>,
    /// Messages that ended in rounds.
    pub messages: Counter<U64>,
    /// Programs whose messages wait for executable balance.
    pub starved: Gauge<U64>,
    /// Codes found valid.
    pub codes_valid: Counter<U64>,
    /// Codes found invalid.
    pub codes_invalid: Counter<U64>,
    /// Batches signed.
    pub batches_signed: Counter<U64>,
    /// Seals for which it was stated that there is nothing to send.
    pub seals_empty: Counter<U64>,
    /// Nonce of the batch that the Router holds, as this node sees it.
    pub router_nonce: Gauge<U64>,
    /// Age in seconds of the oldest executed change that the Router does not hold.
    pub unsettled_age: Gauge<U64>,
    /// How long rounds took in which something could happen, in seconds.
    pub round_seconds: Histogram,
    /// Rounds that got a certificate, as this node saw it.
    pub certificates: Counter<U64>,
    /// Ethereum blocks by which the newest round's anchor is behind Ethereum's head.
    pub anchor_lag: Gauge<U64>,
    /// From when this node had executed a round until it was `certified` or `finalized`, in seconds, by `level`.
    pub level_seconds: HistogramVec,
    /// Batches that are not settled, by `state`.
    pub batches: GaugeVec<U64>,
    /// From when this node knew of a batch until it was `ready`, `committed` or `settled`, in seconds, by `level`.
    pub batch_seconds: HistogramVec,
    /// Nonce of the last batch that the Router holds after a final Ethereum block.
    pub settled_nonce: Gauge<U64>,
    /// Id of the validator set.
    pub set: Gauge<U64>,
    /// Validators in the set.
    pub validators: Gauge<U64>,
    /// The part of the last `rounds` or `batches` that each `validator` of the set has signed, from 0 to 1.
    pub participation: GaugeVec<F64>,
    alarms: GaugeVec<U64>,
    raised: Arc<Mutex<BTreeMap<Alarm, String>>>,
}

impl Metrics {
    /// Makes them, and registers them with Prometheus if there is a registry.
    ///
    /// # Errors
    ///
    /// [`PrometheusError`] if a name is taken.
    pub fn new(registry: Option<&Registry>) -> Result<Self, PrometheusError> {
        let gauge = |name: &str, help: &str| -> Result<Gauge<U64>, PrometheusError> {
            let gauge = Gauge::new(format!("gear_exe_{name}"), help)?;
            registry.map_or(Ok(gauge.clone()), |registry| register(gauge, registry))
        };
        let counter = |name: &str, help: &str| -> Result<Counter<U64>, PrometheusError> {
            let counter = Counter::new(format!("gear_exe_{name}"), help)?;
            registry.map_or(Ok(counter.clone()), |registry| register(counter, registry))
        };
        let histogram = |name: &str, help: &str, least: f64, buckets: usize| {
            let options = HistogramOpts::new(format!("gear_exe_{name}"), help);
            exponential_buckets(least, 2.0, buckets).map(|buckets| options.buckets(buckets))
        };
        let levels = |name: &str,
                      help: &str,
                      least: f64,
                      buckets: usize,
                      levels: &[&str]|
         -> Result<HistogramVec, PrometheusError> {
            let all = HistogramVec::new(histogram(name, help, least, buckets)?, &["level"])?;
            // They are there from the beginning, with nothing in them.
            for level in levels {
                all.with_label_values(&[*level]);
            }
            registry.map_or(Ok(all.clone()), |registry| register(all, registry))
        };
        let round_seconds = Histogram::with_opts(histogram(
            "round_seconds",
            "How long rounds took in which something could happen",
            0.000_5,
            14,
        )?)?;
        let batches = GaugeVec::new(
            Opts::new("gear_exe_batches", "Batches that are not settled, by state"),
            &["state"],
        )?;
        let participation = GaugeVec::new(
            Opts::new(
                "gear_exe_participation",
                "The part of the last rounds or batches that a validator of the set has signed",
            ),
            &["validator", "of"],
        )?;
        let alarms = GaugeVec::new(
            Opts::new(
                "gear_exe_alarm",
                "1 while something needs a person's attention, by kind",
            ),
            &["kind"],
        )?;
        for alarm in Alarm::ALL {
            alarms.with_label_values(&[alarm.name()]).set(0);
        }
        Ok(Self {
            ethereum_head: gauge("ethereum_head", "Number of Ethereum's head")?,
            ethereum_head_time: gauge(
                "ethereum_head_timestamp_seconds",
                "Unix time of Ethereum's head",
            )?,
            ethereum_finalised: gauge(
                "ethereum_finalised",
                "Number of the last final Ethereum block",
            )?,
            anchor: gauge(
                "anchor",
                "Ethereum block up to which events are in executed rounds",
            )?,
            executed: gauge("executed_round", "Chain block of the newest executed round")?,
            execution_lag: gauge(
                "execution_lag_blocks",
                "Chain blocks by which execution is behind the best block",
            )?,
            certified: gauge(
                "certified",
                "Chain block number of the newest round with a certificate",
            )?,
            contradictions: counter(
                "contradictions_total",
                "Validators that have signed two outcomes of one block",
            )?,
            rounds: counter("rounds_total", "Rounds executed since the start")?,
            taken_round: gauge(
                "taken_round",
                "Chain block of the round whose state was taken from other nodes last",
            )?,
            objects_taken: counter(
                "objects_taken_total",
                "Objects and codes taken from other nodes",
            )?,
            objects_mended: counter(
                "objects_mended_total",
                "Objects and codes of the store that were damaged, and were put back",
            )?,
            stores_set_aside: counter(
                "stores_set_aside_total",
                "Stores that could not be opened, and were set aside",
            )?,
            state_answers: counter(
                "state_answers_total",
                "Questions of other nodes for states and batches that were answered",
            )?,
            gas_burned: counter("gas_burned_total", "Gas burned by rounds")?,
            messages: counter("messages_total", "Messages that ended in rounds")?,
            starved: gauge(
                "starved_programs",
                "Programs whose messages wait for executable balance",
            )?,
            codes_valid: counter("codes_valid_total", "Codes found valid")?,
            codes_invalid: counter("codes_invalid_total", "Codes found invalid")?,
            batches_signed: counter("batches_signed_total", "Batches signed for Ethereum")?,
            seals_empty: counter("seals_empty_total", "Seals stated to have nothing to send")?,
            router_nonce: gauge("router_nonce", "Nonce of the batch that the Router holds")?,
            unsettled_age: gauge(
                "unsettled_age_seconds",
                "Age of the oldest executed change that the Router does not hold",
            )?,
            round_seconds: match registry {
                Some(registry) => register(round_seconds, registry)?,
                None => round_seconds,
            },
            certificates: counter("certificates_total", "Rounds that got a certificate")?,
            anchor_lag: gauge(
                "anchor_lag_blocks",
                "Ethereum blocks by which the newest round's anchor is behind Ethereum's head",
            )?,
            level_seconds: levels(
                "level_seconds",
                "From when this node had executed a round until the level was reached",
                0.01,
                13,
                &["certified", "finalized"],
            )?,
            batches: match registry {
                Some(registry) => register(batches, registry)?,
                None => batches,
            },
            batch_seconds: levels(
                "batch_seconds",
                "From when this node knew of a batch until the level was reached",
                0.5,
                15,
                &["ready", "committed", "settled"],
            )?,
            settled_nonce: gauge(
                "settled_nonce",
                "Nonce of the last batch that the Router holds after a final Ethereum block",
            )?,
            set: gauge("validator_set", "Id of the validator set")?,
            validators: gauge("validators", "Validators in the set")?,
            participation: match registry {
                Some(registry) => register(participation, registry)?,
                None => participation,
            },
            alarms: match registry {
                Some(registry) => register(alarms, registry)?,
                None => alarms,
            },
            raised: Arc::default(),
        })
    }

    /// Raises an alarm. It is logged when it is new, or when what it says has changed.
    pub fn raise(&self, alarm: Alarm, says: impl ToString) {
        let says = says.to_string();
        let before = self.raised.lock().insert(alarm, says.clone());
        if before.as_ref() != Some(&says) {
            tracing::error!(alarm = alarm.name(), "{says}");
        }
        self.alarms.with_label_values(&[alarm.name()]).set(1);
    }

    /// The reason for an alarm is gone.
    pub fn clear(&self, alarm: Alarm) {
        if self.raised.lock().remove(&alarm).is_some() {
            tracing::info!(alarm = alarm.name(), "the alarm is over");
        }
        self.alarms.with_label_values(&[alarm.name()]).set(0);
    }

    /// The alarms that are raised, with what they say.
    pub fn raised(&self) -> Vec<(Alarm, String)> {
        self.raised
            .lock()
            .iter()
            .map(|(alarm, says)| (*alarm, says.clone()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alarms_come_and_go() {
        let registry = Registry::new();
        let metrics = Metrics::new(Some(&registry)).unwrap();
        let shown = || {
            registry
                .gather()
                .iter()
                .filter(|family| family.get_name() == "gear_exe_alarm")
                .flat_map(|family| family.get_metric())
                .filter(|metric| metric.get_gauge().get_value() > 0.0)
                .map(|metric| metric.get_label()[0].get_value().to_owned())
                .collect::<Vec<_>>()
        };
        assert!(shown().is_empty());
        metrics.raise(Alarm::EthereumDown, "no answer");
        metrics.raise(Alarm::EthereumDown, "no answer");
        assert_eq!(shown(), ["ethereum_down"]);
        assert_eq!(
            metrics.raised(),
            [(Alarm::EthereumDown, "no answer".into())]
        );
        metrics.clear(Alarm::EthereumDown);
        assert!(shown().is_empty());
        assert!(metrics.raised().is_empty());
    }

    #[test]
    fn a_name_is_registered_once() {
        let registry = Registry::new();
        assert!(Metrics::new(Some(&registry)).is_ok());
        assert!(Metrics::new(Some(&registry)).is_err());
    }
}
