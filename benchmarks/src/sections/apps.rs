// SPDX-License-Identifier: GPL-3.0-or-later

//! Two small applications on one core: a counter that is incremented, and a token that is sent around. Rust for the Gear
//! engines, Solidity for the EVM; the same calls, the same events.

use super::{Effort, Found};
use crate::{
    Result,
    clock::took,
    evm::{BLOCK_GAS, BLOCK_SECONDS, Contract, Evm, address, calldata, number},
    existing::Existing,
    ours::{Ours, USER, Way},
    plot::Plot,
    samples::{Peer, Samples, in_turns},
    table::{Cell, Goal, Table, figure},
};
use gear_exe_benchmarks_protocol::Id;
use gear_exe_programs::{COUNTER, VFT};

/// Accounts that tokens are sent to.
const HOLDERS: u64 = 1_000;
const PER_ROUND: usize = 10_000;
/// Calls to the existing engine in a turn: few, since each makes the next slower.
const EXISTING_CALLS: usize = 200;
const EXISTING: Id = Id([0x42; 32]);

/// An application, as each peer runs it.
struct App {
    name: &'static str,
    code: &'static [u8],
    contract: Contract,
    /// Payload of a Gear program's first message.
    init: Vec<u8>,
    /// Sent once before anything is measured.
    before: Option<Vec<u8>>,
    /// What is measured, sent in turns.
    calls: Vec<Vec<u8>>,
    /// The same for the EVM.
    evm_before: Option<Vec<u8>>,
    evm_calls: Vec<Vec<u8>>,
}

fn holder(index: u64) -> [u8; 20] {
    let mut holder = [0xee; 20];
    holder[12..].copy_from_slice(&index.to_be_bytes());
    holder
}

fn counter() -> App {
    let no = number(0);
    App {
        name: "counter, increments",
        code: COUNTER,
        contract: Contract::Counter,
        init: calldata("create(bool,uint32)", &[no, no]),
        before: None,
        calls: vec![calldata("counterAdd(bool,uint32)", &[no, number(1)])],
        evm_before: None,
        evm_calls: vec![calldata("add(uint32)", &[number(1)])],
    }
}

fn token() -> App {
    let no = number(0);
    let text = |text: &[u8]| {
        let mut word = [0; 32];
        word[..text.len()].copy_from_slice(text);
        [number(text.len() as u128), word]
    };
    let ([name_length, name], [symbol_length, symbol]) = (text(b"Gold"), text(b"AU"));
    let words = [
        no,
        number(4 * 32),
        number(6 * 32),
        number(18),
        name_length,
        name,
        symbol_length,
        symbol,
    ];
    let supply = number(1 << 100);
    App {
        name: "token, transfers",
        code: VFT,
        contract: Contract::Token,
        init: calldata("create(bool,string,string,uint16)", &words),
        before: Some(calldata(
            "vftMint(bool,address,uint256)",
            &[no, address(USER.0), supply],
        )),
        calls: (0..HOLDERS)
            .map(|index| {
                calldata(
                    "vftTransfer(bool,address,uint256)",
                    &[no, address(holder(index)), number(1)],
                )
            })
            .collect(),
        evm_before: Some(calldata(
            "mint(address,uint256)",
            &[address(USER.0), supply],
        )),
        evm_calls: (0..HOLDERS)
            .map(|index| {
                calldata(
                    "transfer(address,uint256)",
                    &[address(holder(index)), number(1)],
                )
            })
            .collect(),
    }
}

/// What the peers did, in calls a second of processor time.
struct Measured {
    existing: Samples,
    ours: Samples,
    evm: Samples,
    /// Gas of a call in the EVM, when it is no longer the first of its kind.
    gas: u64,
}

fn measure(effort: Effort, app: &App) -> Result<Measured> {
    let mut existing = Existing::start()?;
    let begin = |existing: &mut Existing| -> Result<()> {
        existing.reset()?;
        existing.create(EXISTING, app.code, 0)?;
        for message in std::iter::once(&app.init).chain(&app.before) {
            existing.answer(false, &[EXISTING], std::slice::from_ref(message), 1, 1)?;
        }
        Ok(())
    };
    begin(&mut existing)?;
    let per_block = existing.best_block(true, &[EXISTING], &app.calls)?;

    let mut ours = Ours::in_memory(1)?;
    let program = ours.program(app.code, &app.init)?;
    if let Some(before) = &app.before {
        ours.ask(program, before)?;
    }

    let mut evm = Evm::new(app.contract)?;
    if let Some(before) = &app.evm_before {
        evm.call(USER.0, before)?;
    }
    let mut gas = 0;
    let count = if effort.quick { 2_000 } else { 2 * PER_ROUND };
    let peers: Vec<Peer<'_>> = vec![
        Box::new(move || {
            let count = EXISTING_CALLS;
            begin(&mut existing)?;
            let took = existing.answer(true, &[EXISTING], &app.calls, count, per_block)?;
            Ok(count as f64 / took.processor)
        }),
        Box::new(move || {
            let (done, took) =
                took(|| ours.answer(Way::Native, &[program], &app.calls, count, PER_ROUND));
            done?;
            Ok(count as f64 / took.processor)
        }),
        Box::new(|| {
            let (done, took) = took(|| -> Result<()> {
                for index in 0..count {
                    let call = &app.evm_calls[index % app.evm_calls.len()];
                    let called = evm.call(USER.0, call)?;
                    if called.logs != 1 {
                        return Err("the contract did not emit its event".into());
                    }
                    gas = called.gas;
                }
                Ok(())
            });
            done?;
            Ok(count as f64 / took.processor)
        }),
    ];
    let mut measured = in_turns(effort.turns, peers)?.into_iter();
    let mut next = || measured.next().ok_or("a peer is missing");
    let (existing, ours, evm) = (next()?, next()?, next()?);
    Ok(Measured {
        existing,
        ours,
        evm,
        gas,
    })
}

pub fn run(effort: Effort) -> Result<Found> {
    let mut found = Found::default();
    let mut table = Table::new(
        "Applications, calls a second of one core",
        &[
            "application",
            "existing engine",
            "this executor",
            "EVM (revm)",
            "ours / existing",
            "ours / EVM",
            "Ethereum's budget, calls / s",
            "ours / budget",
        ],
    );
    let mut rows = Vec::new();
    for app in [counter(), token()] {
        let Measured {
            existing,
            ours,
            evm,
            gas,
        } = measure(effort, &app)?;
        let budget = BLOCK_GAS as f64 / gas as f64 / BLOCK_SECONDS;
        let against = ours.median() / budget;
        rows.push((
            app.name.to_owned(),
            vec![
                Some(existing.median()),
                Some(ours.median()),
                Some(evm.median()),
                Some(budget),
            ],
        ));
        table.row(
            app.name,
            vec![
                Cell::Measured(existing.clone()),
                Cell::Measured(ours.clone()),
                Cell::Measured(evm.clone()),
                Cell::Ratio(ours.median() / existing.median()),
                Cell::Ratio(ours.median() / evm.median()),
                Cell::Computed(budget),
                Cell::Ratio(against),
            ],
        );
        table.note(format!(
            "{}: {} gas in the EVM",
            app.name,
            figure(gas as f64)
        ));
        found.goals.push(Goal {
            what: format!(
                "{}: at least 1,000 times Ethereum's budget, on one core",
                app.name
            ),
            measured: against,
            reached: against >= 1_000.0,
        });
    }
    table.note(format!(
        "Ethereum's budget: {} gas (EIP-7935) every {BLOCK_SECONDS} s, if nothing else happens there.",
        figure(BLOCK_GAS as f64)
    ));
    table.note(
        "The existing engine keeps each event in a mailbox, which it writes anew with each message, so it gets slower with each \
         call: it starts afresh in every turn, of 200 calls.",
    );
    table.note(
        "The EVM keeps its state in a map in memory and makes neither receipts nor a state root; this executor makes both.",
    );
    found.tables.push(table);
    found.plots.push((
        "apps".into(),
        Plot::Bars {
            title: "Applications on one core".into(),
            unit: "calls a second".into(),
            series: [
                "existing engine",
                "this executor",
                "EVM (revm)",
                "Ethereum's budget",
            ]
            .map(String::from)
            .into(),
            rows,
        },
    ));
    Ok(found)
}
