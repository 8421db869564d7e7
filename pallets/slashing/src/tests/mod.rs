//! Tests, by topic.

mod cancel;
mod deferral;
mod eth;
mod evidence;
mod hostile;
mod offences;
mod order;
mod property;
mod statements;
mod try_state;
