// SPDX-License-Identifier: GPL-3.0-or-later

//! Plots as SVG: bars and lines, on scales where each step is ten times the last, since peers lie far apart.

use crate::table::figure;
use std::fmt::Write;

const COLOURS: [&str; 6] = [
    "#2f6f9f", "#c8553d", "#5b8c5a", "#8d6a9f", "#b8860b", "#555555",
];
const WIDTH: f64 = 860.0;
const FONT: &str = "font-family=\"system-ui, sans-serif\"";

/// A plot.
pub enum Plot {
    /// A group of bars for each row, a bar for each series that has a figure there.
    Bars {
        /// What it shows.
        title: String,
        /// Unit of the figures.
        unit: String,
        /// Names of the series.
        series: Vec<String>,
        /// Rows with their figures.
        rows: Vec<(String, Vec<Option<f64>>)>,
    },
    /// A line for each series.
    Lines {
        /// What it shows.
        title: String,
        /// What grows to the right.
        x: String,
        /// What grows upwards.
        y: String,
        /// Lines by name.
        series: Vec<(String, Vec<(f64, f64)>)>,
    },
}

/// A logarithmic scale.
struct Scale {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl Scale {
    /// From the power of ten below all values to the one above, drawn from one place to another.
    fn over(values: impl Iterator<Item = f64> + Clone, from: f64, to: f64) -> Self {
        let positive = values.filter(|value| *value > 0.0 && value.is_finite());
        let least = positive.clone().fold(f64::INFINITY, f64::min);
        let most = positive.fold(0.0, f64::max);
        let (low, high) = if least.is_finite() {
            (least.log10().floor(), most.log10().ceil())
        } else {
            (0.0, 1.0)
        };
        Self {
            low,
            high: high.max(low + 1.0),
            from,
            to,
        }
    }

    fn place(&self, value: f64) -> f64 {
        let part = (value.max(f64::MIN_POSITIVE).log10() - self.low) / (self.high - self.low);
        self.from + part.clamp(0.0, 1.0) * (self.to - self.from)
    }

    fn ticks(&self) -> impl Iterator<Item = f64> + use<> {
        (self.low as i32..=self.high as i32).map(|power| 10f64.powi(power))
    }
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// A file under construction. Writing to a string cannot fail.
struct Svg {
    body: String,
}

impl Svg {
    fn text(&mut self, x: f64, y: f64, anchor: &str, size: u32, text: &str) {
        let text = escape(text);
        let _ = writeln!(
            self.body,
            "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" font-size=\"{size}\" {FONT} fill=\"#222\">{text}</text>"
        );
    }

    fn line(&mut self, x1: f64, y1: f64, x2: f64, y2: f64, colour: &str) {
        let _ = writeln!(
            self.body,
            "<line x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\" stroke=\"{colour}\"/>"
        );
    }

    fn bar(&mut self, x: f64, y: f64, width: f64, height: f64, colour: &str) {
        let _ = writeln!(
            self.body,
            "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" fill=\"{colour}\"/>"
        );
    }

    /// Names of the series in one row; they are few.
    fn legend<'a>(&mut self, y: f64, names: impl Iterator<Item = &'a String>) {
        let mut x = 20.0;
        for (name, colour) in names.zip(COLOURS.iter().cycle()) {
            self.bar(x, y - 10.0, 12.0, 12.0, colour);
            self.text(x + 17.0, y, "start", 12, name);
            x += 35.0 + 6.6 * name.chars().count() as f64;
        }
    }

    fn finish(self, height: f64) -> String {
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\">\n<rect width=\"100%\" height=\"100%\" \
             fill=\"#fff\"/>\n{}</svg>\n",
            self.body
        )
    }
}

impl Plot {
    /// As a file.
    pub fn svg(&self) -> String {
        match self {
            Self::Bars {
                title,
                unit,
                series,
                rows,
            } => bars(title, unit, series, rows),
            Self::Lines {
                title,
                x,
                y,
                series,
            } => lines(title, x, y, series),
        }
    }
}

fn bars(title: &str, unit: &str, series: &[String], rows: &[(String, Vec<Option<f64>>)]) -> String {
    const BAR: f64 = 16.0;
    const LEFT: f64 = 250.0;
    const TOP: f64 = 70.0;
    let mut svg = Svg {
        body: String::new(),
    };
    svg.text(20.0, 26.0, "start", 16, title);
    if series.len() > 1 {
        svg.legend(50.0, series.iter());
    }
    let values = rows.iter().flat_map(|(_, values)| values.iter().flatten());
    let scale = Scale::over(values.copied(), LEFT, WIDTH - 110.0);
    let count: usize = rows
        .iter()
        .map(|(_, values)| values.iter().flatten().count())
        .sum();
    let bottom = TOP + count as f64 * BAR + rows.len() as f64 * 10.0;
    for tick in scale.ticks() {
        let x = scale.place(tick);
        svg.line(x, TOP - 6.0, x, bottom, "#ddd");
        svg.text(x, bottom + 16.0, "middle", 11, &figure(tick));
    }
    svg.text(WIDTH / 2.0, bottom + 36.0, "middle", 12, unit);
    let mut y = TOP;
    for (name, values) in rows {
        let height = values.iter().flatten().count() as f64 * BAR;
        svg.text(LEFT - 10.0, y + height / 2.0 + 4.0, "end", 12, name);
        for (value, colour) in values.iter().zip(COLOURS.iter().cycle()) {
            let Some(value) = value else { continue };
            let end = scale.place(*value);
            svg.bar(LEFT, y + 1.0, end - LEFT, BAR - 2.0, colour);
            svg.text(end + 5.0, y + BAR - 4.0, "start", 11, &figure(*value));
            y += BAR;
        }
        y += 10.0;
    }
    svg.finish(bottom + 50.0)
}

fn lines(title: &str, x: &str, y: &str, series: &[(String, Vec<(f64, f64)>)]) -> String {
    const HEIGHT: f64 = 460.0;
    let (left, right, top, bottom) = (90.0, WIDTH - 40.0, 70.0, HEIGHT - 60.0);
    let mut svg = Svg {
        body: String::new(),
    };
    svg.text(20.0, 26.0, "start", 16, title);
    svg.legend(50.0, series.iter().map(|(name, _)| name));
    let points = series.iter().flat_map(|(_, points)| points.iter());
    let across = Scale::over(points.clone().map(|point| point.0), left, right);
    let up = Scale::over(points.map(|point| point.1), bottom, top);
    for tick in across.ticks() {
        let at = across.place(tick);
        svg.line(at, top, at, bottom, "#ddd");
        svg.text(at, bottom + 18.0, "middle", 11, &figure(tick));
    }
    for tick in up.ticks() {
        let at = up.place(tick);
        svg.line(left, at, right, at, "#ddd");
        svg.text(left - 8.0, at + 4.0, "end", 11, &figure(tick));
    }
    svg.text((left + right) / 2.0, HEIGHT - 18.0, "middle", 12, x);
    svg.text(left, top - 8.0, "start", 12, y);
    for ((_, points), colour) in series.iter().zip(COLOURS.iter().cycle()) {
        let mut path = String::new();
        for (index, (right, height)) in points.iter().enumerate() {
            let (at, level) = (across.place(*right), up.place(*height));
            let step = if index == 0 { 'M' } else { 'L' };
            let _ = write!(path, "{step}{at:.1} {level:.1} ");
            let _ = writeln!(
                svg.body,
                "<circle cx=\"{at:.1}\" cy=\"{level:.1}\" r=\"3.5\" fill=\"{colour}\"/>"
            );
        }
        let _ = writeln!(
            svg.body,
            "<path d=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>",
            path.trim_end()
        );
    }
    svg.finish(HEIGHT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plots_hold_every_figure_and_stay_inside() {
        let plot = Plot::Bars {
            title: "a < b".into(),
            unit: "messages a second".into(),
            series: vec!["ours".into(), "theirs".into()],
            rows: vec![
                ("ping".into(), vec![Some(512_345.0), Some(3_900.0)]),
                ("floats".into(), vec![Some(12.0), None]),
            ],
        };
        let svg = plot.svg();
        for text in ["512,345", "3,900", "12", "a &lt; b", "theirs"] {
            assert!(svg.contains(&format!(">{text}</text>")), "{text}: {svg}");
        }
        assert_eq!(svg.matches("<rect x=").count(), 3 + 2);
        let scale = Scale::over([3.0, 2_000.0].into_iter(), 100.0, 500.0);
        assert_eq!(scale.place(1.0), 100.0);
        assert_eq!(scale.place(10_000.0), 500.0);
        assert_eq!(scale.place(100.0), 300.0);
    }
}
