//! The relayer of a development network, in the node's own process.

use super::DevNetwork;
use crate::{
    cli::{CliError, Next},
    service::Node,
};
use gear_exe_primitives::{H160, hashing::keccak256};
use gear_exe_relayer::{Relayer, RelayerConfig, Wallet};
use std::time::Duration;

/// The relayer's own account, so that its transactions are never in the way of a developer's.
fn wallet() -> Result<Wallet, CliError> {
    Wallet::from_bytes(&keccak256([b"gear-exe development relayer"]).0)
        .next("the relayer has no key", "report this")
}

/// Its address.
///
/// # Errors
///
/// Never: the key is a constant.
pub(super) fn account() -> Result<H160, CliError> {
    wallet().map(|wallet| wallet.address())
}

/// Starts it as a task of the node, which ends if the relayer finds that it cannot work at all.
pub(super) fn spawn(network: &DevNetwork, node: &Node, rpc_port: u16) -> Result<(), CliError> {
    let config = RelayerConfig {
        poll: Duration::from_millis(200),
        ..RelayerConfig::new(
            format!("ws://127.0.0.1:{rpc_port}"),
            network.ethereum_url.clone(),
            network.router,
            wallet()?,
            network.folder.join("relayer"),
        )
    };
    let relay = async move {
        let result = match Relayer::start(config).await {
            Ok(mut relayer) => relayer.ended().await,
            Err(error) => Err(error),
        };
        if let Err(error) = result {
            tracing::error!("the relayer has ended: {error}");
        }
    };
    node.task_manager
        .spawn_essential_handle()
        .spawn("gear-relayer", Some("gear-exe"), relay);
    Ok(())
}
