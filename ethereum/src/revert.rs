//! Why a contract refused: revert data, read by the errors that the contracts declare.

use crate::artifact::{Artifact, text};
use alloy::{
    dyn_abi::{DynSolValue, ErrorExt},
    json_abi,
    primitives::{Bytes, Selector, hex},
};
use std::{collections::HashMap, fmt, sync::OnceLock};

/// A refusal by its name, as the contract declares it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Revert {
    /// Name of the error: `NotEnoughWeight`. The selector in hex if no contract of ours declares it; empty if the call
    /// reverted without data, as it does when gas runs out.
    pub name: String,
    /// Names and values of its arguments, in order.
    pub args: Vec<(String, String)>,
    /// The bytes.
    pub data: Bytes,
}

/// What the caller can do about errors that users meet.
const HINTS: &[(&str, &str)] = &[
    (
        "CodeAlreadyOnValidationOrValidated",
        "this code was uploaded before: go on with creating the program",
    ),
    (
        "CodeNotValidated",
        "upload the code first and wait until validators have accepted it",
    ),
    (
        "EnforcedPause",
        "the owner has halted the contracts: try again later",
    ),
    (
        "InitMessageNotCreatedAndCallerNotInitializer",
        "the first message must come from the account that created the program, or from the one it named",
    ),
    (
        "InitMessageNotCreated",
        "send the program its first message before this",
    ),
    (
        "InvalidFallbackCall",
        "this program has no typed ABI: send a message instead, or create it with one",
    ),
    (
        "ProgramExited",
        "the program has ended: its inheritor is in `inheritor()`",
    ),
    (
        "UnknownProgram",
        "no program of this Router has this address",
    ),
    (
        "ERC20InsufficientAllowance",
        "approve wVARA for this contract first, or sign a permit",
    ),
    (
        "ERC20InsufficientBalance",
        "the account has too little wVARA",
    ),
    (
        "BlobNotFound",
        "the transaction must carry the code in blobs",
    ),
    ("NothingPending", "no failed payout is owed to this account"),
    (
        "PendingDepositFailed",
        "the receiver does not accept ETH: name another one",
    ),
    ("ZeroValueTransfer", "send more than nothing"),
];

fn known() -> &'static HashMap<Selector, json_abi::Error> {
    static KNOWN: OnceLock<HashMap<Selector, json_abi::Error>> = OnceLock::new();
    KNOWN.get_or_init(|| {
        [
            text::ROUTER,
            text::MIRROR,
            text::MIDDLEWARE,
            text::WRAPPED_VARA,
            text::ERC1967_PROXY,
            text::COUNTER_CALLER,
        ]
        .into_iter()
        .filter_map(|text| Artifact::from_json(text).ok())
        .flat_map(|artifact| artifact.abi.errors.into_values().flatten())
        .chain(
            ["error Error(string reason)", "error Panic(uint256 code)"]
                .into_iter()
                .filter_map(|text| json_abi::Error::parse(text).ok()),
        )
        .map(|error| (error.selector(), error))
        .collect()
    })
}

fn show(value: &DynSolValue) -> String {
    match value {
        DynSolValue::Bool(value) => value.to_string(),
        DynSolValue::Int(value, _) => value.to_string(),
        DynSolValue::Uint(value, _) => value.to_string(),
        DynSolValue::FixedBytes(word, size) => hex::encode_prefixed(&word[..(*size).min(32)]),
        DynSolValue::Address(address) => address.to_string(),
        DynSolValue::Bytes(bytes) => hex::encode_prefixed(bytes),
        DynSolValue::String(text) => text.clone(),
        other => format!("{other:?}"),
    }
}

impl Revert {
    /// Reads revert data. Data that no error of ours explains is kept as it is.
    pub fn decode(data: &[u8]) -> Self {
        let unknown = |name: String| Self {
            name,
            args: Vec::new(),
            data: Bytes::copy_from_slice(data),
        };
        let Some(selector) = data.get(..4).map(Selector::from_slice) else {
            return unknown(String::new());
        };
        let Some(error) = known().get(&selector) else {
            return unknown(selector.to_string());
        };
        match error.decode_error(data) {
            Ok(decoded) => Self {
                name: error.name.clone(),
                args: error
                    .inputs
                    .iter()
                    .map(|input| input.name.clone())
                    .zip(decoded.body.iter().map(show))
                    .collect(),
                data: Bytes::copy_from_slice(data),
            },
            Err(_) => unknown(selector.to_string()),
        }
    }

    /// Whether a contract of ours, or the compiler, declares it.
    pub fn is_known(&self) -> bool {
        !self.name.is_empty() && !self.name.starts_with("0x")
    }

    /// Value of the argument with this name.
    pub fn arg(&self, name: &str) -> Option<&str> {
        self.args
            .iter()
            .find(|(own, _)| own == name)
            .map(|(_, value)| value.as_str())
    }

    /// What the caller can do about it, if that can be said in general.
    pub fn hint(&self) -> Option<&'static str> {
        HINTS
            .iter()
            .find(|(name, _)| *name == self.name)
            .map(|(_, hint)| *hint)
    }
}

impl fmt::Display for Revert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name.is_empty() {
            return f.write_str("reverted without a reason");
        }
        write!(f, "{}(", self.name)?;
        for (index, (name, value)) in self.args.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{name}: {value}")?;
        }
        f.write_str(")")?;
        match self.hint() {
            Some(hint) => write!(f, ": {hint}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::{Router, WrappedVara};
    use alloy::{primitives::U256, sol_types::SolError};

    #[test]
    fn names_and_arguments() {
        let revert = Revert::decode(
            &Router::NotEnoughWeight {
                signed: U256::from(2),
                total: U256::from(9),
            }
            .abi_encode(),
        );
        assert_eq!(revert.name, "NotEnoughWeight");
        assert!(revert.is_known());
        assert_eq!(revert.arg("signed"), Some("2"));
        assert_eq!(revert.to_string(), "NotEnoughWeight(signed: 2, total: 9)");
    }

    #[test]
    fn the_selector_that_existing_tools_match() {
        let revert = Revert::decode(&Router::CodeAlreadyOnValidationOrValidated {}.abi_encode());
        assert_eq!(revert.data[..], [0x26, 0x28, 0xd1, 0x98]);
        assert!(revert.to_string().contains("uploaded before"));
    }

    #[test]
    fn foreign_and_empty() {
        assert_eq!(Revert::decode(&[]).to_string(), "reverted without a reason");
        assert!(!Revert::decode(&[]).is_known());
        assert_eq!(Revert::decode(&[1, 2, 3, 4]).name, "0x01020304");
        assert!(!Revert::decode(&[1, 2, 3, 4]).is_known());
        // A known selector with content that is not the error's.
        let mut cut = WrappedVara::OwnableUnauthorizedAccount::SELECTOR.to_vec();
        assert!(Revert::decode(&cut).name.starts_with("0x"));
        cut.clear();
        let mut text = alloy::sol_types::Revert::from("no").abi_encode();
        assert_eq!(Revert::decode(&text).arg("reason"), Some("no"));
        text.truncate(20);
        assert!(Revert::decode(&text).args.is_empty());
    }

    #[test]
    fn hints_are_for_errors_that_exist() {
        let names: Vec<_> = known().values().map(|error| error.name.as_str()).collect();
        for (name, _) in HINTS {
            assert!(names.contains(name), "{name}");
        }
    }
}
