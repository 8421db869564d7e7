//! Ids of actors, codes and messages, and the formulas by which contracts, programs and clients derive them.
//!
//! The formulas are those that existing Gear programs and Ethereum clients compute themselves, so they are fixed:
//! a code is named by the BLAKE2b-256 of its bytes; an actor that lives on Ethereum by its address, left-padded with
//! twelve zero bytes; a message from a Mirror by `keccak256(mirror ‖ nonce)`; a message that a program sends by
//! `blake2b256("outgoing" ‖ origin ‖ nonce)`, its reply by `blake2b256("reply" ‖ origin)`.

use crate::hashing::{blake2b256, keccak256};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use core::fmt;
use primitive_types::{H160, H256, U256};
use scale_info::TypeInfo;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, DecodeWithMemTracking,
            MaxEncodedLen, TypeInfo,
        )]
        #[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
        #[cfg_attr(feature = "serde", serde(transparent))]
        pub struct $name(pub H256);

        impl $name {
            /// The id of 32 zero bytes.
            pub const fn zero() -> Self {
                Self(H256::zero())
            }
        }

        impl From<[u8; 32]> for $name {
            fn from(bytes: [u8; 32]) -> Self {
                Self(H256(bytes))
            }
        }

        impl From<H256> for $name {
            fn from(hash: H256) -> Self {
                Self(hash)
            }
        }

        impl AsRef<[u8]> for $name {
            fn as_ref(&self) -> &[u8] {
                self.0.as_bytes()
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", self.0)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", self.0)
            }
        }
    };
}

id! {
    /// A program or a user. On Ethereum both are addresses: twelve zero bytes, then the twenty of the address.
    ActorId
}
id! {
    /// A program's code: BLAKE2b-256 of the uploaded WASM.
    CodeId
}
id! {
    /// A message.
    MessageId
}

/// The address to which a program sends what its Mirror shall emit as a raw Ethereum log (`log1` to `log4`).
pub const ETHEREUM_EVENT_ADDRESS: H160 = H160([0xff; 20]);

impl ActorId {
    /// Who has the ETH that users have deposited at the Router: what gives value to programs in their name. It is no
    /// program, and nobody has a key to this address: `Gear.DEPOSITS` in Solidity.
    pub const DEPOSITS: Self = {
        let mut bytes = [0; 32];
        [bytes[28], bytes[29], bytes[30], bytes[31]] = [0xde, 0x90, 0x51, 0x75];
        Self(H256(bytes))
    };

    /// The Ethereum address of this actor, if it has one: the first twelve bytes must be zero.
    pub fn to_address(self) -> Option<H160> {
        self.0.0[..12]
            .iter()
            .all(|byte| *byte == 0)
            .then(|| H160::from_slice(&self.0.0[12..]))
    }

    /// The last twenty bytes, whatever stands before them: how existing clients and Mirrors read an actor id.
    pub fn to_address_lossy(self) -> H160 {
        H160::from_slice(&self.0.0[12..])
    }
}

impl From<H160> for ActorId {
    fn from(address: H160) -> Self {
        let mut bytes = [0; 32];
        bytes[12..].copy_from_slice(address.as_bytes());
        Self(H256(bytes))
    }
}

impl CodeId {
    /// The id of `wasm`.
    pub fn of(wasm: &[u8]) -> Self {
        Self(blake2b256([wasm]))
    }
}

impl MessageId {
    /// The id that a Mirror gives to its `nonce`-th message (`keccak256(abi.encodePacked(mirror, uint256 nonce))`).
    pub fn from_mirror(mirror: H160, nonce: U256) -> Self {
        Self(keccak256([mirror.as_bytes(), &nonce.to_big_endian()[..]]))
    }

    /// The id of the `nonce`-th message sent while `origin` is executed. Waking goes on with the same counter.
    pub fn outgoing(origin: MessageId, nonce: u32) -> Self {
        Self(blake2b256([
            &b"outgoing"[..],
            origin.as_ref(),
            &nonce.to_le_bytes(),
        ]))
    }

    /// The id of the reply to `origin`. A message has at most one.
    pub fn reply(origin: MessageId) -> Self {
        Self(blake2b256([&b"reply"[..], origin.as_ref()]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_round_trip() {
        let address = H160::repeat_byte(7);
        assert_eq!(ActorId::from(address).to_address(), Some(address));
        assert_eq!(ActorId::from([7; 32]).to_address(), None);
    }

    #[test]
    fn mirror_nonce_is_a_256_bit_word() {
        let mirror = H160::repeat_byte(1);
        let mut packed = [0; 52];
        packed[..20].copy_from_slice(mirror.as_bytes());
        packed[51] = 5;
        assert_eq!(
            MessageId::from_mirror(mirror, 5.into()).0,
            keccak256([packed])
        );
    }
}
