//! The client in `clients/typescript`: its own tests, by the same vectors as the verifiers in Rust and Solidity.

use anyhow::{Context, Result, ensure};
use std::process::Stdio;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::Command,
    sync::OnceCell,
};

/// Where the client is: where the test runs, not where it was built, since checkouts share build products.
fn folder() -> Result<String> {
    let here = std::env::var("CARGO_MANIFEST_DIR").context("tests are run by cargo")?;
    Ok(format!("{here}/../clients/typescript"))
}

/// Runs Node.js in the client's folder, with what it prints among the test's output.
async fn node(arguments: &[&str]) -> Result<()> {
    let mut child = Command::new("node")
        .args(arguments)
        .current_dir(folder()?)
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
        "node {arguments:?} says what is wrong above"
    );
    Ok(())
}

/// Compiles the client once for all tests of this file.
async fn compiled() -> Result<()> {
    static COMPILED: OnceCell<()> = OnceCell::const_new();
    COMPILED
        .get_or_try_init(|| async { node(&["node_modules/typescript/bin/tsc"]).await })
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
    node(&tests).await
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
