//! Where things are shown: a terminal, plain lines, or JSON.

use std::io::{self, Write};

use chat::{Event, Note};
use wire::GroupId;

use super::human::{self, Kind};
use super::json;
use super::terminal::Printer;

/// Which lines a use of plain output shows, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Voice {
    /// Everything: texts and answers on the standard output, the rest on the standard error.
    Talk,
    /// The bare texts on the standard output, the rest on the standard error.
    Listen,
    /// A created id on the standard output, problems on the standard error, nothing else.
    Quiet,
}

/// What things are shown on.
pub enum Screen {
    /// Above the line that is being typed.
    Terminal { printer: Printer, server: String },
    /// Lines for people and scripts.
    Plain { voice: Voice, server: String },
    /// Lines for programs.
    Json { server: String },
    /// The reader has gone.
    Closed,
}

impl Screen {
    /// Shows a note.
    ///
    /// # Errors
    /// The standard output cannot be written.
    pub fn show(&mut self, note: &Note) -> io::Result<()> {
        match self {
            Self::Terminal { printer, server } => {
                let (kind, words) = human::words(note, server);
                printer.print(kind, &words);
                Ok(())
            }
            Self::Plain { voice: Voice::Talk, server } => plain(human::words(note, server)),
            Self::Plain { voice: Voice::Listen, server } => match human::words(note, server) {
                (Kind::Text, words) => out(&words),
                (kind, words) => {
                    complain(&format!("{} {words}", kind.sign()));
                    Ok(())
                }
            },
            Self::Plain { voice: Voice::Quiet, server } => match (note, human::words(note, server)) {
                (Note::Event(Event::Created(group)), _) => out(group.as_str()),
                (_, (Kind::Problem, words)) => {
                    complain(&format!("chat: {words}"));
                    Ok(())
                }
                _ => Ok(()),
            },
            Self::Json { server } => out(&json::line(note, server)),
            Self::Closed => Ok(()),
        }
    }

    /// Tells programs that everything was sent; people see that there is no problem.
    ///
    /// # Errors
    /// The standard output cannot be written.
    pub fn sent(&mut self, group: GroupId, count: u64, members: u32) -> io::Result<()> {
        match self {
            Self::Json { .. } => out(&json::sent_line(group, count, members)),
            _ => Ok(()),
        }
    }

    /// Shows trouble that is not the relay's.
    pub fn problem(&mut self, words: &str) {
        match self {
            Self::Terminal { printer, .. } => printer.print(Kind::Problem, words),
            // A closed output is noticed by what comes next.
            Self::Json { .. } => drop(out(&json::problem_line(words))),
            Self::Plain { .. } | Self::Closed => complain(&format!("chat: {words}")),
        }
    }

    /// Gives the terminal back: what comes now is printed plainly.
    pub fn release(&mut self) {
        if let Self::Terminal { printer, .. } = self {
            printer.release();
        }
    }

    /// Waits until everything is printed.
    pub fn finish(self) {
        if let Self::Terminal { printer, .. } = self {
            printer.finish();
        }
    }
}

fn plain((kind, words): (Kind, String)) -> io::Result<()> {
    let line = format!("{} {words}", kind.sign());
    match kind {
        Kind::Text | Kind::Answer => out(&line),
        Kind::Notice | Kind::Problem => {
            complain(&line);
            Ok(())
        }
    }
}

fn out(line: &str) -> io::Result<()> {
    writeln!(io::stdout(), "{line}")
}

/// To the standard error, whose loss is nobody's business.
fn complain(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}
