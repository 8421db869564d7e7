//! An ordinary Ethereum wallet: a key and an Ethereum node, nothing else. It knows the contracts' ABI as any dApp does.

use crate::process::PATIENCE;
use alloy::{
    eips::{BlockNumberOrTag, eip7594::BlobTransactionSidecarVariant},
    network::{EthereumWallet, TransactionBuilder},
    primitives::{Address, B256, Bytes, FixedBytes, U256, keccak256},
    providers::{DynProvider, Provider, ProviderBuilder},
    rpc::types::{Filter, Log, TransactionReceipt, TransactionRequest},
    signers::local::PrivateKeySigner,
    sol_types::{SolCall, SolEvent},
};
use anyhow::{Context, Result, bail, ensure};
use futures::future::try_join_all;
use gear_exe_ethereum::{
    abi::{Mirror, Router, WrappedVara},
    blob,
};
use gear_exe_primitives::CodeId;
use std::{future::Future, time::Duration};

/// One wVARA in base units.
pub const WVARA: u128 = 1_000_000_000_000;

/// Pause between two questions to the Ethereum node.
const PAUSE: Duration = Duration::from_millis(150);

/// Gas for a transaction that cannot be estimated, because one before it is not mined yet.
const ENOUGH_GAS: u64 = 500_000;

/// A wallet.
#[derive(Clone, Debug)]
pub struct Wallet {
    /// Its address.
    pub address: Address,
    /// The Ethereum node, with the wallet's signature under what is sent.
    pub provider: DynProvider,
    /// The Router.
    pub router: Address,
}

/// A message that was sent to a program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// The program.
    pub program: Address,
    /// Its id.
    pub id: B256,
    /// The Ethereum block in which it is.
    pub block: u64,
    /// The transaction.
    pub transaction: B256,
}

/// A reply as the program's Mirror emits it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// What was answered.
    pub payload: Bytes,
    /// ETH that came with it.
    pub value: u128,
    /// How the message ended.
    pub code: [u8; 4],
    /// The Ethereum block in which it is.
    pub block: u64,
}

/// Asks again and again until there is an answer.
///
/// # Errors
///
/// If there is none after [`PATIENCE`]; errors of single questions only if they persist until then.
pub async fn eventually<T, F: Future<Output = Result<Option<T>>>>(
    what: &str,
    question: impl Fn() -> F,
) -> Result<T> {
    let began = tokio::time::Instant::now();
    let mut last = None;
    while began.elapsed() < PATIENCE {
        match question().await {
            Ok(Some(answer)) => return Ok(answer),
            Ok(None) => {}
            Err(error) => last = Some(error),
        }
        tokio::time::sleep(PAUSE).await;
    }
    match last {
        Some(error) => Err(error.context(format!("{what}: not within {PATIENCE:?}"))),
        None => bail!("{what}: not within {PATIENCE:?}"),
    }
}

impl Wallet {
    /// The wallet of `key` at the Ethereum node `url`.
    ///
    /// # Errors
    ///
    /// If `url` is none.
    pub fn new(url: &str, key: PrivateKeySigner, router: Address) -> Result<Self> {
        let address = key.address();
        let provider = ProviderBuilder::new()
            .with_simple_nonce_management()
            .wallet(EthereumWallet::from(key))
            .connect_http(url.parse()?)
            .erased();
        Ok(Self {
            address,
            provider,
            router,
        })
    }

    /// Sends a transaction and waits until it is mined.
    ///
    /// # Errors
    ///
    /// If it reverts.
    pub async fn transact(&self, request: TransactionRequest) -> Result<TransactionReceipt> {
        let hash = self.submit(request).await?;
        self.mined(hash).await
    }

    /// Sends transactions one after the other, without a pause: they are mined in this order, in one block if that has
    /// room. Waits until all are mined.
    ///
    /// # Errors
    ///
    /// If one reverts.
    pub async fn transact_all(
        &self,
        requests: impl IntoIterator<Item = TransactionRequest>,
    ) -> Result<Vec<TransactionReceipt>> {
        let hashes = self.submit_all(requests).await?;
        self.all_mined(hashes).await
    }

    /// Sends transactions one after the other. Returns their hashes.
    ///
    /// # Errors
    ///
    /// If the Ethereum node refuses one.
    pub async fn submit_all(
        &self,
        requests: impl IntoIterator<Item = TransactionRequest>,
    ) -> Result<Vec<B256>> {
        let mut hashes = Vec::new();
        for request in requests {
            hashes.push(self.submit(request).await?);
        }
        Ok(hashes)
    }

    /// Waits until all these transactions are mined.
    ///
    /// # Errors
    ///
    /// If one reverts.
    pub async fn all_mined(&self, hashes: Vec<B256>) -> Result<Vec<TransactionReceipt>> {
        try_join_all(hashes.into_iter().map(|hash| self.mined(hash))).await
    }

    /// Sends a transaction. Returns its hash.
    ///
    /// # Errors
    ///
    /// If the Ethereum node refuses it.
    pub async fn submit(&self, request: TransactionRequest) -> Result<B256> {
        Ok(*self.provider.send_transaction(request).await?.tx_hash())
    }

    /// Waits until a transaction is mined.
    ///
    /// # Errors
    ///
    /// If it reverts.
    pub async fn mined(&self, hash: B256) -> Result<TransactionReceipt> {
        let receipt = eventually("a transaction is mined", || async {
            Ok(self.provider.get_transaction_receipt(hash).await?)
        })
        .await?;
        ensure!(receipt.status(), "transaction {hash} was reverted");
        Ok(receipt)
    }

    /// Offers a code for validation: approves the fee and sends the code in blobs. Returns its id.
    ///
    /// # Errors
    ///
    /// If a transaction fails.
    pub async fn offer(&self, code: &[u8]) -> Result<CodeId> {
        self.offer_all(&[code]).await?;
        Ok(CodeId::of(code))
    }

    /// Offers codes for validation, all at once.
    ///
    /// # Errors
    ///
    /// If a transaction fails.
    pub async fn offer_all(&self, codes: &[&[u8]]) -> Result<()> {
        let fee = self
            .read(self.router, Router::requestCodeValidationBaseFeeCall {})
            .await?;
        let fees = fee.saturating_mul(U256::from(codes.len()));
        let mut requests = vec![self.approval(self.router, fees).await?];
        for code in codes {
            let sidecar = blob::sidecar(code)?;
            // The approval stands already, so the signed one may be void.
            let offer = Router::requestCodeValidationCall {
                codeId: CodeId::of(code).0.0.into(),
                deadline: U256::MAX,
                v: 0,
                r: B256::ZERO,
                s: B256::ZERO,
            };
            let mut request = call(self.router, &offer).with_gas_limit(ENOUGH_GAS);
            request.max_fee_per_blob_gas = Some(1_000_000_000);
            request.blob_versioned_hashes = Some(sidecar.versioned_hashes().collect());
            request.sidecar = Some(BlobTransactionSidecarVariant::Eip7594(sidecar));
            requests.push(request);
        }
        self.transact_all(requests).await.map(drop)
    }

    /// Waits until the Router says whether a code is valid.
    ///
    /// # Errors
    ///
    /// If it does not.
    pub async fn verdict(&self, code: CodeId) -> Result<bool> {
        eventually("a code is validated", || async {
            let filter = Filter::new()
                .address(self.router)
                .event_signature(Router::CodeGotValidated::SIGNATURE_HASH)
                .from_block(0);
            for log in self.provider.get_logs(&filter).await? {
                let event = Router::CodeGotValidated::decode_log(&log.inner)?;
                if event.codeId.0 == code.0.0 {
                    return Ok(Some(event.valid));
                }
            }
            Ok(None)
        })
        .await
    }

    /// Offers a code and waits until it is valid.
    ///
    /// # Errors
    ///
    /// If it is refused.
    pub async fn upload(&self, code: &[u8]) -> Result<CodeId> {
        let id = self.offer(code).await?;
        ensure!(self.verdict(id).await?, "code {id} was refused");
        Ok(id)
    }

    /// Offers codes and waits until all are valid.
    ///
    /// # Errors
    ///
    /// If one is refused.
    pub async fn upload_all<const N: usize>(&self, codes: [&[u8]; N]) -> Result<[CodeId; N]> {
        self.offer_all(&codes).await?;
        let ids = codes.map(CodeId::of);
        for id in ids {
            ensure!(self.verdict(id).await?, "code {id} was refused");
        }
        Ok(ids)
    }

    /// Deploys a contract of which this is the creation code.
    ///
    /// # Errors
    ///
    /// If the transaction fails.
    pub async fn deploy(&self, creation_code: Bytes) -> Result<Address> {
        let request = TransactionRequest::default().with_deploy_code(creation_code);
        self.transact(request)
            .await?
            .contract_address
            .context("nothing was deployed")
    }

    /// Creates a program, with a typed ABI if an address for it is given.
    ///
    /// # Errors
    ///
    /// If the transaction fails.
    pub async fn create(&self, code: CodeId, salt: u8, abi: Option<Address>) -> Result<Address> {
        created(&self.transact(self.creation(code, salt, abi)).await?)
    }

    /// Creates programs of a code, all at once, with these salts.
    ///
    /// # Errors
    ///
    /// If a transaction fails.
    pub async fn create_all(
        &self,
        code: CodeId,
        salts: impl IntoIterator<Item = u8>,
    ) -> Result<Vec<Address>> {
        let requests = salts
            .into_iter()
            .map(|salt| self.creation(code, salt, None));
        let receipts = self.transact_all(requests).await?;
        receipts.iter().map(created).collect()
    }

    fn creation(&self, code: CodeId, salt: u8, abi: Option<Address>) -> TransactionRequest {
        let (code, salt) = (code.0.0.into(), B256::repeat_byte(salt));
        match abi {
            Some(abi) => call(
                self.router,
                &Router::createProgramWithAbiInterfaceCall {
                    codeId: code,
                    salt,
                    overrideInitializer: Address::ZERO,
                    abiInterface: abi,
                },
            ),
            None => call(
                self.router,
                &Router::createProgramCall {
                    codeId: code,
                    salt,
                    overrideInitializer: Address::ZERO,
                },
            ),
        }
    }

    /// Pays for a program's execution, in wVARA base units.
    ///
    /// # Errors
    ///
    /// If a transaction fails.
    pub async fn top_up(&self, program: Address, amount: u128) -> Result<()> {
        let requests = self.payment(program, amount).await?;
        self.transact_all(requests).await.map(drop)
    }

    /// The transactions that pay for a program's execution.
    async fn payment(&self, program: Address, amount: u128) -> Result<[TransactionRequest; 2]> {
        let top_up = Mirror::executableBalanceTopUpCall { value: amount };
        Ok([
            self.approval(program, U256::from(amount)).await?,
            call(program, &top_up).with_gas_limit(ENOUGH_GAS),
        ])
    }

    async fn approval(&self, spender: Address, value: U256) -> Result<TransactionRequest> {
        let token = self.read(self.router, Router::wrappedVaraCall {}).await?;
        Ok(call(token, &WrappedVara::approveCall { spender, value }))
    }

    /// Pays for the execution of new programs and sends each its first message, all at once.
    ///
    /// # Errors
    ///
    /// If a transaction fails.
    pub async fn begin(&self, programs: &[(Address, u128, &[u8])]) -> Result<Vec<Sent>> {
        let mut requests = Vec::new();
        for (program, wvara, init) in programs {
            requests.extend(self.payment(*program, wvara * WVARA).await?);
            requests.push(message(*program, init, 0));
        }
        let receipts = self.transact_all(requests).await?;
        let firsts = receipts.iter().skip(2).step_by(3);
        programs
            .iter()
            .zip(firsts)
            .map(|((program, ..), receipt)| sent(*program, receipt))
            .collect()
    }

    /// Calls a method of a contract without sending anything.
    ///
    /// # Errors
    ///
    /// If it refuses.
    pub async fn read<C: SolCall>(&self, contract: Address, question: C) -> Result<C::Return> {
        let answer = self.provider.call(call(contract, &question)).await?;
        Ok(C::abi_decode_returns(&answer)?)
    }

    /// Sends a message to a program.
    ///
    /// # Errors
    ///
    /// If the transaction fails.
    pub async fn send(&self, program: Address, payload: &[u8], value: u128) -> Result<Sent> {
        let receipt = self.transact(message(program, payload, value)).await?;
        sent(program, &receipt)
    }

    /// Sends messages, all at once.
    ///
    /// # Errors
    ///
    /// If a transaction fails.
    pub async fn send_all(&self, messages: &[(Address, &[u8])]) -> Result<Vec<Sent>> {
        let requests = messages
            .iter()
            .map(|(program, payload)| message(*program, payload, 0));
        let receipts = self.transact_all(requests).await?;
        messages
            .iter()
            .zip(&receipts)
            .map(|((program, _), receipt)| sent(*program, receipt))
            .collect()
    }

    /// Calls a program by a method of its typed ABI: a plain transaction with that calldata.
    ///
    /// # Errors
    ///
    /// If the transaction fails.
    pub async fn call(&self, program: Address, calldata: Vec<u8>, value: u128) -> Result<Sent> {
        let request = TransactionRequest::default()
            .with_to(program)
            .with_input(calldata)
            .with_value(U256::from(value));
        sent(program, &self.transact(request).await?)
    }

    /// All replies to a message on the canonical Ethereum chain.
    ///
    /// # Errors
    ///
    /// If the Ethereum node does not answer.
    pub async fn replies(&self, program: Address, message: B256) -> Result<Vec<Reply>> {
        let filter = Filter::new()
            .address(program)
            .event_signature(Mirror::Reply::SIGNATURE_HASH)
            .from_block(0);
        let mut replies = Vec::new();
        for log in self.provider.get_logs(&filter).await? {
            let event = Mirror::Reply::decode_log(&log.inner)?;
            if event.replyTo == message {
                replies.push(Reply {
                    payload: event.payload.clone(),
                    value: event.value,
                    code: event.replyCode.0,
                    block: log.block_number.unwrap_or_default(),
                });
            }
        }
        Ok(replies)
    }

    /// Waits for the reply to a message; two are an error.
    ///
    /// # Errors
    ///
    /// If there is none in time, or more than one.
    pub async fn reply(&self, sent: &Sent) -> Result<Reply> {
        let replies = eventually("a reply", || async {
            let replies = self.replies(sent.program, sent.id).await?;
            Ok((!replies.is_empty()).then_some(replies))
        })
        .await
        .with_context(|| format!("message {} in block {}", sent.id, sent.block))?;
        match <[Reply; 1]>::try_from(replies) {
            Ok([reply]) => Ok(reply),
            Err(replies) => bail!("message {} was answered {} times", sent.id, replies.len()),
        }
    }

    /// Sends a message and waits for its reply.
    ///
    /// # Errors
    ///
    /// As [`Wallet::send`] and [`Wallet::reply`].
    pub async fn ask(&self, program: Address, payload: &[u8]) -> Result<Reply> {
        let sent = self.send(program, payload, 0).await?;
        self.reply(&sent).await
    }

    /// A new program of `code` that has `wvara` wVARA and whose first message was answered with success.
    ///
    /// # Errors
    ///
    /// If anything fails.
    pub async fn program(
        &self,
        code: CodeId,
        salt: u8,
        wvara: u128,
        init: &[u8],
    ) -> Result<Address> {
        let program = self.create(code, salt, None).await?;
        for first in self.begin(&[(program, wvara, init)]).await? {
            let reply = self.reply(&first).await?;
            ensure!(reply.code[0] == 0, "init failed: {reply:?}");
        }
        Ok(program)
    }

    /// Logs of one event of a contract, from the first block on.
    ///
    /// # Errors
    ///
    /// If the Ethereum node does not answer.
    pub async fn events<E: SolEvent>(&self, contract: Address) -> Result<Vec<(E, Log)>> {
        let filter = Filter::new()
            .address(contract)
            .event_signature(E::SIGNATURE_HASH)
            .from_block(0);
        self.provider
            .get_logs(&filter)
            .await?
            .into_iter()
            .map(|log| Ok((E::decode_log(&log.inner)?.data, log)))
            .collect()
    }

    /// The head of the Ethereum chain.
    ///
    /// # Errors
    ///
    /// If the Ethereum node does not answer.
    pub async fn head(&self) -> Result<(u64, B256)> {
        let block = self
            .provider
            .get_block_by_number(BlockNumberOrTag::Latest)
            .await?
            .context("no head")?;
        Ok((block.header.number, block.header.hash))
    }

    /// ETH of an address, in wei.
    ///
    /// # Errors
    ///
    /// If the Ethereum node does not answer.
    pub async fn eth(&self, address: Address) -> Result<U256> {
        Ok(self.provider.get_balance(address).await?)
    }
}

/// A transaction that calls a method.
pub fn call(contract: Address, method: &impl SolCall) -> TransactionRequest {
    TransactionRequest::default()
        .with_to(contract)
        .with_input(method.abi_encode())
}

/// A transaction that sends a message to a program.
pub fn message(program: Address, payload: &[u8], value: u128) -> TransactionRequest {
    let message = Mirror::sendMessageCall {
        payload: payload.to_vec().into(),
        callReply: false,
    };
    call(program, &message).with_value(U256::from(value))
}

fn created(receipt: &TransactionReceipt) -> Result<Address> {
    receipt
        .decoded_log::<Router::ProgramCreated>()
        .map(|event| event.actorId)
        .context("no program was created")
}

/// The message to a program that a transaction has put onto Ethereum.
///
/// # Errors
///
/// If it has put none there.
pub fn sent(program: Address, receipt: &TransactionReceipt) -> Result<Sent> {
    let event = receipt
        .decoded_log::<Mirror::MessageQueueingRequested>()
        .context("no message was queued")?;
    Ok(Sent {
        program,
        id: event.id,
        block: receipt.block_number.context("not mined")?,
        transaction: receipt.transaction_hash,
    })
}

/// Calldata of a method whose arguments have one word each.
pub fn calldata(signature: &str, words: &[U256]) -> Vec<u8> {
    let selector: FixedBytes<4> = FixedBytes::from_slice(&keccak256(signature)[..4]);
    words.iter().fold(selector.to_vec(), |mut data, word| {
        data.extend(word.to_be_bytes::<32>());
        data
    })
}

/// A word of calldata for an address.
pub fn word(address: Address) -> U256 {
    address.into_word().into()
}
