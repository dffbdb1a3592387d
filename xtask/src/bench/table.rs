//! Results as a table in Markdown.

use std::fmt;

/// What became of a part of the benchmarks.
pub enum Outcome {
    /// Nobody asked for it.
    Unwanted,
    /// Why it cannot be had here, a sentence.
    Skipped(String),
    /// It was measured.
    Measured(Table),
}

/// A part of the results.
pub struct Table {
    /// Its heading.
    pub title: &'static str,
    /// How it was measured, a paragraph.
    pub method: String,
    /// The heads of the columns.
    pub head: Vec<&'static str>,
    /// As many cells each.
    pub rows: Vec<Vec<String>>,
    /// What to know about this run.
    pub notes: Vec<String>,
}

impl fmt::Display for Table {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "### {}\n\n{}\n", self.title, self.method)?;
        writeln!(out, "| {} |", self.head.join(" | "))?;
        writeln!(out, "|{}", "---|".repeat(self.head.len()))?;
        self.rows.iter().try_for_each(|row| writeln!(out, "| {} |", row.join(" | ")))?;
        if !self.notes.is_empty() {
            writeln!(out)?;
        }
        self.notes.iter().try_for_each(|note| writeln!(out, "- {note}"))
    }
}
