//! A validator that lies, for tests: a whole node that does what others do, and besides signs what it must not.
//!
//! Of each block of its own it first promises an outcome that it makes up; after the first such block it also states an
//! outcome that it makes up of every block, as soon as it has the block and before it has executed it. Its honest half then
//! says the truth as well.

use clap::Parser;
use futures::StreamExt;
use gear_exe::{
    certificates::{Said, book::SignedRound},
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
use std::{process::ExitCode, sync::Arc};

/// Runs a validator that lies, with the arguments of `gear-exe run`.
#[derive(Debug, Parser)]
enum Byzantine {
    /// Run it.
    Run(Box<RunArgs>),
}

/// Who lies, and where.
struct Liar {
    client: Arc<FullClient>,
    who: Sr25519Keyring,
    address: H160,
    domain: RouterDomain,
    genesis: H256,
    /// It has promised once, and states on.
    began: bool,
}

impl Liar {
    /// What it says of a block; nothing of what it cannot say.
    fn lie(&mut self, block: &BlockImportNotification<Block>) -> anyhow::Result<Vec<Said>> {
        let api = self.client.runtime_api();
        let mut lies = Vec::new();
        if self.began {
            let set = api.validator_set(block.hash)?;
            let place = set
                .members
                .iter()
                .position(|member| member.address == self.address);
            if let Some(place) = place {
                let anchor = api.anchor(block.hash)?;
                let statement = RoundStatement {
                    set_id: set.id,
                    block_number: block.header.number.into(),
                    block_hash: block.hash,
                    anchor: BlockId {
                        number: anchor.number,
                        hash: anchor.hash,
                    },
                    outcome: block.hash,
                };
                lies.push(Said::Round(SignedRound {
                    statement,
                    place: u32::try_from(place)?,
                    signature: sign(self.who, statement.digest(self.genesis, &self.domain))?,
                }));
            }
        }
        let Some(slot) = slot(&block.header) else {
            return Ok(lies);
        };
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
}

fn begin(node: &Node, who: Sr25519Keyring, address: H160) {
    let mut liar = Liar {
        client: node.client.clone(),
        who,
        address,
        domain: node.domain,
        genesis: node.genesis,
        began: false,
    };
    let certificates = node.certificates.clone();
    let mut blocks = node.client.import_notification_stream();
    let task = async move {
        while let Some(block) = blocks.next().await {
            match liar.lie(&block) {
                Ok(lies) => lies.into_iter().for_each(|said| certificates.publish(said)),
                Err(error) => eprintln!("no lie: {error:?}"),
            }
        }
    };
    node.task_manager.spawn_handle().spawn("lies", None, task);
}

fn main() -> ExitCode {
    let Byzantine::Run(args) = Byzantine::parse();
    let Some(who) = args.node.get_keyring() else {
        eprintln!("who lies? Give --alice, --bob, …");
        return ExitCode::FAILURE;
    };
    let address = match ethereum_key(who) {
        Ok(key) => H160(key.address().into_array()),
        Err(error) => {
            eprintln!("{error:?}");
            return ExitCode::FAILURE;
        }
    };
    match run_node(*args, |node| begin(node, who, address)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error:?}");
            ExitCode::FAILURE
        }
    }
}
