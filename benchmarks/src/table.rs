// SPDX-License-Identifier: GPL-3.0-or-later

//! Tables of figures: as text for the terminal, as Markdown, and as JSON.

use crate::samples::Samples;
use serde::Serialize;
use std::fmt::Write;

/// One figure, or why there is none.
#[derive(Clone, Debug)]
pub enum Cell {
    /// Something measured repeatedly: the median, and the spread of the middle half.
    Measured(Samples),
    /// Computed from others.
    Computed(f64),
    /// A ratio of others.
    Ratio(f64),
    /// Words.
    Text(String),
}

impl Cell {
    /// There is no such figure.
    pub fn none(why: &str) -> Self {
        Self::Text(format!("n/a ({why})"))
    }

    fn text(&self) -> String {
        match self {
            Self::Measured(samples) => format!(
                "{} ±{:.0} %",
                figure(samples.median()),
                50.0 * samples.spread()
            ),
            Self::Computed(value) => figure(*value),
            Self::Ratio(value) => format!("{} ×", figure(*value)),
            Self::Text(text) => text.clone(),
        }
    }

    fn json(&self) -> serde_json::Value {
        match self {
            Self::Measured(samples) => serde_json::json!({
                "median": samples.median(),
                "lower_quartile": samples.low(),
                "upper_quartile": samples.high(),
                "measurements": samples.count(),
            }),
            Self::Computed(value) | Self::Ratio(value) => serde_json::json!(value),
            Self::Text(text) => serde_json::json!(text),
        }
    }
}

/// A number as people read it.
pub fn figure(value: f64) -> String {
    let digits = match value.abs() {
        size if size >= 100.0 || (size >= 1.0 && size.fract() == 0.0) => 0,
        size if size >= 10.0 => 1,
        size if size >= 1.0 => 2,
        _ => 3,
    };
    let text = format!("{value:.digits$}");
    let whole = text.find('.').unwrap_or(text.len());
    let (whole, fraction) = text.split_at(whole);
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        let left = whole.len() - index;
        let after_sign = index > 0 && !grouped.ends_with('-');
        if after_sign && left.is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped + fraction
}

/// A table of a section: what is compared is in rows, the peers are in columns.
#[derive(Clone, Debug)]
pub struct Table {
    /// What it is about, and the unit of its figures.
    pub title: String,
    /// Names of the columns, the first of which has the names of the rows.
    pub columns: Vec<String>,
    /// Rows: a name, then a cell for each further column.
    pub rows: Vec<(String, Vec<Cell>)>,
    /// What the reader has to know, and what was found.
    pub notes: Vec<String>,
}

/// A goal, and whether this run reached it.
#[derive(Clone, Debug, Serialize)]
pub struct Goal {
    /// What is to be reached.
    pub what: String,
    /// What was measured.
    pub measured: f64,
    /// Whether that is enough.
    pub reached: bool,
}

impl Table {
    /// A table without rows.
    pub fn new(title: &str, columns: &[&str]) -> Self {
        Self {
            title: title.into(),
            columns: columns.iter().map(|name| (*name).into()).collect(),
            rows: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Adds a row.
    pub fn row(&mut self, name: impl Into<String>, cells: Vec<Cell>) {
        self.rows.push((name.into(), cells));
    }

    /// Adds a note.
    pub fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    fn lines(&self) -> Vec<Vec<String>> {
        let rows = self.rows.iter().map(|(name, cells)| {
            std::iter::once(name.clone())
                .chain(cells.iter().map(Cell::text))
                .collect()
        });
        std::iter::once(self.columns.clone()).chain(rows).collect()
    }

    /// For the terminal.
    pub fn text(&self) -> String {
        let lines = self.lines();
        let width = |column: usize| {
            let cells = lines.iter().filter_map(|line| line.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.columns.len()).map(width).collect();
        let mut text = format!("{}\n", self.title);
        for line in &lines {
            for (index, (cell, width)) in line.iter().zip(&widths).enumerate() {
                let _ = if index == 0 {
                    write!(text, "  {cell:<width$}")
                } else {
                    write!(text, "  {cell:>width$}")
                };
            }
            text.push('\n');
        }
        for note in &self.notes {
            let _ = writeln!(text, "  * {note}");
        }
        text
    }

    /// For a document.
    pub fn markdown(&self) -> String {
        let mut text = format!("### {}\n\n", self.title);
        for (index, line) in self.lines().iter().enumerate() {
            let _ = writeln!(text, "| {} |", line.join(" | "));
            if index == 0 {
                let _ = writeln!(text, "|---|{}", "---:|".repeat(self.columns.len() - 1));
            }
        }
        text.push('\n');
        for note in &self.notes {
            let _ = writeln!(text, "* {note}");
        }
        text
    }

    /// For programs.
    pub fn json(&self) -> serde_json::Value {
        let rows = self.rows.iter().map(|(name, cells)| {
            let cells = self.columns.iter().skip(1).zip(cells);
            let cells: serde_json::Map<_, _> = cells
                .map(|(column, cell)| (column.clone(), cell.json()))
                .collect();
            serde_json::json!({ "row": name, "figures": cells })
        });
        serde_json::json!({
            "title": self.title,
            "rows": rows.collect::<Vec<_>>(),
            "notes": self.notes,
        })
    }
}
