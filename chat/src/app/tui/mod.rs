//! The full screen: the terminal is taken, drawn on, listened to, and given back whatever happens.

mod edit;
mod model;
mod view;

use std::io;
use std::sync::mpsc::SyncSender;
use std::thread;
use std::time::Instant;

use chat::{Helper, Note, Person, Place, Talk};
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{
    self, DisableBracketedPaste, EnableBracketedPaste, Event, KeyCode, KeyEvent,
};
use ratatui::crossterm::event::{KeyEventKind, KeyModifiers};
use ratatui::crossterm::execute;

use super::clock;
use super::human::Kind;
use super::post::Wake;
use super::terminal::fitting;
use edit::Edit;
pub use edit::Typed;
use model::Model;
use view::View;

/// The terminal, what it shows, and the line that is typed.
pub struct Tui {
    /// Nothing once it is given back: then lines are printed plainly.
    terminal: Option<DefaultTerminal>,
    model: Model,
    /// The room that was drawn last.
    drawn: usize,
    edit: Edit,
    /// What the group's prompt says, as it was drawn last.
    prompt: Place,
    /// The same where the line that is typed was begun, or the room was chosen.
    begun: Option<Place>,
    server: String,
    is_coloured: bool,
}

impl Tui {
    /// Takes the terminal. A panic gives it back before it is reported.
    ///
    /// # Errors
    /// The terminal cannot be taken.
    pub fn open(server: String, wakes: SyncSender<Wake>) -> io::Result<Self> {
        let terminal = ratatui::try_init()?;
        execute!(io::stdout(), EnableBracketedPaste)?;
        thread::spawn(move || {
            // Reading fails once the terminal has gone.
            while let Ok(event) = event::read() {
                if wakes.send(Wake::Key(event)).is_err() {
                    return;
                }
            }
            let _ = wakes.send(Wake::End);
        });
        let is_coloured = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let mut model = Model::new(server.clone());
        let words = "`/help` shows what you can type; Ctrl-N and Ctrl-P change rooms, PageUp and PageDown scroll, Ctrl-D ends";
        model.say(Kind::Notice, words, &clock::now());
        let edit = Edit::default();
        let (terminal, prompt) = (Some(terminal), Place::default());
        Ok(Self { terminal, model, drawn: 0, edit, prompt, begun: None, server, is_coloured })
    }

    /// Shows a note.
    pub fn show(&mut self, note: &Note) {
        let time = clock::now();
        if self.terminal.is_none() {
            let (kind, words) = super::human::words(note, &self.server);
            println!("{}", fitting(&format!("{} {words}", kind.sign()), 2));
        }
        self.model.show(note, &time);
    }

    /// Shows trouble that is not the relay's.
    pub fn problem(&mut self, words: &str) {
        self.model.say(Kind::Problem, words, &clock::now());
    }

    /// Takes a key.
    pub fn key(&mut self, event: Event, talk: &mut Talk) -> Typed {
        if self.edit.parts().0.is_empty() {
            self.begun = None;
        }
        self.begun.get_or_insert_with(|| self.prompt.clone());
        match event {
            Event::Key(key) if key.kind != KeyEventKind::Release => return self.press(key, talk),
            Event::Paste(text) => self.edit.paste(&text),
            _ => {}
        }
        Typed::Nothing
    }

    /// What the group's prompt said when the line was begun that has come.
    pub fn asked(&mut self) -> Place {
        self.begun.take().unwrap_or_default()
    }

    /// Brings the screen up to date.
    ///
    /// # Errors
    /// The terminal cannot be written.
    pub fn draw(&mut self, talk: &mut Talk, now: Instant) -> io::Result<()> {
        let Some(terminal) = &mut self.terminal else { return Ok(()) };
        self.prompt = talk.place();
        let status = talk.client().status(now);
        let people: Vec<Person> = talk.client().people().cloned().collect();
        let (line, before) = self.edit.parts();
        let view = View {
            model: &self.model,
            people: &people,
            status: &status,
            server: &self.server,
            direct: talk.direct(),
            typed: (&line, &before),
            is_coloured: self.is_coloured,
        };
        view.show(terminal, &mut self.drawn)
    }

    /// Gives the terminal back.
    pub fn release(&mut self) {
        if self.terminal.take().is_some() {
            // A terminal that has gone away needs nothing.
            let _ = execute!(io::stdout(), DisableBracketedPaste);
            let _ = ratatui::try_restore();
        }
    }

    fn press(&mut self, key: KeyEvent, talk: &mut Talk) -> Typed {
        let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('n') if is_control => self.turn(true),
            KeyCode::Char('p') if is_control => self.turn(false),
            KeyCode::PageUp => self.model.scroll(10),
            KeyCode::PageDown => self.model.scroll(-10),
            _ => return self.edit(key, talk),
        }
        Typed::Nothing
    }

    /// Whoever turns to another room takes the line along.
    fn turn(&mut self, forward: bool) {
        self.model.turn(forward);
        self.begun = None;
    }

    fn edit(&mut self, key: KeyEvent, talk: &mut Talk) -> Typed {
        let (names, groups) = (talk.names(), talk.groups());
        match self.edit.key(key, |typed| Helper::complete(typed, &names, &groups)) {
            Typed::Line(line) => Typed::Line(self.model.typed(line)),
            other => other,
        }
    }
}

impl Drop for Tui {
    fn drop(&mut self) {
        self.release();
    }
}
