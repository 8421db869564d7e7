//! Where a command finds the node, Ethereum and the Router, and with which key it signs.

use super::{
    CliError, Next, key::DirectoryArg, keys::parse_secret, keystore::PasswordArg, rpc::Node,
};
use alloy::{
    primitives::Address,
    providers::{DynProvider, Provider, ProviderBuilder},
    signers::local::PrivateKeySigner,
};
use clap::Args;
use jsonrpsee::rpc_params;
use std::{fs, path::PathBuf};

/// Where everything is. The defaults are those of `gear-exe run --dev`.
#[derive(Clone, Debug, Args)]
pub struct Endpoints {
    /// A node of Gear.exe, HTTP or WebSocket.
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "GEAR_EXE_NODE",
        default_value = "ws://127.0.0.1:9944"
    )]
    pub node: String,
    /// An Ethereum node, HTTP or WebSocket.
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "GEAR_EXE_ETHEREUM_RPC",
        default_value = "http://127.0.0.1:8545"
    )]
    pub ethereum_rpc: String,
    /// The Router [default: the one that the node names].
    #[arg(long, global = true, value_name = "ADDRESS", env = "GEAR_EXE_ROUTER")]
    pub router: Option<Address>,
}

impl Endpoints {
    /// Connects to the node.
    ///
    /// # Errors
    ///
    /// If nobody listens there.
    pub async fn node(&self) -> Result<Node, CliError> {
        Node::connect(&self.node).await
    }

    /// Connects to Ethereum, to read.
    ///
    /// # Errors
    ///
    /// If nobody listens there.
    pub async fn ethereum(&self) -> Result<DynProvider, CliError> {
        let provider = ProviderBuilder::new()
            .connect(&self.ethereum_rpc)
            .await
            .next(self.silent(), self.start())?
            .erased();
        provider
            .get_chain_id()
            .await
            .next(self.silent(), self.start())?;
        Ok(provider)
    }

    /// What to say of an Ethereum node that does not answer.
    pub fn silent(&self) -> String {
        format!("no Ethereum node answers at {}", self.ethereum_rpc)
    }

    /// What to do then.
    pub fn start(&self) -> &'static str {
        "start a development network with `gear-exe run --dev`, or give another node by --ethereum-rpc"
    }

    /// The Router.
    ///
    /// # Errors
    ///
    /// If it is not given, and no node names it.
    pub async fn router(&self) -> Result<Address, CliError> {
        if let Some(router) = self.router {
            return Ok(router);
        }
        let named = async {
            let node = self.node().await?;
            node.call("routerAddress", rpc_params![]).await
        };
        named.await.map_err(|error: CliError| {
            CliError::new(
                format!("the Router's address is not known: {}", error.what),
                "give it by --router, or name a node that knows it by --node",
            )
        })
    }
}

/// Who signs.
#[derive(Clone, Debug, Args)]
pub struct Signer {
    /// Address of the key that signs [default: the only one of the folder].
    #[arg(long, global = true, value_name = "ADDRESS", env = "GEAR_EXE_FROM")]
    from: Option<Address>,
    /// Its secret as hex, instead of a key from the folder.
    #[arg(
        long,
        global = true,
        value_name = "SECRET",
        env = "GEAR_EXE_PRIVATE_KEY",
        hide_env_values = true
    )]
    private_key: Option<String>,
    /// An encrypted key, the JSON that wallets export, instead of a key from the folder.
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "GEAR_EXE_KEYSTORE",
        conflicts_with = "private_key"
    )]
    keystore: Option<PathBuf>,
    #[command(flatten)]
    password: PasswordArg,
    #[command(flatten)]
    directory: DirectoryArg,
}

impl Signer {
    /// The key.
    ///
    /// # Errors
    ///
    /// If there is none, or it is not clear which.
    pub fn key(&self) -> Result<PrivateKeySigner, CliError> {
        if let Some(secret) = &self.private_key {
            return parse_secret(secret);
        }
        if let Some(file) = &self.keystore {
            let text = fs::read_to_string(file).next(
                format!("the key cannot be read from {}", file.display()),
                "give a file that you may read by --keystore",
            )?;
            return self.password.open(&text);
        }
        let keys = self.directory.keys()?;
        if let Some(address) = self.from {
            return keys.load(address);
        }
        match keys.list()?[..] {
            [only] => keys.load(only),
            [] => Err(CliError::new(
                format!("there is no key in {}", keys.path().display()),
                "make one with `gear-exe key generate`, or name another folder by --key-directory (`gear-exe run --dev` \
                 prints its own)",
            )),
            _ => Err(CliError::new(
                format!("there are several keys in {}", keys.path().display()),
                "say which by --from; `gear-exe key list` shows them",
            )),
        }
    }
}
