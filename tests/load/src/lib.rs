//! A load generator: many senders sign native messages, and send some through Ethereum, to several nodes at a given rate. It says
//! how long each level of confirmation took, whether anything was lost, and what the machine was busy with.
//!
//! * [`plan`]: what is sent; the same seed sends the same.
//! * [`target`]: four validators of its own, near or far from each other, or nodes that run already.
//! * [`programs`]: who gets the messages.
//! * [`feed`]: signs ahead, on threads of its own; [`drive`]: sends when it is due, whatever the answers are.
//! * [`follow`]: when each message was seen at which level, by the node that it was sent to.
//! * `audit`, of the tests: what the chain holds afterwards, independently of that.
//! * [`usage`]: processor time of the nodes, and what they say of themselves.
//! * [`run`] puts it together; [`report`] and [`plot`] show it; [`stats`] has the percentiles.
//! * [`soak`]: whether a node grows without bound.
//!
//! The binary `gear-exe-load` is the command line; `scripts/load` builds and starts it. So do `gear-exe-soak` and `scripts/soak`. A short run is among the tests.

pub mod drive;
pub mod feed;
pub mod follow;
pub mod plan;
pub mod plot;
pub mod programs;
pub mod report;
pub mod run;
pub mod soak;
pub mod stats;
pub mod target;
pub mod usage;
