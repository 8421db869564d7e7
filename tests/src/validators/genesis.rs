//! The chain specification of a network: the preset of `gear-exe build-spec`, patched as chain specifications are, with whoever the
//! network's definition names as its first validators.

use crate::{definition::Definition, process::binary};
use anyhow::{Context, Result, ensure};
use codec::{Decode, Encode};
use gear_exe_ethereum::{client::Deployment, dev::AnvilNode};
use gear_exe_primitives::{H256, quorum::Member};
use gear_exe_runtime::{AccountId, SessionKeys, UNITS};
use polkadot_sdk::{
    sp_core::{Pair, ecdsa, ed25519, sr25519},
    sp_keyring::Sr25519Keyring,
};
use serde_json::{Value, json};
use std::{path::Path, process::Command};

/// What each validator has at stake, in base units of VARA: as in the preset.
const STAKE: u128 = 100_000 * UNITS;

/// RFC 7396, as chain specifications are merged.
fn merge(into: &mut Value, patch: Value) {
    match (into, patch) {
        (_, Value::Null) => {}
        (Value::Object(into), Value::Object(patch)) => {
            for (key, value) in patch {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, patch) => *into = patch,
    }
}

/// What `gear-exe build-spec` says: genesis hash, and the members of the first set.
fn build_spec(arguments: &[String]) -> Result<(H256, Vec<Member>)> {
    let output = Command::new(binary("gear-exe")?)
        .arg("build-spec")
        .args(arguments)
        .output()?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "build-spec {arguments:?}: {said}");
    let genesis = said
        .lines()
        .find_map(|line| line.strip_prefix("genesis hash: "))
        .context("no genesis hash")?
        .parse()?;
    let members = said
        .lines()
        .filter_map(|line| line.strip_prefix("validator: "))
        .map(|line| {
            let (address, weight) = line.split_once(' ').context("no weight")?;
            Ok(Member {
                address: address.parse()?,
                weight: weight.parse()?,
            })
        })
        .collect::<Result<_>>()?;
    Ok((genesis, members))
}

/// The session keys of a development account: all from `//Name`.
fn session_keys(who: Sr25519Keyring) -> Result<SessionKeys> {
    let seed = format!("//{who}");
    let sr25519 = sr25519::Pair::from_string(&seed, None)?.public().encode();
    let grandpa = ed25519::Pair::from_string(&seed, None)?.public().encode();
    let ethereum = ecdsa::Pair::from_string(&seed, None)?.public().encode();
    // Aura, GRANDPA, ImOnline, Ethereum.
    let keys = [sr25519.clone(), grandpa, sr25519, ethereum].concat();
    Ok(SessionKeys::decode(&mut &keys[..])?)
}

/// Who validates at first, as the genesis says it.
fn validators(who: &[Sr25519Keyring]) -> Result<Value> {
    let (mut keys, mut stakers) = (Vec::new(), Vec::new());
    for one in who {
        let account: AccountId = one.to_account_id();
        keys.push(json!((&account, &account, session_keys(*one)?)));
        stakers.push(json!((&account, &account, STAKE, "Validator")));
    }
    Ok(json!({
        "session": { "keys": keys },
        "staking": { "stakers": stakers, "validatorCount": who.len() },
    }))
}

/// Writes the chain's specification. `isolated` nodes believe no address of others but those that they were given. Returns genesis
/// hash and first set.
pub(super) fn specify(
    definition: &Definition,
    anvil: &AnvilNode,
    plan: &Deployment,
    patch: &Value,
    isolated: bool,
    file: &Path,
) -> Result<(H256, Vec<Member>)> {
    let plain = file.with_extension("plain.json");
    let (plain_name, name) = (plain.display().to_string(), file.display().to_string());
    let mut arguments = definition.specification.clone();
    arguments.extend(["--router".into(), format!("{:#x}", plan.router)]);
    arguments.extend(["--ethereum-rpc".into(), anvil.http()]);
    arguments.extend(["--output".into(), plain_name.clone()]);
    build_spec(&arguments)?;
    let mut spec: Value = serde_json::from_str(&std::fs::read_to_string(&plain)?)?;
    if isolated {
        // On a chain of this type nodes neither tell nor take addresses of one machine.
        spec["chainType"] = json!("Live");
    }
    let genesis = spec
        .pointer_mut("/genesis/runtimeGenesis/patch")
        .context("the specification has no patch")?;
    merge(genesis, validators(&definition.validators)?);
    merge(genesis, definition.genesis.clone());
    merge(genesis, patch.clone());
    std::fs::write(&plain, spec.to_string())?;
    build_spec(&["--chain", &plain_name, "--raw", "--output", &name].map(str::to_owned))
}
