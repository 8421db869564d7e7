//! `gear-exe key`: makes, takes and shows Ethereum keys.

use super::{
    CliError, Next,
    keys::{KeyDirectory, parse_secret},
    keystore::{PasswordArg, is_keystore},
    output::{Answer, Format},
};
use alloy::{primitives::Address, signers::local::PrivateKeySigner};
use clap::{Args, Subcommand};
use serde_json::json;
use std::{io::Read, path::PathBuf};

/// Arguments of `gear-exe key`.
#[derive(Debug, Args)]
pub struct KeyArgs {
    #[command(flatten)]
    directory: DirectoryArg,
    #[command(subcommand)]
    command: KeyCommand,
}

/// Where keys are.
#[derive(Clone, Debug, Args)]
pub struct DirectoryArg {
    /// Folder of keys [default: ~/.gear-exe/keys].
    #[arg(
        long,
        global = true,
        env = "GEAR_EXE_KEY_DIRECTORY",
        value_name = "PATH"
    )]
    key_directory: Option<PathBuf>,
}

impl DirectoryArg {
    /// The folder.
    ///
    /// # Errors
    ///
    /// If none is given and there is no home folder.
    pub fn keys(&self) -> Result<KeyDirectory, CliError> {
        self.key_directory
            .clone()
            .or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".gear-exe/keys")))
            .map(KeyDirectory::new)
            .ok_or_else(|| {
                CliError::new(
                    "there is no home folder for keys",
                    "give a folder by --key-directory",
                )
            })
    }
}

#[derive(Debug, Subcommand)]
enum KeyCommand {
    /// Make a new key.
    Generate,
    /// Take a key over from a file or from standard input: its secret as hex, or the encrypted JSON that wallets export.
    Import {
        /// File that holds it; `-` for standard input.
        #[arg(default_value = "-")]
        file: PathBuf,
        #[command(flatten)]
        password: PasswordArg,
    },
    /// Show which keys there are.
    List,
    /// Show one key.
    Inspect {
        /// Its address.
        address: Address,
        /// Show the secret too.
        #[arg(long)]
        show_secret: bool,
    },
}

/// Does it.
///
/// # Errors
///
/// [`CliError`] says what to do.
pub fn run(args: KeyArgs, format: Format) -> Result<(), CliError> {
    let keys = args.directory.keys()?;
    match args.command {
        KeyCommand::Generate => stored(&keys, &PrivateKeySigner::random()),
        KeyCommand::Import { file, password } => {
            let mut text = String::new();
            if file.as_os_str() == "-" {
                std::io::stdin().read_to_string(&mut text).map(|_| ())
            } else {
                std::fs::read_to_string(&file).map(|read| text = read)
            }
            .next(
                "the secret could not be read",
                "give a file that holds it, or write it to standard input",
            )?;
            let key = if is_keystore(&text) {
                password.open(&text)?
            } else {
                parse_secret(&text)?
            };
            stored(&keys, &key)
        }
        KeyCommand::List => {
            let addresses: Vec<_> = keys
                .list()?
                .iter()
                .map(|address| address.to_checksum(None))
                .collect();
            Ok(Answer::new()
                .with("key_directory", keys.path().display().to_string())
                .with("keys", json!(addresses)))
        }
        KeyCommand::Inspect {
            address,
            show_secret,
        } => {
            let key = keys.load(address)?;
            let public = key.credential().verifying_key().to_encoded_point(true);
            Ok(Answer::new()
                .with("address", key.address().to_checksum(None))
                .with(
                    "public_key",
                    format!("0x{}", hex::encode(public.as_bytes())),
                )
                .with_some(
                    "secret",
                    show_secret.then(|| format!("{:#x}", key.to_bytes())),
                ))
        }
    }?
    .print(format)
}

fn stored(keys: &KeyDirectory, key: &PrivateKeySigner) -> Result<Answer, CliError> {
    let file = keys.store(key)?;
    Ok(Answer::new()
        .with("address", key.address().to_checksum(None))
        .with("file", file.display().to_string()))
}
