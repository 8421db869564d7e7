//! What Ethereum nodes say in words: where no code is agreed on, clients are understood by what they write.

use crate::{ethereum::EthereumError, pipeline::Answer};
use alloy::transports::TransportError;
use gear_exe_ethereum::batch::{Refusal, RefusalClass};

/// An address may carry an API key in its path or query: only scheme and host are shown.
pub fn shown(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    format!("{scheme}://{host}")
}

/// What a node means that did not take a transaction. Clients agree on no codes here, only, nearly, on words.
pub fn answer_of(text: &str) -> Answer {
    let words = text.to_lowercase();
    let says = |any: &[&str]| any.iter().any(|word| words.contains(word));
    if says(&["nonce too low", "oldnonce", "nonce is too low"]) {
        Answer::NonceUsed
    } else if says(&["insufficient funds", "insufficientfunds", "upfront cost"]) {
        Answer::NoFunds
    } else if says(&[
        "underpriced",
        "replacement",
        "base fee",
        "basefee",
        "fee too low",
        "feetoolow",
    ]) {
        Answer::Underpriced
    } else {
        Answer::Rejected(text.to_owned())
    }
}

/// What a node means that did not run a pre-flight: a refusal of the Router, or no answer.
///
/// # Errors
///
/// [`EthereumError::Refused`] if it says nothing of the batch.
pub fn refusal<T>(error: TransportError, next: u64) -> Result<Result<T, Refusal>, EthereumError> {
    let Some(payload) = error.as_error_resp() else {
        return Err(EthereumError::Refused {
            what: "the pre-flight",
            reason: error.to_string(),
        });
    };
    if let Some(data) = payload.as_revert_data() {
        return Ok(Err(Refusal::decode(&data, next)));
    }
    if payload.message.contains("revert") {
        return Ok(Err(Refusal::decode(&[], next)));
    }
    let words = payload.message.to_lowercase();
    if words.contains("gas") {
        return Ok(Err(Refusal {
            class: RefusalClass::Fatal,
            reason: payload.message.to_string(),
        }));
    }
    // The block is gone, the node is syncing, a limit of its provider: no word on the batch.
    Err(EthereumError::Refused {
        what: "the pre-flight",
        reason: payload.message.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_in_addresses_are_not_shown() {
        for (url, expected) in [
            ("https://eth.example/v3/KEY?x=KEY", "https://eth.example"),
            (
                "wss://user:KEY@eth.example:8546/ws",
                "wss://eth.example:8546",
            ),
            ("http://127.0.0.1:8545", "http://127.0.0.1:8545"),
        ] {
            assert_eq!(shown(url), expected);
        }
    }

    #[test]
    fn words_of_the_clients_are_understood() {
        for text in [
            "replacement transaction underpriced",
            "transaction underpriced",
            "max fee per gas less than block base fee",
            "ReplacementNotAllowed",
            "FeeTooLow, MaxFeePerGas too low",
        ] {
            assert_eq!(answer_of(text), Answer::Underpriced, "{text}");
        }
        assert_eq!(answer_of("nonce too low: next 3"), Answer::NonceUsed);
        assert_eq!(
            answer_of("insufficient funds for gas * price + value"),
            Answer::NoFunds
        );
        assert!(matches!(
            answer_of("exceeds block gas limit"),
            Answer::Rejected(_)
        ));
    }
}
