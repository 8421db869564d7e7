//! Programs that programs create, and the addresses that their Mirrors get.
//!
//! The executor computes the address while the creator runs; the Router deploys the Mirror there (CREATE2) when the batch
//! with the program's first transition is applied. The salt holds the creator, so nobody else can take the address.

use crate::{
    hashing::keccak256,
    ids::{ActorId, CodeId, MessageId},
};
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use primitive_types::{H160, H256};
use scale_info::TypeInfo;

/// What the Router needs to make a program's Mirror.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, TypeInfo)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct ProgramCreation {
    /// The program that created it.
    pub creator: ActorId,
    /// Its code.
    pub code_id: CodeId,
    /// What distinguishes it from others of this creator and code: see [`ProgramCreation::salt`].
    pub salt: H256,
}

impl ProgramCreation {
    /// The salt of a program that is created with the `nonce`-th message sent while `message` is executed, with the bytes
    /// that the creator chose: `keccak256(message ‖ nonce ‖ bytes)`, so that no two programs can have one address.
    pub fn salt(message: MessageId, nonce: u32, bytes: &[u8]) -> H256 {
        keccak256([message.as_ref(), &nonce.to_be_bytes(), bytes])
    }

    /// `keccak256(creator ‖ codeId ‖ salt)`.
    pub fn hash(&self) -> H256 {
        keccak256([
            self.creator.to_address_lossy().as_bytes(),
            self.code_id.as_ref(),
            self.salt.as_bytes(),
        ])
    }
}

/// Where Mirrors of programs that programs create come from. Zero if there is no such place.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    Encode,
    Decode,
    DecodeWithMemTracking,
    MaxEncodedLen,
    TypeInfo,
)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct MirrorFactory {
    /// The Router, which deploys them.
    pub router: H160,
    /// Keccak-256 of the creation code of `MirrorProxySmall`.
    pub proxy_code_hash: H256,
}

impl MirrorFactory {
    /// The address that a program gets; nothing if there is no Router.
    pub fn address(&self, creation: &ProgramCreation) -> Option<ActorId> {
        if self.router.is_zero() {
            return None;
        }
        let salt = keccak256([
            creation.code_id.as_ref(),
            creation.salt.as_bytes(),
            creation.creator.to_address_lossy().as_bytes(),
        ]);
        let hash = keccak256([
            &[0xff][..],
            self.router.as_bytes(),
            salt.as_bytes(),
            self.proxy_code_hash.as_bytes(),
        ]);
        Some(H160::from_slice(&hash.0[12..]).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_decides_on_the_address() {
        let factory = MirrorFactory {
            router: H160::repeat_byte(1),
            proxy_code_hash: H256::repeat_byte(2),
        };
        let creation = ProgramCreation {
            creator: H160::repeat_byte(3).into(),
            code_id: CodeId(H256::repeat_byte(4)),
            salt: H256::repeat_byte(5),
        };
        let mut addresses = [
            factory.address(&creation),
            MirrorFactory {
                router: H160::repeat_byte(9),
                ..factory
            }
            .address(&creation),
            MirrorFactory {
                proxy_code_hash: H256::repeat_byte(9),
                ..factory
            }
            .address(&creation),
            factory.address(&ProgramCreation {
                creator: H160::repeat_byte(9).into(),
                ..creation
            }),
            factory.address(&ProgramCreation {
                code_id: CodeId(H256::repeat_byte(9)),
                ..creation
            }),
            factory.address(&ProgramCreation {
                salt: H256::repeat_byte(9),
                ..creation
            }),
        ];
        addresses.sort();
        assert!(addresses.windows(2).all(|pair| pair[0] != pair[1]));
        assert!(
            addresses
                .iter()
                .flatten()
                .all(|actor| actor.to_address().is_some())
        );
        assert_eq!(MirrorFactory::default().address(&creation), None);
    }
}
