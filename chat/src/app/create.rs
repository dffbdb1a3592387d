//! `chat create`: makes a group and prints its id.

use std::io;
use std::time::Instant;

use chat::{Client, Event, Note, Request};

use super::errand::Errand;
use super::exit::Exit;
use super::screen::Screen;

/// Makes one group.
pub struct Create {
    client: Client,
    asked: bool,
}

impl Create {
    /// Makes it through this client.
    pub fn new(client: Client) -> Self {
        Self { client, asked: false }
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
                | Event::NoContact { .. }
                | Event::NotExtended => Some(Exit::Failed),
                _ => None,
            };
            screen.show(&Note::Event(event))?;
            if exit.is_some() {
                return Ok(exit);
            }
        }
        Ok(self.client.is_finished().then_some(Exit::Failed))
    }

    fn hang_up(&mut self, now: Instant) {
        self.client.goodbye(now);
    }
}
