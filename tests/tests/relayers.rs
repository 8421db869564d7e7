//! Three relayers, as processes, race for the same batches, while they are killed and started again, fees jump, transactions are dropped
//! from the pool, somebody else uses their keys, and Ethereum reorganises: every batch is accepted exactly once, every message has
//! one answer, and few transactions are wasted.
//!
//! One validator is enough: relayers read what is final and carry what is signed, whoever has signed it. What a single relayer does in
//! each of these cases, step by step, is tested in `ethereum-relayer/tests`.

use alloy::{
    network::TransactionBuilder,
    primitives::{Address, B256, U256},
    providers::{Provider, ext::AnvilApi},
    rpc::types::TransactionRequest,
    signers::local::PrivateKeySigner,
};
use anyhow::{Context, Result, ensure};
use gear_exe_ethereum::abi::{Mirror, Router};
use gear_exe_programs::COUNTER;
use gear_exe_tests::{
    network::{Network, Options, Relayer},
    process::{Process, binary},
    traffic::one,
    wallet::{Sent, Wallet, calldata, eventually},
};
use serde_json::Value;
use std::collections::BTreeMap;

const GWEI: u128 = 1_000_000_000;
const ETHER: u128 = 1_000_000_000 * GWEI;
/// What a relayer offers at most per gas, in gwei.
const CAP: u128 = 200;
/// Transactions that may be wasted, at most: one for each time that somebody disturbs a batch under way.
const WASTED: usize = 12;

struct Racer {
    key: PrivateKeySigner,
    /// Ethereum blocks that it leaves to others.
    priority: u64,
    process: Option<Process>,
}

struct Race {
    network: Network,
    user: Wallet,
    counter: Address,
    racers: Vec<Racer>,
    folder: tempfile::TempDir,
}

impl Race {
    async fn start() -> Result<Self> {
        let network = Network::start(Options {
            slots_in_an_epoch: 64,
            relayer: Relayer::Nobody,
            ..Options::default()
        })
        .await?;
        let user = network.wallet(0)?;
        let mut racers = Vec::new();
        for priority in 0..3 {
            let key = PrivateKeySigner::random();
            let gift = TransactionRequest::default()
                .with_to(key.address())
                .with_value(U256::from(10 * ETHER));
            user.transact(gift).await?;
            racers.push(Racer {
                key,
                priority,
                process: None,
            });
        }
        let mut race = Self {
            network,
            user,
            counter: Address::ZERO,
            racers,
            folder: tempfile::tempdir()?,
        };
        for racer in 0..3 {
            race.run(racer)?;
        }
        let code = race.user.upload(COUNTER).await?;
        let create = calldata("create(bool,uint32)", &[U256::ZERO, U256::ZERO]);
        race.counter = race.user.program(code, 0, 10_000, &create).await?;
        // No reorg of this test reaches below here.
        race.network.mine(80).await?;
        race.network.agrees().await?;
        Ok(race)
    }

    /// Starts a relayer, again on its folder if it ran before.
    fn run(&mut self, number: usize) -> Result<()> {
        let folder = self.folder.path();
        let racer = self.racers.get_mut(number).context("no such relayer")?;
        let name = format!("racer-{number}");
        let key_file = folder.join(format!("{name}.key"));
        std::fs::write(&key_file, format!("{:#x}\n", racer.key.to_bytes()))?;
        let arguments = [
            "run".to_owned(),
            format!("--node={}", self.network.rpc().replace("http", "ws")),
            format!("--ethereum={}", self.network.ethereum()),
            format!("--router={:#x}", self.network.router()),
            format!("--key-file={}", key_file.display()),
            format!("--data={}", folder.join(&name).display()),
            format!("--max-fee-gwei={CAP}"),
            format!("--priority={}", racer.priority),
            "--poll-ms=200".to_owned(),
        ];
        // One that runs still ends first.
        drop(racer.process.take());
        let binary = binary("gear-exe-relayer")?;
        racer.process = Some(Process::start(&name, &binary, &arguments, folder)?);
        Ok(())
    }

    fn kill(&mut self, number: usize) -> Result<()> {
        let racer = self
            .racers
            .get_mut(number)
            .and_then(|racer| racer.process.as_mut());
        racer.context("no such relayer runs")?.kill()
    }

    async fn send(&self) -> Result<Sent> {
        self.user.send(self.counter, &one(), 0).await
    }

    /// A message of which the batch waits in the pool, while nothing is mined. Returns whose transaction that is, and its hash.
    async fn under_way(&self) -> Result<(Sent, usize, B256)> {
        let sent = self.send().await?;
        self.network.mining(0, false).await?;
        let found = eventually("a batch is in the pool", || async {
            let pool: Value = self
                .user
                .provider
                .raw_request("txpool_content".into(), ())
                .await?;
            let pending = pool["pending"].as_object().context("no pool")?;
            for (from, transactions) in pending {
                let from: Address = from.parse()?;
                let racer = self
                    .racers
                    .iter()
                    .position(|racer| racer.key.address() == from);
                let first = transactions.as_object().and_then(|all| all.values().next());
                if let (Some(racer), Some(first)) = (racer, first) {
                    let hash = first["hash"].as_str().context("no hash")?;
                    return Ok(Some((racer, hash.parse::<B256>()?)));
                }
            }
            Ok(None)
        })
        .await;
        let (racer, hash) = match found {
            Ok(found) => found,
            Err(error) => {
                self.network.mining(0, true).await?;
                return Err(error);
            }
        };
        Ok((sent, racer, hash))
    }

    /// Ethereum goes on, and the message is answered.
    async fn answered(&self, sent: &Sent) -> Result<u64> {
        self.network.mining(0, true).await?;
        let reply = self.user.reply(sent).await?;
        ensure!(reply.code == [0, 1, 0, 0], "{reply:?}");
        Ok(reply.block)
    }

    async fn killed(&mut self) -> Result<()> {
        for again in [true, false] {
            let (sent, racer, hash) = self.under_way().await?;
            self.kill(racer)?;
            if !again {
                // What it has sent is gone with it: others carry the batch.
                self.user.provider.anvil_drop_transaction(hash).await?;
            }
            self.answered(&sent).await?;
            self.run(racer)?;
        }
        Ok(())
    }

    async fn dear(&mut self) -> Result<()> {
        // Once it is to be outbid, once nobody may.
        for fee in [CAP / 2, CAP + CAP / 4] {
            let (sent, ..) = self.under_way().await?;
            let provider = &self.user.provider;
            provider
                .anvil_set_next_block_base_fee_per_gas(fee * GWEI)
                .await?;
            self.answered(&sent).await?;
        }
        Ok(())
    }

    async fn dropped(&mut self) -> Result<()> {
        for _ in 0..2 {
            let (sent, _, hash) = self.under_way().await?;
            self.user.provider.anvil_drop_transaction(hash).await?;
            self.answered(&sent).await?;
        }
        Ok(())
    }

    /// Somebody uses a relayer's key: before it has sent something, and instead of what it has sent.
    async fn shared(&mut self) -> Result<()> {
        let key = self.racers.first().context("no relayers")?.key.clone();
        let foreign = Wallet::new(&self.network.ethereum(), key, self.network.router())?;
        let gift = TransactionRequest::default()
            .with_to(Address::repeat_byte(9))
            .with_value(U256::from(1));
        foreign.transact(gift.clone()).await?;
        let sent = self.send().await?;
        self.answered(&sent).await?;

        let (sent, racer, hash) = self.under_way().await?;
        let key = self
            .racers
            .get(racer)
            .context("no such relayer")?
            .key
            .clone();
        let foreign = Wallet::new(&self.network.ethereum(), key, self.network.router())?;
        self.user.provider.anvil_drop_transaction(hash).await?;
        foreign.submit(gift).await?;
        self.answered(&sent).await?;
        Ok(())
    }

    /// The block that the batch is in goes, with so many altogether; the message stays.
    async fn reorganised(&mut self, depth: u64) -> Result<()> {
        let sent = self.send().await?;
        let block = self.answered(&sent).await?;
        ensure!(block > sent.block);
        let (head, _) = self.user.head().await?;
        self.network
            .mine((block + depth).saturating_sub(head + 1))
            .await?;
        let replaced = self.network.reorg(block, Vec::new()).await?;
        ensure!(replaced >= depth, "{replaced}");
        self.network.agrees().await?;
        self.answered(&sent).await?;
        Ok(())
    }

    /// Each batch is there once, each message has one answer. Returns how many batches there are.
    async fn check(&self) -> Result<usize> {
        let applied = self
            .user
            .events::<Router::BatchApplied>(self.network.router())
            .await?;
        for ((batch, _), nonce) in applied.iter().zip(1..) {
            ensure!(
                batch.nonce == nonce,
                "batch {} comes as number {nonce}",
                batch.nonce
            );
        }
        let asked = self
            .user
            .events::<Mirror::MessageQueueingRequested>(self.counter)
            .await?;
        let replies = self.user.events::<Mirror::Reply>(self.counter).await?;
        let mut answers: BTreeMap<B256, usize> = BTreeMap::new();
        for (reply, _) in &replies {
            *answers.entry(reply.replyTo).or_default() += 1;
        }
        for (asked, _) in &asked {
            let answers = answers.get(&asked.id).copied().unwrap_or(0);
            ensure!(answers == 1, "message {} has {answers} answers", asked.id);
        }
        assert_eq!(asked.len(), replies.len());
        Ok(applied.len())
    }

    /// Transactions of relayers on the chain that have carried nothing: failed ones, and cancellations.
    async fn wasted(&self) -> Result<Vec<(u64, usize, &'static str)>> {
        let (head, _) = self.user.head().await?;
        let mut wasted = Vec::new();
        for number in 0..=head {
            let block = self.user.provider.get_block_by_number(number.into());
            let block = block.await?.context("a block is gone")?;
            if block.transactions.is_empty() {
                continue;
            }
            let receipts = self.user.provider.get_block_receipts(number.into()).await?;
            for receipt in receipts.context("no receipts")? {
                let from = receipt.from;
                let racer = self
                    .racers
                    .iter()
                    .position(|racer| racer.key.address() == from);
                match racer {
                    Some(racer) if !receipt.status() => wasted.push((number, racer, "failed")),
                    Some(racer) if receipt.to == Some(from) => {
                        wasted.push((number, racer, "cancelled"));
                    }
                    _ => {}
                }
            }
        }
        Ok(wasted)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_race_and_every_batch_is_accepted_once() -> Result<()> {
    let mut race = Race::start().await?;
    race.killed().await?;
    race.dear().await?;
    race.dropped().await?;
    race.shared().await?;
    for depth in [1, 3, 20] {
        race.reorganised(depth).await?;
    }
    // Nobody has got stuck: each alone carries a batch.
    for racer in 0..3 {
        let others: Vec<_> = (0..3).filter(|other| *other != racer).collect();
        for other in &others {
            race.kill(*other)?;
        }
        let sent = race.send().await?;
        race.answered(&sent).await?;
        for other in others {
            race.run(other)?;
        }
    }
    let batches = race.check().await?;
    let wasted = race.wasted().await?;
    println!("{batches} batches; transactions that carried none: {wasted:?}");
    ensure!(wasted.len() <= WASTED, "{wasted:?}");
    race.network.done();
    Ok(())
}
