// SPDX-License-Identifier: GPL-3.0-or-later

//! Repeated measurements, peers in turns.

use crate::Result;

/// What was measured, in ascending order.
#[derive(Clone, Debug)]
pub struct Samples(Vec<f64>);

impl Samples {
    /// Of at least one measurement.
    pub fn new(mut values: Vec<f64>) -> Self {
        values.sort_by(f64::total_cmp);
        Self(values)
    }

    fn quantile(&self, part: f64) -> f64 {
        let last = self.0.len().saturating_sub(1);
        let at = part * last as f64;
        let (low, high) = (at.floor() as usize, at.ceil() as usize);
        let value = |index: usize| self.0.get(index).copied().unwrap_or(f64::NAN);
        value(low) + (value(high) - value(low)) * at.fract()
    }

    /// The middle one.
    pub fn median(&self) -> f64 {
        self.quantile(0.5)
    }

    /// A quarter is below.
    pub fn low(&self) -> f64 {
        self.quantile(0.25)
    }

    /// A quarter is above.
    pub fn high(&self) -> f64 {
        self.quantile(0.75)
    }

    /// The middle half, in parts of the median.
    pub fn spread(&self) -> f64 {
        (self.high() - self.low()) / self.median()
    }

    /// How many.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Each measurement changed: seconds into a rate, for example.
    pub fn map(&self, change: impl Fn(f64) -> f64) -> Self {
        Self::new(self.0.iter().copied().map(change).collect())
    }

    /// Operations a second, of measurements in seconds.
    pub fn rate(&self, operations: usize) -> Self {
        self.map(|seconds| operations as f64 / seconds)
    }
}

/// One that is measured: it does its work once and tells the figure.
pub type Peer<'a> = Box<dyn FnMut() -> Result<f64> + 'a>;

/// Measures peers in turns, so that a busy moment of the machine hits all. The first turn warms up and does not count.
pub fn in_turns(turns: usize, mut peers: Vec<Peer<'_>>) -> Result<Vec<Samples>> {
    let mut measured = vec![Vec::with_capacity(turns); peers.len()];
    for turn in 0..=turns {
        for (peer, values) in peers.iter_mut().zip(&mut measured) {
            let value = peer()?;
            if turn > 0 {
                values.push(value);
            }
        }
    }
    Ok(measured.into_iter().map(Samples::new).collect())
}
