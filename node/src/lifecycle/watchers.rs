//! Who waits for which message. Whoever waits is woken when the message may have come further, and looks itself: nothing is
//! queued for it, so that a slow one costs no memory.

use gear_exe_primitives::{MessageId, round::ChainBlock};
use parking_lot::Mutex;
use std::{collections::HashMap, sync::Arc};
use tokio::sync::watch;

/// Readers that wait at a time, over all connections.
pub const MOST_READERS: usize = 16_384;

/// A message that somebody waits for.
struct Watched {
    bell: watch::Sender<()>,
    readers: usize,
    /// Where its receipt was when somebody looked last.
    block: Option<ChainBlock>,
}

#[derive(Default)]
struct State {
    messages: HashMap<MessageId, Watched>,
    readers: usize,
}

/// All who wait.
#[derive(Default)]
pub struct Watchers(Mutex<State>);

/// One who waits for a message. It does no more when it is dropped.
pub struct Watch {
    id: MessageId,
    watchers: Arc<Watchers>,
    bell: watch::Receiver<()>,
}

impl Watch {
    /// Returns when something was told of the message since the last call, or since the beginning.
    pub async fn changed(&mut self) {
        // The other side is there as long as this one.
        let _ = self.bell.changed().await;
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut state = self.watchers.0.lock();
        state.readers = state.readers.saturating_sub(1);
        let Some(watched) = state.messages.get_mut(&self.id) else {
            return;
        };
        watched.readers = watched.readers.saturating_sub(1);
        if watched.readers == 0 {
            state.messages.remove(&self.id);
        }
    }
}

impl Watched {
    fn ring(&self) {
        self.bell.send_replace(());
    }
}

impl Watchers {
    /// Waits for a message; nothing if too many do already.
    pub fn watch(self: &Arc<Self>, id: MessageId) -> Option<Watch> {
        let mut state = self.0.lock();
        if state.readers >= MOST_READERS {
            return None;
        }
        state.readers += 1;
        let watched = state.messages.entry(id).or_insert_with(|| Watched {
            bell: watch::channel(()).0,
            readers: 0,
            block: None,
        });
        watched.readers += 1;
        Some(Watch {
            id,
            watchers: self.clone(),
            bell: watched.bell.subscribe(),
        })
    }

    /// The message has its receipt there, or has none.
    pub fn is_in(&self, id: MessageId, block: Option<ChainBlock>) {
        if let Some(watched) = self.0.lock().messages.get_mut(&id) {
            watched.block = block;
        }
    }

    /// Wakes those who wait for this message.
    pub fn wake(&self, id: MessageId) {
        if let Some(watched) = self.0.lock().messages.get(&id) {
            watched.ring();
        }
    }

    /// Wakes those whose message has its receipt in this round.
    pub fn wake_in(&self, block: ChainBlock) {
        self.wake_where(|at| at == Some(block));
    }

    /// Wakes those whose message has its receipt in a round up to this one.
    pub fn wake_up_to(&self, last_round: u64) {
        self.wake_where(|at| at.is_some_and(|block| block.number <= last_round));
    }

    /// Wakes those whose message has no receipt.
    pub fn wake_waiting(&self) {
        self.wake_where(|at| at.is_none());
    }

    /// Wakes everybody.
    pub fn wake_all(&self) {
        self.wake_where(|_| true);
    }

    fn wake_where(&self, which: impl Fn(Option<ChainBlock>) -> bool) {
        let state = self.0.lock();
        let affected = state.messages.values().filter(|one| which(one.block));
        affected.for_each(Watched::ring);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;
    use gear_exe_primitives::H256;

    fn id(number: u64) -> MessageId {
        MessageId(H256::from_low_u64_be(number))
    }

    fn block(number: u64) -> ChainBlock {
        ChainBlock {
            number,
            hash: H256::from_low_u64_be(number),
        }
    }

    fn is_woken(watch: &mut Watch) -> bool {
        watch.changed().now_or_never().is_some()
    }

    #[test]
    fn only_those_concerned_are_woken() {
        let watchers = Arc::<Watchers>::default();
        let mut watches: Vec<Watch> = (0..3).map(|n| watchers.watch(id(n)).unwrap()).collect();
        watchers.is_in(id(1), Some(block(1)));
        watchers.is_in(id(2), Some(block(2)));
        let mut woken = || -> Vec<bool> { watches.iter_mut().map(is_woken).collect() };
        assert_eq!(woken(), [false, false, false]);
        watchers.wake(id(0));
        watchers.wake(id(9));
        assert_eq!(woken(), [true, false, false]);
        watchers.wake_in(block(2));
        assert_eq!(woken(), [false, false, true]);
        watchers.wake_up_to(1);
        assert_eq!(woken(), [false, true, false]);
        watchers.wake_waiting();
        assert_eq!(woken(), [true, false, false]);
        watchers.wake_all();
        assert_eq!(woken(), [true, true, true]);
    }

    #[test]
    fn nobody_fills_it_and_who_leaves_makes_room() {
        let watchers = Arc::<Watchers>::default();
        let twice = [
            watchers.watch(id(0)).unwrap(),
            watchers.watch(id(0)).unwrap(),
        ];
        let mut all: Vec<Watch> = (2..MOST_READERS as u64)
            .map(|number| watchers.watch(id(number)).unwrap())
            .collect();
        assert!(watchers.watch(id(0)).is_none());
        all.pop();
        assert!(watchers.watch(id(1)).is_some());
        drop((twice, all));
        let state = watchers.0.lock();
        assert_eq!((state.readers, state.messages.len()), (0, 0));
    }
}
