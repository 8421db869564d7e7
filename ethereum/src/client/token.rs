//! wVARA: balances, approvals, permits.

use super::{ClientError, Transaction, Wallet};
use crate::abi::WrappedVara;
use alloy::{
    eips::{BlockId as RpcBlockId, BlockNumberOrTag},
    primitives::{Address, B256, U256, keccak256},
    providers::Provider,
    rpc::types::TransactionReceipt,
    signers::SignerSync,
    sol_types::SolValue,
};

/// How long a permit is good for, in seconds of Ethereum's time.
const PERMIT_LIFETIME: u64 = 3_600;

/// A signed approval (ERC-2612).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permit {
    /// Unix time in seconds until which it is good.
    pub deadline: U256,
    /// Part of the signature.
    pub v: u8,
    /// Part of the signature.
    pub r: B256,
    /// Part of the signature.
    pub s: B256,
}

/// The wVARA token. Amounts are in base units: 10^12 of them are one wVARA.
#[derive(Clone, Debug)]
pub struct WrappedVaraClient {
    wallet: Wallet,
    address: Address,
}

impl WrappedVaraClient {
    /// The token at `address`.
    pub const fn new(wallet: Wallet, address: Address) -> Self {
        Self { wallet, address }
    }

    /// Its address.
    pub const fn address(&self) -> Address {
        self.address
    }

    /// What `account` has.
    ///
    /// # Errors
    ///
    /// [`ClientError`] if the node or the contract refuses; so for all below.
    pub async fn balance_of(&self, account: Address) -> Result<U256, ClientError> {
        let call = WrappedVara::balanceOfCall { account };
        self.wallet.call(self.address, &call).await
    }

    /// What `spender` may still take from this wallet.
    ///
    /// # Errors
    ///
    /// See [`WrappedVaraClient::balance_of`].
    pub async fn allowance(&self, spender: Address) -> Result<U256, ClientError> {
        let call = WrappedVara::allowanceCall {
            owner: self.wallet.address(),
            spender,
        };
        self.wallet.call(self.address, &call).await
    }

    /// Lets `spender` take `value`.
    ///
    /// # Errors
    ///
    /// See [`WrappedVaraClient::balance_of`].
    pub async fn approve(
        &self,
        spender: Address,
        value: U256,
    ) -> Result<TransactionReceipt, ClientError> {
        let call = WrappedVara::approveCall { spender, value };
        self.wallet
            .send(Transaction::call("approving wVARA", self.address, &call))
            .await
    }

    /// Gives `value` to `to`.
    ///
    /// # Errors
    ///
    /// See [`WrappedVaraClient::balance_of`].
    pub async fn transfer(
        &self,
        to: Address,
        value: U256,
    ) -> Result<TransactionReceipt, ClientError> {
        let call = WrappedVara::transferCall { to, value };
        self.wallet
            .send(Transaction::call("sending wVARA", self.address, &call))
            .await
    }

    /// Makes `value` for `to`; only the token's minter may: the Router, once it is set.
    ///
    /// # Errors
    ///
    /// See [`WrappedVaraClient::balance_of`].
    pub async fn mint(&self, to: Address, value: U256) -> Result<TransactionReceipt, ClientError> {
        let call = WrappedVara::mintCall { to, amount: value };
        self.wallet
            .send(Transaction::call("minting wVARA", self.address, &call))
            .await
    }

    /// Signs that `spender` may take `value`: an approval without a transaction of its own.
    ///
    /// # Errors
    ///
    /// See [`WrappedVaraClient::balance_of`].
    pub async fn permit(&self, spender: Address, value: U256) -> Result<Permit, ClientError> {
        let owner = self.wallet.address();
        let domain = self
            .wallet
            .call(self.address, &WrappedVara::DOMAIN_SEPARATORCall {})
            .await?;
        let nonce = self
            .wallet
            .call(self.address, &WrappedVara::noncesCall { owner })
            .await?;
        // Ethereum's clock decides, not this machine's.
        let now = self
            .wallet
            .rpc("reading the head", |provider| {
                provider.get_block(RpcBlockId::Number(BlockNumberOrTag::Latest))
            })
            .await?
            .map_or(0, |block| block.header.timestamp);
        let deadline = U256::from(now.saturating_add(PERMIT_LIFETIME));
        let digest = permit_digest(domain, owner, spender, value, nonce, deadline);
        let signature = self
            .wallet
            .signer()
            .sign_hash_sync(&digest)
            .map_err(|error| ClientError::Unexpected(error.to_string()))?;
        Ok(Permit {
            deadline,
            v: 27 + u8::from(signature.v()),
            r: signature.r().into(),
            s: signature.s().into(),
        })
    }
}

fn permit_digest(
    domain: B256,
    owner: Address,
    spender: Address,
    value: U256,
    nonce: U256,
    deadline: U256,
) -> B256 {
    let kind = keccak256(
        "Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)",
    );
    let structure = keccak256((kind, owner, spender, value, nonce, deadline).abi_encode());
    keccak256([&[0x19, 0x01][..], domain.as_slice(), structure.as_slice()].concat())
}
