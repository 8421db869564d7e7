//! One of four validators does what it must not: it lies about outcomes, floods the others, sends them garbage, or signs nothing.
//! Each lie is reported on the chain by whoever hears it, without anybody's help, and the stake pays; nothing false is certified; who
//! sends garbage is not listened to; the honest ones go on, with the memory and the processor time that they are given.

use alloy::primitives::{Address, U256};
use anyhow::{Context, Result, ensure};
use gear_exe_primitives::{
    H256,
    batch::RouterDomain,
    certificate::{PromiseStatement, RoundStatement},
    faults::{BrokenPromise, TwoPromises, TwoRounds, WrongRound},
    native::SigningForm,
    quorum::Member,
    signature::CompactSignature,
};
use gear_exe_programs::COUNTER;
use gear_exe_runtime::{Runtime, RuntimeEvent};
use gear_exe_tests::{
    chain::History,
    machine::Use,
    native::Native,
    traffic::one,
    validators::{Settings, Validators, applied},
    wallet::{Wallet, calldata, eventually},
};
use jsonrpsee::rpc_params;
use pallet_slashing::{
    Event,
    offences::{Absence, Proves},
};
use polkadot_sdk::{
    pallet_offences, pallet_staking, sp_keyring::Sr25519Keyring, sp_staking::offence::Kind,
};
use serde_json::{Value, json};
use std::time::Instant;

const SECRET: [u8; 32] = [0x43; 32];
/// The honest validators.
const HONEST: std::ops::Range<usize> = 0..3;
/// Ethereum blocks for which others are flooded.
const FLOODED: u64 = 15;
/// How much more memory an honest node may have after a flood, in bytes: what a minute of ordinary work takes, several times.
const MEMORY: u64 = 256 << 20;
/// Of each second, so many thousandths of one processor an honest node may spend while it is flooded: it checks as many statements
/// as a peer may say, and does its work.
const PROCESSOR: u64 = 900;

struct Scene {
    network: Validators,
    user: Wallet,
    counter: Address,
    domain: RouterDomain,
    salt: u64,
    began: Instant,
}

/// The promise of a status, with its signature.
fn promise(status: &Value) -> Result<(PromiseStatement, CompactSignature)> {
    let promise = &status["promise"];
    let hash = |name: &str| -> Result<H256> { Ok(serde_json::from_value(promise[name].clone())?) };
    let number = |name: &str| promise[name].as_u64().context("no number");
    let signature = promise["signature"].as_str().context("no signature")?;
    let signature = hex::decode(signature.trim_start_matches("0x"))?;
    let statement = PromiseStatement {
        set_id: number("set_id")?,
        slot: number("slot")?,
        block_hash: hash("block_hash")?,
        outcome: hash("outcome")?,
    };
    let signature: [u8; 64] = signature
        .try_into()
        .map_err(|_| anyhow::anyhow!("no signature"))?;
    Ok((statement, CompactSignature(signature)))
}

/// Waits until a fault of this kind is proven. It must be Dave's: nobody else has done anything.
async fn proven(history: &mut History, kind: Kind) -> Result<()> {
    let name = String::from_utf8_lossy(&kind).into_owned();
    let proven = history.first(&name, |event| match event {
        RuntimeEvent::Slashing(Event::FaultProven {
            kind: of,
            validator,
        }) if *of == kind => Some(validator.clone()),
        _ => None,
    });
    assert_eq!(
        proven.await?,
        Sr25519Keyring::Dave.to_account_id(),
        "{name}"
    );
    let offence = history.first(&name, |event| match event {
        RuntimeEvent::Offences(pallet_offences::Event::Offence { kind: of, .. }) => {
            (*of == kind).then_some(())
        }
        _ => None,
    });
    offence.await
}

impl Scene {
    async fn start() -> Result<Self> {
        let began = Instant::now();
        // Sessions are too short for the seals of which one must have missed half.
        let parameters = json!({ "settlement": { "parameters": { "least_seals": 3 } } });
        let network = Validators::start(Settings {
            patch: parameters,
            ..Settings::default()
        })
        .await?;
        let user = network.user(6)?;
        let code = user.upload(COUNTER).await?;
        let create = calldata("create(bool,uint32)", &[U256::ZERO, U256::ZERO]);
        let counter = user.program(code, 0, 10_000, &create).await?;
        Ok(Self {
            domain: network.chain().domain().await?,
            network,
            user,
            counter,
            salt: 0,
            began,
        })
    }

    /// Ends the last node and starts Dave in another way.
    async fn dave(&mut self, how: &str) -> Result<()> {
        println!("{:>4} s: Dave {how}", self.began.elapsed().as_secs());
        let last = self.network.nodes.last_mut().context("no nodes")?;
        last.kill()?;
        let arguments = ["--dave", "--how", how];
        // On one folder: it knows the chain already.
        let program = "gear-exe-byzantine";
        self.network
            .start_binary(program, "Dave-does", &arguments)
            .await
    }

    /// A validator set, as the chain holds it.
    async fn members(&self, set_id: u64) -> Result<Vec<Member>> {
        let key = pallet_settlement::Sets::<Runtime>::hashed_key_for(set_id);
        self.network.chain().get(key).await?.context("no such set")
    }

    /// The honest three certify a message, with what they have got, and say the same. Returns what.
    async fn certified(&mut self) -> Result<RoundStatement> {
        self.salt += 1;
        let genesis = self.network.chain().genesis();
        let first = Native::connect(&self.network.url_of(0), SECRET, self.domain).await?;
        let message = first
            .transaction(&self.user, self.counter, &one(), self.salt)
            .await?;
        let message = first.sign(message, SigningForm::Typed)?;
        let id = message.id(&self.domain);
        first.ask(&message).await?;
        let (mut answers, mut members) = (Vec::new(), Vec::new());
        for node in HONEST {
            let at = Native::connect(&self.network.url_of(node), SECRET, self.domain).await?;
            let (certificate, proof) = at.certificate(id).await?;
            members = self.members(certificate.statement.set_id).await?;
            assert_eq!(certificate.verify(genesis, &self.domain, &members), Ok(()));
            assert!(proof.is_certified_by(&certificate));
            answers.push(certificate.statement);
        }
        answers.dedup();
        assert_eq!(answers.len(), 1, "{answers:?}");
        assert_ne!(answers[0].outcome, answers[0].block_hash, "that is a lie");
        // Whose block it is has promised the same, if it is one of them: the liar's promise is not told as one of this outcome.
        let asked = self.network.nodes[1]
            .chain
            .ask("gear_messageStatus", rpc_params![id.0]);
        let status = asked.await?;
        if !status["promise"].is_null() {
            let (statement, signature) = promise(&status)?;
            assert_eq!(statement.outcome, answers[0].outcome);
            assert_eq!(statement.block_hash, answers[0].block_hash);
            let signer = signature.recover(statement.digest(genesis, &self.domain));
            assert!(members.iter().any(|member| Ok(member.address) == signer));
        }
        Ok(answers[0])
    }

    /// What is sent through Ethereum is answered there.
    async fn settles(&self) -> Result<()> {
        let before = applied(&self.user).await?.len();
        let reply = self.user.ask(self.counter, &one()).await?;
        ensure!(reply.code == [0, 1, 0, 0], "{reply:?}");
        let batches = applied(&self.user).await?;
        for batch in batches.get(before..).unwrap_or_default() {
            ensure!(batch.signers >= 3, "{batch:?}");
        }
        Ok(())
    }

    async fn lies(&mut self) -> Result<()> {
        let mut history = self.network.follow().await?;
        self.dave("lies").await?;
        for kind in [
            TwoPromises::KIND,
            BrokenPromise::KIND,
            TwoRounds::KIND,
            WrongRound::KIND,
        ] {
            proven(&mut history, kind).await?;
        }
        let slashed = history.first("a slash of VARA", |event| match event {
            RuntimeEvent::Staking(pallet_staking::Event::SlashReported {
                validator,
                fraction,
                ..
            }) if !fraction.is_zero() => Some(validator.clone()),
            _ => None,
        });
        assert_eq!(slashed.await?, Sr25519Keyring::Dave.to_account_id());
        for _ in 0..2 {
            self.certified().await?;
        }
        self.settles().await
    }

    /// Honest nodes have the time and the memory for their work while they are flooded.
    async fn floods(&mut self) -> Result<()> {
        self.dave("floods").await?;
        self.certified().await?;
        let before = self.honest()?;
        let (head, _) = self.user.head().await?;
        while self.user.head().await?.0 < head + FLOODED {
            self.certified().await?;
        }
        for (before, after) in before.iter().zip(self.honest()?) {
            let grown = after.memory.saturating_sub(before.memory);
            let busy = after.processor_per_mille(before);
            println!(
                "       an honest node: {} MiB more, {busy} ‰ of a processor",
                grown >> 20
            );
            ensure!(grown < MEMORY, "{before:?} {after:?}");
            ensure!(busy < PROCESSOR, "{before:?} {after:?}");
        }
        self.settles().await
    }

    fn honest(&self) -> Result<Vec<Use>> {
        HONEST
            .map(|node| Use::of(self.network.nodes[node].pid()?))
            .collect()
    }

    /// Who sends garbage is not spoken to any more.
    async fn garbles(&mut self) -> Result<()> {
        self.dave("garbles").await?;
        let peer = self
            .network
            .nodes
            .last()
            .context("no nodes")?
            .peer()
            .to_owned();
        for node in HONEST {
            let chain = &self.network.nodes[node].chain;
            let is_there = async || {
                let peers = chain.ask("system_peers", rpc_params![]).await?;
                let peers = peers.as_array().context("no peers")?;
                anyhow::Ok(peers.iter().any(|one| one["peerId"] == peer.as_str()))
            };
            eventually("it is not listened to", || async {
                Ok((!is_there().await?).then_some(()))
            })
            .await?;
        }
        self.certified().await?;
        self.settles().await
    }

    /// Who signs nothing is reported as absent, and missed by nobody.
    async fn withholds(&mut self) -> Result<()> {
        self.dave("withholds").await?;
        let mut history = self.network.follow().await?;
        self.certified().await?;
        self.settles().await?;
        proven(&mut history, Absence::<()>::KIND).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_four_does_what_it_must_not() -> Result<()> {
    let mut scene = Scene::start().await?;
    scene.lies().await?;
    scene.floods().await?;
    scene.withholds().await?;
    // Last, since nobody speaks to it afterwards.
    scene.garbles().await?;
    scene.network.done();
    Ok(())
}
