//! Which native messages wait in this node's pool: how many, of whom and for whom.
//!
//! A pool has room for everybody only while nobody fills it, so each sender and each program has a quota, and all messages
//! together leave room for what validators send. This is the policy of a node towards its clients, not a rule of the chain:
//! two nodes may count differently, and a message that one refuses another may take. What a peer sends by gossip is checked by
//! the runtime as a client's message is (signature, reference block, size, not taken before) and counted here when it has come
//! into the pool.
//!
//! It also remembers when messages came and which were refused, for readers of their life.

use crate::lifecycle::times::now;
use gear_exe_primitives::{
    H160, H256, MessageId,
    native::{PurgeReason, SignedNative},
};
use parking_lot::Mutex;
use std::collections::{HashMap, VecDeque};
use tokio::sync::broadcast;

/// Messages of one sender that wait at a time: as many as it can have executed in about half a second.
pub const PER_SENDER: u32 = 1_024;
/// Messages to one program that wait at a time: two full blocks.
pub const PER_PROGRAM: u32 = 4_096;
/// Messages that wait at a time: three quarters of the pool, as it is without `--pool-limit`.
pub const IN_ALL: usize = 6_144;
/// Bytes of payload that wait at a time: three quarters of the pool, as it is without `--pool-kbytes`.
pub const BYTES: u64 = 15 << 20;
/// Messages that came over the network are counted beyond [`IN_ALL`] up to here.
const MOST: usize = 16_384;
/// Messages that wait no more, and are remembered.
const PAST: usize = 16_384;
/// Readers of news may be so many behind.
const NEWS: usize = 4_096;
/// Milliseconds for which a message is not missed in the pool.
const FRESH: u64 = 10_000;

/// What is remembered of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Noted {
    /// It came into the pool.
    Came {
        /// When, in milliseconds since 1970.
        at: u64,
        /// The Ethereum block to which it refers.
        reference: H256,
    },
    /// This node has refused it.
    Refused {
        /// When, in milliseconds since 1970.
        at: u64,
        /// Why.
        reason: PurgeReason,
    },
}

/// A message that waits for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waits {
    /// Its id.
    pub id: MessageId,
    /// For whom it is.
    pub destination: H160,
    /// Under which the pool has it, once it has.
    pub hash: Option<H256>,
}

/// Whether a message was known when it was admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admitted {
    /// It was not.
    New,
    /// It waits already.
    Known,
}

/// A message that waits.
struct Entry {
    at: u64,
    reference: H256,
    source: H160,
    destination: H160,
    /// In wei.
    value: u128,
    bytes: u64,
    /// Under which the pool has it.
    hash: Option<H256>,
}

#[derive(Default)]
struct State {
    entries: HashMap<MessageId, Entry>,
    senders: HashMap<H160, u32>,
    programs: HashMap<H160, u32>,
    /// By sender, wei that their messages bring along together; none is zero.
    values: HashMap<H160, u128>,
    bytes: u64,
    past: HashMap<MessageId, Noted>,
    order: VecDeque<MessageId>,
}

/// The messages that wait.
pub struct Waiting {
    state: Mutex<State>,
    news: broadcast::Sender<MessageId>,
}

impl Default for Waiting {
    fn default() -> Self {
        Self {
            state: Mutex::default(),
            news: broadcast::channel(NEWS).0,
        }
    }
}

fn less(counts: &mut HashMap<H160, u32>, who: H160) {
    if let Some(count) = counts.get_mut(&who) {
        *count = count.saturating_sub(1);
        if *count == 0 {
            counts.remove(&who);
        }
    }
}

impl State {
    fn insert(&mut self, id: MessageId, signed: &SignedNative, hash: Option<H256>) {
        let (source, destination) = (signed.source, signed.transaction.destination);
        let bytes = u64::from(signed.length());
        *self.senders.entry(source).or_default() += 1;
        *self.programs.entry(destination).or_default() += 1;
        let value = signed.transaction.value;
        if value > 0 {
            let sum = self.values.entry(source).or_default();
            *sum = sum.saturating_add(value);
        }
        self.bytes = self.bytes.saturating_add(bytes);
        let before = self.past.get(&id);
        let at = match before {
            Some(Noted::Came { at, .. }) => *at,
            _ => now(),
        };
        let reference = signed.transaction.reference_block;
        self.entries.insert(
            id,
            Entry {
                at,
                reference,
                source,
                destination,
                value,
                bytes,
                hash,
            },
        );
    }

    fn remove(&mut self, id: MessageId) -> Option<Entry> {
        let entry = self.entries.remove(&id)?;
        less(&mut self.senders, entry.source);
        less(&mut self.programs, entry.destination);
        if entry.value > 0
            && let Some(sum) = self.values.get_mut(&entry.source)
        {
            *sum = sum.saturating_sub(entry.value);
            if *sum == 0 {
                self.values.remove(&entry.source);
            }
        }
        self.bytes = self.bytes.saturating_sub(entry.bytes);
        Some(entry)
    }

    fn remember(&mut self, id: MessageId, noted: Noted) {
        if self.past.insert(id, noted).is_none() {
            self.order.push_back(id);
        }
        if self.order.len() > PAST
            && let Some(oldest) = self.order.pop_front()
        {
            self.past.remove(&oldest);
        }
    }

    fn leave(&mut self, id: MessageId) {
        if let Some(Entry { at, reference, .. }) = self.remove(id) {
            self.remember(id, Noted::Came { at, reference });
        }
    }
}

impl Waiting {
    /// Takes a client's message in, before it goes to the pool. Its sender has `deposit` wei in the newest executed round.
    ///
    /// # Errors
    ///
    /// [`PurgeReason::OverQuota`] or [`PurgeReason::PoolFull`] if too many wait; [`PurgeReason::Duplicate`] if a message of
    /// somebody else with this id does; [`PurgeReason::InsufficientDeposit`] if it brings more value than the sender's
    /// messages that wait leave of the deposit.
    pub fn admit(
        &self,
        signed: &SignedNative,
        id: MessageId,
        deposit: u128,
    ) -> Result<Admitted, PurgeReason> {
        let mut state = self.state.lock();
        if let Some(entry) = state.entries.get(&id) {
            return if entry.source == signed.source {
                Ok(Admitted::Known)
            } else {
                Err(PurgeReason::Duplicate)
            };
        }
        let count = |counts: &HashMap<H160, u32>, who| counts.get(&who).copied().unwrap_or(0);
        if count(&state.senders, signed.source) >= PER_SENDER
            || count(&state.programs, signed.transaction.destination) >= PER_PROGRAM
        {
            return Err(PurgeReason::OverQuota);
        }
        let value = signed.transaction.value;
        let spoken_for = state.values.get(&signed.source).copied().unwrap_or(0);
        if value > 0 && deposit.saturating_sub(spoken_for) < value {
            return Err(PurgeReason::InsufficientDeposit);
        }
        let bytes = state.bytes.saturating_add(signed.length().into());
        if state.entries.len() >= IN_ALL || bytes > BYTES {
            return Err(PurgeReason::PoolFull);
        }
        state.insert(id, signed, None);
        Ok(Admitted::New)
    }

    /// A message is in the pool, from wherever it came.
    pub fn seen(&self, signed: &SignedNative, id: MessageId, hash: H256) {
        let mut state = self.state.lock();
        if let Some(entry) = state.entries.get_mut(&id) {
            entry.hash = Some(hash);
        } else if state.entries.len() < MOST {
            state.insert(id, signed, Some(hash));
        }
        drop(state);
        self.tell(id);
    }

    /// A block has taken the message.
    pub fn leave(&self, id: MessageId) {
        self.state.lock().leave(id);
    }

    /// The pool has not taken the message.
    pub fn forget(&self, id: MessageId) {
        self.state.lock().remove(id);
    }

    /// This node has refused the message.
    pub fn refuse(&self, id: MessageId, reason: PurgeReason) {
        {
            let mut state = self.state.lock();
            if state.entries.contains_key(&id) {
                return;
            }
            let at = now();
            state.remember(id, Noted::Refused { at, reason });
        }
        self.tell(id);
    }

    /// Whether this sender's message with this id waits.
    pub fn is_of(&self, id: MessageId, source: H160) -> bool {
        let state = self.state.lock();
        let entry = state.entries.get(&id);
        entry.is_some_and(|entry| entry.source == source)
    }

    /// Lets those go that the pool does not have any more, as `keeps` says by their hashes there.
    pub fn retain(&self, keeps: impl Fn(H256) -> bool) {
        for waits in self.long() {
            if !waits.hash.is_some_and(&keeps) {
                self.leave(waits.id);
            }
        }
    }

    /// What waits for longer than messages do when all goes well: ten seconds.
    pub fn long(&self) -> Vec<Waits> {
        let old = now().saturating_sub(FRESH);
        let state = self.state.lock();
        let entries = state.entries.iter().filter(|(_, entry)| entry.at < old);
        let waits = entries.map(|(id, entry)| Waits {
            id: *id,
            destination: entry.destination,
            hash: entry.hash,
        });
        waits.collect()
    }

    /// What is remembered of a message.
    pub fn noted(&self, id: MessageId) -> Option<Noted> {
        let state = self.state.lock();
        let waits = state.entries.get(&id).map(|entry| Noted::Came {
            at: entry.at,
            reference: entry.reference,
        });
        waits.or_else(|| state.past.get(&id).copied())
    }

    /// Messages that come or are refused from now on.
    pub fn news(&self) -> broadcast::Receiver<MessageId> {
        self.news.subscribe()
    }

    fn tell(&self, id: MessageId) {
        // Nobody listening is no fault.
        let _ = self.news.send(id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use gear_exe_primitives::{
        native::{NativeTransaction, SigningForm},
        signature::CompactSignature,
    };

    fn signed(source: u64, destination: u64, bytes: usize) -> SignedNative {
        SignedNative {
            transaction: NativeTransaction {
                destination: H160::from_low_u64_be(destination),
                payload: vec![0; bytes],
                value: 0,
                reference_block: H256::repeat_byte(7),
                salt: Vec::new(),
            },
            form: SigningForm::Typed,
            source: H160::from_low_u64_be(source),
            signature: CompactSignature([0; 64]),
        }
    }

    fn id(number: u64) -> MessageId {
        MessageId(H256::from_low_u64_be(number))
    }

    #[test]
    fn a_sender_has_a_quota_and_gets_it_back() {
        let waiting = Waiting::default();
        for number in 0..u64::from(PER_SENDER) {
            let admitted = waiting.admit(&signed(1, number, 10), id(number), 0);
            assert_eq!(admitted, Ok(Admitted::New));
        }
        let one_more = || waiting.admit(&signed(1, 9_999, 10), id(1 << 20), 0);
        assert_eq!(one_more(), Err(PurgeReason::OverQuota));
        // Known ones are no more than they were, and others have theirs.
        assert_eq!(
            waiting.admit(&signed(1, 0, 10), id(0), 0),
            Ok(Admitted::Known)
        );
        assert_eq!(
            waiting.admit(&signed(2, 0, 10), id(0), 0),
            Err(PurgeReason::Duplicate)
        );
        assert_eq!(
            waiting.admit(&signed(2, 0, 10), id(1 << 21), 0),
            Ok(Admitted::New)
        );
        waiting.leave(id(5));
        assert_eq!(one_more(), Ok(Admitted::New));
        waiting.forget(id(1 << 20));
        assert_eq!(one_more(), Ok(Admitted::New));
    }

    #[test]
    fn what_waits_is_taken_off_the_deposit() {
        let waiting = Waiting::default();
        let bringing = |source: u64, value: u128| {
            let mut own = signed(source, 1, 10);
            own.transaction.value = value;
            own
        };
        let admit =
            |number: u64, value, deposit| waiting.admit(&bringing(1, value), id(number), deposit);
        assert_eq!(admit(1, 1, 0), Err(PurgeReason::InsufficientDeposit));
        assert_eq!(admit(1, 60, 100), Ok(Admitted::New));
        // It is counted once, also if it is sent again.
        assert_eq!(admit(1, 60, 100), Ok(Admitted::Known));
        assert_eq!(admit(2, 41, 100), Err(PurgeReason::InsufficientDeposit));
        assert_eq!(admit(2, 40, 100), Ok(Admitted::New));
        assert_eq!(admit(3, 1, 100), Err(PurgeReason::InsufficientDeposit));
        assert_eq!(admit(3, 0, 100), Ok(Admitted::New));
        // Others have their own deposits; what comes by gossip counts as well.
        waiting.seen(&bringing(2, 30), id(4), H256::zero());
        let other = waiting.admit(&bringing(2, 71), id(5), 100);
        assert_eq!(other, Err(PurgeReason::InsufficientDeposit));
        waiting.leave(id(1));
        waiting.forget(id(2));
        assert_eq!(admit(6, 100, 100), Ok(Admitted::New));
        waiting.leave(id(6));
        waiting.leave(id(4));
        assert!(waiting.state.lock().values.is_empty());
        assert_eq!(
            admit(7, u128::MAX, 100),
            Err(PurgeReason::InsufficientDeposit)
        );
    }

    #[test]
    fn a_program_has_a_quota_also_for_what_peers_send() {
        let waiting = Waiting::default();
        for number in 0..u64::from(PER_PROGRAM) {
            waiting.seen(&signed(number, 1, 10), id(number), H256::zero());
        }
        let refused = waiting.admit(&signed(1 << 20, 1, 10), id(1 << 20), 0);
        assert_eq!(refused, Err(PurgeReason::OverQuota));
        let other = waiting.admit(&signed(1 << 20, 2, 10), id(1 << 20), 0);
        assert_eq!(other, Ok(Admitted::New));
    }

    #[test]
    fn all_together_leave_room() {
        let waiting = Waiting::default();
        let large = 1 << 16;
        let fit = BYTES / large as u64;
        for number in 0..fit {
            let admitted = waiting.admit(&signed(number, number, large), id(number), 0);
            assert_eq!(admitted, Ok(Admitted::New));
        }
        let more = |number: u64| waiting.admit(&signed(number, number, large), id(number), 0);
        assert_eq!(more(fit), Err(PurgeReason::PoolFull));
        (0..fit).for_each(|number| waiting.leave(id(number)));
        for number in 0..IN_ALL as u64 {
            let admitted = waiting.admit(&signed(number, number, 1), id(number), 0);
            assert_eq!(admitted, Ok(Admitted::New));
        }
        assert_eq!(more(1 << 30), Err(PurgeReason::PoolFull));
        for number in 0..2 * MOST as u64 {
            waiting.seen(&signed(number, number, 1), id(number), H256::zero());
        }
        let state = waiting.state.lock();
        assert_eq!(state.entries.len(), MOST);
        assert_eq!((state.senders.len(), state.programs.len()), (MOST, MOST));
    }

    #[test]
    fn what_came_and_what_was_refused_is_remembered_for_a_while() {
        let waiting = Waiting::default();
        let mut news = waiting.news();
        waiting.refuse(id(1), PurgeReason::Outdated);
        assert_eq!(news.try_recv(), Ok(id(1)));
        assert!(matches!(
            waiting.noted(id(1)),
            Some(Noted::Refused {
                reason: PurgeReason::Outdated,
                ..
            })
        ));
        // Then it is taken after all.
        waiting.seen(&signed(1, 1, 1), id(1), H256::zero());
        assert_eq!(news.try_recv(), Ok(id(1)));
        waiting.refuse(id(1), PurgeReason::PoolFull);
        let came = waiting.noted(id(1));
        assert!(matches!(came, Some(Noted::Came { .. })));
        waiting.leave(id(1));
        assert_eq!(waiting.noted(id(1)), came);
        for number in 2..2 + PAST as u64 {
            waiting.refuse(id(number), PurgeReason::PoolFull);
        }
        assert_eq!(waiting.noted(id(1)), None);
        assert_eq!(waiting.state.lock().order.len(), PAST);
    }

    #[test]
    fn what_the_pool_has_lost_counts_no_more() {
        let waiting = Waiting::default();
        for number in 0..2 {
            waiting.seen(&signed(1, 1, 1), id(number), H256::from_low_u64_be(number));
        }
        let keeps = |hash: H256| hash == H256::zero();
        // Both have just come.
        waiting.retain(keeps);
        assert_eq!(waiting.state.lock().entries.len(), 2);
        for entry in waiting.state.lock().entries.values_mut() {
            entry.at -= 2 * FRESH;
        }
        waiting.retain(keeps);
        assert_eq!(waiting.state.lock().senders.values().sum::<u32>(), 1);
    }
}
