//! `chat send`: joins a group, sends, makes sure that it was a member to the end, and leaves.

use std::io;
use std::time::Instant;

use chat::{Client, Event, Note, Request, SendError};
use wire::GroupId;

use super::errand::Errand;
use super::exit::Exit;
use super::screen::Screen;
use chat::cli::SendArgs;

/// Sends one message, or the lines of the input.
pub struct Send {
    client: Client,
    group: GroupId,
    step: Step,
    /// The next message.
    text: Option<Vec<u8>>,
    more: bool,
    count: u64,
    deadline: Option<Instant>,
    exit: Exit,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Join,
    Joining,
    Sending,
    Confirming,
    Leaving,
}

impl Send {
    /// Sends through this client.
    pub fn new(client: Client, args: &SendArgs, now: Instant) -> Self {
        let text = args.message();
        let more = text.is_none();
        let deadline = args.timeout.map(|timeout| now + timeout);
        Self { client, group: args.group, step: Step::Join, text, more, count: 0, deadline, exit: Exit::Ok }
    }

    fn fail(&mut self, now: Instant) {
        self.exit = Exit::Failed;
        self.leave(now);
    }

    fn leave(&mut self, now: Instant) {
        self.step = Step::Leaving;
        self.client.goodbye(now);
    }

    fn consider(&mut self, event: Event, screen: &mut Screen, now: Instant) -> io::Result<()> {
        match event {
            Event::Joined { again: false, .. } => self.step = Step::Sending,
            Event::Members { group, count } if self.step == Step::Confirming => {
                self.leave(now);
                return screen.sent(group, self.count, count);
            }
            Event::Refused { .. }
            | Event::RefusedOtherwise { .. }
            | Event::NoAnswer { .. }
            | Event::Lost { .. }
            | Event::Corrected(_)
                if self.step != Step::Leaving =>
            {
                self.fail(now);
            }
            // What others say meanwhile is for `chat listen`.
            Event::Text { .. } => return Ok(()),
            _ => {}
        }
        screen.show(&Note::Event(event))
    }

    fn go_on(&mut self, screen: &mut Screen, now: Instant) {
        if !self.client.is_ready(now) {
            return;
        }
        match self.step {
            Step::Join => {
                self.step = Step::Joining;
                // The client is ready, as it is below.
                let _ = self.client.ask(Request::Join(self.group), now);
            }
            Step::Sending => {
                if let Some(text) = self.text.take() {
                    self.say(&text, screen, now);
                } else if !self.more {
                    self.step = Step::Confirming;
                    let _ = self.client.ask(Request::Who, now);
                }
            }
            Step::Joining | Step::Confirming | Step::Leaving => {}
        }
    }

    fn say(&mut self, text: &[u8], screen: &mut Screen, now: Instant) {
        match self.client.send(text, now) {
            Ok(()) => self.count += 1,
            Err(SendError::Empty) => {}
            // The lines behind it can still be sent, but not everything was.
            Err(error) => {
                self.exit = Exit::Failed;
                screen.problem(&format!("a line was not sent: {error}"));
            }
        }
    }
}

impl Errand for Send {
    fn client(&mut self) -> &mut Client {
        &mut self.client
    }

    fn advance(&mut self, screen: &mut Screen, now: Instant) -> io::Result<Option<Exit>> {
        self.client.tick(now);
        while let Some(event) = self.client.event() {
            self.consider(event, screen, now)?;
        }
        if self.step != Step::Leaving && self.deadline.is_some_and(|deadline| deadline <= now) {
            screen.problem("not done within --timeout");
            self.fail(now);
        }
        self.go_on(screen, now);
        if self.step == Step::Sending && self.text.is_none() && !self.more {
            self.go_on(screen, now);
        }
        Ok(self.client.is_finished().then_some(self.exit))
    }

    fn hang_up(&mut self, now: Instant) {
        self.leave(now);
    }

    fn line(&mut self, line: Vec<u8>, _: Instant) {
        self.text = Some(line);
    }

    fn end(&mut self, _: Instant) {
        self.more = false;
    }

    fn wants_line(&mut self, now: Instant) -> Option<String> {
        let hungry =
            self.more && self.text.is_none() && self.step == Step::Sending && self.client.is_ready(now);
        hungry.then(String::new)
    }

    fn wake_at(&self, now: Instant) -> Option<Instant> {
        self.deadline.filter(|&deadline| deadline > now)
    }
}
