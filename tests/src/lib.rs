//! End to end, with real parts only: Anvil as Ethereum, `gear-exe` and `gear-exe-relayer` as processes, and ordinary
//! wallets that know nothing but an Ethereum node.
//!
//! * [`network`]: a network for one test, which a test may kill in parts, cut from Ethereum, or reorganise.
//! * [`wallet`]: what a user does; [`grudge`]: a contract that does not want to be paid.
//! * [`native`]: a user who signs messages and sends them to a node, without Ethereum; [`life`]: what becomes of them.
//! * [`ledger`]: where all ETH is, at every block.
//! * [`backup`]: copies of a node's folder.
//! * [`dev`]: a network as `gear-exe run --dev` starts it, and the command line against it.
//! * [`process`]: processes that never outlive their test.
//! * [`proxy`]: an Ethereum node that goes and comes back, is exchanged for another, or lies.
//! * [`delay`]: distance between processes of one machine.
//! * [`modules`]: WASM that no validator should accept.
//! * [`validators`]: a network of several validators, each a process; [`chain`]: their chain as a client sees it.
//! * [`joining`]: nodes that come later, come back, and have lost something.
//! * [`symbiotic`]: Symbiotic's own contracts, operators, vaults and stakers; [`restaked`]: those that stand behind validators.
//!
//! The binary `gear-exe-demo` is the project's main job, told step by step.

pub mod backup;
pub mod chain;
pub mod delay;
pub mod dev;
pub mod grudge;
pub mod joining;
pub mod ledger;
pub mod life;
pub mod modules;
pub mod native;
pub mod network;
pub mod process;
pub mod proxy;
pub mod restaked;
pub mod symbiotic;
pub mod validators;
pub mod wallet;
