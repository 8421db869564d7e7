//! How much a peer may say or ask for: checking a signature costs more than sending one, and so does reading what is asked
//! for.

use parking_lot::Mutex;
use std::{collections::HashMap, hash::Hash, time::Instant};

/// Statements that a peer may send at once: what a hundred validators say of twenty blocks.
pub const BURST: u32 = 4_096;
/// Statements that it may send in each second after that: what a hundred validators say of twenty blocks.
pub const PER_SECOND: u32 = 2_048;
/// Peers that are remembered; more than are ever connected.
const PEERS: usize = 1_024;

/// What is left to a peer.
struct Bucket {
    left: u32,
    at: Instant,
}

/// What is left to each peer.
pub struct Limits<P> {
    burst: u32,
    per_second: u32,
    peers: Mutex<HashMap<P, Bucket>>,
}

/// Those of statements.
impl<P> Default for Limits<P> {
    fn default() -> Self {
        Self::new(BURST, PER_SECOND)
    }
}

impl<P> Limits<P> {
    /// So much at once, and so much in each second after that.
    pub fn new(burst: u32, per_second: u32) -> Self {
        Self {
            burst,
            per_second,
            peers: Mutex::default(),
        }
    }
}

impl<P: Copy + Eq + Hash> Limits<P> {
    /// Takes one statement of a peer. Returns whether it may have sent it.
    pub fn take(&self, peer: P, now: Instant) -> bool {
        self.spend(peer, 1, now)
    }

    /// Takes so much of what is left to a peer. Returns whether anything was.
    pub fn spend(&self, peer: P, cost: u32, now: Instant) -> bool {
        let mut peers = self.peers.lock();
        if peers.len() >= PEERS && !peers.contains_key(&peer) {
            // Those that have left are told by `forget`; this is for what was not.
            peers.clear();
        }
        let bucket = peers.entry(peer).or_insert(Bucket {
            left: self.burst,
            at: now,
        });
        let passed = now.saturating_duration_since(bucket.at).as_millis();
        let gained = passed.saturating_mul(self.per_second.into()) / 1_000;
        if gained > 0 {
            let gained = u32::try_from(gained).unwrap_or(self.burst);
            bucket.left = bucket.left.saturating_add(gained).min(self.burst);
            bucket.at = now;
        }
        let may = bucket.left > 0;
        bucket.left = bucket.left.saturating_sub(cost);
        may
    }

    /// A peer has gone.
    pub fn forget(&self, peer: &P) {
        self.peers.lock().remove(peer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn who_floods_is_not_heard_and_others_are() {
        let limits = Limits::default();
        let mut now = Instant::now();
        let heard = |peer: u32, now| (0..2 * BURST).filter(|_| limits.take(peer, now)).count();
        assert_eq!(heard(1, now), BURST as usize);
        assert_eq!(heard(1, now), 0);
        assert_eq!(heard(2, now), BURST as usize);
        now += Duration::from_millis(500);
        assert_eq!(heard(1, now), PER_SECOND as usize / 2);
        now += Duration::from_secs(3_600);
        assert_eq!(heard(1, now), BURST as usize);
        // Time that goes back gives nothing.
        assert_eq!(heard(1, now - Duration::from_secs(9)), 0);
        limits.forget(&1);
        assert!(limits.take(1, now));
        // What costs much is granted as long as anything is left.
        let limits = Limits::new(10, 10);
        assert!(limits.spend(1, 9, now) && limits.spend(1, 9, now));
        assert!(!limits.take(1, now));
        assert!(limits.take(1, now + Duration::from_millis(100)));
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let limits = Limits::default();
        for peer in 0..3 * PEERS {
            assert!(limits.take(peer, Instant::now()));
        }
        assert!(limits.peers.lock().len() <= PEERS);
    }
}
