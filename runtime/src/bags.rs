//! The bags in which stakers are sorted by their stake, so that an election can take the greatest first.
//!
//! 200 bags from one millionth of a VARA up, each reaching 16.5 % higher than the one before; the last has no end. Other
//! bags need a migration that sorts everybody again.

const BAGS: usize = 200;

const fn thresholds() -> [u64; BAGS] {
    let mut all = [u64::MAX; BAGS];
    let mut upper: u128 = 1_000_000;
    let mut bag = 0;
    while bag < BAGS - 1 {
        all[bag] = upper as u64;
        upper = upper.saturating_mul(1_165) / 1_000;
        bag += 1;
    }
    all
}

/// Upper ends of the bags, in election votes: VARA base units, divided so that all VARA fits into 64 bits.
pub const THRESHOLDS: [u64; BAGS] = thresholds();

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bags_ascend_to_the_end() {
        assert!(THRESHOLDS.is_sorted_by(|lower, upper| lower < upper));
        let [.., last, end] = THRESHOLDS;
        assert!(last > u64::MAX / 2 && end == u64::MAX, "{last}");
    }
}
