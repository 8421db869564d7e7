//! `gear-exe query`: what a node and the contracts know.

use super::{
    CliError, Next,
    abi::PayloadArgs,
    amount::{self, units},
    connect::Endpoints,
    deposit, mailbox,
    output::{Answer, Format},
};
use alloy::{
    network::TransactionBuilder,
    primitives::{Address, B256},
    providers::{DynProvider, Provider},
    rpc::types::TransactionRequest,
    sol_types::SolCall,
};
use clap::{Args, Subcommand};
use gear_exe_ethereum::abi::{Router, WrappedVara};
use jsonrpsee::rpc_params;
use serde_json::{Value, json};

/// Arguments of `gear-exe query`.
#[derive(Debug, Args)]
pub struct QueryArgs {
    #[command(flatten)]
    endpoints: Endpoints,
    #[command(subcommand)]
    command: QueryCommand,
}

#[derive(Debug, Subcommand)]
enum QueryCommand {
    /// The network: versions, Router, heads.
    Network,
    /// Programs that there are.
    Programs,
    /// A program: its code, state, balances, and whether it starves.
    Program {
        /// Its address.
        program: Address,
    },
    /// A code: whether the Router has it validated.
    Code {
        /// Its id.
        code: B256,
    },
    /// What an address has: ETH and wVARA.
    Balance {
        /// The address.
        address: Address,
    },
    /// What an address has deposited at the Router for native messages, and what a withdrawal that failed owes it.
    Deposit {
        /// The address.
        address: Address,
    },
    /// What a program has sent to an address and waits there: to be replied to, or for its value to be claimed.
    Mailbox {
        /// The program.
        program: Address,
        /// The address.
        address: Address,
    },
    /// What became of a message, and how far that is confirmed.
    Message {
        /// Its id.
        message: B256,
    },
    /// What a program would reply now. Nothing is sent.
    Reply(AskArgs),
    /// What a message would cost the programs that take part in it: gas, and their part of a batch. Nothing is sent.
    Cost(AskArgs),
}

/// A message that is not sent.
#[derive(Debug, Args)]
pub struct AskArgs {
    /// The program.
    program: Address,
    #[command(flatten)]
    payload: PayloadArgs,
    /// Who asks.
    #[arg(long, value_name = "ADDRESS", default_value_t = Address::ZERO)]
    source: Address,
    /// ETH that comes with the message.
    #[arg(long, value_name = "ETH", default_value = "0", value_parser = amount::eth)]
    value: u128,
    /// Ethereum block at which to ask [default: the newest].
    #[arg(long, value_name = "HASH")]
    at: Option<B256>,
}

impl AskArgs {
    async fn ask(self, endpoints: &Endpoints, method: &str) -> Result<Value, CliError> {
        let payload = format!("0x{}", hex::encode(self.payload.bytes()?));
        let params = rpc_params![self.at, self.source, self.program, payload, self.value];
        endpoints.node().await?.call(method, params).await
    }
}

/// Asks.
///
/// # Errors
///
/// [`CliError`] says what to do.
pub async fn run(args: QueryArgs, format: Format) -> Result<(), CliError> {
    let at = &args.endpoints;
    match args.command {
        QueryCommand::Network => network(at).await,
        QueryCommand::Programs => {
            let ids: Vec<Value> = at.node().await?.call("program_ids", rpc_params![]).await?;
            Ok(Answer::new().with("programs", ids))
        }
        QueryCommand::Program { program } => self::program(at, program).await,
        QueryCommand::Code { code } => self::code(at, code).await,
        QueryCommand::Balance { address } => balance(at, address).await,
        QueryCommand::Deposit { address } => deposit::show(at, address).await,
        QueryCommand::Mailbox { program, address } => mailbox::list(at, program, address).await,
        QueryCommand::Message { message } => self::message(at, message).await,
        QueryCommand::Reply(ask) => {
            let answer = ask.ask(at, "program_calculateReplyForHandle").await?;
            Ok(reply(&answer["reply"]).with("messages", answer["messages"].clone()))
        }
        QueryCommand::Cost(ask) => {
            let answer = ask.ask(at, "gear_estimateCost").await?;
            Ok(reply(&answer["reply"])
                .with("gas", answer["gas"].clone())
                .with("cost", units(&answer["cost"], amount::WVARA))
                .with("programs", answer["programs"].clone()))
        }
    }?
    .print(format)
}

/// Payload, code and value of a reply in the node's words.
pub(super) fn reply(reply: &Value) -> Answer {
    let code = reply["code"].as_str().unwrap_or_default();
    Answer::new()
        .with("payload", reply["payload"].clone())
        .with("code", code)
        .with("meaning", meaning(code))
        .with("value", reply["value"].clone())
}

/// A reply code in words.
pub(super) fn meaning(code: &str) -> &'static str {
    match code.strip_prefix("0x").unwrap_or(code).get(..6) {
        Some("000000") => "success, without a reply of the program's own",
        Some("000100") => "success",
        Some("010000") => "failed: ran out of gas",
        Some("010001") => "failed: more memory than a program may have",
        Some("010002") => "failed: the program broke a rule of the executor",
        Some("010003") => "failed: the program panicked; the payload says why",
        Some("010004") => "failed: the program reached what it thought unreachable",
        Some("010005") => "failed: the stack grew over its limit",
        Some("010200") => "failed: the program has exited",
        Some("010201") => "failed: the program's first message failed",
        Some("010202") => "failed: the program has had no first message yet",
        Some("010203") => "failed: there is no such program",
        Some("010400") => "failed: the sender's deposit is less than the value",
        Some(other) if other.starts_with("0103") => "failed: it waited longer than it may",
        Some(other) if other.starts_with("00") => "success",
        _ => "failed",
    }
}

async fn network(at: &Endpoints) -> Result<Answer, CliError> {
    let node = at.node().await?;
    let version: Value = node.call("version", rpc_params![]).await?;
    let router: Value = node.call("routerAddress", rpc_params![]).await?;
    let round: Value = node.call("gear_round", rpc_params![]).await?;
    let programs: Vec<Value> = node.call("program_ids", rpc_params![]).await?;
    let ethereum = at.ethereum().await?;
    let head = ethereum
        .get_block_number()
        .await
        .next(at.silent(), at.start())?;
    let chain_id = ethereum
        .get_chain_id()
        .await
        .next(at.silent(), at.start())?;
    Ok(Answer::new()
        .with("version", version)
        .with("router", router)
        .with("chain_id", chain_id)
        .with("ethereum_head", head)
        .with("anchor", round["anchor"]["number"].clone())
        .with("block", round["block"]["number"].clone())
        .with("programs", programs.len()))
}

async fn program(at: &Endpoints, program: Address) -> Result<Answer, CliError> {
    let found: Value = at
        .node()
        .await?
        .call("gear_programState", rpc_params![program])
        .await?;
    if found.is_null() {
        return Err(CliError::new(
            format!("the node knows no program {program}"),
            "create it with `gear-exe tx create`; if that is done, wait until the node has seen its Ethereum block",
        ));
    }
    let state = &found["state"];
    let (life, initialized) = match state["program"]
        .as_object()
        .and_then(|map| map.iter().next())
    {
        Some((kind, active)) if kind == "Active" => ("active", active["initialized"].clone()),
        Some((kind, _)) if kind == "Exited" => ("exited", json!(true)),
        _ => ("its first message failed", json!(false)),
    };
    Ok(Answer::new()
        .with("program", program.to_string())
        .with("code_id", found["code_id"].clone())
        .with("life", life)
        .with("initialized", initialized)
        .with(
            "executable_balance",
            units(&state["executable_balance"], amount::WVARA),
        )
        .with("owned_balance", units(&state["balance"], amount::ETH))
        .with(
            "queued",
            state["canonical_queue"]["cached_queue_size"].clone(),
        )
        .with("starved", found["starved"].clone())
        .with("state_hash", found["state_hash"].clone()))
}

/// Calls a method of a contract without sending anything.
pub(super) async fn call<C: SolCall>(
    ethereum: &DynProvider,
    to: Address,
    call: C,
) -> Result<C::Return, CliError> {
    let silent = || format!("{} of {to} does not answer", C::SIGNATURE);
    let fix = "check --router and --ethereum-rpc: they must be of one network";
    let request = TransactionRequest::default()
        .with_to(to)
        .with_input(call.abi_encode());
    let answer = ethereum.call(request).await.next(silent(), fix)?;
    C::abi_decode_returns(&answer).next(silent(), fix)
}

async fn code(at: &Endpoints, code: B256) -> Result<Answer, CliError> {
    let ethereum = at.ethereum().await?;
    let question = Router::codeStateCall { codeId: code };
    let state = match call(&ethereum, at.router().await?, question).await? {
        0 => "unknown",
        1 => "validation requested",
        _ => "validated",
    };
    Ok(Answer::new()
        .with("code_id", code.to_string())
        .with("state", state))
}

async fn balance(at: &Endpoints, address: Address) -> Result<Answer, CliError> {
    let ethereum = at.ethereum().await?;
    let eth = ethereum
        .get_balance(address)
        .await
        .next(at.silent(), at.start())?;
    let token = call(&ethereum, at.router().await?, Router::wrappedVaraCall {}).await?;
    let question = WrappedVara::balanceOfCall { account: address };
    let wvara = call(&ethereum, token, question).await?;
    Ok(Answer::new()
        .with("address", address.to_string())
        .with("eth", amount::show(eth, amount::ETH))
        .with("wvara", amount::show(wvara, amount::WVARA)))
}

async fn message(at: &Endpoints, message: B256) -> Result<Answer, CliError> {
    let status: Value = at
        .node()
        .await?
        .call("gear_messageStatus", rpc_params![message])
        .await?;
    if status.is_null() {
        return Err(CliError::new(
            format!("the node has no result of message {message}"),
            "wait if it is new or its program starves (`gear-exe query program`); old results are not kept",
        ));
    }
    let receipt = &status["receipt"];
    let code = receipt["code"].as_str().unwrap_or_default();
    Ok(Answer::new()
        .with("message_id", message.to_string())
        .with("level", status["level"].clone())
        .with("block", status["block"]["number"].clone())
        .with("anchor", status["anchor"]["number"].clone())
        .with("code", code)
        .with("meaning", meaning(code))
        .with("gas_burned", receipt["gas_burned"].clone())
        .with("batch", status["batch"]["nonce"].clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reply_code_has_a_meaning() {
        assert_eq!(meaning("0x00010000"), "success");
        assert!(meaning("0x00000000").starts_with("success"));
        assert!(meaning("0x01000300").contains("panicked"));
        assert!(meaning("0x01030000").starts_with("failed"));
        assert_eq!(meaning("nonsense"), "failed");
    }
}
