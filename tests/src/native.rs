//! A user who has an Ethereum key and a node of the chain, and sends messages to programs without Ethereum.

use crate::{
    process::PATIENCE,
    wallet::{Wallet, eventually},
};
use alloy::{eips::BlockNumberOrTag, primitives::Address, providers::Provider};
use anyhow::{Context, Result, bail};
use gear_exe_primitives::{
    H160, H256, MessageId,
    batch::RouterDomain,
    certificate::{Certificate, ReceiptProof, RoundStatement},
    ethereum::BlockId,
    message::{Receipt, ReplyCode},
    native::{ClientReceipt, NativeTransaction, SignedNative, SigningForm},
    signature::{CompactSignature, address_of_secret},
};
use jsonrpsee::{
    core::client::{ClientT, Subscription, SubscriptionClientT},
    rpc_params,
    ws_client::{WsClient, WsClientBuilder},
};
use serde_json::{Value, json};

/// A user at a node.
#[derive(Debug)]
pub struct Native {
    client: WsClient,
    secret: [u8; 32],
    /// Where programs are.
    pub domain: RouterDomain,
    /// Who the user is.
    pub address: H160,
}

fn bytes(value: &Value) -> Result<Vec<u8>> {
    let text = value.as_str().with_context(|| format!("no hex: {value}"))?;
    Ok(hex::decode(text.trim_start_matches("0x"))?)
}

fn hash(value: &Value) -> Result<H256> {
    Ok(serde_json::from_value(value.clone())?)
}

/// A receipt that was believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It was executed.
    Replied {
        /// What was replied.
        payload: Vec<u8>,
        /// How it ended.
        code: ReplyCode,
        /// Which validator says so.
        signer: H160,
    },
    /// It never will be, for this reason.
    Purged(u8),
}

impl Native {
    /// The user with this key, at the node `url` (`ws://…`).
    ///
    /// # Errors
    ///
    /// If the node does not answer.
    pub async fn connect(url: &str, secret: [u8; 32], domain: RouterDomain) -> Result<Self> {
        let address = address_of_secret(&secret).map_err(|error| anyhow::anyhow!("{error:?}"))?;
        let client = WsClientBuilder::default()
            .request_timeout(PATIENCE)
            .build(url)
            .await?;
        Ok(Self {
            client,
            secret,
            domain,
            address,
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
        let digest = transaction.digest(form, &self.domain);
        Ok(SignedNative {
            signature: CompactSignature::sign(&self.secret, digest)
                .map_err(|error| anyhow::anyhow!("{error:?}"))?,
            source: self.address,
            transaction,
            form,
        })
    }

    /// Sends it. Returns what the node says.
    ///
    /// # Errors
    ///
    /// If the node finds it malformed.
    pub async fn send(&self, signed: &SignedNative) -> Result<Value> {
        let params = rpc_params![signed];
        Ok(self
            .client
            .request("injected_sendTransaction", params)
            .await?)
    }

    /// Sends it and waits for its receipt, whose signature it checks.
    ///
    /// # Errors
    ///
    /// If there is no receipt in time, or one that proves nothing.
    pub async fn ask(&self, signed: &SignedNative) -> Result<Answer> {
        let mut receipts: Subscription<Value> = self
            .client
            .subscribe(
                "injected_sendTransactionAndWatch",
                rpc_params![signed],
                "injected_sendTransactionAndWatchUnsubscribe",
            )
            .await?;
        let receipt = tokio::time::timeout(PATIENCE, receipts.next())
            .await
            .context("no receipt")?
            .context("the node has closed the subscription")??;
        self.read(&receipt, signed.id(&self.domain))
    }

    fn read(&self, receipt: &Value, id: MessageId) -> Result<Answer> {
        let rsv: [u8; 65] = bytes(&receipt["signature"])?
            .try_into()
            .map_err(|_| anyhow::anyhow!("no signature: {receipt}"))?;
        let signature =
            CompactSignature::from_rsv(&rsv).map_err(|error| anyhow::anyhow!("{error:?}"))?;
        let signed_by = |said: ClientReceipt<'_>| {
            let signer = signature
                .recover(said.digest())
                .map_err(|error| anyhow::anyhow!("{error:?}"))?;
            anyhow::ensure!(receipt["address"] == json!(signer), "{receipt}");
            Ok(signer)
        };
        let data = &receipt["data"];
        if let Some(promise) = data.get("Promise") {
            anyhow::ensure!(promise["tx_hash"] == json!(id.0), "{receipt}");
            let payload = bytes(&promise["reply"]["payload"])?;
            let code: [u8; 4] = bytes(&promise["reply"]["code"])?
                .try_into()
                .map_err(|_| anyhow::anyhow!("no code: {receipt}"))?;
            let code = ReplyCode(code);
            let signer = signed_by(ClientReceipt::Promise {
                id,
                payload: &payload,
                value: 0,
                code,
            })?;
            return Ok(Answer::Replied {
                payload,
                code,
                signer,
            });
        }
        let reason = data["Purged"]["reason"].as_u64();
        match reason.and_then(|reason| u8::try_from(reason).ok()) {
            Some(reason) => Ok(Answer::Purged(reason)),
            None => bail!("no receipt: {receipt}"),
        }
    }

    /// Waits until the node has a certificate of a message's round, and returns it with the proof that the message is in it.
    ///
    /// # Errors
    ///
    /// If there is none in time, or it does not read.
    pub async fn certificate(&self, id: MessageId) -> Result<(Certificate, ReceiptProof)> {
        let status = eventually("a certificate", || async {
            let status: Value = self
                .client
                .request("gear_messageStatus", rpc_params![id.0])
                .await?;
            Ok((!status["certificate"].is_null()).then_some(status))
        })
        .await?;
        let said = &status["certificate"];
        let number = |value: &Value| value.as_u64().context("no number");
        let certificate = Certificate {
            statement: RoundStatement {
                set_id: number(&said["set_id"])?,
                block_number: number(&said["block"]["number"])?,
                block_hash: hash(&said["block"]["hash"])?,
                anchor: BlockId {
                    number: number(&said["anchor_number"])?,
                    hash: hash(&said["anchor_hash"])?,
                },
                outcome: hash(&said["outcome"])?,
            },
            signers: bytes(&said["signers"])?,
            signatures: said["signatures"]
                .as_array()
                .context("no signatures")?
                .iter()
                .map(|signature| {
                    let signature = bytes(signature)?.try_into();
                    signature
                        .map(CompactSignature)
                        .map_err(|_| anyhow::anyhow!("no signature"))
                })
                .collect::<Result<_>>()?,
        };
        let receipt = &status["receipt"];
        let code: [u8; 4] = bytes(&receipt["code"])?
            .try_into()
            .map_err(|_| anyhow::anyhow!("no code"))?;
        let program: Address = receipt["program_id"].as_str().context("no id")?.parse()?;
        let proof = ReceiptProof {
            receipt: Receipt {
                message_id: id,
                program_id: H160(program.into_array()).into(),
                code: ReplyCode(code),
                payload_hash: hash(&receipt["payload_hash"])?,
                value: number(&receipt["value"])?.into(),
                gas_burned: number(&receipt["gas_burned"])?,
                round: number(&receipt["round"])?,
            },
            index: number(&status["proof"]["index"])?,
            count: number(&status["proof"]["count"])?,
            siblings: status["proof"]["siblings"]
                .as_array()
                .context("no siblings")?
                .iter()
                .map(hash)
                .collect::<Result<_>>()?,
            receipts_root: hash(&status["receipts_root"])?,
            state_root: hash(&status["state_root"])?,
            transitions: hash(&status["transitions_hash"])?,
        };
        Ok((certificate, proof))
    }
}
