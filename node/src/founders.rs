//! Who founds a public network: its first validators and owners, from a file.
//!
//! The runtime's preset for public networks names nobody, so that none can be started by accident with keys that everybody
//! knows. Keys of development accounts are refused here too.

use codec::DecodeAll;
use gear_exe_runtime::{AccountId, Balance, SessionKeys, genesis};
use serde::Deserialize;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// The validators and owners of a new network, as the file says them.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Founders {
    /// The first validators.
    validators: Vec<Founder>,
    /// Accounts with what they own, stakes included: `["kG…", "1000000000000000000"]`, in VARA base units.
    balances: Vec<(AccountId, String)>,
}

/// A first validator.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Founder {
    /// Its account.
    account: AccountId,
    /// Its session keys: `keys` of what `author_rotateKeysWithOwner` answers on its node.
    keys: String,
    /// What it bonds, in VARA base units.
    stake: String,
}

/// What is wrong with a file of founders.
#[derive(Debug, thiserror::Error)]
pub enum FoundersError {
    /// There is no such file.
    #[error("{0}: {1}")]
    File(PathBuf, std::io::Error),
    /// It is no such JSON.
    #[error("{0}: {1}")]
    Format(PathBuf, serde_json::Error),
    /// A network has validators.
    #[error("no validators are named")]
    Nobody,
    /// The session keys are not four keys as a node answers them.
    #[error("the session keys of {0} are not what author_rotateKeysWithOwner answers")]
    Keys(AccountId),
    /// An amount is no whole number of base units.
    #[error("`{0}` is no number of VARA base units")]
    Amount(String),
    /// An account or a key that everybody knows.
    #[error(
        "{0} has an account or a key of the development account {1}, whose secret everybody knows"
    )]
    WellKnown(AccountId, &'static str),
}

fn amount(text: &str) -> Result<Balance, FoundersError> {
    text.parse()
        .map_err(|_| FoundersError::Amount(text.to_owned()))
}

impl Founder {
    fn session_keys(&self) -> Result<SessionKeys, FoundersError> {
        let digits = self.keys.strip_prefix("0x").unwrap_or(&self.keys);
        hex::decode(digits)
            .ok()
            .and_then(|bytes| SessionKeys::decode_all(&mut &bytes[..]).ok())
            .ok_or_else(|| FoundersError::Keys(self.account.clone()))
    }
}

impl Founders {
    /// Reads the file.
    ///
    /// # Errors
    ///
    /// [`FoundersError::File`] or [`FoundersError::Format`].
    pub fn read(path: &Path) -> Result<Self, FoundersError> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| FoundersError::File(path.into(), error))?;
        serde_json::from_str(&text).map_err(|error| FoundersError::Format(path.into(), error))
    }

    /// What the genesis says of them.
    ///
    /// # Errors
    ///
    /// [`FoundersError`] says who or what is not accepted.
    pub fn patch(&self) -> Result<Value, FoundersError> {
        if self.validators.is_empty() {
            return Err(FoundersError::Nobody);
        }
        let mut keys = Vec::new();
        let mut stakers = Vec::new();
        for founder in &self.validators {
            let account = &founder.account;
            let session = founder.session_keys()?;
            if let Some(name) = genesis::development_name(account, Some(&session)) {
                return Err(FoundersError::WellKnown(account.clone(), name));
            }
            stakers.push((account, account, amount(&founder.stake)?, "Validator"));
            keys.push((account, account, session));
        }
        let mut balances = Vec::new();
        for (account, text) in &self.balances {
            if let Some(name) = genesis::development_name(account, None) {
                return Err(FoundersError::WellKnown(account.clone(), name));
            }
            balances.push((account, amount(text)?));
        }
        Ok(json!({
            "balances": { "balances": balances },
            "session": { "keys": keys },
            "staking": { "stakers": stakers, "validatorCount": self.validators.len() },
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use codec::Encode;
    use polkadot_sdk::{
        sp_core::{Pair, ecdsa, ed25519, sr25519},
        sp_keyring::Sr25519Keyring,
    };

    const UNIT: &str = "1000000000000";

    fn account(seed: u8) -> AccountId {
        sr25519::Pair::from_seed(&[seed; 32]).public().into()
    }

    fn keys(seed: u8) -> Vec<u8> {
        let sr25519 = sr25519::Pair::from_seed(&[seed; 32]).public();
        let ed25519 = ed25519::Pair::from_seed(&[seed; 32]).public();
        let ecdsa = ecdsa::Pair::from_seed(&[seed; 32]).public();
        [
            sr25519.encode(),
            ed25519.encode(),
            sr25519.encode(),
            ecdsa.encode(),
        ]
        .concat()
    }

    fn founders(account: &AccountId, keys: &[u8], stake: &str) -> Founders {
        serde_json::from_value(json!({
            "validators": [{ "account": account, "keys": format!("0x{}", hex::encode(keys)), "stake": stake }],
            "balances": [[account, UNIT]],
        }))
        .unwrap()
    }

    impl Founders {
        /// A network of one.
        pub(crate) fn example() -> Self {
            let account = account(1);
            serde_json::from_value(json!({
                "validators": [{ "account": account, "keys": format!("0x{}", hex::encode(keys(1))), "stake": "1000000000000000000" }],
                "balances": [[account, "2000000000000000000"]],
            }))
            .unwrap()
        }
    }

    #[test]
    fn what_the_file_says_becomes_the_genesis() {
        let patch = founders(&account(1), &keys(1), "77").patch().unwrap();
        assert_eq!(patch["staking"]["validatorCount"], 1);
        assert_eq!(patch["staking"]["stakers"][0][2], 77);
        assert_eq!(patch["balances"]["balances"][0][0], json!(account(1)));
    }

    #[test]
    fn keys_that_everybody_knows_are_refused() {
        let alice = Sr25519Keyring::Alice.to_account_id();
        let refused = |founders: Founders| {
            assert!(matches!(
                founders.patch(),
                Err(FoundersError::WellKnown(_, "Alice"))
            ));
        };
        refused(founders(&alice, &keys(1), UNIT));
        // Also a single one of the keys.
        let seed = "//Alice";
        let sr25519 = sr25519::Pair::from_string(seed, None)
            .unwrap()
            .public()
            .encode();
        let ed25519 = ed25519::Pair::from_string(seed, None)
            .unwrap()
            .public()
            .encode();
        let ecdsa = ecdsa::Pair::from_string(seed, None)
            .unwrap()
            .public()
            .encode();
        for (place, known) in [(0, &sr25519), (32, &ed25519), (64, &sr25519), (96, &ecdsa)] {
            let mut keys = keys(1);
            keys[place..place + known.len()].copy_from_slice(known);
            refused(founders(&account(1), &keys, UNIT));
        }
        let mut owner = founders(&account(1), &keys(1), UNIT);
        owner.balances.push((alice, UNIT.to_owned()));
        refused(owner);
    }

    #[test]
    fn what_is_no_file_of_founders_is_named() {
        assert!(matches!(
            Founders::read(Path::new("/nowhere/founders.json")),
            Err(FoundersError::File(..))
        ));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("founders.json");
        std::fs::write(&path, r#"{ "validators": [], "balance": [] }"#).unwrap();
        assert!(matches!(
            Founders::read(&path),
            Err(FoundersError::Format(..))
        ));
        std::fs::write(&path, r#"{ "validators": [], "balances": [] }"#).unwrap();
        assert!(matches!(
            Founders::read(&path).unwrap().patch(),
            Err(FoundersError::Nobody)
        ));
        assert!(matches!(
            founders(&account(1), &keys(1)[1..], UNIT).patch(),
            Err(FoundersError::Keys(_))
        ));
        for wrong in ["", "-1", "1.5", "1 VARA"] {
            assert!(matches!(
                founders(&account(1), &keys(1), wrong).patch(),
                Err(FoundersError::Amount(_))
            ));
        }
    }
}
