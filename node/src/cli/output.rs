//! What a command prints: a table for people, or one JSON object for scripts.

use super::CliError;
use serde_json::{Map, Value, json};
use std::io::Write;

/// How answers are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// A table.
    Human,
    /// One JSON object on standard output, also for a failure.
    Json,
}

/// An answer: named values in the order in which they are shown.
#[derive(Clone, Debug, Default)]
pub struct Answer(Vec<(&'static str, Value)>);

impl Answer {
    /// Without values.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a value. JSON calls it `name`, the table shows spaces for underscores.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: impl Into<Value>) -> Self {
        self.0.push((name, value.into()));
        self
    }

    /// Adds a value if there is one.
    #[must_use]
    pub fn with_some(self, name: &'static str, value: Option<impl Into<Value>>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// As one JSON object.
    pub fn json(&self) -> Value {
        Value::Object(
            self.0
                .iter()
                .map(|(name, value)| ((*name).to_owned(), value.clone()))
                .collect::<Map<_, _>>(),
        )
    }

    /// As a table: one line for each value, lists of objects below each other.
    pub fn table(&self) -> String {
        let width = self
            .0
            .iter()
            .map(|(name, _)| name.len())
            .max()
            .unwrap_or_default();
        let mut text = String::new();
        for (name, value) in &self.0 {
            let name = name.replace('_', " ");
            match value {
                Value::Array(rows) => {
                    text.push_str(&format!("{name:width$}  {}\n", rows.len()));
                    for row in rows {
                        text.push_str(&format!("  {}\n", cells(row)));
                    }
                }
                value => text.push_str(&format!("{name:width$}  {}\n", cell(value))),
            }
        }
        text
    }

    /// Prints it.
    ///
    /// # Errors
    ///
    /// If standard output is closed.
    pub fn print(&self, format: Format) -> Result<(), CliError> {
        let text = match format {
            Format::Human => self.table(),
            Format::Json => format!("{}\n", self.json()),
        };
        std::io::stdout()
            .write_all(text.as_bytes())
            .map_err(|error| {
                CliError::new(
                    format!("the answer could not be printed: {error}"),
                    "check where standard output goes",
                )
            })
    }
}

/// Prints a failure: on standard error, for scripts also as JSON on standard output.
pub fn print_failure(error: &CliError, format: Format) {
    if format == Format::Json {
        println!("{}", json!({ "error": error.what, "next": error.next }));
    }
    eprintln!("error: {error}");
}

fn cell(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "none".into(),
        value => value.to_string(),
    }
}

fn cells(row: &Value) -> String {
    match row {
        Value::Object(fields) => fields
            .iter()
            .map(|(name, value)| format!("{}: {}", name.replace('_', " "), cell(value)))
            .collect::<Vec<_>>()
            .join("  "),
        value => cell(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_and_json_say_the_same() {
        let answer = Answer::new()
            .with("code_id", "0x01")
            .with("value", 7)
            .with_some("reason", None::<String>)
            .with("keys", json!([{ "address": "0x02" }, "plain"]));
        assert_eq!(
            answer.table(),
            "code id  0x01\nvalue    7\nkeys     2\n  address: 0x02\n  plain\n"
        );
        assert_eq!(
            answer.json(),
            json!({ "code_id": "0x01", "value": 7, "keys": [{ "address": "0x02" }, "plain"] })
        );
    }
}
