//! Alarms: a line in the log when a condition begins, every few minutes while it lasts, and when it ends; and a gauge.

use crate::{metrics::Metrics, pipeline::Alarm};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

const REMIND: Duration = Duration::from_secs(300);

#[derive(Debug)]
struct Lasting {
    said: Instant,
    reason: String,
}

/// Conditions that somebody should know of.
#[derive(Clone, Debug)]
pub struct Alarms {
    lasting: Arc<Mutex<BTreeMap<Alarm, Lasting>>>,
    metrics: Metrics,
}

impl Alarms {
    /// None yet.
    pub fn new(metrics: Metrics) -> Self {
        Self {
            lasting: Arc::default(),
            metrics,
        }
    }

    /// The condition holds, with its reason, or does not hold.
    pub fn set(&self, alarm: Alarm, reason: Option<String>) {
        let mut lasting = self.lasting.lock().unwrap_or_else(PoisonError::into_inner);
        match reason {
            Some(reason) => {
                if let Some(entry) = lasting.get_mut(&alarm) {
                    entry.reason = reason;
                    return;
                }
                tracing::error!(alarm = alarm.name(), "ALARM: {reason}");
                self.metrics.alarm(alarm, true);
                let said = Instant::now();
                lasting.insert(alarm, Lasting { said, reason });
            }
            None => {
                if lasting.remove(&alarm).is_some() {
                    tracing::info!(alarm = alarm.name(), "the alarm is over");
                    self.metrics.alarm(alarm, false);
                }
            }
        }
    }

    /// Says again what has lasted long.
    pub fn remind(&self) {
        let mut lasting = self.lasting.lock().unwrap_or_else(PoisonError::into_inner);
        for (alarm, entry) in lasting.iter_mut() {
            if entry.said.elapsed() >= REMIND {
                entry.said = Instant::now();
                tracing::error!(alarm = alarm.name(), "ALARM lasts: {}", entry.reason);
            }
        }
    }

    /// Those that last, with their reasons.
    pub fn lasting(&self) -> BTreeMap<Alarm, String> {
        self.lasting
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .map(|(alarm, entry)| (*alarm, entry.reason.clone()))
            .collect()
    }
}
