//! The validators' Ethereum keys in the node's keystore: by them tasks of the node sign seals, rounds and receipts.
//! (Off-chain workers sign through [`gear_exe_primitives::host`].)

use gear_exe_primitives::{
    H160, H256,
    host::{self, AuthorityId, KEY_TYPE},
    signature::CompactSignature,
};
use polkadot_sdk::{sp_core::ecdsa, sp_keystore::Keystore};

/// All of them, each with its address.
pub fn all(keystore: &dyn Keystore) -> Vec<(H160, ecdsa::Public)> {
    keystore
        .ecdsa_public_keys(KEY_TYPE)
        .into_iter()
        .filter_map(|key| Some((host::address_of(&AuthorityId::from(key))?, key)))
        .collect()
}

/// Signs a digest.
///
/// # Errors
///
/// What the keystore says, or that it does not have the key.
pub fn sign(
    keystore: &dyn Keystore,
    key: &ecdsa::Public,
    digest: H256,
) -> Result<CompactSignature, String> {
    let signature = keystore
        .ecdsa_sign_prehashed(KEY_TYPE, key, &digest.0)
        .map_err(|error| error.to_string())?
        .ok_or("it does not have the key")?;
    CompactSignature::from_rsv(&signature.0).map_err(|error| format!("the signature is {error:?}"))
}
