//! A session with an extended relay.
//!
//! What the relay says begins with `!` and nothing else does, so that every answer is genuine: one request is on its way at a
//! time, is repeated until it is answered, and what comes unasked is believed. Messages to people go their own way
//! ([`crate::letters`]), so does direct talk ([`crate::direct`]).

mod answers;
mod ask;
mod contact;
mod letters;

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use wire::{GroupId, Heartbeat, MAX_DATAGRAM, MessageId, Token};

use crate::base::SendError;
use crate::direct::Direct;
use crate::event::{Event, Fate};
use crate::letters::Letters;
use crate::limits::{CONFIRM, HEARTBEATS, MAX_UNCONFIRMED};
use crate::order::Order;
use crate::people::{People, Person};
use crate::random::Random;
use crate::request::is_name;
use crate::seen::Seen;
use crate::{Config, MessageError, Output, Request, Transport};

use ask::{Asked, Cause};
use contact::Link;

/// A client's side of a session.
#[derive(Debug)]
pub(crate) struct Session {
    config: Config,
    link: Link,
    transport: Transport,
    token: Token,
    heartbeat: Heartbeat,
    /// When the relay is asked whether it still answers.
    beat_at: Instant,
    round_trip: Option<Duration>,
    asked: Option<Asked>,
    /// Requests of the client's own, for when nothing is asked.
    queue: VecDeque<(Request, Cause)>,
    group: Option<GroupId>,
    /// The group to be in: outlives a lost membership.
    home: Option<GroupId>,
    name: Option<String>,
    /// The name that was had last, folded.
    called: Option<String>,
    /// The name to have: outlives a lost session. With what proves it.
    own: Option<(String, Token)>,
    unconfirmed: u32,
    people: People,
    order: Order,
    letters: Letters,
    seen: Seen,
    direct: Direct,
    random: Random,
    leaving: bool,
    /// When a relay that was full is asked again for what was had before.
    later: Option<Instant>,
    /// How often it was full.
    delays: u32,
    /// The relay does not know sessions any more.
    is_void: bool,
    out: Output,
}

/// What begins a session.
pub(crate) struct Beginning {
    pub(crate) config: Config,
    pub(crate) transport: Transport,
    pub(crate) token: Token,
    pub(crate) heartbeat: Heartbeat,
    pub(crate) random: Random,
    /// Messages that were told before.
    pub(crate) seen: Seen,
}

impl Session {
    pub(crate) fn new(beginning: Beginning, now: Instant) -> Self {
        let Beginning { config, transport, token, heartbeat, random, seen } = beginning;
        let mut session = Self {
            config,
            link: Link::Live,
            transport,
            token,
            heartbeat,
            beat_at: now,
            round_trip: None,
            asked: None,
            queue: VecDeque::new(),
            group: None,
            home: None,
            name: None,
            called: None,
            own: None,
            unconfirmed: 0,
            people: People::default(),
            order: Order::default(),
            letters: Letters::default(),
            seen,
            direct: Direct::default(),
            random,
            leaving: false,
            later: None,
            delays: 0,
            is_void: false,
            out: Output::default(),
        };
        session.rest(now);
        session
    }

    /// Joins the group that an earlier session was in.
    pub(crate) fn go_home(&mut self, home: Option<GroupId>, now: Instant) {
        self.home = home;
        self.queue.extend(home.map(|home| (Request::Join(home), Cause::Again)));
        self.tick(now);
    }

    pub(crate) fn is_ready(&self) -> bool {
        let is_busy = self.asked.as_ref().is_some_and(|asked| asked.cause != Cause::Own);
        let is_coming_back = self.queue.iter().any(|(_, cause)| *cause != Cause::Own);
        let is_live = matches!(self.link, Link::Live);
        is_live && !is_busy && !is_coming_back && !self.leaving && self.unconfirmed < MAX_UNCONFIRMED
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.asked.is_none() && self.queue.is_empty()
    }

    pub(crate) fn ask(&mut self, request: Request, now: Instant) {
        if self.asked.as_ref().is_some_and(|asked| asked.cause == Cause::Own)
            && let Some(asked) = self.asked.take()
        {
            self.queue.push_front((asked.request, asked.cause));
        }
        self.start(request, Cause::Person, now);
    }

    pub(crate) fn send(&mut self, payload: &[u8], now: Instant) -> Result<(), SendError> {
        let raw: &[u8] = if payload.starts_with(b"!") { b"!RAW " } else { b"" };
        match payload.len() {
            0 => return Err(SendError::Empty),
            len if len > MAX_DATAGRAM - raw.len() => return Err(SendError::TooLarge(len)),
            _ if !self.is_ready() => return Err(SendError::Busy),
            _ if self.group.is_none() => return Err(SendError::NoGroup),
            _ => self.transmit([raw, payload].concat()),
        }
        self.unconfirmed += 1;
        self.beat_at = self.beat_at.min(now + CONFIRM);
        if self.unconfirmed >= MAX_UNCONFIRMED {
            self.beat_at = now;
            self.tick(now);
        }
        Ok(())
    }

    pub(crate) fn message(
        &mut self,
        to: &str,
        bytes: &[u8],
        now: Instant,
    ) -> Result<MessageId, MessageError> {
        // "!SEND ", the name, a space, the id and a space stand before it.
        let room = MAX_DATAGRAM.saturating_sub(8 + to.len() + MessageId::MAX);
        match () {
            () if !is_name(to) => return Err(MessageError::BadName),
            () if bytes.is_empty() => return Err(MessageError::Empty),
            () if bytes.len() > room => return Err(MessageError::TooLarge { len: bytes.len(), room }),
            () if self.own.is_none() => return Err(MessageError::NotRegistered),
            () if self.leaving => return Err(MessageError::Leaving),
            () => {}
        }
        let id = self.random.message_id();
        self.letters.push(to, id, bytes).map_err(|_| MessageError::Full)?;
        self.tick(now);
        Ok(id)
    }

    /// Leaves politely: messages that wait are given up.
    pub(crate) fn goodbye(&mut self, now: Instant) {
        if self.leaving {
            return;
        }
        self.leaving = true;
        self.queue.clear();
        self.later = None;
        self.end_letters(None, Fate::Unknown);
        self.hang_up(now);
        self.asked = None;
        if !matches!(self.link, Link::Live) {
            return;
        }
        // Offline first: who leaves before is no longer among the people of the group.
        self.queue.extend(self.name.as_ref().map(|_| (Request::Deregister, Cause::Goodbye)));
        self.queue.extend(self.group.map(|group| (Request::Leave(group), Cause::Goodbye)));
        self.tick(now);
    }

    pub(crate) fn is_finished(&self) -> bool {
        self.leaving && self.asked.is_none() && self.queue.is_empty()
    }

    pub(crate) fn is_void(&self) -> bool {
        self.is_void
    }

    pub(crate) fn tick(&mut self, now: Instant) {
        self.tick_link(now);
        for (from, heard) in self.order.tick(now) {
            self.tell(&from, heard);
        }
        if !matches!(self.link, Link::Live) {
            return;
        }
        self.tick_direct(now);
        self.tick_later(now);
        self.tick_asked(now);
        if !self.leaving && matches!(self.link, Link::Live) {
            self.send_letters(now);
        }
    }

    pub(crate) fn deadline(&self, now: Instant) -> Option<Instant> {
        let Link::Live = self.link else { return earliest([self.link_deadline(), self.order.deadline()]) };
        let asked = match &self.asked {
            Some(asked) => Some(asked.deadline),
            None if self.leaving => None,
            None => Some(self.beat_at),
        };
        let letters = self.letters.deadline(now).filter(|_| !self.leaving && self.name.is_some());
        earliest([asked, letters, self.later, self.order.deadline(), self.direct.deadline()])
    }

    pub(crate) fn output(&mut self) -> &mut Output {
        &mut self.out
    }

    pub(crate) fn group(&self) -> Option<GroupId> {
        self.group
    }

    pub(crate) fn home(&self) -> Option<GroupId> {
        self.home
    }

    pub(crate) fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    pub(crate) fn people(&self) -> impl Iterator<Item = &Person> {
        self.people.iter()
    }

    pub(crate) fn waiting(&self) -> usize {
        self.letters.waiting()
    }

    pub(crate) fn direct_peer(&self) -> Option<&str> {
        self.direct.peer()
    }

    pub(crate) fn transport(&self) -> Transport {
        self.transport
    }

    pub(crate) fn heartbeat(&self) -> Duration {
        Duration::from_millis(self.heartbeat.0)
    }

    pub(crate) fn next_beat(&self, now: Instant) -> Duration {
        self.beat_at.saturating_duration_since(now)
    }

    pub(crate) fn round_trip(&self) -> Option<Duration> {
        self.round_trip
    }

    pub(crate) fn is_live(&self) -> bool {
        matches!(self.link, Link::Live)
    }

    fn tick_asked(&mut self, now: Instant) {
        if let Some(asked) = self.asked.as_mut().filter(|asked| asked.deadline <= now) {
            if asked.repeat(now) {
                let again = asked.encode();
                self.transmit(again);
            } else {
                self.give_up(now);
            }
        }
        if self.asked.is_some() || !matches!(self.link, Link::Live) {
            return;
        }
        if let Some((request, cause)) = self.queue.pop_front() {
            self.start(request, cause, now);
        } else if self.beat_at <= now && !self.leaving {
            self.start(Request::Ping, Cause::Own, now);
        }
    }

    /// Nobody answered: the way is lost, unless nobody waits for it any more, or the relay only answers otherwise.
    fn give_up(&mut self, now: Instant) {
        let Some(mut asked) = self.asked.take() else { return };
        if let Some(answer) = asked.last_refusal() {
            return self.refused_otherwise(asked, answer, now);
        }
        match (&asked.request, asked.cause) {
            (_, Cause::Goodbye) => {}
            (Request::Create, _) => {
                self.out.event(Event::NoAnswer { request: asked.request, tries: asked.sent });
                self.beat_at = now;
            }
            _ => {
                self.asked = Some(asked);
                self.lose(now);
            }
        }
    }

    fn start(&mut self, request: Request, cause: Cause, now: Instant) {
        if request == Request::Peers {
            self.people.begin();
        }
        let asked = Asked::new(request, cause, self.group, now);
        self.transmit(asked.encode());
        self.asked = Some(asked);
    }

    fn transmit(&mut self, datagram: Vec<u8>) {
        self.out.send(self.config.server, datagram);
    }

    /// The relay has answered: the next beat may wait.
    fn rest(&mut self, now: Instant) {
        let interval = self.heartbeat().clamp(*HEARTBEATS.start(), *HEARTBEATS.end());
        self.beat_at = now + interval.mul_f64(self.random.nearly_one());
    }

    fn ask_own(&mut self, request: Request) {
        let is_asked = self.asked.as_ref().is_some_and(|asked| asked.request == request);
        if !is_asked && !self.leaving && !self.queue.iter().any(|(queued, _)| *queued == request) {
            self.queue.push_back((request, Cause::Own));
        }
    }
}

fn earliest<const N: usize>(times: [Option<Instant>; N]) -> Option<Instant> {
    times.into_iter().flatten().min()
}
