//! `chat listen`: prints what is said in a group.

use std::io;
use std::time::Instant;

use chat::{Client, Event, Note, Request};
use wire::GroupId;

use super::errand::Errand;
use super::exit::Exit;
use super::screen::Screen;
use chat::cli::ListenArgs;

/// Listens to one group.
pub struct Listen {
    client: Client,
    group: GroupId,
    asked: bool,
    /// Payloads still to come.
    left: Option<u64>,
    deadline: Option<Instant>,
    exit: Option<Exit>,
}

impl Listen {
    /// Listens through this client.
    pub fn new(client: Client, args: &ListenArgs, now: Instant) -> Self {
        let deadline = args.timeout.map(|timeout| now + timeout);
        Self { client, group: args.group, asked: false, left: args.count, deadline, exit: None }
    }

    fn end(&mut self, exit: Exit, now: Instant) {
        self.exit = self.exit.or(Some(exit));
        self.client.goodbye(now);
    }

    fn consider(&mut self, event: &Event, now: Instant) {
        match event {
            Event::Text { .. } => {
                self.left = self.left.map(|left| left.saturating_sub(1));
                if self.left == Some(0) {
                    self.end(Exit::Ok, now);
                }
            }
            Event::Refused { .. }
            | Event::RefusedOtherwise { .. }
            | Event::NoAnswer { .. }
            | Event::NotExtended => self.end(Exit::Failed, now),
            _ => {}
        }
    }
}

impl Errand for Listen {
    fn client(&mut self) -> &mut Client {
        &mut self.client
    }

    fn advance(&mut self, screen: &mut Screen, now: Instant) -> io::Result<Option<Exit>> {
        if !self.asked {
            self.asked = self.client.request(Request::Join(self.group), now).is_ok();
        }
        self.client.tick(now);
        while let Some(event) = self.client.poll_event() {
            let enough = self.left == Some(0) && matches!(event, Event::Text { .. });
            if !enough {
                self.consider(&event, now);
                screen.show(&Note::Event(event))?;
            }
        }
        if self.exit.is_none() && self.deadline.is_some_and(|deadline| deadline <= now) {
            let was_member = self.client.home().is_some();
            if !was_member {
                screen.problem("gave up: no member of the group within --timeout");
            }
            let is_enough = was_member && self.left.is_none();
            self.end(if is_enough { Exit::Ok } else { Exit::Timeout }, now);
        }
        Ok(self.client.is_finished().then_some(self.exit.unwrap_or(Exit::Ok)))
    }

    fn hang_up(&mut self, now: Instant) {
        self.client.goodbye(now);
    }

    fn wake_at(&self, now: Instant) -> Option<Instant> {
        self.deadline.filter(|&deadline| deadline > now)
    }
}
