//! The node: follows Ethereum and the chain, executes rounds, signs batches, serves clients.

pub mod asked;
pub mod backend;
pub mod blobs;
pub mod certificates;
pub mod chain_spec;
pub mod cli;
pub mod codes;
pub mod dev;
pub mod equivocations;
pub mod ethereum_keys;
pub mod ethereum_service;
pub mod executor_service;
pub mod facts;
pub mod founders;
pub mod lifecycle;
pub mod metrics;
pub mod natives;
pub mod rounds;
pub mod rpc;
pub mod service;
pub mod settlement_service;
pub mod stakes;
pub mod status;
pub mod store;
pub mod stores;
pub mod sync;
