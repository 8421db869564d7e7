//! The Router, as a developer uses it: upload a code, make programs of it, look at settlement.

use super::{ClientError, LogScan, MirrorClient, Transaction, Wallet, WrappedVaraClient};
use crate::{
    abi::{Gear, Router},
    blob,
    convert::{address, b256, h160, h256},
};
use alloy::{
    primitives::{Address, B256, U256},
    rpc::types::{Filter, TransactionReceipt},
    sol_types::SolEvent,
};
use gear_exe_primitives::{
    CodeId, H256,
    batch::{AppliedBatch, RouterDomain},
    quorum::Member,
};
use tokio::sync::OnceCell;

/// A code as the Router knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeState {
    /// Nobody has asked for its validation, or validators refused it.
    Unknown,
    /// Validators have not answered yet.
    ValidationRequested,
    /// Programs can be made of it.
    Validated,
}

/// A code that is on its way, or there already.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Upload {
    /// The code.
    pub code_id: CodeId,
    /// The request; nothing if the code was known already and nothing was sent.
    pub request_id: Option<H256>,
    /// The transaction, if one was sent.
    pub tx: Option<B256>,
    /// The block from which on to look for the answer.
    pub block: u64,
}

/// What a program is made of.
#[derive(Clone, Copy, Debug, Default)]
pub struct NewProgram {
    /// Its code, which must be validated.
    pub code_id: CodeId,
    /// Tells programs of one code and creator apart.
    pub salt: H256,
    /// Who sends the first message; the creator if `None`.
    pub initializer: Option<Address>,
    /// A contract that declares the program's methods, for wallets and explorers. The program can be called by them then.
    pub abi_interface: Option<Address>,
    /// wVARA base units that it gets at once for its execution, by a permit of the creator.
    pub executable_balance: u128,
}

/// The Router.
#[derive(Clone, Debug)]
pub struct RouterClient {
    wallet: Wallet,
    address: Address,
    token: OnceCell<Address>,
}

impl RouterClient {
    /// The Router at `address`.
    pub fn new(wallet: Wallet, address: Address) -> Self {
        Self {
            wallet,
            address,
            token: OnceCell::new(),
        }
    }

    /// Its address.
    pub const fn address(&self) -> Address {
        self.address
    }

    /// Who calls.
    pub const fn wallet(&self) -> &Wallet {
        &self.wallet
    }

    /// What digests for it are bound to.
    pub fn domain(&self) -> RouterDomain {
        RouterDomain {
            chain_id: self.wallet.chain_id(),
            router: h160(self.address),
        }
    }

    /// The program at `program`.
    pub fn mirror(&self, program: Address) -> MirrorClient {
        MirrorClient::new(self.clone(), program)
    }

    /// The wVARA token.
    ///
    /// # Errors
    ///
    /// [`ClientError`] if the node or the contract refuses; so for all below.
    pub async fn token(&self) -> Result<WrappedVaraClient, ClientError> {
        let token = self
            .token
            .get_or_try_init(|| self.wallet.call(self.address, &Router::wrappedVaraCall {}))
            .await?;
        Ok(WrappedVaraClient::new(self.wallet.clone(), *token))
    }

    /// State of a code.
    ///
    /// # Errors
    ///
    /// See [`RouterClient::token`].
    pub async fn code_state(&self, code_id: CodeId) -> Result<CodeState, ClientError> {
        let call = Router::codeStateCall {
            codeId: b256(code_id.0),
        };
        match self.wallet.call(self.address, &call).await? {
            0 => Ok(CodeState::Unknown),
            1 => Ok(CodeState::ValidationRequested),
            2 => Ok(CodeState::Validated),
            other => Err(ClientError::Unexpected(format!("code state {other}"))),
        }
    }

    /// Code of a program; nothing if it is none of this Router's.
    ///
    /// # Errors
    ///
    /// See [`RouterClient::token`].
    pub async fn program_code_id(&self, program: Address) -> Result<Option<CodeId>, ClientError> {
        let call = Router::programCodeIdCall { programId: program };
        let id = self.wallet.call(self.address, &call).await?;
        Ok((!id.is_zero()).then(|| CodeId(h256(id))))
    }

    /// Id of the validator set, and its members in the order of the signer bitmap.
    ///
    /// # Errors
    ///
    /// See [`RouterClient::token`].
    pub async fn validators(&self) -> Result<(u64, Vec<Member>), ClientError> {
        let id = self
            .wallet
            .call(self.address, &Router::setIdCall {})
            .await?;
        let set = self
            .wallet
            .call(self.address, &Router::validatorSetCall {})
            .await?;
        let members = set
            .list
            .into_iter()
            .zip(set.weights)
            .map(|(address, weight)| Member {
                address: h160(address),
                weight,
            })
            .collect();
        Ok((id, members))
    }

    /// The last batch that was applied.
    ///
    /// # Errors
    ///
    /// See [`RouterClient::token`].
    pub async fn last_batch(&self) -> Result<AppliedBatch, ClientError> {
        let last = self
            .wallet
            .call(self.address, &Router::lastBatchCall {})
            .await?;
        let set_id = self
            .wallet
            .call(self.address, &Router::setIdCall {})
            .await?;
        Ok(AppliedBatch {
            nonce: last.nonce,
            digest: h256(last.digest),
            seal_number: last.sealNumber,
            seal_hash: h256(last.sealHash),
            last_round: last.lastRound,
            last_round_hash: h256(last.lastRoundHash),
            outbox_end: last.outboxEnd,
            set_id,
            spent: last.spent,
        })
    }

    /// Genesis hash of the chain whose batches it takes.
    ///
    /// # Errors
    ///
    /// See [`RouterClient::token`].
    pub async fn chain_genesis(&self) -> Result<H256, ClientError> {
        let call = Router::chainGenesisCall {};
        self.wallet.call(self.address, &call).await.map(h256)
    }

    /// Price of a code's validation, in wVARA base units.
    ///
    /// # Errors
    ///
    /// See [`RouterClient::token`].
    pub async fn code_fee(&self) -> Result<U256, ClientError> {
        let call = Router::requestCodeValidationBaseFeeCall {};
        self.wallet.call(self.address, &call).await
    }

    /// The digest of `batch` by the Router's own formulas.
    ///
    /// # Errors
    ///
    /// See [`RouterClient::token`].
    pub async fn batch_digest(&self, batch: Gear::Batch) -> Result<H256, ClientError> {
        let call = Router::batchDigestCall { batch };
        self.wallet.call(self.address, &call).await.map(h256)
    }

    /// Puts `wasm` into blobs and asks for its validation; the fee is paid by a permit. A code that is validated already
    /// costs nothing and sends nothing.
    ///
    /// # Errors
    ///
    /// [`ClientError::Encode`] if the code is too long for blobs; see [`Wallet::send`].
    pub async fn upload_code(&self, wasm: &[u8]) -> Result<Upload, ClientError> {
        let code_id = CodeId::of(wasm);
        if self.code_state(code_id).await? == CodeState::Validated {
            return Ok(Upload {
                code_id,
                request_id: None,
                tx: None,
                block: self.wallet.head().await?.number,
            });
        }
        self.wallet
            .report("laying the code out in blobs", &code_id.to_string());
        // Proofs take a moment of pure computation.
        let bytes = wasm.to_vec();
        let sidecar = tokio::task::spawn_blocking(move || blob::sidecar(&bytes))
            .await
            .map_err(|error| ClientError::Unexpected(error.to_string()))??;
        let permit = self
            .token()
            .await?
            .permit(self.address, self.code_fee().await?)
            .await?;
        let call = Router::requestCodeValidationCall {
            codeId: b256(code_id.0),
            deadline: permit.deadline,
            v: permit.v,
            r: permit.r,
            s: permit.s,
        };
        let transaction = Transaction {
            sidecar: Some(sidecar),
            ..Transaction::call("uploading the code", self.address, &call)
        };
        let receipt = self.wallet.send(transaction).await?;
        let announced = find_log::<Router::CodeBlobsAnnounced>(&receipt, self.address)?;
        Ok(Upload {
            code_id,
            request_id: Some(h256(announced.requestId)),
            tx: Some(receipt.transaction_hash),
            block: receipt.block_number.unwrap_or_default(),
        })
    }

    /// Waits until validators have accepted the code.
    ///
    /// # Errors
    ///
    /// [`ClientError::CodeRefused`] if they refuse it, [`ClientError::Timeout`] if they do not answer in time.
    pub async fn wait_for_code(&self, upload: &Upload) -> Result<(), ClientError> {
        let mut heads = self.wallet.heads(
            "waiting for validators to accept the code",
            "validators have not answered: check that the network makes batches and that a relayer carries them",
        );
        let filter = Filter::new()
            .address(self.address)
            .event_signature(Router::CodeRequestRefused::SIGNATURE_HASH)
            .topic1(b256(upload.code_id.0));
        let mut scan = LogScan::new(filter, upload.block);
        loop {
            let head = heads.next().await?;
            let state = self.code_state(upload.code_id).await.map(Some);
            match heads.outlast(state)? {
                Some(CodeState::Validated) => return Ok(()),
                None => continue,
                Some(_) => {}
            }
            let logs = scan.up_to(&self.wallet, head).await.map(Some);
            let refused = heads
                .outlast(logs)?
                .unwrap_or_default()
                .iter()
                .filter_map(|log| Router::CodeRequestRefused::decode_log_data(&log.inner.data).ok())
                .any(|event| {
                    upload
                        .request_id
                        .is_none_or(|request| h256(event.requestId) == request)
                });
            if refused {
                return Err(ClientError::CodeRefused(upload.code_id));
            }
        }
    }

    /// Creates a program and returns its address.
    ///
    /// # Errors
    ///
    /// See [`Wallet::send`].
    pub async fn create_program(&self, new: NewProgram) -> Result<Address, ClientError> {
        let code = b256(new.code_id.0);
        let salt = b256(new.salt);
        let initializer = new.initializer.unwrap_or_default();
        let action = "creating the program";
        let permit = if new.executable_balance == 0 {
            None
        } else {
            let value = U256::from(new.executable_balance);
            Some(self.token().await?.permit(self.address, value).await?)
        };
        let transaction = match (new.abi_interface, permit) {
            (None, None) => Transaction::call(
                action,
                self.address,
                &Router::createProgramCall {
                    codeId: code,
                    salt,
                    overrideInitializer: initializer,
                },
            ),
            (Some(abi), None) => Transaction::call(
                action,
                self.address,
                &Router::createProgramWithAbiInterfaceCall {
                    codeId: code,
                    salt,
                    overrideInitializer: initializer,
                    abiInterface: abi,
                },
            ),
            (None, Some(permit)) => Transaction::call(
                action,
                self.address,
                &Router::createProgramWithExecutableBalanceCall {
                    codeId: code,
                    salt,
                    overrideInitializer: initializer,
                    initialExecutableBalance: new.executable_balance,
                    deadline: permit.deadline,
                    v: permit.v,
                    r: permit.r,
                    s: permit.s,
                },
            ),
            (Some(abi), Some(permit)) => Transaction::call(
                action,
                self.address,
                &Router::createProgramWithAbiInterfaceAndExecutableBalanceCall {
                    codeId: code,
                    salt,
                    overrideInitializer: initializer,
                    abiInterface: abi,
                    initialExecutableBalance: new.executable_balance,
                    deadline: permit.deadline,
                    v: permit.v,
                    r: permit.r,
                    s: permit.s,
                },
            ),
        };
        let receipt = self.wallet.send(transaction).await?;
        let created = find_log::<Router::ProgramCreated>(&receipt, self.address)?;
        Ok(address(h160(created.actorId)))
    }

    /// Waits until the Router has applied a batch with this nonce or a later one; returns the last one's.
    ///
    /// # Errors
    ///
    /// [`ClientError::Timeout`] if it does not in time.
    pub async fn wait_for_batch(&self, nonce: u64) -> Result<AppliedBatch, ClientError> {
        let mut heads = self.wallet.heads(
            "waiting for a batch",
            "no batch arrives: check that validators sign and that a relayer with enough ETH runs",
        );
        loop {
            heads.next().await?;
            let answer = self.last_batch().await.map(Some);
            if let Some(last) = heads.outlast(answer)?
                && last.nonce >= nonce
            {
                return Ok(last);
            }
        }
    }
}

/// The first event of kind `E` of `emitter` in a receipt.
pub(super) fn find_log<E: SolEvent>(
    receipt: &TransactionReceipt,
    emitter: Address,
) -> Result<E, ClientError> {
    receipt
        .logs()
        .iter()
        .filter(|log| log.address() == emitter)
        .find_map(|log| E::decode_log_data_validate(&log.inner.data).ok())
        .ok_or_else(|| {
            ClientError::Unexpected(format!(
                "transaction {} has no event {}",
                receipt.transaction_hash,
                E::SIGNATURE
            ))
        })
}
