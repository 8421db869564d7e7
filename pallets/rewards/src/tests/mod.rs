//! What the pallet must do, by topic.

mod claims;
mod division;
mod expiry;
mod fates;
mod items;
mod pages;
mod random;
mod try_state;
