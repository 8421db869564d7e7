//! What node and relayer both need of Ethereum.
//!
//! * [`abi`], [`artifact`]: bindings of Router, Mirror and wVARA, and their code.
//! * [`batch`]: a batch in the words of the Router's ABI.
//! * [`blob`]: codes in blobs: layout, proofs, checks.
//! * [`client`]: what wallets do: deploy, upload, create, send, wait.
//! * [`convert`]: between alloy's words and those of `primitives`.
//! * [`dev`]: Anvil, for dev mode and tests.
//! * [`events`]: logs, read as the events that the chain knows.
//! * [`facts`]: burns of wVARA, and what became of slashes.
//! * [`observer`]: follows an Ethereum node through reorgs and outages.
//! * [`revert`]: why a contract refused, by name.

pub mod abi;
pub mod artifact;
pub mod batch;
pub mod blob;
pub mod client;
pub mod convert;
pub mod dev;
pub mod events;
pub mod facts;
pub mod observer;
pub mod revert;
pub mod stakes;
