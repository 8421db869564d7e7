//! What the pallet must do, by topic.

mod claims;
mod division;
mod expiry;
mod fates;
mod items;
mod pages;
mod pools;
mod random;
mod shares;
mod try_state;
