//! What every part of Gear.exe agrees on.
//!
//! This crate stands below all others and imports none of them. Contracts, pallets, executor, observer, node and
//! relayer meet here: an id is computed by one function, a digest is defined once, and a value has one unit.
//!
//! Data flow, in the order of the modules:
//!
//! * [`ids`]: who and what: actors, codes, messages, and how their ids are derived.
//! * [`ethereum`]: what the chain takes from Ethereum: block facts and the events of Router and Mirrors.
//! * [`message`]: reply codes, receipts, and what leaves a program.
//! * [`round`]: the input and the outcome of the execution that belongs to one block of the chain.
//! * [`native`]: messages that users sign and send to a node.
//! * [`certificate`]: what validators sign of a round, and when that is enough.
//! * [`level`]: how far a round or a message is confirmed.
//! * [`transition`]: one program's change, as Ethereum is told of it, and how rounds are squashed into one.
//! * [`outbox`]: the numbered list of everything else that a batch carries.
//! * [`batch`]: the batch, its content hash and the EIP-712 digest that validators sign.
//! * [`settlement`]: how a batch is built from its seal block.
//! * [`signature`]: compact secp256k1 signatures over such digests.
//! * [`quorum`]: when a set of signers is enough.
//! * [`restaking`]: operators of restaked collateral, and what vaults on Ethereum hold for them.
//! * [`facts`]: what the chain itself takes from contracts on Ethereum.
//! * `stake_pages` (feature `substrate`): the pages in which the chain stores that, and their root.
//! * [`vote`]: what validators sign towards the chain itself: views of Ethereum, verdicts on codes.
//! * `voters` (feature `substrate`): who votes, and what must hold of each vote.
//! * [`evidence`]: what proves that a validator broke the rule of one signature on a seal.
//! * [`faults`]: what proves the same of a round or a slot, or that it spoke against a certificate.
//! * [`report`]: what the chain reports of rounds, seals and batches.
//! * [`rewards`]: what is claimed of an era's rewards, and the proofs for it.
//! * `host`, `runtime_api` (feature `substrate`): what crosses between runtime and node.
//! * [`merkle`]: the binary tree over receipts, with proofs that verify offline.
//! * [`proof`]: proofs of pages, messages and balances against a state root.
//!
//! Units: gas is counted in gas, wVARA in base units (12 decimals), ETH in wei, time in seconds where Ethereum gives
//! seconds and in milliseconds elsewhere; each field says which.

#![cfg_attr(not(feature = "std"), no_std)]

extern crate alloc;

pub mod abi;
pub mod batch;
pub mod certificate;
pub mod creation;
pub mod ethereum;
pub mod evidence;
pub mod facts;
pub mod faults;
pub mod hashing;
#[cfg(feature = "substrate")]
pub mod host;
pub mod ids;
pub mod level;
pub mod merkle;
pub mod message;
pub mod native;
pub mod outbox;
pub mod proof;
pub mod quorum;
pub mod report;
pub mod restaking;
pub mod rewards;
pub mod round;
#[cfg(feature = "substrate")]
pub mod runtime_api;
pub mod settlement;
pub mod signature;
#[cfg(feature = "substrate")]
pub mod stake_pages;
pub mod transition;
pub mod vote;
#[cfg(feature = "substrate")]
pub mod voters;

pub use ids::{ActorId, CodeId, MessageId};
pub use primitive_types::{H160, H256, U256};
