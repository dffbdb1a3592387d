//! `chat reg`, `chat dereg` and `chat send NAME`: what is done under a name.

use std::io;
use std::time::{Duration, Instant};

use chat::{Client, Event, Fate, Note, Protocol, Request, RequestError};
use wire::Token;

use super::claims::Keeper;
use super::errand::Errand;
use super::exit::Exit;
use super::screen::Screen;

/// How long it may take, unless told otherwise: the relay itself tries to deliver a message for 4.5 s.
const PATIENCE: Duration = Duration::from_secs(15);

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
    keeper: Keeper,
    name: String,
    claim: Option<Token>,
    task: Task,
    step: Step,
    deadline: Instant,
    exit: Exit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Begin,
    Registering,
    Working,
    Leaving,
}

impl Personal {
    /// Does it through this client, under this name.
    pub fn new(
        client: Client,
        keeper: Keeper,
        (name, claim): (String, Option<Token>),
        task: Task,
        timeout: Option<Duration>,
        now: Instant,
    ) -> Self {
        let deadline = now + timeout.unwrap_or(PATIENCE);
        Self { client, keeper, name, claim, task, step: Step::Begin, deadline, exit: Exit::Ok }
    }

    fn leave(&mut self, exit: Exit, now: Instant) {
        if self.step != Step::Leaving {
            (self.step, self.exit) = (Step::Leaving, exit);
            self.client.goodbye(now);
        }
    }

    fn begin(&mut self, screen: &mut Screen, now: Instant) {
        if self.step != Step::Begin || !self.client.is_ready(now) {
            return;
        }
        self.step = Step::Registering;
        let request = Request::Register { name: self.name.clone(), claim: self.claim };
        // It is ready.
        if let Err(error) = self.client.request(request, now) {
            screen.problem(&error.to_string());
            self.leave(Exit::Failed, now);
        }
    }

    fn consider(&mut self, event: Event, screen: &mut Screen, now: Instant) -> io::Result<()> {
        match &event {
            Event::Registered { claim, again: false, .. } if self.step == Step::Registering => {
                self.registered(*claim, screen, now);
                if self.task != Task::Register {
                    return Ok(());
                }
            }
            Event::Deregistered(_) => self.leave(Exit::Ok, now),
            Event::Fate { fate, .. } => {
                self.judge(*fate, now);
                return screen.fate(&event);
            }
            Event::NameTaken(_) | Event::NameMoved(_) | Event::NotExtended => self.leave(Exit::Failed, now),
            Event::Refused { .. } | Event::RefusedOtherwise { .. } => self.leave(Exit::Failed, now),
            Event::NoAnswer { .. } | Event::NoContact { .. } => self.leave(Exit::Unanswered, now),
            Event::Contact { protocol: Protocol::Base, .. } => {
                screen.problem(&RequestError::BaseOnly.to_string());
                self.leave(Exit::Failed, now);
            }
            // Mail is for `chat` itself: what is not acknowledged stays stored, what is shown is not.
            _ => {}
        }
        screen.show(&Note::Event(event))
    }

    fn registered(&mut self, claim: Token, screen: &mut Screen, now: Instant) {
        self.step = Step::Working;
        if let Err(error) = self.keeper.keep(&self.name, claim) {
            screen.problem(&format!("{error:#}. This proves it: {claim}"));
            self.exit = Exit::Failed;
        }
        match self.task.clone() {
            Task::Register => self.leave(self.exit, now),
            Task::Deregister => {
                // Nothing else is asked.
                let _ = self.client.request(Request::Deregister, now);
            }
            Task::Send { to, text } => {
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
        self.begin(screen, now);
        while let Some(event) = self.client.poll_event() {
            self.consider(event, screen, now)?;
        }
        if self.step != Step::Leaving && self.deadline <= now {
            screen.problem("no answer within --timeout");
            self.leave(Exit::Unanswered, now);
        }
        Ok(self.client.is_finished().then_some(self.exit))
    }

    fn hang_up(&mut self, now: Instant) {
        self.leave(Exit::Failed, now);
    }

    fn wake_at(&self, now: Instant) -> Option<Instant> {
        Some(self.deadline).filter(|&deadline| deadline > now)
    }
}
