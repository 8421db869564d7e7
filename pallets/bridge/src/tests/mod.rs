//! Tests by topic.

mod conservation;
mod lock;
mod offchain;
mod order;
mod sets;
mod slashes;
mod unlock;
mod votes;
