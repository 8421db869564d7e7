//! `gear-exe run --dev` as people start it, and the command line against it.

use alloy::primitives::U256;
use anyhow::{Context, Result, ensure};
use gear_exe_programs::COUNTER;
use gear_exe_tests::{
    network::{ask, read_keys},
    process::{Process, binary, free_port},
    wallet::{Wallet, calldata, eventually},
};
use jsonrpsee::rpc_params;
use serde_json::Value;
use std::{path::Path, process::Command};

struct Dev {
    node: Process,
    rpc: u16,
    ethereum: u16,
    keys: String,
    router: String,
}

async fn start(folder: &Path, more: &[&str], ports: Option<(u16, u16)>) -> Result<Dev> {
    let (rpc, ethereum) = match ports {
        Some(ports) => ports,
        None => (free_port()?, free_port()?),
    };
    let mut arguments: Vec<String> = ["run", "--dev", "--block-time", "1"]
        .map(str::to_owned)
        .to_vec();
    arguments.extend(["--rpc-port".into(), rpc.to_string()]);
    arguments.extend(["--ethereum-port".into(), ethereum.to_string()]);
    arguments.extend(more.iter().map(|text| (*text).to_owned()));
    let mut node = Process::start("dev", &binary("gear-exe")?, &arguments, folder)?;
    let keys = node.line("Key directory: ").await?;
    let router = node.line("Ethereum router address: ").await?;
    Ok(Dev {
        node,
        rpc,
        ethereum,
        keys,
        router,
    })
}

fn listens(port: u16) -> bool {
    std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
}

async fn silent(port: u16) -> Result<()> {
    eventually("nobody listens any more", || async {
        Ok((!listens(port)).then_some(()))
    })
    .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_outlives_the_node() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let mut dev = start(folder.path(), &["--tmp"], None).await?;
    ensure!(listens(dev.ethereum), "there is no Ethereum");
    ensure!(Path::new(&dev.keys).is_dir(), "there are no keys");
    dev.node.terminate()?;
    silent(dev.ethereum).await?;
    ensure!(
        !Path::new(&dev.keys).exists(),
        "the temporary folder is still there"
    );

    let mut dev = start(folder.path(), &["--tmp"], None).await?;
    dev.node.kill()?;
    silent(dev.ethereum).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_folder_keeps_its_network() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let base = folder.path().join("network").display().to_string();
    let mut dev = start(folder.path(), &["--base-path", &base], None).await?;
    let ports = (dev.rpc, dev.ethereum);
    let wallet = |dev: &Dev| -> Result<Wallet> {
        let key = read_keys(Path::new(&dev.keys))?.remove(0);
        Wallet::new(
            &format!("http://127.0.0.1:{}", dev.ethereum),
            key,
            dev.router.parse()?,
        )
    };
    let user = wallet(&dev)?;
    let code = user.upload(COUNTER).await?;
    let create = calldata("create(bool,uint32)", &[U256::ZERO, U256::from(7)]);
    let counter = user.program(code, 0, 500, &create).await?;
    dev.node.terminate()?;
    silent(ports.1).await?;
    let router = dev.router.clone();
    drop(dev);

    let dev = start(folder.path(), &["--base-path", &base], Some(ports)).await?;
    assert_eq!(dev.router, router);
    let add = calldata("counterAdd(bool,uint32)", &[U256::ZERO, U256::from(1)]);
    let reply = wallet(&dev)?.ask(counter, &add).await?;
    assert_eq!(U256::from_be_slice(&reply.payload), U256::from(8));
    Ok(())
}

/// Runs a command of `gear-exe`; its answer as JSON, and whether it succeeded.
fn command(dev: &Dev, arguments: &[&str]) -> Result<(Value, bool)> {
    let output = Command::new(binary("gear-exe")?)
        .args(arguments)
        .args(["--json"])
        .env("GEAR_EXE_NODE", format!("ws://127.0.0.1:{}", dev.rpc))
        .env(
            "GEAR_EXE_ETHEREUM_RPC",
            format!("http://127.0.0.1:{}", dev.ethereum),
        )
        .env("GEAR_EXE_KEY_DIRECTORY", &dev.keys)
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let answer = serde_json::from_str(&text).with_context(|| {
        format!(
            "{arguments:?} answers `{text}`: {}",
            String::from_utf8_lossy(&output.stderr)
        )
    })?;
    Ok((answer, output.status.success()))
}

fn succeed(dev: &Dev, arguments: &[&str]) -> Result<Value> {
    let (answer, success) = command(dev, arguments)?;
    ensure!(success, "{arguments:?}: {answer}");
    Ok(answer)
}

fn text<'a>(answer: &'a Value, field: &str) -> Result<&'a str> {
    answer[field]
        .as_str()
        .with_context(|| format!("no {field} in {answer}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_line_does_all_a_developer_needs() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let dev = start(folder.path(), &["--tmp"], None).await?;
    let wasm = folder.path().join("counter.wasm");
    std::fs::write(&wasm, COUNTER)?;
    let abi = folder.path().join("CounterAbi.json");
    std::fs::write(
        &abi,
        include_str!("../../contracts/artifacts/CounterAbi.json"),
    )?;

    let keys = succeed(&dev, &["key", "list"])?;
    let from = keys["keys"][1].as_str().context("no keys")?.to_owned();
    let tx = |arguments: &[&str]| -> Result<Value> {
        let all = [&["tx", "--from", &from][..], arguments].concat();
        succeed(&dev, &all)
    };

    let uploaded = tx(&["upload", &wasm.display().to_string()])?;
    let code = text(&uploaded, "code_id")?;
    assert_eq!(uploaded["state"], "validated");
    let abi = abi.display().to_string();
    let created = tx(&["create", code, "--abi", &abi])?;
    let program = text(&created, "program")?;
    tx(&["top-up", program, "500"])?;
    tx(&[
        "send-message",
        program,
        "--call",
        "create(bool,uint32)",
        "false",
        "40",
    ])?;
    let added = tx(&[
        "send-message",
        program,
        "--call",
        "counterAdd(bool,uint32)",
        "false",
        "2",
    ])?;
    assert_eq!(text(&added, "reply")?, format!("0x{:064x}", 42));
    let id = text(&added, "message_id")?;

    let state = succeed(&dev, &["query", "program", program])?;
    assert_eq!(
        (&state["life"], &state["starved"]),
        (&"active".into(), &false.into())
    );
    let message = succeed(&dev, &["query", "message", id])?;
    assert_eq!(message["code"], "0x00010000");
    assert_eq!(
        succeed(&dev, &["query", "code", code])?["state"],
        "validated"
    );
    let reply = succeed(
        &dev,
        &[
            "query",
            "reply",
            program,
            "--call",
            "counterValue(bool)",
            "false",
        ],
    )?;
    assert_eq!(text(&reply, "payload")?, format!("0x{:064x}", 42));
    let network = succeed(&dev, &["query", "network"])?;
    assert_eq!(text(&network, "router")?, dev.router.to_lowercase());
    let router = ask(
        &format!("http://127.0.0.1:{}", dev.rpc),
        "routerAddress",
        rpc_params![],
    )
    .await?;
    assert_eq!(router, network["router"]);

    // What fails says what to do, and its exit code tells.
    for wrong in [
        &[
            "tx",
            "--from",
            &from,
            "send-message",
            program,
            "--call",
            "counterSub(bool,uint32)",
            "false",
            "99",
        ][..],
        &["tx", "--from", &from, "upload", "/nowhere.wasm"],
        &["tx", "upload", "/nowhere.wasm"],
        &[
            "query",
            "program",
            "0x0000000000000000000000000000000000000001",
        ],
    ] {
        let (answer, success) = command(&dev, wrong)?;
        ensure!(!success, "{wrong:?} succeeded: {answer}");
        ensure!(!text(&answer, "next")?.is_empty(), "{answer}");
    }
    Ok(())
}
