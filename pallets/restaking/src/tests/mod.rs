//! Tests by topic.

mod genesis;
mod offchain;
mod operators;
mod pages;
mod random;
mod rules;
mod stakes;
mod votes;
