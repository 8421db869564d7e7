//! What a client is told when a call fails.
//!
//! Codes and messages are those that existing clients compare: 8000 with the kind of failure as message, -32602 for
//! parameters; `data` says what is wrong and what to do.

use gear_exe_ethereum::observer::SourceError;
use gear_exe_executor::StoreError;
use jsonrpsee::types::{ErrorObjectOwned, error::INVALID_PARAMS_CODE};

/// Code of every failure that is not one of the parameters.
pub const FAILURE_CODE: i32 = 8000;

/// Why a call failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RpcError {
    /// What was asked for is not stored here.
    #[error("Database error: {0}")]
    Database(String),
    /// A program, or the runtime, did not give an answer.
    #[error("Runtime error: {0}")]
    Runtime(String),
    /// The call is well-formed but cannot be answered as it is.
    #[error("Bad request: {0}")]
    BadRequest(String),
    /// The node itself failed. The call may be repeated.
    #[error("Internal error: {0}")]
    Internal(String),
    /// A parameter is missing, malformed or too large.
    #[error("Invalid params: {0}")]
    InvalidParams(String),
}

impl RpcError {
    /// Too many calls of one kind are waiting.
    pub fn busy() -> Self {
        Self::Internal("too many calls of this kind are waiting; try again in a second".into())
    }
}

impl From<RpcError> for ErrorObjectOwned {
    fn from(error: RpcError) -> Self {
        let (code, message, data) = match error {
            RpcError::Database(data) => (FAILURE_CODE, "Database error", data),
            RpcError::Runtime(data) => (FAILURE_CODE, "Runtime error", data),
            RpcError::BadRequest(data) => (FAILURE_CODE, "Bad request", data),
            RpcError::Internal(data) => (FAILURE_CODE, "Internal error", data),
            RpcError::InvalidParams(data) => (INVALID_PARAMS_CODE, "Invalid params", data),
        };
        Self::owned(code, message, Some(data))
    }
}

impl From<StoreError> for RpcError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Missing(hash) => Self::Database(format!("{hash:?} is not stored")),
            StoreError::Corrupt(hash) => {
                Self::Database(format!("{hash:?} is stored but is not what was asked for"))
            }
            other => {
                tracing::error!(error = %other, "the executor's store failed in a query");
                Self::Internal(other.to_string())
            }
        }
    }
}

impl From<SourceError> for RpcError {
    fn from(error: SourceError) -> Self {
        match error {
            SourceError::Missing(block) => Self::Database(format!(
                "the Ethereum node does not have block {block} (yet, or any more)"
            )),
            other => Self::Internal(other.to_string()),
        }
    }
}
