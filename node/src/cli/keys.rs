//! Ethereum keys on disk: one file for each, named by its address, readable by its owner only.
//!
//! The file holds the secret as hex. What protects it is the file system; who wants more gives an encrypted key by
//! `--keystore`, or the secret by `GEAR_EXE_PRIVATE_KEY` from wherever it is kept.

use super::error::{CliError, Next};
use alloy::{
    primitives::{Address, B256},
    signers::local::PrivateKeySigner,
};
use std::{
    fs,
    io::Write,
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

const EXTENSION: &str = "key";

/// A folder of keys.
#[derive(Clone, Debug)]
pub struct KeyDirectory(PathBuf);

impl KeyDirectory {
    /// The folder at `path`; made when the first key is stored.
    pub const fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    fn file(&self, address: Address) -> PathBuf {
        self.0.join(format!("{address:#x}.{EXTENSION}"))
    }

    /// Stores a key. One that is there already is left as it is.
    ///
    /// # Errors
    ///
    /// If the folder or the file cannot be written.
    pub fn store(&self, key: &PrivateKeySigner) -> Result<PathBuf, CliError> {
        let writable = format!(
            "choose a folder that you may write, by --key-directory ({} was tried)",
            self.0.display()
        );
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.0)
            .next("the key folder could not be made", &writable)?;
        let file = self.file(key.address());
        if file.exists() {
            return Ok(file);
        }
        // Whole or not at all: a killed process leaves no half a key under its name.
        let half = file.with_extension("new");
        let mut open = fs::OpenOptions::new();
        open.create(true).write(true).truncate(true).mode(0o600);
        open.open(&half)
            .and_then(|mut out| {
                writeln!(out, "{:#x}", key.to_bytes())?;
                out.sync_all()
            })
            .and_then(|()| fs::rename(&half, &file))
            .next("the key could not be written", &writable)?;
        Ok(file)
    }

    /// The key of `address`.
    ///
    /// # Errors
    ///
    /// If there is none, it is readable by others, or it is damaged.
    pub fn load(&self, address: Address) -> Result<PrivateKeySigner, CliError> {
        let file = self.file(address);
        let text = fs::read_to_string(&file).next(
            format!("there is no key of {address} in {}", self.0.display()),
            "`gear-exe key list` shows which keys there are; give the folder by --key-directory",
        )?;
        let mode = fs::metadata(&file).map_or(0, |meta| meta.permissions().mode());
        if mode & 0o077 != 0 {
            return Err(CliError::new(
                format!(
                    "{} can be read by others (mode {:o})",
                    file.display(),
                    mode & 0o777
                ),
                format!(
                    "chmod 600 {}; if others use this machine, replace the key",
                    file.display()
                ),
            ));
        }
        let key = parse_secret(&text)?;
        if key.address() != address {
            return Err(CliError::new(
                format!("{} holds the key of {}", file.display(), key.address()),
                "rename the file, or import the right key",
            ));
        }
        Ok(key)
    }

    /// The addresses of which keys are here, in order.
    ///
    /// # Errors
    ///
    /// If the folder is there but cannot be read.
    pub fn list(&self) -> Result<Vec<Address>, CliError> {
        if !self.0.exists() {
            return Ok(Vec::new());
        }
        let entries = fs::read_dir(&self.0).next(
            format!("{} cannot be read", self.0.display()),
            "check its permissions, or give another folder by --key-directory",
        )?;
        let mut addresses: Vec<Address> = entries
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| {
                path.extension()
                    .is_some_and(|extension| extension == EXTENSION)
            })
            .filter_map(|path| path.file_stem()?.to_str()?.parse().ok())
            .collect();
        addresses.sort_unstable();
        Ok(addresses)
    }
}

/// Reads a secret: 32 bytes as hex, with or without `0x`.
///
/// # Errors
///
/// If it is none. The text is not repeated in the error.
pub fn parse_secret(text: &str) -> Result<PrivateKeySigner, CliError> {
    text.trim()
        .parse::<B256>()
        .ok()
        .and_then(|bytes| PrivateKeySigner::from_bytes(&bytes).ok())
        .ok_or_else(|| {
            CliError::new(
                "this is no secp256k1 secret",
                "give 32 bytes as hex, as wallets export them",
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_back_and_are_private() {
        let folder = tempfile::tempdir().unwrap();
        let keys = KeyDirectory::new(folder.path().join("keys"));
        assert!(keys.list().unwrap().is_empty());
        let key = PrivateKeySigner::random();
        let file = keys.store(&key).unwrap();
        assert_eq!(
            fs::metadata(&file).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(keys.list().unwrap(), [key.address()]);
        assert_eq!(keys.load(key.address()).unwrap().to_bytes(), key.to_bytes());
        assert!(
            keys.load(Address::ZERO)
                .unwrap_err()
                .next
                .contains("key list")
        );

        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(
            keys.load(key.address())
                .unwrap_err()
                .what
                .contains("by others")
        );
    }

    #[test]
    fn a_key_under_another_name_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let keys = KeyDirectory::new(folder.path().to_owned());
        let file = keys.store(&PrivateKeySigner::random()).unwrap();
        let other = Address::repeat_byte(7);
        fs::rename(file, keys.file(other)).unwrap();
        assert!(
            keys.load(other)
                .unwrap_err()
                .what
                .contains("holds the key of")
        );
    }

    #[test]
    fn secrets_are_not_repeated() {
        let zero = "00".repeat(32);
        for text in ["", "0x12", "correct horse", zero.as_str()] {
            let error = parse_secret(text).unwrap_err().to_string();
            assert!(text.is_empty() || !error.contains(text));
        }
    }
}
