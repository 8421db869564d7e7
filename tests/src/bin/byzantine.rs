//! A validator that does not do what it should, for tests: a whole node, which besides or instead does one of these.
//!
//! * `lies`: of each block of its own it first promises an outcome that it makes up; after the first such block it also states an
//!   outcome that it makes up of every block, as soon as it has the block and before it has executed it. Its honest half then says
//!   the truth as well.
//! * `withholds`: it authors blocks, and signs nothing of rounds, receipts and batches.
//! * `floods`: it states more of blocks that nobody knows than a peer may say, with good signatures: checking one costs more than
//!   hearing it.
//! * `garbles`: it sends what is no statement, statements in the names of others, and such that nobody has signed.

use clap::{Parser, ValueEnum};
use futures::StreamExt;
use gear_exe::{
    certificates::{CertificateService, Said, book::SignedRound},
    cli::{RunArgs, run_node},
    equivocations::slot,
    service::{FullClient, Node},
};
use gear_exe_primitives::{
    H160, H256,
    batch::RouterDomain,
    certificate::{PromiseStatement, RoundStatement, SignedPromise},
    ethereum::BlockId,
    runtime_api::{ExecutionApi, SettlementApi, SlashingApi},
};
use gear_exe_runtime::opaque::Block;
use gear_exe_tests::validators::{ethereum_key, sign};
use polkadot_sdk::{
    sc_client_api::{BlockImportNotification, BlockchainEvents},
    sp_api::ProvideRuntimeApi,
    sp_keyring::Sr25519Keyring,
};
use std::{
    process::ExitCode,
    sync::{Arc, atomic::Ordering},
};

/// Statements of a flood for each block, four of which come in a second: half more than a peer may say.
const FLOOD: u64 = 800;
/// Forged statements for each block.
const FORGED: u64 = 500;

/// Runs a validator that does not do what it should, with the arguments of `gear-exe run`.
#[derive(Debug, Parser)]
enum Byzantine {
    /// Run it.
    Run {
        /// What it does.
        #[arg(long, value_enum)]
        how: How,
        /// As any node.
        #[command(flatten)]
        args: Box<RunArgs>,
    },
}

/// What it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum How {
    /// Says what is not so.
    Lies,
    /// Signs nothing.
    Withholds,
    /// Says too much.
    Floods,
    /// Says what is no statement, or not its own.
    Garbles,
}

/// Who does it, and where.
struct Culprit {
    client: Arc<FullClient>,
    who: Sr25519Keyring,
    address: H160,
    domain: RouterDomain,
    genesis: H256,
    /// It has promised once, and states on.
    began: bool,
    /// Statements of its flood.
    said: u64,
}

impl Culprit {
    /// A statement about a block, in the name of the member at `place`, with this one's signature; nothing if it is in no set. What
    /// stands for the place is added to its own.
    fn state(
        &self,
        block: &BlockImportNotification<Block>,
        about: H256,
        shift: usize,
    ) -> anyhow::Result<Option<SignedRound>> {
        let api = self.client.runtime_api();
        let set = api.validator_set(block.hash)?;
        let own = |place: &gear_exe_primitives::quorum::Member| place.address == self.address;
        let Some(place) = set.members.iter().position(own) else {
            return Ok(None);
        };
        let anchor = api.anchor(block.hash)?;
        let statement = RoundStatement {
            set_id: set.id,
            block_number: block.header.number.into(),
            block_hash: about,
            anchor: BlockId {
                number: anchor.number,
                hash: anchor.hash,
            },
            outcome: block.hash,
        };
        Ok(Some(SignedRound {
            statement,
            place: u32::try_from((place + shift) % set.members.len())?,
            signature: sign(self.who, statement.digest(self.genesis, &self.domain))?,
        }))
    }

    /// What it says of a block; nothing of what it cannot say.
    fn lie(&mut self, block: &BlockImportNotification<Block>) -> anyhow::Result<Vec<Said>> {
        let mut lies = Vec::new();
        if self.began {
            lies.extend(self.state(block, block.hash, 0)?.map(Said::Round));
        }
        let Some(slot) = slot(&block.header) else {
            return Ok(lies);
        };
        let api = self.client.runtime_api();
        let author = api.slot_author(block.header.parent_hash, slot)?;
        if let Some(author) = author.filter(|author| author.address == self.address) {
            let statement = PromiseStatement {
                set_id: author.set_id,
                slot,
                block_hash: block.hash,
                outcome: block.hash,
            };
            lies.push(Said::Promise(SignedPromise {
                statement,
                signature: sign(self.who, statement.digest(self.genesis, &self.domain))?,
            }));
            self.began = true;
        }
        Ok(lies)
    }

    /// Statements about so many blocks that do not exist, signed or not.
    fn flood(
        &mut self,
        block: &BlockImportNotification<Block>,
        number: u64,
        signs: bool,
    ) -> anyhow::Result<Vec<Said>> {
        let mut flood = Vec::new();
        let Some(mut signed) = self.state(block, block.hash, 0)? else {
            return Ok(flood);
        };
        for _ in 0..number {
            self.said += 1;
            signed.statement.block_hash = H256::from_low_u64_be(self.said);
            if signs {
                let digest = signed.statement.digest(self.genesis, &self.domain);
                signed.signature = sign(self.who, digest)?;
            }
            flood.push(Said::Round(signed));
        }
        Ok(flood)
    }

    fn act(
        &mut self,
        how: How,
        block: &BlockImportNotification<Block>,
        service: &CertificateService,
    ) -> anyhow::Result<()> {
        let said = match how {
            How::Lies => self.lie(block)?,
            How::Floods => self.flood(block, FLOOD, true)?,
            How::Garbles => {
                for length in [0usize, 1, 9, 300, 1_000] {
                    // The first byte is that of a statement, the last that of this block: no two are the same.
                    let mut bytes = vec![0; length];
                    for (to, from) in bytes.iter_mut().skip(1).zip(block.hash.as_bytes()) {
                        *to = *from;
                    }
                    service.publish_bytes(bytes);
                }
                let mut forged = self.flood(block, FORGED, false)?;
                forged.extend(self.state(block, block.hash, 1)?.map(Said::Round));
                forged
            }
            How::Withholds => Vec::new(),
        };
        said.into_iter().for_each(|said| service.publish(said));
        Ok(())
    }
}

fn begin(node: &Node, how: How, who: Sr25519Keyring, address: H160) {
    let certificates = node.certificates.clone();
    if how == How::Withholds {
        // As a node does that has found out that what it computes is wrong.
        certificates.halt().store(true, Ordering::Relaxed);
    }
    let mut culprit = Culprit {
        client: node.client.clone(),
        who,
        address,
        domain: node.domain,
        genesis: node.genesis,
        began: false,
        said: 0,
    };
    let mut blocks = node.client.import_notification_stream();
    let task = async move {
        while let Some(block) = blocks.next().await {
            if let Err(error) = culprit.act(how, &block, &certificates) {
                eprintln!("nothing wrong was done: {error:?}");
            }
        }
    };
    node.task_manager.spawn_handle().spawn("wrongs", None, task);
}

fn main() -> ExitCode {
    let Byzantine::Run { how, args } = Byzantine::parse();
    let Some(who) = args.node.get_keyring() else {
        eprintln!("who does it? Give --alice, --bob, …");
        return ExitCode::FAILURE;
    };
    let address = match ethereum_key(who) {
        Ok(key) => H160(key.address().into_array()),
        Err(error) => {
            eprintln!("{error:?}");
            return ExitCode::FAILURE;
        }
    };
    match run_node(*args, |node| begin(node, how, who, address)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:?}");
            ExitCode::FAILURE
        }
    }
}
