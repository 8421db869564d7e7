//! Encrypted keys as Ethereum's wallets keep them: JSON of version 3 ("Web3 Secret Storage"), with scrypt or PBKDF2.
//!
//! scrypt's core is written out here: the crate of that name would change features of crates on which all of Substrate
//! depends.

use super::{CliError, Next};
use aes::Aes128;
use alloy::{
    primitives::{Address, B256, keccak256},
    signers::local::PrivateKeySigner,
};
use clap::Args;
use ctr::{
    Ctr128BE,
    cipher::{KeyIvInit, StreamCipher},
};
use hmac::Hmac;
use pbkdf2::pbkdf2;
use serde::{Deserialize, Deserializer, de::Error as _};
use sha2::Sha256;
use std::{
    fs,
    io::{IsTerminal, stdin},
    path::PathBuf,
};

/// The most memory that scrypt may take. Wallets ask for 256 MiB.
const MAX_MEMORY: usize = 1 << 30;
/// The most turns of PBKDF2. Wallets ask for 262,144.
const MAX_TURNS: u32 = 10_000_000;

/// Where the password of an encrypted key is.
#[derive(Clone, Debug, Args)]
pub struct PasswordArg {
    /// File whose first line is the password of an encrypted key [default: it is asked for].
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "GEAR_EXE_PASSWORD_FILE"
    )]
    password_file: Option<PathBuf>,
}

impl PasswordArg {
    fn read(&self) -> Result<String, CliError> {
        if let Some(file) = &self.password_file {
            let text = fs::read_to_string(file).next(
                format!("the password cannot be read from {}", file.display()),
                "give a file that you may read by --password-file",
            )?;
            return Ok(text.lines().next().unwrap_or_default().to_owned());
        }
        if !stdin().is_terminal() {
            return Err(CliError::new(
                "the key is encrypted, and there is nobody to ask for its password",
                "give a file that holds it by --password-file",
            ));
        }
        rpassword::prompt_password("Password of the key: ").next(
            "the password could not be read",
            "give a file that holds it by --password-file",
        )
    }

    /// Opens an encrypted key, with the password from wherever it is.
    ///
    /// # Errors
    ///
    /// If the text is no such key, or the password is not its own.
    pub fn open(&self, text: &str) -> Result<PrivateKeySigner, CliError> {
        let keystore = Keystore::parse(text)?;
        keystore.decrypt(&self.read()?)
    }
}

/// Whether a text is meant to be an encrypted key.
pub fn is_keystore(text: &str) -> bool {
    text.trim_start().starts_with('{')
}

/// Bytes in hex, with or without `0x`.
#[derive(Debug)]
struct Bytes(Vec<u8>);

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        hex::decode(text.strip_prefix("0x").unwrap_or(&text))
            .map(Self)
            .map_err(D::Error::custom)
    }
}

#[derive(Debug, Deserialize)]
struct Keystore {
    version: u32,
    address: Option<Bytes>,
    #[serde(alias = "Crypto")]
    crypto: Crypto,
}

#[derive(Debug, Deserialize)]
struct Crypto {
    cipher: String,
    cipherparams: CipherParams,
    ciphertext: Bytes,
    #[serde(flatten)]
    kdf: Kdf,
    mac: Bytes,
}

#[derive(Debug, Deserialize)]
struct CipherParams {
    iv: Bytes,
}

/// How the password becomes a key.
#[derive(Debug, Deserialize)]
#[serde(tag = "kdf", content = "kdfparams", rename_all = "lowercase")]
enum Kdf {
    Scrypt {
        dklen: usize,
        n: u32,
        r: usize,
        p: usize,
        salt: Bytes,
    },
    Pbkdf2 {
        dklen: usize,
        c: u32,
        prf: String,
        salt: Bytes,
    },
}

fn unusable(what: impl std::fmt::Display) -> CliError {
    CliError::new(
        format!("this is no encrypted key that can be opened: {what}"),
        "give the JSON file of version 3 that wallets export, or the secret as hex",
    )
}

impl Keystore {
    fn parse(text: &str) -> Result<Self, CliError> {
        let keystore: Self = serde_json::from_str(text).map_err(unusable)?;
        if keystore.version != 3 {
            return Err(unusable(format!("its version is {}", keystore.version)));
        }
        if keystore.crypto.cipher != "aes-128-ctr" {
            return Err(unusable(format!(
                "its cipher is {}",
                keystore.crypto.cipher
            )));
        }
        Ok(keystore)
    }

    fn decrypt(&self, password: &str) -> Result<PrivateKeySigner, CliError> {
        let crypto = &self.crypto;
        let key = crypto.kdf.key(password.as_bytes())?;
        let (cipher_key, mac_key) = key.split_at(16);
        if keccak256([mac_key, &crypto.ciphertext.0].concat()).as_slice() != crypto.mac.0 {
            return Err(CliError::new(
                "the password is not that of this key, or the file is damaged",
                "try again with another password",
            ));
        }
        let mut secret = crypto.ciphertext.0.clone();
        Ctr128BE::<Aes128>::new_from_slices(cipher_key, &crypto.cipherparams.iv.0)
            .map_err(unusable)?
            .apply_keystream(&mut secret);
        let signer = B256::try_from(secret.as_slice())
            .ok()
            .and_then(|secret| PrivateKeySigner::from_bytes(&secret).ok())
            .ok_or_else(|| unusable("what it holds is no secp256k1 secret"))?;
        let named = self.address.as_ref().map(|address| address.0.as_slice());
        match named {
            Some(other) if other != signer.address().as_slice() => Err(unusable(format!(
                "it holds the key of {}, and says that it is that of {}",
                signer.address(),
                Address::try_from(other).map_or_else(|_| hex::encode(other), |own| own.to_string()),
            ))),
            _ => Ok(signer),
        }
    }
}

impl Kdf {
    /// The key of 32 bytes that a password becomes.
    fn key(&self, password: &[u8]) -> Result<[u8; 32], CliError> {
        let mut key = [0; 32];
        let length = match self {
            Self::Scrypt {
                dklen,
                n,
                r,
                p,
                salt,
            } => {
                scrypt(password, &salt.0, (*n, *r, *p), &mut key)?;
                dklen
            }
            Self::Pbkdf2 {
                dklen,
                c,
                prf,
                salt,
            } => {
                if prf != "hmac-sha256" || !(1..=MAX_TURNS).contains(c) {
                    return Err(unusable(format!("{c} turns of {prf}")));
                }
                derive(password, &salt.0, *c, &mut key)?;
                dklen
            }
        };
        if *length == key.len() {
            Ok(key)
        } else {
            Err(unusable(format!("its key has {length} bytes")))
        }
    }
}

fn derive(password: &[u8], salt: &[u8], turns: u32, out: &mut [u8]) -> Result<(), CliError> {
    pbkdf2::<Hmac<Sha256>>(password, salt, turns, out).map_err(unusable)
}

/// scrypt (RFC 7914) with its parameters `(N, r, p)`.
fn scrypt(
    password: &[u8],
    salt: &[u8],
    (n, r, p): (u32, usize, usize),
    out: &mut [u8],
) -> Result<(), CliError> {
    // One table of N blocks, and p blocks.
    let fits = (n as usize)
        .max(p)
        .checked_mul(128)
        .and_then(|bytes| bytes.checked_mul(r))
        .is_some_and(|bytes| bytes <= MAX_MEMORY);
    if !fits || n < 2 || !n.is_power_of_two() || r == 0 || !(1..=256).contains(&p) {
        return Err(unusable(format!("scrypt with N = {n}, r = {r}, p = {p}")));
    }
    let mut blocks = vec![0; 128 * r * p];
    derive(password, salt, 1, &mut blocks)?;
    for block in blocks.chunks_exact_mut(128 * r) {
        mix(block, n as usize);
    }
    derive(password, &blocks, 1, out)
}

/// scryptROMix on one block.
fn mix(block: &mut [u8], n: usize) {
    let mut words: Vec<u32> = block
        .chunks_exact(4)
        .map(|bytes| u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
        .collect();
    let mut scratch = vec![0; words.len()];
    let mut table = Vec::with_capacity(n * words.len());
    for _ in 0..n {
        table.extend_from_slice(&words);
        mix_block(&mut words, &mut scratch);
    }
    for _ in 0..n {
        // N is a power of two of at most 32 bits.
        let row = words[words.len() - 16] as usize & (n - 1);
        let row = &table[row * words.len()..][..words.len()];
        words
            .iter_mut()
            .zip(row)
            .for_each(|(word, other)| *word ^= other);
        mix_block(&mut words, &mut scratch);
    }
    for (bytes, word) in block.chunks_exact_mut(4).zip(&words) {
        bytes.copy_from_slice(&word.to_le_bytes());
    }
}

/// scryptBlockMix: 64-byte blocks in a chain, those at even places first.
fn mix_block(words: &mut [u32], scratch: &mut [u32]) {
    let half = words.len() / 32;
    let mut chain = [0; 16];
    chain.copy_from_slice(&words[words.len() - 16..]);
    for (index, block) in words.chunks_exact(16).enumerate() {
        chain
            .iter_mut()
            .zip(block)
            .for_each(|(word, other)| *word ^= other);
        salsa20_8(&mut chain);
        let place = index / 2 + (index % 2) * half;
        scratch[place * 16..][..16].copy_from_slice(&chain);
    }
    words.copy_from_slice(scratch);
}

/// Salsa20 with eight rounds.
fn salsa20_8(block: &mut [u32; 16]) {
    const COLUMNS: [[usize; 4]; 4] = [[0, 4, 8, 12], [5, 9, 13, 1], [10, 14, 2, 6], [15, 3, 7, 11]];
    const ROWS: [[usize; 4]; 4] = [[0, 1, 2, 3], [5, 6, 7, 4], [10, 11, 8, 9], [15, 12, 13, 14]];
    let before = *block;
    for _ in 0..4 {
        for [a, b, c, d] in COLUMNS.into_iter().chain(ROWS) {
            block[b] ^= block[a].wrapping_add(block[d]).rotate_left(7);
            block[c] ^= block[b].wrapping_add(block[a]).rotate_left(9);
            block[d] ^= block[c].wrapping_add(block[b]).rotate_left(13);
            block[a] ^= block[d].wrapping_add(block[c]).rotate_left(18);
        }
    }
    for (word, before) in block.iter_mut().zip(before) {
        *word = word.wrapping_add(before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of the Web3 Secret Storage Definition.
    const PBKDF2: &str = r#"{"crypto":{"cipher":"aes-128-ctr",
        "cipherparams":{"iv":"6087dab2f9fdbbfaddc31a909735c1e6"},
        "ciphertext":"5318b4d5bcd28de64ee5559e671353e16f075ecae9f99c7a79a38af5f869aa46",
        "kdf":"pbkdf2","kdfparams":{"c":262144,"dklen":32,"prf":"hmac-sha256",
        "salt":"ae3cd4e7013836a3df6bd7241b12db061dbe2c6785853cce422d148a624ce0bd"},
        "mac":"517ead924a9d0dc3124507e3393d175ce3ff7c1e96529c6c555ce9e51205e9b2"},
        "id":"3198bc9c-6672-5ab3-d995-4942343ae5b6","version":3}"#;
    const SCRYPT: &str = r#"{"crypto":{"cipher":"aes-128-ctr",
        "cipherparams":{"iv":"83dbcc02d8ccb40e466191a123791e0e"},
        "ciphertext":"d172bf743a674da9cdad04534d56926ef8358534d458fffccd4e6ad2fbde479c",
        "kdf":"scrypt","kdfparams":{"dklen":32,"n":262144,"r":1,"p":8,
        "salt":"ab0c7876052600dd703518d6fc3fe8984592145b591fc8fb5c6d43190334ba19"},
        "mac":"2103ac29920d71da29f15d75b4a16dbe95cfd7ff8faea1056c33131d846e3097"},
        "id":"3198bc9c-6672-5ab3-d995-4942343ae5b6","version":3}"#;
    const SECRET: &str = "7a28b5ba57c53603b0b07b56bba752f7784bf506fa95edc395f5cf6c7514fe9d";

    fn open(text: &str, password: &str) -> Result<PrivateKeySigner, CliError> {
        Keystore::parse(text)?.decrypt(password)
    }

    #[test]
    fn keys_of_wallets_open() {
        for text in [PBKDF2, SCRYPT] {
            let key = open(text, "testpassword").unwrap();
            assert_eq!(hex::encode(key.to_bytes()), SECRET);
            let error = open(text, "testpasswort").unwrap_err();
            assert!(error.what.contains("the password is not"), "{error}");
        }
    }

    /// RFC 7914, section 12.
    #[test]
    fn scrypt_is_scrypt() {
        let mut out = [0; 64];
        scrypt(b"", b"", (16, 1, 1), &mut out).unwrap();
        assert_eq!(
            hex::encode(out),
            "77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442\
             fcd0069ded0948f8326a753a0fc81f17e8d3e0fb2e0d3628cf35e20c38d18906"
        );
        scrypt(b"password", b"NaCl", (1024, 8, 16), &mut out).unwrap();
        assert_eq!(
            hex::encode(out),
            "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162\
             2eaf30d92e22a3886ff109279d9830dac727afb94a83ee6d8360cbdfa2cc0640"
        );
    }

    #[test]
    fn what_cannot_be_opened_is_said() {
        for (from, to, expected) in [
            ("\"version\":3", "\"version\":1", "version is 1"),
            ("aes-128-ctr", "aes-256-gcm", "cipher is aes-256-gcm"),
            ("\"n\":262144", "\"n\":262143", "N = 262143"),
            ("\"n\":262144", "\"n\":2147483648", "N = 2147483648"),
            (
                "\"r\":1",
                "\"r\":18446744073709551615",
                "r = 18446744073709551615",
            ),
            ("\"p\":8", "\"p\":0", "p = 0"),
            ("\"dklen\":32", "\"dklen\":64", "64 bytes"),
            ("\"scrypt\"", "\"argon2\"", "argon2"),
            (
                "\"id\"",
                "\"address\":\"0x00\",\"id\"",
                "says that it is that of",
            ),
            ("\"mac\":\"21", "\"mac\":\"22", "the password is not"),
        ] {
            assert!(SCRYPT.contains(from), "{from}");
            let error = open(&SCRYPT.replacen(from, to, 1), "testpassword").unwrap_err();
            assert!(error.what.contains(expected), "{from}: {error}");
        }
        assert!(open("{}", "").is_err());
        assert!(is_keystore(PBKDF2) && !is_keystore(SECRET));
    }
}
