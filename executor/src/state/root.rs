//! What a state root names: a Merkle tree of two levels over all programs, the schedule of tasks, who has messages, and
//! what waits for room in a round.

use super::{
    GasTerms, ProgramRecord, Seed,
    links::{Linked, leaf},
    store::Content,
};
use crate::StoreError;
use codec::{Decode, Encode};
use gear_exe_primitives::{
    ActorId, CodeId, MessageId,
    creation::ProgramCreation,
    ethereum::EthereumEvent,
    message::{OutgoingMessage, ReplyDetails},
    round::NativeMessage,
    transition::ValueClaim,
};
use primitive_types::H256;
use std::collections::{BTreeMap, BTreeSet, VecDeque, btree_map::Entry};

/// Something due at an Ethereum block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Encode, Decode)]
pub(crate) enum Task {
    /// The wait of a message ends.
    Wake(ActorId, MessageId),
    /// A delayed message is due in the stash of this program.
    Unstash(ActorId, MessageId),
    /// A message of a program leaves a user's mailbox.
    Mailbox(ActorId, ActorId, MessageId),
    /// A program's reservation of gas ends.
    Reservation(ActorId, H256),
}

impl Task {
    /// The program that it changes.
    pub(crate) fn program(&self) -> ActorId {
        match self {
            Self::Wake(actor, _)
            | Self::Unstash(actor, _)
            | Self::Mailbox(actor, _, _)
            | Self::Reservation(actor, _) => *actor,
        }
    }
}

/// Something that goes to Ethereum as soon as a round has room for it. Its value is in the program's custody.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) enum Outgoing {
    /// A reply to a user.
    Reply(OutgoingMessage),
    /// A message to a user, which then lies in its mailbox; or an event. With the gas that its reply may burn.
    Mail(ActorId, OutgoingMessage, Option<u64>),
    /// Value that a user takes back.
    Claim(ValueClaim),
}

/// Something that goes to a program as soon as a round has room for one program more. Its value is in the custody of
/// the program that holds it.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) enum Held {
    /// A message, `delay` blocks after it was sent.
    Message {
        id: MessageId,
        destination: ActorId,
        payload: Vec<u8>,
        value: u128,
        delay: u32,
        gas: GasTerms,
    },
    /// A reply.
    Reply {
        destination: ActorId,
        details: ReplyDetails,
        payload: Vec<u8>,
        value: u128,
        gas_limit: Option<u64>,
    },
    /// Value that an heir gets.
    Value { heir: ActorId, value: u128 },
    /// A program that comes into being, with its first message.
    Program(Box<NewProgram>),
}

/// A program that a program creates.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct NewProgram {
    pub(crate) id: MessageId,
    pub(crate) destination: ActorId,
    pub(crate) creation: ProgramCreation,
    /// Its first executable balance, in wVARA base units.
    pub(crate) endowment: u128,
    pub(crate) payload: Vec<u8>,
    pub(crate) value: u128,
    pub(crate) delay: u32,
    pub(crate) gas: GasTerms,
}

impl Held {
    /// The program that it goes to.
    pub(crate) fn destination(&self) -> ActorId {
        match self {
            Self::Message { destination, .. } | Self::Reply { destination, .. } => *destination,
            Self::Value { heir, .. } => *heir,
            Self::Program(new) => new.destination,
        }
    }
}

/// Something from outside that a round has not yet taken in.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) enum Intake {
    Event(EthereumEvent),
    Native(NativeMessage),
}

/// What each program still has to send, in order.
pub(crate) type Backlog<T> = BTreeMap<ActorId, VecDeque<T>>;
/// RANDAO of the last Ethereum blocks, oldest first.
pub(crate) type Seeds = VecDeque<Seed>;
pub(crate) type Schedule = BTreeMap<u32, BTreeSet<Task>>;
type Chunk = BTreeMap<ActorId, ProgramRecord>;

/// The object behind a state root.
#[derive(Clone, Default, Encode, Decode)]
pub(crate) struct Root {
    /// Hash of the programs whose address ends with each byte.
    chunks: BTreeMap<u8, H256>,
    /// Hash of the [`Schedule`].
    schedule: Option<H256>,
    /// Hash of the set of programs that have messages to run.
    busy: Option<H256>,
    /// Hash of the set of programs whose messages wait for executable balance.
    starved: Option<H256>,
    /// Price of gas at which those were found starved.
    starved_price: u128,
    /// Hash of the backlog of what goes to Ethereum.
    outgoing: Option<H256>,
    /// Hash of the backlog of what goes to programs.
    held: Option<H256>,
    /// Hash of what came from outside and waits, oldest first.
    inbox: Option<H256>,
    /// Hash of the last [`Seeds`].
    seeds: Option<H256>,
    /// Hash of the accepted codes whose id ends with each byte.
    codes: BTreeMap<u8, H256>,
}

impl Linked for Root {
    fn links(&self, to: &mut Vec<H256>) {
        to.extend(self.chunks.values());
        to.extend(self.schedule);
        to.extend(self.busy);
        to.extend(self.starved);
        to.extend(self.outgoing);
        to.extend(self.held);
        to.extend(self.inbox);
        to.extend(self.seeds);
        to.extend(self.codes.values());
    }
}

// What waits is stored with its payloads.
leaf!(
    Schedule,
    Backlog<Outgoing>,
    Backlog<Held>,
    VecDeque<Intake>,
    Seeds,
    BTreeSet<CodeId>
);

/// The parts of a root that are not programs, loaded.
#[derive(Default)]
pub(crate) struct Ledger {
    pub(crate) schedule: Schedule,
    pub(crate) busy: BTreeSet<ActorId>,
    pub(crate) starved: BTreeSet<ActorId>,
    pub(crate) starved_price: u128,
    pub(crate) outgoing: Backlog<Outgoing>,
    pub(crate) held: Backlog<Held>,
    pub(crate) inbox: VecDeque<Intake>,
    pub(crate) seeds: Seeds,
}

impl Root {
    pub(crate) fn load(content: &Content, hash: H256) -> Result<Self, StoreError> {
        content.get_or_default((!hash.is_zero()).then_some(hash))
    }

    pub(crate) fn ledger(&self, content: &Content) -> Result<Ledger, StoreError> {
        Ok(Ledger {
            schedule: content.get_or_default(self.schedule)?,
            busy: content.get_or_default(self.busy)?,
            starved: content.get_or_default(self.starved)?,
            starved_price: self.starved_price,
            outgoing: content.get_or_default(self.outgoing)?,
            held: content.get_or_default(self.held)?,
            inbox: content.get_or_default(self.inbox)?,
            seeds: content.get_or_default(self.seeds)?,
        })
    }

    pub(crate) fn program(
        &self,
        content: &Content,
        actor: ActorId,
    ) -> Result<Option<ProgramRecord>, StoreError> {
        let chunk: Chunk = content.get_or_default(self.chunks.get(&actor.0.0[31]).copied())?;
        Ok(chunk.get(&actor).copied())
    }

    /// Whether the chain has accepted a code.
    pub(crate) fn has_code(&self, content: &Content, code: CodeId) -> Result<bool, StoreError> {
        let chunk = self.codes.get(&code.0.0[31]).copied();
        let codes: BTreeSet<CodeId> = content.get_or_default(chunk)?;
        Ok(codes.contains(&code))
    }

    /// Notes codes that the chain has accepted.
    pub(crate) fn add_codes(
        &mut self,
        content: &Content,
        codes: &[CodeId],
    ) -> Result<(), StoreError> {
        for code in codes {
            let index = code.0.0[31];
            let chunk = self.codes.get(&index).copied();
            let mut all: BTreeSet<CodeId> = content.get_or_default(chunk)?;
            if all.insert(*code) {
                self.codes.insert(index, content.put(&all));
            }
        }
        Ok(())
    }

    pub(crate) fn programs(&self, content: &Content) -> Result<Chunk, StoreError> {
        let mut all = BTreeMap::new();
        for hash in self.chunks.values() {
            all.append(&mut content.get::<Chunk>(*hash)?);
        }
        Ok(all)
    }

    /// The root after `changes`, stored.
    pub(crate) fn update(
        &mut self,
        content: &Content,
        changes: &BTreeMap<ActorId, ProgramRecord>,
        ledger: &Ledger,
    ) -> Result<H256, StoreError> {
        let mut touched = BTreeMap::<u8, Chunk>::new();
        for (actor, record) in changes {
            let index = actor.0.0[31];
            let chunk = match touched.entry(index) {
                Entry::Occupied(entry) => entry.into_mut(),
                Entry::Vacant(entry) => {
                    entry.insert(content.get_or_default(self.chunks.get(&index).copied())?)
                }
            };
            chunk.insert(*actor, *record);
        }
        for (index, chunk) in touched {
            self.chunks.insert(index, content.put(&chunk));
        }
        self.schedule = put_unless(content, ledger.schedule.is_empty(), &ledger.schedule);
        self.busy = put_unless(content, ledger.busy.is_empty(), &ledger.busy);
        self.starved = put_unless(content, ledger.starved.is_empty(), &ledger.starved);
        self.starved_price = ledger.starved_price;
        self.outgoing = put_unless(content, ledger.outgoing.is_empty(), &ledger.outgoing);
        self.held = put_unless(content, ledger.held.is_empty(), &ledger.held);
        self.inbox = put_unless(content, ledger.inbox.is_empty(), &ledger.inbox);
        self.seeds = put_unless(content, ledger.seeds.is_empty(), &ledger.seeds);
        Ok(content.put(self))
    }
}

/// Stores `value` unless it is empty.
pub(super) fn put_unless<T: Encode + Linked>(
    content: &Content,
    empty: bool,
    value: &T,
) -> Option<H256> {
    (!empty).then(|| content.put(value))
}
