//! Tests by topic.

mod conservation;
mod lock;
mod offchain;
mod order;
mod rewards;
mod sets;
mod slashes;
mod unlock;
mod votes;
