//! The relayer against a real Ethereum node with the real contracts.

use crate::common::{proxy::*, *};
use alloy::{
    network::{EthereumWallet, NetworkTransactionBuilder, TransactionBuilder},
    primitives::Address,
    providers::{Provider, ProviderBuilder},
    rpc::types::TransactionRequest,
    signers::local::PrivateKeySigner,
};
use gear_exe_ethereum::{
    batch::calldata,
    dev::{AnvilConfig, AnvilNode},
};
use gear_exe_primitives::{H256, batch::RouterDomain};
use gear_exe_relayer::{Policy, Relayer, RelayerConfig, RelayerError};
use std::time::Duration;

/// Sends the batch with the rival's key.
async fn send_as_rival(world: &World, digest: H256, max_fee: u128) {
    let batches = world.chain.batches.lock().unwrap().clone();
    let (ready, batch) = batches
        .iter()
        .find(|(ready, _)| ready.digest == digest)
        .unwrap();
    let signatures: Vec<u8> = ready.signatures.iter().flat_map(|one| one.0).collect();
    let signer: PrivateKeySigner = RIVAL.parse().unwrap();
    let nonce = world
        .provider
        .get_transaction_count(signer.address())
        .await
        .unwrap();
    let request = TransactionRequest::default()
        .with_from(signer.address())
        .with_to(Address::from(world.domain.router.0))
        .with_input(calldata(batch, &ready.signers, &signatures))
        .with_nonce(nonce)
        .with_chain_id(world.domain.chain_id)
        .with_gas_limit(2_000_000)
        .with_max_fee_per_gas(max_fee)
        .with_max_priority_fee_per_gas(GWEI);
    let signed = request.build(&EthereumWallet::from(signer)).await.unwrap();
    let _ = world.provider.send_tx_envelope(signed).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn each_batch_is_applied_once_and_followed_to_finality() {
    let world = World::new().await;
    let relayer = world.start().await;
    for nonce in 1..=3 {
        let digest = world.next().await;
        world.mine_until_applied(nonce).await;
        assert_eq!(world.applied().await, (nonce, digest));
        assert!(metric(&relayer, "settled_total") < nonce as f64);
    }
    world.mine_until_settled(&relayer, 3.0).await;
    world.nothing_wasted(3).await;
    assert!(relayer.alarms().is_empty(), "{:?}", relayer.alarms());
    assert_eq!(metric(&relayer, "router_nonce{at=\"finalized\"}"), 3.0);
    assert_eq!(metric(&relayer, "batches{stage=\"pending\"}"), 0.0);
    assert!(metric(&relayer, "gas_used_total") > 100_000.0);
    relayer.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_log_and_send_it_sends_what_the_log_holds() {
    let world = World::new().await;
    let proxy = Proxy::new(world.anvil.port()).await;
    proxy.set(Mode::Swallow("eth_sendRawTransaction"));
    let relayer = world.start_with(world.config(RELAYER, proxy.url())).await;
    world.next().await;
    proxy.swallowed().await;
    relayer.kill().await;
    assert!(world.pool().await.is_empty());

    let relayer = world.start().await;
    world.pooled().await;
    assert_eq!(metric(&relayer, "rebroadcasts_total"), 1.0);
    world.mine_until_settled(&relayer, 1.0).await;
    world.nothing_wasted(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_send_and_receipt_it_sends_nothing_new() {
    let world = World::new().await;
    let relayer = world.start().await;
    world.next().await;
    let sent = world.pooled().await;
    relayer.kill().await;

    let relayer = world.start().await;
    until_metric(&relayer, "batches{stage=\"pending\"}", 1.0).await;
    assert_eq!(world.pool().await, [sent]);
    world.mine_until_settled(&relayer, 1.0).await;
    assert_eq!(metric(&relayer, "sent_total"), 0.0);
    world.nothing_wasted(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_receipt_and_finality_it_follows_on() {
    let world = World::new().await;
    let relayer = world.start().await;
    world.next().await;
    world.pooled().await;
    world.mine(1).await;
    until_metric(&relayer, "batches{stage=\"included\"}", 1.0).await;
    relayer.kill().await;

    let relayer = world.start().await;
    until_metric(&relayer, "batches{stage=\"included\"}", 1.0).await;
    world.mine_until_settled(&relayer, 1.0).await;
    assert_eq!(metric(&relayer, "sent_total"), 0.0);
    world.nothing_wasted(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_log_it_neither_repeats_nor_skips() {
    let world = World::new().await;
    let relayer = world.start().await;
    world.next().await;
    world.pooled().await;
    relayer.kill().await;
    remove(&world.log(RELAYER));

    // Fees have fallen, so that the new transaction differs from the forgotten one and bids less.
    world.next_base_fee(GWEI / 2).await;
    let relayer = world.start().await;
    until_metric(&relayer, "sent_total", 1.0).await;
    world.mine_until_applied(1).await;
    world.next().await;
    world.mine_until_applied(2).await;
    until_metric(&relayer, "router_nonce{at=\"latest\"}", 2.0).await;
    world.nothing_wasted(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_transaction_is_sent_again() {
    let world = World::new().await;
    let relayer = world.start().await;
    world.next().await;
    let sent = world.pooled().await;
    world
        .rpc("anvil_dropTransaction", serde_json::json!([sent]))
        .await;
    assert_eq!(world.pooled().await, sent);
    until_metric(&relayer, "rebroadcasts_total", 1.0).await;
    world.mine_until_settled(&relayer, 1.0).await;
    world.nothing_wasted(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_jump_of_the_base_fee_is_outbid() {
    let world = World::new().await;
    let relayer = world.start().await;
    world.next().await;
    let sent = world.pooled().await;
    // Three blocks in which the transaction does not fit, and a fourth that is as dear.
    for _ in 0..3 {
        world.next_base_fee(20 * GWEI).await;
        world.mine(1).await;
    }
    world.next_base_fee(20 * GWEI).await;
    until_metric(&relayer, "bumps_total", 1.0).await;
    until("the replacement is in the pool", || async {
        let pool = world.pool().await;
        (pool.len() == 1 && pool[0] != sent).then_some(())
    })
    .await;
    world.mine(1).await;
    assert_eq!(world.applied().await.0, 1);
    world.mine_until_settled(&relayer, 1.0).await;
    world.nothing_wasted(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn above_the_cap_it_holds_with_an_alarm_and_resumes() {
    let world = World::new().await;
    world.next_base_fee(50 * GWEI).await;
    let mut config = world.config(RELAYER, &world.anvil.http());
    config.policy.max_fee = 10 * GWEI;
    let relayer = world.start_with(config).await;
    world.next().await;
    until_alarm(&relayer, "fee_cap", true).await;
    assert!(
        relayer
            .alarms()
            .values()
            .any(|why| why.contains("--max-fee-gwei"))
    );
    assert!(world.pool().await.is_empty());
    // Empty blocks make it cheaper.
    world.mine_until_applied(1).await;
    until_alarm(&relayer, "fee_cap", false).await;
    world.nothing_wasted(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replacement_above_the_cap_holds_too() {
    let world = World::new().await;
    let mut config = world.config(RELAYER, &world.anvil.http());
    config.policy.max_fee = 10 * GWEI;
    let relayer = world.start_with(config).await;
    world.next().await;
    world.pooled().await;
    for _ in 0..3 {
        world.next_base_fee(50 * GWEI).await;
        world.mine(1).await;
    }
    world.next_base_fee(50 * GWEI).await;
    until_alarm(&relayer, "fee_cap", true).await;
    world.mine_until_applied(1).await;
    until_alarm(&relayer, "fee_cap", false).await;
    world.mine_until_settled(&relayer, 1.0).await;
    world.nothing_wasted(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_funds_it_holds_with_an_alarm_and_goes_on_when_funded() {
    let world = World::new().await;
    world.set_balance(account(RELAYER), 1_000).await;
    let relayer = world.start().await;
    world.next().await;
    until_alarm(&relayer, "no_funds", true).await;
    until_alarm(&relayer, "low_balance", true).await;
    assert!(world.pool().await.is_empty());
    world.set_balance(account(RELAYER), ETH).await;
    world.pooled().await;
    until_alarm(&relayer, "no_funds", false).await;
    until_alarm(&relayer, "low_balance", false).await;
    world.mine_until_settled(&relayer, 1.0).await;
    world.nothing_wasted(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ethereum_node_that_is_down_or_slow_is_waited_for() {
    let world = World::new().await;
    let proxy = Proxy::new(world.anvil.port()).await;
    proxy.set(Mode::Down);
    let mut config = world.config(RELAYER, proxy.url());
    config.timeout = Duration::from_millis(200);
    // Down at the start,
    let relayer = world.start_with(config).await;
    world.next().await;
    until_alarm(&relayer, "ethereum_down", true).await;
    proxy.set(Mode::Works);
    world.pooled().await;
    until_alarm(&relayer, "ethereum_down", false).await;
    // slow while a transaction waits,
    proxy.set(Mode::Slow(Duration::from_secs(1)));
    until_alarm(&relayer, "ethereum_down", true).await;
    world.mine_until_applied(1).await;
    world.next().await;
    proxy.set(Mode::Works);
    until_alarm(&relayer, "ethereum_down", false).await;
    world.mine_until_applied(2).await;
    // and down once more.
    proxy.set(Mode::Down);
    until_alarm(&relayer, "ethereum_down", true).await;
    proxy.set(Mode::Works);
    world.mine_until_settled(&relayer, 2.0).await;
    world.nothing_wasted(2).await;
    assert!(metric(&relayer, "ethereum_errors_total{class=\"timeout\"}") > 0.0);
    assert!(metric(&relayer, "ethereum_errors_total{class=\"unreachable\"}") > 0.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ethereum_node_that_ends_and_starts_again_is_found_again() {
    let folder = tempfile::tempdir().unwrap();
    let config = AnvilConfig {
        slots_in_an_epoch: 32,
        state: Some(folder.path().join("state.json")),
        ..Default::default()
    };
    let mut world = World::on(config.clone()).await;
    let relayer = world.start().await;
    world.next().await;
    world.mine_until_applied(1).await;
    let config = AnvilConfig {
        port: world.anvil.port(),
        args: vec!["--no-mining".into()],
        ..config
    };
    world.anvil.stop().await.unwrap();
    until_alarm(&relayer, "ethereum_down", true).await;

    world.anvil = AnvilNode::spawn(config).await.unwrap();
    until_alarm(&relayer, "ethereum_down", false).await;
    assert_eq!(world.applied().await.0, 1);
    // Its anchor is a block from before, of which Anvil's BLOCKHASH knows nothing any more.
    world.next().await;
    world.pooled().await;
    world.mine_until_settled(&relayer, 2.0).await;
    world.nothing_wasted(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn when_an_ethereum_node_fails_the_next_takes_over() {
    let world = World::new().await;
    let proxy = Proxy::new(world.anvil.port()).await;
    proxy.set(Mode::Down);
    let mut config = world.config(RELAYER, proxy.url());
    config.ethereum.push(world.anvil.http());
    config.timeout = Duration::from_millis(500);
    // Down at the start,
    let relayer = world.start_with(config).await;
    world.next().await;
    world.mine_until_applied(1).await;
    until_alarm(&relayer, "ethereum_down", false).await;
    assert_eq!(metric(&relayer, "ethereum_node"), 1.0);
    relayer.stop().await.unwrap();
    proxy.set(Mode::Works);

    // and while it works. The other one gets what the first had, and nothing is sent twice.
    let mut config = world.config(RELAYER, proxy.url());
    config.ethereum.push(world.anvil.http());
    let relayer = world.start_with(config).await;
    world.next().await;
    let sent = world.pooled().await;
    assert_eq!(metric(&relayer, "ethereum_node"), 0.0);
    proxy.set(Mode::Down);
    until_metric(&relayer, "ethereum_node", 1.0).await;
    until_metric(&relayer, "batches{stage=\"pending\"}", 1.0).await;
    assert_eq!(world.pool().await, [sent]);
    world.mine_until_settled(&relayer, 2.0).await;
    assert!(!alarm(&relayer, "ethereum_down"), "one of them works");
    world.nothing_wasted(2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ethereum_node_that_falls_behind_is_left_for_one_that_has_not() {
    let world = World::new().await;
    let state = world.rpc("anvil_dumpState", serde_json::json!([])).await;
    let behind = AnvilNode::spawn(AnvilConfig {
        args: vec!["--no-mining".into()],
        ..Default::default()
    })
    .await
    .unwrap();
    let other = ProviderBuilder::new()
        .connect(&behind.http())
        .await
        .unwrap();
    let loaded: bool = other
        .raw_request("anvil_loadState".into(), serde_json::json!([state]))
        .await
        .unwrap();
    assert!(loaded);
    assert_eq!(other.get_block_number().await.unwrap(), world.head().await);

    let mut config = world.config(RELAYER, &behind.http());
    config.ethereum.push(world.anvil.http());
    config.compare = Duration::from_millis(50);
    let relayer = world.start_with(config).await;
    // Two blocks are no lag.
    world.mine(2).await;
    let head = (world.head().await - 2) as f64;
    until_metric(&relayer, "ethereum_block{at=\"latest\"}", head).await;
    assert_eq!(metric(&relayer, "ethereum_node"), 0.0);
    world.mine(1).await;
    until_metric(&relayer, "ethereum_node", 1.0).await;
    world.next().await;
    world.mine_until_settled(&relayer, 1.0).await;
    assert!(relayer.alarms().is_empty(), "{:?}", relayer.alarms());
    world.nothing_wasted(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_that_is_down_does_not_stop_what_is_under_way() {
    let world = World::new().await;
    let relayer = world.start().await;
    world.next().await;
    let sent = world.pooled().await;
    *world.chain.down.lock().unwrap() = true;
    until_alarm(&relayer, "chain_down", true).await;
    world
        .rpc("anvil_dropTransaction", serde_json::json!([sent]))
        .await;
    assert_eq!(world.pooled().await, sent);
    world.mine_until_settled(&relayer, 1.0).await;
    *world.chain.down.lock().unwrap() = false;
    world.chain.news.notify_waiters();
    until_alarm(&relayer, "chain_down", false).await;
    world.next().await;
    world.mine_until_settled(&relayer, 2.0).await;
    world.nothing_wasted(2).await;
}

/// The block that holds the batch is replaced, with `depth - 1` blocks after it.
async fn reorg(depth: u64) {
    let world = World::new().await;
    let relayer = world.start().await;
    let digest = world.next().await;
    let sent = world.pooled().await;
    world.mine(1).await;
    until_metric(&relayer, "batches{stage=\"included\"}", 1.0).await;
    world.mine(depth - 1).await;
    assert_eq!(world.applied().await, (1, digest));

    world
        .rpc("anvil_reorg", serde_json::json!([depth, []]))
        .await;
    assert_eq!(world.applied().await.0, 0);
    until_metric(&relayer, "inclusions_lost_total", 1.0).await;
    assert!(metric(&relayer, "reorgs_total") >= 1.0);
    assert_eq!(world.pooled().await, sent, "the same transaction");
    world.mine(1).await;
    assert_eq!(world.applied().await, (1, digest));
    world.next().await;
    world.mine_until_settled(&relayer, 2.0).await;
    world.nothing_wasted(2).await;
    assert!(relayer.alarms().is_empty(), "{:?}", relayer.alarms());
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_reorg_of_1_the_same_batch_is_mined_again() {
    reorg(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_reorg_of_3_the_same_batch_is_mined_again() {
    reorg(3).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_reorg_of_20_the_same_batch_is_mined_again() {
    reorg(20).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_reorg_that_takes_several_batches_all_are_mined_again_in_order() {
    let world = World::new().await;
    let relayer = world.start().await;
    for nonce in 1..=3 {
        world.next().await;
        world.pooled().await;
        world.mine_until_applied(nonce).await;
        until_metric(&relayer, "batches{stage=\"included\"}", nonce as f64).await;
    }
    let before = world.applied().await;
    let first = world.mined().await[0].block;
    let depth = world.head().await - first + 1;
    // The second and third batch have anchors on the branch that is left, so their validators sign anew.
    world
        .rpc("anvil_reorg", serde_json::json!([depth, []]))
        .await;
    assert_eq!(world.applied().await.0, 0);
    world.chain.batches.lock().unwrap().truncate(1);
    world.chain.news.notify_waiters();
    world.mine_until_applied(1).await;
    for nonce in 2..=3 {
        world.next().await;
        world.mine_until_applied(nonce).await;
    }
    assert_ne!(world.applied().await, before);
    world.mine_until_settled(&relayer, 3.0).await;
    let mined = world.mined().await;
    let batches = mined
        .iter()
        .filter(|mined| mined.to_router && mined.success);
    assert_eq!(batches.count(), 3, "{mined:?}");
    assert!(mined.iter().all(|mined| mined.success), "{mined:?}");
    until_metric(&relayer, "router_nonce{at=\"finalized\"}", 3.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_race_costs_no_revert() {
    let world = World::new().await;
    let relayer = world.start().await;
    let digest = world.next().await;
    world.pooled().await;
    // A block that is too dear for ours, and not for the rival.
    send_as_rival(&world, digest, 90 * GWEI).await;
    world.next_base_fee(30 * GWEI).await;
    world.mine(1).await;
    assert_eq!(world.applied().await, (1, digest));
    until_metric(&relayer, "cancels_total", 1.0).await;
    until("only the cancellation is left", || async {
        let mined = world.mined().await;
        world.mine(1).await;
        mined
            .iter()
            .any(|mined| mined.from == Address::from(account(RELAYER).0))
            .then_some(())
    })
    .await;
    let mined = world.mined().await;
    assert!(mined.iter().all(|mined| mined.success), "{mined:?}");
    assert_eq!(mined.len(), 2);
    // And the next one is ours.
    world.next().await;
    world.mine_until_settled(&relayer, 1.0).await;
    assert_eq!(world.applied().await.0, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn relayers_with_priorities_share_the_work_without_waste() {
    let world = World::new().await;
    let http = world.anvil.http();
    let second = RelayerConfig {
        policy: Policy {
            stagger_blocks: 2,
            ..world.config(RIVAL, &http).policy
        },
        ..world.config(RIVAL, &http)
    };
    let first = world.start().await;
    let second = world.start_with(second).await;
    for nonce in 1..=5 {
        world.next().await;
        world.pooled().await;
        world.mine(1).await;
        assert_eq!(world.applied().await.0, nonce);
    }
    world.nothing_wasted(5).await;
    // The first is gone: the second takes over.
    first.stop().await.unwrap();
    world.next().await;
    world.mine_until_applied(6).await;
    let last = world.mined().await.pop().unwrap();
    assert_eq!(last.from, Address::from(account(RIVAL).0));
    world.mine_until_settled(&second, 1.0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_somebody_else_uses_too_is_noticed() {
    let world = World::new().await;
    let proxy = Proxy::new(world.anvil.port()).await;
    proxy.set(Mode::Swallow("eth_sendRawTransaction"));
    let relayer = world.start_with(world.config(RELAYER, proxy.url())).await;
    world.next().await;
    proxy.swallowed().await;
    // The nonce that the relayer has signed for is used by somebody else.
    let signer: PrivateKeySigner = RELAYER.parse().unwrap();
    let request = TransactionRequest::default()
        .with_to(Address::repeat_byte(9))
        .with_nonce(0)
        .with_chain_id(world.domain.chain_id)
        .with_gas_limit(21_000)
        .with_max_fee_per_gas(90 * GWEI)
        .with_max_priority_fee_per_gas(GWEI);
    let signed = request.build(&EthereumWallet::from(signer)).await.unwrap();
    let _ = world.provider.send_tx_envelope(signed).await.unwrap();
    world.mine(1).await;
    proxy.set(Mode::Works);
    until_alarm(&relayer, "foreign_transaction", true).await;
    world.mine_until_settled(&relayer, 1.0).await;
    until_alarm(&relayer, "foreign_transaction", false).await;
    assert_eq!(world.applied().await.0, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_belong_together_is_said_at_the_start() {
    let world = World::new().await;
    let ends = async |domain: RouterDomain, genesis: H256| {
        {
            let mut identity = world.chain.identity.lock().unwrap();
            identity.domain = Some(domain);
            identity.genesis = genesis;
        }
        world.start().await.ended().await.unwrap_err()
    };
    let (domain, genesis) = {
        let identity = world.chain.identity.lock().unwrap();
        (identity.domain.unwrap(), identity.genesis)
    };
    let other = RouterDomain {
        router: account(RIVAL),
        ..domain
    };
    assert!(matches!(
        ends(other, genesis).await,
        RelayerError::OtherRouter { .. }
    ));
    let other = RouterDomain {
        chain_id: 1,
        ..domain
    };
    assert!(matches!(
        ends(other, genesis).await,
        RelayerError::WrongNetwork {
            expected: 1,
            found: 31337
        }
    ));
    assert!(matches!(
        ends(domain, H256::zero()).await,
        RelayerError::OtherGenesis { .. }
    ));

    // Two relayers on one folder.
    let first = world.start().await;
    let config = world.config(RELAYER, &world.anvil.http());
    let second = Relayer::start_on(config, world.chain.clone()).await;
    assert!(matches!(second, Err(RelayerError::Log(_))));
    drop(first);
}
