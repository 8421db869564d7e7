//! The runtime, and the state in which its benchmarks run.

use anyhow::{Context, Result, anyhow, ensure};
use codec::{Decode, Encode};
use gear_exe_primitives::host::gear_exe;
use polkadot_sdk::{
    frame_benchmarking::{self, BenchmarkBatch, BenchmarkList, BenchmarkParameter},
    sc_client_db::BenchmarkingState,
    sc_executor::WasmExecutor,
    sp_core::{
        offchain::{OffchainDbExt, OffchainWorkerExt, testing::TestOffchainExt},
        storage::Storage,
        traits::{CallContext, CodeExecutor, RuntimeCode, WrappedRuntimeCode},
    },
    sp_externalities::Extensions,
    sp_io::{self, hashing::blake2_256},
    sp_keystore::{KeystoreExt, testing::MemoryKeystore},
    sp_runtime::traits::BlakeTwo256,
    sp_state_machine::{BasicExternalities, OverlayedChanges, StateMachine},
};
use serde_json::Value;
use std::path::Path;

/// The genesis in whose state benchmarks run.
const PRESET: &str = "development";

/// What the runtime may call: as the node gives it, and what benchmarks need.
type HostFunctions = (
    sp_io::SubstrateHostFunctions,
    gear_exe::HostFunctions,
    frame_benchmarking::benchmarking::HostFunctions,
);

/// Benchmarks of a pallet.
pub struct PalletBenchmarks(pub BenchmarkList);

impl PalletBenchmarks {
    /// The pallet's crate: `pallet_execution`.
    pub fn name(&self) -> String {
        text(&self.0.pallet)
    }

    /// The pallet's folder: `execution`, `validator-election`.
    pub fn folder(&self) -> String {
        self.name().trim_start_matches("pallet_").replace('_', "-")
    }
}

/// Text from the runtime.
pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// One benchmark with its components' values.
pub struct Selected<'a> {
    /// Whose.
    pub pallet: &'a [u8],
    /// Of which instance.
    pub instance: &'a [u8],
    /// Its name.
    pub name: &'a [u8],
    /// The values.
    pub components: &'a [(BenchmarkParameter, u32)],
}

/// A runtime with benchmarks, on a new chain.
pub struct Chain {
    executor: WasmExecutor<HostFunctions>,
    code: Vec<u8>,
    hash: Vec<u8>,
    /// Counts database accesses.
    counting: BenchmarkingState<BlakeTwo256>,
    /// Does nothing besides.
    plain: BenchmarkingState<BlakeTwo256>,
}

impl Chain {
    /// From a WASM file.
    pub fn new(runtime: &Path) -> Result<Self> {
        let code = std::fs::read(runtime).with_context(|| runtime.display().to_string())?;
        let hash = blake2_256(&code).to_vec();
        let executor = WasmExecutor::builder()
            .with_max_runtime_instances(2)
            .with_runtime_cache_size(2)
            .build();
        let genesis = genesis(&executor, &code, &hash)?;
        let state = |count| {
            BenchmarkingState::new(genesis.clone(), None, count, count)
                .map_err(|error| anyhow!(error))
        };
        Ok(Self {
            counting: state(true)?,
            plain: state(false)?,
            executor,
            code,
            hash,
        })
    }

    /// All benchmarks, pallet by pallet.
    pub fn benchmarks(&self) -> Result<Vec<PalletBenchmarks>> {
        // With it come facts about storage that are not used here.
        let metadata = self.ask(&self.plain, "Benchmark_benchmark_metadata", &false.encode())?;
        let lists = Vec::<BenchmarkList>::decode(&mut &metadata[..])?;
        Ok(lists.into_iter().map(PalletBenchmarks).collect())
    }

    /// Runs a benchmark, with its own checks of what it has done.
    pub fn verify(&self, selected: &Selected) -> Result<()> {
        self.run(&self.plain, selected, true, 1).map(|_| ())
    }

    /// Runs it once and counts.
    pub fn count(&self, selected: &Selected) -> Result<Vec<BenchmarkBatch>> {
        self.run(&self.counting, selected, false, 1)
    }

    /// Runs it and measures time.
    pub fn time(&self, selected: &Selected, repeats: u32) -> Result<Vec<BenchmarkBatch>> {
        self.run(&self.plain, selected, false, repeats)
    }

    fn run(
        &self,
        state: &BenchmarkingState<BlakeTwo256>,
        selected: &Selected,
        verify: bool,
        repeats: u32,
    ) -> Result<Vec<BenchmarkBatch>> {
        let config = (
            selected.pallet,
            selected.instance,
            selected.name,
            selected.components,
            verify,
            repeats,
        );
        let answer = self.ask(state, "Benchmark_dispatch_benchmark", &config.encode())?;
        Result::<Vec<BenchmarkBatch>, String>::decode(&mut &answer[..])?
            .map_err(|error| anyhow!("{}: {error}", text(selected.name)))
    }

    fn ask(
        &self,
        state: &BenchmarkingState<BlakeTwo256>,
        method: &str,
        data: &[u8],
    ) -> Result<Vec<u8>> {
        let fetcher = WrappedRuntimeCode(self.code.as_slice().into());
        let code = RuntimeCode {
            code_fetcher: &fetcher,
            heap_pages: None,
            hash: self.hash.clone(),
        };
        let mut extensions = extensions();
        StateMachine::<_, BlakeTwo256, _>::new(
            state,
            &mut OverlayedChanges::default(),
            &self.executor,
            method,
            data,
            &mut extensions,
            &code,
            CallContext::Offchain,
        )
        .execute()
        .map_err(|error| anyhow!("{method}: {error}"))
    }
}

fn extensions() -> Extensions {
    let (offchain, _) = TestOffchainExt::new();
    let mut extensions = Extensions::default();
    extensions.register(KeystoreExt::new(MemoryKeystore::new()));
    extensions.register(OffchainWorkerExt::new(offchain.clone()));
    extensions.register(OffchainDbExt::new(offchain));
    extensions
}

/// The state that the runtime itself makes of the preset.
fn genesis(executor: &WasmExecutor<HostFunctions>, code: &[u8], hash: &[u8]) -> Result<Storage> {
    let mut state = BasicExternalities::new_empty();
    let fetcher = WrappedRuntimeCode(code.into());
    let code = RuntimeCode {
        code_fetcher: &fetcher,
        heap_pages: None,
        hash: hash.to_vec(),
    };
    let mut ask = |method: &str, data: Vec<u8>| {
        executor
            .call(&mut state, &code, method, &data, CallContext::Offchain)
            .0
            .map_err(|error| anyhow!("{method}: {error}"))
    };
    let mut preset = |name: Option<&str>| -> Result<Value> {
        let answer = ask("GenesisBuilder_get_preset", name.encode())?;
        let json = Option::<Vec<u8>>::decode(&mut &answer[..])?
            .with_context(|| format!("the runtime has no preset {name:?}"))?;
        Ok(serde_json::from_slice(&json)?)
    };
    let mut config = preset(None)?;
    merge(&mut config, preset(Some(PRESET))?);
    let answer = ask(
        "GenesisBuilder_build_state",
        serde_json::to_vec(&config)?.encode(),
    )?;
    let built = Result::<(), String>::decode(&mut &answer[..])?;
    ensure!(built.is_ok(), "the genesis is refused: {built:?}");
    Ok(state.into_storages())
}

/// RFC 7396, as chain specifications are merged.
fn merge(into: &mut Value, patch: Value) {
    match (into, patch) {
        (Value::Object(into), Value::Object(patch)) => {
            for (key, value) in patch {
                merge(into.entry(key).or_insert(Value::Null), value);
            }
        }
        (into, patch) => *into = patch,
    }
}
