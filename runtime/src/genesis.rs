//! Genesis presets: `development` (one validator, Alice), `local` (four), `testnet` (at a real network's pace, with nobody in it:
//! whoever starts one names its validators and owners, and the genesis refuses to be without).
//!
//! What differs from network to network comes as a JSON patch from whoever starts it. Names of pallets and of their
//! fields are in camelCase, fields inside a value in snake_case; hashes and addresses are `0x…` strings:
//!
//! ```json
//! {
//!   "pace": {
//!     "slotDuration": 250,
//!     "durations": {
//!       "session": 28800, "sessions_per_era": 6, "bonding": 28, "slash_deferral": 27, "day": 345600
//!     }
//!   },
//!   "slashing": { "setId": 0 },
//!   "bridge": { "backing": 1000000000000000000 },
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
//!         "last_round_hash": "0x…", "outbox_end": 0, "set_id": 0, "spent": 0
//!       }
//!     },
//!     "parameters": {
//!       "expiry_seconds": 600, "max_in_flight": 1, "patience": 40, "handover_patience": 14400, "renewal": 691200,
//!       "attendance": 500000000, "least_seals": 16
//!     }
//!   },
//!   "parametersInForce": {
//!     "deposits": {
//!       "preimage_base": 1000000000000, "preimage_byte": 1000000000, "submission": 10000000000000,
//!       "operator": 100000000000000, "session_keys": 1000000000000
//!     },
//!     "governance": {
//!       "vote_locking": 7, "undeciding": 14, "motion": 7, "whitelisting": 7, "treasury_payout": 30, "treasury_period": 7,
//!       "small_spend": 10000000000000000, "big_spend": 1000000000000000000
//!     },
//!     "fees": { "per_byte": 1, "per_microsecond": 1000000 },
//!     "poolSlashReward": 10000000,
//!     "tracks": [[30, {
//!       "deposit": 100000000000000, "deciding": 50, "prepare": 4, "decision": 336, "confirm": 12, "enactment": 24,
//!       "support_first": 100000000, "support_last": 1000000
//!     }]]
//!   }
//! }
//! ```
//!
//! `execution.ethereum` is the first anchor: a block at or after the Router's deployment, with the same number and hash
//! as `settlement.router.block`. `settlement.router.batch` is what the Router holds there; its `set_id` becomes the id
//! of the first validator set (say it as `slashing.setId` too), whose members the Router must hold. `bridge.backing` is
//! the wVARA that there is before the chain is, in base units: as much VARA is made and locked for it. Without `settlement.domain` nothing is sealed; without
//! `execution.parameters.mirrors` programs cannot create programs. `parametersInForce` has `slashing` and `rewards`, too;
//! its `tracks` names only tracks of referenda that are not as usual, by number. Parts
//! that are left out keep their defaults, which are the values shown (zero for all of Ethereum).

use crate::{
    AccountId, Balance, BalancesConfig, BridgeConfig, NominationPoolsConfig, PaceConfig, Runtime,
    RuntimeGenesisConfig, SessionConfig, SessionKeys, StakingConfig, UNITS, pace,
};
use alloc::{format, string::String, vec::Vec};
use gear_exe_primitives::host;
use polkadot_sdk::{
    frame_support::build_struct_json_patch,
    pallet_treasury::TreasuryAccountId,
    sp_application_crypto::ByteArray,
    sp_core::{Pair, ecdsa, ed25519, sr25519},
    sp_genesis_builder::{self, PresetId},
    sp_keyring::Sr25519Keyring,
    sp_runtime::{Perbill, traits::TypedGet},
    sp_staking::StakerStatus,
};

/// Preset with four validators: Alice, Bob, Charlie, Dave.
pub const LOCAL_PRESET: &str = "local";
/// Preset at the pace of a real network, without accounts, validators and root. Whoever starts a public network gives
/// `balances`, `session.keys` and `staking.stakers` by a patch: there are no well-known keys that could be left in it.
pub const TESTNET_PRESET: &str = "testnet";

/// What each validator of a preset has at stake.
const STAKE: Balance = 100_000 * UNITS;

/// What wVARA's contract makes when it is initialised.
const WVARA_SUPPLY: Balance = 1_000_000 * UNITS;

/// Eras of a quarter of a minute, days of a minute: what takes weeks on a real network can be watched.
const FAST: pace::Durations = pace::Durations {
    session: 20,
    sessions_per_era: 3,
    bonding: 4,
    slash_deferral: 3,
    day: 240,
};

/// Session keys of a development account, all from `//Name`.
fn session_keys(name: &str) -> Option<SessionKeys> {
    let seed = format!("//{name}");
    let sr25519 = sr25519::Pair::from_string(&seed, None).ok()?.public();
    let grandpa = ed25519::Pair::from_string(&seed, None).ok()?.public();
    let ethereum = ecdsa::Pair::from_string(&seed, None).ok()?.public();
    Some(SessionKeys {
        aura: sr25519.into(),
        grandpa: grandpa.into(),
        im_online: sr25519.into(),
        ethereum: host::AuthorityId::from_slice(ethereum.as_ref()).ok()?,
    })
}

/// The name of the development account that has this account or one of these keys. Everybody knows their secrets.
pub fn development_name(account: &AccountId, keys: Option<&SessionKeys>) -> Option<&'static str> {
    Sr25519Keyring::well_known().find_map(|known| {
        let name = <&'static str>::from(known);
        let same_key = |keys: &SessionKeys| {
            session_keys(name).is_some_and(|known| {
                keys.aura == known.aura
                    || keys.grandpa == known.grandpa
                    || keys.im_online == known.im_online
                    || keys.ethereum == known.ethereum
            })
        };
        (known.to_account_id() == *account || keys.is_some_and(same_key)).then_some(name)
    })
}

fn preset(
    validators: &[Sr25519Keyring],
    accounts: impl Iterator<Item = Sr25519Keyring>,
    durations: pace::Durations,
    root: Option<Sr25519Keyring>,
) -> serde_json::Value {
    let keys = validators
        .iter()
        .filter_map(|validator| {
            let account: AccountId = validator.to_account_id();
            let keys = session_keys(&String::from(<&str>::from(*validator)))?;
            Some((account.clone(), account, keys))
        })
        .collect::<Vec<_>>();
    let stakers = keys
        .iter()
        .map(|(account, ..)| {
            let status = StakerStatus::<AccountId>::Validator;
            (account.clone(), account.clone(), STAKE, status)
        })
        .collect::<Vec<_>>();
    let balances = accounts
        .map(|account| (account.to_account_id(), 1_000_000 * UNITS))
        .chain([(TreasuryAccountId::<Runtime>::get(), 1_000_000 * UNITS)])
        .collect::<Vec<_>>();
    let count = u32::try_from(validators.len()).unwrap_or(u32::MAX);
    #[allow(unused_mut)]
    let mut patch = build_struct_json_patch!(RuntimeGenesisConfig {
        balances: BalancesConfig { balances },
        session: SessionConfig { keys },
        staking: StakingConfig {
            stakers,
            validator_count: count,
            minimum_validator_count: 1,
            slash_reward_fraction: Perbill::from_percent(10),
            min_nominator_bond: UNITS,
            min_validator_bond: 10 * UNITS,
        },
        nomination_pools: NominationPoolsConfig {
            min_create_bond: 10 * UNITS,
            min_join_bond: UNITS,
            max_pools: Some(1_024),
            max_members: Some(1 << 20),
            max_members_per_pool: Some(1 << 16),
            global_max_commission: Some(Perbill::one()),
        },
        pace: PaceConfig {
            slot_duration: 250,
            durations,
        },
        bridge: BridgeConfig {
            backing: WVARA_SUPPLY
        },
    });
    #[cfg(feature = "dev")]
    {
        patch["sudo"] = serde_json::json!({ "key": root.map(|root| root.to_account_id()) });
    }
    #[cfg(not(feature = "dev"))]
    let _ = root;
    patch
}

/// A preset's JSON by its name.
pub fn get_preset(id: &PresetId) -> Option<Vec<u8>> {
    use Sr25519Keyring::{Alice, Bob, Charlie, Dave};
    let all = Sr25519Keyring::well_known;
    let patch = match id.as_ref() {
        sp_genesis_builder::DEV_RUNTIME_PRESET => preset(&[Alice], all(), FAST, Some(Alice)),
        LOCAL_PRESET => preset(&[Alice, Bob, Charlie, Dave], all(), FAST, Some(Alice)),
        TESTNET_PRESET => preset(&[], all().take(0), pace::Durations::default(), None),
        _ => return None,
    };
    Some(serde_json::to_string(&patch).ok()?.into_bytes())
}

/// The names of the presets.
pub fn preset_names() -> Vec<PresetId> {
    [
        sp_genesis_builder::DEV_RUNTIME_PRESET,
        LOCAL_PRESET,
        TESTNET_PRESET,
    ]
    .map(PresetId::from)
    .to_vec()
}
