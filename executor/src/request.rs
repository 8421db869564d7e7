//! What a round was asked to do, as a hash: whoever asks again gets the stored outcome, whoever asks for something else is
//! refused.

use blake2::{Blake2b, Digest, digest::consts::U32};
use codec::{Encode, Output};
use gear_exe_primitives::{H256, round::RoundInput};

/// Bytes that are put together before they are hashed.
const TOGETHER: usize = 16 << 10;

/// Hashes what is encoded into it. The whole of a large input is nowhere in memory.
struct Hashing {
    hasher: Blake2b<U32>,
    buffer: Vec<u8>,
}

impl Hashing {
    fn flush(&mut self) {
        self.hasher.update(&self.buffer);
        self.buffer.clear();
    }
}

impl Output for Hashing {
    fn write(&mut self, bytes: &[u8]) {
        if self.buffer.len() + bytes.len() > TOGETHER {
            self.flush();
        }
        if bytes.len() > TOGETHER {
            self.hasher.update(bytes);
        } else {
            self.buffer.extend_from_slice(bytes);
        }
    }
}

/// BLAKE2b-256 of base and input.
pub(crate) fn request_hash(base: H256, input: &RoundInput) -> H256 {
    let mut hashing = Hashing {
        hasher: Blake2b::new(),
        buffer: Vec::with_capacity(TOGETHER),
    };
    hashing.write(base.as_bytes());
    input.encode_to(&mut hashing);
    hashing.flush();
    H256(hashing.hasher.finalize().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use gear_exe_primitives::{
        hashing::blake2b256,
        round::{ChainBlock, NativeMessage},
    };

    #[test]
    fn it_is_the_hash_of_all_bytes() {
        let mut input = RoundInput {
            block: ChainBlock {
                number: 5,
                hash: H256::repeat_byte(6),
            },
            anchor: Default::default(),
            ethereum: Vec::new(),
            codes: Vec::new(),
            native: Vec::new(),
            parameters: Default::default(),
        };
        let base = H256::repeat_byte(1);
        for length in [0, 1, 5_000, TOGETHER, TOGETHER + 1, 3 * TOGETHER] {
            let message = NativeMessage {
                id: H256::repeat_byte(2).into(),
                source: Default::default(),
                destination: H256::repeat_byte(3).into(),
                payload: vec![7; length],
                value: 8,
                receipt_only: true,
            };
            input.native.extend(vec![message; 1 + length % 100]);
            let expected = blake2b256([base.as_bytes(), &input.encode()]);
            assert_eq!(request_hash(base, &input), expected);
        }
    }
}
