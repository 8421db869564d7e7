//! In which round of the executed path a message has its receipt, for the newest rounds.

use gear_exe_primitives::{MessageId, round::RoundOutcome};
use std::{
    collections::{BTreeMap, HashMap, hash_map::Entry},
    sync::Arc,
};

/// Receipts that are remembered: some 20 MiB.
const KEPT: usize = 1 << 18;

/// Messages by their rounds' numbers.
#[derive(Debug, Default)]
pub struct Index {
    rounds: BTreeMap<u64, Arc<[MessageId]>>,
    numbers: HashMap<MessageId, u64>,
}

impl Index {
    /// Number of the round in which the message has ended.
    pub fn find(&self, id: MessageId) -> Option<u64> {
        self.numbers.get(&id).copied()
    }

    /// Takes in a round's receipts, in order. Returns their messages.
    pub fn put(&mut self, number: u64, outcome: &RoundOutcome) -> Arc<[MessageId]> {
        let ids: Arc<[MessageId]> = outcome
            .receipts
            .iter()
            .map(|receipt| receipt.message_id)
            .collect();
        self.remove(number);
        if ids.is_empty() {
            return ids;
        }
        self.numbers.extend(ids.iter().map(|id| (*id, number)));
        self.rounds.insert(number, ids.clone());
        while self.numbers.len() > KEPT
            && let Some(oldest) = self.rounds.keys().next().copied()
        {
            self.remove(oldest);
        }
        ids
    }

    /// Whether there is no room for older rounds.
    pub fn is_full(&self) -> bool {
        self.numbers.len() > KEPT / 2
    }

    /// Forgets a round.
    pub fn remove(&mut self, number: u64) {
        let Some(ids) = self.rounds.remove(&number) else {
            return;
        };
        for id in ids.iter() {
            if let Entry::Occupied(entry) = self.numbers.entry(*id)
                && *entry.get() == number
            {
                entry.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gear_exe_primitives::{
        ActorId, H256,
        message::{Receipt, ReplyCode},
    };

    fn outcome(ids: impl IntoIterator<Item = u64>) -> RoundOutcome {
        let receipts = ids.into_iter().map(|id| Receipt {
            message_id: MessageId(H256::from_low_u64_be(id)),
            program_id: ActorId::zero(),
            code: ReplyCode::SUCCESS_AUTO,
            payload_hash: H256::zero(),
            value: 0,
            gas_burned: 0,
            round: 0,
        });
        RoundOutcome {
            state_root: H256::zero(),
            receipts: receipts.collect(),
            replies: Vec::new(),
            transitions: Vec::new(),
            gas_burned: 0,
            spent: 0,
            work_left: false,
            starved: Vec::new(),
        }
    }

    fn find(index: &Index, id: u64) -> Option<u64> {
        index.find(MessageId(H256::from_low_u64_be(id)))
    }

    #[test]
    fn the_round_that_came_last_counts() {
        let mut index = Index::default();
        assert_eq!(index.put(1, &outcome([10, 11])).len(), 2);
        index.put(2, &outcome([11, 12]));
        assert_eq!(find(&index, 11), Some(2));
        index.remove(1);
        assert_eq!((find(&index, 10), find(&index, 11)), (None, Some(2)));
        index.put(2, &outcome([]));
        assert_eq!(find(&index, 12), None);
        assert!(index.numbers.is_empty() && index.rounds.is_empty());
    }

    #[test]
    fn it_does_not_grow_without_end() {
        let mut index = Index::default();
        let half = KEPT as u64 / 2;
        for round in 0..5 {
            index.put(round, &outcome(round * half..(round + 1) * half));
        }
        assert!(index.numbers.len() <= KEPT);
        assert_eq!(
            (find(&index, 0), find(&index, 5 * half - 1)),
            (None, Some(4))
        );
    }
}
