//! Options that are one word of a few.

use std::num::NonZeroUsize;

use engine::AdmissionMode;
use tracing::level_filters::LevelFilter;

use super::problem::Complaint;

/// How many shards serve (`--shards`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shards {
    /// One for each core that the process may use; the default.
    Auto,
    /// This many, at most [`super::MAX_SHARDS`].
    Count(NonZeroUsize),
}

/// Which driver moves the datagrams (`--backend`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// io_uring where it can be set up, else recvmmsg and sendmmsg; the default.
    Auto,
    /// io_uring, or an error.
    Uring,
    /// recvmmsg and sendmmsg.
    Mmsg,
}

impl Shards {
    /// How many that is on this machine.
    pub fn here(self) -> usize {
        match self {
            Self::Auto => net::parallelism().min(super::MAX_SHARDS as usize),
            Self::Count(shards) => shards.get(),
        }
    }
}

impl Backend {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Uring => "uring",
            Self::Mmsg => "mmsg",
        }
    }
}

/// Whether clients are served by TCP, too (`--tcp`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TcpMode {
    /// Where its ports are free; the default.
    Auto,
    /// Yes, or an error.
    On,
    /// No.
    Off,
}

/// What the relay gives up once it serves (`--sandbox`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SandboxMode {
    /// As much as can be had; the default.
    On,
    /// All of it, or an error.
    Require,
    /// Nothing, for debugging.
    Off,
}

/// How log lines look (`--log-format`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people; the default.
    Text,
    /// One JSON object a line.
    Json,
}

/// A value that is written as one word of a few.
pub(super) trait Choice: Copy + PartialEq + 'static {
    /// The words and their values; of several words for one value the first is the one that is shown.
    const WORDS: &'static [(&'static str, Self)];
}

impl Choice for Backend {
    const WORDS: &'static [(&'static str, Self)] =
        &[("auto", Self::Auto), ("uring", Self::Uring), ("mmsg", Self::Mmsg)];
}

impl Choice for TcpMode {
    const WORDS: &'static [(&'static str, Self)] =
        &[("auto", Self::Auto), ("on", Self::On), ("off", Self::Off)];
}

impl Choice for SandboxMode {
    const WORDS: &'static [(&'static str, Self)] =
        &[("on", Self::On), ("require", Self::Require), ("off", Self::Off)];
}

impl Choice for AdmissionMode {
    const WORDS: &'static [(&'static str, Self)] =
        &[("open", Self::Open), ("auto", Self::Auto), ("strict", Self::Strict)];
}

impl Choice for LogFormat {
    const WORDS: &'static [(&'static str, Self)] = &[("text", Self::Text), ("json", Self::Json)];
}

impl Choice for LevelFilter {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("off", Self::OFF),
        ("error", Self::ERROR),
        ("warn", Self::WARN),
        ("info", Self::INFO),
        ("debug", Self::DEBUG),
        ("trace", Self::TRACE),
    ];
}

impl Choice for bool {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("true", true),
        ("false", false),
        ("yes", true),
        ("no", false),
        ("on", true),
        ("off", false),
        ("1", true),
        ("0", false),
    ];
}

/// Reads a word, in any case.
pub(super) fn choose<T: Choice>(text: &str) -> Result<T, Complaint> {
    let found = T::WORDS.iter().find(|(word, _)| word.eq_ignore_ascii_case(text));
    found.map(|(_, value)| *value).ok_or_else(|| {
        let words: Vec<_> = T::WORDS.iter().map(|(word, _)| *word).collect();
        Complaint::new(text, format!("is not one of {}", words.join(", ")))
    })
}

/// The word of a value.
pub(super) fn word<T: Choice>(value: &T) -> String {
    let found = T::WORDS.iter().find(|(_, other)| other == value);
    found.map(|(word, _)| (*word).to_owned()).unwrap_or_default()
}
