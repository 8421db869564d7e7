//! What stands on Ethereum behind validators: vaults on Symbiotic's contracts, and the operators that own them.

use crate::{
    symbiotic::{StakedVault, Symbiotic},
    validators::key,
};
use alloy::{
    primitives::{Address, B256},
    signers::SignerSync,
    sol_types::{SolStruct, eip712_domain},
};
use anyhow::{Context, Result};
use gear_exe_ethereum::{client::ClientError, convert::b256};
use gear_exe_primitives::{H160, H256, signature::CompactSignature};
use polkadot_sdk::sp_keyring::Sr25519Keyring;

/// What stands on Ethereum behind the validators.
#[derive(Clone, Debug)]
pub struct Restaked {
    /// The Middleware.
    pub middleware: Address,
    /// Symbiotic's contracts.
    pub symbiotic: Symbiotic,
    /// Vaults, by whom they stand behind. The operator of the first is Ethereum's development account 1, and so on.
    pub vaults: Vec<(Sr25519Keyring, StakedVault)>,
}

impl Restaked {
    /// The vault behind a validator.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub fn vault(&self, who: Sr25519Keyring) -> Result<&StakedVault> {
        self.vaults
            .iter()
            .find(|(other, _)| *other == who)
            .map(|(_, vault)| vault)
            .with_context(|| format!("no vault is behind {who}"))
    }

    /// All validators with a vault.
    pub fn operators(&self) -> impl Iterator<Item = Sr25519Keyring> + '_ {
        self.vaults.iter().map(|(who, _)| *who)
    }

    /// Number of the development account on Ethereum that is the operator behind a validator.
    ///
    /// # Errors
    ///
    /// If nobody is.
    pub fn account(&self, who: Sr25519Keyring) -> Result<usize> {
        let place = self.operators().position(|other| other == who);
        Ok(place.with_context(|| format!("no operator is behind {who}"))? + 1)
    }

    /// What the operator behind a validator signs in its wallet to be bound to the validator's account, for the first
    /// time: typed data in the Router's domain.
    ///
    /// # Errors
    ///
    /// If nobody is behind the validator.
    pub fn binding(
        &self,
        who: Sr25519Keyring,
        genesis: H256,
        router: Address,
        chain_id: u64,
    ) -> Result<(H160, CompactSignature)> {
        let operator = key(self.account(who)?)?;
        let typed = typed::OperatorBinding {
            genesis: b256(genesis),
            account: B256::from(who.to_raw_public()),
            operator: operator.address(),
            nonce: 0,
        };
        let domain = eip712_domain! {
            name: "Vara.ETH Router",
            version: "1",
            chain_id: chain_id,
            verifying_contract: router,
        };
        let signature = operator.sign_hash_sync(&typed.eip712_signing_hash(&domain))?;
        let signature = CompactSignature::from_rsv(&signature.as_rsy())
            .map_err(|error| anyhow::anyhow!("{error:?}"))?;
        Ok((H160(operator.address().into_array()), signature))
    }
}

/// Name of a contract's refusal; if it has none, what came instead.
pub fn refused<T>(answer: Result<T, ClientError>) -> String {
    let error = answer.err();
    let revert = error.as_ref().and_then(ClientError::revert);
    revert.map_or_else(|| format!("{error:?}"), |revert| revert.name.clone())
}

mod typed {
    #![allow(missing_docs)]
    alloy::sol! {
        struct OperatorBinding {
            bytes32 genesis;
            bytes32 account;
            address operator;
            uint64 nonce;
        }
    }
}
