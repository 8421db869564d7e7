//! The relayer has no money, Ethereum is away or lies: an alarm says so, and everything goes on by itself afterwards.

use alloy::{
    network::TransactionBuilder, primitives::U256, rpc::types::TransactionRequest,
    signers::local::PrivateKeySigner,
};
use anyhow::Result;
use gear_exe_programs::PING;
use gear_exe_tests::{
    network::{Network, Options, Relayer},
    wallet::eventually,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_relayer_without_funds_says_so_and_goes_on_when_it_has_some() -> Result<()> {
    let mut network = Network::start(Options {
        relayer: Relayer::Nobody,
        ..Options::default()
    })
    .await?;
    let key = PrivateKeySigner::random();
    network.start_relayer_with(&key)?;
    let wallet = network.wallet(0)?;
    let code = wallet.offer(PING).await?;
    network.relayer()?.line("ALARM").await?;

    let gift = TransactionRequest::default()
        .with_to(key.address())
        .with_value(U256::from(10).pow(U256::from(19)));
    wallet.transact(gift).await?;
    assert!(wallet.verdict(code).await?);
    let ping = wallet.program(code, 0, 100, b"").await?;
    assert_eq!(wallet.ask(ping, b"PING").await?.payload[..], *b"PONG");
    assert!(network.relayer()?.runs());
    network.done();
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ethereum_node_that_goes_and_comes_back() -> Result<()> {
    let mut network = Network::start(Options::default()).await?;
    let wallet = network.wallet(0)?;
    let code = wallet.upload(PING).await?;
    let ping = wallet.program(code, 0, 100, b"").await?;
    let sent = wallet.send(ping, b"PING", 0).await?;
    network.cut_ethereum();
    network.node()?.line("Ethereum endpoint").await?;
    assert!(network.node()?.runs());

    network.show_ethereum(0)?;
    assert_eq!(wallet.reply(&sent).await?.payload[..], *b"PONG");
    assert_eq!(wallet.ask(ping, b"PING").await?.payload[..], *b"PONG");
    assert!(network.node()?.runs());
    network.done();
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ethereum_node_that_hides_logs_once_is_not_believed() -> Result<()> {
    let mut network = Network::start(Options::default()).await?;
    let wallet = network.wallet(0)?;
    let code = wallet.upload(PING).await?;
    let ping = wallet.program(code, 0, 100, b"").await?;

    // A node that believed it would never answer: it would not know that there is a message.
    network.hide_logs_once()?;
    // The connections of the other one are cut.
    let wallet = network.wallet(0)?;
    let sent = wallet.send(ping, b"PING", 0).await?;
    assert_eq!(wallet.reply(&sent).await?.payload[..], *b"PONG");
    assert!(network.has_hidden_logs());
    network.node()?.line("ethereum_faulty").await?;
    eventually("the alarm is over", || async {
        let raised = network.metric("gear_exe_alarm", "ethereum_faulty").await?;
        Ok((raised == 0.0).then_some(()))
    })
    .await?;
    assert_eq!(wallet.ask(ping, b"PING").await?.payload[..], *b"PONG");
    assert_eq!(wallet.replies(ping, sent.id).await?.len(), 1);
    network.done();
    Ok(())
}
