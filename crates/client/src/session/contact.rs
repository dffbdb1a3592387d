//! The way to the relay: lost, looked for, found again.

use std::time::Instant;

use wire::{Cookie, GroupId, Heartbeat, Token};

use super::ask::{Cause, group_of};
use super::{Request, Session};
use crate::event::{Closing, Event, Protocol};
use crate::greeting::Greeting;
use crate::limits::{CONNECTING, PATIENCE, PAUSES, pause};

/// How the session stands with its relay.
#[derive(Debug)]
pub(super) enum Link {
    Live,
    /// A socket is being opened.
    Opening {
        round: u32,
        since: Instant,
    },
    /// The relay is greeted, to go on or to begin anew.
    Greeting {
        round: u32,
        greeting: Greeting,
    },
    /// Nobody answered in any way: tried again then.
    Pausing {
        round: u32,
        until: Instant,
    },
}

impl Session {
    /// The way is lost: looks for another one, from another port.
    pub(crate) fn lose(&mut self, now: Instant) {
        if self.leaving {
            self.queue.clear();
            self.asked = None;
            return;
        }
        if matches!(self.link, Link::Live) {
            self.interrupt();
            self.open(0, now);
        }
    }

    /// This way carries nothing any more; if all were tried, they may be good again.
    pub(crate) fn network_changed(&mut self, now: Instant) {
        match self.link {
            Link::Pausing { round, .. } => self.open(round, now),
            _ => self.lose(now),
        }
    }

    /// Perhaps nobody listens any more: asks at once whether the relay answers.
    pub(crate) fn doubt(&mut self, now: Instant) {
        self.beat_at = self.beat_at.min(now);
        self.tick(now);
    }

    /// The socket that was asked for is there.
    pub(crate) fn opened(&mut self, now: Instant) {
        if let Link::Opening { round, .. } = self.link {
            self.greet(round, Some(self.token), now);
        }
    }

    /// The socket that was asked for cannot be had, or is of no use any more.
    pub(crate) fn closed(&mut self, now: Instant) {
        match self.link {
            Link::Live => self.lose(now),
            Link::Opening { round, .. } | Link::Greeting { round, .. } => self.try_next(round, now),
            Link::Pausing { .. } => {}
        }
    }

    /// The relay does not know whoever speaks from here: a router on the way has given us another address, or the relay has
    /// started anew. Goes on in the same way.
    pub(super) fn go_on_here(&mut self, now: Instant) {
        match self.link {
            Link::Live if self.leaving => self.lose(now),
            Link::Live => {
                self.interrupt();
                self.greet(0, Some(self.token), now);
            }
            // An answer to what was said before.
            _ => {}
        }
    }

    /// The relay does not know this session: begins another, in the same way.
    pub(super) fn begin_anew(&mut self, now: Instant) {
        if let Link::Greeting { round, .. } = self.link {
            self.greet(round, None, now);
        }
    }

    fn interrupt(&mut self) {
        self.out.event(Event::Interrupted { unsure: self.unconfirmed > 0 });
    }

    pub(super) fn prove(&mut self, cookie: Cookie, now: Instant) {
        if let Link::Greeting { greeting, .. } = &mut self.link
            && greeting.prove(cookie, now)
        {
            let again = greeting.encode();
            self.transmit(again);
        }
    }

    /// What answers a greeting in the base protocol: there are no sessions any more.
    pub(super) fn is_unknown(&mut self) {
        self.is_void |= matches!(self.link, Link::Greeting { .. });
    }

    /// `!OK RESUMED`: the session goes on here.
    pub(super) fn resumed(&mut self, group: Option<GroupId>, name: Option<&str>, token: Token, now: Instant) {
        if !matches!(&self.link, Link::Greeting { greeting, .. } if greeting.is_resume()) {
            return;
        }
        self.token = token;
        self.name = name.map(str::to_owned);
        // The peer knows the old address.
        self.close_direct(Closing::Silence);
        self.come_back(false, now);
        if group.is_some() {
            self.group = group;
            self.home = group;
        }
        self.want_back(group, now);
    }

    /// `!OK HELLO`: another session has begun.
    pub(super) fn greeted(&mut self, token: Token, heartbeat: Heartbeat, now: Instant) {
        if !matches!(&self.link, Link::Greeting { greeting, .. } if !greeting.is_resume()) {
            return;
        }
        self.token = token;
        self.heartbeat = heartbeat;
        self.name = None;
        self.group = None;
        self.order.forget();
        self.come_back(true, now);
        self.want_back(None, now);
    }

    fn come_back(&mut self, anew: bool, now: Instant) {
        self.link = Link::Live;
        self.unconfirmed = 0;
        (self.later, self.delays) = (None, 0);
        self.rest(now);
        self.out.event(Event::Contact { protocol: Protocol::Extended, transport: self.transport });
        self.out.event(Event::Resumed { anew });
        self.letters.hurry();
    }

    /// Asks for what the relay does not know any more, before what was asked when the way was lost.
    fn want_back(&mut self, group: Option<GroupId>, now: Instant) {
        let asked = self.asked.take();
        self.queue.retain(|(_, cause)| *cause != Cause::Again);
        // The later ones come before the earlier ones.
        if let Some(asked) = asked {
            self.queue.push_front((asked.request, asked.cause));
        }
        let is_asked = |request: &Request| group_of(request).is_some();
        let moves = self.queue.iter().any(|(request, cause)| *cause == Cause::Person && is_asked(request));
        let lacking = self.lacking(group).filter(|(request, _)| !moves || !is_asked(request));
        for again in lacking {
            self.queue.push_front(again);
        }
        if group.is_some() {
            self.look_around();
        }
        self.tick(now);
    }

    /// Asks for the name to have, by its claim: right whether the relay still knows it as ours or not.
    pub(super) fn own_again(&self) -> Option<(Request, Cause)> {
        let (name, claim) = self.own.clone()?;
        Some((Request::Register { name, claim: Some(claim) }, Cause::Again))
    }

    /// What was had, and is not had in this group: the group to be in, and then the name to have.
    fn lacking(&self, group: Option<GroupId>) -> impl Iterator<Item = (Request, Cause)> + use<> {
        let home =
            self.home.filter(|home| group != Some(*home)).map(|home| (Request::Join(home), Cause::Again));
        let is_named = self.name.as_ref().is_some_and(|held| self.is_called(held));
        home.into_iter().chain(self.own_again().filter(|_| !is_named))
    }

    /// The relay is full, and what was had is not given back: it is asked for again, less and less often.
    pub(super) fn come_later(&mut self, request: Request, now: Instant) {
        if self.later.is_none() {
            self.later = Some(now + pause(&PAUSES, self.delays));
            self.delays += 1;
        }
        if self.delays == 1 {
            self.out.event(Event::Deferred(request));
        }
    }

    /// Something was given back; what the relay is full for next is told again.
    pub(super) fn forget_delays(&mut self) {
        if self.later.is_none() {
            self.delays = 0;
        }
    }

    /// Not while anything else is asked: a person may be about to have another group, or another name.
    pub(super) fn tick_later(&mut self, now: Instant) {
        let Some(later) = self.later.filter(|later| *later <= now) else { return };
        if !self.is_idle() {
            self.later = Some(later.max(now) + PATIENCE);
            return;
        }
        self.later = None;
        let lacking = self.lacking(self.group);
        self.queue.extend(lacking);
    }

    pub(super) fn tick_link(&mut self, now: Instant) {
        match &mut self.link {
            Link::Live => {}
            Link::Opening { round, since } => {
                let round = *round;
                if now >= *since + CONNECTING {
                    self.try_next(round, now);
                }
            }
            Link::Greeting { round, greeting } if greeting.deadline() <= now => {
                let round = *round;
                if greeting.repeat(now) {
                    let again = greeting.encode();
                    self.transmit(again);
                } else {
                    self.try_next(round, now);
                }
            }
            Link::Greeting { .. } => {}
            Link::Pausing { round, until } if *until <= now => {
                let round = *round;
                self.open(round, now);
            }
            Link::Pausing { .. } => {}
        }
    }

    pub(super) fn link_deadline(&self) -> Option<Instant> {
        match &self.link {
            Link::Live => None,
            Link::Opening { since, .. } => Some(*since + CONNECTING),
            Link::Greeting { greeting, .. } => Some(greeting.deadline()),
            Link::Pausing { until, .. } => Some(*until),
        }
    }

    /// Tries the ways in turn.
    fn open(&mut self, round: u32, now: Instant) {
        self.close_direct(Closing::Silence);
        let transports = &self.config.transports;
        self.transport = transports[round as usize % transports.len()];
        self.out.open(self.transport);
        self.link = Link::Opening { round, since: now };
    }

    fn greet(&mut self, round: u32, resume: Option<Token>, now: Instant) {
        let greeting = Greeting::new(resume, self.transport, now);
        self.transmit(greeting.encode());
        self.link = Link::Greeting { round, greeting };
    }

    /// Nothing comes of this way: tries the next, and pauses once all have been tried.
    fn try_next(&mut self, round: u32, now: Instant) {
        let (next, ways) = (round + 1, self.config.transports.len() as u32);
        if next % ways != 0 {
            return self.open(next, now);
        }
        if next == ways {
            self.out.event(Event::NoContact { refused: false });
        }
        self.link = Link::Pausing { round: next, until: now + pause(&PAUSES, next / ways - 1) };
    }
}
