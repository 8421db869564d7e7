//! A program's state, taken apart for work and put together again.

use super::{
    line::Line,
    map::{Forest, Map, Part, values},
    store::Content,
    *,
};
use crate::StoreError;
use gear_exe_primitives::{ActorId, CodeId, MessageId, proof::Values};
use primitive_types::H256;
use std::collections::BTreeMap;

values!(
    Dispatch: Queue,
    Expiring<Dispatch>: Waiting,
    Expiring<(Dispatch, Option<ActorId>)>: Stash,
    Expiring<MailboxMessage>: Mail,
);

/// A user's messages from one program.
pub(crate) type Mails = Map<MessageId, Expiring<MailboxMessage>>;

impl Part for Mails {
    const OUTER: Values = Values::Mailbox;

    fn load(_: &Content, hash: H256) -> Result<Self, StoreError> {
        Ok(Self::new(Some(hash)))
    }

    fn is_empty(&self) -> bool {
        Map::is_empty(self)
    }

    fn store(&mut self, content: &Content) -> Result<Option<H256>, StoreError> {
        Map::store(self, content)
    }
}

/// Whether a program lives, with its memory.
#[derive(Clone)]
pub(crate) enum Life {
    Active {
        allocations: Allocations,
        /// Hash of its [tree of pages](super::pages).
        pages: Option<H256>,
        initialized: bool,
    },
    Exited(ActorId),
    Terminated(ActorId),
}

/// A program's state in working form. Of its messages only those are in memory that were asked for.
pub(crate) struct Account {
    pub(crate) code_id: CodeId,
    pub(crate) life: Life,
    pub(crate) queue: Line<Dispatch>,
    pub(crate) waitlist: Map<MessageId, Expiring<Dispatch>>,
    pub(crate) stash: Map<MessageId, Expiring<(Dispatch, Option<ActorId>)>>,
    pub(crate) mailbox: Forest<Mails>,
    pub(crate) balance: u128,
    pub(crate) executable_balance: u128,
    pub(crate) required_gas: Option<u64>,
    pub(crate) init_sent: bool,
    pub(crate) reservations: Reservations,
    pub(crate) kept_for_signals: u128,
}

impl Account {
    pub(crate) fn new(code_id: CodeId) -> Self {
        Self {
            code_id,
            life: Life::Active {
                allocations: BTreeMap::new(),
                pages: None,
                initialized: false,
            },
            queue: Line::default(),
            waitlist: Map::default(),
            stash: Map::default(),
            mailbox: Forest::default(),
            balance: 0,
            executable_balance: 0,
            required_gas: None,
            init_sent: false,
            reservations: Reservations::new(),
            kept_for_signals: 0,
        }
    }

    pub(crate) fn load(content: &Content, record: ProgramRecord) -> Result<Self, StoreError> {
        let state: ProgramState = content.get(record.state_hash)?;
        let life = match state.program {
            Program::Exited(inheritor) => Life::Exited(inheritor),
            Program::Terminated(origin) => Life::Terminated(origin),
            Program::Active {
                allocations_hash,
                pages_hash,
                initialized,
                ..
            } => Life::Active {
                allocations: content.get_or_default(allocations_hash)?,
                pages: pages_hash,
                initialized,
            },
        };
        Ok(Self {
            code_id: record.code_id,
            life,
            queue: Line::load(content, state.canonical_queue.hash)?,
            waitlist: Map::new(state.waitlist_hash),
            stash: Map::new(state.stash_hash),
            mailbox: Forest::new(state.mailbox_hash),
            balance: state.balance,
            executable_balance: state.executable_balance,
            required_gas: state.required_gas,
            init_sent: state.init_sent,
            reservations: content.get_or_default(state.reservations_hash)?,
            kept_for_signals: state.kept_for_signals,
        })
    }

    /// Stores everything but the state itself.
    pub(crate) fn store(&mut self, content: &Content) -> Result<ProgramState, StoreError> {
        let program = match &self.life {
            Life::Exited(inheritor) => Program::Exited(*inheritor),
            Life::Terminated(origin) => Program::Terminated(*origin),
            Life::Active {
                allocations,
                pages,
                initialized,
            } => Program::Active {
                allocations_hash: (!allocations.is_empty()).then(|| content.put(allocations)),
                pages_hash: *pages,
                memory_infix: 0,
                initialized: *initialized,
            },
        };
        Ok(ProgramState {
            program,
            canonical_queue: QueueRef {
                hash: self.queue.store(content)?,
                cached_queue_size: u8::try_from(self.queue.len()).unwrap_or(u8::MAX),
            },
            injected_queue: QueueRef::default(),
            waitlist_hash: self.waitlist.store(content)?,
            stash_hash: self.stash.store(content)?,
            mailbox_hash: self.mailbox.store(content)?,
            balance: self.balance,
            executable_balance: self.executable_balance,
            required_gas: self.required_gas,
            init_sent: self.init_sent,
            reservations_hash: (!self.reservations.is_empty())
                .then(|| content.put(&self.reservations)),
            kept_for_signals: self.kept_for_signals,
        })
    }
}

pub(crate) fn put_payload(content: &Content, payload: Vec<u8>) -> PayloadLookup {
    if payload.len() < INLINE_PAYLOAD {
        PayloadLookup::Direct(payload)
    } else {
        PayloadLookup::Stored(content.put_bytes(payload))
    }
}

pub(crate) fn get_payload(
    content: &Content,
    payload: &PayloadLookup,
) -> Result<Vec<u8>, StoreError> {
    match payload {
        PayloadLookup::Direct(bytes) => Ok(bytes.clone()),
        PayloadLookup::Stored(hash) => content.bytes(*hash),
    }
}
