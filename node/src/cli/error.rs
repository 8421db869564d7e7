//! What a command says when it fails: what went wrong, and what to do next.

use std::fmt;

/// A failure as its reader needs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CliError {
    /// What went wrong.
    pub what: String,
    /// What to do next.
    pub next: String,
}

impl CliError {
    /// From what went wrong and what to do next.
    pub fn new(what: impl fmt::Display, next: impl fmt::Display) -> Self {
        Self {
            what: what.to_string(),
            next: next.to_string(),
        }
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\n  next: {}", self.what, self.next)
    }
}

impl std::error::Error for CliError {}

/// Says what to do next about an error of somebody else.
pub trait Next<T> {
    /// Adds what was tried and what to do next.
    ///
    /// # Errors
    ///
    /// The error, with both.
    fn next(self, tried: impl fmt::Display, next: impl fmt::Display) -> Result<T, CliError>;
}

impl<T, E: fmt::Display> Next<T> for Result<T, E> {
    fn next(self, tried: impl fmt::Display, next: impl fmt::Display) -> Result<T, CliError> {
        self.map_err(|error| CliError::new(format!("{tried}: {error}"), next))
    }
}
