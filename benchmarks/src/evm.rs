// SPDX-License-Identifier: GPL-3.0-or-later

//! The EVM: revm on a state in memory, with contracts compiled from `solidity/`. Each transaction's changes are committed;
//! signatures, receipts and the state root are left out.

use crate::Result;
use gear_exe_primitives::hashing::keccak256;
use revm::{
    Context, ExecuteCommitEvm, MainBuilder, MainContext,
    bytecode::Bytecode,
    context::{
        BlockEnv, CfgEnv, Journal, TxEnv,
        result::{ExecutionResult, Output},
    },
    database::{CacheDB, EmptyDB},
    handler::MainnetEvm,
    primitives::{Address, Bytes},
    state::AccountInfo,
};
use serde::Deserialize;

/// Gas that all transactions of an Ethereum block may burn together: the default that clients have voted for since the
/// Fusaka upgrade (EIP-7935).
pub const BLOCK_GAS: u64 = 60_000_000;
/// Gas that one transaction may burn (EIP-7825).
pub const TRANSACTION_GAS: u64 = 1 << 24;
/// Seconds between Ethereum blocks.
pub const BLOCK_SECONDS: f64 = 12.0;

const CONTRACT: Address = Address::repeat_byte(0xc0);

/// What `solidity/compile.mjs` writes.
#[derive(Deserialize)]
struct Compiled {
    solc: String,
    #[serde(rename = "Counter")]
    counter: String,
    #[serde(rename = "Kernels")]
    kernels: String,
    #[serde(rename = "Token")]
    token: String,
}

fn compiled() -> Result<Compiled> {
    Ok(serde_json::from_str(include_str!(
        "../solidity/bytecode.json"
    ))?)
}

/// Version of the Solidity compiler that made the contracts.
pub fn compiler() -> Result<String> {
    Ok(compiled()?.solc)
}

/// A contract of `solidity/`.
#[derive(Clone, Copy, Debug)]
pub enum Contract {
    /// `Counter.sol`
    Counter,
    /// `Kernels.sol`
    Kernels,
    /// `Token.sol`
    Token,
}

type Database = CacheDB<EmptyDB>;

/// An EVM with one contract.
pub struct Evm {
    evm: MainnetEvm<Context<BlockEnv, TxEnv, CfgEnv, Database, Journal<Database>, ()>>,
}

/// What a transaction gave.
#[derive(Clone, Debug)]
pub struct Called {
    /// What the contract returned.
    pub output: Vec<u8>,
    /// Gas that its receipt would show.
    pub gas: u64,
    /// Events that it emitted.
    pub logs: usize,
}

impl Evm {
    /// The contract at work, its storage empty.
    pub fn new(contract: Contract) -> Result<Self> {
        let compiled = compiled()?;
        let code = match contract {
            Contract::Counter => compiled.counter,
            Contract::Kernels => compiled.kernels,
            Contract::Token => compiled.token,
        };
        let mut database = CacheDB::new(EmptyDB::new());
        let code = Bytecode::new_raw(hex::decode(code)?.into());
        database.insert_account_info(CONTRACT, AccountInfo::from_bytecode(code));
        let evm = Context::mainnet()
            .with_db(database)
            .modify_cfg_chained(|config| {
                config.disable_nonce_check = true;
                // A kernel may need more than a transaction, and a block, may have.
                config.tx_gas_limit_cap = Some(u64::MAX);
            })
            .modify_block_chained(|block| block.gas_limit = u64::MAX)
            .build_mainnet();
        Ok(Self { evm })
    }

    /// A transaction that must succeed.
    pub fn call(&mut self, from: [u8; 20], data: &[u8]) -> Result<Called> {
        let transaction = TxEnv::builder()
            .caller(Address::from(from))
            .call(CONTRACT)
            .data(Bytes::copy_from_slice(data))
            .gas_limit(1 << 50)
            .build()
            .map_err(|error| format!("{error:?}"))?;
        let result = self.evm.transact_commit(transaction)?;
        match result {
            ExecutionResult::Success {
                gas,
                logs,
                output: Output::Call(output),
                ..
            } => Ok(Called {
                output: output.to_vec(),
                gas: gas.tx_gas_used(),
                logs: logs.len(),
            }),
            other => Err(format!("the EVM ended with {other:?}").into()),
        }
    }
}

/// Calldata: selector of `signature`, then words. Sails programs that are called from Solidity take the same.
pub fn calldata(signature: &str, words: &[[u8; 32]]) -> Vec<u8> {
    let mut data = keccak256([signature]).0[..4].to_vec();
    words.iter().for_each(|word| data.extend_from_slice(word));
    data
}

/// A number as a word of calldata.
pub fn number(number: u128) -> [u8; 32] {
    let mut word = [0; 32];
    word[16..].copy_from_slice(&number.to_be_bytes());
    word
}

/// An address as a word of calldata.
pub fn address(address: [u8; 20]) -> [u8; 32] {
    let mut word = [0; 32];
    word[12..].copy_from_slice(&address);
    word
}
