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
    /// Nobody is called so.
    NoSuchName,
    /// There is no room for a message.
    MailboxFull,
    /// No answer to what is done under a name: not in time, or not before the name was gone.
    Unanswered,
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
            Exit::NoSuchName => 3,
            Exit::MailboxFull => 4,
            Exit::Unanswered => 5,
            Exit::Timeout => 124,
            Exit::Signal(number) => 128u8.saturating_add(u8::try_from(number).unwrap_or(0)),
        })
    }
}
