//! How many messages a second one thread runs: rounds of `PING`s to one program, or to many.
//!
//! `cargo run --release -p gear-exe-executor --example throughput -- [messages] [programs]`

use gear_exe_executor::{Executor, ExecutorConfig};
use gear_exe_primitives::{
    ActorId, H160, H256, MessageId,
    ethereum::{EthereumBlock, EthereumEvent, EthereumHeader, MirrorEvent, RouterEvent},
    round::{ChainBlock, ExecutionParameters, NativeMessage, RoundInput},
};
use std::{error::Error, time::Instant};

fn header(number: u64) -> EthereumHeader {
    EthereumHeader {
        hash: H256::from_low_u64_be(number),
        parent: H256::from_low_u64_be(number.saturating_sub(1)),
        number,
        timestamp: 12 * number,
        randao: H256::zero(),
        receipts_root: H256::zero(),
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut number = |default: usize| -> Result<usize, Box<dyn Error>> {
        Ok(match arguments.next() {
            Some(text) => text.parse()?,
            None => default,
        })
    };
    let (messages, programs) = (number(20_000)?, number(1)?.max(1));
    let executor = Executor::open(ExecutorConfig {
        threads: 1,
        ..ExecutorConfig::default()
    })?;
    let code_id = executor.add_code(gear_exe_programs::PING)?;
    let parameters = ExecutionParameters {
        round_gas_limit: u64::MAX / 4,
        max_round_messages: u32::MAX / 4,
        max_round_bytes: u32::MAX / 4,
        ..ExecutionParameters::default()
    };
    let actors: Vec<ActorId> = (0..programs)
        .map(|index| H160::from_low_u64_be(index as u64 + 1).into())
        .collect();

    let mut events = Vec::new();
    for (index, actor_id) in (0u64..).zip(&actors) {
        events.push(EthereumEvent::Router(RouterEvent::ProgramCreated {
            actor_id: *actor_id,
            code_id,
        }));
        for event in [
            MirrorEvent::ExecutableBalanceTopUpRequested {
                value: u128::MAX / 4,
            },
            MirrorEvent::MessageQueueingRequested {
                id: H256::from_low_u64_be(index + 1).into(),
                source: H160::repeat_byte(1),
                payload: Vec::new(),
                value: 0,
                call_reply: false,
            },
        ] {
            events.push(EthereumEvent::Mirror {
                actor_id: *actor_id,
                event,
            });
        }
    }
    let mut root = H256::zero();
    for round in 0..4u64 {
        let native: Vec<NativeMessage> = (0..if round == 0 { 0 } else { messages })
            .map(|index| NativeMessage {
                id: MessageId::from(H256::from_low_u64_be((round << 32) + index as u64)),
                source: H160::repeat_byte(2),
                destination: actors[index % programs],
                payload: b"PING".to_vec(),
                value: 0,
                receipt_only: true,
            })
            .collect();
        let input = RoundInput {
            block: ChainBlock {
                number: round + 1,
                hash: H256::from_low_u64_be(round + 1),
            },
            anchor: header(round + 1),
            ethereum: vec![EthereumBlock {
                header: header(round + 1),
                events: std::mem::take(&mut events),
            }],
            codes: Vec::new(),
            native,
            parameters,
        };
        let began = Instant::now();
        let outcome = executor.execute_round(root, &input)?;
        let took = began.elapsed().as_secs_f64();
        let ran = outcome.receipts.len();
        println!(
            "round {round}: {ran} messages in {:.1} ms, {:.0} a second, {} gas",
            took * 1e3,
            ran as f64 / took,
            outcome.gas_burned
        );
        root = outcome.state_root;
    }
    Ok(())
}
