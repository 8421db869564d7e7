//! A user who has an Ethereum key and a node of the chain, and sends messages to programs without Ethereum: the client
//! library as a test uses it.

use crate::{
    process::PATIENCE,
    wallet::{Wallet, eventually},
};
use alloy::{eips::BlockNumberOrTag, primitives::Address, providers::Provider};
use anyhow::{Context, Result, bail};
pub use gear_exe_client::Answer;
use gear_exe_client::{Client, Error, Options, Signer};
use gear_exe_primitives::{
    H160, H256, MessageId,
    batch::RouterDomain,
    certificate::{Certificate, ReceiptProof},
    native::{NativeTransaction, SignedNative, SigningForm},
};
use serde_json::{Value, json};

/// A user at a node.
#[derive(Debug)]
pub struct Native {
    /// The node.
    pub client: Client,
    /// Who signs.
    pub signer: Signer,
    /// Where programs are.
    pub domain: RouterDomain,
    /// Who the user is.
    pub address: H160,
}

impl Native {
    /// The user with this key, at the node `url` (`ws://…`).
    ///
    /// # Errors
    ///
    /// If the node does not answer.
    pub async fn connect(url: &str, secret: [u8; 32], domain: RouterDomain) -> Result<Self> {
        let options = Options {
            request_timeout: PATIENCE,
            patience: PATIENCE,
            ..Options::default()
        };
        let signer = Signer::new(secret, domain)?;
        Ok(Self {
            client: Client::connect_with(url, options).await?,
            address: signer.address(),
            signer,
            domain,
        })
    }

    /// A message that refers to the Ethereum block three behind the head, as existing clients do.
    ///
    /// # Errors
    ///
    /// If Ethereum does not answer.
    pub async fn transaction(
        &self,
        ethereum: &Wallet,
        program: Address,
        payload: &[u8],
        salt: u64,
    ) -> Result<NativeTransaction> {
        let (head, _) = ethereum.head().await?;
        let number = BlockNumberOrTag::Number(head.saturating_sub(3));
        let block = ethereum
            .provider
            .get_block_by_number(number)
            .await?
            .context("no such Ethereum block")?;
        Ok(NativeTransaction {
            destination: H160(program.into_array()),
            payload: payload.to_vec(),
            value: 0,
            reference_block: H256(block.header.hash.0),
            salt: salt.to_be_bytes().to_vec(),
        })
    }

    /// Signs it.
    ///
    /// # Errors
    ///
    /// Never: the key is one.
    pub fn sign(&self, transaction: NativeTransaction, form: SigningForm) -> Result<SignedNative> {
        Ok(self.signer.sign(transaction, form)?)
    }

    /// Sends it. Returns what the node says.
    ///
    /// # Errors
    ///
    /// If the node finds it malformed.
    pub async fn send(&self, signed: &SignedNative) -> Result<Value> {
        match self.client.send(signed).await {
            Ok(()) => Ok(json!("Accept")),
            Err(Error::Refused { reason }) => Ok(json!({ "Reject": { "reason": reason } })),
            Err(error) => bail!(error),
        }
    }

    /// Sends it and waits for its receipt, whose signature it checks.
    ///
    /// # Errors
    ///
    /// If there is no receipt in time, or one that proves nothing.
    pub async fn ask(&self, signed: &SignedNative) -> Result<Answer> {
        let answer = self.client.send_and_wait(signed, &self.domain);
        Ok(tokio::time::timeout(PATIENCE, answer)
            .await
            .context("no receipt")??)
    }

    /// Waits until the node has a certificate of a message's round, and returns it with the proof that the message is in it.
    ///
    /// # Errors
    ///
    /// If there is none in time, or it does not read.
    pub async fn certificate(&self, id: MessageId) -> Result<(Certificate, ReceiptProof)> {
        eventually("a certificate", || async {
            let status = self.client.status(id).await?;
            Ok(status.and_then(|status| Some((status.certificate?, status.proof))))
        })
        .await
    }
}
