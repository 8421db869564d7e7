//! `@polkadot/api`, the library behind polkadot.js Apps, against a running node: `tests/polkadot/*.mjs` are what it does.

use alloy::primitives::U256;
use anyhow::{Context, Result, ensure};
use gear_exe_programs::COUNTER;
use gear_exe_tests::{dev::start, network::ask, wallet::calldata};
use jsonrpsee::rpc_params;
use serde_json::Value;
use std::process::Stdio;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
};

/// Runs the scripts against the node at `port`, with what they print among the test's output.
async fn scripts(port: u16) -> Result<()> {
    // Where the test runs, not where it was built: checkouts share build products.
    let here = std::env::var("CARGO_MANIFEST_DIR").context("tests are run by cargo")?;
    let script = format!("{here}/polkadot/run.mjs");
    let mut child = Command::new("node")
        .arg(&script)
        .arg(format!("ws://127.0.0.1:{port}"))
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("Node.js is missing")?;
    let output = child.stdout.take().context("no output")?;
    let mut lines = BufReader::new(output).lines();
    while let Some(line) = lines.next_line().await? {
        println!("{line}");
    }
    ensure!(
        child.wait().await?.success(),
        "{script} says what is wrong above"
    );
    Ok(())
}

/// An amount: a number if it is small enough for JSON, a string otherwise.
fn amount(value: &Value) -> Result<u128> {
    let text = value.as_str().map_or(value.to_string(), str::to_owned);
    text.parse().with_context(|| format!("no amount: {value}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn staking_and_governance_work_in_polkadot_js() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let dev = start(folder.path(), &["--tmp"], None).await?;
    let user = dev.wallet(0)?;
    let code = user.upload(COUNTER).await?;
    let create = calldata("create(bool,uint32)", &[U256::ZERO, U256::from(7)]);
    let counter = user.program(code, 0, 500, &create).await?;
    let add = calldata("counterAdd(bool,uint32)", &[U256::ZERO, U256::from(1)]);

    // What one more message really takes from the program, in wVARA base units.
    let node = dev.node_url();
    let balance = || async {
        let state = ask(&node, "gear_programState", rpc_params![counter]).await?;
        amount(&state["state"]["executable_balance"])
    };
    let price = || async {
        let before = balance().await?;
        user.ask(counter, &add).await?;
        anyhow::Ok(before - balance().await?)
    };
    let before = price().await?;
    scripts(dev.rpc).await?;
    let after = price().await?;

    let payload = format!("0x{}", hex::encode(&add));
    let estimate = ask(
        &node,
        "gear_estimateCost",
        rpc_params![Value::Null, user.address, counter, payload, 0],
    )
    .await?;
    let gas = amount(&estimate["gas"])?;
    // From 100 to 250 base units for each gas: `governance.mjs`.
    let (rise, expected) = (after - before, gas * 150);
    ensure!(
        rise.abs_diff(expected) <= expected / 20,
        "a message costs {before}, then {after}: {rise} more, and not {expected}"
    );
    println!("the same message cost {before}, and {after} base units after the referendum");
    Ok(())
}
