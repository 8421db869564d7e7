//! The stored objects, in the shapes that existing clients read.

use super::shapes;
use codec::{Decode, Encode};
use gear_exe_primitives::{ActorId, CodeId, MessageId, message::ReplyDetails};
use primitive_types::H256;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};

/// Bytes of a Gear page.
pub const PAGE_SIZE: usize = 16 << 10;
/// Gear pages in a region.
pub const PAGES_PER_REGION: u32 = 8192;
/// Payloads from this length on are stored apart.
pub const INLINE_PAYLOAD: usize = 1024;

/// A queue by hash, with its length as far as a byte holds it.
#[derive(Clone, Default, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct QueueRef {
    /// Hash of the queue, which [`Executor::queue`](crate::Executor::queue) reads; nothing if empty.
    pub hash: Option<H256>,
    /// Its length, at most 255.
    pub cached_queue_size: u8,
}

/// Whether a program lives, and its memory.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub enum Program {
    /// It can be sent messages.
    Active {
        /// Hash of [`Allocations`].
        allocations_hash: Option<H256>,
        /// Hash of [`MemoryPages`].
        pages_hash: Option<H256>,
        /// Always zero.
        memory_infix: u32,
        /// `init` has succeeded.
        initialized: bool,
    },
    /// It has exited and this actor inherits.
    Exited(ActorId),
    /// Its `init`, sent by this actor, has failed.
    Terminated(ActorId),
}

/// The state of a program: what its Mirror's `stateHash` names.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct ProgramState {
    /// Whether it lives.
    pub program: Program,
    /// Its messages.
    pub canonical_queue: QueueRef,
    /// Always empty: native messages share the one queue. Kept for the shape.
    pub injected_queue: QueueRef,
    /// Hash of the waitlist, which [`Executor::waitlist`](crate::Executor::waitlist) reads.
    pub waitlist_hash: Option<H256>,
    /// Hash of the stash, which [`Executor::stash`](crate::Executor::stash) reads.
    pub stash_hash: Option<H256>,
    /// Hash of the mailboxes, which [`Executor::mailbox`](crate::Executor::mailbox) reads.
    pub mailbox_hash: Option<H256>,
    /// ETH that it owns, in wei.
    #[serde(with = "shapes::amount")]
    pub balance: u128,
    /// wVARA that pays for its gas.
    #[serde(with = "shapes::amount")]
    pub executable_balance: u128,
    /// Set while the first message of the queue waits for executable balance: it is tried again once there is enough for
    /// this much gas.
    #[serde(default)]
    pub required_gas: Option<u64>,
    /// Its first message, the one for `init`, has reached it.
    #[serde(default)]
    pub init_sent: bool,
    /// Hash of the [`Reservations`].
    #[serde(default)]
    pub reservations_hash: Option<H256>,
    /// What its messages keep of the executable balance for their signals, together, in wVARA base units.
    #[serde(default, with = "shapes::amount")]
    pub kept_for_signals: u128,
}

/// Which entry point a message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub enum DispatchKind {
    /// `init`.
    Init,
    /// `handle`.
    Handle,
    /// `handle_reply`.
    Reply,
    /// `handle_signal`.
    Signal,
}

/// A payload, inline or by hash.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub enum PayloadLookup {
    /// Shorter than [`INLINE_PAYLOAD`].
    Direct(#[serde(with = "shapes::bytes")] Vec<u8>),
    /// Hash of the bytes.
    Stored(H256),
}

/// What a message belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub enum MessageDetails {
    /// It is a reply.
    Reply(#[serde(with = "shapes::reply_details")] ReplyDetails),
    /// It is a signal.
    Signal {
        /// The message that failed.
        from: MessageId,
        /// How: 100 panic, 101 out of gas, 102 wrong use of a system call, 103 memory, 104 trap, 105 stack, 200 removed
        /// from the waitlist.
        code: u32,
    },
}

/// How a message reached the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub enum MessageType {
    /// From Ethereum or a program.
    Canonical,
    /// Native.
    Injected,
}

/// Bytes, as hex in JSON.
#[derive(Clone, Default, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Bytes(#[serde(with = "shapes::bytes")] pub Vec<u8>);

/// What gas a message may burn, where its sender has said so.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct GasTerms {
    /// The most that all its runs may burn together. Nothing leaves it to the limit of a message.
    pub limit: Option<u64>,
    /// The same for its reply.
    pub reply: Option<u64>,
}

impl GasTerms {
    /// Whether the sender has said nothing.
    pub fn are_open(&self) -> bool {
        *self == Self::default()
    }
}

/// How the wait of a message ends if nothing wakes it.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub enum Wait {
    /// Its time wakes it.
    #[default]
    Timed,
    /// It is removed, with an error.
    Untimed,
    /// It has been removed, and is in the queue to be answered.
    Removed,
}

/// What a message draws its random numbers from.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Seed {
    /// Number of an Ethereum block.
    pub number: u32,
    /// Its RANDAO.
    pub randao: H256,
}

/// That a message has asked for randomness.
#[derive(Clone, Copy, Default, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Draw {
    /// Gas of the run that was undone because there was none yet.
    #[serde(with = "shapes::amount")]
    pub gas_burned: u64,
    /// Nothing as long as the message waits for it.
    pub seed: Option<Seed>,
}

/// Gas that a program has set aside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Reservation {
    /// How much.
    #[serde(with = "shapes::amount")]
    pub gas: u64,
    /// What was taken for it from the executable balance, in wVARA base units.
    #[serde(with = "shapes::amount")]
    pub value: u128,
}

/// What a message keeps from one of its runs to the next.
#[derive(Clone, Default, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct ContextStore {
    /// Messages sent so far.
    pub nonce: u32,
    /// Next handle of a streamed message.
    pub next_handle: u32,
    /// Streamed messages that are not yet committed.
    pub handles: BTreeMap<u32, Bytes>,
    /// Reply pushed so far.
    #[serde(with = "shapes::bytes")]
    pub reply: Vec<u8>,
    /// A reply has been sent.
    pub replied: bool,
    /// Gas burned by earlier runs.
    #[serde(with = "shapes::amount")]
    pub gas_burned: u64,
    /// Gas that earlier runs have set aside, which counts against the message's limit.
    #[serde(default, with = "shapes::amount")]
    pub gas_set_aside: u64,
    /// Reservations made so far.
    #[serde(default)]
    pub reservations: u64,
    /// Gas set aside for the signal that tells of its failure.
    #[serde(default, with = "shapes::amount")]
    pub signal_gas: u64,
    /// What was taken for that from the executable balance, in wVARA base units.
    #[serde(default, with = "shapes::amount")]
    pub signal_value: u128,
    /// How its wait ends.
    #[serde(default)]
    pub wait: Wait,
}

/// A message for a program.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Dispatch {
    /// Its id.
    pub id: MessageId,
    /// Its entry point.
    pub kind: DispatchKind,
    /// Who sent it.
    pub source: ActorId,
    /// What it says.
    pub payload: PayloadLookup,
    /// In wei.
    #[serde(with = "shapes::amount")]
    pub value: u128,
    /// What it belongs to.
    pub details: Option<MessageDetails>,
    /// Set once it has run and waited.
    pub context: Option<Box<ContextStore>>,
    /// How it came.
    pub message_type: MessageType,
    /// Where its reply goes if a user sent it. In JSON whether it calls the source back.
    #[serde(rename = "call", with = "shapes::answer")]
    pub answer: Answer,
    /// What gas it may burn.
    #[serde(default, skip_serializing_if = "GasTerms::are_open")]
    pub gas: GasTerms,
    /// Set once it has asked for randomness.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub draw: Option<Draw>,
}

impl Dispatch {
    /// Gas that its runs have burned so far.
    pub(crate) fn gas_burned(&self) -> u64 {
        let kept = self
            .context
            .as_ref()
            .map_or(0, |context| context.gas_burned);
        kept.saturating_add(self.draw.map_or(0, |draw| draw.gas_burned))
    }

    /// Gas that its sender lets it burn, beyond what it has burned and set aside.
    pub(crate) fn gas_left(&self) -> u64 {
        let aside = self
            .context
            .as_ref()
            .map_or(0, |context| context.gas_set_aside);
        let used = self.gas_burned().saturating_add(aside);
        self.gas
            .limit
            .map_or(u64::MAX, |limit| limit.saturating_sub(used))
    }

    /// Whether it waits for randomness: nothing else ends that wait.
    pub(crate) fn awaits_seed(&self) -> bool {
        self.draw.is_some_and(|draw| draw.seed.is_none())
    }
}

/// Where the reply to a user's message goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub enum Answer {
    /// The Mirror emits it.
    #[default]
    Event,
    /// The Mirror calls the source back.
    Call,
    /// It is told by its receipt alone. One that brings value is emitted all the same, since the Mirror has to pay it.
    Receipt,
}

/// Something with the Ethereum block at which it ends.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Expiring<T> {
    /// The thing.
    pub value: T,
    /// The block number.
    pub expiry: u32,
}

/// A message in a user's mailbox.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct MailboxMessage {
    /// What it says.
    pub payload: PayloadLookup,
    /// In wei, in the Router's custody.
    #[serde(with = "shapes::amount")]
    pub value: u128,
    /// How the message came that sent it.
    pub message_type: MessageType,
    /// Gas that the handling of its reply may burn, if the program has set it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_gas: Option<u64>,
}

/// Messages to run, first first.
pub type MessageQueue = VecDeque<Dispatch>;
/// Messages that wait.
pub type Waitlist = BTreeMap<MessageId, Expiring<Dispatch>>;
/// Delayed messages; with the user, if it goes to one.
pub type DispatchStash = BTreeMap<MessageId, Expiring<(Dispatch, Option<ActorId>)>>;
/// Gas set aside, by the id of its reservation.
pub type Reservations = BTreeMap<H256, Expiring<Reservation>>;
/// Hashes of users' mailboxes, which [`Executor::user_mailbox`](crate::Executor::user_mailbox) reads.
pub type Mailbox = BTreeMap<ActorId, H256>;
/// A user's messages from one program.
pub type UserMailbox = BTreeMap<MessageId, Expiring<MailboxMessage>>;
/// Hashes of the sixteen regions, which [`Executor::memory_region`](crate::Executor::memory_region) reads.
pub type MemoryPages = [Option<H256>; 16];
/// Hashes of a region's pages by number.
pub type MemoryPagesRegion = BTreeMap<u32, H256>;
/// Allocated WASM pages: first to last, inclusive.
pub type Allocations = BTreeMap<u32, u32>;

/// A map as existing clients see it: beside whether it was changed in memory, which a stored one never is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tracked<T> {
    /// The map.
    pub inner: T,
    /// Always false.
    pub changed: bool,
}

impl<T> From<T> for Tracked<T> {
    fn from(inner: T) -> Self {
        Self {
            inner,
            changed: false,
        }
    }
}

/// A [`ProgramState`] with its queue, waitlist, stash and mailbox in place of their hashes; nothing where they are empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FullProgramState {
    /// Whether it lives.
    pub program: Program,
    /// Its messages.
    pub canonical_queue: Option<MessageQueue>,
    /// Always nothing.
    pub injected_queue: Option<MessageQueue>,
    /// Its waiting messages.
    pub waitlist: Option<Tracked<Waitlist>>,
    /// Its delayed messages.
    pub stash: Option<DispatchStash>,
    /// Its users' mailboxes, by hash.
    pub mailbox: Option<Tracked<Mailbox>>,
    /// ETH that it owns, in wei.
    #[serde(with = "shapes::amount")]
    pub balance: u128,
    /// wVARA that pays for its gas.
    #[serde(with = "shapes::amount")]
    pub executable_balance: u128,
    /// As in [`ProgramState::required_gas`].
    #[serde(default)]
    pub required_gas: Option<u64>,
    /// Gas that it has set aside.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reservations: Option<Reservations>,
}

/// A program as the state root knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct ProgramRecord {
    /// Its code.
    pub code_id: CodeId,
    /// Hash of its [`ProgramState`].
    pub state_hash: H256,
}
