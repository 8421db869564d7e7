//! A run as text: tables that are also Markdown.

use crate::{
    drive::Said,
    run::{LEVELS, Report},
    stats::Times,
};
use std::{collections::BTreeMap, fmt, time::Duration};

/// What design.md asks of four validators on one machine: share of a thousand messages, and within how long.
const GOALS: [(usize, Duration); 3] = [
    (500, Duration::from_millis(200)),
    (990, Duration::from_millis(500)),
    (990, Duration::from_secs(1)),
];
/// Metrics and groups of threads that are shown.
const SHOWN: usize = 12;

/// Milliseconds.
fn ms(time: Option<Duration>) -> String {
    time.map_or_else(
        || "–".to_owned(),
        |time| format!("{:.0}", time.as_secs_f64() * 1e3),
    )
}

/// A number with its share of a whole in percent.
fn share(part: Duration, whole: Duration) -> String {
    let percent = 100.0 * part.as_secs_f64() / whole.as_secs_f64().max(1e-9);
    format!("{:.2} s, {percent:.0} %", part.as_secs_f64())
}

fn times(f: &mut fmt::Formatter<'_>, name: &str, times: &Times) -> fmt::Result {
    let [half, ninety, most] = [500, 900, 990].map(|share| ms(times.per_mille(share)));
    let longest = ms(times.max());
    writeln!(
        f,
        "| {name} | {} | {half} | {ninety} | {most} | {longest} |",
        times.len()
    )
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.head(f)?;
        self.numbers(f)?;
        self.latencies(f)?;
        self.work(f)
    }
}

impl Report {
    fn head(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plan = &self.plan;
        writeln!(
            f,
            "{} messages by {} senders to {} nodes: {} a second for {:.0} s, {}, {} programs of each kind, {} % through \
             Ethereum, seed {}\n",
            plan.total(),
            plan.senders,
            self.nodes,
            plan.rate,
            plan.duration.as_secs_f64(),
            plan.mix,
            plan.programs,
            plan.ethereum_percent,
            plan.seed,
        )?;
        if let Some(strangers) = self.strangers {
            writeln!(
                f,
                "connections between nodes that went around the delay: {strangers}\n"
            )?;
        }
        Ok(())
    }

    fn numbers(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fate = self.fate();
        writeln!(f, "| messages | number |\n|---|---|")?;
        writeln!(f, "| sent | {} |", self.sent.len())?;
        writeln!(f, "| accepted | {} |", fate.accepted)?;
        let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
        for sent in &self.sent {
            let reason = match &sent.said {
                Said::Accepted => continue,
                Said::Refused(reason) => format!("refused: {reason}"),
                Said::Nothing(reason) => format!("without an answer: {reason}"),
            };
            *reasons.entry(reason).or_default() += 1;
        }
        for (reason, number) in reasons {
            writeln!(f, "| {} | {number} |", reason.replace(['|', '\n'], " "))?;
        }
        writeln!(f, "| executed once | {} |", fate.once)?;
        writeln!(f, "| **lost** | **{}** |", fate.lost)?;
        writeln!(f, "| executed more than once | {} |", fate.twice)?;
        if fate.refused_but_executed > 0 {
            let wrong = fate.refused_but_executed;
            writeln!(f, "| refused, but executed | {wrong} |")?;
        }
        writeln!(f, "| executed, without success | {} |", self.audit.failed)?;
        writeln!(f, "| seen executed in two blocks | {} |", self.again)?;
        if self.interruptions > 0 {
            let interruptions = self.interruptions;
            writeln!(f, "| subscriptions that ended | {interruptions} |")?;
        }
        let agreed = if self.audit.is_agreed() { "yes" } else { "NO" };
        writeln!(
            f,
            "| equal roots on all nodes at block {} | {agreed} |\n",
            self.audit.head.number
        )
    }

    fn latencies(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "| milliseconds from sending to | messages | p50 | p90 | p99 | max |\n|---|---|---|---|---|---|"
        )?;
        for ethereum in [false, true] {
            let of = |sent: &&crate::drive::Sent| sent.message.ethereum == ethereum;
            let accepted = self.sent.iter().filter(of);
            let accepted = accepted.filter(|sent| sent.said == Said::Accepted);
            let accepted: Times = accepted.map(|sent| sent.answered - sent.at).collect();
            if accepted.is_empty() {
                continue;
            }
            let by = if ethereum { ", through Ethereum" } else { "" };
            times(f, &format!("the answer{by}"), &accepted)?;
            for (place, level) in LEVELS.iter().enumerate() {
                let name = format!("`{}`{by}", level.name());
                times(f, &name, &self.times(place, ethereum))?;
            }
        }
        writeln!(f)?;
        for (place, (part, goal)) in GOALS.iter().enumerate() {
            if let Some(time) = self.times(place, false).per_mille(*part) {
                let met = if time <= *goal { "met" } else { "not met" };
                writeln!(
                    f,
                    "goal `{}` p{} ≤ {} ms: {met} ({} ms)",
                    LEVELS.get(place).map_or("", |level| level.name()),
                    part / 10,
                    goal.as_millis(),
                    ms(Some(time)),
                )?;
            }
        }
        writeln!(f)
    }

    fn work(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let executed = self.reached.iter().filter_map(|reached| reached[0]);
        let number = executed.clone().count();
        let first = self.began;
        let span = executed
            .max()
            .map(|last| last.saturating_duration_since(first));
        let span = span.unwrap_or_default().as_secs_f64().max(1e-9);
        let bytes: usize = self.sent.iter().map(|sent| sent.bytes).sum();
        let late: Times = self.sent.iter().map(|sent| sent.late).collect();
        let (throughput, kilobytes) = (number as f64 / span, bytes as f64 / 1e3);
        writeln!(
            f,
            "throughput: {throughput:.1} messages a second, from the first sent to the last executed ({span:.1} s)\n\
             rounds with messages: {} of {} blocks, the fullest with {}\n\
             sent: {kilobytes:.0} kB in requests, {:.1} a second\n\
             gas: {} in all receipts\n\
             late when sent: p50 {} ms, p99 {} ms (above 10 ms the generator, or this machine, is the limit)\n",
            self.rounds.0,
            self.audit.blocks,
            self.rounds.1,
            kilobytes / span,
            self.audit.gas,
            ms(late.per_mille(500)),
            ms(late.per_mille(990)),
        )?;
        let usage = &self.usage;
        let cores = u32::try_from(usage.cores).unwrap_or(1);
        writeln!(
            f,
            "| processor time while sending ({:.1} s, {} cores) | seconds, share of the machine |\n|---|---|",
            usage.elapsed.as_secs_f64(),
            usage.cores,
        )?;
        let whole = usage.elapsed * cores;
        writeln!(f, "| whole machine | {} |", share(usage.machine, whole))?;
        writeln!(f, "| load generator | {} |", share(usage.own, whole))?;
        for (node, used) in usage.nodes.iter().enumerate() {
            writeln!(f, "| node {node} | {} |", share(*used, whole))?;
        }
        let nodes: Duration = usage.nodes.iter().sum();
        // When it comes into the pool, and when its block is built or imported.
        let checks = u32::try_from(number.saturating_mul(2 * self.nodes)).unwrap_or(u32::MAX);
        for (name, used) in usage.threads.iter().take(SHOWN) {
            if *used > Duration::from_millis(100) {
                writeln!(
                    f,
                    "| threads `{name}` of all nodes | {} of theirs |",
                    share(*used, nodes)
                )?;
            }
        }
        let check = usage.check.as_secs_f64() * 1e6;
        write!(f, "| one signature check, here | {check:.0} µs")?;
        if !nodes.is_zero() {
            let checked = share(usage.check * checks, nodes);
            let many = self.nodes;
            write!(
                f,
                "; {number} messages, checked twice by each of {many} nodes: {checked} of theirs"
            )?;
        }
        writeln!(f, " |\n")?;
        if !usage.said.is_empty() {
            writeln!(
                f,
                "| what nodes say they spent time in, waiting included, together | seconds | times |\n|---|---|---|"
            )?;
            for (name, sum, count) in usage.said.iter().take(2 * SHOWN) {
                writeln!(f, "| `{name}` | {sum:.2} | {count:.0} |")?;
            }
        }
        Ok(())
    }
}
