//! Why the Router refused a batch, and what a relayer should make of it.

use crate::revert::Revert;

/// What a relayer should do with a batch that was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalKind {
    /// A batch with this nonce is applied: this one, or another that was built on the same parent. The Router's
    /// `lastBatch` tells which.
    Already,
    /// It can be applied no more; the chain will seal another.
    Stale,
    /// It may be applied later, on another branch, or with more gas.
    Retry,
    /// It can never be applied: its signatures or its content are wrong. An alarm.
    Fatal,
}

/// A refused batch.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the Router refuses the batch: {revert}")]
pub struct CommitError {
    /// What to do.
    pub kind: RefusalKind,
    /// The Router's own words.
    pub revert: Revert,
}

/// Reads the revert data of `commitBatch`.
pub fn decode_commit_error(data: &[u8]) -> CommitError {
    let revert = Revert::decode(data);
    CommitError {
        kind: kind(&revert),
        revert,
    }
}

/// The Router checks in this order: genesis, nonce, parent, set, expiry, age of the set, anchor and rounds against its
/// last batch, outbox cursor, ancestry of the anchor, signatures, custody. What comes after the parent is therefore said
/// of a batch that is built on what the Router holds.
fn kind(revert: &Revert) -> RefusalKind {
    let number = |name| revert.arg(name).and_then(|value| value.parse::<u64>().ok());
    match revert.name.as_str() {
        "InvalidNonce" if number("actual") < number("expected") => RefusalKind::Already,
        // Its parent is not applied yet.
        "InvalidNonce" => RefusalKind::Retry,
        "InvalidParent" | "InvalidSet" | "BatchExpired" | "AnchorTooOld" => RefusalKind::Stale,
        // The branch may come back until the batch expires.
        "AnchorNotAncestor" => RefusalKind::Retry,
        "EnforcedPause" | "InsufficientGasForCallbacks" | "ReentrancyGuardReentrantCall" => {
            RefusalKind::Retry
        }
        // Without a reason: out of gas.
        "" => RefusalKind::Retry,
        _ => RefusalKind::Fatal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::Router;
    use alloy::{
        primitives::{B256, U256},
        sol_types::SolError,
    };

    #[test]
    fn kinds() {
        let nonce = |expected, actual| Router::InvalidNonce { expected, actual }.abi_encode();
        let cases = [
            (nonce(2, 1), RefusalKind::Already),
            (nonce(2, 3), RefusalKind::Retry),
            (
                Router::InvalidParent {
                    expected: B256::ZERO,
                    actual: B256::ZERO,
                }
                .abi_encode(),
                RefusalKind::Stale,
            ),
            (
                Router::BatchExpired { expiry: 1 }.abi_encode(),
                RefusalKind::Stale,
            ),
            (
                Router::AnchorNotAncestor {
                    number: 1,
                    hash: B256::ZERO,
                }
                .abi_encode(),
                RefusalKind::Retry,
            ),
            (
                Router::InvalidSignature { index: U256::ZERO }.abi_encode(),
                RefusalKind::Fatal,
            ),
            (Router::InvalidGenesis {}.abi_encode(), RefusalKind::Fatal),
            (Vec::new(), RefusalKind::Retry),
            (vec![1, 2, 3, 4], RefusalKind::Fatal),
        ];
        for (data, kind) in cases {
            let error = decode_commit_error(&data);
            assert_eq!(error.kind, kind, "{error}");
        }
    }
}
