//! What stands in the way of rounds and has to come from other nodes. Said by the executor service, which never waits;
//! done by [`join`](super::join).

use gear_exe_primitives::{CodeId, H256, round::ChainBlock};
use parking_lot::Mutex;
use std::{collections::BTreeSet, sync::Arc};
use tokio::sync::Notify;

/// Objects, and codes, that are wanted at a time. Rounds lack them one by one.
const MOST: usize = 256;

/// What is wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wants {
    /// The state after a later round: far too many rounds lie before the best block.
    pub far: bool,
    /// The state after this round, or a later one: what this node has cannot be built upon.
    pub floor: Option<ChainBlock>,
    /// Objects that are damaged or lost.
    pub objects: BTreeSet<H256>,
    /// Codes.
    pub codes: BTreeSet<CodeId>,
}

impl Wants {
    /// Whether nothing is wanted.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What is wanted, and the bell that tells of it.
#[derive(Default)]
pub struct Demands {
    wants: Mutex<Wants>,
    bell: Notify,
}

impl Demands {
    /// With nothing in it.
    pub fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Adds to it.
    pub fn want(&self, add: impl FnOnce(&mut Wants)) {
        let mut wants = self.wants.lock();
        add(&mut wants);
        while wants.objects.len() > MOST {
            wants.objects.pop_last();
        }
        while wants.codes.len() > MOST {
            wants.codes.pop_last();
        }
        drop(wants);
        self.bell.notify_one();
    }

    /// Takes all of it, when there is something.
    pub async fn take(&self) -> Wants {
        loop {
            let wants = std::mem::take(&mut *self.wants.lock());
            if !wants.is_empty() {
                return wants;
            }
            self.bell.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_wanted_is_taken_once_and_bounded() {
        let demands = Demands::new();
        let taker = tokio::spawn({
            let demands = demands.clone();
            async move { demands.take().await }
        });
        demands.want(|wants| wants.far = true);
        let wants = taker.await.unwrap();
        assert!(wants.far && wants.objects.is_empty());
        for number in 0..2 * MOST as u64 {
            let hash = H256::from_low_u64_be(number);
            demands.want(|wants| {
                wants.objects.insert(hash);
                wants.codes.insert(CodeId(hash));
            });
        }
        let wants = demands.take().await;
        assert_eq!((wants.objects.len(), wants.codes.len()), (MOST, MOST));
        assert!(!wants.far);
    }
}
