// SPDX-License-Identifier: GPL-3.0-or-later

//! Our side: one round, or as many as the work needs, for each block of the existing engine, at the same height.

use crate::Result;
use gear_exe_benchmarks_protocol::{Bytes, Id, Message, Sent};
use gear_exe_executor::{Executor, ExecutorConfig};
use gear_exe_primitives::{
    ActorId, CodeId, H160, H256, MessageId,
    ethereum::{EthereumBlock, EthereumEvent, EthereumHeader, MirrorEvent, RouterEvent},
    hashing::keccak256,
    round::{ChainBlock, ExecutionParameters, NativeMessage, RoundInput, RoundOutcome},
};

const RICH: u128 = 1 << 100;
/// More rounds than any block's work needs.
const MOST_ROUNDS: usize = 100;

/// What a block did here.
pub struct Own {
    /// Messages that left the programs, in order for each program.
    pub sent: Vec<Sent>,
    /// What each program owns after it, in wei.
    pub owned: Vec<(Id, u128)>,
}

/// Our executor, with the programs of a scenario.
pub struct Engine {
    executor: Executor,
    root: H256,
    number: u64,
    programs: Vec<ActorId>,
    codes: Vec<CodeId>,
    events: Vec<EthereumEvent>,
}

fn actor(id: Id) -> ActorId {
    ActorId::from(H256(id.0))
}

fn id(bytes: &[u8]) -> Id {
    let mut id = [0; 32];
    id.copy_from_slice(bytes);
    Id(id)
}

impl Engine {
    pub fn new() -> Result<Self> {
        Ok(Self {
            executor: Executor::open(ExecutorConfig {
                threads: 1,
                ..ExecutorConfig::default()
            })?,
            root: H256::zero(),
            number: 0,
            programs: Vec::new(),
            codes: Vec::new(),
            events: Vec::new(),
        })
    }

    pub fn create(&mut self, id: Id, code: &[u8], owned: u128) -> Result<()> {
        let (actor_id, code_id) = (actor(id), self.executor.add_code(code)?);
        self.codes.push(code_id);
        self.programs.push(actor_id);
        self.events
            .push(EthereumEvent::Router(RouterEvent::ProgramCreated {
                actor_id,
                code_id,
            }));
        for event in [
            MirrorEvent::ExecutableBalanceTopUpRequested { value: RICH },
            MirrorEvent::OwnedBalanceTopUpRequested { value: owned },
        ] {
            self.events.push(EthereumEvent::Mirror { actor_id, event });
        }
        Ok(())
    }

    /// A block at this height with these messages, which got these ids.
    pub fn block(&mut self, height: u32, messages: &[Message], ids: &[Id]) -> Result<Own> {
        let mut native = Vec::new();
        for (index, message) in messages.iter().enumerate() {
            let id = ids.get(index).copied().unwrap_or_default();
            let (id, actor_id) = (MessageId::from(H256(id.0)), actor(message.to));
            let source = H160::from_slice(&message.from.0[12..]);
            if message.native {
                native.push(NativeMessage {
                    id,
                    source,
                    destination: actor_id,
                    payload: message.payload.0.clone(),
                    value: message.value.into(),
                    receipt_only: false,
                });
            } else {
                self.events.push(EthereumEvent::Mirror {
                    actor_id,
                    event: MirrorEvent::MessageQueueingRequested {
                        id,
                        source,
                        payload: message.payload.0.clone(),
                        value: message.value.into(),
                        call_reply: false,
                    },
                });
            }
        }
        let header = header(height);
        let mut ethereum = vec![EthereumBlock {
            header,
            events: std::mem::take(&mut self.events),
        }];
        let mut sent = Vec::new();
        for _ in 0..MOST_ROUNDS {
            let input = self.input(
                header,
                std::mem::take(&mut ethereum),
                std::mem::take(&mut native),
            );
            let outcome = self.executor.execute_round(self.root, &input)?;
            self.root = outcome.state_root;
            collect(&outcome, &mut sent);
            if !outcome.work_left {
                return Ok(Own {
                    sent,
                    owned: self.owned()?,
                });
            }
        }
        Err("the work of a block has no end".into())
    }

    fn input(
        &mut self,
        anchor: EthereumHeader,
        ethereum: Vec<EthereumBlock>,
        native: Vec<NativeMessage>,
    ) -> RoundInput {
        self.number += 1;
        RoundInput {
            block: ChainBlock {
                number: self.number,
                hash: H256::from_low_u64_be(self.number),
            },
            anchor,
            ethereum,
            codes: std::mem::take(&mut self.codes),
            native,
            parameters: ExecutionParameters {
                // Limits of a round are not what is compared.
                round_gas_limit: 1 << 60,
                max_round_messages: u32::MAX / 4,
                max_round_bytes: u32::MAX / 4,
                value_per_settled_message: 0,
                value_per_settled_byte: 0,
                ..ExecutionParameters::default()
            },
        }
    }

    fn owned(&self) -> Result<Vec<(Id, u128)>> {
        let owned = self.programs.iter().map(|program| {
            let record = self.executor.program(self.root, *program)?;
            let record = record.ok_or("a program is gone")?;
            let state = self.executor.read_state(record.state_hash)?;
            Ok((id(program.as_ref()), state.balance))
        });
        owned.collect()
    }
}

fn header(height: u32) -> EthereumHeader {
    let number = u64::from(height);
    EthereumHeader {
        hash: H256::from_low_u64_be(number),
        parent: H256::from_low_u64_be(number.saturating_sub(1)),
        number,
        timestamp: 1_700_000_000 + 12 * number,
        randao: keccak256([number.to_be_bytes()]),
        receipts_root: H256::zero(),
    }
}

fn collect(outcome: &RoundOutcome, sent: &mut Vec<Sent>) {
    for transition in &outcome.transitions {
        for message in &transition.messages {
            sent.push(Sent {
                id: id(message.id.as_ref()),
                from: id(transition.actor_id.as_ref()),
                to: Id::of_address(message.destination.0),
                payload: Bytes(message.payload.clone()),
                reply: message
                    .reply_details
                    .map(|details| (id(details.to.as_ref()), details.code.0)),
            });
        }
    }
}
