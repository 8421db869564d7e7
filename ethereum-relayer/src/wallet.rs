//! Signs the relayer's transactions. The key never leaves this module, nor does it reach a log.

use crate::pipeline::fees::Fees;
use alloy::{
    consensus::{SignableTransaction, TxEip1559, TxEnvelope},
    eips::eip2718::Encodable2718,
    primitives::{Address, B256, Bytes, TxKind, U256},
    signers::{SignerSync, local::PrivateKeySigner},
};
use gear_exe_primitives::{H160, H256};
use std::{fmt, path::Path};

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The file does not read.
    #[error("the key file {path} does not read: {source}")]
    File {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// It is not a key. What it is instead is not said: it may be a key with a typing error.
    #[error("that is no secp256k1 key: 64 hex digits are needed, with or without 0x")]
    Malformed,
}

/// The relayer's Ethereum account.
#[derive(Clone)]
pub struct Wallet {
    signer: PrivateKeySigner,
}

impl fmt::Debug for Wallet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Wallet({})", self.signer.address())
    }
}

/// What a transaction says.
#[derive(Clone, Debug)]
pub struct Order {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// Account nonce.
    pub nonce: u64,
    /// Fees.
    pub fees: Fees,
    /// Gas limit.
    pub gas_limit: u64,
    /// To whom.
    pub to: Address,
    /// Calldata.
    pub input: Bytes,
}

impl Wallet {
    /// From a secret key in hex, with or without `0x`.
    ///
    /// # Errors
    ///
    /// [`KeyError::Malformed`].
    pub fn from_hex(hex: &str) -> Result<Self, KeyError> {
        let hex = hex.trim();
        let hex = hex.strip_prefix("0x").unwrap_or(hex);
        let bytes = hex::decode(hex).map_err(|_| KeyError::Malformed)?;
        let bytes = <[u8; 32]>::try_from(bytes).map_err(|_| KeyError::Malformed)?;
        Self::from_bytes(&bytes)
    }

    /// From a secret key.
    ///
    /// # Errors
    ///
    /// [`KeyError::Malformed`] if it is zero or not below the curve's order.
    pub fn from_bytes(secret: &[u8; 32]) -> Result<Self, KeyError> {
        PrivateKeySigner::from_bytes(&B256::from(*secret))
            .map(|signer| Self { signer })
            .map_err(|_| KeyError::Malformed)
    }

    /// From a file that holds a secret key in hex.
    ///
    /// # Errors
    ///
    /// [`KeyError`].
    pub fn from_file(path: &Path) -> Result<Self, KeyError> {
        let hex = std::fs::read_to_string(path).map_err(|source| KeyError::File {
            path: path.display().to_string(),
            source,
        })?;
        Self::from_hex(&hex)
    }

    /// The account.
    pub fn address(&self) -> H160 {
        H160(self.signer.address().into_array())
    }

    /// Hash and bytes of the signed transaction. The same order always gives the same bytes.
    ///
    /// # Errors
    ///
    /// [`KeyError::Malformed`] if the key cannot sign, which a key that was taken can.
    pub fn sign(&self, order: Order) -> Result<(H256, Vec<u8>), KeyError> {
        let transaction = TxEip1559 {
            chain_id: order.chain_id,
            nonce: order.nonce,
            gas_limit: order.gas_limit,
            max_fee_per_gas: order.fees.max_fee,
            max_priority_fee_per_gas: order.fees.tip,
            to: TxKind::Call(order.to),
            value: U256::ZERO,
            access_list: Default::default(),
            input: order.input,
        };
        let signature = self
            .signer
            .sign_hash_sync(&transaction.signature_hash())
            .map_err(|_| KeyError::Malformed)?;
        let signed = TxEnvelope::from(transaction.into_signed(signature));
        Ok((H256(signed.tx_hash().0), signed.encoded_2718()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy::{
        consensus::{Transaction, transaction::SignerRecoverable},
        eips::eip2718::Decodable2718,
    };

    const KEY: &str = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";

    fn order(nonce: u64) -> Order {
        Order {
            chain_id: 31337,
            nonce,
            fees: Fees {
                max_fee: 20,
                tip: 2,
            },
            gas_limit: 21_000,
            to: Address::repeat_byte(3),
            input: vec![1, 2].into(),
        }
    }

    #[test]
    fn signs_the_same_bytes_that_name_its_account() {
        let wallet = Wallet::from_hex(&format!("0x{KEY}\n")).unwrap();
        let (hash, raw) = wallet.sign(order(5)).unwrap();
        assert_eq!(wallet.sign(order(5)).unwrap(), (hash, raw.clone()));
        assert_ne!(wallet.sign(order(6)).unwrap().0, hash);
        let read = TxEnvelope::decode_2718(&mut raw.as_slice()).unwrap();
        assert_eq!(
            read.recover_signer().unwrap().into_array(),
            wallet.address().0
        );
        assert_eq!((read.nonce(), read.max_fee_per_gas()), (5, 20));
        assert_eq!(read.tx_hash().0, hash.0);
    }

    #[test]
    fn a_key_is_never_shown() {
        let wallet = Wallet::from_hex(KEY).unwrap();
        assert!(!format!("{wallet:?}").contains(KEY));
        for wrong in ["", "0x12", &KEY[1..], &"f".repeat(64), &"0".repeat(64)] {
            let error = Wallet::from_hex(wrong).unwrap_err();
            assert!(wrong.len() < 5 || !error.to_string().contains(wrong));
        }
    }
}
