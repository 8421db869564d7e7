//! How long signed work has waited for Ethereum.
//!
//! By nonce, not by digest: a batch that expires is replaced by another one on the same batch of the Router, and what is
//! in it has waited since the first. The log keeps it ([`crate::store`]), so that a restart does not hide an old backlog.
//! Reads no clock: `now` is Unix time in seconds.

use std::collections::{BTreeMap, BTreeSet};

/// For how many seconds a nonce is remembered of which no batch is ready: longer than the chain needs to replace a batch
/// that has expired, not so long that later work of the same nonce, after a reorg, seems old.
const MEMORY: u64 = 600;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Waiting {
    since: u64,
    /// When a batch of this nonce was last waiting.
    seen: u64,
    waits: bool,
}

/// Nonces whose batches wait.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Backlog {
    waiting: BTreeMap<u64, Waiting>,
    stored: BTreeMap<u64, u64>,
}

impl Backlog {
    /// Takes over what the log holds. It counts as waiting until the Router has been seen.
    pub fn restore(&mut self, stored: BTreeMap<u64, u64>, now: u64) {
        for (&nonce, &since) in &stored {
            let waiting = self.waiting.entry(nonce).or_insert(Waiting {
                since,
                seen: now,
                waits: true,
            });
            waiting.since = waiting.since.min(since);
        }
        self.stored = stored;
    }

    /// These nonces wait now. `settled` is the Router's last final nonce, if it was seen.
    pub fn look(&mut self, nonces: &BTreeSet<u64>, settled: Option<u64>, now: u64) {
        for &nonce in nonces {
            let waiting = self.waiting.entry(nonce).or_insert(Waiting {
                since: now,
                seen: now,
                waits: true,
            });
            // A clock that was wrong must not make it younger than nothing.
            waiting.since = waiting.since.min(now);
            waiting.seen = now;
            waiting.waits = true;
        }
        let Some(settled) = settled else {
            return;
        };
        for (nonce, waiting) in &mut self.waiting {
            waiting.waits = nonces.contains(nonce);
        }
        self.waiting.retain(|nonce, waiting| {
            *nonce > settled && (waiting.waits || now.saturating_sub(waiting.seen) < MEMORY)
        });
    }

    /// The nonce that has waited longest of those that wait, and for how many seconds.
    pub fn oldest(&self, now: u64) -> Option<(u64, u64)> {
        self.waiting
            .iter()
            .filter(|(_, waiting)| waiting.waits)
            .min_by_key(|(_, waiting)| waiting.since)
            .map(|(nonce, waiting)| (*nonce, now.saturating_sub(waiting.since)))
    }

    /// What the log should hold, if it holds something else.
    pub fn unwritten(&self) -> Option<BTreeMap<u64, u64>> {
        let since: BTreeMap<_, _> = self
            .waiting
            .iter()
            .map(|(nonce, waiting)| (*nonce, waiting.since))
            .collect();
        (since != self.stored).then_some(since)
    }

    /// The log holds this now.
    pub fn written(&mut self, stored: BTreeMap<u64, u64>) {
        self.stored = stored;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn restored(stored: &[(u64, u64)], now: u64) -> Backlog {
        let mut backlog = Backlog::default();
        backlog.restore(stored.iter().copied().collect(), now);
        backlog
    }

    /// Writes what is to be written.
    fn write(backlog: &mut Backlog) -> Option<Vec<(u64, u64)>> {
        let since = backlog.unwritten()?;
        backlog.written(since.clone());
        Some(since.into_iter().collect())
    }

    #[test]
    fn the_age_is_that_of_the_oldest_and_outlives_a_restart() {
        let mut backlog = restored(&[], 0);
        assert_eq!(backlog.oldest(0), None);
        assert_eq!(write(&mut backlog), None);
        backlog.look(&[4].into(), Some(3), 100);
        backlog.look(&[4, 5].into(), Some(3), 130);
        assert_eq!(backlog.oldest(150), Some((4, 50)));
        assert_eq!(write(&mut backlog), Some(vec![(4, 100), (5, 130)]));
        backlog.look(&[4, 5].into(), Some(3), 150);
        assert_eq!(write(&mut backlog), None, "nothing new to write");

        let mut backlog = restored(&[(4, 100), (5, 130)], 1_000);
        // Before anything was seen, and after.
        assert_eq!(backlog.oldest(1_000), Some((4, 900)));
        backlog.look(&[4, 5].into(), Some(3), 1_010);
        assert_eq!(backlog.oldest(1_010), Some((4, 910)));
        assert_eq!(write(&mut backlog), None);
        backlog.look(&[5].into(), Some(4), 1_020);
        assert_eq!(backlog.oldest(1_020), Some((5, 890)));
        assert_eq!(write(&mut backlog), Some(vec![(5, 130)]));
        backlog.look(&[].into(), Some(5), 1_030);
        assert_eq!(backlog.oldest(1_030), None);
        assert_eq!(write(&mut backlog), Some(vec![]));
    }

    #[test]
    fn while_ethereum_is_not_seen_nothing_is_taken_for_done() {
        let mut backlog = restored(&[(4, 100)], 200);
        backlog.look(&[5].into(), None, 5_000);
        backlog.look(&[].into(), None, 5_010);
        assert_eq!(backlog.oldest(5_010), Some((4, 4_910)));
        backlog.look(&[5].into(), Some(4), 5_020);
        assert_eq!(backlog.oldest(5_020), Some((5, 20)));
    }

    #[test]
    fn what_is_replaced_keeps_its_age_and_what_is_given_up_is_forgotten() {
        let mut backlog = restored(&[], 0);
        backlog.look(&[4].into(), Some(3), 100);
        // It has expired; another one follows.
        backlog.look(&[].into(), Some(3), 300);
        assert_eq!(backlog.oldest(300), None, "nothing is signed now");
        backlog.look(&[4].into(), Some(3), 400);
        assert_eq!(backlog.oldest(400), Some((4, 300)));
        // A reorg took what was to be settled; the same nonce comes back much later, with other work.
        backlog.look(&[].into(), Some(3), 400 + MEMORY - 1);
        assert!(backlog.unwritten().is_some_and(|since| since[&4] == 100));
        backlog.look(&[].into(), Some(3), 400 + MEMORY);
        assert_eq!(write(&mut backlog), None, "and the log is empty again");
        backlog.look(&[4].into(), Some(3), 9_000);
        assert_eq!(backlog.oldest(9_000), Some((4, 0)));
    }

    #[test]
    fn a_log_that_is_read_again_takes_nothing_back() {
        let mut backlog = restored(&[], 0);
        backlog.look(&[4].into(), Some(3), 100);
        // It was never written.
        backlog.restore(BTreeMap::new(), 200);
        assert_eq!(backlog.oldest(200), Some((4, 100)));
        assert_eq!(write(&mut backlog), Some(vec![(4, 100)]));
        backlog.restore([(4, 50)].into(), 200);
        assert_eq!(backlog.oldest(200), Some((4, 150)));
    }

    #[test]
    fn a_clock_that_was_ahead_hides_no_age_for_long() {
        let mut backlog = restored(&[(4, 10_000)], 200);
        backlog.look(&[4].into(), Some(3), 200);
        assert_eq!(backlog.oldest(260), Some((4, 60)));
        assert_eq!(write(&mut backlog), Some(vec![(4, 200)]));
    }
}
