//! The few Solidity ABI encodings that the chain itself must produce (`abi.encode` of static words and of lists of
//! words). Everything that only the node needs uses a full ABI library instead.

use alloc::vec::Vec;
use primitive_types::{H160, U256};

/// One 32-byte word.
pub type Word = [u8; 32];

/// An unsigned number as a word.
pub fn uint(number: impl Into<U256>) -> Word {
    number.into().to_big_endian()
}

/// An address as a word.
pub fn address(address: H160) -> Word {
    let mut word = [0; 32];
    word[12..].copy_from_slice(address.as_bytes());
    word
}

/// One argument of `abi.encode`.
pub enum Token {
    /// A static value.
    Word(Word),
    /// A dynamic array of static values.
    List(Vec<Word>),
}

/// `abi.encode(tokens…)`.
pub fn encode(tokens: &[Token]) -> Vec<u8> {
    let mut head = Vec::with_capacity(tokens.len() * 32);
    let mut tail = Vec::new();
    for token in tokens {
        match token {
            Token::Word(word) => head.extend_from_slice(word),
            Token::List(words) => {
                head.extend_from_slice(&uint(tokens.len() * 32 + tail.len()));
                tail.extend_from_slice(&uint(words.len()));
                tail.extend(words.iter().flatten());
            }
        }
    }
    head.append(&mut tail);
    head
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_behind_the_head() {
        let bytes = encode(&[
            Token::Word(uint(7u8)),
            Token::List(vec![uint(1u8), uint(2u8)]),
            Token::List(vec![uint(3u8)]),
        ]);
        let expected: Vec<u8> = [7u8, 96, 192, 2, 1, 2, 1, 3]
            .into_iter()
            .flat_map(uint)
            .collect();
        assert_eq!(bytes, expected);
    }
}
