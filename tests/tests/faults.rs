//! Four validators under traffic, natively and through Ethereum, while one of them fails in one way after the other: certificates
//! and batches go on, no message is lost or executed twice, all have the same state afterwards, and nobody is accused of anything
//! but its absence. With two of four down nothing is certified or committed, until one of them returns.

use alloy::{
    primitives::{Address, U256},
    providers::Provider,
};
use anyhow::{Context, Result, ensure};
use gear_exe_client::{Answer, Client, Level};
use gear_exe_primitives::{
    MessageId, batch::RouterDomain, message::ReplyCode, native::SigningForm, round::ChainBlock,
};
use gear_exe_programs::COUNTER;
use gear_exe_runtime::RuntimeEvent;
use gear_exe_tests::{
    audit::{Audit, finalised},
    clock,
    native::Native,
    traffic::{Traffic, one},
    validators::{Settings, Validators, applied},
    wallet::{Wallet, calldata, eventually},
};
use pallet_slashing::{Event, offences::Absence};
use polkadot_sdk::sp_staking::offence::Kind;
use serde_json::json;
use std::time::Instant;

const SECRET: [u8; 32] = [0x44; 32];
/// Seconds by which a clock is wrong.
const WRONG: i64 = 25;
/// Ethereum blocks by which an Ethereum node lags.
const LAG: u64 = 6;
/// Ethereum blocks for which two validators are down.
const SILENCE: u64 = 8;
/// Ethereum blocks that what is under way may take when they go down.
const UNDER_WAY: u64 = 3;

/// Kinds of offences that cost those who are away, and nobody else.
const AWAY: [Kind; 2] = [*b"im-online:offlin", Absence::<()>::KIND];

struct Scene {
    network: Validators,
    user: Wallet,
    counter: Address,
    domain: RouterDomain,
    /// Of each node.
    clients: Vec<Client>,
    native: Native,
    /// Messages of this test itself, which add one each.
    asked: Vec<MessageId>,
    began: Instant,
}

impl Scene {
    async fn start() -> Result<Self> {
        let began = Instant::now();
        let network = Validators::start(Settings {
            isolated: true,
            ..Settings::default()
        })
        .await?;
        let user = network.user(6)?;
        let code = user.upload(COUNTER).await?;
        let create = calldata("create(bool,uint32)", &[U256::ZERO, U256::ZERO]);
        let counter = user.program(code, 0, 10_000, &create).await?;
        let domain = network.chain().domain().await?;
        let mut clients = Vec::new();
        for node in 0..network.nodes.len() {
            clients.push(Client::connect(&network.url_of(node)).await?);
        }
        let native = Native::connect(&network.url_of(0), SECRET, domain).await?;
        Ok(Self {
            network,
            user,
            counter,
            domain,
            clients,
            native,
            asked: Vec::new(),
            began,
        })
    }

    fn say(&self, what: &str) {
        println!("{:>4} s: {what}", self.began.elapsed().as_secs());
    }

    /// Sends one native message to the first node.
    async fn send(&mut self) -> Result<MessageId> {
        let salt = self.asked.len() as u64;
        let message = self
            .native
            .transaction(&self.user, self.counter, &one(), salt);
        let signed = self.native.sign(message.await?, SigningForm::Typed)?;
        ensure!(self.native.send(&signed).await? == json!("Accept"));
        let id = signed.id(&self.domain);
        self.asked.push(id);
        Ok(id)
    }

    /// What is sent from now on is certified by a quorum, and answered on Ethereum.
    async fn goes_on(&mut self, what: &str) -> Result<()> {
        self.say(what);
        let id = self.send().await.context(what.to_owned())?;
        let (certificate, proof) = self.native.certificate(id).await.context(what.to_owned())?;
        ensure!(proof.is_certified_by(&certificate) && certificate.signatures.len() >= 3);
        let sent = self.user.send(self.counter, &one(), 0).await?;
        let reply = self.user.reply(&sent).await.context(what.to_owned())?;
        ensure!(reply.code == [0, 1, 0, 0], "{reply:?}");
        self.asked.push(MessageId::from(sent.id.0));
        Ok(())
    }

    /// All nodes have executed what is final now, and have got the same.
    async fn is_whole(&self) -> Result<()> {
        let head = finalised(&self.clients[0]).await?;
        let audit = Audit::read(&self.clients, head).await?;
        ensure!(audit.is_agreed(), "{audit:?}");
        Ok(())
    }

    /// Lets so many Ethereum blocks pass.
    async fn blocks(&self, blocks: u64) -> Result<()> {
        let (head, _) = self.user.head().await?;
        eventually("Ethereum goes on", || async {
            let (now, _) = self.user.head().await?;
            Ok((now >= head + blocks).then_some(()))
        })
        .await
    }

    async fn killed(&mut self) -> Result<()> {
        self.network.nodes[3].kill()?;
        self.goes_on("one is killed").await?;
        self.network.restart(3, &[]).await?;
        self.is_whole().await
    }

    async fn paused(&mut self) -> Result<()> {
        self.network.nodes[2].pause()?;
        self.goes_on("one is paused").await?;
        self.network.nodes[2].resume()?;
        self.is_whole().await
    }

    async fn partitioned(&mut self) -> Result<()> {
        self.network.partition(1)?;
        self.goes_on("one is cut off").await?;
        let (others, its) = (
            finalised(&self.clients[0]).await?,
            finalised(&self.clients[1]).await?,
        );
        ensure!(
            its.number < others.number,
            "it was not cut off: {its:?} {others:?}"
        );
        self.network.heal(1);
        self.is_whole().await
    }

    async fn ethereum_fails(&mut self) -> Result<()> {
        let port = self.network.ethereum_port();
        self.network.nodes[3].ethereum()?.turn(None);
        self.goes_on("one has no Ethereum").await?;
        self.network.nodes[3].ethereum()?.lag(port, LAG);
        self.goes_on("one's Ethereum lags").await?;
        self.network.nodes[3].ethereum()?.turn(Some(port));

        self.network.nodes[2].ethereum()?.hide_logs(port);
        self.goes_on("one's Ethereum lies").await?;
        self.network.nodes[2].line("ethereum_faulty").await?;
        ensure!(self.network.nodes[2].ethereum()?.has_hidden_logs());
        self.network.nodes[2].ethereum()?.turn(Some(port));
        self.is_whole().await
    }

    async fn wrong_clock(&mut self) -> Result<()> {
        self.network.restart(1, &clock::off_by(WRONG)?).await?;
        self.goes_on("one's clock is fast").await?;
        self.network.restart(1, &clock::off_by(-WRONG)?).await?;
        self.goes_on("one's clock is slow").await?;
        self.network.restart(1, &[]).await?;
        self.is_whole().await
    }

    async fn two_down(&mut self) -> Result<()> {
        self.say("two are killed");
        self.network.nodes[2].kill()?;
        self.network.nodes[3].kill()?;
        self.blocks(UNDER_WAY).await?;
        let before = (
            finalised(&self.clients[0]).await?,
            applied(&self.user).await?,
        );
        let id = self.send().await?;
        self.blocks(SILENCE).await?;
        // It was executed, and nobody has said more than that.
        for client in &self.clients[..2] {
            let status = client.status(id).await?.context("it was not executed")?;
            ensure!(status.level == Level::Executed, "{status:?}");
            ensure!(
                status.certificate.is_none(),
                "two of four have certified {status:?}"
            );
        }
        let after = (
            finalised(&self.clients[0]).await?,
            applied(&self.user).await?,
        );
        assert_eq!(before, after, "something was finalised or committed");

        self.network.restart(2, &[]).await?;
        let (certificate, proof) = self.native.certificate(id).await?;
        ensure!(proof.is_certified_by(&certificate) && certificate.signatures.len() == 3);
        self.goes_on("one of the two is back").await?;
        self.network.restart(3, &[]).await?;
        self.is_whole().await
    }

    /// All that was sent has happened once, and the counter says so.
    async fn audit(mut self, traffic: Traffic, from: ChainBlock) -> Result<()> {
        let sent = traffic.stop().await?;
        self.say(&format!(
            "{} native messages were accepted, {} perhaps, {} refused; {} came through Ethereum",
            sent.accepted.len(),
            sent.unknown.len(),
            sent.refused.len(),
            sent.ethereum.len(),
        ));
        self.goes_on("all are back").await?;
        let last = *self.asked.last().context("nothing was asked")?;
        let audit = eventually("what was sent is final", || async {
            let audit = Audit::read(&self.clients, from).await?;
            let all = sent.accepted.iter().chain(&sent.ethereum).chain([&last]);
            let is_there = all.fold(true, |there, id| there && audit.receipts.contains_key(id));
            Ok(is_there.then_some(audit))
        })
        .await;
        // What is missing is named.
        let audit = match audit {
            Ok(audit) => audit,
            Err(_) => Audit::read(&self.clients, from).await?,
        };
        let counted = sent.check(&audit)?;
        ensure!(audit.is_agreed(), "{:?} {:?}", audit.roots, audit.outcomes);
        assert_eq!(audit.failed, 0);
        let own = self.asked.len() as u64;
        let message = self
            .native
            .transaction(&self.user, self.counter, &one(), own);
        let signed = self.native.sign(message.await?, SigningForm::Typed)?;
        let Answer::Replied { payload, code, .. } = self.native.ask(&signed).await? else {
            anyhow::bail!("no reply");
        };
        assert_eq!(code, ReplyCode::SUCCESS_MANUAL);
        assert_eq!(U256::from_be_slice(&payload), U256::from(counted + own + 1));
        for (batch, nonce) in applied(&self.user).await?.iter().zip(1..) {
            ensure!(batch.nonce == nonce && batch.signers >= 3, "{batch:?}");
        }
        self.say("all is right");
        self.network.done();
        Ok(())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_befalls_one_of_four_the_others_go_on() -> Result<()> {
    let mut scene = Scene::start().await?;
    let mut history = scene.network.follow().await?;
    let from = finalised(&scene.clients[0]).await?;
    let urls: Vec<_> = (0..4).map(|node| scene.network.url_of(node)).collect();
    let by_ethereum = scene.network.user(7)?;
    let (domain, counter) = (scene.domain, scene.counter);
    let traffic = Traffic::start(
        &urls,
        domain,
        counter,
        scene.user.clone(),
        Some(by_ethereum),
    );
    let traffic = traffic.await?;

    scene.killed().await?;
    scene.paused().await?;
    scene.partitioned().await?;
    scene.ethereum_fails().await?;
    scene.wrong_clock().await?;
    scene.two_down().await?;

    let accused = history.all(|event| match event {
        RuntimeEvent::Slashing(Event::FaultProven { kind, validator }) => (!AWAY.contains(kind))
            .then(|| {
                (
                    String::from_utf8_lossy(kind).into_owned(),
                    validator.clone(),
                )
            }),
        _ => None,
    });
    let accused = accused.await?;
    ensure!(
        accused.is_empty(),
        "honest validators are accused: {accused:?}"
    );
    scene.audit(traffic, from).await
}
