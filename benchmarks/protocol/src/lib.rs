// SPDX-License-Identifier: GPL-3.0-or-later

//! What the benchmarks ask of the existing engine. It runs in a process of its own, because its signal handlers and ours
//! cannot both have the process: a request is a line of JSON on its input, the response a line on its output.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Bytes, as hexadecimal digits in JSON.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Bytes(pub Vec<u8>);

impl fmt::Debug for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.escape_ascii().to_string())
    }
}

impl From<Bytes> for String {
    fn from(bytes: Bytes) -> Self {
        hex::encode(bytes.0)
    }
}

impl TryFrom<String> for Bytes {
    type Error = hex::FromHexError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        hex::decode(text).map(Self)
    }
}

/// Id of a program, user or message.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Id(pub [u8; 32]);

impl Id {
    /// The id of an Ethereum address.
    pub fn of_address(address: [u8; 20]) -> Self {
        let mut id = [0; 32];
        id[12..].copy_from_slice(&address);
        Self(id)
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl From<Id> for String {
    fn from(id: Id) -> Self {
        hex::encode(id.0)
    }
}

impl TryFrom<String> for Id {
    type Error = hex::FromHexError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let mut id = [0; 32];
        hex::decode_to_slice(text, &mut id)?;
        Ok(Self(id))
    }
}

/// A message from a user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// The program.
    pub to: Id,
    /// The user.
    pub from: Id,
    /// What it says.
    pub payload: Bytes,
    /// In wei.
    pub value: u64,
    /// It came without Ethereum (`injected`, in the existing engine's words).
    pub native: bool,
}

/// What the benchmarks ask.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Request {
    /// Starts over, without programs.
    Reset,
    /// A program; its first message initialises it.
    Create {
        /// Its id.
        id: Id,
        /// Its WASM.
        code: Bytes,
        /// What it owns, in wei.
        owned: u64,
    },
    /// Messages that are sent, so many for each block, until all are answered; told is how long it took. Programs take
    /// turns, and so do payloads.
    Timed {
        /// The programs.
        to: Vec<Id>,
        /// The user.
        from: Id,
        /// What they say.
        payloads: Vec<Bytes>,
        /// How many messages.
        count: usize,
        /// How many for each block.
        per_block: usize,
        /// They come without Ethereum.
        native: bool,
    },
    /// One block with these messages; told is what it did.
    Block {
        /// The messages, in order.
        messages: Vec<Message>,
    },
}

/// The response to a request.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Response {
    /// Done.
    Done,
    /// A message failed that should not have, or the request cannot be fulfilled.
    Failed(String),
    /// The engine panicked. What it said is on its error output; it may be reset.
    Crashed,
    /// How long the messages took.
    Took {
        /// Nanoseconds of the process's processor time.
        processor: u64,
        /// Nanoseconds.
        wall: u64,
    },
    /// What a block did.
    Block(Block),
}

/// What a block did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// Its number.
    pub height: u32,
    /// The ids that the request's messages got.
    pub ids: Vec<Id>,
    /// Messages that left the programs, in order.
    pub sent: Vec<Sent>,
    /// What each program owns after it, in wei.
    pub owned: Vec<(Id, u128)>,
}

/// A message from a program to a user.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Sent {
    /// Its id.
    pub id: Id,
    /// The program.
    pub from: Id,
    /// The user.
    pub to: Id,
    /// What it says.
    pub payload: Bytes,
    /// For a reply: to which message, and with which code.
    pub reply: Option<(Id, [u8; 4])>,
}
