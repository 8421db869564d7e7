//! Payloads as they are typed: hex, text, or a call by its Solidity signature.

use super::CliError;
use alloy::{
    dyn_abi::{DynSolType, JsonAbiExt},
    json_abi::Function,
};
use clap::Args;

/// A payload, given in one of three ways.
#[derive(Clone, Debug, Args)]
#[group(multiple = false)]
pub struct PayloadArgs {
    /// The payload: hex with 0x, or any other text as its bytes.
    #[arg(default_value = "")]
    payload: String,
    /// A call of a typed method: its signature, then its arguments: --call 'counterAdd(bool,uint32)' false 5.
    #[arg(long, num_args = 1.., value_name = "SIGNATURE ARGUMENTS", allow_negative_numbers = true)]
    call: Vec<String>,
}

impl PayloadArgs {
    /// The bytes.
    ///
    /// # Errors
    ///
    /// If it is no hex, or the call does not match its signature.
    pub fn bytes(&self) -> Result<Vec<u8>, CliError> {
        match self.call.split_first() {
            Some((signature, arguments)) => encode_call(signature, arguments),
            None => parse_payload(&self.payload),
        }
    }
}

fn parse_payload(text: &str) -> Result<Vec<u8>, CliError> {
    match text.strip_prefix("0x") {
        Some(digits) => hex::decode(digits).map_err(|error| {
            CliError::new(
                format!("{text} is no hex: {error}"),
                "give pairs of hex digits after 0x, or text without 0x",
            )
        }),
        None => Ok(text.as_bytes().to_vec()),
    }
}

fn encode_call(signature: &str, arguments: &[String]) -> Result<Vec<u8>, CliError> {
    let next =
        "write it as in Solidity, arguments after it: --call 'counterAdd(bool,uint32)' false 5";
    let function = Function::parse(signature)
        .map_err(|error| CliError::new(format!("{signature} is no method: {error}"), next))?;
    if function.inputs.len() != arguments.len() {
        return Err(CliError::new(
            format!(
                "{signature} takes {} arguments, {} are given",
                function.inputs.len(),
                arguments.len()
            ),
            next,
        ));
    }
    let values = function
        .inputs
        .iter()
        .zip(arguments)
        .map(|(input, text)| {
            DynSolType::parse(&input.ty)
                .and_then(|kind| kind.coerce_str(text))
                .map_err(|error| CliError::new(format!("{text} is no {}: {error}", input.ty), next))
        })
        .collect::<Result<Vec<_>, _>>()?;
    function
        .abi_encode_input(&values)
        .map_err(|error| CliError::new(format!("{signature} cannot be encoded: {error}"), next))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn payload(payload: &str, call: &[&str]) -> Result<Vec<u8>, CliError> {
        PayloadArgs {
            payload: payload.into(),
            call: call.iter().map(|text| (*text).to_owned()).collect(),
        }
        .bytes()
    }

    #[test]
    fn hex_text_and_calls() {
        assert_eq!(payload("0x50", &[]).unwrap(), b"P");
        assert_eq!(payload("PING", &[]).unwrap(), b"PING");
        assert_eq!(payload("", &[]).unwrap(), b"");
        let call = payload("", &["counterAdd(bool,uint32)", "false", "5"]).unwrap();
        assert_eq!(call.len(), 68);
        // As in programs/counter/README.md.
        assert_eq!(hex::encode(&call[..4]), "828ad191");
        assert_eq!(call[67], 5);
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (text, call, expected) in [
            ("0x5", &[][..], "no hex"),
            ("", &["counterAdd(bool"][..], "no method"),
            (
                "",
                &["counterAdd(bool,uint32)", "false"][..],
                "takes 2 arguments",
            ),
            (
                "",
                &["counterAdd(bool,uint32)", "false", "x"][..],
                "x is no uint32",
            ),
        ] {
            let error = payload(text, call).unwrap_err();
            assert!(error.what.contains(expected), "{error}");
        }
    }
}
