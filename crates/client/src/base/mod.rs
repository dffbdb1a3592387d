//! One client of one relay: what it asked, what it was answered, and what it believes.
//!
//! The base protocol cannot tell a reply from a payload: a member of the group may send `OK LEFT X` as text. So nothing
//! is a reply unless a request that it answers is on its way, and what would change the membership without having been
//! asked for is verified with a `!WHO` before it is believed. A member who floods forged replies can confuse this client
//! only while the flood lasts: surplus and contradicting answers lead to a new verification, and joining again the group
//! that one is in changes nothing.

mod answers;
mod belief;
mod past;
mod pulse;
mod request;
mod status;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use wire::{GroupId, MAX_DATAGRAM};

pub use pulse::{HEARTBEAT_RANGE, UNTOLD_HEARTBEAT};
pub use request::Request;
pub use status::Status;

use crate::Event;

use belief::Doubt;
use past::Past;
use pulse::Pulse;
use request::{Asked, Cause};

/// How often a request is sent before the client gives up.
pub const TRIES: u32 = 3;
/// How long one sending of a request may stay without an answer.
pub const PATIENCE: Duration = Duration::from_secs(1);
/// At most one automatic re-join in this time, so that two clients behind one address do not throw each other out for ever.
pub const REJOIN_PAUSE: Duration = Duration::from_secs(5);
/// Payloads sent in a row before a `!PING` must be answered: the base protocol's only flow control.
pub const MAX_UNCONFIRMED: u32 = 32;

/// A `PONG` does not name the group, so once in so many of them a `!WHO` follows: what a lie has left behind ends there.
const PONGS_PER_WHO: u32 = 8;
/// Leaving is a courtesy, and nobody wants to wait for it.
const GOODBYE_TRIES: u32 = 2;
const GOODBYE_PATIENCE: Duration = Duration::from_millis(300);

/// The client of one relay.
#[derive(Debug)]
pub struct Client {
    /// The membership that the relay last acknowledged.
    group: Option<GroupId>,
    /// The group to be in: outlives a lost membership, not a `LEAVE`.
    home: Option<GroupId>,
    rejoin_at: Option<Instant>,
    last_rejoin: Option<Instant>,
    asked: Option<Asked>,
    /// Requests of the client's own, to be sent as soon as nothing is asked.
    next: VecDeque<(Request, Cause)>,
    past: Past,
    doubt: Doubt,
    pulse: Pulse,
    /// Which group the relay has us in was not answered: asked again as soon as it speaks.
    unsure: bool,
    /// `PONG`s since the relay last named our group.
    pongs: u32,
    /// Payloads since the relay last proved that it knows us as a member.
    unconfirmed: u32,
    contact: Contact,
    leaving: bool,
    outbox: VecDeque<Vec<u8>>,
    events: VecDeque<Event>,
}

/// What is wrong with the way to the relay, as far as it was told.
#[derive(Clone, Copy, Debug, Default)]
struct Contact {
    silent: bool,
    unreachable: bool,
}

/// A request is on its way: ask again when it is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("another request waits for its answer")]
pub struct Busy;

/// Why a payload was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// A request is on its way: send again when it is answered.
    #[error("a request waits for its answer")]
    Busy,
    /// The client is in no group.
    #[error("not in a group")]
    NoGroup,
    /// The relay takes no more than [`MAX_DATAGRAM`] bytes.
    #[error("{0} bytes are more than the {MAX_DATAGRAM} that one message may have")]
    TooLarge(usize),
    /// The relay would read a command: in the base protocol no payload begins with `!`.
    #[error("a message cannot begin with `!`")]
    Command,
    /// The relay ignores an empty datagram.
    #[error("an empty message is not sent")]
    Empty,
}

impl Client {
    /// A client in no group. The seed drives only the jitter of its heartbeats.
    pub fn new(seed: u64, now: Instant) -> Self {
        Self {
            group: None,
            home: None,
            rejoin_at: None,
            last_rejoin: None,
            asked: None,
            next: VecDeque::new(),
            past: Past::default(),
            doubt: Doubt::default(),
            pulse: Pulse::new(seed, now),
            unsure: false,
            pongs: 0,
            unconfirmed: 0,
            contact: Contact::default(),
            leaving: false,
            outbox: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    /// The group that the relay last acknowledged.
    pub fn group(&self) -> Option<GroupId> {
        self.group
    }

    /// The group that the client wants to be in: the same, or the one that it lost and tries to join again.
    pub fn home(&self) -> Option<GroupId> {
        self.home
    }

    /// What there is to know without asking the relay.
    pub fn status(&self, now: Instant) -> Status {
        Status {
            group: self.group,
            heartbeat: self.pulse.hint(),
            next_ping: self.group.map(|_| self.pulse.due().saturating_duration_since(now)),
            silent: self.contact.silent || self.contact.unreachable,
        }
    }

    /// Joins the group that was the home of an earlier client.
    pub fn go_home(&mut self, home: Option<GroupId>, now: Instant) {
        self.home = home;
        self.rejoin_at = home.map(|_| now);
        self.tick(now);
    }

    /// The client speaks from another address now: finds out what the relay thinks.
    pub fn moved(&mut self, now: Instant) {
        if self.group.is_some() {
            self.verify(None, now);
        }
    }

    /// Whether [`Client::ask`] and [`Client::send`] would take something now.
    pub fn is_ready(&self, now: Instant) -> bool {
        let rejoining = self.rejoin_at.is_some_and(|at| at <= now);
        let busy = self.asked.as_ref().is_some_and(|asked| !asked.cause.is_background());
        !busy && !rejoining && self.next.is_empty() && !self.leaving
    }

    /// Asks the relay; the answer comes as an [`Event`].
    ///
    /// # Errors
    /// [`Busy`] while another request waits for its answer.
    pub fn ask(&mut self, request: Request, now: Instant) -> Result<(), Busy> {
        if !self.is_ready(now) {
            return Err(Busy);
        }
        if self.group.is_none() && matches!(request, Request::Join(_) | Request::Leave(_)) {
            self.stay_away();
        }
        self.start(request, Cause::Person, now);
        Ok(())
    }

    /// Sends a payload to the group.
    ///
    /// # Errors
    /// [`SendError`] says why nothing was sent.
    pub fn send(&mut self, payload: &[u8], now: Instant) -> Result<(), SendError> {
        match payload {
            [] => return Err(SendError::Empty),
            [b'!', ..] => return Err(SendError::Command),
            long if long.len() > MAX_DATAGRAM => return Err(SendError::TooLarge(long.len())),
            _ if !self.is_ready(now) => return Err(SendError::Busy),
            _ if self.group.is_none() => return Err(SendError::NoGroup),
            _ => self.outbox.push_back(payload.to_vec()),
        }
        self.unconfirmed += 1;
        self.doubt.sent(now);
        self.pulse.beat(now);
        if self.unconfirmed >= MAX_UNCONFIRMED {
            self.start(Request::Ping, Cause::Flow, now);
        }
        Ok(())
    }

    /// Leaves the group politely; afterwards the client takes nothing any more.
    pub fn goodbye(&mut self, now: Instant) {
        if self.leaving {
            return;
        }
        self.leaving = true;
        self.next.clear();
        self.stay_away();
        self.believe_doubted_texts();
        if let Some(Asked { request: Request::Join(group), .. }) = self.asked {
            self.outbox.push_back(format!("!{}", Request::Leave(group)).into_bytes());
        }
        self.past.retire(self.asked.take(), None, now);
        if let Some(group) = self.group {
            self.start(Request::Leave(group), Cause::Goodbye, now);
        }
    }

    /// Whether [`Client::goodbye`] has been said and answered, or was waited for long enough.
    pub fn is_finished(&self) -> bool {
        self.leaving && self.asked.is_none()
    }

    /// The operating system reports that nobody listens there: a hint, for anybody can forge it.
    pub fn unreachable(&mut self) {
        if !self.contact.unreachable {
            self.contact.unreachable = true;
            self.events.push_back(Event::Unreachable);
        }
    }

    /// Lets time pass. Call it at [`Client::wake_at`] at the latest.
    pub fn tick(&mut self, now: Instant) {
        if self.asked.as_ref().is_some_and(|asked| asked.deadline <= now) {
            self.repeat_or_give_up(now);
        }
        if self.leaving || self.asked.is_some() {
            return;
        }
        if let Some((request, cause)) = self.next.pop_front() {
            self.start(request, cause, now);
        } else if let (Some(home), Some(at)) = (self.home, self.rejoin_at)
            && at <= now
        {
            self.rejoin_at = None;
            self.start(Request::Join(home), Cause::Rejoin, now);
        } else if self.group.is_some() && self.pulse.due() <= now {
            self.start(Request::Ping, Cause::Heartbeat, now);
        }
    }

    /// When [`Client::tick`] has something to do next, if nothing else happens.
    pub fn wake_at(&self) -> Option<Instant> {
        match &self.asked {
            Some(asked) => Some(asked.deadline),
            None if self.leaving => None,
            None => self.rejoin_at.or_else(|| self.group.map(|_| self.pulse.due())),
        }
    }

    /// The next datagram to send.
    pub fn datagram(&mut self) -> Option<Vec<u8>> {
        self.outbox.pop_front()
    }

    /// The next thing that happened.
    pub fn event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Sends a request, in place of one of the client's own if such a one is on its way.
    fn start(&mut self, request: Request, cause: Cause, now: Instant) {
        if self.asked.as_ref().is_some_and(|asked| asked.cause == Cause::Verify) {
            self.next.push_front((Request::Who, Cause::Verify));
        }
        self.past.retire(self.asked.take(), None, now);
        let tries = match (request, cause) {
            // A second CREATE would make a second group.
            (Request::Create, _) => 1,
            (_, Cause::Goodbye) => GOODBYE_TRIES,
            _ => TRIES,
        };
        let patience = match (request, cause) {
            (Request::Create, _) => PATIENCE * TRIES,
            (_, Cause::Goodbye) => GOODBYE_PATIENCE,
            _ => PATIENCE,
        };
        self.asked = Some(Asked::new(request, cause, tries, patience, now));
        self.transmit(now);
    }

    /// Sends what is asked.
    fn transmit(&mut self, now: Instant) {
        let Some(asked) = &self.asked else { return };
        self.outbox.push_back(asked.encode());
        if asked.request.is_activity() {
            self.pulse.beat(now);
        }
    }

    fn repeat_or_give_up(&mut self, now: Instant) {
        let Some(asked) = &mut self.asked else { return };
        if asked.repeat(now) {
            self.transmit(now);
        } else if let Some(asked) = self.asked.take() {
            self.give_up(&asked, now);
            self.past.retire(Some(asked), None, now);
        }
    }

    fn give_up(&mut self, asked: &Asked, now: Instant) {
        let told = self.contact.silent || self.contact.unreachable;
        self.unsure |=
            asked.cause == Cause::Verify || matches!(asked.request, Request::Join(_) | Request::Leave(_));
        self.contact.silent = asked.refusal().is_none();
        match asked.cause {
            Cause::Person | Cause::Flow => {
                self.unconfirmed = 0;
                let refused = |refusal| Event::Refused { request: asked.request.into(), refusal };
                self.events.push_back(asked.refusal().map_or_else(|| asked.no_answer(), refused));
            }
            Cause::Goodbye => {
                self.group = None;
                self.events.push_back(asked.no_answer());
            }
            Cause::Rejoin => self.rejoin_at = Some(now + REJOIN_PAUSE),
            Cause::Verify => {
                let open = self.doubt.take_asked();
                let no_answer =
                    |request: Request| Event::NoAnswer { request: request.into(), tries: asked.tries };
                self.events.extend(open.map(no_answer));
                self.believe_doubted_texts();
            }
            Cause::Heartbeat => {}
        }
        if asked.cause.is_silent() && self.contact.silent && !told {
            self.events.push_back(Event::Silent);
        }
    }

    /// Gives up a group that the relay no longer has us in.
    fn stay_away(&mut self) {
        self.home = None;
        self.rejoin_at = None;
    }
}
