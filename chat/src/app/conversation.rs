//! Talking: lines typed or piped in, everything shown.

use std::io;
use std::time::{Duration, Instant};

use chat::{Client, Event, Note, Place, Talk};

use super::errand::Errand;
use super::exit::Exit;
use super::folder::Folder;
use super::screen::Screen;
use super::shown::Shown;
use super::words::Words;

/// How long the next prompt waits for an answer, so that it shows the group.
const PROMPT_PATIENCE: Duration = Duration::from_millis(400);

/// A person or a script that talks.
pub struct Conversation {
    talk: Talk,
    kept: Option<Kept>,
    /// The name that was registered last: whom messages are for.
    name: String,
    words: Words,
    /// So many people were known when the words were told last.
    known: usize,
    /// Somebody is typing: do not let them wait for long.
    at_terminal: bool,
    last_line: Instant,
    ended: bool,
}

/// What is kept from one run to the next.
pub struct Kept {
    shown: Shown,
    /// That it cannot be kept what was shown is worth one line.
    in_vain: bool,
}

impl Kept {
    /// Of this relay, known by how it was given.
    pub fn new(folder: Folder, relay: &str) -> Self {
        Self { shown: Shown::new(folder, relay), in_vain: false }
    }

    fn judge<T: Default>(&mut self, done: io::Result<T>, screen: &mut Screen) -> T {
        done.unwrap_or_else(|error| {
            if !std::mem::replace(&mut self.in_vain, true) {
                screen.problem(&format!(
                    "cannot keep which messages were shown, so after a restart one may come again: {error}"
                ));
            }
            T::default()
        })
    }
}

impl Conversation {
    /// Leads this talk, keeps what is to be kept, and tells the words for completion.
    pub fn new(talk: Talk, kept: Option<Kept>, words: Words, at_terminal: bool, now: Instant) -> Self {
        let name = String::new();
        Self { talk, kept, name, words, known: 0, at_terminal, last_line: now, ended: false }
    }

    /// Keeps which messages were shown under a name.
    fn keep(&mut self, note: &Note, screen: &mut Screen) {
        let (Note::Event(event), Some(kept)) = (note, &mut self.kept) else { return };
        match event {
            Event::Registered { name, .. } => {
                self.name.clone_from(name);
                // Messages follow the name.
                for (from, id) in kept.judge(kept.shown.load(name), screen) {
                    self.talk.client().remember(&from, id);
                }
            }
            Event::Message { from, id, .. } => kept.judge(kept.shown.keep(&self.name, from, *id), screen),
            _ => {}
        }
    }
}

impl Errand for Conversation {
    fn client(&mut self) -> &mut Client {
        self.talk.client()
    }

    fn talk(&mut self) -> Option<&mut Talk> {
        Some(&mut self.talk)
    }

    fn advance(&mut self, screen: &mut Screen, now: Instant) -> io::Result<Option<Exit>> {
        self.talk.advance(now);
        // Who types is told what waits. What came by a pipe is sent, however long the relay takes.
        if self.ended && (self.at_terminal || self.talk.is_settled(now)) {
            self.talk.end(now);
        }
        // A list of people comes without a note.
        let known = self.talk.client().people().count();
        let mut changed = std::mem::replace(&mut self.known, known) != known;
        while let Some(note) = self.talk.note() {
            changed = true;
            screen.show(&note)?;
            self.keep(&note, screen);
        }
        if changed && self.at_terminal {
            self.words.set(self.talk.names(), self.talk.groups());
        }
        // Who types has seen it, and did something else.
        let exit = if self.talk.is_refused() && !self.at_terminal { Exit::Failed } else { Exit::Ok };
        Ok(self.talk.client().is_finished().then_some(exit))
    }

    fn hang_up(&mut self, now: Instant) {
        self.ended = true;
        self.talk.hang_up(now);
    }

    fn line(&mut self, line: Vec<u8>, prompt: Place, now: Instant) {
        self.last_line = now;
        if self.at_terminal {
            self.talk.line_for(line, prompt, now);
        } else {
            self.talk.line(line, now);
        }
    }

    fn end(&mut self, _: Instant) {
        self.ended = true;
    }

    fn wants_line(&mut self, now: Instant) -> Option<Place> {
        // Where somebody sees it, the prompt waits a little for the group that a name may bring.
        let patient = self.at_terminal && now >= self.last_line + PROMPT_PATIENCE;
        let is_calm = !self.at_terminal || self.talk.client().is_idle();
        let wanted = !self.ended && (patient || (is_calm && self.talk.wants_line(now)));
        wanted.then(|| self.talk.place())
    }

    fn wake_at(&self, now: Instant) -> Option<Instant> {
        let at = self.last_line + PROMPT_PATIENCE;
        (self.at_terminal && !self.ended && at > now).then_some(at)
    }
}
