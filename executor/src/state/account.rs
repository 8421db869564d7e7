//! A program's state, taken apart for work and put together again.

use super::{root::put_unless, store::Content, *};
use crate::StoreError;
use gear_exe_primitives::{ActorId, CodeId};
use primitive_types::H256;
use std::collections::BTreeMap;

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

/// A program's state in working form.
#[derive(Clone)]
pub(crate) struct Account {
    pub(crate) code_id: CodeId,
    pub(crate) life: Life,
    pub(crate) queue: MessageQueue,
    pub(crate) waitlist: Waitlist,
    pub(crate) stash: DispatchStash,
    pub(crate) mailbox: BTreeMap<ActorId, UserMailbox>,
    pub(crate) balance: u128,
    pub(crate) executable_balance: u128,
    pub(crate) required_gas: Option<u64>,
    pub(crate) reservations: Reservations,
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
            queue: MessageQueue::new(),
            waitlist: BTreeMap::new(),
            stash: BTreeMap::new(),
            mailbox: BTreeMap::new(),
            balance: 0,
            executable_balance: 0,
            required_gas: None,
            reservations: Reservations::new(),
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
        let mailbox: Mailbox = content.get_or_default(state.mailbox_hash)?;
        Ok(Self {
            code_id: record.code_id,
            life,
            queue: content.get_or_default(state.canonical_queue.hash)?,
            waitlist: content.get_or_default(state.waitlist_hash)?,
            stash: content.get_or_default(state.stash_hash)?,
            mailbox: mailbox
                .into_iter()
                .map(|(user, hash)| Ok((user, content.get(hash)?)))
                .collect::<Result<_, StoreError>>()?,
            balance: state.balance,
            executable_balance: state.executable_balance,
            required_gas: state.required_gas,
            reservations: content.get_or_default(state.reservations_hash)?,
        })
    }

    /// Stores everything but the state itself.
    pub(crate) fn store(&self, content: &Content) -> ProgramState {
        let program = match &self.life {
            Life::Exited(inheritor) => Program::Exited(*inheritor),
            Life::Terminated(origin) => Program::Terminated(*origin),
            Life::Active {
                allocations,
                pages,
                initialized,
            } => Program::Active {
                allocations_hash: put_unless(content, allocations.is_empty(), allocations),
                pages_hash: *pages,
                memory_infix: 0,
                initialized: *initialized,
            },
        };
        let mailbox: Mailbox = self
            .mailbox
            .iter()
            .filter(|(_, box_)| !box_.is_empty())
            .map(|(user, box_)| (*user, content.put(box_)))
            .collect();
        ProgramState {
            program,
            canonical_queue: QueueRef {
                hash: put_unless(content, self.queue.is_empty(), &self.queue),
                cached_queue_size: u8::try_from(self.queue.len()).unwrap_or(u8::MAX),
            },
            injected_queue: QueueRef::default(),
            waitlist_hash: put_unless(content, self.waitlist.is_empty(), &self.waitlist),
            stash_hash: put_unless(content, self.stash.is_empty(), &self.stash),
            mailbox_hash: put_unless(content, mailbox.is_empty(), &mailbox),
            balance: self.balance,
            executable_balance: self.executable_balance,
            required_gas: self.required_gas,
            reservations_hash: put_unless(
                content,
                self.reservations.is_empty(),
                &self.reservations,
            ),
        }
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
