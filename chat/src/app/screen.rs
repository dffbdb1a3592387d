//! Where things are shown: a terminal, the whole of it, plain lines, or JSON.

use std::io::{self, IsTerminal, Write};
use std::time::Instant;

use chat::{Event, Fate, Mark, Note};
use ratatui::crossterm::event::Event as Key;
use wire::GroupId;

use super::clock;
use super::errand::Errand;
use super::human::{self, Kind};
use super::json;
use super::terminal::{Printer, fitting};
use super::tui::{Tui, Typed};

/// Which lines a use of plain output shows, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Voice {
    /// Everything: texts and answers on the standard output, the rest on the standard error.
    Talk,
    /// The bare texts on the standard output, the rest on the standard error.
    Listen,
    /// What was asked for on the standard output (a created id, a claim, a message's fate), problems on the standard error,
    /// nothing else.
    Quiet,
}

/// What things are shown on.
pub enum Screen {
    /// Above the line that is being typed.
    Terminal { printer: Printer, server: String },
    /// All of the terminal.
    Full(Box<Tui>),
    /// Lines for people and scripts.
    Plain { voice: Voice, server: String, timestamps: bool },
    /// Lines for programs.
    Json { voice: Voice, server: String },
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
            // It stands there as it was typed.
            Self::Terminal { .. } | Self::Plain { .. } if is_echo(note) => Ok(()),
            // Nobody types there, and each line waits for the one before it anyway.
            Self::Plain { .. } if matches!(note, Note::Held(_)) => Ok(()),
            Self::Terminal { printer, server } => {
                let (kind, words) = human::words(note, server);
                printer.print(kind, &words);
                Ok(())
            }
            Self::Full(tui) => {
                tui.show(note);
                Ok(())
            }
            Self::Plain { voice: Voice::Talk, server, timestamps } => {
                plain(human::words(note, server), *timestamps)
            }
            Self::Plain { voice: Voice::Listen, server, timestamps } => match human::words(note, server) {
                (Kind::Text, words) => out(&(time(*timestamps) + &words)),
                _ if is_greeting(note) => Ok(()),
                (kind, words) => {
                    complain(&format!("{} {words}", kind.sign()));
                    Ok(())
                }
            },
            Self::Plain { voice: Voice::Quiet, server, .. } => match (note, human::words(note, server)) {
                (Note::Event(Event::Created(group)), _) => out(group.as_str()),
                (Note::Event(Event::Registered { claim, again: false, .. }), _) => out(&claim.to_string()),
                (_, (Kind::Problem, words)) => {
                    complain(&format!("chat: {words}"));
                    Ok(())
                }
                _ => Ok(()),
            },
            Self::Json { voice: Voice::Listen | Voice::Quiet, .. } if is_greeting(note) => Ok(()),
            Self::Json { server, .. } => out(&json::line(note, server)),
            Self::Closed => Ok(()),
        }
    }

    /// Tells what has become of the one message of a script.
    ///
    /// # Errors
    /// The standard output cannot be written.
    pub fn fate(&mut self, event: &Event) -> io::Result<()> {
        let Event::Fate { to, id, fate } = event else { return Ok(()) };
        match (&self, fate) {
            (Self::Plain { .. }, Fate::Sent) => Ok(()),
            (Self::Plain { .. }, Fate::Delivered | Fate::Stored) => out(json::fate_word(*fate)),
            _ => self.show(&Note::Mark(Mark { number: 1, to: to.clone(), id: *id, fate: *fate })),
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
            Self::Full(tui) => tui.problem(words),
            // A closed output is noticed by what comes next.
            Self::Json { .. } => drop(out(&json::problem_line(words))),
            Self::Plain { .. } | Self::Closed => complain(&format!("chat: {words}")),
        }
    }

    /// Brings the whole screen up to date, if that is what it is.
    ///
    /// # Errors
    /// The terminal cannot be written.
    pub fn draw(&mut self, errand: &mut dyn Errand, now: Instant) -> io::Result<()> {
        match (self, errand.talk()) {
            (Self::Full(tui), Some(talk)) => tui.draw(talk, now),
            _ => Ok(()),
        }
    }

    /// Takes a key, if it is the whole screen that does.
    pub fn key(&mut self, key: Key, errand: &mut dyn Errand, now: Instant) {
        let Self::Full(tui) = self else { return };
        let Some(talk) = errand.talk() else { return };
        match tui.key(key, talk) {
            Typed::Nothing => {}
            Typed::Line(line) => errand.line(line.into_bytes(), tui.asked(), now),
            Typed::End => errand.end(now),
        }
    }

    /// Gives the terminal back: what comes now is printed plainly.
    pub fn release(&mut self) {
        match self {
            Self::Terminal { printer, .. } => printer.release(),
            Self::Full(tui) => tui.release(),
            _ => {}
        }
    }

    /// Waits until everything is printed.
    pub fn finish(self) {
        match self {
            Self::Terminal { printer, .. } => printer.finish(),
            Self::Full(mut tui) => tui.release(),
            _ => {}
        }
    }
}

fn plain((kind, words): (Kind, String), timestamps: bool) -> io::Result<()> {
    let time = time(timestamps);
    let mut line = format!("{time}{} {words}", kind.sign());
    if io::stdout().is_terminal() {
        line = fitting(&line, time.len() + 2);
    }
    match kind {
        Kind::Text | Kind::Answer => out(&line),
        Kind::Notice | Kind::Problem => {
            complain(&line);
            Ok(())
        }
    }
}

/// What one has said oneself.
fn is_echo(note: &Note) -> bool {
    matches!(note, Note::Said { .. } | Note::Written { .. })
}

/// Which way the relay answers: a script does not need to know.
fn is_greeting(note: &Note) -> bool {
    matches!(note, Note::Event(Event::Contact { .. }))
}

/// Before a line, if it is wanted.
pub fn time(wanted: bool) -> String {
    if wanted { clock::now() + " " } else { String::new() }
}

fn out(line: &str) -> io::Result<()> {
    writeln!(io::stdout(), "{line}")
}

/// To the standard error, whose loss is nobody's business.
fn complain(line: &str) {
    let _ = writeln!(io::stderr(), "{line}");
}
