//! Amounts as people write them: whole units with a decimal point.

use alloy::primitives::U256;
use serde_json::Value;

/// Decimals of ETH.
pub const ETH: usize = 18;
/// Decimals of wVARA.
pub const WVARA: usize = 12;

/// An amount in whole units, without zeroes at the end.
pub fn show(amount: U256, decimals: usize) -> String {
    let digits = format!("{:0>width$}", amount.to_string(), width = decimals + 1);
    let (whole, rest) = digits.split_at(digits.len() - decimals);
    match rest.trim_end_matches('0') {
        "" => whole.to_owned(),
        rest => format!("{whole}.{rest}"),
    }
}

/// An amount of the node, a number or a decimal string, in whole units.
pub fn units(amount: &Value, decimals: usize) -> Value {
    let text = match amount {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match text.parse() {
        Ok(base) => show(base, decimals).into(),
        Err(_) => amount.clone(),
    }
}

fn read(text: &str, decimals: usize) -> Option<u128> {
    let (whole, rest) = text.split_once('.').unwrap_or((text, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if (whole.is_empty() && rest.is_empty())
        || !digits(whole)
        || !digits(rest)
        || rest.len() > decimals
    {
        return None;
    }
    format!("{whole}{rest:0<decimals$}").parse().ok()
}

/// wVARA in base units, for the command line.
///
/// # Errors
///
/// If it is no amount.
pub fn wvara(text: &str) -> Result<u128, String> {
    read(text, WVARA).ok_or_else(|| {
        "wVARA are a decimal number with up to 12 digits behind the point, for example 0.5".into()
    })
}

/// ETH in wei, for the command line.
///
/// # Errors
///
/// If it is no amount.
pub fn eth(text: &str) -> Result<u128, String> {
    read(text, ETH).ok_or_else(|| {
        "ETH are a decimal number with up to 18 digits behind the point, for example 0.05".into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        for (amount, text) in [
            (0u128, "0"),
            (1, "0.000000000001"),
            (1_000_000_000_000, "1"),
            (1_500_000_000_000, "1.5"),
            (123_000_000_000_000, "123"),
        ] {
            assert_eq!(show(U256::from(amount), WVARA), text);
            assert_eq!(wvara(text), Ok(amount));
        }
        assert_eq!(eth(".5"), Ok(500_000_000_000_000_000));
        for wrong in ["", ".", "-1", "1e3", "1.0000000000001", "1,5"] {
            assert!(wvara(wrong).is_err(), "{wrong}");
        }
    }
}
