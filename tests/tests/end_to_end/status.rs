//! The status page in a real Chromium (`tests/status/browser.mjs`), beside JSON-RPC on the same port; and what `monitoring/`
//! asks Prometheus for, against what a node exports.

use alloy::{primitives::U256, transports::http::reqwest};
use anyhow::{Context, Result, bail, ensure};
use gear_exe_programs::COUNTER;
use gear_exe_tests::{
    network::{Network, Options, ask},
    validators::{Settings, Validators},
    wallet::calldata,
};
use jsonrpsee::{
    core::{client::ClientT, params::ArrayParams},
    rpc_params,
    ws_client::WsClientBuilder,
};
use serde_json::{Value, json};
use std::{collections::BTreeSet, path::PathBuf, process::Stdio};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines},
    process::{Child, ChildStdin, ChildStdout, Command},
};

/// Where the test runs, not where it was built: checkouts share build products.
fn here() -> Result<PathBuf> {
    let here = std::env::var("CARGO_MANIFEST_DIR").context("tests are run by cargo")?;
    Ok(PathBuf::from(here))
}

/// A browser, which ends with the test.
struct Browser {
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    process: Child,
    _folder: tempfile::TempDir,
}

impl Browser {
    fn start() -> Result<Self> {
        let script = here()?.join("status/browser.mjs");
        let folder = tempfile::tempdir()?;
        let mut process = Command::new("node")
            .arg(script)
            // What a browser that was killed leaves behind goes with the test.
            .env("TMPDIR", folder.path())
            .env("HOME", folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .context("Node.js is missing")?;
        Ok(Self {
            input: process.stdin.take().context("no input")?,
            output: BufReader::new(process.stdout.take().context("no output")?).lines(),
            process,
            _folder: folder,
        })
    }

    async fn does(&mut self, command: &[&str]) -> Result<()> {
        let line = format!("{}\n", json!(command));
        self.input.write_all(line.as_bytes()).await?;
        let answer = self.output.next_line().await?;
        match answer.context("the browser has ended")?.as_str() {
            "ok" => {
                println!("the page: {}", command.join(" "));
                Ok(())
            }
            other => {
                let says = other.strip_prefix("error ").unwrap_or(other);
                bail!("{}", serde_json::from_str(says).unwrap_or(says.to_owned()))
            }
        }
    }

    /// Closes it as a person would.
    async fn close(self) -> Result<()> {
        let Self {
            input, mut process, ..
        } = self;
        drop(input);
        ensure!(process.wait().await?.success(), "the browser failed");
        Ok(())
    }
}

fn host(url: &str) -> Result<&str> {
    Ok(url.split_once("://").context("no URL")?.1)
}

/// JSON-RPC by POST and by WebSocket, health, and what a foreign page is allowed, are as they were without the page.
async fn others_are_served(url: &str) -> Result<()> {
    let http = format!("http://{}", host(url)?);
    let version = ask(&http, "version", ArrayParams::new()).await?;
    let socket = WsClientBuilder::default()
        .build(format!("ws://{}", host(url)?))
        .await?;
    let same: Value = socket.request("version", ArrayParams::new()).await?;
    ensure!(version == same && version.is_string(), "{version} {same}");

    let client = reqwest::Client::new();
    let body = r#"{"jsonrpc":"2.0","id":1,"method":"rpc_methods","params":[]}"#;
    // As Substrate allows it where `--rpc-cors` says nothing.
    let allowed = "https://polkadot.js.org";
    let mut said = Vec::new();
    for origin in ["http://somebody.example", allowed] {
        let answer = client
            .post(&http)
            .header("content-type", "application/json")
            .header("origin", origin)
            .body(body)
            .send()
            .await?;
        let may = answer.headers().get("access-control-allow-origin").cloned();
        let methods: Value = serde_json::from_str(&answer.text().await?)?;
        said.push((may, methods));
    }
    let (mine, methods) = said.pop().context("asked")?;
    ensure!(mine.is_some_and(|origin| origin == allowed), "polkadot.js");
    let (others, _) = said.pop().context("asked")?;
    ensure!(others.is_none(), "{others:?}");
    let methods = methods["result"]["methods"].as_array().context("no list")?;
    for method in [
        "chainHead_v1_follow",
        "chain_getHeader",
        "state_getMetadata",
        "author_submitExtrinsic",
        "system_health",
        "system_accountNextIndex",
        "payment_queryInfo",
        "transaction_v1_broadcast",
        "chainSpec_v1_genesisHash",
        "offchain_localStorageGet",
        "childstate_getStorage",
        "gear_network",
        "gear_programs",
        "program_ids",
        "rpc_methods",
    ] {
        ensure!(methods.contains(&json!(method)), "{method} is not served");
    }
    let preflight = client
        .request(reqwest::Method::OPTIONS, &http)
        .header("origin", "http://somebody.example")
        .header("access-control-request-method", "POST")
        .send()
        .await?;
    ensure!(preflight.status().is_success(), "{preflight:?}");
    let health = client.get(format!("{http}/health")).send().await?;
    let health: Value = serde_json::from_str(&health.text().await?)?;
    ensure!(health["peers"].is_u64(), "{health}");
    let nothing = client.get(format!("{http}/nothing")).send().await?;
    ensure!(nothing.status() == 405, "{nothing:?}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_shows_four_validators_live() -> Result<()> {
    let mut network = Validators::start(Settings::default()).await?;
    let url = network.url_of(3).replace("ws://", "http://");
    let mut browser = Browser::start()?;
    browser.does(&["open", &url]).await?;
    browser.does(&["live"]).await?;
    browser.does(&["levels"]).await?;

    let set = ask(&url, "gear_network", rpc_params![1]).await?;
    let validators = set["set"]["validators"].as_array().context("no set")?;
    let addresses: Vec<&str> = validators
        .iter()
        .filter_map(|validator| validator["address"].as_str())
        .collect();
    ensure!(addresses.len() == 4, "{set}");
    browser
        .does(&[&["validators"], addresses.as_slice()].concat())
        .await?;

    let user = network.user(6)?;
    let code = user.upload(COUNTER).await?;
    let create = calldata("create(bool,uint32)", &[U256::ZERO, U256::ZERO]);
    let counter = user.program(code, 0, 1_000, &create).await?;
    // It has paid for its first message.
    browser
        .does(&["program", &format!("{counter:#x}"), "999."])
        .await?;
    browser.does(&["settled"]).await?;
    others_are_served(&url).await?;
    browser.does(&["readable"]).await?;
    browser.does(&["sound", host(&url)?]).await?;
    if let Ok(folder) = std::env::var("GEAR_EXE_PICTURES") {
        browser
            .does(&["picture", &format!("{folder}/status.png")])
            .await?;
    }

    network.nodes[3].kill()?;
    browser.does(&["lost"]).await?;
    browser.does(&["sound", host(&url)?]).await?;
    browser.close().await?;
    network.done();
    Ok(())
}

/// Everything in these texts that looks like the name of one of our metrics, or of Substrate's.
fn names(text: &str) -> BTreeSet<String> {
    text.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'))
        .filter(|word| word.starts_with("gear_exe_") || word.starts_with("substrate_"))
        .map(str::to_owned)
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_watched_is_exported_and_the_page_comes_back() -> Result<()> {
    let mut network = Network::start(Options::default()).await?;
    let url = network.rpc();
    let mut browser = Browser::start()?;
    browser.does(&["open", &url]).await?;
    browser.does(&["live"]).await?;

    let user = network.wallet(0)?;
    let code = user.upload(COUNTER).await?;
    let create = calldata("create(bool,uint32)", &[U256::ZERO, U256::ZERO]);
    user.program(code, 0, 1_000, &create).await?;
    browser.does(&["settled"]).await?;

    let monitoring = here()?.join("../monitoring");
    let board = std::fs::read_to_string(monitoring.join("grafana/dashboards/gear-exe.json"))?;
    let board: Value = serde_json::from_str(&board)?;
    let rules = std::fs::read_to_string(monitoring.join("alerts.yml"))?;
    let (shown, alerting) = (names(&board.to_string()), names(&rules));
    ensure!(
        shown.len() > 20 && alerting.len() > 8,
        "{shown:?} {alerting:?}"
    );
    let metrics = network.metrics().await?;
    let exported: BTreeSet<String> = metrics
        .lines()
        .filter_map(|line| line.split([' ', '{']).next())
        .map(str::to_owned)
        .collect();
    let missing: Vec<&String> = shown
        .union(&alerting)
        .filter(|name| !exported.contains(*name))
        .collect();
    ensure!(missing.is_empty(), "nobody exports {missing:?}");
    for (name, label) in [
        ("gear_exe_level_seconds_count", "certified"),
        ("gear_exe_level_seconds_count", "finalized"),
        ("gear_exe_batch_seconds_count", "settled"),
        ("gear_exe_round_seconds_count", ""),
        ("gear_exe_participation", "rounds"),
        ("gear_exe_validators", ""),
        ("gear_exe_settled_nonce", ""),
    ] {
        let value = network.metric(name, label).await?;
        ensure!(value > 0.0, "{name} {label} is {value}");
    }

    // The node is gone for a while: the page says so, and finds it again by itself.
    network.kill_node()?;
    browser.does(&["lost"]).await?;
    network.start_node().await?;
    browser.does(&["live"]).await?;
    browser.does(&["settled"]).await?;
    let known = ask(&url, "gear_network", ArrayParams::new()).await?;
    ensure!(known["batches"][0]["nonce"].as_u64() >= Some(1), "{known}");
    browser.does(&["sound", host(&url)?]).await?;
    browser.close().await?;
    network.done();
    Ok(())
}
