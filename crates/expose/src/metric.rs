//! What a metric is, and how a program lists its own.

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

/// Makes a constant of each line (`NAME "name" Kind "help"`), and `CATALOGUE`, the slice of all.
#[macro_export]
macro_rules! catalogue {
    ($($constant:ident $name:literal $kind:ident $help:literal)*) => {
        $(#[doc = $help] pub const $constant: $crate::Metric =
            $crate::Metric { name: $name, kind: $crate::Kind::$kind, help: $help };)*
        /// All of them.
        pub const CATALOGUE: &[$crate::Metric] = &[$($constant),*];
    };
}
