//! The loop that every use of the client runs in.

use std::io;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use chat::{Client, Place, Talk};

use super::exit::Exit;
use super::lines::Lines;
use super::post::{Post, Wake};
use super::screen::Screen;

/// What is to be done with the client.
pub trait Errand {
    /// The client that it leads.
    fn client(&mut self) -> &mut Client;
    /// Goes on as far as it can; the exit once it is finished.
    ///
    /// # Errors
    /// The output cannot be written.
    fn advance(&mut self, screen: &mut Screen, now: Instant) -> io::Result<Option<Exit>>;
    /// Ends soon and politely.
    fn hang_up(&mut self, now: Instant);
    /// Takes a line of the input, and what the prompt said where it was typed.
    fn line(&mut self, _line: Vec<u8>, _prompt: Place, _now: Instant) {}
    /// The input has ended.
    fn end(&mut self, _now: Instant) {}
    /// The talk that it leads, for a screen that shows more than lines.
    fn talk(&mut self) -> Option<&mut Talk> {
        None
    }
    /// The prompt, if it wants a line now.
    fn wants_line(&mut self, _now: Instant) -> Option<Place> {
        None
    }
    /// The next time after now at which it wants to go on, besides the client.
    fn wake_at(&self, _now: Instant) -> Option<Instant> {
        None
    }
}

/// What the loop works with.
pub struct Surroundings {
    pub post: Post,
    pub wakes: Receiver<Wake>,
    pub screen: Screen,
    pub lines: Lines,
}

impl Surroundings {
    /// Runs an errand to its end.
    ///
    /// # Errors
    /// The output cannot be written, for another reason than that its reader has gone.
    pub fn run(mut self, errand: &mut dyn Errand) -> anyhow::Result<Exit> {
        let mut ended_by = None;
        loop {
            let now = Instant::now();
            match errand.advance(&mut self.screen, now) {
                Ok(None) => {}
                Ok(Some(exit)) => {
                    self.post.flush(errand.client(), now);
                    self.lines.stop();
                    self.screen.finish();
                    return Ok(ended_by.unwrap_or(exit));
                }
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                    self.screen = Screen::Closed;
                    ended_by = ended_by.or(Some(Exit::Ok));
                    errand.hang_up(now);
                    continue;
                }
                Err(error) => return Err(error.into()),
            }
            self.post.look(errand.client(), now);
            if let Some(trouble) = self.post.flush(errand.client(), now) {
                self.screen.problem(&trouble);
            }
            self.screen.draw(errand, now)?;
            if let Some(prompt) = errand.wants_line(now) {
                self.lines.ask(prompt);
            }
            match self.wait(errand) {
                Some(Wake::Signal(number)) if ended_by.is_some() => {
                    self.screen.release();
                    return Ok(Exit::Signal(number));
                }
                Some(Wake::Signal(number)) => {
                    ended_by = Some(Exit::Signal(number));
                    self.screen.release();
                    errand.hang_up(Instant::now());
                }
                wake => self.obey(wake, errand),
            }
        }
    }

    fn wait(&mut self, errand: &mut dyn Errand) -> Option<Wake> {
        let now = Instant::now();
        let times = [errand.wake_at(now), errand.client().deadline(now), Some(self.post.look_at())];
        let wake_at = times.into_iter().flatten().min();
        let patience = wake_at.map_or(Duration::MAX, |at| at.saturating_duration_since(now));
        self.wakes.recv_timeout(patience).ok()
    }

    fn obey(&mut self, wake: Option<Wake>, errand: &mut dyn Errand) {
        let now = Instant::now();
        match wake {
            Some(Wake::Key(key)) => self.screen.key(key, errand, now),
            Some(Wake::Line(line)) => {
                let prompt = self.lines.answered();
                errand.line(line, prompt, now);
            }
            Some(Wake::End) => errand.end(now),
            Some(Wake::Signal(_)) | None => errand.client().tick(now),
            Some(arrived) => self.post.take(arrived, errand.client(), now),
        }
    }
}
