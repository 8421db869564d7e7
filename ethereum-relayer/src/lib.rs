//! Takes batches that a quorum signed to the Router, and follows them until Ethereum has finalised them.
//!
//! Data flow: [`chain`] (finalised blocks of our chain) → [`intake`] (bodies, checked) → [`pipeline`] (pure decisions)
//! → `driver` (does what they ask) → [`ethereum`] (pre-flight, send, view) with [`store`] (the log, written before
//! anything is sent). [`relayer`] starts and stops it, in the node's dev mode or in the binary `gear-exe-relayer`.
//!
//! A relayer is trusted with nothing but its own ETH: it cannot change a batch, and the Router applies each once. So
//! it decides by what the Router says at each view, and treats its own log as a help, not as the truth.

pub mod alarms;
mod backlog;
mod backoff;
pub mod chain;
mod driver;
mod endpoints;
pub mod ethereum;
mod http;
pub mod intake;
pub mod metrics;
pub mod pipeline;
pub mod relayer;
pub mod store;
pub mod wallet;
mod words;

pub use chain::{Chain, ChainError, Identity, RpcChain};
pub use pipeline::{Alarm, Policy};
pub use relayer::{Relayer, RelayerConfig, RelayerError, RelayerHandle};
pub use wallet::Wallet;
