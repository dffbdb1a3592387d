//! Why the configuration cannot be used, in one line, and how the process ends then.

use std::borrow::Cow;
use std::fmt::{self, Write as _};
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use super::place::Place;

/// Characters of a value that an error shows at most.
const SHOWN: usize = 60;

/// What is wrong with a value, without its place: `"x" is not one of text, json`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text} {verdict}")]
pub struct Complaint {
    text: String,
    verdict: Cow<'static, str>,
}

impl Complaint {
    /// The text is quoted; the verdict goes on from there.
    pub(super) fn new(text: &str, verdict: impl Into<Cow<'static, str>>) -> Self {
        Self { text: quote(text), verdict: verdict.into() }
    }

    /// The same about a text that must not be shown.
    pub(super) fn of_secret(verdict: impl Into<Cow<'static, str>>) -> Self {
        Self { text: "the value, which is not shown here,".to_owned(), verdict: verdict.into() }
    }
}

/// Why a configuration cannot be used. Displayed as one line without `relay: ` in front.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// The command line is not one that the relay knows.
    #[error("{}; see --help", one_line(.0))]
    Usage(String),
    /// A value that its option does not take.
    #[error("{}: {complaint}", one_line(.place))]
    Value {
        /// Where the value stands.
        place: Place,
        /// What is wrong with it.
        complaint: Complaint,
    },
    /// A value that does not go with the others or with this machine.
    #[error("{}: {}", one_line(.place), one_line(.message))]
    Conflict {
        /// Where the value stands.
        place: Place,
        /// What is wrong with it, and what to do.
        message: String,
    },
    /// The file is not TOML, or holds what it should not.
    #[error("{}:{line}: {}", one_line(.path), one_line(.message))]
    File {
        /// The file.
        path: Arc<str>,
        /// The line, from 1.
        line: usize,
        /// What is wrong, and what to do.
        message: String,
    },
    /// The file cannot be read.
    #[error("{}: cannot read {}: {error}{}", one_line(.place), one_line(&.path.display()), remedy(.error))]
    Unreadable {
        /// What named the file.
        place: Place,
        /// The file.
        path: PathBuf,
        /// What the kernel said.
        error: io::Error,
    },
}

/// The process ends before it serves.
#[derive(Debug)]
pub enum Exit {
    /// Help or version, for the standard output; exit code 0.
    Text(String),
    /// One line for the standard error; exit code 2.
    Problem(Problem),
}

impl Exit {
    /// 0 after help and version, 2 after a problem.
    pub fn code(&self) -> u8 {
        match self {
            Exit::Text(_) => 0,
            Exit::Problem(_) => 2,
        }
    }

    /// Writes the text where it belongs, a problem behind `relay: `, and gives the exit code.
    pub fn report(&self) -> ExitCode {
        // Nobody can be told that the standard streams are closed.
        let _ = match self {
            Exit::Text(text) => io::stdout().write_all(text.as_bytes()),
            Exit::Problem(problem) => writeln!(io::stderr(), "relay: {problem}"),
        };
        ExitCode::from(self.code())
    }
}

impl From<Problem> for Exit {
    fn from(problem: Problem) -> Self {
        Exit::Problem(problem)
    }
}

/// Any text, short and in one line, in quotation marks.
pub(super) fn quote(text: &str) -> String {
    let mut shown: String = text.chars().take(SHOWN).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    format!("{shown:?}")
}

/// A key of the file: bare if TOML allows that, else quoted.
pub(super) fn key_text(key: &str) -> String {
    let bare = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if !key.is_empty() && key.len() <= SHOWN && key.bytes().all(bare) { key.to_owned() } else { quote(key) }
}

/// Any text in one line: control characters are written as escapes.
pub(super) fn one_line(text: &impl fmt::Display) -> String {
    let text = text.to_string();
    let mut line = String::with_capacity(text.len());
    for c in text.chars() {
        // Writing to a string does not fail.
        let _ = if c.is_control() { write!(line, "{}", c.escape_default()) } else { line.write_char(c) };
    }
    line
}

fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::NotFound => "; create it or correct the path",
        io::ErrorKind::PermissionDenied => "; let the user that runs the relay read it",
        io::ErrorKind::IsADirectory => "; name a file in it",
        _ => "",
    }
}
