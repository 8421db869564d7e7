//! What the pallet must do, by topic.

mod claims;
mod division;
mod expiry;
mod items;
mod pages;
mod random;
mod try_state;
