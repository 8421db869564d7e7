//! Tests by topic. The numbers of cases are those of the protocol's list of what must be tested.

mod attendance;
mod ethereum;
mod outbox;
mod seals;
mod sets;
mod signatures;
