//! Why the Router would refuse a batch, read from the data of its revert and sorted by what the relayer does about it.

use alloy::{
    primitives::Bytes,
    sol_types::{Panic, Revert, SolError, SolInterface},
};
use gear_exe_ethereum::abi::{
    Mirror::MirrorErrors,
    Router::{self, RouterErrors},
};

/// What to do about a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Somebody has applied a batch with this nonce: look at the contract again.
    Already,
    /// The batch cannot be applied on this branch any more; another one must follow.
    Stale,
    /// It passes as soon as the node has the block that it builds on.
    Early,
    /// It may pass later as it is.
    Retry,
    /// It can never pass: validators or relayer are wrong. Somebody must look.
    Fatal,
}

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What to do about it.
    pub class: Class,
    /// The error, for the log.
    pub reason: String,
}

impl Refusal {
    fn new(class: Class, reason: impl Into<String>) -> Self {
        Self {
            class,
            reason: reason.into(),
        }
    }
}

/// Reads the data of a revert. `next` is the number of the block in which the batch would have been mined.
pub fn classify(data: &Bytes, next: u64) -> Refusal {
    if let Ok(error) = RouterErrors::abi_decode(data) {
        return Refusal::new(class(&error, next), format!("{error:?}"));
    }
    if let Ok(error) = MirrorErrors::abi_decode(data) {
        return Refusal::new(Class::Fatal, format!("{error:?}"));
    }
    if let Ok(revert) = Revert::abi_decode(data) {
        return Refusal::new(Class::Fatal, format!("revert: {}", revert.reason));
    }
    if let Ok(panic) = Panic::abi_decode(data) {
        return Refusal::new(Class::Fatal, format!("panic: {panic}"));
    }
    if data.is_empty() {
        return Refusal::new(Class::Fatal, "reverts without a reason");
    }
    Refusal::new(Class::Fatal, format!("unknown error {data}"))
}

fn class(error: &RouterErrors, next: u64) -> Class {
    use RouterErrors as E;
    match error {
        E::InvalidNonce(Router::InvalidNonce { expected, actual }) if expected > actual => {
            Class::Already
        }
        E::InvalidNonce(_) => Class::Early,
        // The node lags behind the anchor: its head will reach it. An anchor below the head is on another branch.
        E::AnchorNotAncestor(Router::AnchorNotAncestor { number, .. }) if *number >= next => {
            Class::Early
        }
        E::AnchorNotAncestor(_)
        | E::AnchorTooOld(_)
        | E::InvalidParent(_)
        | E::InvalidSet(_)
        | E::BatchExpired(_)
        | E::AnchorBackwards(_)
        | E::RoundBackwards(_)
        | E::InvalidOutboxCursor(_) => Class::Stale,
        E::EnforcedPause(_)
        | E::ReentrancyGuardReentrantCall(_)
        | E::ValidatorSetStale(_)
        | E::InsufficientGasForCallbacks(_) => Class::Retry,
        _ => Class::Fatal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy::primitives::{B256, U256};

    fn class(error: &impl SolError) -> Class {
        classify(&error.abi_encode().into(), 10).class
    }

    #[test]
    fn each_error_has_its_class() {
        let nonce = |expected, actual| class(&Router::InvalidNonce { expected, actual });
        assert_eq!(nonce(5, 4), Class::Already);
        assert_eq!(nonce(4, 5), Class::Early);
        let anchor = |number| {
            class(&Router::AnchorNotAncestor {
                number,
                hash: B256::ZERO,
            })
        };
        assert_eq!(anchor(10), Class::Early);
        assert_eq!(anchor(9), Class::Stale);
        assert_eq!(class(&Router::BatchExpired { expiry: 1 }), Class::Stale);
        let set = Router::InvalidSet {
            expected: 1,
            actual: 0,
        };
        assert_eq!(class(&set), Class::Stale);
        assert_eq!(class(&Router::EnforcedPause {}), Class::Retry);
        assert_eq!(class(&Router::ValueNotConserved {}), Class::Fatal);
        assert_eq!(class(&Router::UnknownProgram {}), Class::Fatal);
        let signature = Router::InvalidSignature { index: U256::ZERO };
        assert_eq!(class(&signature), Class::Fatal);
        let heads = Router::NotEnoughHeads {
            signed: U256::ZERO,
            total: U256::ONE,
        };
        assert_eq!(class(&heads), Class::Fatal);
    }

    #[test]
    fn unknown_data_is_fatal_and_shown() {
        let refusal = classify(&vec![1, 2, 3, 4].into(), 1);
        assert_eq!(refusal.class, Class::Fatal);
        assert!(refusal.reason.contains("0x01020304"), "{}", refusal.reason);
        assert_eq!(classify(&Bytes::new(), 1).class, Class::Fatal);
        assert!(
            classify(&Router::UnknownProgram {}.abi_encode().into(), 1)
                .reason
                .contains("UnknownProgram")
        );
    }
}
