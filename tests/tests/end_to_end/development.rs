//! `gear-exe run --dev` as people start it: it ends with all that it started, and a folder keeps its network.

use alloy::primitives::U256;
use anyhow::{Result, ensure};
use gear_exe_programs::COUNTER;
use gear_exe_tests::{
    dev::{listens, silent, start},
    wallet::calldata,
};
use std::path::Path;

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
    let user = dev.wallet(0)?;
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
    let reply = dev.wallet(0)?.ask(counter, &add).await?;
    assert_eq!(U256::from_be_slice(&reply.payload), U256::from(8));
    Ok(())
}
