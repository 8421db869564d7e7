//! Parameters of a call: positional or by name, checked one by one, with an error that names the parameter.

use super::error::RpcError;
use gear_exe_primitives::{ActorId, CodeId, H160, H256};
use jsonrpsee::types::Params;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// The parameters of one call, by their place. Left-out ones and `null` are the same.
#[derive(Debug)]
pub(super) struct Args {
    names: &'static [&'static str],
    values: Vec<Option<Box<RawValue>>>,
}

/// `program_id` from `programId`.
fn snake_case(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    for letter in name.chars() {
        if letter.is_ascii_uppercase() {
            snake.push('_');
        }
        snake.push(letter.to_ascii_lowercase());
    }
    snake
}

fn decode_hex(text: &str) -> Option<Vec<u8>> {
    hex::decode(text.strip_prefix("0x")?).ok()
}

impl Args {
    /// Takes the parameters `names` out of a call. Surplus positional ones are ignored, as other servers do; an unknown
    /// name is an error, since it is a misspelt one.
    pub(super) fn read(
        params: &Params<'_>,
        names: &'static [&'static str],
    ) -> Result<Self, RpcError> {
        let invalid = |error: serde_json::Error| RpcError::InvalidParams(error.to_string());
        let mut values = Vec::new();
        match params.as_str() {
            None => {}
            Some(json) if params.is_object() => {
                let mut given: BTreeMap<String, Box<RawValue>> =
                    serde_json::from_str::<BTreeMap<String, Box<RawValue>>>(json)
                        .map_err(invalid)?
                        .into_iter()
                        .map(|(name, value)| (snake_case(&name), value))
                        .collect();
                values = names.iter().map(|name| given.remove(*name)).collect();
                if let Some(unknown) = given.keys().next() {
                    return Err(RpcError::InvalidParams(format!(
                        "there is no parameter `{unknown}`; known are {}",
                        names.join(", ")
                    )));
                }
            }
            Some(json) => {
                let given: Option<Vec<Box<RawValue>>> =
                    serde_json::from_str(json).map_err(invalid)?;
                values = given.unwrap_or_default().into_iter().map(Some).collect();
            }
        }
        values.resize_with(names.len(), || None);
        for value in &mut values {
            if value.as_ref().is_some_and(|value| value.get() == "null") {
                *value = None;
            }
        }
        Ok(Self { names, values })
    }

    fn name(&self, place: usize) -> &'static str {
        self.names.get(place).copied().unwrap_or("?")
    }

    fn wrong(&self, place: usize, expected: &str) -> RpcError {
        RpcError::InvalidParams(format!("`{}` must be {expected}", self.name(place)))
    }

    fn raw(&self, place: usize) -> Option<&str> {
        self.values.get(place)?.as_deref().map(RawValue::get)
    }

    fn text(&self, place: usize, expected: &str) -> Result<Option<String>, RpcError> {
        self.raw(place)
            .map(|raw| serde_json::from_str(raw).map_err(|_| self.wrong(place, expected)))
            .transpose()
    }

    fn required<T>(&self, place: usize, value: Option<T>, expected: &str) -> Result<T, RpcError> {
        value.ok_or_else(|| {
            RpcError::InvalidParams(format!(
                "`{}` is missing; it must be {expected}",
                self.name(place)
            ))
        })
    }

    /// A value of a type that is read from JSON.
    pub(super) fn json<T: serde::de::DeserializeOwned>(
        &self,
        place: usize,
        expected: &str,
    ) -> Result<T, RpcError> {
        let raw = self.required(place, self.raw(place), expected)?;
        serde_json::from_str(raw).map_err(|_| self.wrong(place, expected))
    }

    /// A hash, or nothing.
    pub(super) fn optional_hash(&self, place: usize) -> Result<Option<H256>, RpcError> {
        const EXPECTED: &str = "32 bytes in hex with 0x";
        self.text(place, EXPECTED)?
            .map(|text| {
                decode_hex(&text)
                    .filter(|bytes| bytes.len() == 32)
                    .map(|bytes| H256::from_slice(&bytes))
                    .ok_or_else(|| self.wrong(place, EXPECTED))
            })
            .transpose()
    }

    /// A hash.
    pub(super) fn hash(&self, place: usize) -> Result<H256, RpcError> {
        self.required(place, self.optional_hash(place)?, "32 bytes in hex with 0x")
    }

    /// A code's id.
    pub(super) fn code(&self, place: usize) -> Result<CodeId, RpcError> {
        self.hash(place).map(CodeId)
    }

    /// An Ethereum address, or an actor's id that is one.
    pub(super) fn address(&self, place: usize) -> Result<H160, RpcError> {
        const EXPECTED: &str = "an Ethereum address: 20 bytes in hex with 0x";
        let text = self.required(place, self.text(place, EXPECTED)?, EXPECTED)?;
        let bytes = decode_hex(&text).ok_or_else(|| self.wrong(place, EXPECTED))?;
        match bytes.len() {
            20 => Some(H160::from_slice(&bytes)),
            32 => ActorId(H256::from_slice(&bytes)).to_address(),
            _ => None,
        }
        .ok_or_else(|| self.wrong(place, EXPECTED))
    }

    /// A program's or user's id.
    pub(super) fn actor(&self, place: usize) -> Result<ActorId, RpcError> {
        self.address(place).map(ActorId::from)
    }

    /// As [`Args::actor`], or nothing.
    pub(super) fn optional_actor(&self, place: usize) -> Result<Option<ActorId>, RpcError> {
        self.raw(place).map(|_| self.actor(place)).transpose()
    }

    /// Bytes in hex, at most `limit` of them.
    pub(super) fn bytes(&self, place: usize, limit: usize) -> Result<Vec<u8>, RpcError> {
        const EXPECTED: &str = "bytes in hex with 0x";
        let text = self.required(place, self.text(place, EXPECTED)?, EXPECTED)?;
        let length = text.len().saturating_sub(2).div_ceil(2);
        if length > limit {
            return Err(RpcError::InvalidParams(format!(
                "`{}` has {length} bytes; the limit is {limit}",
                self.name(place)
            )));
        }
        decode_hex(&text).ok_or_else(|| self.wrong(place, EXPECTED))
    }

    /// A text of at most `limit` bytes.
    pub(super) fn name_of(&self, place: usize, limit: usize) -> Result<String, RpcError> {
        let text = self.required(place, self.text(place, "a text")?, "a text")?;
        if text.len() > limit {
            return Err(RpcError::InvalidParams(format!(
                "`{}` has {} bytes; the limit is {limit}",
                self.name(place),
                text.len()
            )));
        }
        Ok(text)
    }

    /// As [`Args::name_of`], or nothing.
    pub(super) fn optional_name(
        &self,
        place: usize,
        limit: usize,
    ) -> Result<Option<String>, RpcError> {
        self.raw(place)
            .map(|_| self.name_of(place, limit))
            .transpose()
    }

    /// `true` or `false`. Nothing is `false`.
    pub(super) fn flag(&self, place: usize) -> Result<bool, RpcError> {
        self.raw(place).map_or(Ok(false), |raw| {
            serde_json::from_str(raw).map_err(|_| self.wrong(place, "true or false"))
        })
    }

    /// As [`Args::amount`], or nothing.
    pub(super) fn optional_amount(&self, place: usize) -> Result<Option<u128>, RpcError> {
        self.raw(place).map(|_| self.amount(place)).transpose()
    }

    /// An amount: a whole JSON number (also in the notation that JavaScript gives to large ones), or its decimal or hex
    /// digits in a string. Nothing is zero.
    pub(super) fn amount(&self, place: usize) -> Result<u128, RpcError> {
        const EXPECTED: &str = "a whole number from 0 to 2^128 - 1, or a string with its digits";
        let Some(raw) = self.raw(place) else {
            return Ok(0);
        };
        let amount = if raw.starts_with('"') {
            let text = self.text(place, EXPECTED)?.unwrap_or_default();
            match text.strip_prefix("0x") {
                Some(digits) => u128::from_str_radix(digits, 16).ok(),
                None => text.parse().ok(),
            }
        } else {
            raw.parse().ok().or_else(|| {
                let number: f64 = raw.parse().ok()?;
                let whole = number.fract() == 0.0 && (0.0..2f64.powi(128)).contains(&number);
                // In range and whole: the cast is exact.
                whole.then_some(number as u128)
            })
        };
        amount.ok_or_else(|| self.wrong(place, EXPECTED))
    }

    /// A whole number that fits a `u32`. Nothing is zero.
    pub(super) fn index(&self, place: usize) -> Result<u32, RpcError> {
        u32::try_from(self.amount(place)?)
            .map_err(|_| self.wrong(place, "a whole number from 0 to 2^32 - 1"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: &[&str] = &["at", "program_id", "value"];

    fn read(json: &str) -> Result<Args, RpcError> {
        Args::read(&Params::new(Some(json)), NAMES)
    }

    #[test]
    fn by_place_and_by_name() {
        let program = format!("0x{}", "aB".repeat(20));
        let padded = format!("0x{}{}", "00".repeat(12), "ab".repeat(20));
        for json in [
            format!(r#"[null, "{program}", 5, "more"]"#),
            format!(r#"[null, "{padded}", "5"]"#),
            format!(r#"{{"program_id": "{program}", "value": 5}}"#),
            format!(r#"{{"value": "0x5", "programId": "{program}", "at": null}}"#),
        ] {
            let args = read(&json).unwrap();
            assert_eq!(args.optional_hash(0).unwrap(), None, "{json}");
            assert_eq!(args.address(1).unwrap(), H160::repeat_byte(0xab), "{json}");
            assert_eq!(args.amount(2).unwrap(), 5, "{json}");
        }
        for json in ["[]", "null", "{}"] {
            assert_eq!(read(json).unwrap().amount(2).unwrap(), 0, "{json}");
        }
        assert!(Args::read(&Params::new(None), NAMES).is_ok());
    }

    #[test]
    fn amounts_as_javascript_writes_them() {
        for (json, amount) in [
            ("0", 0),
            ("1000000000000000000", 10u128.pow(18)),
            ("1e+21", 10u128.pow(21)),
            ("36893488147419103233", 36_893_488_147_419_103_233),
            ("\"340282366920938463463374607431768211455\"", u128::MAX),
        ] {
            let args = read(&format!("[null, null, {json}]")).unwrap();
            assert_eq!(args.amount(2).unwrap(), amount, "{json}");
        }
        for json in [
            "-1", "0.5", "1e39", "true", "\"\"", "\"-1\"", "[1]", "1e400",
        ] {
            let args = read(&format!("[null, null, {json}]")).unwrap();
            assert!(args.amount(2).is_err(), "{json}");
        }
    }

    #[test]
    fn errors_name_the_parameter() {
        let message = |result: Result<H256, RpcError>| result.unwrap_err().to_string();
        let args = read("[]").unwrap();
        assert_eq!(
            message(args.hash(0)),
            "Invalid params: `at` is missing; it must be 32 bytes in hex with 0x"
        );
        for json in ["[5]", "[\"0x00\"]", "[\"ab\"]", "[[]]", "[\"0xzz\"]"] {
            let args = read(json).unwrap();
            assert_eq!(
                message(args.hash(0)),
                "Invalid params: `at` must be 32 bytes in hex with 0x",
                "{json}"
            );
        }
        assert!(
            read(r#"{"programid": 1}"#)
                .unwrap_err()
                .to_string()
                .contains("there is no parameter `programid`; known are at, program_id, value")
        );
        assert!(read("[").is_err());
        let args = read("[\"0x010203\"]").unwrap();
        assert_eq!(args.bytes(0, 3).unwrap(), [1, 2, 3]);
        assert_eq!(
            args.bytes(0, 2).unwrap_err().to_string(),
            "Invalid params: `at` has 3 bytes; the limit is 2"
        );
    }
}
