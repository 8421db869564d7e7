//! A node joins late, one comes back with a damaged store, one was away: all end with the same state, and nobody executes the
//! past again.

use alloy::primitives::{Address, U256};
use anyhow::{Result, ensure};
use gear_exe_programs::COUNTER;
use gear_exe_tests::{
    validators::{Settings, Validators},
    wallet::{Wallet, calldata, eventually},
};

/// Rounds that have to be settled before a node has a reason to take a state over: more than it would execute instead.
const ENOUGH: u64 = 80;

fn add(value: u32) -> Vec<u8> {
    calldata("counterAdd(bool,uint32)", &[U256::ZERO, U256::from(value)])
}

/// A network with a program that counts the messages that it gets.
struct World {
    network: Validators,
    user: Wallet,
    counter: Address,
    count: u64,
}

impl World {
    async fn start() -> Result<Self> {
        let settings = Settings {
            metrics: true,
            ..Settings::default()
        };
        let network = Validators::start(settings).await?;
        let user = network.user(6)?;
        let code = user.upload(COUNTER).await?;
        let create = calldata("create(bool,uint32)", &[U256::ZERO, U256::ZERO]);
        let counter = user.program(code, 0, 10_000, &create).await?;
        Ok(Self {
            network,
            user,
            counter,
            count: 0,
        })
    }

    /// A message is answered on Ethereum, once and right.
    async fn ask(&mut self) -> Result<()> {
        self.count += 1;
        let reply = self.user.ask(self.counter, &add(1)).await?;
        ensure!(U256::from_be_slice(&reply.payload) == U256::from(self.count));
        Ok(())
    }

    /// Goes on until so many rounds are settled.
    async fn settle(&mut self, rounds: u64) -> Result<()> {
        while self.network.settled().await? < rounds {
            self.ask().await?;
        }
        Ok(())
    }

    async fn metric_is(&self, node: usize, name: &str, least: u64) -> Result<u64> {
        let node = &self.network.nodes[node];
        eventually(name, || async {
            let number = node.metric(name).await?;
            Ok((number >= least).then_some(number))
        })
        .await
    }

    /// A node has executed the finalised block as the first one has.
    async fn agrees(&self, node: usize) -> Result<()> {
        let (_, head) = self.network.chain().finalised().await?;
        let nodes = &self.network.nodes;
        nodes[node].agrees(&nodes[0], head).await.map(drop)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_joins_by_warp_sync_and_executes_nothing_of_the_past() -> Result<()> {
    let mut world = World::start().await?;
    world.settle(ENOUGH).await?;
    let network = &mut world.network;
    network.start_node("fifth", &["--sync", "warp"]).await?;
    let taken = world.metric_is(4, "gear_exe_taken_round", 1).await?;
    assert!(taken >= ENOUGH, "{taken}");
    world.agrees(4).await?;
    // It goes on like the others, with messages.
    for _ in 0..2 {
        world.ask().await?;
        world.agrees(4).await?;
    }
    let fifth = &world.network.nodes[4];
    let best = fifth.round(None).await?["block"]["number"].as_u64();
    let executed = fifth.metric("gear_exe_rounds_total").await?;
    let first = fifth.metric("gear_exe_taken_round").await?.min(taken);
    ensure!(
        best.is_some_and(|best| executed <= best - first),
        "{executed} of {best:?}"
    );
    for number in [1, taken / 2, taken - 1] {
        let block = world.network.chain().hash(number as u32).await?;
        ensure!(
            fifth.round(block).await?.is_null(),
            "round {number} was executed"
        );
        ensure!(!world.network.nodes[0].round(block).await?.is_null());
    }
    let log = fifth.log();
    ensure!(log.contains("Warp sync is complete"), "it did not warp");
    ensure!(log.contains("was taken from other nodes"));

    // It starts again like any other, also when it has lost all that it had taken.
    world.network.restart(4).await?;
    world.ask().await?;
    world.agrees(4).await?;
    world.network.nodes[4].kill()?;
    for file in ["node.redb", "executor.redb"] {
        std::fs::remove_file(world.network.store(4, file)?)?;
    }
    world.network.restart(4).await?;
    world.metric_is(4, "gear_exe_taken_round", taken).await?;
    world.ask().await?;
    world.agrees(4).await?;
    world.network.done();
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_validator_with_a_damaged_store_repairs_it_and_signs_again() -> Result<()> {
    let mut world = World::start().await?;
    world.settle(ENOUGH).await?;

    // Bytes in the middle are overwritten: the store cannot be opened.
    world.network.nodes[3].kill()?;
    world.network.damage(3, "executor.redb")?;
    world.ask().await?;
    world.network.restart(3).await?;
    let taken = world.metric_is(3, "gear_exe_taken_round", 1).await?;
    assert!(taken >= ENOUGH, "{taken}");
    assert_eq!(
        world
            .metric_is(3, "gear_exe_stores_set_aside_total", 1)
            .await?,
        1
    );
    world.agrees(3).await?;
    ensure!(world.network.store(3, "executor.redb").is_ok());

    // All others are needed now: without its signatures nothing goes on.
    world.network.nodes[2].kill()?;
    for _ in 0..2 {
        world.ask().await?;
    }
    world
        .metric_is(3, "gear_exe_batches_signed_total", 1)
        .await?;

    // Who was away catches up, and a store that is gone is one that is damaged.
    world.network.restart(2).await?;
    world.agrees(2).await?;
    world.network.nodes[3].kill()?;
    for file in ["node.redb", "executor.redb"] {
        std::fs::remove_file(world.network.store(3, file)?)?;
    }
    world.ask().await?;
    world.network.restart(3).await?;
    world.metric_is(3, "gear_exe_taken_round", taken).await?;
    world.agrees(3).await?;
    world.network.nodes[2].kill()?;
    world.ask().await?;
    world
        .metric_is(3, "gear_exe_batches_signed_total", 1)
        .await?;
    for file in ["second_statement", "seal_contradiction", "outcome_differs"] {
        ensure!(
            !world.network.nodes[3].log().contains(file),
            "there was an alarm: {file}"
        );
    }
    world.network.done();
    Ok(())
}
