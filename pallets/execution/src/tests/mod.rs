//! Tests by topic. The numbers of cases are those of the protocol's list of what must be tested.

mod anchors;
mod codes;
mod natives;
mod offchain;
mod parameters;
mod rewinds;
mod router;
mod votes;
