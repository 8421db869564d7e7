//! Between alloy's words and those of `primitives`.

use alloy::primitives::{Address, B256};
use gear_exe_primitives::{H160, H256};

/// A hash, for alloy.
pub fn b256(hash: H256) -> B256 {
    B256::from(hash.0)
}

/// A hash, from alloy.
pub fn h256(hash: B256) -> H256 {
    H256(hash.0)
}

/// An address, for alloy.
pub fn address(address: H160) -> Address {
    Address::from(address.0)
}

/// An address, from alloy.
pub fn h160(address: Address) -> H160 {
    H160(address.into_array())
}
