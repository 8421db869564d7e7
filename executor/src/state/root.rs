//! What a state root names: all programs, the schedule of tasks, who has messages, and what waits for room in a round.
//!
//! All of them are [maps](super::map): a round reads and writes what it touches of them, however much there is.

use super::{
    GasTerms, ProgramRecord, Seed,
    line::Line,
    links,
    map::{Forest, Key, Map, Part, values},
    store::Content,
};
use crate::StoreError;
use codec::{Decode, Encode};
use gear_exe_primitives::{
    ActorId, CodeId, MessageId,
    creation::ProgramCreation,
    ethereum::EthereumEvent,
    message::{OutgoingMessage, ReplyDetails},
    proof::Values,
    round::NativeMessage,
    transition::ValueClaim,
};
use parking_lot::Mutex;
use primitive_types::{H160, H256};
use std::collections::VecDeque;

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
    /// Value that goes back to a user's deposit.
    Deposit { account: H160, value: u128 },
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
    /// The program that it goes to, or who has the deposits.
    pub(crate) fn destination(&self) -> ActorId {
        match self {
            Self::Message { destination, .. } | Self::Reply { destination, .. } => *destination,
            Self::Value { heir, .. } => *heir,
            Self::Program(new) => new.destination,
            Self::Deposit { .. } => ActorId::DEPOSITS,
        }
    }
}

/// Something from outside that a round has not yet taken in.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) enum Intake {
    Event(EthereumEvent),
    Native(NativeMessage),
}

/// Starved programs that an outcome names.
const NAMED_STARVED: usize = 1_024;

/// A task with the height at which it is due: first the earliest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Due {
    pub(crate) height: u32,
    pub(crate) task: Task,
}

impl Key for Due {
    fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.height.to_be_bytes().to_vec();
        self.task.encode_to(&mut bytes);
        bytes
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (height, task) = bytes.split_first_chunk()?;
        Some(Self {
            height: u32::from_be_bytes(*height),
            task: links::whole(task)?,
        })
    }
}

values!(
    ProgramRecord: Programs,
    CodeId: Codes,
    (): Keys,
    u128: Keys,
    Outgoing: OutgoingLine,
    Held: HeldLine,
    Intake: Inbox,
);

/// What each program still has to send, in order.
pub(crate) type Backlog<T> = Forest<Line<T>>;
/// RANDAO of the last Ethereum blocks, oldest first.
pub(crate) type Seeds = VecDeque<Seed>;

macro_rules! backlog {
    ($($what:ty: $outer:ident),* $(,)?) => {$(
        impl Part for Line<$what> {
            const OUTER: Values = Values::$outer;

            fn load(content: &Content, hash: H256) -> Result<Self, StoreError> {
                Line::load(content, Some(hash))
            }

            fn is_empty(&self) -> bool {
                Line::is_empty(self)
            }

            fn store(&mut self, content: &Content) -> Result<Option<H256>, StoreError> {
                Line::store(self, content)
            }
        }
    )*};
}
backlog!(Outgoing: Outgoing, Held: Held);

/// Whose turn it is, where a round cannot take everybody: the first actor from this one on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Turns {
    /// Among those that have messages to run.
    pub(crate) busy: ActorId,
    /// Among those that have something for Ethereum.
    pub(crate) outgoing: ActorId,
    /// Among those that have something for programs.
    pub(crate) held: ActorId,
}

/// The object behind a state root. Verifiers of proofs read its first field.
#[derive(Clone, Debug, Default, Encode, Decode)]
pub(crate) struct Root {
    /// Hash of the map of programs.
    pub(crate) programs: Option<H256>,
    /// Hash of the map of tasks.
    pub(crate) schedule: Option<H256>,
    /// Hash of the map of programs that have messages to run.
    pub(crate) busy: Option<H256>,
    /// Hash of the map of programs whose messages wait for executable balance, with the highest price of gas at which they
    /// do not.
    pub(crate) starved: Option<H256>,
    /// Hash of the map of those by that price.
    pub(crate) starved_by_price: Option<H256>,
    /// Hash of the backlog of what goes to Ethereum.
    pub(crate) outgoing: Option<H256>,
    /// Hash of the backlog of what goes to programs.
    pub(crate) held: Option<H256>,
    /// Hash of the line of what came from outside and waits, oldest first.
    pub(crate) inbox: Option<H256>,
    /// Whose turn it is.
    pub(crate) turns: Turns,
    /// Hash of the last [`Seeds`].
    pub(crate) seeds: Option<H256>,
    /// Hash of the map of codes that the chain has accepted.
    pub(crate) codes: Option<H256>,
    /// Hash of the map of users who have a deposit, with how much.
    pub(crate) deposits: Option<H256>,
}

/// The programs of a state, for all who ask in a round.
pub(crate) struct Records(Mutex<Map<ActorId, ProgramRecord>>);

impl Records {
    pub(crate) fn get(
        &self,
        content: &Content,
        actor: ActorId,
    ) -> Result<Option<ProgramRecord>, StoreError> {
        self.0.lock().get(content, &actor)
    }

    pub(crate) fn insert(
        &self,
        content: &Content,
        actor: ActorId,
        record: ProgramRecord,
    ) -> Result<(), StoreError> {
        self.0.lock().insert(content, &actor, &record)
    }

    fn store(&self, content: &Content) -> Result<Option<H256>, StoreError> {
        self.0.lock().store(content)
    }
}

/// The parts of a root that are not programs.
#[derive(Default)]
pub(crate) struct Ledger {
    pub(crate) schedule: Map<Due, ()>,
    pub(crate) busy: Map<ActorId, ()>,
    pub(crate) starved: Map<ActorId, u128>,
    pub(crate) starved_by_price: Map<(u128, ActorId), ()>,
    pub(crate) outgoing: Backlog<Outgoing>,
    pub(crate) held: Backlog<Held>,
    pub(crate) inbox: Line<Intake>,
    pub(crate) turns: Turns,
    pub(crate) seeds: Seeds,
    pub(crate) codes: Map<CodeId, CodeId>,
    /// In wei; none is zero.
    pub(crate) deposits: Map<ActorId, u128>,
}

impl Ledger {
    /// Notes that a program starves, and above which price of gas; or that it does not.
    pub(crate) fn starve(
        &mut self,
        content: &Content,
        actor: ActorId,
        above: Option<u128>,
    ) -> Result<(), StoreError> {
        let before = self.starved.get(content, &actor)?;
        if before == above {
            return Ok(());
        }
        if let Some(price) = before {
            self.starved_by_price.remove(content, &(price, actor))?;
            self.starved.remove(content, &actor)?;
        }
        if let Some(price) = above {
            self.starved.insert(content, &actor, &price)?;
            self.starved_by_price
                .insert(content, &(price, actor), &())?;
        }
        Ok(())
    }

    /// The starved programs by id, as many as an outcome names.
    pub(crate) fn first_starved(&mut self, content: &Content) -> Result<Vec<ActorId>, StoreError> {
        let mut all = Vec::new();
        self.starved
            .first_few(content, NAMED_STARVED, |actor, _| all.push(actor))?;
        Ok(all)
    }

    /// Notes that a program has messages to run, or not.
    pub(crate) fn occupy(
        &mut self,
        content: &Content,
        actor: ActorId,
        busy: bool,
    ) -> Result<(), StoreError> {
        if busy {
            self.busy.insert(content, &actor, &())
        } else {
            self.busy.remove(content, &actor).map(|_| ())
        }
    }
}

impl Root {
    pub(crate) fn load(content: &Content, hash: H256) -> Result<Self, StoreError> {
        content.get_or_default((!hash.is_zero()).then_some(hash))
    }

    pub(crate) fn records(&self) -> Records {
        Records(Mutex::new(Map::new(self.programs)))
    }

    pub(crate) fn ledger(&self, content: &Content) -> Result<Ledger, StoreError> {
        Ok(Ledger {
            schedule: Map::new(self.schedule),
            busy: Map::new(self.busy),
            starved: Map::new(self.starved),
            starved_by_price: Map::new(self.starved_by_price),
            outgoing: Forest::new(self.outgoing),
            held: Forest::new(self.held),
            inbox: Line::load(content, self.inbox)?,
            turns: self.turns,
            seeds: content.get_or_default(self.seeds)?,
            codes: Map::new(self.codes),
            deposits: Map::new(self.deposits),
        })
    }

    /// The root of what a round has made of the state, stored.
    pub(crate) fn store(
        content: &Content,
        records: &Records,
        ledger: &mut Ledger,
    ) -> Result<H256, StoreError> {
        let mut turns = ledger.turns;
        if ledger.outgoing.is_empty() {
            turns.outgoing = ActorId::zero();
        }
        if ledger.held.is_empty() {
            turns.held = ActorId::zero();
        }
        let seeds = &ledger.seeds;
        let root = Self {
            programs: records.store(content)?,
            schedule: ledger.schedule.store(content)?,
            busy: ledger.busy.store(content)?,
            starved: ledger.starved.store(content)?,
            starved_by_price: ledger.starved_by_price.store(content)?,
            outgoing: ledger.outgoing.store(content)?,
            held: ledger.held.store(content)?,
            inbox: ledger.inbox.store(content)?,
            turns,
            seeds: (!seeds.is_empty()).then(|| content.put(seeds)),
            codes: ledger.codes.store(content)?,
            deposits: ledger.deposits.store(content)?,
        };
        Ok(content.put(&root))
    }
}
