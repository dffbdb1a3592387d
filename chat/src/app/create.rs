//! `chat create`: makes a group and prints its id.

use std::io;
use std::time::Instant;

use chat::{Client, Event, Note, Request};

use super::errand::Errand;
use super::exit::Exit;
use super::patience::Patience;
use super::screen::Screen;

/// Makes one group.
pub struct Create {
    client: Client,
    asked: bool,
    patience: Patience,
}

impl Create {
    /// Makes it through this client.
    pub fn new(client: Client, patience: Patience) -> Self {
        Self { client, asked: false, patience }
    }
}

impl Errand for Create {
    fn client(&mut self) -> &mut Client {
        &mut self.client
    }

    fn advance(&mut self, screen: &mut Screen, now: Instant) -> io::Result<Option<Exit>> {
        if !self.asked {
            self.asked = self.client.request(Request::Create, now).is_ok();
        }
        self.client.tick(now);
        while let Some(event) = self.client.poll_event() {
            let exit = match event {
                Event::Created(_) => Some(Exit::Ok),
                Event::Refused { .. }
                | Event::RefusedOtherwise { .. }
                | Event::NoAnswer { .. }
                | Event::NotExtended => Some(Exit::Failed),
                _ => None,
            };
            screen.show(&Note::Event(event))?;
            if exit.is_some() {
                return Ok(exit);
            }
        }
        if self.patience.is_over(now) {
            screen.problem(self.patience.words());
            return Ok(Some(Exit::Failed));
        }
        Ok(self.client.is_finished().then_some(Exit::Failed))
    }

    fn hang_up(&mut self, now: Instant) {
        self.client.goodbye(now);
    }

    fn wake_at(&self, now: Instant) -> Option<Instant> {
        self.patience.wake_at(now)
    }
}
