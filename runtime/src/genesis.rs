//! Genesis presets: `dev` (one validator, Alice) and `local` (four).
//!
//! What differs from network to network comes as a JSON patch from whoever starts it. Names of pallets and of their
//! fields are in camelCase, fields inside a value in snake_case; hashes and addresses are `0x…` strings:
//!
//! ```json
//! {
//!   "slots": { "slotDuration": 250 },
//!   "execution": {
//!     "ethereum": {
//!       "hash": "0x…", "parent": "0x…", "number": 7, "timestamp": 1700000000, "randao": "0x…", "receipts_root": "0x…"
//!     },
//!     "parameters": {
//!       "value_per_gas": 100, "round_gas_limit": 4000000000000,
//!       "mirrors": { "router": "0x…", "proxy_code_hash": "0x…" }
//!     },
//!     "views": { "max_age": 1200, "max_ahead": 256, "depth": 0 }
//!   },
//!   "settlement": {
//!     "domain": { "chain_id": 31337, "router": "0x…" },
//!     "router": {
//!       "block": { "number": 7, "hash": "0x…" },
//!       "batch": {
//!         "nonce": 0, "digest": "0x…", "seal_number": 0, "seal_hash": "0x…", "last_round": 0,
//!         "last_round_hash": "0x…", "outbox_end": 0, "set_id": 0
//!       }
//!     },
//!     "parameters": { "expiry_seconds": 600, "max_in_flight": 1, "patience": 40, "handover_patience": 14400 }
//!   }
//! }
//! ```
//!
//! `execution.ethereum` is the first anchor: a block at or after the Router's deployment, with the same number and hash
//! as `settlement.router.block`. `settlement.router.batch` is what the Router holds there; its `set_id` becomes the id
//! of the first validator set, whose members the Router must hold. Without `settlement.domain` nothing is sealed; without
//! `execution.parameters.mirrors` programs cannot create programs. Parts
//! that are left out keep their defaults, which are the values shown (zero for all of Ethereum).

use crate::{
    AccountId, BalancesConfig, RuntimeGenesisConfig, SessionConfig, SessionKeys, SlotsConfig, UNITS,
};
use alloc::{format, string::String, vec, vec::Vec};
use gear_exe_primitives::host;
use polkadot_sdk::{
    frame_support::build_struct_json_patch,
    sp_application_crypto::ByteArray,
    sp_core::{Pair, ecdsa, ed25519, sr25519},
    sp_genesis_builder::{self, PresetId},
    sp_keyring::Sr25519Keyring,
};

/// Preset with four validators: Alice, Bob, Charlie, Dave.
pub const LOCAL_PRESET: &str = "local";

/// Session keys of a development account, all from `//Name`.
fn session_keys(name: &str) -> Option<SessionKeys> {
    let seed = format!("//{name}");
    let aura = sr25519::Pair::from_string(&seed, None).ok()?.public();
    let grandpa = ed25519::Pair::from_string(&seed, None).ok()?.public();
    let ethereum = ecdsa::Pair::from_string(&seed, None).ok()?.public();
    Some(SessionKeys {
        aura: aura.into(),
        grandpa: grandpa.into(),
        ethereum: host::AuthorityId::from_slice(ethereum.as_ref()).ok()?,
    })
}

fn preset(validators: &[Sr25519Keyring]) -> serde_json::Value {
    let keys = validators
        .iter()
        .filter_map(|validator| {
            let account: AccountId = validator.to_account_id();
            let keys = session_keys(&String::from(<&str>::from(*validator)))?;
            Some((account.clone(), account, keys))
        })
        .collect::<Vec<_>>();
    let balances = Sr25519Keyring::well_known()
        .map(|account| (account.to_account_id(), 1_000_000 * UNITS))
        .collect::<Vec<_>>();
    #[allow(unused_mut)]
    let mut patch = build_struct_json_patch!(RuntimeGenesisConfig {
        balances: BalancesConfig { balances },
        session: SessionConfig { keys },
        slots: SlotsConfig { slot_duration: 250 },
    });
    #[cfg(feature = "dev")]
    {
        let key = Sr25519Keyring::Alice.to_account_id();
        patch["sudo"] = serde_json::json!({ "key": key });
    }
    patch
}

/// A preset's JSON by its name.
pub fn get_preset(id: &PresetId) -> Option<Vec<u8>> {
    use Sr25519Keyring::{Alice, Bob, Charlie, Dave};
    let patch = match id.as_ref() {
        sp_genesis_builder::DEV_RUNTIME_PRESET => preset(&[Alice]),
        LOCAL_PRESET => preset(&[Alice, Bob, Charlie, Dave]),
        _ => return None,
    };
    Some(serde_json::to_string(&patch).ok()?.into_bytes())
}

/// The names of the presets.
pub fn preset_names() -> Vec<PresetId> {
    vec![
        PresetId::from(sp_genesis_builder::DEV_RUNTIME_PRESET),
        PresetId::from(LOCAL_PRESET),
    ]
}
