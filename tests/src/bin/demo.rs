//! The project's main job, told step by step: an ordinary Ethereum wallet puts a program onto a running network, calls it,
//! lets a contract call it, asks eight programs at once, and moves ETH in and out. Exits with 0 only if every answer was
//! right.

use alloy::{
    primitives::{Address, B256, U256},
    sol,
    sol_types::SolConstructor,
};
use anyhow::{Context, Result, ensure};
use gear_exe_ethereum::{abi::Mirror, artifact::Artifact};
use gear_exe_primitives::CodeId;
use gear_exe_programs::{COUNTER, FAN_OUT, PING, TROUBLE};
use gear_exe_tests::{
    network,
    process::{Process, binary, free_port},
    wallet::{self, Reply, Sent, WVARA, Wallet, calldata, eventually, word},
};
use jsonrpsee::rpc_params;
use std::{process::ExitCode, time::Instant};

/// The typed ABI that explorers and wallets are shown.
const COUNTER_ABI: &str = include_str!("../../../contracts/artifacts/CounterAbi.json");
/// One ETH in wei.
const ETH: u128 = 1_000_000_000_000_000_000;
const SUCCESS: [u8; 4] = [0, 1, 0, 0];

sol! {
    #[derive(Debug)]
    contract CounterCaller {
        constructor(address program_);
        event Answered(bytes32 indexed messageId, uint32 value);
        function add(uint32 value) external returns (bytes32 messageId);
        function lastValue() external view returns (uint32);
    }
    #[derive(Debug)]
    event Changed(address indexed by, uint32 value);
}

/// Prints what happened where, and how long it took.
struct Story {
    step: usize,
    began: Instant,
    since: Instant,
}

impl Story {
    fn new() -> Self {
        Self {
            step: 0,
            began: Instant::now(),
            since: Instant::now(),
        }
    }

    /// A new step begins.
    fn step(&mut self, title: &str) {
        self.step += 1;
        self.since = Instant::now();
        println!("\n{:2}. {title}", self.step);
    }

    /// Something has happened on one side; the time since the last thing.
    fn at(&mut self, side: &str, what: impl std::fmt::Display) {
        println!(
            "    {side:<9} {what}  [{:.1} s]",
            self.since.elapsed().as_secs_f32()
        );
        self.since = Instant::now();
    }
}

struct Demo {
    node: String,
    wallet: Wallet,
    story: Story,
}

impl Demo {
    /// What the node says of a message: that, and where, it was executed.
    async fn executed(&mut self, message: B256) -> Result<()> {
        let node = self.node.clone();
        let status = eventually("the node executes the message", || async {
            let status = network::ask(&node, "gear_messageStatus", rpc_params![message]).await?;
            Ok((!status.is_null()).then_some(status))
        })
        .await?;
        self.story.at(
            "Gear.exe",
            format!(
                "executed in block {} on Ethereum block {}, {} gas",
                status["block"]["number"],
                status["anchor"]["number"],
                status["receipt"]["gas_burned"]
            ),
        );
        Ok(())
    }

    /// The reply on Ethereum, which must be a success.
    async fn replied(&mut self, sent: &Sent) -> Result<Reply> {
        let reply = self.wallet.reply(sent).await?;
        ensure!(reply.code[0] == 0, "it failed: {reply:?}");
        self.story.at(
            "Ethereum",
            format!(
                "block {}: the batch is in, the Mirror emits Reply({}, value {})",
                reply.block, reply.payload, reply.value
            ),
        );
        Ok(reply)
    }

    /// Follows a message to its reply, through both sides.
    async fn follow(&mut self, sent: &Sent, what: &str) -> Result<Reply> {
        self.story.at(
            "Ethereum",
            format!("block {}: {what}, message {}", sent.block, short(&sent.id)),
        );
        self.executed(sent.id).await?;
        self.replied(sent).await
    }

    async fn upload(&mut self, name: &str, code: &[u8]) -> Result<CodeId> {
        let id = self.wallet.offer(code).await?;
        self.story.at(
            "Ethereum",
            format!(
                "{name} ({} bytes) goes in blobs, 1,000 wVARA are paid for its validation",
                code.len()
            ),
        );
        ensure!(self.wallet.verdict(id).await?, "{name} was refused");
        self.story.at(
            "Ethereum",
            format!("validators have compiled it: CodeGotValidated({id}, true)"),
        );
        Ok(id)
    }

    async fn counter(&mut self) -> Result<Address> {
        self.story.step("Upload the program `counter`");
        let code = self.upload("counter", COUNTER).await?;

        self.story
            .step("Create it with its typed ABI, and pay for its execution");
        let abi = Artifact::from_json(COUNTER_ABI)?;
        let abi = self.wallet.deploy(abi.creation_code(&[])).await?;
        let counter = self.wallet.create(code, 1, Some(abi)).await?;
        self.story.at(
            "Ethereum",
            format!("its Mirror is {counter}; explorers find its methods through {abi}"),
        );
        self.wallet.top_up(counter, 500 * WVARA).await?;
        self.story.at(
            "Ethereum",
            "500 wVARA for execution: users will pay nothing",
        );

        self.story.step("Initialise it: create(false, 40)");
        let data = calldata("create(bool,uint32)", &[U256::ZERO, U256::from(40)]);
        let sent = self.wallet.call(counter, data, 0).await?;
        self.follow(&sent, "the first message").await?;
        Ok(counter)
    }

    async fn typed_call(&mut self, counter: Address) -> Result<()> {
        self.story
            .step("Call a method from the wallet, as any contract's: counterAdd(false, 2)");
        let data = calldata("counterAdd(bool,uint32)", &[U256::ZERO, U256::from(2)]);
        let sent = self.wallet.call(counter, data, 0).await?;
        let reply = self.follow(&sent, "a plain transaction").await?;
        ensure!(
            U256::try_from_be_slice(&reply.payload) == Some(U256::from(42)),
            "40 + 2 is not {}",
            reply.payload
        );
        let events = self.wallet.events::<Changed>(counter).await?;
        let (event, _) = events.last().context("the program emitted no event")?;
        ensure!(
            event.by == self.wallet.address && event.value == 42,
            "another event: {event:?}"
        );
        self.story.at(
            "Ethereum",
            format!(
                "the program's own event: Changed({}, {})",
                event.by, event.value
            ),
        );
        Ok(())
    }

    async fn contract_calls(&mut self, counter: Address) -> Result<()> {
        self.story
            .step("Let a Solidity contract call it and be called back: CounterCaller.add(8)");
        let arguments = CounterCaller::constructorCall { program_: counter };
        let code = Artifact::counter_caller()?.creation_code(&arguments.abi_encode());
        let caller = self.wallet.deploy(code).await?;
        self.story
            .at("Ethereum", format!("CounterCaller is {caller}"));
        let add = CounterCaller::addCall { value: 8 };
        let receipt = self.wallet.transact(wallet::call(caller, &add)).await?;
        let queued = receipt
            .decoded_log::<Mirror::MessageQueueingRequested>()
            .context("the contract sent no message")?;
        self.story.at(
            "Ethereum",
            format!("the contract has asked, message {}", short(&queued.id)),
        );
        self.executed(queued.id).await?;
        let wallet = self.wallet.clone();
        let answered = eventually("the contract is called back", || async {
            let events = wallet.events::<CounterCaller::Answered>(caller).await?;
            Ok(events.into_iter().next().map(|(event, _)| event))
        })
        .await?;
        ensure!(
            answered.messageId == queued.id && answered.value == 50,
            "42 + 8 is not {answered:?}"
        );
        let last = self
            .wallet
            .read(caller, CounterCaller::lastValueCall {})
            .await?;
        ensure!(last == 50, "the contract has {last}");
        self.story.at(
            "Ethereum",
            "the Mirror has called replyOn_counterAdd: the contract holds 50",
        );
        Ok(())
    }

    async fn fan_out(&mut self) -> Result<()> {
        self.story
            .step("Upload `ping` and `fan-out`; create eight of the one and one of the other");
        let [ping, fan_out] = self.wallet.upload_all([PING, FAN_OUT]).await?;
        self.story
            .at("Ethereum", "both codes are validated, offered in one block");
        let pings = self.wallet.create_all(ping, 0..8).await?;
        let program = self.wallet.create(fan_out, 0, None).await?;
        let ids: Vec<u8> = pings.iter().flat_map(|ping| ping.into_word()).collect();
        let mut beginnings: Vec<(Address, u128, &[u8])> =
            pings.iter().map(|ping| (*ping, 50, &b""[..])).collect();
        beginnings.push((program, 200, &ids));
        for sent in self.wallet.begin(&beginnings).await? {
            let reply = self.wallet.reply(&sent).await?;
            ensure!(reply.code[0] == 0, "a program did not start: {reply:?}");
        }
        self.story.at(
            "Ethereum",
            "nine Mirrors, nine first messages, nine replies",
        );

        self.story
            .step("Ask fan-out, which asks all eight at the same time");
        let sent = self.wallet.send(program, b"ASK", 0).await?;
        let reply = self.follow(&sent, "ASK").await?;
        let expected = [&8u32.to_le_bytes()[..], &b"PONG".repeat(8)].concat();
        ensure!(
            reply.code == SUCCESS && reply.payload == expected,
            "another answer: {reply:?}"
        );
        self.story
            .at("Gear.exe", "eight times PONG, joined in order");
        Ok(())
    }

    async fn value(&mut self, counter: Address) -> Result<()> {
        self.story
            .step("ETH in and out: counterDeposit with 1 ETH, counterWithdraw of 0.4 ETH");
        let data = calldata("counterDeposit(bool)", &[U256::ZERO]);
        let sent = self.wallet.call(counter, data, ETH).await?;
        let reply = self.follow(&sent, "1 ETH goes to the program").await?;
        ensure!(
            U256::try_from_be_slice(&reply.payload) == Some(U256::from(ETH)),
            "another balance: {reply:?}"
        );
        ensure!(
            self.wallet.eth(counter).await? == U256::from(ETH),
            "the Mirror does not hold 1 ETH"
        );

        let back = ETH * 2 / 5;
        let data = calldata(
            "counterWithdraw(bool,uint128)",
            &[U256::ZERO, U256::from(back)],
        );
        let sent = self.wallet.call(counter, data, 0).await?;
        let reply = self.follow(&sent, "0.4 ETH are asked back").await?;
        ensure!(reply.value == back, "another value: {reply:?}");
        ensure!(
            self.wallet.eth(counter).await? == U256::from(ETH - back),
            "the Mirror does not hold 0.6 ETH"
        );
        let data = calldata(
            "counterDepositOf(bool,address)",
            &[U256::ZERO, word(self.wallet.address)],
        );
        let sent = self.wallet.call(counter, data, 0).await?;
        let reply = self.follow(&sent, "how much is left?").await?;
        ensure!(
            U256::try_from_be_slice(&reply.payload) == Some(U256::from(ETH - back)),
            "another rest: {reply:?}"
        );
        Ok(())
    }

    async fn claim(&mut self) -> Result<()> {
        self.story
            .step("ETH by a claim: a program puts 0.3 ETH into the wallet's mailbox, the wallet claims it");
        let code = self.upload("trouble", TROUBLE).await?;
        let program = self.wallet.program(code, 0, 100, b"").await?;
        let value = ETH * 3 / 10;
        let payload = [&b"MAILBOX"[..], &value.to_le_bytes()].concat();
        let sent = self.wallet.send(program, &payload, value).await?;
        self.follow(&sent, "0.3 ETH go to the program, which mails them back")
            .await?;
        let mail = self.wallet.events::<Mirror::Message>(program).await?;
        let (mail, _) = mail.last().context("there is no mail")?.clone();
        ensure!(
            mail.destination == self.wallet.address && mail.value == value,
            "another mail: {mail:?}"
        );
        self.story.at(
            "Ethereum",
            format!("Message {} waits in the mailbox", short(&mail.id)),
        );

        let before = self.wallet.eth(self.wallet.address).await?;
        let claim = Mirror::claimValueCall { claimedId: mail.id };
        let receipt = self.wallet.transact(wallet::call(program, &claim)).await?;
        self.story.at("Ethereum", "the wallet claims it");
        let wallet = self.wallet.clone();
        eventually("the claim is paid", || async {
            let events = wallet.events::<Mirror::ValueClaimed>(program).await?;
            Ok(events
                .into_iter()
                .find(|(event, _)| event.claimedId == mail.id))
        })
        .await?;
        let paid = U256::from(receipt.gas_used as u128 * receipt.effective_gas_price);
        let after = self.wallet.eth(self.wallet.address).await?;
        ensure!(
            after + paid == before + U256::from(value),
            "the wallet got another amount"
        );
        self.story.at(
            "Ethereum",
            "ValueClaimed: the wallet has its 0.3 ETH, less the fee of its own transaction",
        );
        Ok(())
    }
}

fn short(id: &B256) -> String {
    let text = id.to_string();
    format!("{}…{}", &text[..6], &text[text.len() - 4..])
}

async fn run() -> Result<()> {
    let mut story = Story::new();
    let folder = tempfile::Builder::new()
        .prefix("gear-exe-demo-")
        .tempdir()?;
    let (rpc, ethereum) = (free_port()?, free_port()?);
    println!(
        "gear-exe run --dev --block-time 1 --rpc-port {rpc} --ethereum-port {ethereum}\n\
         Anvil, the contracts, one validator and a relayer; an Ethereum block each second."
    );
    let arguments = [
        "run",
        "--dev",
        "--block-time",
        "1",
        "--rpc-port",
        &rpc.to_string(),
        "--ethereum-port",
        &ethereum.to_string(),
        "--base-path",
        &folder.path().join("network").display().to_string(),
    ]
    .map(str::to_owned);
    let mut node = Process::start("node", &binary("gear-exe")?, &arguments, folder.path())?;
    let keys = node.line("Key directory: ").await?;
    let router: Address = node.line("Ethereum router address: ").await?.parse()?;
    story.at(
        "both",
        format!("the network serves; its Router is {router}"),
    );

    let key = network::read_keys(keys.as_ref())?
        .into_iter()
        .next()
        .context("no keys")?;
    let url = format!("http://127.0.0.1:{ethereum}");
    let wallet = Wallet::new(&url, key, router)?;
    println!("The wallet is {}.", wallet.address);
    let mut demo = Demo {
        node: format!("http://127.0.0.1:{rpc}"),
        wallet,
        story,
    };
    let result = async {
        let counter = demo.counter().await?;
        demo.typed_call(counter).await?;
        demo.contract_calls(counter).await?;
        demo.fan_out().await?;
        demo.value(counter).await?;
        demo.claim().await
    }
    .await;
    if result.is_err() {
        eprintln!("--- end of the node's log:\n{}", node.tail());
    }
    result?;
    node.terminate()?;
    println!(
        "\nEvery answer was right, after {:.0} s.",
        demo.story.began.elapsed().as_secs_f32()
    );
    Ok(())
}

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nThe demo failed: {error:#}");
            ExitCode::FAILURE
        }
    }
}
