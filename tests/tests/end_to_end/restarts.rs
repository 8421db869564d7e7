//! `SIGKILL` for node and relayer in the middle of traffic: every message is answered exactly once.

use alloy::primitives::{Address, U256};
use anyhow::Result;
use gear_exe_programs::COUNTER;
use gear_exe_tests::{
    network::{Network, Options, Relayer},
    wallet::{Sent, Wallet, calldata, eventually},
};
use jsonrpsee::rpc_params;
use std::collections::BTreeSet;

/// Who is killed.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Victim {
    Node,
    Relayer,
    Both,
}

/// How far the first message since the last kill has come when it happens.
#[derive(Clone, Copy, Debug)]
enum Moment {
    Mined,
    Executed,
    Finalised,
    Replied,
}

const ADD: &str = "counterAdd(bool,uint32)";

async fn add(wallet: &Wallet, program: Address) -> Result<Sent> {
    let data = calldata(ADD, &[U256::ZERO, U256::from(1)]);
    wallet.send(program, &data, 0).await
}

async fn come(network: &Network, wallet: &Wallet, sent: &Sent, moment: Moment) -> Result<()> {
    match moment {
        Moment::Mined => Ok(()),
        Moment::Replied => wallet.reply(sent).await.map(drop),
        Moment::Executed | Moment::Finalised => {
            eventually("the message is executed", || async {
                let status = network
                    .ask("gear_messageStatus", rpc_params![sent.id])
                    .await?;
                let level = status["level"].as_str().unwrap_or_default();
                let there = match moment {
                    Moment::Executed => !level.is_empty(),
                    _ => !["", "executed"].contains(&level),
                };
                Ok(there.then_some(()))
            })
            .await
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_message_is_answered_exactly_once() -> Result<()> {
    let mut network = Network::start(Options {
        relayer: Relayer::Process,
        ..Options::default()
    })
    .await?;
    let wallet = network.wallet(0)?;
    let code = wallet.upload(COUNTER).await?;
    let create = calldata("create(bool,uint32)", &[U256::ZERO, U256::ZERO]);
    let counter = wallet.program(code, 0, 1_000, &create).await?;

    let mut sent = Vec::new();
    for (victim, moment) in [
        (Victim::Node, Moment::Mined),
        (Victim::Relayer, Moment::Mined),
        (Victim::Node, Moment::Executed),
        (Victim::Relayer, Moment::Executed),
        (Victim::Node, Moment::Finalised),
        (Victim::Both, Moment::Finalised),
        (Victim::Relayer, Moment::Replied),
        (Victim::Both, Moment::Replied),
    ] {
        let first = add(&wallet, counter).await?;
        sent.extend([first, add(&wallet, counter).await?]);
        come(&network, &wallet, &first, moment).await?;
        if victim != Victim::Relayer {
            network.kill_node()?;
        }
        if victim != Victim::Node {
            network.kill_relayer()?;
        }
        // Nobody is there to see this one come.
        sent.push(add(&wallet, counter).await?);
        if victim != Victim::Relayer {
            network.start_node().await?;
        }
        if victim != Victim::Node {
            network.start_relayer()?;
        }
    }

    let mut values = BTreeSet::new();
    for sent in &sent {
        let reply = wallet.reply(sent).await?;
        assert_eq!(reply.code, [0, 1, 0, 0], "{reply:?}");
        values.insert(U256::from_be_slice(&reply.payload));
    }
    // Each message was counted once: the values are 1, 2, 3…
    let expected: BTreeSet<_> = (1..=sent.len()).map(U256::from).collect();
    assert_eq!(values, expected);
    // And a while later nothing was answered again.
    let (head, _) = wallet.head().await?;
    network.anchored(head + 3).await?;
    for sent in &sent {
        assert_eq!(wallet.replies(counter, sent.id).await?.len(), 1);
    }
    network.done();
    Ok(())
}
