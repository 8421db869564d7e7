//! `gear-exe tx`: what a wallet does on Ethereum. Each command waits until validators have answered, unless told not to.

use super::{
    CliError, Next, Progress,
    abi::PayloadArgs,
    amount,
    connect::{Endpoints, Signer},
    deposit::Deposits,
    mailbox::Letter,
    native,
    output::{Answer, Format},
    query::meaning,
};
use alloy::{
    primitives::{Address, B256, U256},
    signers::local::PrivateKeySigner,
};
use clap::{Args, Subcommand};
use gear_exe_ethereum::{
    artifact::Artifact,
    client::{
        Approval, ClientError, MirrorClient, NewProgram, Options, RouterClient, SentMessage,
        Transaction, Wallet,
    },
};
use gear_exe_primitives::{CodeId, H256, level::Level};
use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

/// Arguments of `gear-exe tx`.
#[derive(Debug, Args)]
pub struct TxArgs {
    #[command(flatten)]
    endpoints: Endpoints,
    #[command(flatten)]
    signer: Signer,
    /// Do not wait for what validators make of it.
    #[arg(long, global = true)]
    no_wait: bool,
    /// Longest wait, in seconds.
    #[arg(long, global = true, value_name = "SECONDS", default_value_t = 180)]
    deadline: u64,
    #[command(subcommand)]
    command: TxCommand,
}

#[derive(Debug, Subcommand)]
enum TxCommand {
    /// Put a program's code onto the network, in blobs. Costs a fee in wVARA.
    Upload {
        /// The WASM file.
        wasm: PathBuf,
    },
    /// Create a program of a validated code.
    Create(CreateArgs),
    /// Pay for a program's execution.
    TopUp {
        /// The program.
        program: Address,
        /// How much wVARA.
        #[arg(value_parser = amount::wvara)]
        wvara: u128,
        /// Approve in a transaction of its own instead of by a signature.
        #[arg(long)]
        approve: bool,
    },
    /// Send a message to a program and show its reply.
    SendMessage {
        /// The program.
        program: Address,
        #[command(flatten)]
        payload: PayloadArgs,
        /// ETH that goes with it.
        #[arg(long, value_name = "ETH", default_value = "0", value_parser = amount::eth)]
        value: u128,
        /// Send it to the node by a signature alone, without a transaction on Ethereum. ETH that goes with it comes out of
        /// the sender's deposit.
        #[arg(long)]
        native: bool,
        /// Show each level of confirmation up to this one. Without a level: until it is settled on Ethereum; without the
        /// option: until a quorum of validators has signed the result.
        #[arg(long, value_name = "LEVEL", requires = "native", num_args = 0..=1, require_equals = true, default_missing_value = "settled",
            value_parser = native::level)]
        watch: Option<Level>,
    },
    /// Reply to a message in the wallet's mailbox.
    SendReply {
        /// The program that sent it.
        program: Address,
        /// Its id.
        message: B256,
        #[command(flatten)]
        payload: PayloadArgs,
        /// ETH that goes with it.
        #[arg(long, value_name = "ETH", default_value = "0", value_parser = amount::eth)]
        value: u128,
    },
    /// Deposit ETH at the Router, to be sent with native messages.
    Deposit {
        /// How much.
        #[arg(value_name = "ETH", value_parser = amount::eth)]
        eth: u128,
        /// Whose deposit it is [default: the sender's].
        #[arg(long = "for", value_name = "ADDRESS")]
        account: Option<Address>,
    },
    /// Take ETH back out of the deposit: as much as this, or what native messages have left of it.
    Withdraw {
        /// How much [default: all].
        #[arg(value_name = "ETH", value_parser = amount::eth)]
        eth: Option<u128>,
    },
    /// Take the ETH of a message in the wallet's mailbox.
    ClaimValue {
        /// The program that sent it.
        program: Address,
        /// Its id.
        message: B256,
    },
}

#[derive(Debug, Args)]
struct CreateArgs {
    /// The code's id.
    code: B256,
    /// Tells programs of one code and creator apart [default: a random one].
    #[arg(long, value_name = "HASH")]
    salt: Option<B256>,
    /// A deployed contract that declares the program's methods, for wallets and explorers.
    #[arg(long, value_name = "ADDRESS", conflicts_with = "abi")]
    abi_interface: Option<Address>,
    /// The compiled artifact (JSON with `abi` and `bytecode`) of such a contract, which is deployed first.
    #[arg(long, value_name = "FILE")]
    abi: Option<PathBuf>,
    /// wVARA that it gets at once for its execution.
    #[arg(long, value_name = "WVARA", default_value = "0", value_parser = amount::wvara)]
    executable_balance: u128,
    /// Who sends the first message [default: the creator].
    #[arg(long, value_name = "ADDRESS")]
    initializer: Option<Address>,
}

/// Sends, and waits.
///
/// # Errors
///
/// [`CliError`] says what to do.
pub async fn run(args: TxArgs, format: Format) -> Result<(), CliError> {
    let key = args.signer.key()?;
    let progress = Arc::new(Progress::start("connecting"));
    let wait = !args.no_wait;
    if let TxCommand::SendMessage {
        program,
        payload,
        value,
        native: true,
        watch,
    } = args.command
    {
        let letter = native::Letter {
            at: &args.endpoints,
            key: &key,
            program,
            payload: payload.bytes()?,
            value,
            patience: wait.then_some(Duration::from_secs(args.deadline)),
            wanted: watch.unwrap_or(Level::Certified),
            progress: &progress,
        };
        let answer = letter.send().await?;
        progress.finish();
        return answer.print(format);
    }
    let reports = progress.clone();
    let options = Options {
        deadline: Duration::from_secs(args.deadline),
        progress: Arc::new(move |stage, about| {
            reports.stage(if about.is_empty() {
                stage.to_owned()
            } else {
                format!("{stage} ({about})")
            });
        }),
        ..Options::default()
    };
    let wallet = Wallet::connect(&args.endpoints.ethereum_rpc, key, options)
        .await
        .map_err(client)?;
    let router = RouterClient::new(wallet.clone(), args.endpoints.router().await?);
    let user = wallet.address();
    let patience = wait.then_some(Duration::from_secs(args.deadline));
    let letter = |mirror, message| Letter {
        at: &args.endpoints,
        mirror,
        user,
        message,
        patience,
        progress: &progress,
    };
    let deposits = Deposits {
        at: &args.endpoints,
        router: &router,
        patience,
        progress: &progress,
    };
    let answer = match args.command {
        TxCommand::Upload { wasm } => upload(&router, &wasm, wait).await,
        TxCommand::Create(create) => self::create(&router, create).await,
        TxCommand::TopUp {
            program,
            wvara,
            approve,
        } => {
            let approval = if approve {
                Approval::Approve
            } else {
                Approval::Permit
            };
            let mirror = mirror(&router, program).await?;
            let receipt = mirror
                .executable_balance_top_up(wvara, approval)
                .await
                .map_err(client)?;
            Ok(Answer::new()
                .with("program", program.to_string())
                .with("wvara", amount::show(U256::from(wvara), amount::WVARA))
                .with("transaction", receipt.transaction_hash.to_string()))
        }
        TxCommand::SendMessage {
            program,
            payload,
            value,
            ..
        } => {
            let payload = payload.bytes()?;
            let mirror = mirror(&router, program).await?;
            let sent = mirror
                .send_message(payload, value, false)
                .await
                .map_err(client)?;
            replied(&mirror, sent, wait).await
        }
        TxCommand::SendReply {
            program,
            message,
            payload,
            value,
        } => {
            let payload = payload.bytes()?;
            let mirror = mirror(&router, program).await?;
            letter(&mirror, message).reply(payload, value).await
        }
        TxCommand::Deposit { eth, account } => deposits.put(account.unwrap_or(user), eth).await,
        TxCommand::Withdraw { eth } => deposits.withdraw(eth).await,
        TxCommand::ClaimValue { program, message } => {
            let mirror = mirror(&router, program).await?;
            letter(&mirror, message).claim().await
        }
    }?;
    progress.finish();
    answer.print(format)
}

/// What to do next about an error of the client.
pub(super) fn client(error: ClientError) -> CliError {
    let next = match &error {
        ClientError::Unreachable { .. } => {
            "start a development network with `gear-exe run --dev`, or give another node by --ethereum-rpc".into()
        }
        ClientError::InsufficientFunds { account, .. } => {
            format!("send ETH to {account}, or sign with another key (--from)")
        }
        ClientError::Refused { revert, .. } | ClientError::Failed { revert, .. } => match &*revert.name {
            "ERC20InsufficientBalance" => {
                "send the account wVARA, or sign with another key (--from); `gear-exe query balance` shows what one has"
            }
            _ => revert
                .hint()
                .unwrap_or("contracts/README.md tells what each contract accepts; nothing was changed"),
        }
        .into(),
        ClientError::Timeout { hint, .. } => hint.clone(),
        ClientError::CodeRefused(_) => {
            "compile the program for wasm32v1-none with gstd or Sails, and upload the optimised file".into()
        }
        ClientError::NoContract(_) => {
            "check the address, --router and --ethereum-rpc: they must be of one network".into()
        }
        ClientError::Encode(_) => "make the program smaller: 512 KiB are the most".into(),
        ClientError::Artifact(_) => {
            "give the JSON that Foundry writes to out/, of a contract and not of an interface".into()
        }
        ClientError::Node { .. } | ClientError::Unexpected(_) => {
            "try again; if it stays, the Ethereum node and this program do not understand each other".into()
        }
    };
    let what = match &error {
        ClientError::Timeout {
            stage,
            seconds,
            last,
            ..
        } => format!("{stage}: not done after {seconds} s{last}"),
        // What to do is said once.
        ClientError::Refused { revert, .. } | ClientError::Failed { revert, .. } => {
            let hint = revert.hint().map(|hint| format!(": {hint}"));
            let says = error.to_string();
            match hint.and_then(|hint| says.strip_suffix(&hint).map(str::to_owned)) {
                Some(short) => short,
                None => says,
            }
        }
        error => error.to_string(),
    };
    CliError::new(what, next)
}

/// A program that the Router knows.
async fn mirror(router: &RouterClient, program: Address) -> Result<MirrorClient, CliError> {
    match router.program_code_id(program).await.map_err(client)? {
        Some(_) => Ok(router.mirror(program)),
        None => Err(CliError::new(
            format!("{program} is no program of Router {}", router.address()),
            "create it with `gear-exe tx create`; `gear-exe query programs` shows which there are",
        )),
    }
}

async fn upload(router: &RouterClient, wasm: &Path, wait: bool) -> Result<Answer, CliError> {
    let code = fs::read(wasm).next(
        format!("{} cannot be read", wasm.display()),
        "give the path of a compiled program, a .wasm file",
    )?;
    let upload = router.upload_code(&code).await.map_err(client)?;
    if wait {
        router.wait_for_code(&upload).await.map_err(client)?;
    }
    Ok(Answer::new()
        .with("code_id", upload.code_id.to_string())
        .with(
            "state",
            if wait {
                "validated"
            } else {
                "validation requested"
            },
        )
        .with("bytes", code.len())
        .with_some("transaction", upload.tx.map(|tx| tx.to_string())))
}

async fn create(router: &RouterClient, args: CreateArgs) -> Result<Answer, CliError> {
    let abi_interface = match &args.abi {
        None => args.abi_interface,
        Some(file) => Some(deploy_abi(router.wallet(), file).await?),
    };
    // As good as a key: 32 random bytes.
    let salt = args
        .salt
        .unwrap_or_else(|| PrivateKeySigner::random().to_bytes());
    let program = router
        .create_program(NewProgram {
            code_id: CodeId(H256(args.code.0)),
            salt: H256(salt.0),
            initializer: args.initializer,
            abi_interface,
            executable_balance: args.executable_balance,
        })
        .await
        .map_err(client)?;
    Ok(Answer::new()
        .with("program", program.to_string())
        .with("code_id", args.code.to_string())
        .with("salt", salt.to_string())
        .with_some("abi_interface", abi_interface.map(|abi| abi.to_string()))
        .with(
            "executable_balance",
            amount::show(U256::from(args.executable_balance), amount::WVARA),
        ))
}

async fn deploy_abi(wallet: &Wallet, file: &Path) -> Result<Address, CliError> {
    let text = fs::read_to_string(file).next(
        format!("{} cannot be read", file.display()),
        "give the artifact that Foundry writes to out/",
    )?;
    let artifact = Artifact::from_json(&text)
        .map_err(ClientError::from)
        .map_err(client)?;
    wallet
        .send(Transaction {
            action: "deploying the typed ABI".into(),
            data: artifact.creation_code(&[]),
            ..Default::default()
        })
        .await
        .map_err(client)?
        .contract_address
        .ok_or_else(|| CliError::new("the typed ABI was not deployed", "try again"))
}

async fn replied(mirror: &MirrorClient, sent: SentMessage, wait: bool) -> Result<Answer, CliError> {
    let answer = Answer::new()
        .with("message_id", sent.id.to_string())
        .with("transaction", sent.tx.to_string())
        .with("block", sent.block);
    if !wait {
        return Ok(answer);
    }
    let reply = mirror
        .wait_for_reply(sent.id, sent.block)
        .await
        .map_err(client)?;
    let code = format!("0x{}", hex::encode(reply.code.0));
    if !reply.code.is_success() {
        let says = match String::from_utf8_lossy(&reply.payload) {
            text if text.is_empty() => String::new(),
            text => format!(": {text}"),
        };
        return Err(CliError::new(
            format!(
                "the program did not take message {}: {} ({code}){says}",
                sent.id,
                meaning(&code),
            ),
            "correct the payload; `gear-exe query reply` tells what a program would answer without sending anything",
        ));
    }
    Ok(answer
        .with("reply", reply.payload.to_string())
        .with("code", code.as_str())
        .with("meaning", meaning(&code))
        .with("value", amount::show(U256::from(reply.value), amount::ETH))
        .with("reply_block", reply.block))
}
