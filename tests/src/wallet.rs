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
        let sent = self.provider.send_transaction(request).await?;
        let hash = *sent.tx_hash();
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
        let fee = self
            .read(self.router, Router::requestCodeValidationBaseFeeCall {})
            .await?;
        self.approve(self.router, fee).await?;
        let id = CodeId::of(code);
        let sidecar = blob::sidecar(code)?;
        // The approval stands already, so the signed one may be void.
        let offer = Router::requestCodeValidationCall {
            codeId: id.0.0.into(),
            deadline: U256::MAX,
            v: 0,
            r: B256::ZERO,
            s: B256::ZERO,
        };
        let mut request = call(self.router, &offer);
        request.max_fee_per_blob_gas = Some(1_000_000_000);
        request.blob_versioned_hashes = Some(sidecar.versioned_hashes().collect());
        request.sidecar = Some(BlobTransactionSidecarVariant::Eip7594(sidecar));
        self.transact(request).await?;
        Ok(id)
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
        let (code, salt) = (code.0.0.into(), B256::repeat_byte(salt));
        let request = match abi {
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
        };
        let receipt = self.transact(request).await?;
        receipt
            .decoded_log::<Router::ProgramCreated>()
            .map(|event| event.actorId)
            .context("no program was created")
    }

    /// Pays for a program's execution, in wVARA base units.
    ///
    /// # Errors
    ///
    /// If a transaction fails.
    pub async fn top_up(&self, program: Address, amount: u128) -> Result<()> {
        self.approve(program, U256::from(amount)).await?;
        let top_up = Mirror::executableBalanceTopUpCall { value: amount };
        self.transact(call(program, &top_up)).await.map(|_| ())
    }

    async fn approve(&self, spender: Address, value: U256) -> Result<()> {
        let token = self.read(self.router, Router::wrappedVaraCall {}).await?;
        let approve = WrappedVara::approveCall { spender, value };
        self.transact(call(token, &approve)).await.map(|_| ())
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
        let message = Mirror::sendMessageCall {
            payload: payload.to_vec().into(),
            callReply: false,
        };
        let request = call(program, &message).with_value(U256::from(value));
        sent(program, &self.transact(request).await?)
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
        self.top_up(program, wvara * WVARA).await?;
        let reply = self.ask(program, init).await?;
        ensure!(reply.code[0] == 0, "init failed: {reply:?}");
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

fn sent(program: Address, receipt: &TransactionReceipt) -> Result<Sent> {
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
