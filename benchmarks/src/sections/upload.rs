// SPDX-License-Identifier: GPL-3.0-or-later

//! What it costs to accept a code: validation, instrumentation and compilation, on one core.

use super::{Effort, Found};
use crate::{
    Result,
    clock::took,
    native::LAB,
    plot::Plot,
    samples::in_turns,
    table::{Cell, Table},
};
use gear_exe_executor::{Executor, ExecutorConfig};
use gear_exe_programs::ALL;

pub fn run(effort: Effort) -> Result<Found> {
    let mut table = Table::new(
        "Upload: validation and compilation of a code, milliseconds of processor time",
        &["code", "KiB", "ms", "ms / KiB"],
    );
    let mut rows = Vec::new();
    for (name, code) in ALL.iter().copied().chain([("lab", LAB)]) {
        let measured = in_turns(
            effort.turns,
            vec![Box::new(|| {
                // A new one each time, which has not seen the code.
                let executor = Executor::open(ExecutorConfig {
                    threads: 1,
                    ..ExecutorConfig::default()
                })?;
                let (added, took) = took(|| executor.add_code(code));
                added?;
                Ok(took.processor * 1e3)
            })],
        )?;
        let kibibytes = code.len() as f64 / 1024.0;
        table.row(
            name,
            vec![
                Cell::Computed(kibibytes),
                Cell::Measured(measured[0].clone()),
                Cell::Measured(measured[0].map(|taken| taken / kibibytes)),
            ],
        );
        rows.push((name.into(), vec![Some(measured[0].median() / kibibytes)]));
    }
    table.note("The worst code that is still accepted takes 3.6 ms per KiB: docs/decisions/0002.");
    Ok(Found {
        tables: vec![table],
        plots: vec![(
            "upload".into(),
            Plot::Bars {
                title: "Cost of accepting a code".into(),
                unit: "milliseconds per KiB: less is better".into(),
                series: vec!["ms per KiB".into()],
                rows,
            },
        )],
        goals: Vec::new(),
    })
}
