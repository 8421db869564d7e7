//! Which stored objects an object names: what may be forgotten follows from it, and what a state consists of.
//!
//! An object does not say what it is: who names it knows. [`Kind`] is that knowledge, so that one can walk from a state
//! root to everything below it and read each object as what it must be. Codes are named, but not counted: they are kept
//! apart.

use super::{
    Dispatch, Expiring, MailboxMessage, MemoryPages, PayloadLookup, Program, ProgramRecord,
    ProgramState, Reservations,
    map::Sub,
    pages,
    root::{Held, Intake, Outgoing, Root, Seeds},
};
use codec::{Decode, Encode};
use gear_exe_primitives::{
    ActorId, CodeId,
    proof::{Kind, Node, Value, Values},
};
use primitive_types::H256;
use std::collections::BTreeMap;

/// An object that another one names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Link {
    pub(crate) kind: Kind,
    pub(crate) hash: H256,
}

/// An object that may name others by their hashes.
pub(crate) trait Linked {
    /// Adds the objects that this one names, one as often as it is named.
    fn links(&self, to: &mut Vec<Link>);
}

/// What is an object by itself.
pub(crate) trait Whole: Linked {
    /// What it is.
    const KIND: Kind;
}

impl Whole for Root {
    const KIND: Kind = Kind::Root;
}

impl Whole for ProgramState {
    const KIND: Kind = Kind::State;
}

impl Whole for BTreeMap<u32, u32> {
    const KIND: Kind = Kind::Allocations;
}

impl Whole for MemoryPages {
    const KIND: Kind = Kind::Pages(0);
}

impl Whole for Reservations {
    const KIND: Kind = Kind::Leaf(0);
}

impl Whole for Seeds {
    const KIND: Kind = Kind::Leaf(1);
}

/// Objects that name no others.
macro_rules! leaf {
    ($($what:ty),* $(,)?) => {$(
        impl Linked for $what {
            fn links(&self, _: &mut Vec<Link>) {}
        }
    )*};
}

// Allocated pages, and what a map is only asked for its keys. What waits for room in a round is stored with its payloads.
leaf!(
    BTreeMap<u32, u32>,
    (),
    u128,
    Outgoing,
    Held,
    Intake,
    Reservations,
    Seeds
);

fn link(to: &mut Vec<Link>, kind: Kind, hash: impl IntoIterator<Item = H256>) {
    to.extend(hash.into_iter().map(|hash| Link { kind, hash }));
}

impl Linked for PayloadLookup {
    fn links(&self, to: &mut Vec<Link>) {
        if let Self::Stored(hash) = self {
            link(to, Kind::Bytes, [*hash]);
        }
    }
}

impl Linked for Root {
    fn links(&self, to: &mut Vec<Link>) {
        link(to, Kind::Node(Values::Programs), self.programs);
        for keys in [
            self.schedule,
            self.busy,
            self.starved,
            self.starved_by_price,
            self.deposits,
        ] {
            link(to, Kind::Node(Values::Keys), keys);
        }
        link(to, Kind::Node(Values::Outgoing), self.outgoing);
        link(to, Kind::Node(Values::Held), self.held);
        link(to, Kind::Node(Values::Inbox), self.inbox);
        link(to, Seeds::KIND, self.seeds);
        link(to, Kind::Node(Values::Codes), self.codes);
    }
}

impl Linked for CodeId {
    fn links(&self, to: &mut Vec<Link>) {
        link(to, Kind::Code, [self.0]);
    }
}

impl Linked for ProgramRecord {
    fn links(&self, to: &mut Vec<Link>) {
        link(to, Kind::Code, [self.code_id.0]);
        link(to, Kind::State, [self.state_hash]);
    }
}

impl Linked for ProgramState {
    fn links(&self, to: &mut Vec<Link>) {
        if let Program::Active {
            allocations_hash,
            pages_hash,
            ..
        } = &self.program
        {
            link(to, Kind::Allocations, *allocations_hash);
            link(to, Kind::Pages(0), *pages_hash);
        }
        link(to, Kind::Node(Values::Queue), self.canonical_queue.hash);
        link(to, Kind::Node(Values::Queue), self.injected_queue.hash);
        link(to, Kind::Node(Values::Waiting), self.waitlist_hash);
        link(to, Kind::Node(Values::Stash), self.stash_hash);
        link(to, Kind::Node(Values::Mailbox), self.mailbox_hash);
        link(to, Reservations::KIND, self.reservations_hash);
    }
}

impl Linked for Dispatch {
    fn links(&self, to: &mut Vec<Link>) {
        self.payload.links(to);
    }
}

impl Linked for Expiring<Dispatch> {
    fn links(&self, to: &mut Vec<Link>) {
        self.value.links(to);
    }
}

impl Linked for Expiring<(Dispatch, Option<ActorId>)> {
    fn links(&self, to: &mut Vec<Link>) {
        self.value.0.links(to);
    }
}

impl Linked for Expiring<MailboxMessage> {
    fn links(&self, to: &mut Vec<Link>) {
        self.value.payload.links(to);
    }
}

impl Linked for MemoryPages {
    fn links(&self, to: &mut Vec<Link>) {
        link(to, Kind::Pages(1), self.iter().flatten().copied());
    }
}

/// A whole object of a type.
pub(crate) fn whole<T: Decode>(mut bytes: &[u8]) -> Option<T> {
    let value = T::decode(&mut bytes).ok()?;
    bytes.is_empty().then_some(value)
}

fn read<T: Decode + Linked>(bytes: &[u8], to: &mut Vec<Link>) -> Option<()> {
    whole::<T>(bytes)?.links(to);
    Some(())
}

/// Adds what an encoded value names. Nothing if it is no such value.
pub(crate) fn value_links(values: Values, bytes: &[u8], to: &mut Vec<Link>) -> Option<()> {
    let below = match values {
        Values::Keys | Values::OutgoingLine | Values::HeldLine | Values::Inbox => return Some(()),
        Values::Programs => return read::<ProgramRecord>(bytes, to),
        Values::Codes => return read::<CodeId>(bytes, to),
        Values::Queue => return read::<Dispatch>(bytes, to),
        Values::Waiting => return read::<Expiring<Dispatch>>(bytes, to),
        Values::Stash => return read::<Expiring<(Dispatch, Option<ActorId>)>>(bytes, to),
        Values::Mail => return read::<Expiring<MailboxMessage>>(bytes, to),
        Values::Mailbox => Values::Mail,
        Values::Outgoing => Values::OutgoingLine,
        Values::Held => Values::HeldLine,
    };
    link(to, Kind::Node(below), [whole::<Sub>(bytes)?.0]);
    Some(())
}

/// Adds what a node names. Nothing if a value is not what it should be.
pub(crate) fn node_links(values: Values, node: &Node, to: &mut Vec<Link>) -> Option<()> {
    match node {
        Node::Branch(branch) => link(
            to,
            Kind::Node(values),
            branch.children.iter().map(|child| child.hash),
        ),
        Node::Bucket(entries) => {
            for entry in entries {
                match &entry.value {
                    Value::Here(bytes) => value_links(values, bytes, to)?,
                    Value::Apart(hash) => link(to, Kind::Value(values), [*hash]),
                }
            }
        }
    }
    Some(())
}

/// What an object of this kind names. Nothing if it is no such object.
pub(crate) fn links(kind: Kind, bytes: &[u8]) -> Option<Vec<Link>> {
    let mut all = Vec::new();
    match kind {
        Kind::Bytes | Kind::Code | Kind::Leaf(_) => {}
        Kind::Root => read::<Root>(bytes, &mut all)?,
        Kind::State => read::<ProgramState>(bytes, &mut all)?,
        Kind::Allocations => read::<BTreeMap<u32, u32>>(bytes, &mut all)?,
        Kind::Pages(level) => all = pages::links(level, bytes)?,
        Kind::Node(values) => node_links(values, &whole(bytes)?, &mut all)?,
        Kind::Value(values) => value_links(values, bytes, &mut all)?,
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use gear_exe_primitives::proof::{Branch, Child, Entry};

    const VALUES: [Values; 13] = [
        Values::Codes,
        Values::Programs,
        Values::Keys,
        Values::Queue,
        Values::Waiting,
        Values::Stash,
        Values::Mailbox,
        Values::Mail,
        Values::Outgoing,
        Values::OutgoingLine,
        Values::Held,
        Values::HeldLine,
        Values::Inbox,
    ];

    fn kinds() -> Vec<Kind> {
        let mut all = vec![
            Kind::Root,
            Kind::State,
            Kind::Allocations,
            Kind::Bytes,
            Kind::Code,
        ];
        all.extend((0..4).map(Kind::Pages));
        all.extend(VALUES.map(Kind::Node));
        all.extend(VALUES.map(Kind::Value));
        all
    }

    /// Objects of an importer's nightmares: whatever they say, they are read or refused.
    #[test]
    fn any_bytes_are_read_or_refused() {
        let mut random = 0x9e37_79b9_7f4a_7c15u64;
        let mut below = |limit: u64| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random % limit
        };
        let record = ProgramRecord {
            code_id: [1; 32].into(),
            state_hash: H256::repeat_byte(2),
        };
        let bucket = Node::Bucket(vec![
            Entry {
                key: vec![3; 32],
                value: Value::Here(record.encode()),
            },
            Entry {
                key: vec![4; 32],
                value: Value::Apart(H256::repeat_byte(5)),
            },
        ]);
        let branch = Node::Branch(Branch {
            at: 3,
            prefix: vec![1, 0x20],
            children: (0..17)
                .map(|digit| Child {
                    digit,
                    weight: 1 << 40,
                    hash: H256::repeat_byte(digit),
                })
                .collect(),
        });
        let right: Vec<Vec<u8>> = vec![
            bucket.encode(),
            branch.encode(),
            Root::default().encode(),
            MemoryPages::default().encode(),
            record.encode(),
            vec![0xfe, 0xff, 0xff, 0xff],
            Vec::new(),
        ];
        for _ in 0..4_000 {
            let mut bytes = right[below(right.len() as u64) as usize].clone();
            for _ in 0..below(4) {
                if !bytes.is_empty() {
                    let at = below(bytes.len() as u64) as usize;
                    match below(3) {
                        0 => bytes[at] = below(256) as u8,
                        1 => bytes.truncate(at),
                        _ => bytes.insert(at, below(256) as u8),
                    }
                }
            }
            for kind in kinds() {
                let found = links(kind, &bytes).map_or(0, |links| links.len());
                assert!(found <= bytes.len() / 32, "{kind:?}");
            }
        }
        let mut all = Vec::new();
        node_links(Values::Programs, &bucket, &mut all).unwrap();
        let kinds: Vec<_> = all.iter().map(|link| link.kind).collect();
        assert_eq!(
            kinds,
            [Kind::Code, Kind::State, Kind::Value(Values::Programs)]
        );
        // A record is no dispatch.
        assert_eq!(node_links(Values::Queue, &bucket, &mut all), None);
    }
}
