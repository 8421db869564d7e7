// SPDX-License-Identifier: GPL-3.0-or-later

//! Calldata and events as Solidity knows them.

use crate::host::{ETH_EVENT, Id, Sent};
use sha3::{Digest, Keccak256};

pub(crate) fn keccak(text: &str) -> Id {
    Keccak256::digest(text.as_bytes()).into()
}

pub(crate) fn word(number: u128) -> Id {
    let mut word = [0; 32];
    word[16..].copy_from_slice(&number.to_be_bytes());
    word
}

/// Calldata of a function whose arguments all have one word.
pub(crate) fn call(signature: &str, arguments: &[Id]) -> Vec<u8> {
    [&keccak(signature)[..4], &arguments.concat()].concat()
}

pub(crate) const NO_CALL_REPLY: Id = [0; 32];

pub(crate) fn call_reply() -> Id {
    word(1)
}

/// The message that the Mirror turns into an Ethereum event.
pub(crate) fn event(topics: &[Id], data: &[u8]) -> Sent {
    let payload = [&[topics.len() as u8], topics.concat().as_slice(), data].concat();
    Sent {
        to: ETH_EVENT,
        payload,
        value: 0,
        delay: 0,
    }
}
