//! What can go wrong between a wallet and Ethereum, in words that say what to do.

use crate::{artifact::ArtifactError, blob::EncodeError, revert::Revert};
use alloy::{
    primitives::{Address, B256},
    transports::{RpcError, TransportErrorKind},
};
use gear_exe_primitives::CodeId;

/// Why something did not happen.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The node cannot be reached, or takes too long.
    #[error(
        "the Ethereum node at {url} does not answer: {reason}; check that it runs and that the URL is right"
    )]
    Unreachable {
        /// Where.
        url: String,
        /// Why.
        reason: String,
    },
    /// The node answered with an error that is none of a contract's.
    #[error("the Ethereum node refuses {action}: {reason}")]
    Node {
        /// What was tried.
        action: String,
        /// The node's words.
        reason: String,
    },
    /// The account cannot pay.
    #[error("{account} has too little ETH for {action}: send it some ({reason})")]
    InsufficientFunds {
        /// The account.
        account: Address,
        /// What was tried.
        action: String,
        /// The node's words.
        reason: String,
    },
    /// A contract refuses. Nothing was sent.
    #[error("{action} is refused: {revert}")]
    Refused {
        /// What was tried.
        action: String,
        /// The contract's words.
        revert: Box<Revert>,
    },
    /// The transaction was mined and failed.
    #[error("{action} failed in transaction {tx}: {revert}")]
    Failed {
        /// What was tried.
        action: String,
        /// The transaction.
        tx: B256,
        /// The contract's words, as far as a repetition told them.
        revert: Box<Revert>,
    },
    /// The deadline passed.
    #[error("{stage}: not done after {seconds} s: {hint}{last}")]
    Timeout {
        /// What was waited for.
        stage: &'static str,
        /// How long.
        seconds: u64,
        /// What to do.
        hint: String,
        /// The last trouble on the way, if there was one.
        last: String,
    },
    /// Validators say that the code is no valid program.
    #[error(
        "validators refuse code {0}: it is no valid Gear program, or its blobs are not the code; the log of any node says \
         why"
    )]
    CodeRefused(CodeId),
    /// There is nothing at the address.
    #[error("there is no contract at {0}: check the address and the network")]
    NoContract(Address),
    /// The code does not fit into blobs.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// A compiled contract cannot be used.
    #[error(transparent)]
    Artifact(#[from] ArtifactError),
    /// A contract did not do what its interface says.
    #[error("unexpected: {0}")]
    Unexpected(String),
}

impl ClientError {
    /// Whether trying the same again may help: the node could not be asked.
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }

    /// The contract's words, if it is a contract that refused.
    pub fn revert(&self) -> Option<&Revert> {
        match self {
            Self::Refused { revert, .. } | Self::Failed { revert, .. } => Some(revert),
            _ => None,
        }
    }

    pub(super) fn of_rpc(
        error: RpcError<TransportErrorKind>,
        url: &str,
        account: Address,
        action: &str,
    ) -> Self {
        let Some(response) = error.as_error_resp() else {
            return Self::Unreachable {
                url: url.into(),
                reason: error.to_string(),
            };
        };
        let action = action.to_owned();
        let reason = response.message.to_string();
        if let Some(data) = response.as_revert_data() {
            return Self::Refused {
                action,
                revert: Box::new(Revert::decode(&data)),
            };
        }
        let words = reason.to_lowercase();
        if words.contains("revert") {
            return Self::Refused {
                action,
                revert: Box::new(Revert::decode(&[])),
            };
        }
        if words.contains("insufficient funds") {
            return Self::InsufficientFunds {
                account,
                action,
                reason,
            };
        }
        Self::Node { action, reason }
    }
}
