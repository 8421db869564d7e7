//! Codes in blobs: how they are laid out, what proves them, how they are read back.
//!
//! [`sidecar`] lays a code out for a transaction, [`source`] fetches blobs from a beacon node, and [`verify`] checks them
//! against the versioned hashes that the Router's event names. Ethereum itself has checked that the transaction carried
//! blobs with those hashes, so blobs that differ are the *provider's* fault, and another attempt may do better; a layout
//! or a code id that is wrong is the *announcer's* fault, for ever.

pub mod source;

pub use source::{BlobEndpoint, BlobSource};

use alloy::{
    consensus::BlobTransactionSidecarEip7594,
    eips::eip4844::{
        BYTES_PER_BLOB, Blob,
        builder::{SidecarBuilder, SimpleCoder},
        env_settings::EnvKzgSettings,
        kzg_to_versioned_hash,
    },
};
use gear_exe_primitives::{CodeId, H256};
use std::collections::HashMap;

/// Bytes of payload in a field element: the first byte stays zero, so that every element is below the modulus.
const PAYLOAD_PER_ELEMENT: usize = 31;
/// Bytes of a field element.
const ELEMENT: usize = 32;
/// Most blobs that one transaction may carry (EIP-7594).
pub const MAX_BLOBS: usize = 6;
/// Longest code that blobs of one transaction hold, in bytes: all elements but the first, which holds the length.
pub const MAX_CODE_LENGTH: usize = (MAX_BLOBS * BYTES_PER_BLOB / ELEMENT - 1) * PAYLOAD_PER_ELEMENT;

/// Why a code cannot be laid out in blobs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// Longer than the blobs of one transaction hold.
    #[error(
        "the code has {length} bytes; blobs hold {MAX_CODE_LENGTH} at most: optimise it (wasm-opt -Oz), or split the \
         program"
    )]
    TooLong {
        /// Its length.
        length: usize,
    },
    /// The library refuses.
    #[error("KZG: {0}")]
    Kzg(String),
}

/// Why proven blobs are not the code that was announced. It is the announcer's fault, and stays so.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodeFault {
    /// The blobs are not in the layout of codes.
    #[error("the blobs are not laid out as a code: {0}")]
    Layout(&'static str),
    /// The code has another id than announced.
    #[error("the code is {found}, announced was {expected}")]
    CodeId {
        /// Announced.
        expected: CodeId,
        /// Computed from its bytes.
        found: CodeId,
    },
}

/// Why there is no code.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BlobError {
    /// No endpoint has the announced blobs now. Try again.
    #[error("the blobs are not available now: {0}")]
    NotAvailable(String),
    /// The blobs are there and are not a code. Do not try again.
    #[error("the blobs are not what was announced: {0}")]
    Invalid(#[from] CodeFault),
}

/// Lays `code` out in blobs with commitments and cell proofs, as a transaction carries them.
///
/// # Errors
///
/// [`EncodeError`]: the code is too long, or the KZG library refuses.
pub fn sidecar(code: &[u8]) -> Result<BlobTransactionSidecarEip7594, EncodeError> {
    if code.len() > MAX_CODE_LENGTH {
        return Err(EncodeError::TooLong { length: code.len() });
    }
    SidecarBuilder::<SimpleCoder>::from_slice(code)
        .build_7594()
        .map_err(|error| EncodeError::Kzg(error.to_string()))
}

/// The versioned hash of a blob, computed from its bytes; nothing if an element of it is not below the modulus.
pub fn versioned_hash(blob: &Blob) -> Option<H256> {
    let blob = alloy::eips::eip4844::c_kzg::Blob::from_bytes(blob.as_slice()).ok()?;
    let commitment = EnvKzgSettings::Default
        .get()
        .blob_to_kzg_commitment(&blob)
        .ok()?;
    Some(H256(kzg_to_versioned_hash(commitment.as_slice()).0))
}

/// Reads the bytes out of blobs. The length comes from the first element, so trailing zeroes of a code survive.
///
/// # Errors
///
/// [`CodeFault::Layout`] if the length is more than the blobs hold or than a code may have, or an element's first byte
/// is not zero.
pub fn decode(blobs: &[Blob]) -> Result<Vec<u8>, CodeFault> {
    let mut elements = blobs
        .iter()
        .flat_map(|blob| blob.as_slice().chunks_exact(ELEMENT));
    let first = elements.next().ok_or(CodeFault::Layout("no blob"))?;
    let length = first
        .get(1..9)
        .and_then(|bytes| bytes.try_into().ok())
        .map(u64::from_be_bytes)
        .and_then(|length| usize::try_from(length).ok())
        .filter(|length| *length <= MAX_CODE_LENGTH)
        .ok_or(CodeFault::Layout("too long"))?;
    if first[0] != 0 || first[9..].iter().any(|byte| *byte != 0) {
        return Err(CodeFault::Layout("not a length"));
    }
    let mut code = Vec::with_capacity(length);
    while code.len() < length {
        let element = elements.next().ok_or(CodeFault::Layout("cut short"))?;
        if element[0] != 0 {
            return Err(CodeFault::Layout(
                "an element begins with another byte than zero",
            ));
        }
        let take = PAYLOAD_PER_ELEMENT.min(length - code.len());
        code.extend_from_slice(&element[1..=take]);
    }
    Ok(code)
}

/// Picks the announced blobs out of `blobs`, which may hold others too and in any order, and reads the code.
///
/// # Errors
///
/// [`BlobError::NotAvailable`] if an announced blob is not among them; [`BlobError::Invalid`] if the blobs are no code
/// with this id.
pub fn verify(code_id: CodeId, hashes: &[H256], blobs: Vec<Blob>) -> Result<Vec<u8>, BlobError> {
    let mut proven: HashMap<H256, Blob> = blobs
        .into_iter()
        .filter_map(|blob| Some((versioned_hash(&blob)?, blob)))
        .collect();
    let mut picked: Vec<Blob> = Vec::with_capacity(hashes.len());
    for (index, hash) in hashes.iter().enumerate() {
        // A hash may be announced twice: then the first one has been taken out already.
        let earlier = hashes[..index].iter().position(|other| other == hash);
        let blob = match earlier {
            Some(earlier) => picked[earlier],
            None => proven.remove(hash).ok_or_else(|| {
                BlobError::NotAvailable(format!("no blob has the versioned hash {hash:?}"))
            })?,
        };
        picked.push(blob);
    }
    let code = decode(&picked)?;
    let found = CodeId::of(&code);
    if found != code_id {
        return Err(CodeFault::CodeId {
            expected: code_id,
            found,
        }
        .into());
    }
    Ok(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn laid_out(code: &[u8]) -> (Vec<H256>, Vec<Blob>) {
        let sidecar = sidecar(code).unwrap();
        (
            sidecar
                .versioned_hashes()
                .map(|hash| H256(hash.0))
                .collect(),
            sidecar.blobs,
        )
    }

    fn code(length: usize) -> Vec<u8> {
        let mut code: Vec<u8> = (0..length).map(|index| (index % 251) as u8).collect();
        if let Some(last) = code.last_mut() {
            *last = 0;
        }
        code
    }

    #[test]
    fn codes_come_back() {
        for length in [1, 30, 31, 32, 62, 4095 * 31, 4095 * 31 + 1] {
            let code = code(length);
            let (hashes, mut blobs) = laid_out(&code);
            blobs.reverse();
            blobs.push(Blob::ZERO);
            blobs.push(Blob::repeat_byte(0xff));
            assert_eq!(verify(CodeId::of(&code), &hashes, blobs), Ok(code));
        }
    }

    #[test]
    fn the_longest_code_fits() {
        let (hashes, _) = laid_out(&code(MAX_CODE_LENGTH));
        assert_eq!(hashes.len(), MAX_BLOBS);
        let length = MAX_CODE_LENGTH + 1;
        assert_eq!(
            sidecar(&vec![0; length]),
            Err(EncodeError::TooLong { length })
        );
    }

    #[test]
    fn the_providers_fault_is_not_the_announcers() {
        let code = b"\0asm".to_vec();
        let id = CodeId::of(&code);
        let (hashes, blobs) = laid_out(&code);
        let unavailable = |result| matches!(result, Err(BlobError::NotAvailable(_)));
        assert!(unavailable(verify(id, &hashes, Vec::new())));
        assert!(unavailable(verify(id, &hashes, vec![Blob::ZERO])));
        assert!(unavailable(verify(id, &[H256::zero()], blobs.clone())));
        assert_eq!(
            verify(CodeId::zero(), &hashes, blobs),
            Err(BlobError::Invalid(CodeFault::CodeId {
                expected: CodeId::zero(),
                found: id
            }))
        );
        assert_eq!(versioned_hash(&Blob::repeat_byte(0xff)), None);
    }

    #[test]
    fn layouts() {
        assert_eq!(
            decode(&[Blob::repeat_byte(0xff)]),
            Err(CodeFault::Layout("too long"))
        );
        assert_eq!(decode(&[]), Err(CodeFault::Layout("no blob")));
        let mut short = Blob::ZERO;
        short[1..9].copy_from_slice(&(200_000u64).to_be_bytes());
        assert_eq!(decode(&[short]), Err(CodeFault::Layout("cut short")));
        let mut odd = Blob::ZERO;
        odd[1..9].copy_from_slice(&(10u64).to_be_bytes());
        odd[32] = 1;
        assert!(matches!(decode(&[odd]), Err(CodeFault::Layout(_))));
    }

    #[test]
    fn a_blob_announced_twice() {
        let code = code(40);
        let (hashes, blobs) = laid_out(&code);
        let twice = [hashes[0], hashes[0]];
        assert_eq!(verify(CodeId::of(&code), &twice, blobs), Ok(code));
    }
}
