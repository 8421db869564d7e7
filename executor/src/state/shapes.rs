//! How stored objects look in JSON: bytes and codes as `0x` hex, amounts as numbers while JavaScript can hold them and
//! as decimal strings above.
//!
//! Only readable formats are served; the store itself uses SCALE.

use serde::{Deserialize, Deserializer, Serializer, de};
use std::fmt::{Display, Write};

/// The largest integer that a JavaScript number holds exactly.
pub const MAX_SAFE_INTEGER: u128 = (1 << 53) - 1;

#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Small(u64),
    Text(String),
}

/// An amount: a number up to [`MAX_SAFE_INTEGER`], above it a decimal string.
pub mod amount {
    use super::*;

    /// Writes an amount.
    ///
    /// # Errors
    ///
    /// The serializer's own.
    pub fn serialize<S: Serializer, T: Copy + Display + Into<u128>>(
        value: &T,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let wide: u128 = (*value).into();
        match u64::try_from(wide) {
            Ok(small) if wide <= MAX_SAFE_INTEGER => serializer.serialize_u64(small),
            _ => serializer.collect_str(value),
        }
    }

    /// Reads a number or a decimal string.
    ///
    /// # Errors
    ///
    /// Anything that is no amount of this width.
    pub fn deserialize<'de, D: Deserializer<'de>, T: TryFrom<u128>>(
        deserializer: D,
    ) -> Result<T, D::Error> {
        let wide = match Number::deserialize(deserializer)? {
            Number::Small(small) => small.into(),
            Number::Text(text) => text.parse::<u128>().map_err(de::Error::custom)?,
        };
        T::try_from(wide).map_err(|_| de::Error::custom("the amount is too large"))
    }
}

fn to_hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 + 2 * bytes.len());
    text.push_str("0x");
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn from_hex<E: de::Error>(text: &str) -> Result<Vec<u8>, E> {
    let digits = text.strip_prefix("0x").unwrap_or(text).as_bytes();
    if !digits.len().is_multiple_of(2) {
        return Err(E::custom("hex needs an even number of digits"));
    }
    digits
        .chunks(2)
        .map(|pair| {
            std::str::from_utf8(pair)
                .ok()
                .and_then(|pair| u8::from_str_radix(pair, 16).ok())
                .ok_or_else(|| E::custom("not a hex digit"))
        })
        .collect()
}

/// Bytes as `0x` hex.
pub mod bytes {
    use super::*;

    /// Writes hex.
    ///
    /// # Errors
    ///
    /// The serializer's own.
    pub fn serialize<S: Serializer>(value: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&to_hex(value))
    }

    /// Reads hex, with or without `0x`.
    ///
    /// # Errors
    ///
    /// Anything that is not hex.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        from_hex(&String::deserialize(deserializer)?)
    }
}

/// Where a reply goes, as far as clients know of it: whether it calls the source back.
pub mod answer {
    use super::*;
    use crate::state::Answer;

    /// Writes whether it is a call.
    ///
    /// # Errors
    ///
    /// The serializer's own.
    pub fn serialize<S: Serializer>(value: &Answer, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bool(*value == Answer::Call)
    }

    /// Reads what [`serialize`] writes; no call is an event.
    ///
    /// # Errors
    ///
    /// Anything that is not a boolean.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Answer, D::Error> {
        Ok(if bool::deserialize(deserializer)? {
            Answer::Call
        } else {
            Answer::Event
        })
    }
}

/// What a message replies to, with its code as four bytes of hex.
pub mod reply_details {
    use super::*;
    use gear_exe_primitives::{
        MessageId,
        message::{ReplyCode, ReplyDetails},
    };
    use serde::Serialize;

    #[derive(Serialize, Deserialize)]
    struct Shape {
        to: MessageId,
        #[serde(with = "super::bytes")]
        code: Vec<u8>,
    }

    /// Writes the id and the code.
    ///
    /// # Errors
    ///
    /// The serializer's own.
    pub fn serialize<S: Serializer>(
        value: &ReplyDetails,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let shape = Shape {
            to: value.to,
            code: value.code.0.to_vec(),
        };
        shape.serialize(serializer)
    }

    /// Reads what [`serialize`] writes.
    ///
    /// # Errors
    ///
    /// A code that has not four bytes.
    pub fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<ReplyDetails, D::Error> {
        let shape = Shape::deserialize(deserializer)?;
        let code = shape
            .code
            .try_into()
            .map_err(|_| de::Error::custom("a reply code has four bytes"))?;
        Ok(ReplyDetails {
            to: shape.to,
            code: ReplyCode(code),
        })
    }
}
