//! What a metric is, and how a program lists its own.

use std::fmt::Write;

/// How a metric behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Buckets, with sum and count.
    Histogram,
}

/// A metric: its name, what it is, and the text behind HELP.
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// The full name.
    pub name: &'static str,
    /// How it behaves.
    pub kind: Kind,
    /// The names of its labels; of a histogram without `le`.
    pub labels: &'static [&'static str],
    /// What it says, with its unit.
    pub help: &'static str,
}

impl Metric {
    /// Tells the `metrics` recorder in use what this is; of a histogram nothing, because [`crate::text`] writes those.
    pub fn describe(&self) {
        match self.kind {
            Kind::Counter => metrics::describe_counter!(self.name, self.help),
            Kind::Gauge => metrics::describe_gauge!(self.name, self.help),
            Kind::Histogram => {}
        }
    }
}

impl Kind {
    /// Its name in the exposition text.
    pub fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

/// The reference of a program's metrics, as a table in Markdown.
pub fn reference<'a>(metrics: impl IntoIterator<Item = &'a Metric>) -> String {
    let mut table = "| Name | Type | Labels | Meaning |\n|---|---|---|---|\n".to_owned();
    for Metric { name, kind, labels, help } in metrics {
        let (kind, labels) = (kind.name(), labels.join(", "));
        let _ = writeln!(table, "| `{name}` | {kind} | {labels} | {help} |");
    }
    table
}

/// Makes a constant of each line (`NAME "name" Kind [labels] "help"`), and `CATALOGUE`, the slice of all.
#[macro_export]
macro_rules! catalogue {
    ($($constant:ident $name:literal $kind:ident [$($label:literal)*] $help:literal)*) => {
        $(#[doc = $help] pub const $constant: $crate::Metric =
            $crate::Metric { name: $name, kind: $crate::Kind::$kind, labels: &[$($label),*], help: $help };)*
        /// All of them.
        pub const CATALOGUE: &[$crate::Metric] = &[$($constant),*];
    };
}
