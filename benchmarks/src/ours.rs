// SPDX-License-Identifier: GPL-3.0-or-later

//! Our executor, fed as a node feeds it: rounds of Ethereum events and native messages, each on the root of the last.

use crate::Result;
use gear_exe_executor::{Executor, ExecutorConfig};
use gear_exe_primitives::{
    ActorId, CodeId, H160, H256, MessageId,
    ethereum::{EthereumBlock, EthereumEvent, EthereumHeader, MirrorEvent, RouterEvent},
    hashing::keccak256,
    round::{ChainBlock, ExecutionParameters, NativeMessage, RoundInput, RoundOutcome},
};
use std::path::PathBuf;

/// The user that sends.
pub const USER: H160 = H160([0xa1; 20]);
/// wVARA that is always enough.
const RICH: u128 = 1 << 100;
/// Height of the Ethereum block before the first.
const HEIGHT: u64 = 100;

/// How a message reaches the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// As an event of its Mirror; the reply goes to Ethereum.
    Ethereum,
    /// Without Ethereum; the reply is told by its receipt.
    Native,
}

/// An executor with a chain of rounds.
pub struct Ours {
    executor: Executor,
    parameters: ExecutionParameters,
    root: H256,
    number: u64,
    nonce: u64,
    programs: u64,
    codes: Vec<CodeId>,
    events: Vec<EthereumEvent>,
    natives: Vec<NativeMessage>,
}

impl Ours {
    /// In memory, with so many threads.
    pub fn in_memory(threads: usize) -> Result<Self> {
        Self::open(ExecutorConfig {
            threads,
            ..ExecutorConfig::default()
        })
    }

    /// With a store in a file.
    pub fn on_disk(threads: usize, path: PathBuf) -> Result<Self> {
        Self::open(ExecutorConfig {
            threads,
            path: Some(path),
            ..ExecutorConfig::default()
        })
    }

    /// As configured. The limits of a round are out of the way; gas is metered and paid for.
    pub fn open(config: ExecutorConfig) -> Result<Self> {
        Ok(Self {
            executor: Executor::open(config)?,
            parameters: ExecutionParameters {
                value_per_gas: 1,
                round_gas_limit: 1 << 61,
                // A wave takes as many programs as the round has room for whole messages of.
                message_gas_limit: 1 << 46,
                max_round_messages: u32::MAX / 4,
                max_round_bytes: u32::MAX / 4,
                ..ExecutionParameters::default()
            },
            root: H256::zero(),
            number: 0,
            nonce: 0,
            programs: 0,
            codes: Vec::new(),
            events: Vec::new(),
            natives: Vec::new(),
        })
    }

    /// The same chain of rounds in another executor, whose store has it.
    pub fn reopened(self, config: ExecutorConfig) -> Result<Self> {
        let Self {
            executor,
            parameters,
            root,
            number,
            nonce,
            programs,
            ..
        } = self;
        drop(executor);
        Ok(Self {
            parameters,
            root,
            number,
            nonce,
            programs,
            ..Self::open(config)?
        })
    }

    /// Programs of one code whose `init` has run.
    pub fn programs(&mut self, code: &[u8], init: &[u8], count: usize) -> Result<Vec<ActorId>> {
        let code_id = self.executor.add_code(code)?;
        self.codes.push(code_id);
        let mut created = Vec::with_capacity(count);
        for _ in 0..count {
            self.programs += 1;
            let mut address = H160::from_low_u64_be(self.programs);
            address.0[0] = 0x77;
            let actor_id = ActorId::from(address);
            self.events
                .push(EthereumEvent::Router(RouterEvent::ProgramCreated {
                    actor_id,
                    code_id,
                }));
            self.events.push(EthereumEvent::Mirror {
                actor_id,
                event: MirrorEvent::ExecutableBalanceTopUpRequested { value: RICH },
            });
            self.send(Way::Ethereum, actor_id, init);
            created.push(actor_id);
        }
        self.run(count)?;
        Ok(created)
    }

    /// One program.
    pub fn program(&mut self, code: &[u8], init: &[u8]) -> Result<ActorId> {
        Ok(self.programs(code, init, 1)?[0])
    }

    /// A message for the next round.
    pub fn send(&mut self, way: Way, destination: ActorId, payload: &[u8]) {
        self.nonce += 1;
        let id = MessageId::from(H256::from_low_u64_be(self.nonce));
        match way {
            Way::Ethereum => self.events.push(EthereumEvent::Mirror {
                actor_id: destination,
                event: MirrorEvent::MessageQueueingRequested {
                    id,
                    source: USER,
                    payload: payload.to_vec(),
                    value: 0,
                    call_reply: false,
                },
            }),
            Way::Native => self.natives.push(NativeMessage {
                id,
                source: USER,
                destination,
                payload: payload.to_vec(),
                value: 0,
                receipt_only: true,
            }),
        }
    }

    /// Runs rounds until nothing is left to do: at least one, with what was sent. Every message must have succeeded, and
    /// there must have been at least so many. Gives the outcome of the last round.
    pub fn run(&mut self, at_least: usize) -> Result<RoundOutcome> {
        let mut ran = 0;
        loop {
            let outcome = self.round()?;
            if let Some(failed) = outcome
                .receipts
                .iter()
                .find(|receipt| !receipt.code.is_success())
            {
                return Err(format!("a message ended with {:?}", failed.code).into());
            }
            if !outcome.starved.is_empty() {
                return Err("a program cannot pay".into());
            }
            ran += outcome.receipts.len();
            if !outcome.work_left {
                if ran < at_least {
                    return Err(format!("{ran} messages ran instead of {at_least}").into());
                }
                return Ok(outcome);
            }
        }
    }

    fn round(&mut self) -> Result<RoundOutcome> {
        self.number += 1;
        let height = HEIGHT + self.number;
        let header = EthereumHeader {
            hash: H256::from_low_u64_be(height),
            parent: H256::from_low_u64_be(height - 1),
            number: height,
            timestamp: 1_700_000_000 + 12 * height,
            randao: keccak256([height.to_be_bytes()]),
            receipts_root: H256::zero(),
        };
        let input = RoundInput {
            block: ChainBlock {
                number: self.number,
                hash: H256::from_low_u64_be(self.number),
            },
            anchor: header,
            ethereum: vec![EthereumBlock {
                header,
                events: std::mem::take(&mut self.events),
            }],
            codes: std::mem::take(&mut self.codes),
            native: std::mem::take(&mut self.natives),
            parameters: self.parameters,
        };
        let outcome = self.executor.execute_round(self.root, &input)?;
        self.root = outcome.state_root;
        Ok(outcome)
    }

    /// Sends messages to programs in turns, in one round for each `per_round` of them, and waits for all.
    pub fn answer(
        &mut self,
        way: Way,
        programs: &[ActorId],
        payloads: &[Vec<u8>],
        count: usize,
        per_round: usize,
    ) -> Result<()> {
        let mut sent = 0;
        while sent < count {
            let until = count.min(sent + per_round);
            let these = until - sent;
            while sent < until {
                let payload = &payloads[sent % payloads.len()];
                self.send(way, programs[sent % programs.len()], payload);
                sent += 1;
            }
            self.run(these)?;
        }
        Ok(())
    }

    /// The reply to the one message that is sent.
    pub fn ask(&mut self, program: ActorId, payload: &[u8]) -> Result<Vec<u8>> {
        self.send(Way::Native, program, payload);
        let mut outcome = self.run(1)?;
        let reply = outcome.replies.pop().ok_or("there is no reply")?;
        Ok(reply.payload)
    }
}
