// SPDX-License-Identifier: GPL-3.0-or-later

//! CPU-bound work on one core: natively, as a program, in an EVM; and how much of it Ethereum's own budget would allow.

use super::{Effort, Found};
use crate::{
    Result,
    clock::took,
    evm::{BLOCK_GAS, BLOCK_SECONDS, Contract, Evm, TRANSACTION_GAS, calldata, number},
    native::{self, FIXED_POINT, LAB},
    ours::{Ours, USER},
    plot::Plot,
    samples::{Peer, Samples, in_turns},
    table::{Cell, Goal, Table, figure},
};
use gear_exe_primitives::ActorId;
use gear_exe_programs::KERNELS;
use std::{cell::RefCell, hint::black_box};

/// A kernel.
struct Case {
    kernel: u8,
    name: &'static str,
    size: u32,
    /// How often it runs for one message: so often that taking the message in does not matter.
    times: u32,
    /// Its number in `Kernels.sol`, if an EVM can run it.
    evm: Option<u64>,
}

const CASES: [Case; 6] = [
    Case {
        kernel: 0,
        name: "SHA-256, 64 KiB",
        size: 1_000,
        times: 100,
        evm: Some(0),
    },
    Case {
        kernel: 1,
        name: "sort, 10,000 integers",
        size: 10_000,
        times: 60,
        evm: Some(1),
    },
    Case {
        kernel: 2,
        name: "matrix product, u32, 64 × 64",
        size: 64,
        times: 500,
        evm: Some(2),
    },
    Case {
        kernel: 3,
        name: "matrix product, f64, 64 × 64",
        size: 64,
        times: 500,
        evm: None,
    },
    Case {
        kernel: 4,
        name: "Mandelbrot, f64, 64 × 64",
        size: 64,
        times: 40,
        evm: None,
    },
    Case {
        kernel: FIXED_POINT,
        name: "Mandelbrot, fixed point, 64 × 64",
        size: 64,
        times: 40,
        evm: Some(5),
    },
];

/// The hash that the EVM has built in, beside the same hash as an ordinary contract.
const BUILT_IN: u64 = 100;

struct World {
    ours: Ours,
    kernels: ActorId,
    lab: ActorId,
}

impl World {
    fn ask(&mut self, case: &Case) -> Result<u64> {
        let (program, payload) = if case.kernel == FIXED_POINT {
            (self.lab, [&b"M"[..], &numbers(case)].concat())
        } else {
            (self.kernels, [&[case.kernel][..], &numbers(case)].concat())
        };
        let reply = self.ours.ask(program, &payload)?;
        Ok(u64::from_le_bytes(reply.as_slice().try_into()?))
    }
}

fn numbers(case: &Case) -> Vec<u8> {
    [case.size.to_le_bytes(), case.times.to_le_bytes()].concat()
}

/// Runs a kernel once in the EVM; gives its check sum and its gas.
fn in_evm(evm: &mut Evm, kernel: u64, size: u32) -> Result<(u64, u64)> {
    let words = [number(kernel.into()), number(size.into()), number(1)];
    let called = evm.call(USER.0, &calldata("run(uint256,uint256,uint256)", &words))?;
    let sum = called.output.last_chunk().ok_or("no check sum")?;
    Ok((u64::from_be_bytes(*sum), called.gas))
}

/// Seconds for one run of a kernel.
struct Measured {
    native: Samples,
    ours: Samples,
    evm: Option<(Samples, u64)>,
}

fn measure(
    effort: Effort,
    case: &Case,
    world: &RefCell<World>,
    evm: &RefCell<Evm>,
) -> Result<Measured> {
    let expected = native::run(case.kernel, case.size, case.times)?;
    let times = f64::from(case.times);
    let mut peers: Vec<Peer<'_>> = vec![
        Box::new(|| {
            let (sum, took) =
                took(|| native::run(case.kernel, black_box(case.size), black_box(case.times)));
            black_box(sum?);
            Ok(took.processor / times)
        }),
        Box::new(|| {
            let (sum, took) = took(|| world.borrow_mut().ask(case));
            if sum? != expected {
                return Err(format!("{}: the program computes something else", case.name).into());
            }
            Ok(took.processor / times)
        }),
    ];
    let mut gas = 0;
    if let Some(kernel) = case.evm {
        let expected = native::run(case.kernel, case.size, 1)?;
        let gas = &mut gas;
        peers.push(Box::new(move || {
            let (result, took) = took(|| in_evm(&mut evm.borrow_mut(), kernel, case.size));
            let (sum, used) = result?;
            if sum != expected {
                return Err(format!("{}: the EVM computes something else", case.name).into());
            }
            *gas = used;
            Ok(took.processor)
        }));
    }
    let mut measured = in_turns(effort.turns, peers)?.into_iter();
    let mut next = || measured.next().ok_or("a peer is missing");
    let (native, ours) = (next()?, next()?);
    let evm = next().ok().map(|samples| (samples, gas));
    Ok(Measured { native, ours, evm })
}

pub fn run(effort: Effort) -> Result<Found> {
    let mut ours = Ours::in_memory(1)?;
    let world = RefCell::new(World {
        kernels: ours.program(KERNELS, b"")?,
        lab: ours.program(LAB, b"")?,
        ours,
    });
    let evm = RefCell::new(Evm::new(Contract::Kernels)?);
    let mut speed = Table::new(
        "Kernels, milliseconds of one core for one run",
        &[
            "kernel",
            "native Rust",
            "this executor",
            "EVM (revm)",
            "ours / native",
            "EVM / ours",
        ],
    );
    let mut budget = Table::new(
        "Kernels, how many runs fit into 12 seconds",
        &[
            "kernel",
            "EVM gas of a run",
            "Ethereum's budget",
            "this executor, one core",
            "ours / budget",
        ],
    );
    let (mut bars, mut shares) = (Vec::new(), Vec::new());
    let (mut worst, mut least, mut too_large) = (0f64, f64::MAX, 0);
    for case in &CASES {
        let Measured { native, ours, evm } = measure(effort, case, &world, &evm)?;
        let ratio = ours.median() / native.median();
        worst = worst.max(ratio);
        let milliseconds = |samples: &Samples| Cell::Measured(samples.map(|seconds| seconds * 1e3));
        let ours_in_time = BLOCK_SECONDS / ours.median();
        let no_floats = || Cell::none("an EVM has no floats");
        let mut row = vec![milliseconds(&native), milliseconds(&ours)];
        match &evm {
            Some((samples, gas)) => {
                row.push(milliseconds(samples));
                row.push(Cell::Ratio(ratio));
                row.push(Cell::Ratio(samples.median() / ours.median()));
                let runs = BLOCK_GAS as f64 / *gas as f64;
                least = least.min(ours_in_time / runs);
                budget.row(
                    case.name,
                    vec![
                        Cell::Computed(*gas as f64),
                        Cell::Computed(runs),
                        Cell::Computed(ours_in_time),
                        Cell::Ratio(ours_in_time / runs),
                    ],
                );
                if *gas > TRANSACTION_GAS {
                    too_large += 1;
                }
                shares.push((case.name.to_owned(), vec![Some(ours_in_time / runs)]));
            }
            None => {
                row.extend([no_floats(), Cell::Ratio(ratio), no_floats()]);
                budget.row(
                    case.name,
                    vec![
                        no_floats(),
                        no_floats(),
                        Cell::Computed(ours_in_time),
                        no_floats(),
                    ],
                );
            }
        }
        speed.row(case.name, row);
        let evm = evm.map(|(samples, _)| samples.median() * 1e3);
        bars.push((
            case.name.to_owned(),
            vec![Some(native.median() * 1e3), Some(ours.median() * 1e3), evm],
        ));
    }
    let (_, gas) = in_evm(&mut evm.borrow_mut(), BUILT_IN, CASES[0].size)?;
    budget.note(format!(
        "One run of {too_large} of these kernels needs more gas than one transaction may burn there ({}, EIP-7825): it would have to \
         be cut up.",
        figure(TRANSACTION_GAS as f64)
    ));
    budget.note(format!(
        "SHA-256 is compared as a contract's own code, as the program's is. The EVM also has it built in: {} gas for the same \
         64 KiB with what brings them there, {} runs in 12 s; a Gear program has nothing like it.",
        figure(gas as f64),
        figure(BLOCK_GAS as f64 / gas as f64)
    ));
    budget.note(format!(
        "Ethereum's budget: {} gas (EIP-7935) every {BLOCK_SECONDS} s, if nothing else happens there.",
        figure(BLOCK_GAS as f64)
    ));
    speed.note(
        "Every peer computes the same check sums. Ours runs whole messages: metering, the round and its state root are included.",
    );
    Ok(Found {
        tables: vec![speed, budget],
        plots: vec![
            (
                "kernels".into(),
                Plot::Bars {
                    title: "Kernels on one core".into(),
                    unit: "milliseconds for one run: less is better".into(),
                    series: ["native Rust", "this executor", "EVM (revm)"]
                        .map(String::from)
                        .into(),
                    rows: bars,
                },
            ),
            (
                "budget".into(),
                Plot::Bars {
                    title: "Work in 12 seconds: this executor on one core, against Ethereum's gas limit".into(),
                    unit: "times Ethereum's budget".into(),
                    series: vec!["times Ethereum's budget".into()],
                    rows: shares,
                },
            ),
        ],
        goals: vec![
            Goal {
                what: "kernels: at most 1.5 times native time, metering included (the worst)".into(),
                measured: worst,
                reached: worst <= 1.5,
            },
            Goal {
                what: "kernels: at least 1,000 times Ethereum's budget, on one core (the least)".into(),
                measured: least,
                reached: least >= 1_000.0,
            },
        ],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The EVM's contracts do the same work as the native kernels, at sizes that meet every branch.
    #[test]
    fn an_evm_computes_the_same() {
        let mut evm = Evm::new(Contract::Kernels).unwrap();
        for case in CASES.iter().filter(|case| case.evm.is_some()) {
            // Work grows with the size, and for the last two with its square or more.
            let largest = if case.kernel < 2 { 1_000 } else { 40 };
            for size in [1, 2, 13, 14, 40, 97, 200, 1_000] {
                if size > largest {
                    continue;
                }
                let (sum, _) = in_evm(&mut evm, case.evm.unwrap(), size).unwrap();
                let expected = native::run(case.kernel, size, 1).unwrap();
                assert_eq!(sum, expected, "{} of size {size}", case.name);
            }
        }
    }
}
