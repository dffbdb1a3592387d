//! `chat send --group` and `chat send-all`: joins a group, sends, makes sure that it was a member to the end, and leaves.

use std::io;
use std::time::{Duration, Instant};

use chat::{Client, Event, Note, Request, SendError};
use wire::{GroupId, Token};

use super::errand::Errand;
use super::exit::Exit;
use super::screen::Screen;

/// Sends one message, or the lines of the input.
pub struct Send {
    client: Client,
    audience: Audience,
    name: Option<Signature>,
    step: Step,
    /// The next message.
    text: Option<Vec<u8>>,
    more: bool,
    count: u64,
    /// How often it was looked for a lobby, and when again.
    looks: u32,
    look_at: Option<Instant>,
    deadline: Option<Instant>,
    exit: Exit,
}

/// How often it is looked for a lobby, and how long between.
const LOOKS: u32 = 3;
const PAUSE: Duration = Duration::from_millis(200);

/// Who is to have it.
#[derive(Clone, Debug)]
pub enum Audience {
    /// This group.
    Group(GroupId),
    /// Everybody in the lobby, which whoever registers comes into.
    Lobby,
}

/// Under which name, with what proves it.
pub type Signature = (String, Option<Token>);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Register,
    Registering,
    /// Whether there is a lobby.
    Looking,
    Join,
    Joining,
    Sending,
    Confirming,
    Leaving,
}

impl Send {
    /// Sends through this client: this message, or else the lines of the input; with a name if one is given.
    pub fn new(
        client: Client,
        audience: Audience,
        name: Option<Signature>,
        text: Option<Vec<u8>>,
        deadline: Option<Instant>,
    ) -> Self {
        let more = text.is_none();
        let step = if name.is_some() { Step::Register } else { Step::Join };
        Self {
            client,
            audience,
            name,
            step,
            text,
            more,
            count: 0,
            looks: 0,
            look_at: None,
            deadline,
            exit: Exit::Ok,
        }
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
            Event::Registered { again: false, .. } if self.step == Step::Registering => {
                self.step = Step::Join;
            }
            Event::Joined { again: false, .. } if matches!(self.step, Step::Join | Step::Joining) => {
                self.step = Step::Sending;
            }
            Event::Members { .. } if self.step == Step::Looking => self.step = Step::Sending,
            Event::Joined { .. } if self.step == Step::Looking => self.step = Step::Sending,
            Event::Refused { .. } if self.step == Step::Looking => {
                self.look_again(screen, now);
                return Ok(());
            }
            Event::Members { group, count } if self.step == Step::Confirming => {
                self.leave(now);
                return screen.sent(group, self.count, count);
            }
            Event::Refused { .. }
            | Event::RefusedOtherwise { .. }
            | Event::NoAnswer { .. }
            | Event::NoContact { .. }
            | Event::NotExtended
            | Event::NameTaken(_)
            | Event::NameMoved(_)
            | Event::Lost { .. }
            | Event::Corrected(_)
                if self.step != Step::Leaving =>
            {
                self.fail(now);
            }
            // What others say meanwhile is for `chat listen`.
            Event::Text { .. } | Event::Message { .. } => return Ok(()),
            _ => {}
        }
        screen.show(&Note::Event(event))
    }

    fn go_on(&mut self, screen: &mut Screen, now: Instant) {
        if !self.client.is_ready(now) || self.look_at.is_some_and(|at| at > now) {
            return;
        }
        match self.step {
            Step::Register => self.register(screen, now),
            Step::Join => self.join(now),
            Step::Sending => {
                if let Some(text) = self.text.take() {
                    self.say(&text, screen, now);
                } else if !self.more {
                    self.step = Step::Confirming;
                    // The client is ready.
                    let _ = self.client.request(Request::Who, now);
                }
            }
            Step::Registering | Step::Looking | Step::Joining | Step::Confirming | Step::Leaving => {}
        }
    }

    fn register(&mut self, screen: &mut Screen, now: Instant) {
        let Some((name, claim)) = self.name.take() else { return };
        self.step = Step::Registering;
        if let Err(error) = self.client.request(Request::Register { name, claim }, now) {
            screen.problem(&error.to_string());
            self.fail(now);
        }
    }

    fn join(&mut self, now: Instant) {
        let (step, request) = match self.audience {
            Audience::Group(group) => (Step::Joining, Request::Join(group)),
            Audience::Lobby => (Step::Looking, Request::Who),
        };
        self.step = step;
        // The client is ready.
        let _ = self.client.request(request, now);
    }

    /// The relay brings whoever registers into its lobby, a moment after it has said so.
    fn look_again(&mut self, screen: &mut Screen, now: Instant) {
        self.looks += 1;
        if self.looks < LOOKS {
            (self.step, self.look_at) = (Step::Join, Some(now + PAUSE));
            return;
        }
        self.fail(now);
        screen.problem("this relay has no lobby: say which group, with --group");
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
        while let Some(event) = self.client.poll_event() {
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
        [self.deadline, self.look_at].into_iter().flatten().filter(|&at| at > now).min()
    }
}
