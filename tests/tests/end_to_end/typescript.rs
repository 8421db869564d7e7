//! The client in `clients/typescript`: its own tests, and what a dApp does with it against four validators and Ethereum
//! (`clients/typescript/test/e2e.ts`): send, watch over a connection that breaks, verify offline, verify in a contract.

use alloy::primitives::U256;
use anyhow::{Context, Result, ensure};
use gear_exe_ethereum::dev::KEYS;
use gear_exe_programs::COUNTER;
use gear_exe_tests::{
    validators::{Settings, Validators},
    wallet::calldata,
};
use serde_json::json;
use std::process::Stdio;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
    sync::OnceCell,
};

/// The account that pays for what the script does on Ethereum.
const PAYER: usize = 7;

/// Where the client is: where the test runs, not where it was built, since checkouts share build products.
fn folder() -> Result<String> {
    let here = std::env::var("CARGO_MANIFEST_DIR").context("tests are run by cargo")?;
    Ok(format!("{here}/../clients/typescript"))
}

/// Runs Node.js in the client's folder, with what it prints among the test's output. Returns the lines.
async fn node(arguments: &[&str], environment: &[(&str, String)]) -> Result<Vec<String>> {
    let mut child = Command::new("node")
        .args(arguments)
        .envs(environment.iter().cloned())
        .current_dir(folder()?)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("Node.js is missing")?;
    let output = child.stdout.take().context("no output")?;
    let mut lines = BufReader::new(output).lines();
    let mut said = Vec::new();
    while let Some(line) = lines.next_line().await? {
        println!("{line}");
        said.push(line);
    }
    ensure!(
        child.wait().await?.success(),
        "node {arguments:?} says what is wrong above"
    );
    Ok(said)
}

/// Compiles the client once for all tests of this file.
async fn compiled() -> Result<()> {
    static COMPILED: OnceCell<()> = OnceCell::const_new();
    COMPILED
        .get_or_try_init(|| async {
            node(&["node_modules/typescript/bin/tsc"], &[])
                .await
                .map(drop)
        })
        .await
        .context("the client does not compile; scripts/setup installs what it needs")?;
    Ok(())
}

#[tokio::test]
async fn the_client_judges_as_rust_does() -> Result<()> {
    compiled().await?;
    let tests = [
        "--test",
        "dist/test/client.test.js",
        "dist/test/message.test.js",
        "dist/test/verify.test.js",
    ];
    node(&tests, &[]).await.map(drop)
}

#[test]
fn the_guide_shows_what_is_tested() -> Result<()> {
    let folder = folder()?;
    let example = std::fs::read_to_string(format!("{folder}/examples/counter.ts"))?;
    let guide = format!("{folder}/../../docs/guides/native-messages.md");
    let shown = format!("```ts\n{example}```");
    ensure!(
        std::fs::read_to_string(&guide)?.contains(&shown),
        "{guide} does not show examples/counter.ts as it is"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dapp_sends_watches_and_verifies() -> Result<()> {
    compiled().await?;
    let network = Validators::start(Settings::default()).await?;
    let user = network.user(6)?;
    let code = user.upload(COUNTER).await?;
    let create = calldata("create(bool,uint32)", &[U256::ZERO, U256::ZERO]);
    let counter = user.program(code, 0, 1_000, &create).await?;
    let config = json!({
        "node": network.node_url(),
        "ethereum": network.ethereum_url(),
        "router": user.router,
        "counter": counter,
        "payer": format!("0x{}", KEYS.get(PAYER).context("no such account")?),
    });
    node(&["dist/test/e2e.js", &config.to_string()], &[]).await?;

    // The script of the guide, after what came before.
    let environment = [
        ("NODE", network.node_url()),
        ("ETHEREUM", network.ethereum_url()),
        ("ROUTER", user.router.to_string()),
        ("PROGRAM", counter.to_string()),
        ("KEY", format!("0x{}", "42".repeat(32))),
    ];
    let said = node(&["dist/examples/counter.js"], &environment).await?;
    let said: Vec<_> = said
        .iter()
        .map(|line| line.split(' ').next().unwrap_or_default())
        .collect();
    assert_eq!(
        said,
        [
            "sent",
            "waiting",
            "executed",
            "certified",
            "the",
            "finalized",
            "committed",
            "settled"
        ]
    );
    network.done();
    Ok(())
}
