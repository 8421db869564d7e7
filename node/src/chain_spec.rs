//! Chain specifications: a preset of the runtime, and what it has to know of Ethereum.
//!
//! The Router is initialised with the genesis hash of the chain, and the chain's genesis names the Router. So whoever
//! starts a network deploys the Router's proxy first, makes the specification with its address, asks [`genesis_hash`],
//! and initialises the Router with that.

mod native;

use crate::founders::{Founders, FoundersError};
use codec::Decode;
use gear_exe_ethereum::artifact::{Artifact, ArtifactError};
use gear_exe_primitives::{
    H160, H256,
    batch::{AppliedBatch, RouterDomain},
    creation::MirrorFactory,
    ethereum::EthereumHeader,
    hashing::keccak256,
    host::gear_exe::HostFunctions as OurHostFunctions,
    quorum::Member,
    vote::RouterAt,
};
use gear_exe_runtime::{
    Runtime, SS58_PREFIX, VERSION, WASM_BINARY,
    genesis::{LOCAL_PRESET, TESTNET_PRESET},
    opaque::Block,
};
use polkadot_sdk::{
    sc_chain_spec::{
        ChainSpec as AnyChainSpec, GenericChainSpec, NoExtension, Properties,
        construct_genesis_block, resolve_state_version_from_wasm,
    },
    sc_executor::WasmExecutor,
    sc_service::ChainType,
    sp_core::storage::{StateVersion, Storage, well_known_keys::CODE},
    sp_genesis_builder::DEV_RUNTIME_PRESET,
    sp_io,
    sp_runtime::traits::{BlakeTwo256, Block as BlockT, Hash as HashT},
};
use std::path::PathBuf;

/// A specification whose genesis is built by our runtime.
pub type ChainSpec = GenericChainSpec<NoExtension, OurHostFunctions>;
/// Host functions that our runtime may call.
pub type HostFunctions = (sp_io::SubstrateHostFunctions, OurHostFunctions);

/// Id of the first validator set: what the Router's initialisation gives it.
const FIRST_SET: u64 = 1;

/// Which validators a new network has.
#[derive(Clone, Debug)]
pub enum Preset {
    /// One: Alice.
    Dev,
    /// Four on one machine: Alice, Bob, Charlie, Dave.
    Local,
    /// Those that a file names: a public network.
    Testnet(Founders),
}

/// What a new network has to know of Ethereum, and its pace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NetworkFacts {
    /// EIP-155 id of the Ethereum chain.
    pub chain_id: u64,
    /// The Router.
    pub router: H160,
    /// The first anchor: a block before which nothing happened on the Router but its deployment.
    pub ethereum: EthereumHeader,
    /// Length of a slot, and so of a block, in milliseconds.
    pub slot_duration_ms: u64,
    /// Seconds after its anchor until which the Router takes a batch: a few tens of Ethereum blocks. A batch that the
    /// Router refuses holds the next one up for so long.
    pub expiry_seconds: u64,
}

/// Why a specification cannot be made or read.
#[derive(Debug, thiserror::Error)]
pub enum ChainSpecError {
    /// The runtime was built without its WASM.
    #[error("this binary has no WASM runtime in it: build it without SKIP_WASM_BUILD")]
    NoWasm,
    /// The contracts that are built in are damaged.
    #[error("this binary's contracts cannot be read: {0}")]
    Contract(#[from] ArtifactError),
    /// Who founds a public network is not accepted.
    #[error("{0}")]
    Founders(#[from] FoundersError),
    /// A fact of Ethereum does not become JSON.
    #[error("the genesis cannot be written: {0}")]
    Json(#[from] serde_json::Error),
    /// The file is missing or no specification.
    #[error("chain specification {path}: {reason}")]
    File {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// The runtime refuses the genesis.
    #[error("the runtime refuses the genesis of the chain specification: {0}")]
    Genesis(String),
}

/// The specification of a new network.
///
/// # Errors
///
/// [`ChainSpecError::NoWasm`] if the binary has no runtime in it, [`ChainSpecError::Contract`] if its contracts are
/// damaged, [`ChainSpecError::Founders`] if a public network's founders are not accepted.
pub fn network(preset: Preset, facts: &NetworkFacts) -> Result<ChainSpec, ChainSpecError> {
    let wasm = WASM_BINARY.ok_or(ChainSpecError::NoWasm)?;
    let (name, id, chain_type, preset, founders) = match preset {
        Preset::Dev => (
            "Gear.exe development",
            "gear-exe-dev",
            ChainType::Development,
            DEV_RUNTIME_PRESET,
            None,
        ),
        Preset::Local => (
            "Gear.exe local network",
            "gear-exe-local",
            ChainType::Local,
            LOCAL_PRESET,
            None,
        ),
        Preset::Testnet(founders) => (
            "Gear.exe testnet",
            "gear-exe-testnet",
            ChainType::Live,
            TESTNET_PRESET,
            Some(founders.patch()?),
        ),
    };
    let router = RouterAt {
        block: facts.ethereum.id(),
        batch: AppliedBatch {
            set_id: FIRST_SET,
            ..Default::default()
        },
    };
    let mirrors = MirrorFactory {
        router: facts.router,
        proxy_code_hash: keccak256([Artifact::mirror_proxy_small()?.bytecode]),
    };
    let mut patch = serde_json::json!({
        "execution": { "ethereum": facts.ethereum, "parameters": { "mirrors": mirrors } },
        "settlement": {
            "domain": RouterDomain { chain_id: facts.chain_id, router: facts.router },
            "router": router,
            "parameters": { "expiry_seconds": facts.expiry_seconds },
        },
        "slashing": { "setId": FIRST_SET },
        "pace": { "slotDuration": facts.slot_duration_ms },
    });
    // Other pallets than those above.
    if let (Some(patch), Some(serde_json::Value::Object(founders))) =
        (patch.as_object_mut(), founders)
    {
        patch.extend(founders);
    }
    Ok(ChainSpec::builder(wasm, NoExtension::None)
        .with_name(name)
        .with_id(id)
        .with_protocol_id("gear-exe")
        .with_chain_type(chain_type)
        .with_properties(properties())
        .with_genesis_config_patch(native::preset(preset, patch)?)
        .build())
}

fn properties() -> Properties {
    let mut properties = Properties::new();
    properties.insert("ss58Format".into(), SS58_PREFIX.into());
    properties.insert("tokenSymbol".into(), "VARA".into());
    properties.insert("tokenDecimals".into(), 12.into());
    properties
}

/// Reads a specification, plain or raw, from a JSON file.
///
/// # Errors
///
/// [`ChainSpecError::File`] if it is missing or no specification.
pub fn from_file(path: PathBuf) -> Result<ChainSpec, ChainSpecError> {
    ChainSpec::from_json_file(path.clone()).map_err(|reason| ChainSpecError::File { path, reason })
}

/// The same specification with the genesis' storage in it: nodes start faster on it, since they need not run the runtime
/// to make it.
///
/// # Errors
///
/// [`ChainSpecError::Genesis`] if the runtime refuses the genesis.
pub fn raw(spec: &ChainSpec) -> Result<ChainSpec, ChainSpecError> {
    let mut spec = spec.clone();
    let storage = genesis_storage(&spec)?;
    spec.set_storage(storage);
    Ok(spec)
}

/// The hash of the genesis block of a specification, before any node runs.
///
/// # Errors
///
/// [`ChainSpecError::Genesis`] if the runtime refuses the genesis.
pub fn genesis_hash(spec: &ChainSpec) -> Result<H256, ChainSpecError> {
    let storage = genesis_storage(spec)?;
    let version = state_version(&storage)?;
    let children = storage.children_default.into_values().map(|child| {
        let root = BlakeTwo256::trie_root(child.data.into_iter().collect(), version);
        (
            child.child_info.prefixed_storage_key().into_inner(),
            root.as_bytes().to_vec(),
        )
    });
    let entries = storage.top.into_iter().chain(children).collect();
    let root = BlakeTwo256::trie_root(entries, version);
    Ok(construct_genesis_block::<Block>(root, version)
        .header()
        .hash())
}

fn genesis_storage(spec: &ChainSpec) -> Result<Storage, ChainSpecError> {
    if let Some(storage) = native::storage(spec)? {
        return Ok(storage);
    }
    let mut storage = Storage::default();
    spec.as_storage_builder()
        .assimilate_storage(&mut storage)
        .map_err(ChainSpecError::Genesis)?;
    Ok(storage)
}

/// The first validator set of a specification's chain, in the order of the signer bitmap: the Router is initialised with
/// it.
///
/// # Errors
///
/// [`ChainSpecError::Genesis`] if the runtime refuses the genesis, or has no validators in it.
pub fn first_set(spec: &ChainSpec) -> Result<Vec<Member>, ChainSpecError> {
    let storage = genesis_storage(spec)?;
    let read = |key: Vec<u8>| storage.top.get(&key).map(Vec::as_slice);
    let id = read(pallet_settlement::CurrentSet::<Runtime>::hashed_key().to_vec())
        .and_then(|mut id| u64::decode(&mut id).ok())
        .unwrap_or_default();
    read(pallet_settlement::Sets::<Runtime>::hashed_key_for(id))
        .and_then(|mut members| Vec::decode(&mut members).ok())
        .ok_or_else(|| ChainSpecError::Genesis("it has no validators".into()))
}

fn state_version(storage: &Storage) -> Result<StateVersion, ChainSpecError> {
    // Compiling our own runtime only to hear its version would take seconds.
    if storage.top.get(CODE).map(Vec::as_slice) == WASM_BINARY {
        return Ok(VERSION.state_version());
    }
    let executor = WasmExecutor::<HostFunctions>::builder().build();
    resolve_state_version_from_wasm::<_, BlakeTwo256>(storage, &executor)
        .map_err(|error| ChainSpecError::Genesis(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use gear_exe_primitives::host;
    use polkadot_sdk::{
        sc_chain_spec::json_patch,
        sp_core::{Pair, ecdsa},
        sp_runtime::BuildStorage,
    };

    fn facts() -> NetworkFacts {
        NetworkFacts {
            chain_id: 31_337,
            router: H160::repeat_byte(7),
            ethereum: EthereumHeader {
                hash: H256::repeat_byte(1),
                number: 5,
                ..Default::default()
            },
            slot_duration_ms: 250,
            expiry_seconds: 600,
        }
    }

    fn hash(spec: &ChainSpec) -> H256 {
        genesis_hash(spec).unwrap()
    }

    #[test]
    fn the_genesis_hash_binds_what_is_known_of_ethereum() {
        let spec = network(Preset::Local, &facts()).unwrap();
        let expected = hash(&spec);
        // However it is written down, it is the same network.
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("spec.json");
        for text in [spec.as_json(false), raw(&spec).unwrap().as_json(false)] {
            std::fs::write(&path, text.unwrap()).unwrap();
            let read = from_file(path.clone()).unwrap();
            assert_eq!(hash(&read), expected);
            assert_eq!(read.properties()["ss58Format"], 137);
        }
        let other = NetworkFacts {
            router: H160::repeat_byte(8),
            ..facts()
        };
        assert_ne!(hash(&network(Preset::Local, &other).unwrap()), expected);
        assert_ne!(hash(&network(Preset::Dev, &facts()).unwrap()), expected);
    }

    #[test]
    fn the_router_is_told_of_all_validators_of_a_preset() {
        for (preset, names) in [
            (Preset::Dev, &["Alice"][..]),
            (Preset::Local, &["Alice", "Bob", "Charlie", "Dave"]),
        ] {
            let set = first_set(&network(preset, &facts()).unwrap()).unwrap();
            let mut addresses: Vec<_> = set.iter().map(|member| member.address).collect();
            let mut expected: Vec<_> = names
                .iter()
                .map(|name| {
                    let pair = ecdsa::Pair::from_string(&format!("//{name}"), None).unwrap();
                    host::address_of(&pair.public().into()).unwrap()
                })
                .collect();
            addresses.sort_unstable();
            expected.sort_unstable();
            assert_eq!(addresses, expected);
            assert!(
                set.iter()
                    .all(|member| member.weight == gear_exe_runtime::MEAN_WEIGHT)
            );
        }
    }

    #[test]
    fn native_and_wasm_make_the_same_genesis() {
        let founders = Founders::example();
        for preset in [Preset::Dev, Preset::Local, Preset::Testnet(founders)] {
            let spec = network(preset, &facts()).unwrap();
            let native = native::storage(&spec).unwrap().unwrap();
            let mut wasm = Storage::default();
            spec.assimilate_storage(&mut wasm).unwrap();
            assert_eq!(native.top, wasm.top);
            assert_eq!(native.children_default, wasm.children_default);
            // What has its state in it is left as it is.
            assert!(native::storage(&raw(&spec).unwrap()).unwrap().is_none());
        }
    }

    #[test]
    fn what_the_runtime_refuses_is_an_error() {
        let spec = network(Preset::Dev, &facts()).unwrap();
        let mut json: serde_json::Value =
            serde_json::from_str(&spec.as_json(false).unwrap()).unwrap();
        let mut refused = |path: &str, value: serde_json::Value| {
            let genesis = json.pointer_mut("/genesis/runtimeGenesis/patch").unwrap();
            json_patch::merge(genesis, serde_json::json!({ path: value }));
            let spec = ChainSpec::from_json_bytes(json.to_string().into_bytes()).unwrap();
            genesis_hash(&spec).unwrap_err().to_string()
        };
        assert!(refused("pace", serde_json::json!({ "slotDuration": 0 })).contains("refuses"));
        assert!(refused("nothing", serde_json::json!(1)).contains("unknown field `nothing`"));
    }

    #[test]
    fn the_runtime_says_its_state_version_itself() {
        let mut storage = Storage::default();
        let code = WASM_BINARY.unwrap().to_vec();
        storage.top.insert(CODE.to_vec(), code);
        let executor = WasmExecutor::<HostFunctions>::builder().build();
        let said = resolve_state_version_from_wasm::<_, BlakeTwo256>(&storage, &executor).unwrap();
        assert_eq!(state_version(&storage).unwrap(), said);
    }

    #[test]
    fn a_missing_file_is_named() {
        let missing = from_file("/nowhere/spec.json".into());
        assert!(matches!(
            missing,
            Err(ChainSpecError::File { path, .. }) if path.ends_with("spec.json")
        ));
    }
}
