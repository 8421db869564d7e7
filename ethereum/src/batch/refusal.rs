//! Why the Router refuses a batch, read from the data of its revert and sorted by what a relayer does about it.
//!
//! This is the only such table: the relayer's pipeline decides by it, and the contracts' errors are checked against it.

use crate::{
    abi::Router::{self, RouterErrors},
    revert::Revert,
};
use alloy::sol_types::SolInterface;

/// What to do about a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalClass {
    /// A batch with this nonce is applied, this one or another that was built on the same parent: look at the Router
    /// again.
    Already,
    /// It cannot be applied on this branch any more; another one must follow.
    Stale,
    /// It passes as soon as the node has the block, or the Router the batch, that it builds on; never if that block is
    /// on a longer branch which Ethereum has left. What can be applied now goes first.
    Early,
    /// It may pass later as it is: the Router is held up by something else.
    Retry,
    /// It can never pass: its signatures or its content are wrong. Somebody must look.
    Fatal,
}

/// A refusal of `commitBatch`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the Router refuses the batch: {reason}")]
pub struct Refusal {
    /// What to do about it.
    pub class: RefusalClass,
    /// The Router's own words, for the log.
    pub reason: String,
}

impl Refusal {
    /// Reads the data of a revert of a simulation that had all the gas that a transaction may have. `next` is the number
    /// of the block in which the batch would have been mined.
    pub fn decode(data: &[u8], next: u64) -> Self {
        let revert = Revert::decode(data);
        // An error that is none of the Router's own has no place in the order of its checks.
        let known = RouterErrors::abi_decode(data);
        let class = known.map_or(RefusalClass::Fatal, |error| class(&error, next));
        let reason = if revert.is_known() || data.is_empty() {
            revert.to_string()
        } else {
            format!("unknown error {}", revert.data)
        };
        Self { class, reason }
    }
}

/// The Router checks in this order: pause, genesis, nonce, parent, set, expiry, age of the set, anchor and rounds against
/// its last batch, outbox cursor, ancestry of the anchor, signatures, custody. What comes after the parent is therefore
/// said of a batch that is built on what the Router holds, and cannot be excused by a race.
fn class(error: &RouterErrors, next: u64) -> RefusalClass {
    use RouterErrors as E;
    match error {
        E::InvalidNonce(Router::InvalidNonce { expected, actual }) if expected > actual => {
            RefusalClass::Already
        }
        E::InvalidNonce(_) => RefusalClass::Early,
        // The node lags behind the anchor, and its head will reach it; or its branch is shorter than the one that the
        // anchor is on. An anchor below the head is on another branch, which may come back until the batch expires.
        E::AnchorNotAncestor(Router::AnchorNotAncestor { number, .. }) if *number >= next => {
            RefusalClass::Early
        }
        E::AnchorNotAncestor(_)
        | E::AnchorTooOld(_)
        | E::InvalidParent(_)
        | E::InvalidSet(_)
        | E::BatchExpired(_) => RefusalClass::Stale,
        E::EnforcedPause(_)
        | E::ReentrancyGuardReentrantCall(_)
        | E::ValidatorSetStale(_)
        | E::InsufficientGasForCallbacks(_) => RefusalClass::Retry,
        _ => RefusalClass::Fatal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy::{
        primitives::{B256, U256},
        sol_types::SolError,
    };

    fn class(error: &impl SolError) -> RefusalClass {
        Refusal::decode(&error.abi_encode(), 10).class
    }

    #[test]
    fn each_error_has_its_class() {
        let nonce = |expected, actual| class(&Router::InvalidNonce { expected, actual });
        assert_eq!(nonce(5, 4), RefusalClass::Already);
        assert_eq!(nonce(4, 5), RefusalClass::Early);
        let anchor = |number| {
            class(&Router::AnchorNotAncestor {
                number,
                hash: B256::ZERO,
            })
        };
        assert_eq!(anchor(10), RefusalClass::Early);
        assert_eq!(anchor(9), RefusalClass::Stale);
        assert_eq!(
            class(&Router::AnchorTooOld { number: 1 }),
            RefusalClass::Stale
        );
        assert_eq!(
            class(&Router::BatchExpired { expiry: 1 }),
            RefusalClass::Stale
        );
        let set = Router::InvalidSet {
            expected: 1,
            actual: 0,
        };
        assert_eq!(class(&set), RefusalClass::Stale);
        let parent = Router::InvalidParent {
            expected: B256::ZERO,
            actual: B256::ZERO,
        };
        assert_eq!(class(&parent), RefusalClass::Stale);
        assert_eq!(class(&Router::EnforcedPause {}), RefusalClass::Retry);
        assert_eq!(class(&Router::ValueNotConserved {}), RefusalClass::Fatal);
        assert_eq!(class(&Router::UnknownProgram {}), RefusalClass::Fatal);
        assert_eq!(class(&Router::InvalidGenesis {}), RefusalClass::Fatal);
        let signature = Router::InvalidSignature { index: U256::ZERO };
        assert_eq!(class(&signature), RefusalClass::Fatal);
        let heads = Router::NotEnoughHeads {
            signed: U256::ZERO,
            total: U256::ONE,
        };
        assert_eq!(class(&heads), RefusalClass::Fatal);
    }

    /// No honest quorum signs a batch that goes back behind the one it is built on.
    #[test]
    fn what_goes_back_behind_its_own_parent_is_a_fault() {
        let anchor = Router::AnchorBackwards { last: 2, actual: 1 };
        assert_eq!(class(&anchor), RefusalClass::Fatal);
        let round = Router::RoundBackwards { last: 2, actual: 1 };
        assert_eq!(class(&round), RefusalClass::Fatal);
        let cursor = Router::InvalidOutboxCursor {
            expected: 2,
            actual: 1,
        };
        assert_eq!(class(&cursor), RefusalClass::Fatal);
    }

    #[test]
    fn unknown_data_is_fatal_and_shown() {
        let refusal = Refusal::decode(&[1, 2, 3, 4, 5], 1);
        assert_eq!(refusal.class, RefusalClass::Fatal);
        assert!(
            refusal.reason.contains("0x0102030405"),
            "{}",
            refusal.reason
        );
        let silent = Refusal::decode(&[], 1);
        assert_eq!(silent.class, RefusalClass::Fatal);
        assert_eq!(silent.reason, "reverted without a reason");
        let named = Refusal::decode(&Router::UnknownProgram {}.abi_encode(), 1);
        assert!(named.reason.contains("UnknownProgram"), "{named}");
        let text = alloy::sol_types::Revert::from("no").abi_encode();
        assert!(Refusal::decode(&text, 1).reason.contains("no"));
    }
}
