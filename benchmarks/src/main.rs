// SPDX-License-Identifier: GPL-3.0-or-later

//! Runs the sections that are asked for, prints their tables, and writes tables, plots and figures to a folder.

use gear_exe_benchmarks::{
    Result,
    machine::Machine,
    sections::{ALL, Effort, Found, Section},
    table::Goal,
};
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Instant,
};

const HELP: &str = "\
usage: scripts/bench [--quick] [--turns N] [--out FOLDER] [section ...]

  --quick    less work, to see whether everything runs; nothing is written unless --out is given
  --turns N  how often each peer is measured (7)
  --out      where tables, plots and figures go (docs/benchmarks)

sections, all of them if none is named:";

struct Arguments {
    effort: Effort,
    out: Option<PathBuf>,
    sections: Vec<&'static Section>,
}

fn help() -> String {
    let sections = ALL.iter();
    let sections = sections.map(|section| format!("\n  {:<10} {}", section.name, section.about));
    format!("{HELP}{}", sections.collect::<String>())
}

/// Nothing if only help is wanted.
fn arguments() -> Result<Option<Arguments>> {
    let (mut quick, mut turns, mut out) = (false, None, None);
    let mut sections = Vec::new();
    let mut words = env::args().skip(1);
    while let Some(word) = words.next() {
        let mut value = || {
            words
                .next()
                .ok_or_else(|| format!("{word} needs a value\n\n{}", help()))
        };
        match word.as_str() {
            "--help" | "-h" => return Ok(None),
            "--quick" => quick = true,
            "--turns" => turns = Some(value()?.parse::<usize>()?.max(1)),
            "--out" => out = Some(PathBuf::from(value()?)),
            name => sections.push(
                ALL.iter()
                    .find(|section| section.name == name)
                    .ok_or_else(|| format!("there is no section '{name}'\n\n{}", help()))?,
            ),
        }
    }
    if sections.is_empty() {
        sections = ALL.iter().collect();
    }
    if out.is_none() && !quick {
        out = Some("docs/benchmarks".into());
    }
    Ok(Some(Arguments {
        effort: Effort {
            turns: turns.unwrap_or(if quick { 1 } else { 7 }),
            quick,
        },
        out,
        sections,
    }))
}

fn verdict(goal: &Goal) -> String {
    let word = if goal.reached { "reached" } else { "MISSED " };
    let measured = gear_exe_benchmarks::table::figure(goal.measured);
    format!("{word}  {}: {measured}", goal.what)
}

fn write(folder: &Path, section: &Section, found: &Found, machine: &Machine) -> Result<()> {
    fs::create_dir_all(folder)?;
    let mut text = format!("# {}: {}\n\n", section.name, section.about);
    text += &format!("Written by `scripts/bench {}`.\n\n", section.name);
    for line in machine.lines() {
        text += &format!("* {line}\n");
    }
    text += "\nFigures are medians; behind them stands half the range in which the middle half of the measurements lies.\n\n";
    for table in &found.tables {
        text += &table.markdown();
        text.push('\n');
    }
    if !found.goals.is_empty() {
        text += "### Goals\n\n";
        for goal in &found.goals {
            text += &format!("* {}\n", verdict(goal));
        }
        text.push('\n');
    }
    for (name, plot) in &found.plots {
        fs::write(folder.join(format!("{name}.svg")), plot.svg())?;
        text += &format!("![{name}]({name}.svg)\n\n");
    }
    fs::write(
        folder.join(format!("{}.md", section.name)),
        format!("{}\n", text.trim_end()),
    )?;
    let tables: Vec<_> = found.tables.iter().map(|table| table.json()).collect();
    let figures = serde_json::json!({
        "section": section.name,
        "machine": machine,
        "tables": tables,
        "goals": found.goals,
    });
    fs::write(
        folder.join(format!("{}.json", section.name)),
        serde_json::to_string_pretty(&figures)? + "\n",
    )?;
    Ok(())
}

fn run() -> Result<()> {
    let Some(arguments) = arguments()? else {
        println!("{}", help());
        return Ok(());
    };
    let began = Machine::look();
    let mut all = Vec::new();
    for section in &arguments.sections {
        let (looked, start) = (Machine::look(), Instant::now());
        eprintln!("measuring {}: {}", section.name, section.about);
        let found = (section.run)(arguments.effort)
            .map_err(|error| format!("section {}: {error}", section.name))?;
        let machine = looked.done();
        eprintln!("  done in {:.0} s", start.elapsed().as_secs_f64());
        if let Some(folder) = &arguments.out {
            write(folder, section, &found, &machine)?;
        }
        all.push(found);
    }
    println!();
    for line in began.done().lines() {
        println!("{line}");
    }
    println!("figures: median, and half the range of the middle half\n");
    for found in &all {
        for table in &found.tables {
            println!("{}", table.text());
        }
    }
    for goal in all.iter().flat_map(|found| &found.goals) {
        println!("{}", verdict(goal));
    }
    if let Some(folder) = &arguments.out {
        println!("\nwritten to {}", folder.display());
    }
    Ok(())
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
