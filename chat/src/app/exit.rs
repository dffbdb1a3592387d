//! How the program ends.

use std::process::ExitCode;

/// The exit codes; `chat --help` lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Ok,
    /// Refused, unanswered, or an error.
    Failed,
    /// Wrong arguments.
    Usage,
    /// `listen --timeout` passed before `--count`.
    Timeout,
    /// Ended by this signal.
    Signal(i32),
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Ok => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Timeout => 124,
            Exit::Signal(number) => 128u8.saturating_add(u8::try_from(number).unwrap_or(0)),
        })
    }
}
