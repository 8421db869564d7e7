//! The two hash functions of the protocol: Keccak-256 for everything that Ethereum verifies, BLAKE2b-256 for content
//! that only Gear.exe addresses (codes, pages, states) and for the ids that Gear programs compute.

use blake2::{
    Blake2bVar,
    digest::{Update, VariableOutput},
};
use primitive_types::H256;
use sha3::{Digest, Keccak256};

/// Keccak-256 of the concatenation of `parts`: `keccak256(abi.encodePacked(…))` in Solidity.
pub fn keccak256<T: AsRef<[u8]>>(parts: impl IntoIterator<Item = T>) -> H256 {
    let mut hasher = Keccak256::new();
    for part in parts {
        Digest::update(&mut hasher, part.as_ref());
    }
    H256(hasher.finalize().into())
}

/// BLAKE2b-256 of the concatenation of `parts`.
pub fn blake2b256<T: AsRef<[u8]>>(parts: impl IntoIterator<Item = T>) -> H256 {
    let mut out = [0; 32];
    // 32 is a valid output length of BLAKE2b, so neither call can fail; the zero hash would be the visible sign.
    if let Ok(mut hasher) = Blake2bVar::new(32) {
        for part in parts {
            hasher.update(part.as_ref());
        }
        let _ = hasher.finalize_variable(&mut out);
    }
    H256(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers() {
        assert_eq!(
            hex::encode(keccak256([b""])),
            "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
        );
        assert_eq!(
            hex::encode(blake2b256([b""])),
            "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8"
        );
        assert_eq!(blake2b256(["ab", "c"]), blake2b256(["a", "bc"]));
    }
}
