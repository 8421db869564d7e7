//! A pallet's `weights.rs`: what is written by hand stays, what was measured is written after it.

use crate::{
    Effort,
    measure::{Cost, Line},
};
use anyhow::{Context, Result, ensure};
use std::{collections::BTreeSet, fmt::Write, path::Path};

/// Where the part by hand begins.
const BEGIN: &str = "/// What each call costs.\n";
/// Where it ends.
const END: &str = "// What follows is written by scripts/weights.\n";

/// What the head of each file says.
#[derive(Clone, Debug, Default)]
pub struct Header {
    /// The day.
    pub date: String,
    /// The machine.
    pub machine: String,
}

/// Writes the file anew.
pub fn file(path: &Path, header: &Header, effort: Effort, costs: &[Cost]) -> Result<()> {
    let before = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let text = render(&before, header, effort, costs)
        .with_context(|| format!("{} cannot be written", path.display()))?;
    std::fs::write(path, text).with_context(|| path.display().to_string())
}

/// The part by hand: the trait, and what is not measured.
fn by_hand(before: &str) -> Result<&str> {
    let begin = before.find(BEGIN).context("there is no trait WeightInfo")?;
    let end = before
        .find(END)
        .with_context(|| format!("there is no line `{}`", END.trim_end()))?;
    ensure!(begin < end, "the trait comes first");
    Ok(before[begin..end].trim_end())
}

fn render(before: &str, header: &Header, effort: Effort, costs: &[Cost]) -> Result<String> {
    let hand = by_hand(before)?;
    let wanted: BTreeSet<_> = hand
        .lines()
        .filter_map(|line| line.strip_prefix("    fn ")?.split('(').next())
        .collect();
    let measured: BTreeSet<_> = costs.iter().map(|cost| cost.name.as_str()).collect();
    ensure!(
        wanted == measured,
        "the trait has {wanted:?}, the benchmarks are {measured:?}"
    );
    let Header { date, machine } = header;
    let Effort { steps, repeats } = effort;
    let mut text = format!(
        "//! What calls cost, as the benchmarks of this pallet measured it.\n\
         //!\n\
         //! By `scripts/weights` on {date}, in the WASM executor: the fastest quarter of {repeats} runs of each of up to {steps} values of\n\
         //! a component, on {machine}.\n\
         //! Time is without the database, whose accesses were counted; the runtime says what one costs.\n\
         \n\
         use core::marker::PhantomData;\n\
         use polkadot_sdk::frame_support::{{\n    \
             traits::Get,\n    \
             weights::{{RuntimeDbWeight, Weight, constants::RocksDbWeight}},\n\
         }};\n\
         \n\
         {hand}\n\
         \n\
         {END}\n\
         /// What was measured, on a database whose accesses cost `D`.\n\
         pub struct Measured<D>(PhantomData<D>);\n\
         \n\
         impl<D: Get<RuntimeDbWeight>> WeightInfo for Measured<D> {{\n",
    );
    for (index, cost) in costs.iter().enumerate() {
        if index > 0 {
            text.push('\n');
        }
        function(&mut text, cost)?;
    }
    text.push_str("}\n\nimpl WeightInfo for () {\n");
    for (index, cost) in costs.iter().enumerate() {
        if index > 0 {
            text.push('\n');
        }
        let Cost { name, .. } = cost;
        let values: Vec<_> = cost
            .components
            .iter()
            .map(|(name, ..)| name.as_str())
            .collect();
        writeln!(
            text,
            "    fn {name}({}) -> Weight {{\n        Measured::<RocksDbWeight>::{name}({})\n    }}",
            parameters(cost),
            values.join(", "),
        )?;
    }
    text.push_str("}\n");
    Ok(text)
}

fn parameters(cost: &Cost) -> String {
    let all = cost
        .components
        .iter()
        .map(|(name, ..)| format!("{name}: u32"));
    all.collect::<Vec<_>>().join(", ")
}

fn function(text: &mut String, cost: &Cost) -> Result<()> {
    for (name, low, high) in &cost.components {
        writeln!(text, "    // {name}: {low} to {high}.")?;
    }
    writeln!(
        text,
        "    fn {}({}) -> Weight {{",
        cost.name,
        parameters(cost)
    )?;
    let parts = |place: Option<usize>| {
        let of = |line: &Line| match place {
            None => line.base,
            Some(place) => line.slopes.get(place).copied().unwrap_or_default(),
        };
        (
            of(&cost.time),
            of(&cost.proof),
            of(&cost.reads),
            of(&cost.writes),
        )
    };
    let (time, proof, reads, writes) = parts(None);
    writeln!(
        text,
        "        Weight::from_parts({}, {})",
        digits(time),
        digits(proof)
    )?;
    writeln!(
        text,
        "            .saturating_add(D::get().reads_writes({}, {}))",
        digits(reads),
        digits(writes)
    )?;
    for (place, (name, ..)) in cost.components.iter().enumerate() {
        let (time, proof, reads, writes) = parts(Some(place));
        writeln!(
            text,
            "            .saturating_add(\n                Weight::from_parts({}, {})\n                    \
             .saturating_add(D::get().reads_writes({}, {}))\n                    \
             .saturating_mul({name}.into()),\n            )",
            digits(time),
            digits(proof),
            digits(reads),
            digits(writes)
        )?;
    }
    text.push_str("    }\n");
    Ok(())
}

/// A number with `_` between thousands.
fn digits(number: u64) -> String {
    let plain = number.to_string();
    let mut text = String::new();
    for (index, digit) in plain.chars().enumerate() {
        if index > 0 && (plain.len() - index) % 3 == 0 {
            text.push('_');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = "//! Old.\n\n/// What each call costs.\npub trait WeightInfo {\n    /// A view.\n    \
                          fn submit_view(headers: u32) -> Weight;\n}\n\n\
                          // What follows is written by scripts/weights.\n\nimpl Old {}\n";

    fn cost(name: &str) -> Cost {
        let line = |base, slope| Line {
            base,
            slopes: vec![slope],
        };
        Cost {
            name: name.to_owned(),
            components: vec![("n".to_owned(), 0, 64)],
            time: line(1_234_567, 89),
            reads: line(7, 1),
            writes: line(2, 0),
            proof: line(900, 10),
        }
    }

    fn rendered(before: &str) -> Result<String> {
        let effort = Effort {
            steps: 3,
            repeats: 4,
        };
        render(before, &Header::default(), effort, &[cost("submit_view")])
    }

    #[test]
    fn what_is_by_hand_stays() {
        let text = rendered(BEFORE).unwrap();
        assert!(text.contains("    /// A view.\n    fn submit_view(headers: u32) -> Weight;\n}\n"));
        assert!(text.contains("Weight::from_parts(1_234_567, 900)"));
        assert!(text.contains("Measured::<RocksDbWeight>::submit_view(n)"));
        assert!(!text.contains("impl Old"));
        // Writing it again changes nothing.
        assert_eq!(rendered(&text).unwrap(), text);
    }

    #[test]
    fn a_missing_benchmark_is_named() {
        let more = BEFORE.replace(
            "    /// A view.\n",
            "    /// Else.\n    fn pause() -> Weight;\n    /// A view.\n",
        );
        assert!(rendered(&more).unwrap_err().to_string().contains("pause"));
        assert!(rendered("").is_err());
    }
}
