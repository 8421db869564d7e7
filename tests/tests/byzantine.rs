//! A validator that lies about outcomes, to the network and in its own blocks: each lie is reported on the chain by whoever
//! hears it, without anybody's help, the stake pays, and nothing false is certified.

use alloy::primitives::U256;
use anyhow::{Context, Result};
use gear_exe_ethereum::client::RouterClient;
use gear_exe_primitives::{
    H256,
    certificate::PromiseStatement,
    faults::{BrokenPromise, TwoPromises, TwoRounds, WrongRound},
    native::SigningForm,
    signature::CompactSignature,
};
use gear_exe_programs::COUNTER;
use gear_exe_runtime::RuntimeEvent;
use gear_exe_tests::{
    native::Native,
    validators::{Settings, Validators},
    wallet::calldata,
};
use jsonrpsee::rpc_params;
use pallet_slashing::{Event, offences::Proves};
use polkadot_sdk::{pallet_offences, pallet_staking, sp_keyring::Sr25519Keyring};
use serde_json::Value;

const SECRET: [u8; 32] = [0x43; 32];

fn add(value: u32) -> Vec<u8> {
    calldata("counterAdd(bool,uint32)", &[U256::ZERO, U256::from(value)])
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lies_about_outcomes_are_reported_and_never_certified() -> Result<()> {
    let mut network = Validators::start(Settings::default()).await?;
    let mut history = network.follow().await?;
    let user = network.user(6)?;
    let code = user.upload(COUNTER).await?;
    let create = calldata("create(bool,uint32)", &[U256::ZERO, U256::ZERO]);
    let counter = user.program(code, 0, 1_000, &create).await?;

    network.nodes[3].kill()?;
    network
        .start_binary("gear-exe-byzantine", "Dave-lies", &["--dave"])
        .await?;
    let dave = Sr25519Keyring::Dave.to_account_id();
    let kinds = [
        TwoPromises::KIND,
        BrokenPromise::KIND,
        TwoRounds::KIND,
        WrongRound::KIND,
    ];
    for kind in kinds {
        let name = String::from_utf8_lossy(&kind).into_owned();
        let proven = history
            .first(&name, |event| match event {
                RuntimeEvent::Slashing(Event::FaultProven {
                    kind: of,
                    validator,
                }) if *of == kind => Some(validator.clone()),
                _ => None,
            })
            .await?;
        assert_eq!(proven, dave, "nobody else has done anything");
        history
            .first("an offence", |event| match event {
                RuntimeEvent::Offences(pallet_offences::Event::Offence { kind: of, .. }) => {
                    (*of == kind).then_some(())
                }
                _ => None,
            })
            .await?;
    }
    let (slashed, fraction) = history
        .first("a slash of VARA", |event| match event {
            RuntimeEvent::Staking(pallet_staking::Event::SlashReported {
                validator,
                fraction,
                ..
            }) => Some((validator.clone(), *fraction)),
            _ => None,
        })
        .await?;
    assert_eq!(slashed, dave);
    assert!(!fraction.is_zero());

    // The honest three certify what they have got, and say the same.
    let domain = network.chain().domain().await?;
    let genesis = network.chain().genesis();
    let (_, members) = RouterClient::new(network.ethereum(6).await?, user.router)
        .validators()
        .await?;
    for (salt, value) in (1..).zip([5u32, 7]) {
        let mut answers = Vec::new();
        let first = Native::connect(&network.url_of(0), SECRET, domain).await?;
        let message = first.transaction(&user, counter, &add(value), salt).await?;
        let message = first.sign(message, SigningForm::Typed)?;
        let id = message.id(&domain);
        first.ask(&message).await?;
        for node in 0..3 {
            let at = Native::connect(&network.url_of(node), SECRET, domain).await?;
            let (certificate, proof) = at.certificate(id).await?;
            assert_eq!(certificate.verify(genesis, &domain, &members), Ok(()));
            assert!(proof.is_certified_by(&certificate));
            assert_ne!(
                certificate.statement.outcome,
                certificate.statement.block_hash
            );
            answers.push(certificate.statement);
        }
        answers.dedup();
        assert_eq!(answers.len(), 1, "{answers:?}");
        // Whose block it is has promised the same, if it is one of them: the liar's promise is not told as one of this outcome.
        let status = network.nodes[1]
            .chain
            .ask("gear_messageStatus", rpc_params![id.0])
            .await?;
        if !status["promise"].is_null() {
            let (statement, signature) = promise(&status)?;
            assert_eq!(statement.outcome, answers[0].outcome);
            assert_eq!(statement.block_hash, answers[0].block_hash);
            let signer = signature.recover(statement.digest(genesis, &domain));
            assert!(members.iter().any(|member| Ok(member.address) == signer));
        }
    }
    network.done();
    Ok(())
}
