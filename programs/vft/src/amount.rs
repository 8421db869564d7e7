// SPDX-License-Identifier: GPL-3.0-or-later

//! An amount of tokens: `uint256` for Solidity, `U256` for SCALE. Sails itself has no type that is both.

use core::borrow::Borrow;
use sails_rs::{
    alloy_primitives,
    alloy_sol_types::{SolValue, sol_data::Uint},
    prelude::*,
    scale_codec,
    type_info::{Registry, ast::TypeDecl},
};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount(alloy_primitives::U256);

impl Amount {
    pub fn is_zero(self) -> bool {
        self.0.is_zero()
    }

    pub fn checked_add(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).map(Self)
    }

    pub fn checked_sub(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }
}

// Solidity: whatever can be borrowed as alloy's integer is encoded as that. Events are encoded from references to their fields.

impl SolValue for Amount {
    type SolType = Uint<256>;
}

impl From<alloy_primitives::U256> for Amount {
    fn from(value: alloy_primitives::U256) -> Self {
        Self(value)
    }
}

impl Borrow<alloy_primitives::U256> for Amount {
    fn borrow(&self) -> &alloy_primitives::U256 {
        &self.0
    }
}

impl Borrow<alloy_primitives::U256> for &Amount {
    fn borrow(&self) -> &alloy_primitives::U256 {
        &self.0
    }
}

// SCALE: 32 bytes, the lowest first. Sails clients see a plain `u256`.

impl Encode for Amount {
    fn size_hint(&self) -> usize {
        32
    }

    fn using_encoded<R, F: FnOnce(&[u8]) -> R>(&self, f: F) -> R {
        f(&self.0.to_le_bytes::<32>())
    }
}

impl EncodeLike for Amount {}

impl Decode for Amount {
    fn decode<I: scale_codec::Input>(input: &mut I) -> Result<Self, scale_codec::Error> {
        <[u8; 32]>::decode(input).map(|bytes| Self(alloy_primitives::U256::from_le_bytes(bytes)))
    }
}

impl TypeInfo for Amount {
    type Identity = <U256 as TypeInfo>::Identity;

    fn type_decl(registry: &mut Registry) -> TypeDecl {
        U256::type_decl(registry)
    }
}

impl ReflectHash for Amount {
    const HASH: [u8; 32] = <U256 as ReflectHash>::HASH;
}
