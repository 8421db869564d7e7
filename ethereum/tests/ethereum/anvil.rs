//! Anvil as a child: it says where it listens, keeps its state, and never outlives its owner.

use crate::common::{provider, signer};
use alloy::providers::{Provider, ext::AnvilApi};
use gear_exe_ethereum::dev::{AnvilConfig, AnvilError, AnvilNode, KEYS};
use std::{
    io::{BufRead, BufReader},
    net::{Ipv4Addr, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

const OWNER: &str = "GEAR_EXE_TEST_ANVIL_OWNER";

const STATE: &str = "GEAR_EXE_TEST_ANVIL_STATE";

/// Starts a process that owns an Anvil; returns it with Anvil's port.
fn owner(how: &str, state: Option<&Path>) -> (Child, u16) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "anvil::owner_process", "--nocapture"])
        .env(OWNER, how)
        .stdout(Stdio::piped())
        .stderr(Stdio::null());
    if let Some(path) = state {
        command.env(STATE, path);
    }
    let mut owner = command.spawn().unwrap();
    let port = BufReader::new(owner.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok)
        .find_map(|line| line.strip_prefix("port ")?.parse::<u16>().ok())
        .expect("anvil came up");
    (owner, port)
}

/// Waits until nobody listens on the port any more.
fn wait_until_closed(port: u16) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
        assert!(Instant::now() < deadline, "anvil outlives its owner");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Not a test of its own: the process that the next test kills.
#[tokio::test]
async fn owner_process() {
    let Ok(how) = std::env::var(OWNER) else {
        return;
    };
    let config = AnvilConfig {
        state: std::env::var_os(STATE).map(Into::into),
        ..Default::default()
    };
    let anvil = AnvilNode::spawn(config).await.unwrap();
    println!("\nport {}", anvil.port());
    match how.as_str() {
        "panic" => panic!("as told"),
        _ => std::future::pending::<()>().await,
    }
}

#[test]
fn dies_with_its_owner() {
    for how in ["kill", "panic"] {
        let (mut owner, port) = owner(how, None);
        if how == "kill" {
            assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok());
            owner.kill().unwrap();
        }
        assert!(!owner.wait().unwrap().success());
        wait_until_closed(port);
    }
}

#[tokio::test]
async fn starts_again_at_once_after_its_owner_was_killed() {
    let folder = tempfile::tempdir().unwrap();
    let state = folder.path().join("anvil.json");
    let (mut owner, port) = owner("kill", Some(&state));
    let node = provider(&format!("http://127.0.0.1:{port}")).await;
    node.anvil_mine(Some(7), None).await.unwrap();
    let tip = node.get_block_by_number(7.into()).await.unwrap().unwrap();
    owner.kill().unwrap();
    owner.wait().unwrap();
    let config = AnvilConfig {
        port,
        state: Some(state),
        ..Default::default()
    };
    let _anvil = AnvilNode::spawn(config).await.unwrap();
    let again = node.get_block_by_number(7.into()).await.unwrap().unwrap();
    assert_eq!(again.header.hash, tip.header.hash);
}

#[tokio::test]
async fn a_used_port_is_an_error() {
    let anvil = AnvilNode::spawn(AnvilConfig::default()).await.unwrap();
    let config = AnvilConfig {
        port: anvil.port(),
        ..Default::default()
    };
    let error = AnvilNode::spawn(config).await.unwrap_err();
    assert!(
        matches!(&error, AnvilError::NotUp(reason) if reason.contains("in use")),
        "{error}"
    );
}

#[tokio::test]
async fn its_accounts_are_the_known_ones() {
    let anvil = AnvilNode::spawn(AnvilConfig::default()).await.unwrap();
    let accounts = provider(&anvil.http()).await.get_accounts().await.unwrap();
    let known: Vec<_> = (0..KEYS.len())
        .map(|index| signer(index).address())
        .collect();
    assert_eq!(accounts, known);
}
