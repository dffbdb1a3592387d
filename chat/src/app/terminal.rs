//! The terminal: line editing with history, and messages above the half-typed line.
//!
//! Two threads, because both can wait: one sits in the line editor, the other hands messages to it.

use std::cell::Cell;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender};
use std::thread;
use std::time::Duration;

use chat::Place;
use nix::sys::termios::{SetArg, Termios, tcgetattr, tcsetattr};
use ratatui::crossterm::terminal;
use rustyline::completion::Completer;
use rustyline::config::{BellStyle, ColorMode};
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::DefaultHistory;
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Cmd, ConditionalEventHandler, Config, Context, Editor, Event, EventContext, EventHandler};
use rustyline::{ExternalPrinter, KeyEvent, Movement, Prompt, RepeatCount};

use super::human::Kind;
use super::lines::Lines;
use super::post::Wake;
use super::screen::time;
use super::stage::{Order, Stage};
use super::words::Words;
use super::wrap::wrap;

/// How long the end of the program may wait for the last messages to be printed.
const FAREWELL: Duration = Duration::from_millis(500);
/// Of a terminal that does not say how wide it is.
const USUAL_WIDTH: u16 = 80;

/// The way to the terminal for messages.
#[derive(Clone)]
pub struct Printer {
    stage: Arc<Stage>,
    colour: bool,
    timestamps: bool,
}

/// Takes the terminal, unless it cannot do line editing.
pub fn open(wakes: SyncSender<Wake>, words: Words, timestamps: bool) -> Option<(Printer, Lines)> {
    let colour = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let config = Config::builder()
        .auto_add_history(true)
        .bell_style(BellStyle::None)
        .color_mode(if colour { ColorMode::Enabled } else { ColorMode::Disabled })
        .build();
    let before = tcgetattr(io::stdin()).ok()?;
    let stage = Arc::new(Stage::default());
    let mut editor = Editor::with_config(config).ok()?;
    editor.set_helper(Some(Help { stage: stage.clone(), words }));
    let printer = Printer { stage: stage.clone(), colour, timestamps };
    let interrupt = Interrupt { printer: printer.clone(), hinted: AtomicBool::new(false) };
    editor.bind_sequence(KeyEvent::ctrl('C'), EventHandler::Conditional(Box::new(interrupt)));
    let above = editor.create_external_printer().ok()?;
    thread::spawn({
        let stage = stage.clone();
        move || print(above, &before, &stage)
    });
    let lines = Lines::of(move |prompts| {
        edit(editor, &prompts, &wakes, &stage);
        stage.set_over();
    });
    Some((printer, lines))
}

impl Printer {
    /// Says where we are and where to begin, before the first prompt.
    pub fn greet(&self, server: &str) {
        let words = format!("chat through {server}: `help` shows what you can type, Ctrl-D ends");
        write_past_the_editor(&self.line(Kind::Notice, &words));
    }

    /// Prints above the line that is being typed.
    pub fn print(&self, kind: Kind, words: &str) {
        self.stage.print(self.line(kind, words));
    }

    fn line(&self, kind: Kind, words: &str) -> String {
        let sign = time(self.timestamps) + &kind.sign().to_string();
        let rows = fitting(&format!("{sign} {words}"), sign.len() + 1);
        let (sign, words) = rows.split_at(sign.len());
        match kind {
            _ if !self.colour => format!("{rows}\n"),
            Kind::Text => format!("\x1b[1;36m{sign}\x1b[0m{words}\n"),
            Kind::Answer | Kind::Notice => format!("\x1b[2m{rows}\x1b[0m\n"),
            Kind::Problem => format!("\x1b[31m{rows}\x1b[0m\n"),
        }
    }

    /// Takes the terminal away from the editor.
    pub fn release(&self) {
        self.stage.release();
    }

    /// Waits until everything is printed, but not for ever.
    pub fn finish(self) {
        self.stage.finish(FAREWELL);
    }
}

/// In rows as wide as the terminal: where that cut the line itself, its rest could look like a line of its own.
pub fn fitting(lines: &str, head: usize) -> String {
    let width = terminal::size().map_or(0, |(columns, _)| columns);
    let width = usize::from(if width == 0 { USUAL_WIDTH } else { width });
    let rows = lines
        .lines()
        .enumerate()
        .flat_map(|(place, line)| wrap(line, if place == 0 { head } else { 0 }, width));
    rows.collect::<Vec<String>>().join("\n")
}

fn print(mut above: impl ExternalPrinter, before: &Termios, stage: &Stage) {
    loop {
        match stage.next() {
            (Order::Print(line), past) => {
                if past || above.print(line.clone()).is_err() {
                    write_past_the_editor(&line);
                }
            }
            (Order::Release, _) => {
                // Ends the editor's bracketed paste and the line that is being typed.
                write_past_the_editor("\x1b[?2004l\r\n");
                let _ = tcsetattr(io::stdin(), SetArg::TCSANOW, before);
            }
            (Order::Finish, _) => return stage.set_finished(),
        }
    }
}

/// A terminal that has gone away needs no message about it.
fn write_past_the_editor(text: &str) {
    let mut terminal = io::stdout();
    let _ = terminal.write_all(text.as_bytes()).and_then(|()| terminal.flush());
}

fn edit(
    mut editor: Editor<Help, DefaultHistory>,
    prompts: &Receiver<Place>,
    wakes: &SyncSender<Wake>,
    stage: &Stage,
) {
    for place in prompts {
        let prompt = format!("{place}> ");
        let wake = loop {
            match editor.readline(&Ask::new(&prompt, stage)) {
                Ok(line) => break Wake::Line(line.into_bytes()),
                // Ctrl-\ and the like.
                Err(ReadlineError::Interrupted) => {}
                Err(_) => break Wake::End,
            }
        };
        let ended = matches!(wake, Wake::End);
        if wakes.send(wake).is_err() || ended {
            return;
        }
    }
}

/// A prompt that tells when it is first shown: then the editor has the terminal, and takes messages.
struct Ask<'a> {
    plain: &'a str,
    bold: String,
    stage: &'a Stage,
    shown: Cell<bool>,
}

impl<'a> Ask<'a> {
    fn new(prompt: &'a str, stage: &'a Stage) -> Self {
        Self { plain: prompt, bold: format!("\x1b[1m{prompt}\x1b[0m"), stage, shown: Cell::new(false) }
    }

    fn show(&self) {
        if !self.shown.replace(true) {
            self.stage.set_editing(true);
        }
    }
}

impl Prompt for Ask<'_> {
    fn raw(&self) -> &str {
        self.show();
        self.plain
    }

    fn styled(&self) -> &str {
        self.show();
        &self.bold
    }
}

/// What Ctrl-C does. It ends no prompt: what was typed ahead of a new one would be lost.
struct Interrupt {
    printer: Printer,
    hinted: AtomicBool,
}

impl ConditionalEventHandler for Interrupt {
    fn handle(&self, _: &Event, _: RepeatCount, _: bool, context: &EventContext<'_>) -> Option<Cmd> {
        if context.line().is_empty() && !self.hinted.swap(true, Ordering::Relaxed) {
            self.printer.print(Kind::Notice, "Ctrl-C drops a line that is typed; Ctrl-D or `quit` ends");
        }
        Some(Cmd::Kill(Movement::WholeBuffer))
    }
}

/// Completes the words of the helpers and names, and tells when a line is finished.
struct Help {
    stage: Arc<Stage>,
    words: Words,
}

impl rustyline::Helper for Help {}
impl Hinter for Help {
    type Hint = String;
}
impl Highlighter for Help {}

impl Validator for Help {
    fn validate(&self, _: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        // Enter was pressed: from here on the editor takes no messages until its next prompt.
        self.stage.set_editing(false);
        Ok(ValidationResult::Valid(None))
    }
}

impl Completer for Help {
    type Candidate = String;

    fn complete(&self, line: &str, pos: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<String>)> {
        let (start, words) = self.words.complete(&line[..pos]);
        Ok((start, words.into_iter().map(|word| word + " ").collect()))
    }
}
