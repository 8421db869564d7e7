//! How long to wait after a failure: twice as long each time, up to a limit, with jitter, so that relayers that lost
//! one node together do not come back together.

use rand::Rng;
use std::time::Duration;

/// Waits that grow.
#[derive(Clone, Debug)]
pub struct Backoff {
    first: Duration,
    most: Duration,
    failures: u32,
}

impl Backoff {
    /// Starts at `first`, ends at `most`.
    pub const fn new(first: Duration, most: Duration) -> Self {
        Self {
            first,
            most,
            failures: 0,
        }
    }

    /// It works again.
    pub const fn reset(&mut self) {
        self.failures = 0;
    }

    /// The next wait: between half and the whole of what is due.
    pub fn next(&mut self) -> Duration {
        let due = self
            .first
            .saturating_mul(1 << self.failures.min(16))
            .min(self.most);
        self.failures = self.failures.saturating_add(1);
        due.mul_f64(rand::rng().random_range(0.5..=1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grows_to_its_limit_and_starts_again() {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(10));
        for due in [1, 2, 4, 8, 10, 10] {
            let wait = backoff.next();
            assert!(wait <= Duration::from_secs(due), "{wait:?}");
            assert!(wait >= Duration::from_secs(due) / 2, "{wait:?}");
        }
        backoff.reset();
        assert!(backoff.next() <= Duration::from_secs(1));
    }
}
