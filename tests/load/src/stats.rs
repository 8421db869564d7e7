//! Percentiles.

use std::time::Duration;

/// Times, sorted.
#[derive(Clone, Debug, Default)]
pub struct Times(Vec<Duration>);

impl FromIterator<Duration> for Times {
    fn from_iter<I: IntoIterator<Item = Duration>>(times: I) -> Self {
        let mut times: Vec<_> = times.into_iter().collect();
        times.sort_unstable();
        Self(times)
    }
}

impl Times {
    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The least time that so many of a thousand do not exceed (nearest rank); nothing without any times.
    pub fn per_mille(&self, share: usize) -> Option<Duration> {
        let rank = (self.0.len() * share).div_ceil(1_000);
        self.0.get(rank.saturating_sub(1)).copied()
    }

    /// The longest.
    pub fn max(&self) -> Option<Duration> {
        self.0.last().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_times_that_occurred() {
        let times: Times = (1..=200).rev().map(Duration::from_millis).collect();
        assert_eq!(times.len(), 200);
        for (share, millis) in [(0, 1), (500, 100), (900, 180), (990, 198), (1_000, 200)] {
            assert_eq!(times.per_mille(share), Some(Duration::from_millis(millis)));
        }
        assert_eq!(times.max(), Some(Duration::from_millis(200)));
        assert_eq!(Times::default().per_mille(500), None);
        let one: Times = [Duration::from_secs(1)].into_iter().collect();
        assert_eq!(one.per_mille(500), one.max());
    }
}
