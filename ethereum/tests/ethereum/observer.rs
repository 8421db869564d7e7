//! The observer against Anvil: blocks, reorgs, branches, outages, lies.

use crate::common::{Mode, Network, Proxy, provider};
use alloy::{
    primitives::{Address, U256},
    providers::{DynProvider, Provider, ext::AnvilApi},
    rpc::types::{TransactionRequest, anvil::ReorgOptions},
};
use gear_exe_ethereum::{
    dev::{AnvilConfig, AnvilNode},
    observer::{Alarm, HeadChange, Observer, ObserverConfig, ObserverEvent, SourceError},
};
use gear_exe_primitives::{
    H160,
    ethereum::{EthereumEvent, EthereumHeader, RouterEvent},
};
use std::time::Duration;
use tokio::sync::mpsc::Receiver;

fn config(endpoints: Vec<String>) -> ObserverConfig {
    let mut config = ObserverConfig::new(endpoints, 31337, H160::repeat_byte(1));
    config.poll = Duration::from_millis(20);
    config.start = Some(0);
    config
}

/// No epoch ends during a test, so that nothing is final that a reorg takes away.
fn long_epochs() -> AnvilConfig {
    AnvilConfig {
        slots_in_an_epoch: 10_000,
        ..Default::default()
    }
}

async fn next(events: &mut Receiver<ObserverEvent>) -> ObserverEvent {
    tokio::time::timeout(Duration::from_secs(60), events.recv())
        .await
        .expect("an event in time")
        .expect("the observer runs")
}

async fn next_change(events: &mut Receiver<ObserverEvent>) -> HeadChange {
    loop {
        if let ObserverEvent::Head(change) = next(events).await {
            return change;
        }
    }
}

async fn next_alarm(events: &mut Receiver<ObserverEvent>) -> Alarm {
    loop {
        if let ObserverEvent::Alarm(alarm) = next(events).await {
            return alarm;
        }
    }
}

/// Applies changes until the head is `hash`; checks that they form one chain. Returns how many blocks were reverted.
async fn follow_to(
    events: &mut Receiver<ObserverEvent>,
    chain: &mut Vec<EthereumHeader>,
    head: EthereumHeader,
) -> usize {
    let mut reverted = 0;
    loop {
        let change = next_change(events).await;
        for block in &change.reverted {
            assert_eq!(chain.pop().as_ref(), Some(block));
            reverted += 1;
        }
        for block in &change.added {
            if let Some(last) = chain.last() {
                assert_eq!(block.parent, last.hash);
            }
            chain.push(*block);
        }
        if chain.last() == Some(&head) {
            return reverted;
        }
    }
}

async fn head(provider: &DynProvider) -> EthereumHeader {
    let block = provider
        .get_block(alloy::eips::BlockId::latest())
        .await
        .unwrap()
        .unwrap();
    EthereumHeader::decode_rlp(&alloy::rlp::encode(&block.header.inner)).unwrap()
}

async fn mine(provider: &DynProvider, blocks: u64) -> EthereumHeader {
    provider.anvil_mine(Some(blocks), None).await.unwrap();
    head(provider).await
}

async fn pay(provider: &DynProvider) {
    let from = provider.get_accounts().await.unwrap()[0];
    let request = TransactionRequest::default()
        .from(from)
        .to(Address::repeat_byte(7))
        .value(U256::from(1));
    let sent = provider.send_transaction(request).await.unwrap();
    sent.get_receipt().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn follows_reorgs_and_proves_blocks() {
    let anvil = AnvilNode::spawn(long_epochs()).await.unwrap();
    let node = provider(&anvil.http()).await;
    for url in [anvil.http(), anvil.ws()] {
        let (observer, mut events) = Observer::start(config(vec![url.clone()]));
        for _ in 0..3 {
            pay(&node).await;
        }
        let tip = mine(&node, 80).await;
        let mut chain = Vec::new();
        follow_to(&mut events, &mut chain, tip).await;
        assert_eq!(chain[0].number, 0);
        for block in &chain {
            let read = observer.block(block.hash).await.unwrap();
            assert_eq!(read.header, *block);
            let rlp = observer.header_rlp(block.hash).await.unwrap();
            assert_eq!(EthereumHeader::decode_rlp(&rlp).unwrap(), *block);
        }
        for depth in [1u64, 5, 70] {
            let options = ReorgOptions {
                depth,
                tx_block_pairs: Vec::new(),
            };
            // Without a difference Anvil would make the same blocks again.
            let miner = Address::repeat_byte(depth as u8 + u8::from(url.starts_with("ws")));
            node.anvil_set_coinbase(miner).await.unwrap();
            node.anvil_reorg(options).await.unwrap();
            let tip = mine(&node, 1).await;
            let reverted = follow_to(&mut events, &mut chain, tip).await;
            assert_eq!(reverted as u64, depth);
        }
        assert_eq!(observer.head(), chain.last().map(EthereumHeader::id));
        assert_eq!(observer.finalized().map(|id| id.number), Some(0));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rollback_is_a_reorg_once_the_new_branch_grows() {
    let anvil = AnvilNode::spawn(long_epochs()).await.unwrap();
    let node = provider(&anvil.http()).await;
    let (observer, mut events) = Observer::start(config(vec![anvil.http()]));
    let old = mine(&node, 20).await;
    let mut chain = Vec::new();
    follow_to(&mut events, &mut chain, old).await;
    // The head is an ancestor now: a node that lags looks alike, so nothing is reported.
    node.anvil_rollback(Some(6)).await.unwrap();
    assert_eq!(observer.head(), Some(old.id()));
    let tip = mine(&node, 2).await;
    assert!(tip.number < old.number);
    assert_eq!(follow_to(&mut events, &mut chain, tip).await, 6);
    assert_eq!(observer.head(), Some(tip.id()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn comes_back_to_a_branch_that_it_had_left() {
    let folder = tempfile::tempdir().unwrap();
    let common_part = folder.path().join("common.json");
    let with_state = |path| AnvilConfig {
        state: Some(path),
        ..long_epochs()
    };
    let anvil = AnvilNode::spawn(with_state(common_part.clone()))
        .await
        .unwrap();
    let trunk = mine(&provider(&anvil.http()).await, 10).await;
    anvil.stop().await.unwrap();

    let mut branches = Vec::new();
    for (name, blocks) in [("a", 4), ("b", 7)] {
        let path = folder.path().join(name);
        std::fs::copy(&common_part, &path).unwrap();
        let anvil = AnvilNode::spawn(with_state(path)).await.unwrap();
        let node = provider(&anvil.http()).await;
        assert_eq!(head(&node).await, trunk, "the state was kept");
        node.anvil_set_coinbase(Address::repeat_byte(blocks as u8))
            .await
            .unwrap();
        let tip = mine(&node, blocks).await;
        branches.push((anvil, node, tip));
    }
    let proxy = Proxy::start(branches[0].0.http()).await;
    let (observer, mut events) = Observer::start(config(vec![proxy.url.clone()]));
    let mut chain = Vec::new();
    follow_to(&mut events, &mut chain, branches[0].2).await;
    let on_a = chain.clone();

    proxy.point_to(branches[1].0.http());
    assert_eq!(follow_to(&mut events, &mut chain, branches[1].2).await, 4);
    proxy.point_to(branches[0].0.http());
    assert_eq!(follow_to(&mut events, &mut chain, branches[0].2).await, 7);
    assert_eq!(chain, on_a);
    assert_eq!(observer.head(), Some(branches[0].2.id()));
    let tip = mine(&branches[0].1, 1).await;
    assert_eq!(follow_to(&mut events, &mut chain, tip).await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fills_in_what_happened_while_it_was_down() {
    let anvil = AnvilNode::spawn(AnvilConfig::default()).await.unwrap();
    let node = provider(&anvil.http()).await;
    mine(&node, 50).await;
    pay(&node).await;
    let tip = mine(&node, 400).await;
    let mut config = config(vec![anvil.http()]);
    config.start = Some(40);
    let (observer, mut events) = Observer::start(config);
    let mut chain = Vec::new();
    let mut finalized = None;
    while chain.last() != Some(&tip) || finalized.is_none() {
        match next(&mut events).await {
            ObserverEvent::Head(change) => {
                assert!(change.reverted.is_empty());
                chain.extend(change.added);
            }
            ObserverEvent::Finalized(id) => {
                // Nothing is called final before it was reported.
                assert!(chain.iter().any(|block| block.id() == id));
                finalized = Some(id);
            }
            ObserverEvent::Alarm(alarm) => panic!("{alarm:?}"),
        }
    }
    assert_eq!(chain[0].number, 40);
    assert!(chain.windows(2).all(|pair| pair[1].parent == pair[0].hash));
    assert_eq!(finalized.map(|id| id.number), Some(tip.number - 2));
    assert_eq!(observer.finalized(), finalized);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn survives_an_outage() {
    let anvil = AnvilNode::spawn(AnvilConfig::default()).await.unwrap();
    let port = anvil.port();
    let (_observer, mut events) = Observer::start(config(vec![anvil.http()]));
    let first = next_change(&mut events).await.added[0];
    anvil.stop().await.unwrap();
    assert!(matches!(
        next_alarm(&mut events).await,
        Alarm::Failing {
            endpoint: 0,
            error: SourceError::Unreachable(_)
        }
    ));
    let again = AnvilConfig {
        port,
        args: vec!["--timestamp".into(), "1".into()],
        ..Default::default()
    };
    let _anvil = AnvilNode::spawn(again).await.unwrap();
    let mut recovered = false;
    let mut replaced = false;
    while !(recovered && replaced) {
        match next(&mut events).await {
            ObserverEvent::Alarm(Alarm::Recovered { .. }) => recovered = true,
            // The new node has another genesis block.
            ObserverEvent::Head(change) => replaced = change.reverted == [first],
            _ => {}
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn goes_on_with_another_endpoint() {
    let anvil = AnvilNode::spawn(AnvilConfig::default()).await.unwrap();
    let node = provider(&anvil.http()).await;
    let proxy = Proxy::start(anvil.http()).await;
    let (observer, mut events) = Observer::start(config(vec![proxy.url.clone(), anvil.http()]));
    let mut chain = Vec::new();
    let tip = mine(&node, 3).await;
    follow_to(&mut events, &mut chain, tip).await;
    proxy.set(Mode::Refuse);
    assert!(matches!(
        next_alarm(&mut events).await,
        Alarm::Failing { endpoint: 0, .. }
    ));
    let tip = mine(&node, 3).await;
    follow_to(&mut events, &mut chain, tip).await;
    assert!(observer.block(tip.hash).await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_node_is_an_alarm_and_nothing_is_lost() {
    let anvil = AnvilNode::spawn(AnvilConfig::default()).await.unwrap();
    let node = provider(&anvil.http()).await;
    let proxy = Proxy::start(anvil.http()).await;
    let mut config = config(vec![proxy.url.clone()]);
    config.timeout = Duration::from_millis(300);
    let (_observer, mut events) = Observer::start(config);
    let mut chain = Vec::new();
    let tip = mine(&node, 3).await;
    follow_to(&mut events, &mut chain, tip).await;
    proxy.set(Mode::Stall);
    assert_eq!(
        next_alarm(&mut events).await,
        Alarm::Failing {
            endpoint: 0,
            error: SourceError::Timeout
        }
    );
    let tip = mine(&node, 50).await;
    proxy.set(Mode::Pass);
    assert_eq!(
        next_alarm_or_follow(&mut events, &mut chain, tip).await,
        Some(Alarm::Recovered { endpoint: 0 })
    );
}

/// Follows to `tip`; returns the alarm that was reported on the way.
async fn next_alarm_or_follow(
    events: &mut Receiver<ObserverEvent>,
    chain: &mut Vec<EthereumHeader>,
    tip: EthereumHeader,
) -> Option<Alarm> {
    let mut seen = None;
    while chain.last() != Some(&tip) || seen.is_none() {
        match next(events).await {
            ObserverEvent::Head(change) => {
                assert!(change.reverted.is_empty());
                chain.extend(change.added);
            }
            ObserverEvent::Alarm(alarm) => seen = Some(alarm),
            ObserverEvent::Finalized(_) => {}
        }
    }
    assert!(chain.windows(2).all(|pair| pair[1].parent == pair[0].hash));
    seen
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn missing_logs_are_noticed() {
    let network = Network::start(AnvilConfig::default(), &[1]).await;
    let upload = network.router.upload_code(b"\0asm code").await.unwrap();
    let node = provider(&network.anvil.http()).await;
    let mut with_router = config(Vec::new());
    with_router.router = network.router.domain().router;
    let tip = head(&node).await;
    assert_eq!(tip.number, upload.block);

    let proxy = Proxy::start(network.anvil.http()).await;
    proxy.set(Mode::DropLogs);
    with_router.endpoints = vec![proxy.url.clone()];
    let (observer, mut events) = Observer::start(with_router.clone());
    follow_to(&mut events, &mut Vec::new(), tip).await;
    let error = observer.block(tip.hash).await.unwrap_err();
    assert!(matches!(error, SourceError::ReceiptsRootMismatch { block, .. } if block == tip.hash));
    assert_eq!(
        next_alarm(&mut events).await,
        Alarm::Failing { endpoint: 0, error }
    );
    // The same endpoint, honest again.
    proxy.set(Mode::Pass);
    let block = observer.block(tip.hash).await.unwrap();
    let [EthereumEvent::Router(RouterEvent::CodeValidationRequested { code_id, .. })] =
        &block.events[..]
    else {
        panic!("{:?}", block.events)
    };
    assert_eq!(*code_id, upload.code_id);

    // A liar beside an honest endpoint: the honest one is asked.
    proxy.set(Mode::DropLogs);
    with_router.endpoints.push(network.anvil.http());
    let (observer, mut events) = Observer::start(with_router);
    follow_to(&mut events, &mut Vec::new(), tip).await;
    assert_eq!(observer.block(tip.hash).await, Ok(block));
    assert!(matches!(
        next_alarm(&mut events).await,
        Alarm::Failing {
            endpoint: 0,
            error: SourceError::ReceiptsRootMismatch { .. }
        }
    ));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refuses_another_chain() {
    let anvil = AnvilNode::spawn(AnvilConfig::default()).await.unwrap();
    let mut config = config(vec![anvil.http()]);
    config.chain_id = 1;
    let (observer, mut events) = Observer::start(config);
    assert_eq!(
        next(&mut events).await,
        ObserverEvent::Alarm(Alarm::Failing {
            endpoint: 0,
            error: SourceError::WrongChain {
                expected: 1,
                found: 31337
            }
        })
    );
    assert_eq!(observer.head(), None);
}
