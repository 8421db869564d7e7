//! The command line as a dApp's developer uses it, against a development network.

use alloy::{
    primitives::{Address, U256},
    providers::Provider,
};
use anyhow::{Context, Result, ensure};
use gear_exe_programs::{COUNTER, PING, TROUBLE};
use gear_exe_tests::{
    dev::{Dev, start, text},
    network::ask,
};
use jsonrpsee::rpc_params;
use serde_json::Value;
use std::path::Path;

/// A wallet of the command line.
struct User<'a> {
    dev: &'a Dev,
    from: String,
}

impl User<'_> {
    /// The `index`-th key of the network.
    fn of(dev: &Dev, index: usize) -> Result<User<'_>> {
        let keys = dev.succeed(&["key", "list"])?;
        let from = keys["keys"][index].as_str().context("no keys")?.to_owned();
        Ok(User { dev, from })
    }

    fn with<'a>(&'a self, arguments: &[&'a str]) -> Vec<&'a str> {
        [&["tx", "--from", &self.from][..], arguments].concat()
    }

    fn tx(&self, arguments: &[&str]) -> Result<Value> {
        self.dev.succeed(&self.with(arguments))
    }

    fn fail(&self, arguments: &[&str]) -> Result<String> {
        self.dev.fail(&self.with(arguments))
    }

    /// Uploads a program, creates it and pays for it.
    fn program(&self, folder: &Path, wasm: &[u8], more: &[&str]) -> Result<String> {
        let file = folder.join("program.wasm");
        std::fs::write(&file, wasm)?;
        let uploaded = self.tx(&["upload", &file.display().to_string()])?;
        assert_eq!(uploaded["state"], "validated");
        let code = text(&uploaded, "code_id")?;
        assert_eq!(
            self.dev.succeed(&["query", "code", code])?["state"],
            "validated"
        );
        let created = self.tx(&[&["create", code][..], more].concat())?;
        let program = text(&created, "program")?.to_owned();
        self.tx(&["top-up", &program, "500"])?;
        Ok(program)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_does_all_a_developer_needs() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let dev = start(folder.path(), &["--tmp"], None).await?;
    let user = User::of(&dev, 1)?;
    let abi = folder.path().join("CounterAbi.json");
    std::fs::write(
        &abi,
        include_str!("../../../contracts/artifacts/CounterAbi.json"),
    )?;
    let abi = abi.display().to_string();
    let program = &user.program(folder.path(), COUNTER, &["--abi", &abi])?;

    let send = ["send-message", program, "--call"];
    user.tx(&[&send[..], &["create(bool,uint32)", "false", "40"]].concat())?;
    let added = user.tx(&[&send[..], &["counterAdd(bool,uint32)", "false", "2"]].concat())?;
    assert_eq!(text(&added, "reply")?, format!("0x{:064x}", 42));
    let id = text(&added, "message_id")?;

    let state = dev.succeed(&["query", "program", program])?;
    assert_eq!(
        (&state["life"], &state["starved"]),
        (&"active".into(), &false.into())
    );
    let message = dev.succeed(&["query", "message", id])?;
    assert_eq!(message["code"], "0x00010000");
    let query = ["query", "reply", program, "--call"];
    let reply = dev.succeed(&[&query[..], &["counterValue(bool)", "false"]].concat())?;
    assert_eq!(text(&reply, "payload")?, format!("0x{:064x}", 42));
    let network = dev.succeed(&["query", "network"])?;
    assert_eq!(text(&network, "router")?, dev.router.to_lowercase());
    let router = ask(&dev.node_url(), "routerAddress", rpc_params![]).await?;
    assert_eq!(router, network["router"]);

    // What fails says what to do, and its exit code tells.
    let refused = [&send[..], &["counterSub(bool,uint32)", "false", "99"]].concat();
    ensure!(user.fail(&refused)?.contains("would be negative"));
    ensure!(
        user.fail(&["upload", "/nowhere.wasm"])?
            .contains("/nowhere.wasm")
    );
    ensure!(
        dev.fail(&["tx", "upload", "/nowhere.wasm"])?
            .contains("several keys")
    );
    let nobody = Address::with_last_byte(1).to_string();
    ensure!(dev.fail(&["query", "program", &nobody])?.contains(&nobody));
    let junk = folder.path().join("junk.wasm");
    std::fs::write(&junk, b"this is no program")?;
    let junk = junk.display().to_string();
    ensure!(user.fail(&["upload", &junk])?.contains("refuse"));
    let (table, says, success) = dev.human(&user.with(&["upload", &junk]))?;
    ensure!(!success && table.is_empty(), "{table}");
    ensure!(
        says.contains("error: ") && says.contains("next: "),
        "{says}"
    );
    Ok(())
}

/// One message of a program in a wallet's mailbox.
fn mail(dev: &Dev, program: &str, user: &str) -> Result<Vec<Value>> {
    let answer = dev.succeed(&["query", "mailbox", program, user])?;
    Ok(answer["messages"].as_array().context("no list")?.clone())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mail_is_answered_and_its_value_claimed() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let dev = start(folder.path(), &["--tmp"], None).await?;
    let user = User::of(&dev, 2)?;
    let program = &user.program(folder.path(), TROUBLE, &[])?;
    user.tx(&["send-message", program])?;
    ensure!(mail(&dev, program, &user.from)?.is_empty());

    // Three messages with 0.3 ETH each.
    let value = 300_000_000_000_000_000u128;
    let payload = [&b"MAILBOX"[..], &value.to_le_bytes()].concat();
    let payload = format!("0x{}", hex::encode(payload));
    for _ in 0..3 {
        user.tx(&["send-message", program, &payload, "--value", "0.3"])?;
    }
    let waiting = mail(&dev, program, &user.from)?;
    assert_eq!(waiting.len(), 3);
    for message in &waiting {
        assert_eq!(
            (&message["eth"], &message["payload"]),
            (&"0.3".into(), &"0x4d41494c".into())
        );
    }
    let id = |index: usize| text(&waiting[index], "message_id");

    // A reply takes the value too, and the program gets what comes with it.
    let replied = user.tx(&["send-reply", program, id(0)?, "thank you", "--value", "0.1"])?;
    assert_eq!(
        (&replied["code"], &replied["eth"]),
        (&"0x00000000".into(), &"0.3".into())
    );
    let count = user.tx(&["send-message", program, "REPLIES"])?;
    assert_eq!(text(&count, "reply")?, "0x0100000000000000");
    let state = dev.succeed(&["query", "program", program])?;
    assert_eq!(state["owned_balance"], "0.1");

    // A claim, for people.
    let wallet = dev.wallet(2)?;
    assert_eq!(wallet.address.to_checksum(None), user.from);
    let before = wallet.eth(wallet.address).await?;
    let (table, says, success) = dev.human(&user.with(&["claim-value", program, id(1)?]))?;
    ensure!(success, "{says}");
    ensure!(table.contains("eth") && table.contains("0.3"), "{table}");
    ensure!(says.contains("waiting for the claim"), "{says}");
    let fee = U256::from(value / 30);
    ensure!(wallet.eth(wallet.address).await? > before + U256::from(value) - fee);

    // A reply at which the program panics: that is said, and the value is the wallet's all the same.
    let error = user.fail(&["send-reply", program, id(2)?, "PANIC"])?;
    ensure!(error.contains("panicked"), "{error}");

    // Nothing is left. What is not there can be neither claimed nor answered, and nobody waits for it.
    ensure!(mail(&dev, program, &user.from)?.is_empty());
    for gone in [
        &["claim-value", program, id(1)?][..],
        &["send-reply", program, id(0)?, "again"],
    ] {
        let error = user.fail(gone)?;
        ensure!(error.contains("mailbox"), "{error}");
        let (table, says, success) = dev.human(&user.with(gone))?;
        ensure!(!success && table.is_empty(), "{table}");
        ensure!(
            says.contains("next: ") && says.contains("query mailbox"),
            "{says}"
        );
    }
    let stranger = User::of(&dev, 3)?;
    ensure!(
        stranger
            .fail(&["claim-value", program, id(1)?])?
            .contains("mailbox")
    );
    let nobody = Address::with_last_byte(1).to_string();
    ensure!(
        user.fail(&["claim-value", &nobody, id(1)?])?
            .contains("no program")
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_native_message_needs_no_transaction() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let dev = start(folder.path(), &["--tmp"], None).await?;
    let user = User::of(&dev, 3)?;
    let program = &user.program(folder.path(), PING, &[])?;
    user.tx(&["send-message", program])?;
    let wallet = dev.wallet(3)?;
    let transactions = || wallet.provider.get_transaction_count(wallet.address);
    let before = transactions().await?;

    let answer = user.tx(&["send-message", program, "PING", "--native"])?;
    assert_eq!(text(&answer, "reply")?, "0x504f4e47");
    assert_eq!(answer["signers"], 1);
    let watched = user.tx(&["send-message", program, "PING", "--native", "--watch"])?;
    assert_eq!(text(&watched, "reply")?, "0x504f4e47");
    assert_eq!(watched["level"], "settled");
    assert_ne!(answer["message_id"], watched["message_id"]);
    // Each level is shown as it comes, up to the one that was asked for.
    let watch = [
        "send-message",
        program,
        "PING",
        "--native",
        "--watch=finalized",
    ];
    let (table, says, success) = dev.human(&user.with(&watch))?;
    ensure!(success && table.contains("finalized"), "{table}{says}");
    let shown: Vec<&str> = says
        .lines()
        .filter_map(|line| line.split_once(": "))
        .map(|(stage, _)| stage)
        .filter(|stage| ["executed", "certified", "finalized", "committed"].contains(stage))
        .collect();
    assert_eq!(shown, ["executed", "certified", "finalized"], "{says}");

    let nobody = Address::with_last_byte(1).to_string();
    let refused = user.fail(&["send-message", &nobody, "PING", "--native"])?;
    ensure!(
        refused.contains("there is no program with this address"),
        "{refused}"
    );
    assert_eq!(
        transactions().await?,
        before,
        "nothing was sent to Ethereum"
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eth_is_deposited_sent_natively_and_withdrawn() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let dev = start(folder.path(), &["--tmp"], None).await?;
    let user = User::of(&dev, 4)?;
    let program = &user.program(folder.path(), PING, &[])?;
    user.tx(&["send-message", program])?;
    let deposit = || -> Result<Value> {
        let known = dev.succeed(&["query", "deposit", &user.from])?;
        assert_eq!(known["owed"], "0");
        Ok(known["eth"].clone())
    };
    assert_eq!(deposit()?, "0");
    let send = |eth| user.with(&["send-message", program, "PING", "--native", "--value", eth]);
    let refused = dev.fail(&send("0.1"))?;
    ensure!(refused.contains("deposit"), "{refused}");
    ensure!(user.fail(&["withdraw"])?.contains("has no deposit"));

    let put = user.tx(&["deposit", "0.5"])?;
    assert_eq!(
        (&put["eth"], &put["deposit"]),
        (&"0.5".into(), &"0.5".into())
    );
    let answer = dev.succeed(&send("0.2"))?;
    assert_eq!(text(&answer, "reply")?, "0x504f4e47");
    assert_eq!(deposit()?, "0.3");
    let refused = dev.fail(&send("0.4"))?;
    ensure!(refused.contains("deposit"), "{refused}");
    let state = dev.succeed(&["query", "program", program])?;
    assert_eq!(state["owned_balance"], "0.2");

    assert_eq!(user.tx(&["withdraw", "0.1"])?["eth"], "0.1");
    assert_eq!(deposit()?, "0.2");
    assert_eq!(user.tx(&["withdraw"])?["eth"], "0.2");
    assert_eq!(deposit()?, "0");
    // Somebody else's is somebody else's.
    let other = User::of(&dev, 5)?;
    user.tx(&["deposit", "0.1", "--for", &other.from])?;
    assert_eq!(deposit()?, "0");
    assert_eq!(other.tx(&["withdraw"])?["eth"], "0.1");
    Ok(())
}
