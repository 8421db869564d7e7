//! What the objects of a state are, and how they are named.
//!
//! Pages, payloads and codes are named by the BLAKE2b-256 of their bytes. Every other object is named by
//! `blake2b256(tag ‖ blake2b256(bytes))`, where the tag tells its kind: programs choose the bytes of payloads and pages,
//! and none of them may ever pass for an object that names others, nor one kind of these for another.

use crate::hashing::blake2b256;
use codec::{Decode, Encode};
use primitive_types::H256;

/// What an object is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Kind {
    /// Behind a state root.
    Root,
    /// A program's state.
    State,
    /// Allocated pages.
    Allocations,
    /// A node of the tree of pages, at this level.
    Pages(u8),
    /// Something else that names nothing, by a number of its own below 64.
    Leaf(u8),
    /// A page or a payload.
    Bytes,
    /// The WASM of a program.
    Code,
    /// A node of a map.
    Node(Values),
    /// A value of a map that is too long for its node.
    Value(Values),
}

/// What the values of a map are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Values {
    /// Programs by id.
    Programs,
    /// Nothing, or a number: the key says it.
    Keys,
    /// Dispatches of a queue, by place.
    Queue,
    /// Waiting messages by id.
    Waiting,
    /// Delayed messages by id.
    Stash,
    /// Mailboxes by user.
    Mailbox,
    /// Messages in one of them, by id.
    Mail,
    /// By program, what goes to Ethereum.
    Outgoing,
    /// What one program has for Ethereum.
    OutgoingLine,
    /// By program, what goes to others.
    Held,
    /// What one program has for others.
    HeldLine,
    /// What came from outside and waits.
    Inbox,
    /// Accepted codes by id.
    Codes,
}

impl Values {
    const fn number(self) -> u8 {
        match self {
            Self::Programs => 0,
            Self::Keys => 1,
            Self::Queue => 2,
            Self::Waiting => 3,
            Self::Stash => 4,
            Self::Mailbox => 5,
            Self::Mail => 6,
            Self::Outgoing => 7,
            Self::OutgoingLine => 8,
            Self::Held => 9,
            Self::HeldLine => 10,
            Self::Inbox => 11,
            Self::Codes => 12,
        }
    }
}

impl Kind {
    /// A number for each kind, zero for those that are named by their bytes alone.
    pub const fn tag(self) -> u8 {
        match self {
            Self::Bytes | Self::Code => 0,
            Self::Root => 1,
            Self::State => 2,
            Self::Allocations => 3,
            Self::Pages(0) => 4,
            Self::Pages(1) => 5,
            // What is below the two lower levels tells them apart.
            Self::Pages(_) => 6,
            Self::Leaf(number) => 128 + (number & 63),
            Self::Node(values) => 16 + values.number(),
            Self::Value(values) => 64 + values.number(),
        }
    }

    /// The hash of an object of this kind.
    pub fn hash(self, bytes: &[u8]) -> H256 {
        hash(self.tag(), bytes)
    }
}

/// The hash of an object whose kind has this [tag](Kind::tag).
pub fn hash(tag: u8, bytes: &[u8]) -> H256 {
    let plain = blake2b256([bytes]);
    match tag {
        0 => plain,
        tag => blake2b256([&[tag], plain.as_bytes()]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::collections::BTreeSet;

    #[test]
    fn no_two_kinds_have_one_tag() {
        let values = [
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
            Values::Codes,
        ];
        let mut tags: BTreeSet<u8> = [
            Kind::Bytes,
            Kind::Root,
            Kind::State,
            Kind::Allocations,
            Kind::Pages(0),
            Kind::Pages(1),
            Kind::Pages(2),
            Kind::Leaf(0),
            Kind::Leaf(63),
        ]
        .map(Kind::tag)
        .into();
        for values in values {
            tags.insert(Kind::Node(values).tag());
            tags.insert(Kind::Value(values).tag());
        }
        assert_eq!(tags.len(), 9 + 2 * values.len());
        assert_eq!(Kind::Bytes.hash(b"x"), blake2b256(["x"]));
        assert_ne!(Kind::Root.hash(b"x"), Kind::State.hash(b"x"));
    }
}
