//! Seven validators and three relayers, as `zombienet/seven.toml` defines them, started by the launcher as an operator would: they
//! answer together, each of them serves natives, and all end with the launcher.

use alloy::primitives::{Address, U256};
use anyhow::{Context, Result, ensure};
use gear_exe_client::{Answer, Client};
use gear_exe_ethereum::dev::KEYS;
use gear_exe_primitives::{H160, batch::RouterDomain, native::SigningForm};
use gear_exe_programs::COUNTER;
use gear_exe_tests::{
    native::Native,
    process::{Process, binary},
    traffic::one,
    validators::applied,
    wallet::{Wallet, calldata},
};
use std::path::Path;

const SECRET: [u8; 32] = [0x47; 32];
/// Anvil's chain.
const CHAIN_ID: u64 = 31_337;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn seven_validators_answer_together() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let here = std::env::var("CARGO_MANIFEST_DIR").context("tests are run by cargo")?;
    let file = Path::new(&here).join("../zombienet/seven.toml");
    let arguments = [file.display().to_string()];
    let launcher = binary("gear-exe-network")?;
    let mut network = Process::start("network", &launcher, &arguments, folder.path())?;
    let ethereum = network.line("Ethereum: ").await?;
    let router: Address = network.line("Router: ").await?.parse()?;
    assert_eq!(network.line("relayers: ").await?, "3");
    network.line("It runs until").await?;
    let mut urls = Vec::new();
    for name in ["Alice", "Bob", "Charlie", "Dave", "Eve", "Ferdie", "One"] {
        urls.push(network.line(&format!("validator {name}: ")).await?);
    }

    let key = KEYS.get(6).context("no such account")?.parse()?;
    let user = Wallet::new(&ethereum, key, router)?;
    let code = user.upload(COUNTER).await?;
    let create = calldata("create(bool,uint32)", &[U256::ZERO, U256::ZERO]);
    let counter = user.program(code, 0, 1_000, &create).await?;
    let domain = RouterDomain {
        chain_id: CHAIN_ID,
        router: H160(router.into_array()),
    };
    // To each of them, natively: more than two thirds have signed each answer.
    for (number, url) in (1u64..).zip(&urls) {
        let at = Native::connect(url, SECRET, domain).await?;
        let message = at.transaction(&user, counter, &one(), number).await?;
        let signed = at.sign(message, SigningForm::Typed)?;
        let Answer::Replied { payload, .. } = at.ask(&signed).await? else {
            anyhow::bail!("{url} has not answered");
        };
        assert_eq!(U256::from_be_slice(&payload), U256::from(number));
        let (certificate, proof) = at.certificate(signed.id(&domain)).await?;
        ensure!(proof.is_certified_by(&certificate) && certificate.signatures.len() >= 5);
    }
    let reply = user.ask(counter, &one()).await?;
    assert_eq!(
        U256::from_be_slice(&reply.payload),
        U256::from(urls.len() + 1)
    );
    for (batch, nonce) in applied(&user).await?.iter().zip(1..) {
        ensure!(batch.nonce == nonce && batch.signers >= 5, "{batch:?}");
    }

    // Ended as an operator ends it: nothing is left.
    network.interrupt()?;
    for url in urls {
        ensure!(Client::connect(&url).await.is_err(), "{url} still answers");
    }
    Ok(())
}
