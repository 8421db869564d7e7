//! How many messages a second run: rounds of `PING`s to one program, or to many, with one or several numbers of threads.
//!
//! `cargo run --release -p gear-exe-executor --example throughput -- [messages] [programs] [--threads 1,2] [--rounds 12]`
//!
//! Every number of threads has an executor of its own. They take turns, round by round, so that what else runs on the
//! machine hits all alike. A round ends with its state root computed and everything stored. Beside the time that passed
//! it prints the processor time on the longest way: that of the calling thread and of the busiest of the pool. On a machine
//! where other things run, it is what the round would take if they did not.
//!
//! `--work N` sends each message to a program that does work, SHA-256 over N blocks, instead.

use gear_exe_executor::{Executor, ExecutorConfig};
use gear_exe_primitives::{
    ActorId, H160, H256, MessageId,
    ethereum::{EthereumBlock, EthereumEvent, EthereumHeader, MirrorEvent, RouterEvent},
    round::{ChainBlock, ExecutionParameters, NativeMessage, RoundInput},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    error::Error,
    fs,
    time::Instant,
};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

struct Arguments {
    messages: usize,
    programs: usize,
    threads: Vec<usize>,
    rounds: usize,
    work: Option<u32>,
}

/// Nanoseconds of processor time that each thread of this process has used.
fn used() -> BTreeMap<String, u64> {
    // What a thread has used is written down when it stops running.
    std::thread::sleep(std::time::Duration::from_micros(200));
    let tasks = fs::read_dir("/proc/self/task").into_iter().flatten();
    let time = |entry: fs::DirEntry| {
        let text = fs::read_to_string(entry.path().join("schedstat")).ok()?;
        let time = text.split(' ').next()?.parse().ok()?;
        Some((entry.file_name().into_string().ok()?, time))
    };
    tasks.flatten().filter_map(time).collect()
}

/// An executor, the threads of its pools, and what its rounds took: time, and processor time on the longest way.
struct Measured {
    threads: usize,
    executor: Executor,
    pool: BTreeSet<String>,
    times: Vec<f64>,
    ways: Vec<f64>,
}

fn arguments() -> Result<Arguments> {
    let mut all = Arguments {
        messages: 20_000,
        programs: 1,
        threads: vec![1],
        rounds: 12,
        work: None,
    };
    let (mut place, mut words) = (0, std::env::args().skip(1));
    while let Some(word) = words.next() {
        let mut value = || words.next().ok_or("a number is missing");
        match word.as_str() {
            "--threads" => {
                let list = value()?;
                let list = list.split(',').map(str::parse);
                all.threads = list.collect::<std::result::Result<_, _>>()?;
            }
            "--work" => all.work = Some(value()?.parse()?),
            "--rounds" => all.rounds = value()?.parse()?,
            number if place == 0 => (all.messages, place) = (number.parse()?, 1),
            number => all.programs = number.parse::<usize>()?.max(1),
        }
    }
    Ok(all)
}

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

/// What each round is given: in the first the programs are made, then each gets as many messages as the others.
fn inputs(arguments: &Arguments, code_id: gear_exe_primitives::CodeId) -> Vec<RoundInput> {
    let actors: Vec<ActorId> = (0..arguments.programs)
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
    (0..=arguments.rounds as u64)
        .map(|round| {
            let count = if round == 0 { 0 } else { arguments.messages };
            let native = (0..count).map(|index| NativeMessage {
                id: MessageId::from(H256::from_low_u64_be((round << 32) + index as u64)),
                source: H160::repeat_byte(2),
                destination: actors[index % actors.len()],
                payload: match arguments.work {
                    None => b"PING".to_vec(),
                    Some(blocks) => {
                        [&[0u8], &blocks.to_le_bytes()[..], &1u32.to_le_bytes()].concat()
                    }
                },
                value: 0,
                receipt_only: true,
            });
            RoundInput {
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
                native: native.collect(),
                parameters: ExecutionParameters {
                    round_gas_limit: u64::MAX / 4,
                    max_round_messages: u32::MAX / 4,
                    max_round_bytes: u32::MAX / 4,
                    ..ExecutionParameters::default()
                },
            }
        })
        .collect()
}

fn main() -> Result<()> {
    let arguments = arguments()?;
    let mut executors = Vec::new();
    let mut code_id = Default::default();
    for threads in &arguments.threads {
        let before = used();
        let executor = Executor::open(ExecutorConfig {
            threads: *threads,
            ..ExecutorConfig::default()
        })?;
        let pool = used().into_keys().filter(|id| !before.contains_key(id));
        code_id = executor.add_code(match arguments.work {
            None => gear_exe_programs::PING,
            Some(_) => gear_exe_programs::KERNELS,
        })?;
        executors.push(Measured {
            threads: *threads,
            executor,
            pool: pool.collect(),
            times: Vec::new(),
            ways: Vec::new(),
        });
    }
    let mut root = H256::zero();
    for (round, input) in inputs(&arguments, code_id).iter().enumerate() {
        let mut next = None;
        for own in &mut executors {
            let before = used();
            let began = Instant::now();
            let outcome = own.executor.execute_round(root, input)?;
            let took = began.elapsed().as_secs_f64();
            let (mut calling, mut busiest) = (0, 0);
            for (id, time) in used() {
                let spent = time - before.get(&id).copied().unwrap_or_default();
                match own.pool.contains(&id) {
                    true => busiest = busiest.max(spent),
                    false => calling += spent,
                }
            }
            let way = (calling + busiest) as f64 / 1e9;
            println!(
                "round {round}, {} threads: {} messages in {:.1} ms, longest way {:.1} ms ({:.1} of it outside the pool), {} gas",
                own.threads,
                outcome.receipts.len(),
                took * 1e3,
                way * 1e3,
                calling as f64 / 1e6,
                outcome.gas_burned
            );
            // The first makes the programs.
            if round > 0 {
                own.times.push(took);
                own.ways.push(way);
            }
            if *next.get_or_insert(outcome.state_root) != outcome.state_root {
                return Err("threads changed the result".into());
            }
        }
        root = next.unwrap_or(root);
    }
    for (what, which) in [("time", 0), ("longest way", 1)] {
        let mut first = None;
        for own in &mut executors {
            let times = [&mut own.times, &mut own.ways];
            let Some(times) = times.into_iter().nth(which) else {
                continue;
            };
            times.sort_by(f64::total_cmp);
            let (Some(best), Some(median)) = (times.first(), times.get(times.len() / 2)) else {
                continue;
            };
            let rate = |time: &f64| arguments.messages as f64 / time;
            let (base_best, base_median) = *first.get_or_insert((*best, *median));
            println!(
                "by {what}, {} threads, {} programs: best {:.0} messages a second ({:.2} times the first), median {:.0} ({:.2})",
                own.threads,
                arguments.programs,
                rate(best),
                base_best / best,
                rate(median),
                base_median / median
            );
        }
    }
    Ok(())
}
