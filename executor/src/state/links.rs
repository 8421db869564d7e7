//! Which stored objects an object names: what may be forgotten follows from it.

use super::{
    DispatchStash, Expiring, Mailbox, MailboxMessage, MemoryPages, MessageQueue, PayloadLookup,
    Program, ProgramRecord, ProgramState, Reservations, UserMailbox, Waitlist,
};
use gear_exe_primitives::ActorId;
use primitive_types::H256;
use std::collections::{BTreeMap, BTreeSet};

/// An object that may name others by their hashes.
pub(crate) trait Linked {
    /// Adds the hashes of the objects that this one names, one as often as it is named.
    fn links(&self, to: &mut Vec<H256>);
}

/// Objects that name no others.
macro_rules! leaf {
    ($($what:ty),* $(,)?) => {$(
        impl Linked for $what {
            fn links(&self, _: &mut Vec<H256>) {}
        }
    )*};
}

pub(crate) use leaf;

// Allocated pages, sets of programs, and gas set aside.
leaf!(BTreeMap<u32, u32>, BTreeSet<ActorId>, Reservations);

impl Linked for PayloadLookup {
    fn links(&self, to: &mut Vec<H256>) {
        if let Self::Stored(hash) = self {
            to.push(*hash);
        }
    }
}

impl Linked for ProgramState {
    fn links(&self, to: &mut Vec<H256>) {
        if let Program::Active {
            allocations_hash,
            pages_hash,
            ..
        } = &self.program
        {
            to.extend(allocations_hash);
            to.extend(pages_hash);
        }
        to.extend(self.canonical_queue.hash);
        to.extend(self.injected_queue.hash);
        to.extend(self.waitlist_hash);
        to.extend(self.stash_hash);
        to.extend(self.mailbox_hash);
        to.extend(self.reservations_hash);
    }
}

impl Linked for MessageQueue {
    fn links(&self, to: &mut Vec<H256>) {
        self.iter().for_each(|dispatch| dispatch.payload.links(to));
    }
}

impl Linked for Waitlist {
    fn links(&self, to: &mut Vec<H256>) {
        self.values()
            .for_each(|waiting| waiting.value.payload.links(to));
    }
}

impl Linked for DispatchStash {
    fn links(&self, to: &mut Vec<H256>) {
        self.values()
            .for_each(|stashed| stashed.value.0.payload.links(to));
    }
}

impl Linked for Mailbox {
    fn links(&self, to: &mut Vec<H256>) {
        to.extend(self.values());
    }
}

impl Linked for UserMailbox {
    fn links(&self, to: &mut Vec<H256>) {
        self.values()
            .for_each(|message: &Expiring<MailboxMessage>| message.value.payload.links(to));
    }
}

impl Linked for MemoryPages {
    fn links(&self, to: &mut Vec<H256>) {
        to.extend(self.iter().flatten());
    }
}

/// Programs of a part of the root.
impl Linked for BTreeMap<ActorId, ProgramRecord> {
    fn links(&self, to: &mut Vec<H256>) {
        to.extend(self.values().map(|record| record.state_hash));
    }
}
