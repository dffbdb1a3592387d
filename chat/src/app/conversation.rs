//! Talking: lines typed or piped in, everything shown.

use std::io;
use std::time::{Duration, Instant};

use chat::{Client, Talk};
use wire::GroupId;

use super::errand::Errand;
use super::exit::Exit;
use super::screen::Screen;

/// How long the next prompt waits for an answer, so that it shows the group.
const PROMPT_PATIENCE: Duration = Duration::from_millis(400);

/// A person or a script that talks.
pub struct Conversation {
    talk: Talk,
    /// Somebody is typing: do not let them wait for long.
    at_terminal: bool,
    last_line: Instant,
    ended: bool,
}

impl Conversation {
    /// Talks through this client.
    pub fn new(client: Client, join: Option<GroupId>, at_terminal: bool, now: Instant) -> Self {
        let mut talk = Talk::new(client);
        if let Some(group) = join {
            talk.line(format!("/join {group}").into_bytes(), now);
        }
        Self { talk, at_terminal, last_line: now, ended: false }
    }
}

impl Errand for Conversation {
    fn client(&mut self) -> &mut Client {
        self.talk.client()
    }

    fn advance(&mut self, screen: &mut Screen, now: Instant) -> io::Result<Option<Exit>> {
        self.talk.advance(now);
        while let Some(note) = self.talk.note() {
            screen.show(&note)?;
        }
        Ok(self.talk.client().is_finished().then_some(Exit::Ok))
    }

    fn hang_up(&mut self, now: Instant) {
        self.ended = true;
        self.talk.hang_up(now);
    }

    fn line(&mut self, line: Vec<u8>, now: Instant) {
        self.last_line = now;
        self.talk.line(line, now);
    }

    fn end(&mut self, now: Instant) {
        self.ended = true;
        self.talk.end(now);
    }

    fn wants_line(&mut self, now: Instant) -> Option<String> {
        let patient = self.at_terminal && now >= self.last_line + PROMPT_PATIENCE;
        if self.ended || !(patient || self.talk.is_settled(now)) {
            return None;
        }
        Some(self.talk.client().group().map_or_else(|| "> ".to_owned(), |group| format!("{group}> ")))
    }

    fn wake_at(&self, now: Instant) -> Option<Instant> {
        let at = self.last_line + PROMPT_PATIENCE;
        (self.at_terminal && !self.ended && at > now).then_some(at)
    }
}
