//! The programs that get the messages: uploaded, created, paid for, and given tokens before the run.

use crate::plan::{Kind, Message, Plan};
use alloy::primitives::{Address, B256, U256};
use anyhow::{Context, Result, ensure};
use gear_exe_client::Signer;
use gear_exe_ethereum::abi::Router;
use gear_exe_primitives::{H160, signature::address_of_secret};
use gear_exe_programs::{COUNTER, KERNELS, PING, VFT};
use gear_exe_tests::wallet::{Wallet, call, calldata, word};
use std::collections::BTreeMap;

/// Blocks of 64 bytes that a message of [`Kind::Cpu`] hashes: about a millisecond.
const HASHED_BLOCKS: u32 = 2_000;
/// What the Router says of a code that nobody has offered.
const UNKNOWN: u8 = 0;
/// Tokens that each sender starts with.
const TOKENS: u64 = 1_000_000;

/// The programs.
#[derive(Clone, Debug)]
pub struct Programs {
    by_kind: BTreeMap<Kind, Vec<Address>>,
    senders: Vec<H160>,
}

/// The secret key of a sender.
pub fn secret(seed: u64, sender: usize) -> [u8; 32] {
    let sender = sender as u64;
    gear_exe_primitives::hashing::keccak256([
        &b"gear-exe-load"[..],
        &seed.to_be_bytes(),
        &sender.to_be_bytes(),
    ])
    .0
}

/// A method with a text argument is not needed but once: `create(false, "Load", "LOAD", 0)`.
fn new_token() -> Vec<u8> {
    let text = |text: &str| {
        let mut bytes = [0; 32];
        for (to, from) in bytes.iter_mut().zip(text.bytes()) {
            *to = from;
        }
        [U256::from(text.len()), U256::from_be_bytes(bytes)]
    };
    let (name, symbol) = (text("Load"), text("LOAD"));
    calldata(
        "create(bool,string,string,uint16)",
        &[
            U256::ZERO,
            U256::from(128),
            U256::from(192),
            U256::ZERO,
            name[0],
            name[1],
            symbol[0],
            symbol[1],
        ],
    )
}

fn code_and_init(kind: Kind) -> (&'static [u8], Vec<u8>) {
    match kind {
        Kind::Ping => (PING, Vec::new()),
        Kind::Counter => (
            COUNTER,
            calldata("create(bool,uint32)", &[U256::ZERO, U256::ZERO]),
        ),
        Kind::Token => (VFT, new_token()),
        Kind::Cpu => (KERNELS, Vec::new()),
    }
}

impl Programs {
    /// Makes what a run needs. `owner` pays, and owns the tokens.
    ///
    /// # Errors
    ///
    /// If a transaction fails, or a program does not answer.
    pub async fn deploy(owner: &Wallet, plan: &Plan) -> Result<Self> {
        let kinds: Vec<Kind> = plan.mix.kinds().collect();
        let codes: Vec<&[u8]> = kinds.iter().map(|kind| code_and_init(*kind).0).collect();
        let ids: Vec<_> = codes
            .iter()
            .map(|code| gear_exe_primitives::CodeId::of(code))
            .collect();
        let mut missing = Vec::new();
        for (code, id) in codes.iter().zip(&ids) {
            let question = Router::codeStateCall {
                codeId: id.0.0.into(),
            };
            if owner.read(owner.router, question).await? == UNKNOWN {
                missing.push(*code);
            }
        }
        if !missing.is_empty() {
            owner.offer_all(&missing).await?;
        }
        for id in &ids {
            ensure!(owner.verdict(*id).await?, "code {id} was refused");
        }
        let mut by_kind = BTreeMap::new();
        let mut begun = Vec::new();
        let inits: Vec<_> = kinds.iter().map(|kind| code_and_init(*kind).1).collect();
        // A Mirror's address follows from code and salt: no run may meet the programs of another.
        let (nonce, _) = owner.head().await?;
        for ((kind, id), init) in kinds.iter().zip(&ids).zip(&inits) {
            let first = plan.seed.wrapping_mul(1_000_003).wrapping_add(nonce) << 8;
            let creations = (0..plan.programs as u64).map(|place| {
                let salt = U256::from(first.wrapping_add(place));
                let creation = Router::createProgramCall {
                    codeId: id.0.0.into(),
                    salt: B256::from(salt),
                    overrideInitializer: Address::ZERO,
                };
                call(owner.router, &creation)
            });
            let made: Vec<Address> = owner
                .transact_all(creations)
                .await?
                .iter()
                .map(|receipt| {
                    let event = receipt.decoded_log::<Router::ProgramCreated>();
                    event
                        .map(|event| event.actorId)
                        .context("nothing was created")
                })
                .collect::<Result<_>>()?;
            begun.extend(made.iter().map(|at| (*at, plan.wvara, init.as_slice())));
            by_kind.insert(*kind, made);
        }
        for first in owner.begin(&begun).await? {
            let reply = owner.reply(&first).await?;
            ensure!(reply.code[0] == 0, "init failed: {reply:?}");
        }
        let senders = (0..plan.senders)
            .map(|sender| {
                address_of_secret(&secret(plan.seed, sender))
                    .map_err(|error| anyhow::anyhow!("{error:?}"))
            })
            .collect::<Result<_>>()?;
        Ok(Self { by_kind, senders })
    }

    /// The tokens of a run, to be handed out before it to senders, and to `ethereum`, who sends transactions for all of them:
    /// program and payload of each message that their owner sends.
    pub fn mints(&self, ethereum: Address) -> Vec<(Address, Vec<u8>)> {
        let tokens = self.by_kind.get(&Kind::Token).into_iter().flatten();
        let senders = self.senders.iter().map(|sender| Address::from(sender.0));
        let holders: Vec<_> = senders.chain([ethereum]).collect();
        tokens
            .flat_map(|token| {
                holders.iter().map(|holder| {
                    let words = [U256::ZERO, word(*holder), U256::from(TOKENS)];
                    (*token, calldata("vftMint(bool,address,uint256)", &words))
                })
            })
            .collect()
    }

    /// Where a message goes, and what it says.
    ///
    /// # Errors
    ///
    /// If it is of another run.
    pub fn letter(&self, message: &Message) -> Result<(Address, Vec<u8>)> {
        let to = self
            .by_kind
            .get(&message.kind)
            .and_then(|programs| programs.get(message.program))
            .context("no such program")?;
        let payload = match message.kind {
            Kind::Ping => b"PING".to_vec(),
            Kind::Counter => calldata("counterAdd(bool,uint32)", &[U256::ZERO, U256::from(1)]),
            Kind::Token => {
                let receiver = self.senders.get(message.receiver).context("no receiver")?;
                let to = word(Address::from(receiver.0));
                let words = [U256::ZERO, to, U256::from(1)];
                calldata("vftTransfer(bool,address,uint256)", &words)
            }
            Kind::Cpu => [&[0][..], &HASHED_BLOCKS.to_le_bytes(), &1u32.to_le_bytes()].concat(),
        };
        Ok((*to, payload))
    }

    /// Those who sign.
    ///
    /// # Errors
    ///
    /// Never: their keys are hashes.
    pub fn signers(
        plan: &Plan,
        domain: gear_exe_primitives::batch::RouterDomain,
    ) -> Result<Vec<Signer>> {
        (0..plan.senders)
            .map(|sender| Ok(Signer::new(secret(plan.seed, sender), domain)?))
            .collect()
    }
}
