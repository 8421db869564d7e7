//! The chain as a client sees it: signs and submits calls, reads storage, follows events. By the runtime's own types.
//!
//! Everything is read from finalised blocks, so nothing that was seen is taken back.

use crate::{process::PATIENCE, wallet::eventually};
use anyhow::{Context, Result, anyhow, bail, ensure};
use codec::{Decode, DecodeAll, Encode};
use gear_exe_primitives::{H256, batch::RouterDomain};
use gear_exe_runtime::{
    AccountId, Nonce, Runtime, RuntimeCall, RuntimeEvent, SignedPayload, TxExtension,
    UncheckedExtrinsic, VERSION,
};
use jsonrpsee::{
    core::client::{ClientT, Error as RpcError},
    http_client::{HttpClient, HttpClientBuilder},
    rpc_params,
};
use polkadot_sdk::{
    frame_support::storage::storage_prefix,
    frame_system::{self, EventRecord, Phase, offchain::CreateAuthorizedTransaction},
    pallet_staking, pallet_sudo, pallet_transaction_payment,
    sp_core::{Pair, sr25519},
    sp_io::hashing::blake2_256,
    sp_keyring::Sr25519Keyring,
    sp_runtime::{DispatchError, generic::Era},
};
use serde_json::Value;
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::time::Instant;

/// Events of a block, in order.
pub type Events = Vec<EventRecord<RuntimeEvent, H256>>;

/// A node of the chain.
#[derive(Clone, Debug)]
pub struct Chain {
    client: HttpClient,
    genesis: H256,
    /// Held from an account's next nonce until the pool has the transaction with it: two calls of one account at a time
    /// would take the same.
    sending: Arc<tokio::sync::Mutex<()>>,
}

/// `0x…` as bytes.
fn bytes(value: &Value) -> Result<Vec<u8>> {
    let text = value.as_str().context("no hex string")?;
    Ok(hex::decode(text.trim_start_matches("0x"))?)
}

fn prefixed(bytes: &[u8]) -> String {
    format!("0x{}", hex::encode(bytes))
}

fn hash(value: &Value) -> Result<H256> {
    let bytes = bytes(value)?;
    ensure!(bytes.len() == 32, "no hash: {value}");
    Ok(H256::from_slice(&bytes))
}

/// What the runtime says of a dispatch, by the names of pallet and error where it has some.
fn failure(error: DispatchError) -> anyhow::Error {
    match gear_exe_runtime::RuntimeError::from_dispatch_error(error) {
        Some(error) => anyhow!("{error:?}"),
        None => anyhow!("{error:?}"),
    }
}

impl Chain {
    /// The chain, as the node at `url` (`http://…`) sees it.
    ///
    /// # Errors
    ///
    /// If it does not answer.
    pub async fn connect(url: &str) -> Result<Self> {
        let mut chain = Self {
            client: HttpClientBuilder::default().build(url)?,
            genesis: H256::zero(),
            sending: Arc::default(),
        };
        chain.genesis = chain.hash(0).await?.context("no genesis")?;
        Ok(chain)
    }

    /// Genesis hash.
    pub const fn genesis(&self) -> H256 {
        self.genesis
    }

    /// Asks by JSON-RPC.
    ///
    /// # Errors
    ///
    /// If the node refuses or does not answer.
    pub async fn ask(
        &self,
        method: &str,
        params: jsonrpsee::core::params::ArrayParams,
    ) -> Result<Value> {
        Ok(self.client.request(method, params).await?)
    }

    /// Hash of a block; nothing if there is none with this number.
    ///
    /// # Errors
    ///
    /// If the node does not answer.
    pub async fn hash(&self, number: u32) -> Result<Option<H256>> {
        match self.ask("chain_getBlockHash", rpc_params![number]).await? {
            Value::Null => Ok(None),
            value => hash(&value).map(Some),
        }
    }

    /// The finalised head: number and hash.
    ///
    /// # Errors
    ///
    /// If the node does not answer.
    pub async fn finalised(&self) -> Result<(u32, H256)> {
        let head = self.ask("chain_getFinalizedHead", rpc_params![]).await?;
        let header = self.ask("chain_getHeader", rpc_params![&head]).await?;
        let number = header["number"].as_str().context("no number")?;
        let number = u32::from_str_radix(number.trim_start_matches("0x"), 16)?;
        Ok((number, hash(&head)?))
    }

    /// A value of the storage in a block; nothing if there is none.
    ///
    /// # Errors
    ///
    /// If the node does not answer, or the value is of another type.
    pub async fn get_at<V: Decode>(
        &self,
        at: H256,
        key: impl AsRef<[u8]> + Send,
    ) -> Result<Option<V>> {
        let key = prefixed(key.as_ref());
        match self.ask("state_getStorage", rpc_params![key, at]).await? {
            Value::Null => Ok(None),
            value => Ok(Some(V::decode_all(&mut &bytes(&value)?[..])?)),
        }
    }

    /// The same in the finalised head.
    ///
    /// # Errors
    ///
    /// See [`Chain::get_at`].
    pub async fn get<V: Decode>(&self, key: impl AsRef<[u8]> + Send) -> Result<Option<V>> {
        let (_, head) = self.finalised().await?;
        self.get_at(head, key).await
    }

    /// Events of a block.
    ///
    /// # Errors
    ///
    /// See [`Chain::get_at`].
    pub async fn events(&self, at: H256) -> Result<Events> {
        let key = storage_prefix(b"System", b"Events");
        Ok(self.get_at(at, key).await?.unwrap_or_default())
    }

    /// The era whose validators are at work.
    ///
    /// # Errors
    ///
    /// See [`Chain::get_at`].
    pub async fn era(&self) -> Result<u32> {
        let key = pallet_staking::ActiveEra::<Runtime>::hashed_key();
        let era: Option<pallet_staking::ActiveEraInfo> = self.get(key).await?;
        Ok(era.map_or(0, |era| era.index))
    }

    /// Waits until this era, or a later one, has begun.
    ///
    /// # Errors
    ///
    /// If it does not.
    pub async fn era_begins(&self, era: u32) -> Result<()> {
        eventually(&format!("era {era} begins"), || async {
            Ok((self.era().await? >= era).then_some(()))
        })
        .await
    }

    /// Where the chain settles.
    ///
    /// # Errors
    ///
    /// If it settles nowhere.
    pub async fn domain(&self) -> Result<RouterDomain> {
        self.get(pallet_settlement::Domain::<Runtime>::hashed_key())
            .await?
            .context("no Router")
    }

    /// Signs a call, sends it, and waits until it is in a finalised block. Returns its events.
    ///
    /// # Errors
    ///
    /// If the node refuses it, or it fails: by the error's name.
    pub async fn send(
        &self,
        who: Sr25519Keyring,
        call: impl Into<RuntimeCall> + Send,
    ) -> Result<Vec<RuntimeEvent>> {
        let account = who.to_account_id();
        let sending = self.sending.lock().await;
        let nonce = self
            .ask("system_accountNextIndex", rpc_params![account.clone()])
            .await?;
        let nonce = Nonce::try_from(nonce.as_u64().context("no nonce")?)?;
        let transaction = self.signed(&who.pair(), account, call.into(), nonce);
        let encoded = transaction.encode();
        let (from, _) = self.finalised().await?;
        self.submit(&encoded).await?;
        drop(sending);
        let events = self.included(&encoded, from).await?;
        for event in &events {
            match event {
                RuntimeEvent::System(frame_system::Event::ExtrinsicFailed {
                    dispatch_error,
                    ..
                }) => return Err(failure(*dispatch_error)),
                RuntimeEvent::Utility(polkadot_sdk::pallet_utility::Event::BatchInterrupted {
                    error,
                    ..
                }) => return Err(failure(*error)),
                RuntimeEvent::Sudo(pallet_sudo::Event::Sudid {
                    sudo_result: Err(error),
                }) => return Err(failure(*error)),
                _ => {}
            }
        }
        Ok(events)
    }

    /// The same as root, through the development networks' sudo.
    ///
    /// # Errors
    ///
    /// See [`Chain::send`].
    pub async fn sudo(&self, call: impl Into<RuntimeCall> + Send) -> Result<Vec<RuntimeEvent>> {
        let call = pallet_sudo::Call::sudo {
            call: Box::new(call.into()),
        };
        self.send(Sr25519Keyring::Alice, call).await
    }

    fn signed(
        &self,
        pair: &sr25519::Pair,
        account: AccountId,
        call: RuntimeCall,
        nonce: Nonce,
    ) -> UncheckedExtrinsic {
        let extension: TxExtension = (
            frame_system::AuthorizeCall::new(),
            frame_system::CheckNonZeroSender::new(),
            frame_system::CheckSpecVersion::new(),
            frame_system::CheckTxVersion::new(),
            frame_system::CheckGenesis::new(),
            frame_system::CheckEra::from(Era::Immortal),
            frame_system::CheckNonce::from(nonce),
            frame_system::CheckWeight::new(),
            pallet_transaction_payment::ChargeTransactionPayment::from(0),
            frame_system::WeightReclaim::new(),
        );
        let implicit = (
            (),
            (),
            VERSION.spec_version,
            VERSION.transaction_version,
            self.genesis,
            self.genesis,
            (),
            (),
            (),
            (),
        );
        let payload = SignedPayload::from_raw(call.clone(), extension.clone(), implicit);
        let signature = payload.using_encoded(|payload| pair.sign(payload));
        UncheckedExtrinsic::new_signed(call, account.into(), signature.into(), extension)
    }

    async fn submit(&self, encoded: &[u8]) -> Result<()> {
        self.ask("author_submitExtrinsic", rpc_params![prefixed(encoded)])
            .await
            .map(drop)
    }

    /// The events of a transaction, once it is in a finalised block after block `from`.
    async fn included(&self, encoded: &[u8], from: u32) -> Result<Vec<RuntimeEvent>> {
        let wanted = blake2_256(encoded);
        let next = Mutex::new(from.saturating_add(1));
        eventually("a transaction is final", || async {
            let (last, _) = self.finalised().await?;
            let first = next.lock().map_or(from, |next| *next);
            for number in first..=last {
                let at = self.hash(number).await?.context("no block")?;
                let block = self.ask("chain_getBlock", rpc_params![at]).await?;
                let transactions = block["block"]["extrinsics"]
                    .as_array()
                    .context("no transactions")?;
                for (index, transaction) in (0u32..).zip(transactions) {
                    if blake2_256(&bytes(transaction)?) == wanted {
                        let events = self.events(at).await?;
                        return Ok(Some(
                            events
                                .into_iter()
                                .filter(|record| record.phase == Phase::ApplyExtrinsic(index))
                                .map(|record| record.event)
                                .collect(),
                        ));
                    }
                }
                if let Ok(mut next) = next.lock() {
                    *next = number.saturating_add(1);
                }
            }
            Ok(None)
        })
        .await
    }

    /// Sends a call that needs no account because it is authorised by what it carries.
    ///
    /// # Errors
    ///
    /// If the node refuses it; [`refusal`] reads why.
    pub async fn authorised(&self, call: impl Into<RuntimeCall>) -> Result<()> {
        let transaction: UncheckedExtrinsic = <Runtime as CreateAuthorizedTransaction<
            RuntimeCall,
        >>::create_authorized_transaction(call.into());
        self.submit(&transaction.encode()).await
    }

    /// Follows events from the finalised head on.
    ///
    /// # Errors
    ///
    /// If the node does not answer.
    pub async fn follow(&self) -> Result<History> {
        let (head, _) = self.finalised().await?;
        Ok(History {
            chain: self.clone(),
            next: head.saturating_add(1),
            seen: Vec::new(),
        })
    }
}

/// The number by which a pallet says why it does not authorise a call (`InvalidTransaction::Custom`).
///
/// # Errors
///
/// If this is no such refusal.
pub fn refusal(error: &anyhow::Error) -> Result<u8> {
    let Some(RpcError::Call(refused)) = error.downcast_ref::<RpcError>() else {
        bail!("no refusal: {error:?}");
    };
    let said = refused.data().map_or("", |data| data.get());
    let number = said
        .split_once("Custom error: ")
        .with_context(|| format!("another refusal: {refused:?}"))?
        .1;
    let digits: String = number.chars().take_while(char::is_ascii_digit).collect();
    Ok(digits.parse()?)
}

/// What has happened in finalised blocks since somebody began to look.
#[derive(Debug)]
pub struct History {
    chain: Chain,
    next: u32,
    seen: Vec<(u32, RuntimeEvent)>,
}

impl History {
    /// Reads the blocks that have become final since the last time.
    ///
    /// # Errors
    ///
    /// If the node does not answer.
    pub async fn read(&mut self) -> Result<()> {
        let (last, _) = self.chain.finalised().await?;
        while self.next <= last {
            let at = self.chain.hash(self.next).await?.context("no block")?;
            for record in self.chain.events(at).await? {
                self.seen.push((self.next, record.event));
            }
            self.next = self.next.saturating_add(1);
        }
        Ok(())
    }

    /// The first event that `pick` takes; it may have happened already.
    ///
    /// # Errors
    ///
    /// If there is none in time.
    pub async fn first<T>(
        &mut self,
        what: &str,
        pick: impl Fn(&RuntimeEvent) -> Option<T>,
    ) -> Result<T> {
        Ok(self.find(what, pick).await?.1)
    }

    /// The same with the hash of its block. What came before that is forgotten.
    ///
    /// # Errors
    ///
    /// See [`History::first`].
    pub async fn next<T>(
        &mut self,
        what: &str,
        pick: impl Fn(&RuntimeEvent) -> Option<T>,
    ) -> Result<(H256, T)> {
        let (block, found) = self.find(what, pick).await?;
        self.seen.retain(|(other, _)| *other > block);
        let hash = self.chain.hash(block).await?.context("no block")?;
        Ok((hash, found))
    }

    /// All events until now that `pick` takes.
    ///
    /// # Errors
    ///
    /// If the node does not answer.
    pub async fn all<T>(&mut self, pick: impl Fn(&RuntimeEvent) -> Option<T>) -> Result<Vec<T>> {
        self.read().await?;
        Ok(self
            .seen
            .iter()
            .filter_map(|(_, event)| pick(event))
            .collect())
    }

    async fn find<T>(
        &mut self,
        what: &str,
        pick: impl Fn(&RuntimeEvent) -> Option<T>,
    ) -> Result<(u32, T)> {
        let began = Instant::now();
        let mut looked = 0;
        loop {
            self.read().await?;
            let new = self.seen.get(looked..).unwrap_or_default();
            let found = new
                .iter()
                .find_map(|(block, event)| Some((*block, pick(event)?)));
            if let Some(found) = found {
                return Ok(found);
            }
            looked = self.seen.len();
            ensure!(
                began.elapsed() < PATIENCE,
                "{what}: not within {PATIENCE:?}"
            );
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
    }
}
