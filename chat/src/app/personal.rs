//! `chat reg`, `chat dereg` and `chat send NAME`: what is done under a name.

use std::io;
use std::time::Instant;

use chat::{Client, Credentials, Event, Fate, Note, Protocol, Request, RequestError};

use super::errand::Errand;
use super::exit::Exit;
use super::patience::Patience;
use super::screen::Screen;

/// Under which name, with what proves it.
pub type Signature = (String, Credentials);

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Task {
    Register,
    Deregister,
    Send { to: String, text: Vec<u8> },
}

/// Has a name, does something, and gives it up.
pub struct Personal {
    client: Client,
    name: String,
    credentials: Credentials,
    task: Task,
    step: Step,
    patience: Patience,
    exit: Exit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Begin,
    Registering,
    /// The name is had; into which group that brings is still to be told.
    Registered,
    Working,
    Leaving,
}

impl Personal {
    /// Does it through this client, under this name.
    pub fn new(client: Client, (name, credentials): Signature, task: Task, patience: Patience) -> Self {
        Self { client, name, credentials, task, step: Step::Begin, patience, exit: Exit::Ok }
    }

    fn leave(&mut self, exit: Exit, now: Instant) {
        if self.step != Step::Leaving {
            self.exit = if self.has_it() { self.exit } else { exit };
            self.step = Step::Leaving;
            self.client.goodbye(now);
        }
    }

    /// A name is all that was wanted, and is had, whatever comes behind that.
    fn has_it(&self) -> bool {
        self.task == Task::Register && self.step == Step::Registered
    }

    fn go_on(&mut self, screen: &mut Screen, now: Instant) {
        let is_extended = self.client.protocol() == Some(Protocol::Extended);
        if !is_extended || !self.client.is_ready(now) {
            return;
        }
        match self.step {
            Step::Begin => self.register(screen, now),
            Step::Registered => self.work(screen, now),
            Step::Registering | Step::Working | Step::Leaving => {}
        }
    }

    fn register(&mut self, screen: &mut Screen, now: Instant) {
        self.step = Step::Registering;
        match self.credentials.register(&self.name) {
            // The client is ready, and the name was looked at.
            Ok(request) => drop(self.client.request(request, now)),
            Err(error) => {
                screen.problem(&format!("{error:#}"));
                self.leave(Exit::Failed, now);
            }
        }
    }

    fn consider(&mut self, event: Event, screen: &mut Screen, now: Instant) -> io::Result<()> {
        if let Err(error) = self.credentials.consider(&event) {
            screen.problem(&format!("{error:#}"));
            self.exit = Exit::Failed;
        }
        match &event {
            Event::Registered { again: false, .. } if self.step == Step::Registering => {
                self.step = Step::Registered;
                if self.task != Task::Register {
                    return Ok(());
                }
            }
            Event::Deregistered(_) => self.leave(self.exit, now),
            Event::Fate { fate, .. } => {
                self.judge(*fate, now);
                return screen.fate(&event);
            }
            Event::NameTaken(_) | Event::NameMoved(_) | Event::NotExtended => self.leave(Exit::Failed, now),
            Event::Refused { .. } | Event::RefusedOtherwise { .. } => self.leave(Exit::Failed, now),
            Event::Contact { protocol: Protocol::Base, .. } => {
                screen.problem(&RequestError::BaseOnly.to_string());
                self.leave(Exit::Failed, now);
            }
            // Mail is for `chat` itself: what is not acknowledged stays stored, what is shown is not.
            _ => {}
        }
        screen.show(&Note::Event(event))
    }

    fn work(&mut self, screen: &mut Screen, now: Instant) {
        match self.task.clone() {
            Task::Register => self.leave(self.exit, now),
            Task::Deregister => {
                self.step = Step::Working;
                // The client is ready.
                let _ = self.client.request(Request::Deregister, now);
            }
            Task::Send { to, text } => {
                self.step = Step::Working;
                if let Err(error) = self.client.message(&to, &text, now) {
                    screen.problem(&format!("not sent: {error}"));
                    self.leave(Exit::Failed, now);
                }
            }
        }
    }

    fn judge(&mut self, fate: Fate, now: Instant) {
        match fate {
            Fate::Sent | Fate::Deferred => {}
            Fate::Delivered | Fate::Stored => self.leave(Exit::Ok, now),
            Fate::NoSuchName => self.leave(Exit::NoSuchName, now),
            Fate::MailboxFull => self.leave(Exit::MailboxFull, now),
            Fate::NotRegistered | Fate::Refused => self.leave(Exit::Failed, now),
            Fate::Unknown => self.leave(Exit::Unanswered, now),
        }
    }
}

impl Errand for Personal {
    fn client(&mut self) -> &mut Client {
        &mut self.client
    }

    fn advance(&mut self, screen: &mut Screen, now: Instant) -> io::Result<Option<Exit>> {
        self.client.tick(now);
        while let Some(event) = self.client.poll_event() {
            self.consider(event, screen, now)?;
        }
        self.go_on(screen, now);
        if self.step != Step::Leaving && self.patience.is_over(now) {
            if !self.has_it() {
                screen.problem(self.patience.words());
            }
            self.leave(Exit::Unanswered, now);
        }
        Ok(self.client.is_finished().then_some(self.exit))
    }

    fn hang_up(&mut self, now: Instant) {
        self.leave(Exit::Failed, now);
    }

    fn wake_at(&self, now: Instant) -> Option<Instant> {
        self.patience.wake_at(now)
    }
}
