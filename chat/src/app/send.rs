//! `chat send --group` and `chat send-all`: joins a group, sends, makes sure that it was a member to the end, and leaves.

use std::io;
use std::time::Instant;

use chat::{Client, Event, Note, Place, Protocol, Request, RequestError, SendError};
use wire::GroupId;

use super::errand::Errand;
use super::exit::Exit;
use super::patience::Patience;
use super::personal::Signature;
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
    patience: Patience,
    exit: Exit,
}

/// Who is to have it.
#[derive(Clone, Debug)]
pub enum Audience {
    /// This group.
    Group(GroupId),
    /// Everybody in the lobby, which whoever registers comes into.
    Lobby,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    Register,
    Registering,
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
        patience: Patience,
    ) -> Self {
        let more = text.is_none();
        let step = if name.is_some() { Step::Register } else { Step::Join };
        Self { client, audience, name, step, text, more, count: 0, patience, exit: Exit::Ok }
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
        if let Some((_, credentials)) = &mut self.name
            && let Err(error) = credentials.consider(&event)
        {
            screen.problem(&format!("{error:#}"));
            self.exit = Exit::Failed;
        }
        match event {
            // Its claim is for `chat reg` to print.
            Event::Registered { again: false, .. } if self.step == Step::Registering => {
                self.step = Step::Join;
                return Ok(());
            }
            Event::Joined { group, again: false } if self.is_awaited(group) => self.step = Step::Sending,
            Event::Members { group, count } if self.step == Step::Confirming => {
                self.leave(now);
                return screen.sent(group, self.count, count);
            }
            Event::Refused { .. }
            | Event::RefusedOtherwise { .. }
            | Event::NoAnswer { .. }
            | Event::NotExtended
            | Event::NameTaken(_)
            | Event::NameMoved(_)
            | Event::Lost { .. }
            | Event::Corrected(_)
                if self.step != Step::Leaving =>
            {
                self.fail(now);
            }
            // What was sent before may have been lost with the session.
            Event::Resumed { anew: true } if self.step != Step::Leaving && self.count > 0 => self.fail(now),
            // What others say meanwhile is for `chat listen`.
            Event::Text { .. } | Event::Message { .. } => return Ok(()),
            _ => {}
        }
        screen.show(&Note::Event(event))
    }

    fn go_on(&mut self, screen: &mut Screen, now: Instant) {
        if !self.client.is_ready(now) {
            return;
        }
        match self.step {
            Step::Register => self.register(screen, now),
            Step::Join => self.join(screen, now),
            Step::Sending => {
                if let Some(text) = self.text.take() {
                    self.say(&text, screen, now);
                }
                // Nothing comes after the last message that would wake us.
                if !self.more && self.client.is_ready(now) {
                    self.step = Step::Confirming;
                    // The client is ready.
                    let _ = self.client.request(Request::Who, now);
                }
            }
            Step::Registering | Step::Joining | Step::Confirming | Step::Leaving => {}
        }
    }

    fn register(&mut self, screen: &mut Screen, now: Instant) {
        let Some((name, credentials)) = &mut self.name else { return };
        let request = match self.client.protocol() {
            Some(Protocol::Base) => Err(RequestError::BaseOnly.into()),
            _ => credentials.register(name),
        };
        self.step = Step::Registering;
        match request {
            // The client is ready, and the name was looked at.
            Ok(request) => drop(self.client.request(request, now)),
            Err(error) => {
                screen.problem(&format!("{error:#}"));
                self.fail(now);
            }
        }
    }

    fn join(&mut self, screen: &mut Screen, now: Instant) {
        match self.audience {
            Audience::Group(group) => {
                self.step = Step::Joining;
                // The client is ready.
                let _ = self.client.request(Request::Join(group), now);
            }
            Audience::Lobby if self.client.group().is_some() => self.step = Step::Sending,
            Audience::Lobby => {
                screen.problem("this relay has no lobby: say which group, with --group");
                self.fail(now);
            }
        }
    }

    /// Whether this is the group to send to, and not a lobby that comes before it.
    fn is_awaited(&self, joined: GroupId) -> bool {
        self.step == Step::Joining && matches!(self.audience, Audience::Group(group) if group == joined)
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
        // The lines of the input may take their time.
        if self.step == Step::Sending && !self.client.is_out_of_contact() {
            self.patience.renew(now);
        }
        if self.step != Step::Leaving && self.patience.is_over(now) {
            screen.problem(self.patience.words());
            self.fail(now);
        }
        let mut step = None;
        // One step may be all that the next one waits for.
        while step.replace(self.step) != Some(self.step) {
            self.go_on(screen, now);
        }
        Ok(self.client.is_finished().then_some(self.exit))
    }

    fn hang_up(&mut self, now: Instant) {
        self.leave(now);
    }

    fn line(&mut self, line: Vec<u8>, _: Place, _: Instant) {
        self.text = Some(line);
    }

    fn end(&mut self, _: Instant) {
        self.more = false;
    }

    fn wants_line(&mut self, now: Instant) -> Option<Place> {
        let hungry =
            self.more && self.text.is_none() && self.step == Step::Sending && self.client.is_ready(now);
        hungry.then(Place::default)
    }

    fn wake_at(&self, now: Instant) -> Option<Instant> {
        self.patience.wake_at(now)
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use chat::{Config, Transmit, Transport};
    use wire::Token;

    use super::*;

    fn server() -> SocketAddr {
        ([192, 0, 2, 1], 5000).into()
    }

    /// What is sent when the relay says this.
    fn heard(send: &mut Send, reply: &str, now: Instant) -> Vec<String> {
        send.client().receive(server(), reply.as_bytes(), now);
        send.advance(&mut Screen::Closed, now).unwrap();
        let datagram = |transmit| match transmit {
            Transmit::Send { datagram, .. } => Some(String::from_utf8(datagram).unwrap()),
            Transmit::Open(_) => None,
        };
        std::iter::from_fn(|| send.client().poll_transmit()).filter_map(datagram).collect()
    }

    #[test]
    fn the_last_message_is_followed_by_its_question_at_once() {
        let now = Instant::now();
        let config = Config { transports: vec![Transport::Udp], watches: false, ..Config::new(server()) };
        let client = Client::seeded(config, 1, now);
        let audience = Audience::Group("HOME".parse().unwrap());
        let mut send = Send::new(client, audience, None, Some(b"hello".into()), Patience::new(None, now));
        send.client().opened(now);
        let asked = heard(&mut send, &format!("!OK HELLO 2 {} 60.0", Token::of(7)), now);
        assert_eq!(asked, ["!HELLO 2", "!JOIN HOME"]);
        assert_eq!(heard(&mut send, "!OK JOINED HOME", now), ["hello", "!WHO"]);
        assert_eq!(heard(&mut send, "!OK WHO HOME 2", now), ["!LEAVE HOME"]);
    }
}
