//! Codes: validated, made safe to run, compiled once by Cranelift, and cached in memory and on disk.
//!
//! WASM comes in by [`Codes::add`]; [`validate`] decides whether it may run and reads the facts that execution needs;
//! [`instrument`] makes it meter its gas and bound its stack; the compiled module goes to the cache and, serialized, to
//! the store.

mod bulk;
mod classes;
mod complexity;
mod floats;
mod instrument;
mod metering;
#[cfg(test)]
mod tests;
mod validate;

pub use validate::{MAX_CODE_LENGTH, MAX_FUNCTION_LENGTH, MAX_STATIC_PAGES, system_calls};

use crate::{
    CodeError, OpenError,
    run::Host,
    state::store::{Disk, Entry, Table},
    stats::Counters,
    syscalls,
};
use gear_exe_primitives::{CodeId, hashing::blake2b256};
use parking_lot::Mutex;
use primitive_types::H256;
use std::{
    collections::HashMap,
    sync::{Arc, atomic::Ordering::Relaxed},
};
pub(crate) use validate::{Facts, custom_section};
use wasmtime::{Config, Engine, InstancePre, Linker, Module, OptLevel};

/// Name of the memory that [`instrument`] gives a module.
pub(crate) const MEMORY: &str = "memory";
/// Name of the global that counts the stack: see [`instrument`].
pub(crate) const STACK: &str = "stack";
/// Name of the global that holds the gas left: see [`instrument`].
pub(crate) const GAS: &str = "gas";
/// Name of the function that prepares an instance for another message: see [`instrument`].
pub(crate) const RESET: &str = "reset";
/// Accounted bytes of stack that a message may use.
pub(crate) const STACK_LIMIT: u32 = 16 << 20;
/// Native stack that wasmtime grants to WASM. The accounted bytes, and one frame that is not accounted, are an upper bound
/// of the native ones, so the count ends a program long before this does.
const NATIVE_STACK: usize = 32 << 20;
/// Stack of a thread that runs programs: what WASM may use, and room for system calls and the executor itself.
pub(crate) const THREAD_STACK: usize = 48 << 20;
/// Codes whose compiled form is kept in memory.
const CACHED: usize = 256;
/// Changes whenever the same WASM is compiled to something else: the version of wasmtime and of [`instrument`].
const COMPILER: &[u8] = b"wasmtime-36.0/3";

/// What execution needs of a code.
pub(crate) struct Code {
    /// Compiled, with its system calls resolved.
    pub(crate) instance: InstancePre<Host>,
    pub(crate) facts: Facts,
}

struct Cached {
    code: Arc<Code>,
    used: u64,
}

#[derive(Default)]
struct Cache {
    codes: HashMap<CodeId, Cached>,
    clock: u64,
}

/// Compiled codes, in memory and on disk.
pub(crate) struct Codes {
    disk: Arc<Disk>,
    stats: Arc<Counters>,
    linker: Linker<Host>,
    cache: Mutex<Cache>,
}

impl Codes {
    pub(crate) fn new(disk: Arc<Disk>, stats: Arc<Counters>) -> Result<Self, OpenError> {
        let engine = Engine::new(&config()).map_err(compiler)?;
        let mut linker = Linker::new(&engine);
        syscalls::link(&mut linker).map_err(compiler)?;
        Ok(Self {
            disk,
            stats,
            linker,
            cache: Mutex::default(),
        })
    }

    /// Validates, compiles and stores a code.
    pub(crate) fn add(&self, wasm: &[u8]) -> Result<CodeId, CodeError> {
        let id = CodeId::of(wasm);
        // What is damaged there is put back.
        if matches!(self.wasm(id), Ok(Some(_))) {
            return Ok(id);
        }
        let facts = validate::validate(wasm)?;
        let module = self.compile(wasm)?;
        let artifact = artifact(&module)?;
        let code = self.link(&module, facts)?;
        self.disk.write(&[
            Entry {
                table: Table::Codes,
                key: id.0,
                value: wasm,
            },
            Entry {
                table: Table::Artifacts,
                key: artifact_key(id),
                value: &artifact,
            },
        ])?;
        self.remember(id, code);
        tracing::info!(code = %id, bytes = wasm.len(), "code added");
        Ok(id)
    }

    /// The bytes of a code; nothing if it was never added.
    pub(crate) fn wasm(&self, id: CodeId) -> Result<Option<Vec<u8>>, crate::StoreError> {
        let wasm = self.disk.get(Table::Codes, id.0)?;
        match wasm {
            Some(wasm) if CodeId::of(&wasm) != id => Err(crate::StoreError::Corrupt(id.0)),
            wasm => Ok(wasm),
        }
    }

    /// The compiled code; nothing if it was never added.
    pub(crate) fn get(&self, id: CodeId) -> Result<Option<Arc<Code>>, CodeError> {
        {
            let mut cache = self.cache.lock();
            cache.clock += 1;
            let now = cache.clock;
            if let Some(cached) = cache.codes.get_mut(&id) {
                cached.used = now;
                return Ok(Some(cached.code.clone()));
            }
        }
        let wasm = match self.wasm(id) {
            Err(crate::StoreError::Corrupt(_)) => {
                tracing::error!(code = %id, "the stored bytes of a code are damaged; they have to be fetched again");
                None
            }
            wasm => wasm?,
        };
        let Some(wasm) = wasm else {
            return Ok(None);
        };
        let facts = validate::validate(&wasm)?;
        let stored = self.disk.get(Table::Artifacts, artifact_key(id))?;
        let module = match stored.and_then(|bytes| self.revive(&bytes)) {
            Some(module) => module,
            None => {
                tracing::warn!(code = %id, "no usable artifact of this code is stored; it is compiled anew");
                let module = self.compile(&wasm)?;
                self.disk.write(&[Entry {
                    table: Table::Artifacts,
                    key: artifact_key(id),
                    value: &artifact(&module)?,
                }])?;
                module
            }
        };
        Ok(Some(self.remember(id, self.link(&module, facts)?)))
    }

    /// Codes whose compiled form is in memory.
    pub(crate) fn cached(&self) -> usize {
        self.cache.lock().codes.len()
    }

    fn remember(&self, id: CodeId, code: Code) -> Arc<Code> {
        let code = Arc::new(code);
        let mut cache = self.cache.lock();
        if cache.codes.len() >= CACHED {
            let oldest = cache.codes.iter().min_by_key(|(_, cached)| cached.used);
            if let Some(oldest) = oldest.map(|(id, _)| *id) {
                cache.codes.remove(&oldest);
            }
        }
        let used = cache.clock;
        cache.codes.insert(
            id,
            Cached {
                code: code.clone(),
                used,
            },
        );
        code
    }

    fn compile(&self, wasm: &[u8]) -> Result<Module, CodeError> {
        self.stats.codes_compiled.fetch_add(1, Relaxed);
        let metered = instrument::instrument(wasm)?;
        Module::new(self.linker.engine(), metered).map_err(compiler)
    }

    fn link(&self, module: &Module, facts: Facts) -> Result<Code, CodeError> {
        let instance = self.linker.instantiate_pre(module).map_err(compiler)?;
        Ok(Code { instance, facts })
    }

    #[allow(unsafe_code)]
    fn revive(&self, stored: &[u8]) -> Option<Module> {
        let (hash, bytes) = stored.split_at_checked(32)?;
        if blake2b256([bytes]).as_bytes() != hash {
            return None;
        }
        // SAFETY: `deserialize` wants bytes that `Module::serialize` made, unchanged. This table is written by nothing
        // but `artifact`, from `Module::serialize`; the store belongs to this process, and who can write its file can
        // replace the binary as well. The hash in front shows that the bytes are intact since. An artifact of another
        // wasmtime, configuration or processor is refused by wasmtime itself, and then compiled anew.
        unsafe { Module::deserialize(self.linker.engine(), bytes) }.ok()
    }
}

/// How programs are compiled: as fast as can be, with results that do not depend on the machine.
fn config() -> Config {
    let mut config = Config::new();
    config
        .max_wasm_stack(NATIVE_STACK)
        .cranelift_opt_level(OptLevel::Speed)
        .memory_guard_size(32 << 20)
        // Indirect calls need not look whether their table is ready, which takes most of their time to compile.
        .table_lazy_init(false)
        .wasm_backtrace(false)
        .generate_address_map(false);
    crate::vm::configure(&mut config);
    config
}

fn compiler(error: wasmtime::Error) -> CodeError {
    CodeError::Compiler(format!("{error:#}"))
}

fn artifact_key(id: CodeId) -> H256 {
    blake2b256([id.as_ref(), COMPILER])
}

/// The serialized module behind its hash.
fn artifact(module: &Module) -> Result<Vec<u8>, CodeError> {
    let bytes = module.serialize().map_err(compiler)?;
    Ok([blake2b256([&bytes]).as_bytes(), &bytes].concat())
}
