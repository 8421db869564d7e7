//! Compact secp256k1 signatures (EIP-2098) over 32-byte digests.
//!
//! Verification is pure Rust, so it gives the same answer in the runtime, in the node and in an offline verifier. The
//! runtime may use its host's faster recovery instead; both accept exactly the same signatures.

use crate::hashing::keccak256;
use codec::{Decode, DecodeWithMemTracking, Encode, MaxEncodedLen};
use k256::ecdsa::{RecoveryId, Signature, SigningKey, VerifyingKey};
use primitive_types::{H160, H256};
use scale_info::TypeInfo;

/// `r ‖ (yParity << 255 | s)`, 64 bytes.
#[derive(
    Clone, Copy, PartialEq, Eq, Encode, Decode, DecodeWithMemTracking, MaxEncodedLen, TypeInfo,
)]
pub struct CompactSignature(pub [u8; 64]);

impl core::fmt::Debug for CompactSignature {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(
            f,
            "CompactSignature({:?}…)",
            H256::from_slice(&self.0[..32])
        )
    }
}

/// Why a signature could not be made or read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignatureError {
    /// Not a point of the curve, a zero scalar, or an `s` in the upper half.
    Malformed,
    /// The secret key is not a valid scalar.
    InvalidSecretKey,
}

impl CompactSignature {
    /// Signs `digest` with `secret`.
    ///
    /// # Errors
    ///
    /// [`SignatureError::InvalidSecretKey`] if `secret` is zero or not below the order of the curve.
    pub fn sign(secret: &[u8; 32], digest: H256) -> Result<Self, SignatureError> {
        let key =
            SigningKey::from_bytes(secret.into()).map_err(|_| SignatureError::InvalidSecretKey)?;
        let (signature, recovery) = key
            .sign_prehash_recoverable(digest.as_bytes())
            .map_err(|_| SignatureError::InvalidSecretKey)?;
        let (signature, odd) = match signature.normalize_s() {
            Some(low) => (low, !recovery.is_y_odd()),
            None => (signature, recovery.is_y_odd()),
        };
        let mut bytes: [u8; 64] = signature.to_bytes().into();
        if odd {
            bytes[32] |= 0x80;
        }
        Ok(Self(bytes))
    }

    /// The same signature from `r ‖ s ‖ v` with `v` of 0, 1, 27 or 28.
    ///
    /// # Errors
    ///
    /// [`SignatureError::Malformed`] for another `v`, or an `s` in the upper half.
    pub fn from_rsv(rsv: &[u8; 65]) -> Result<Self, SignatureError> {
        let odd = match rsv[64] {
            0 | 27 => false,
            1 | 28 => true,
            _ => return Err(SignatureError::Malformed),
        };
        let mut bytes = [0; 64];
        bytes.copy_from_slice(&rsv[..64]);
        if bytes[32] & 0x80 != 0 {
            return Err(SignatureError::Malformed);
        }
        if odd {
            bytes[32] |= 0x80;
        }
        Ok(Self(bytes))
    }

    /// As `r ‖ s ‖ v` with `v` of 27 or 28, as wallets write it.
    pub const fn to_rsv(&self) -> [u8; 65] {
        let mut rsv = [0; 65];
        let mut index = 0;
        while index < 64 {
            rsv[index] = self.0[index];
            index += 1;
        }
        rsv[64] = 27 + (rsv[32] >> 7);
        rsv[32] &= 0x7f;
        rsv
    }

    /// The address whose key signed `digest`.
    ///
    /// # Errors
    ///
    /// [`SignatureError::Malformed`] if the bytes are not a signature with a low `s`.
    pub fn recover(&self, digest: H256) -> Result<H160, SignatureError> {
        let mut bytes = self.0;
        let odd = bytes[32] & 0x80 != 0;
        bytes[32] &= 0x7f;
        let signature = Signature::from_slice(&bytes).map_err(|_| SignatureError::Malformed)?;
        if signature.normalize_s().is_some() {
            return Err(SignatureError::Malformed);
        }
        VerifyingKey::recover_from_prehash(
            digest.as_bytes(),
            &signature,
            RecoveryId::new(odd, false),
        )
        .map(|key| address_of(&key))
        .map_err(|_| SignatureError::Malformed)
    }
}

fn address_of(key: &VerifyingKey) -> H160 {
    let point = key.to_encoded_point(false);
    H160::from_slice(&keccak256([&point.as_bytes()[1..]])[12..])
}

/// The Ethereum address of a secret key.
///
/// # Errors
///
/// [`SignatureError::InvalidSecretKey`] if `secret` is zero or not below the order of the curve.
pub fn address_of_secret(secret: &[u8; 32]) -> Result<H160, SignatureError> {
    SigningKey::from_bytes(secret.into())
        .map(|key| address_of(key.verifying_key()))
        .map_err(|_| SignatureError::InvalidSecretKey)
}

/// The Ethereum address of a compressed public key (33 bytes), as session keys hold it.
///
/// # Errors
///
/// [`SignatureError::Malformed`] if the bytes are not a point of the curve.
pub fn address_of_public(compressed: &[u8; 33]) -> Result<H160, SignatureError> {
    VerifyingKey::from_sec1_bytes(compressed)
        .map(|key| address_of(&key))
        .map_err(|_| SignatureError::Malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";
    const ADDRESS: &str = "f39fd6e51aad88f6f4ce6ab8827279cfffb92266";

    fn secret() -> [u8; 32] {
        hex::decode(SECRET).unwrap().try_into().unwrap()
    }

    #[test]
    fn signs_and_recovers() {
        let address = address_of_secret(&secret()).unwrap();
        assert_eq!(hex::encode(address), ADDRESS);
        for number in 0..64u8 {
            let digest = keccak256([[number]]);
            let signature = CompactSignature::sign(&secret(), digest).unwrap();
            assert_eq!(signature.recover(digest), Ok(address));
            assert_ne!(signature.recover(keccak256([[number, 0]])), Ok(address));
        }
    }

    #[test]
    fn public_key_gives_the_same_address() {
        let key = SigningKey::from_bytes(&secret().into()).unwrap();
        let compressed: [u8; 33] = key
            .verifying_key()
            .to_encoded_point(true)
            .as_bytes()
            .try_into()
            .unwrap();
        assert_eq!(address_of_public(&compressed), address_of_secret(&secret()));
    }

    #[test]
    fn refuses_nonsense() {
        assert_eq!(
            CompactSignature([0; 64]).recover(H256::zero()),
            Err(SignatureError::Malformed)
        );
        assert_eq!(
            CompactSignature([0xff; 64]).recover(H256::zero()),
            Err(SignatureError::Malformed)
        );
        assert_eq!(
            CompactSignature::sign(&[0; 32], H256::zero()),
            Err(SignatureError::InvalidSecretKey)
        );
        assert_eq!(
            CompactSignature::from_rsv(&[2; 65]),
            Err(SignatureError::Malformed)
        );
    }
}
