//! What can go wrong between a client and its node, with what to do about it.

use gear_exe_primitives::{MessageId, signature::SignatureError};

/// Why a call has no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no node at this address.
    #[error(
        "no node answers at {url}: {reason}; check the address (ws://…) and that the node runs"
    )]
    Unreachable {
        /// Where it was looked for.
        url: String,
        /// What the transport says.
        reason: String,
    },
    /// The connection broke, or the answer took too long. Whether the node has taken what was sent is not known; a message
    /// may be sent again, since it is executed once in any case.
    #[error("the node does not answer {method}: {reason}; ask again")]
    Interrupted {
        /// What was asked.
        method: &'static str,
        /// What the transport says.
        reason: String,
    },
    /// The node does not have this method or subscription.
    #[error("the node does not know {method}; it is older than this client")]
    Unknown {
        /// What was asked.
        method: &'static str,
    },
    /// The node answers with an error.
    #[error("{method}: {message} ({code}){}", .data.as_deref().map(|data| format!(": {data}")).unwrap_or_default())]
    Answered {
        /// What was asked.
        method: &'static str,
        /// JSON-RPC's number.
        code: i32,
        /// The kind of error.
        message: String,
        /// What exactly, and what to do.
        data: Option<String>,
    },
    /// The node does not take the message. Nothing was changed.
    #[error("the node does not take the message: {reason}")]
    Refused {
        /// Why, and what to do.
        reason: String,
    },
    /// The answer is not what the node's reference says.
    #[error("{method} was answered by something else than its reference says: {reason}")]
    Malformed {
        /// What was asked.
        method: &'static str,
        /// What does not fit.
        reason: String,
    },
    /// A signature is none, or not that of who is said to have signed.
    #[error("what the node says of message {id} is not signed by the validator that it names")]
    NotSigned {
        /// The message.
        id: MessageId,
    },
    /// The secret key is none.
    #[error(
        "this is no secret key ({0:?}); use 32 bytes that are not zero and below the order of secp256k1"
    )]
    Key(SignatureError),
}
