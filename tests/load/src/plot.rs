//! A run as a picture: how many messages were how fast at each level, and how that was over time.

use crate::{
    run::{LEVELS, Report},
    stats::Times,
};
use std::{fmt::Write, time::Duration};

/// Width of a panel's plane.
const WIDE: f64 = 520.0;
/// Its height.
const HIGH: f64 = 300.0;
/// Space around it, for what is written.
const EDGE: f64 = 60.0;
/// Colours of the levels, which differ also for those who see no red or green.
const COLOURS: [&str; 3] = ["#0072b2", "#e69f00", "#009e73"];
/// Marks of the time axis of the first panel, in milliseconds.
const MARKS: [u32; 8] = [10, 30, 100, 300, 1_000, 3_000, 10_000, 30_000];

/// Where a panel begins, and what its axes span.
struct Panel {
    left: f64,
    title: &'static str,
    below: &'static str,
}

impl Panel {
    /// The plane with its title; `x` and `y` are between 0 and 1.
    fn frame(&self, out: &mut String) {
        let (left, top) = (self.left, EDGE);
        let (middle, bottom) = (left + WIDE / 2.0, top + HIGH);
        let _ = writeln!(
            out,
            r##"<rect x="{left}" y="{top}" width="{WIDE}" height="{HIGH}" fill="none" stroke="#888"/>
<text x="{middle}" y="{}" text-anchor="middle" font-weight="bold">{}</text>
<text x="{middle}" y="{}" text-anchor="middle">{}</text>"##,
            top - 12.0,
            self.title,
            bottom + 38.0,
            self.below,
        );
    }

    fn at(&self, x: f64, y: f64) -> (f64, f64) {
        (self.left + x * WIDE, EDGE + (1.0 - y) * HIGH)
    }

    fn mark_x(&self, out: &mut String, x: f64, text: &str) {
        let (at, bottom) = self.at(x, 0.0);
        let top = EDGE;
        let below = bottom + 18.0;
        let _ = writeln!(
            out,
            r##"<line x1="{at:.1}" y1="{top}" x2="{at:.1}" y2="{bottom}" stroke="#ddd"/>
<text x="{at:.1}" y="{below}" text-anchor="middle">{text}</text>"##
        );
    }

    fn mark_y(&self, out: &mut String, y: f64, text: &str) {
        let (left, at) = self.at(0.0, y);
        let (right, beside, middle) = (left + WIDE, left - 6.0, at + 4.0);
        let _ = writeln!(
            out,
            r##"<line x1="{left}" y1="{at:.1}" x2="{right}" y2="{at:.1}" stroke="#ddd"/>
<text x="{beside}" y="{middle:.1}" text-anchor="end">{text}</text>"##
        );
    }

    fn line(&self, out: &mut String, points: &[(f64, f64)], colour: &str, dashed: bool) {
        let mut path = String::new();
        for (x, y) in points {
            let (x, y) = self.at(x.clamp(0.0, 1.0), y.clamp(0.0, 1.0));
            let _ = write!(path, "{x:.1},{y:.1} ");
        }
        let dash = if dashed {
            r#" stroke-dasharray="5 4""#
        } else {
            ""
        };
        let _ = writeln!(
            out,
            r#"<polyline points="{}" fill="none" stroke="{colour}" stroke-width="1.8"{dash}/>"#,
            path.trim_end()
        );
    }

    fn legend(&self, out: &mut String, row: usize, text: &str, colour: &str, dashed: bool) {
        let y = 1.0 - (row as f64 + 1.0) * 0.06;
        self.line(out, &[(0.62, y), (0.68, y)], colour, dashed);
        let (x, at) = self.at(0.7, y);
        let at = at + 4.0;
        let _ = writeln!(out, r#"<text x="{x:.1}" y="{at:.1}">{text}</text>"#);
    }
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Place on the first panel's axis, which is logarithmic.
fn scale(millis: f64) -> f64 {
    let [first, .., last] = MARKS.map(|mark| f64::from(mark).ln());
    (millis.max(1.0).ln() - first) / (last - first)
}

/// Share of messages over time, for each level.
fn shares(report: &Report, panel: &Panel, out: &mut String) {
    for mark in MARKS {
        panel.mark_x(out, scale(mark.into()), &mark.to_string());
    }
    for percent in [0, 25, 50, 75, 90, 99] {
        panel.mark_y(out, f64::from(percent) / 100.0, &format!("{percent} %"));
    }
    for (place, (level, colour)) in LEVELS.iter().zip(COLOURS).enumerate() {
        let times = report.times(place, false);
        let points: Vec<_> = (0..=500u16)
            .filter_map(|share| {
                let time = times.per_mille(usize::from(share) * 2)?;
                Some((scale(millis(time)), f64::from(share) / 500.0))
            })
            .collect();
        panel.line(out, &points, colour, false);
        panel.legend(out, place, level.name(), colour, false);
    }
}

/// Percentiles of what was sent in each second.
fn over_time(report: &Report, panel: &Panel, out: &mut String) {
    let seconds = report.plan.duration.as_secs().max(1);
    let by_second = |place: usize| -> Vec<Times> {
        let mut lists = vec![Vec::new(); usize::try_from(seconds).unwrap_or(1)];
        for (sent, time) in report.measured(place) {
            let second = sent.at.saturating_duration_since(report.began).as_secs();
            if let Ok(second) = usize::try_from(second)
                && !sent.message.ethereum
                && let Some(list) = lists.get_mut(second)
            {
                list.push(time);
            }
        }
        lists.into_iter().map(Times::from_iter).collect()
    };
    let all: Vec<Vec<Times>> = (0..LEVELS.len()).map(by_second).collect();
    let highest = all
        .iter()
        .flatten()
        .filter_map(|times| times.per_mille(990))
        .max()
        .map_or(100.0, millis);
    // A round number above it, with room for the legend. with room for the legend.
    let step = [50.0, 100.0, 250.0, 500.0, 1e3, 2.5e3, 5e3, 1e4, 2.5e4]
        .into_iter()
        .find(|step| highest * 1.3 <= step * 5.0)
        .unwrap_or(5e4);
    let top = step * 5.0;
    for mark in 0..=5u8 {
        let share = f64::from(mark) / 5.0;
        panel.mark_y(out, share, &format!("{:.0}", share * top));
        let second = share * seconds as f64;
        panel.mark_x(out, share, &format!("{second:.0}"));
    }
    for (place, ((level, colour), times)) in LEVELS.iter().zip(COLOURS).zip(&all).enumerate() {
        for (which, (share, dashed)) in [(500, false), (990, true)].into_iter().enumerate() {
            let points: Vec<_> = times
                .iter()
                .enumerate()
                .filter_map(|(second, times)| {
                    let x = (second as f64 + 0.5) / seconds as f64;
                    Some((x, millis(times.per_mille(share)?) / top))
                })
                .collect();
            panel.line(out, &points, colour, dashed);
            let name = format!("{} p{}", level.name(), share / 10);
            panel.legend(out, 2 * place + which, &name, colour, dashed);
        }
    }
}

/// The picture, as SVG.
pub fn svg(report: &Report) -> String {
    let (whole_width, whole_height) = (2.0 * WIDE + 4.0 * EDGE, HIGH + 2.0 * EDGE);
    let mut out = format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {whole_width} {whole_height}" font-family="sans-serif" font-size="12">
<rect width="{whole_width}" height="{whole_height}" fill="#fff"/>
"##
    );
    let first = Panel {
        left: EDGE,
        title: "native messages at a level, by time since sending",
        below: "milliseconds",
    };
    let second = Panel {
        left: WIDE + 3.0 * EDGE,
        title: "milliseconds since sending, of what was sent in each second",
        below: "seconds of the run",
    };
    first.frame(&mut out);
    shares(report, &first, &mut out);
    second.frame(&mut out);
    over_time(report, &second, &mut out);
    out.push_str("</svg>\n");
    out
}
