//! Batches that are not sent, or that wait for long: what the relayer says of them.

use crate::common::*;
use alloy::{consensus::Transaction, primitives::Address, providers::Provider};
use gear_exe_primitives::{H256, batch::BatchHeader};
use gear_exe_relayer::{
    Alarm,
    store::{Owner, Store},
};
use std::time::{SystemTime, UNIX_EPOCH};

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_the_router_refuses_is_not_sent() {
    let world = World::new().await;
    let relayer = world.start().await;
    // Two of four are no quorum.
    let weak = world.sign_on(world.applied().await, &[0, 1]).await;
    world.publish(weak);
    until_alarm(&relayer, "batch_refused", true).await;
    let alarms = relayer.alarms();
    assert!(
        alarms.values().any(|why| why.contains("NotEnoughHeads")),
        "{alarms:?}"
    );
    assert!(world.pool().await.is_empty());
    world.mine(1).await;
    world.chain.batches.lock().unwrap().clear();
    world.next().await;
    world.mine_until_settled(&relayer, 1.0).await;
    until_alarm(&relayer, "batch_refused", false).await;
    world.nothing_wasted(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_never_fits_is_an_alarm_until_it_is_replaced() {
    let world = World::new().await;
    let mut config = world.config(RELAYER, &world.anvil.http());
    config.policy.unfit_blocks = 20;
    let relayer = world.start_with(config).await;
    let parent = world.applied().await;
    let above = |header: &mut BatchHeader| header.set_id += 4;
    let digest = world.publish(world.sign_changed(parent, &[0, 1, 2], above).await);
    until_metric(&relayer, "batches{stage=\"ready\"}", 1.0).await;
    world.mine(19).await;
    let head = world.head().await as f64;
    until_metric(&relayer, "ethereum_block{at=\"latest\"}", head).await;
    assert!(!alarm(&relayer, "batch_unfit"));
    world.mine(1).await;
    until_alarm(&relayer, "batch_unfit", true).await;
    let alarms = relayer.alarms();
    let text = &alarms[&Alarm::BatchUnfit];
    for part in [
        format!("batch {digest:?}"),
        "of set 5".into(),
        format!("nonce 0, batch {:?}, set 1", H256::zero()),
        "recoverValidatorSet".into(),
    ] {
        assert!(text.contains(&part), "{part} is not in {text}");
    }
    assert!(world.pool().await.is_empty());

    world.chain.batches.lock().unwrap().clear();
    world.next().await;
    until_alarm(&relayer, "batch_unfit", false).await;
    world.mine_until_settled(&relayer, 1.0).await;
    world.nothing_wasted(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_does_not_make_a_backlog_young() {
    const AGE: u64 = 7_200;
    let world = World::new().await;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    {
        // What a relayer wrote that saw the first batch two hours ago.
        let owner = Owner {
            router: world.domain.router,
            account: account(RELAYER),
        };
        let store = Store::open(&world.log(RELAYER), owner).unwrap();
        store
            .note_waiting(&[(1, now.as_secs() - AGE)].into())
            .unwrap();
    }
    world.next().await;
    let relayer = world.start().await;
    world.pooled().await;
    until_metric(&relayer, "oldest_unsettled_seconds", AGE as f64).await;
    until_alarm(&relayer, "old_batch", true).await;
    relayer.kill().await;

    let relayer = world.start().await;
    until_metric(&relayer, "oldest_unsettled_seconds", AGE as f64).await;
    world.mine_until_settled(&relayer, 1.0).await;
    until_alarm(&relayer, "old_batch", false).await;
    assert_eq!(metric(&relayer, "oldest_unsettled_seconds"), 0.0);
    // The next one is as young as it is.
    world.next().await;
    world.pooled().await;
    until_metric(&relayer, "batches{stage=\"pending\"}", 1.0).await;
    assert!(metric(&relayer, "oldest_unsettled_seconds") < AGE as f64);
    relayer.stop().await.unwrap();
    let owner = Owner {
        router: world.domain.router,
        account: account(RELAYER),
    };
    let store = Store::open(&world.log(RELAYER), owner).unwrap();
    let waiting = store.load().unwrap().waiting;
    assert!(
        waiting.keys().eq([&2]) && waiting[&2] >= now.as_secs(),
        "{waiting:?}"
    );
}

/// After 8191 blocks the place of the head's hash in the history contract holds an old one until the next block begins.
#[tokio::test(flavor = "multi_thread")]
async fn a_batch_that_is_anchored_at_the_head_is_sent_at_once() {
    let world = World::new().await;
    let slot = format!("{:#066x}", world.head().await % 8_191);
    let old = H256::repeat_byte(5);
    let history = "0x0000F90827F1C53a10cb7A02335B175320002935";
    let params = serde_json::json!([history, slot, format!("{old:?}")]);
    world.rpc("anvil_setStorageAt", params).await;
    let relayer = world.start().await;
    let digest = world.next().await;
    world.pooled().await;
    world.mine(1).await;
    assert_eq!(world.applied().await, (1, digest));
    world.mine_until_settled(&relayer, 1.0).await;
    world.nothing_wasted(1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_body_is_not_sent() {
    let world = World::new().await;
    let relayer = world.start().await;
    let (ready, mut batch) = world.sign_on(world.applied().await, &[0, 1, 2]).await;
    batch.outbox_end += 1;
    world.publish((ready, batch));
    until_metric(&relayer, "bodies_wrong_total", 1.0).await;
    assert!(world.pool().await.is_empty());
}

/// Sets Ethereum back to the block `to`, whatever was final.
async fn set_back(world: &World, to: u64) {
    let depth = world.head().await - to;
    world
        .rpc("anvil_rollback", serde_json::json!([depth]))
        .await;
    assert_eq!(world.head().await, to);
}

/// The log and the chain's batches are of a branch that was longer, and whose anchors this one has not reached.
async fn the_branch_becomes_shorter(restart: bool, settled: bool) {
    let world = World::new().await;
    let relayer = world.start().await;
    world.next().await;
    world.mine_until_applied(1).await;
    let fork = world.head().await;
    let used = world
        .provider
        .get_transaction_count(Address::from(account(RELAYER).0))
        .await
        .unwrap();

    world.mine(300).await;
    for nonce in 2..=3 {
        world.next().await;
        world.mine_until_applied(nonce).await;
    }
    until_metric(&relayer, "router_nonce{at=\"latest\"}", 3.0).await;
    if settled {
        // What was final is not in the log any more: there is a gap.
        world.mine_until_settled(&relayer, 3.0).await;
    }
    // One more waits in the pool: its nonce is above what the other branch has used.
    world.next().await;
    world.pooled().await;
    let relayer = if restart {
        relayer.kill().await;
        set_back(&world, fork).await;
        world.start().await
    } else {
        set_back(&world, fork).await;
        until_metric(&relayer, "reorgs_total", 1.0).await;
        relayer
    };

    // The chain offers a batch on what the Router holds now, after those of the branch that was left.
    let digest = world.next().await;
    for _ in 0..10 {
        if world.applied().await.0 == 2 {
            break;
        }
        let head = world.head().await as f64;
        until("the relayer sees the head", || async {
            (metric(&relayer, "ethereum_block{at=\"latest\"}") == head).then_some(())
        })
        .await;
        world.mine(1).await;
    }
    assert_eq!(world.applied().await, (2, digest), "held up by the old one");
    let mined = world.mined().await;
    let last = mined
        .iter()
        .rfind(|mined| mined.to_router && mined.success)
        .unwrap();
    let transaction = world
        .provider
        .get_transaction_by_hash(last.hash)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(transaction.nonce(), used, "the account's next nonce");

    // The chain notices too, and both go on.
    world
        .chain
        .batches
        .lock()
        .unwrap()
        .retain(|(ready, _)| ready.digest == digest);
    world.chain.news.notify_waiters();
    for nonce in 3..=4 {
        let digest = world.next().await;
        world.mine_until_applied(nonce).await;
        assert_eq!(world.applied().await, (nonce, digest));
    }
    until("all is final, and nothing waits", || async {
        world.mine(8).await;
        let nonce = metric(&relayer, "router_nonce{at=\"finalized\"}");
        let pending = metric(&relayer, "batches{stage=\"pending\"}");
        (nonce == 4.0 && pending == 0.0 && world.pool().await.is_empty()).then_some(())
    })
    .await;
    assert!(relayer.alarms().is_empty(), "{:?}", relayer.alarms());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shorter_branch_without_the_logs_transactions_is_gone_on_with() {
    the_branch_becomes_shorter(false, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_on_a_shorter_branch_without_the_logs_transactions_goes_on() {
    the_branch_becomes_shorter(true, false).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gap_between_the_account_and_the_log_is_closed() {
    the_branch_becomes_shorter(false, true).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_with_a_gap_between_the_account_and_the_log_closes_it() {
    the_branch_becomes_shorter(true, true).await;
}
