//! The life of messages as nodes tell it: every level, in order, once, whoever asks and whenever; and plainly, when Ethereum
//! takes something back.

use alloy::{
    primitives::{Address, U256},
    providers::Provider,
    rpc::types::anvil::TransactionData,
};
use anyhow::{Context, Result, ensure};
use gear_exe_primitives::{
    H160, H256,
    batch::RouterDomain,
    native::{PurgeReason, SigningForm},
};
use gear_exe_programs::COUNTER;
use gear_exe_tests::{
    life::{Life, cursor},
    native::Native,
    network::{self, Network, Options},
    validators::{Settings, Validators},
    wallet::{Wallet, calldata},
};
use jsonrpsee::rpc_params;
use serde_json::{Value, json};

const SECRET: [u8; 32] = [0x43; 32];
/// From a block of the chain to Ethereum's final one.
const LEVELS: [&str; 5] = ["executed", "certified", "finalized", "committed", "settled"];
const NATIVE_LEVELS: [&str; 6] = [
    "waiting",
    "executed",
    "certified",
    "finalized",
    "committed",
    "settled",
];

fn add(value: u32) -> Vec<u8> {
    calldata("counterAdd(bool,uint32)", &[U256::ZERO, U256::from(value)])
}

async fn counter(wallet: &Wallet) -> Result<Address> {
    let code = wallet.upload(COUNTER).await?;
    let create = calldata("create(bool,uint32)", &[U256::ZERO, U256::ZERO]);
    wallet.program(code, 0, 1_000, &create).await
}

/// What a node says of a message when it is asked once.
async fn status(url: &str, id: H256) -> Result<Value> {
    let http = url.replace("ws://", "http://");
    network::ask(&http, "gear_messageStatus", rpc_params![id]).await
}

/// A message that is settled: every reader is told the same, from wherever it reads on, and the node's answer agrees.
async fn agrees(url: &str, id: H256, all: &[Value]) -> Result<()> {
    let status = status(url, id).await?;
    assert_eq!(status["level"], "settled");
    let executed = all
        .iter()
        .find(|told| told["level"] == "executed")
        .context("it was not executed")?;
    for part in ["block", "receipt", "proof", "outcome_root"] {
        assert_eq!(executed[part], status[part], "{part}");
    }
    for read in 1..all.len() {
        let last = all.get(read - 1).context("no such notification")?;
        let rest = all.get(read..).unwrap_or_default();
        let mut reader = Life::follow(url, id, Some(cursor(last)?)).await?;
        for expected in rest {
            assert_eq!(&reader.next().await?, expected);
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_level_is_told_once_in_order_and_after_a_disconnect() -> Result<()> {
    let network = Validators::start(Settings::default()).await?;
    let user = network.user(6)?;
    let counter = counter(&user).await?;
    let domain = network.chain().domain().await?;
    let (here, there) = (network.url_of(0), network.url_of(3));
    let native = Native::connect(&here, SECRET, domain).await?;
    let mut rounds = Life::rounds(&there).await?;

    // A native message, that somebody waits for before it is sent, at the node to which it is sent and at another one.
    let signed = native.transaction(&user, counter, &add(5), 1).await?;
    let signed = native.sign(signed, SigningForm::Typed)?;
    let id = signed.id(&domain).0;
    let mut first = Life::follow(&here, id, None).await?;
    let mut other = Life::follow(&there, id, None).await?;
    assert_eq!(native.send(&signed).await?, json!("Accept"));
    let mut all = first.levels(&NATIVE_LEVELS[..3]).await?;
    // The reader is gone, and comes back with what it has read last.
    drop(first);
    let read = cursor(all.last().context("nothing was told")?)?.to_owned();
    let mut again = Life::follow(&here, id, Some(&read)).await?;
    all.extend(again.levels(&NATIVE_LEVELS[3..]).await?);
    let elsewhere = other.levels(&NATIVE_LEVELS).await?;
    let (executed, certified) = (&elsewhere[1], &elsewhere[2]);
    assert_eq!(executed["receipt"], all[1]["receipt"]);
    assert_eq!(
        certified["certificate"]["outcome"],
        executed["outcome_root"]
    );
    assert_eq!(elsewhere[5]["batch"]["digest"], all[5]["batch"]["digest"]);
    for told in &all {
        ensure!(told["at"].is_u64(), "{told}");
    }
    agrees(&here, id, &all).await?;

    // Its round is told as well, with the message in it.
    let mut levels = Vec::new();
    while levels.len() < 3 {
        let told = rounds.next().await?;
        if told["block"] != executed["block"] {
            continue;
        }
        if told["level"] == "executed" {
            let messages = told["messages"].as_array().context("no messages")?;
            ensure!(messages.contains(&json!(id)), "{told}");
            assert_eq!(told["outcome"], executed["outcome_root"]);
        }
        levels.push(told["level"].clone());
    }
    levels.sort_by_key(ToString::to_string);
    assert_eq!(levels, ["certified", "executed", "finalized"]);

    // A message from Ethereum has the same levels; nobody waits for it before it is sent.
    let sent = user.send(counter, &add(7), 0).await?;
    let id = H256(sent.id.0);
    let all = Life::follow(&there, id, None)
        .await?
        .levels(&LEVELS)
        .await?;
    agrees(&there, id, &all).await?;

    // What is refused will never be executed, and says why.
    let nowhere = native
        .transaction(&user, Address::repeat_byte(9), &add(1), 3)
        .await?;
    let nowhere = native.sign(nowhere, SigningForm::Typed)?;
    let mut purged = Life::follow(&here, nowhere.id(&domain).0, None).await?;
    let answer = native.send(&nowhere).await?;
    let told = purged.levels(&["purged"]).await?;
    assert_eq!(told[0]["reason"], PurgeReason::UnknownDestination as u8);
    assert_eq!(told[0]["message"], answer["Reject"]["reason"]);
    network.done();
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_ethereum_takes_back_is_superseded_and_lives_again() -> Result<()> {
    let network = Network::start(Options {
        slots_in_an_epoch: 64,
        ..Options::default()
    })
    .await?;
    let user = network.wallet(0)?;
    let counter = counter(&user).await?;
    network.mine(80).await?;
    network.agrees().await?;
    let url = network.rpc().replace("http://", "ws://");
    let domain = RouterDomain {
        chain_id: user.provider.get_chain_id().await?,
        router: H160(network.router().into_array()),
    };

    let sent = user.send(counter, &add(5), 0).await?;
    let id = H256(sent.id.0);
    let mut life = Life::follow(&url, id, None).await?;
    let before = life.levels(&LEVELS[..4]).await?;
    // After it, so that it is on the same branch of Ethereum.
    let native = Native::connect(&url, SECRET, domain).await?;
    let signed = native.transaction(&user, counter, &add(7), 1).await?;
    let signed = native.sign(signed, SigningForm::Versioned)?;
    assert_eq!(native.send(&signed).await?, json!("Accept"));
    let native_id = signed.id(&domain).0;
    let mut of_native = Life::follow(&url, native_id, None).await?;
    let native_before = of_native.levels(&NATIVE_LEVELS[..4]).await?;

    // The winning branch has the same transaction, in another block.
    let raw = user
        .provider
        .get_raw_transaction_by_hash(sent.transaction)
        .await?
        .context("the transaction is gone")?;
    network
        .reorg(sent.block, vec![(TransactionData::Raw(raw), 0)])
        .await?;
    network.agrees().await?;

    let superseded = [
        "superseded",
        "executed",
        "certified",
        "finalized",
        "committed",
    ];
    let after = life.levels(&superseded).await?;
    assert_eq!(after[0]["block"], before[0]["block"]);
    assert_ne!(after[1]["block"], before[0]["block"]);
    assert_eq!(status(&url, id).await?["block"], after[1]["block"]);
    // Who was not there meanwhile is told the same.
    let read = cursor(&before[2])?;
    let mut late = Life::follow(&url, id, Some(read)).await?;
    let late = late.levels(&superseded).await?;
    assert_eq!(late[0]["block"], before[0]["block"]);
    assert_eq!(late[1..], after[1..]);

    // The native one has lived on.
    let mut told = of_native.next().await?;
    if told["level"] == "committed" {
        told = of_native.next().await?;
    }
    assert_eq!(told["level"], "superseded");
    assert_eq!(told["block"], native_before[1]["block"]);
    let after = of_native.levels(&superseded[1..]).await?;
    assert_ne!(after[0]["block"], native_before[1]["block"]);
    assert_eq!(after[0]["receipt"]["code"], "0x00010000");
    network.done();
    Ok(())
}
