//! The face of the node: what the network does as this node sees it, and the page on the RPC port that shows it.
//!
//! Data flow: [`watch`] listens to executed rounds, certificates and finality and looks at the chain's seals once a second;
//! it keeps a bounded memory of them ([`levels`] of rounds, [`batches`]), sets gauges from it, and RPC's `gear_network` reads it.
//! [`page`] answers a browser that opens the RPC port; the page itself lives on `gear_network`, `gear_programs` and
//! `gear_subscribeRounds` like every other client.

pub mod batches;
pub mod levels;
pub mod page;
pub mod watch;

pub use batches::{BatchSeen, BatchState};
pub use levels::RoundSeen;
pub use watch::{Sources, View, Watch};

use gear_exe_primitives::transition::StateTransition;

/// How many programs have changed.
fn programs(transitions: &[StateTransition]) -> u64 {
    let programs = transitions.iter().filter(|own| !own.is_of_deposits());
    programs.count() as u64
}
