//! An old copy of the node's folder comes back, all but the journal of what was signed: the node goes on, answers every
//! message once, and signs nothing twice.

use alloy::primitives::{Address, U256};
use anyhow::{Result, ensure};
use gear_exe_programs::COUNTER;
use gear_exe_tests::{
    backup::Backup,
    network::{Network, Options, Relayer},
    wallet::{Sent, Wallet, calldata, eventually},
};
use std::collections::BTreeSet;

async fn add(wallet: &Wallet, program: Address) -> Result<Sent> {
    let data = calldata("counterAdd(bool,uint32)", &[U256::ZERO, U256::from(1)]);
    wallet.send(program, &data, 0).await
}

/// Each message was counted, once: the values are 1, 2, 3…
async fn all_counted(wallet: &Wallet, program: Address, sent: &[Sent]) -> Result<()> {
    for (sent, value) in sent.iter().zip(1u64..) {
        let reply = wallet.reply(sent).await?;
        assert_eq!(reply.code, [0, 1, 0, 0], "{reply:?}");
        assert_eq!(U256::from_be_slice(&reply.payload), U256::from(value));
        assert_eq!(wallet.replies(program, sent.id).await?.len(), 1);
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_copy_comes_back_and_nothing_is_signed_twice() -> Result<()> {
    let mut network = Network::start(Options {
        relayer: Relayer::Process,
        ..Options::default()
    })
    .await?;
    let wallet = network.wallet(0)?;
    let code = wallet.upload(COUNTER).await?;
    let create = calldata("create(bool,uint32)", &[U256::ZERO, U256::ZERO]);
    let counter = wallet.program(code, 0, 1_000, &create).await?;
    let mut sent = vec![add(&wallet, counter).await?];
    all_counted(&wallet, counter, &sent).await?;

    network.kill_node()?;
    let old = Backup::of(&network)?;
    network.start_node().await?;
    for _ in 0..2 {
        sent.push(add(&wallet, counter).await?);
        all_counted(&wallet, counter, &sent).await?;
    }

    // What was executed and seen is old, the chain is not: the rounds since then are executed again.
    network.kill_node()?;
    old.restore_stores()?;
    sent.push(add(&wallet, counter).await?);
    network.start_node().await?;
    all_counted(&wallet, counter, &sent).await?;
    let signed = network.signed()?;
    let seals: BTreeSet<_> = signed.iter().map(|signed| signed.seal).collect();
    assert_eq!(
        seals.len(),
        signed.len(),
        "a seal was signed twice: {signed:?}"
    );

    // Everything is old. No batch since then was carried: the only validator is the only one who has its chain.
    network.kill_relayer()?;
    network.kill_node()?;
    let old = Backup::of(&network)?;
    network.start_node().await?;
    let before = network.signed()?.len();
    sent.push(add(&wallet, counter).await?);
    eventually("a batch is signed", || async {
        Ok((network.signed()?.len() > before).then_some(()))
    })
    .await?;
    network.kill_node()?;
    old.restore()?;
    network.start_node().await?;
    network.start_relayer()?;
    all_counted(&wallet, counter, &sent).await?;
    sent.push(add(&wallet, counter).await?);
    all_counted(&wallet, counter, &sent).await?;

    let log = network.node()?.output();
    for alarm in ["second_statement", "seal_contradiction", "store_damaged"] {
        ensure!(!log.contains(alarm), "there was an alarm: {alarm}");
    }
    network.done();
    Ok(())
}
