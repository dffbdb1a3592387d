//! Telling replies from texts, and what each reply changes.

use std::time::{Duration, Instant};

use wire::{GroupId, Heartbeat, Refusal, Reply};

use super::belief::Claim;
use super::past::Late;
use super::request::{Asked, Cause, Next};
use super::{Client, PONGS_PER_WHO, Request};
use crate::Event;

impl Client {
    /// Takes a datagram from the relay.
    pub fn receive(&mut self, datagram: &[u8], now: Instant) {
        if self.contact.silent || self.contact.unreachable {
            self.contact = Default::default();
            self.events.push_back(Event::Answers);
        }
        match Reply::parse(datagram) {
            Some(reply) => self.reply(reply, datagram, now),
            None if datagram.starts_with(b"ERR ") && self.nobody_else_can_speak() => {
                self.refuse_otherwise(datagram, now);
            }
            None => self.text(datagram, now),
        }
        self.tick(now);
        if self.unsure {
            self.verify(None, now);
        }
    }

    fn reply(&mut self, reply: Reply, datagram: &[u8], now: Instant) {
        if let Reply::Refused(refusal @ (Refusal::Retry(_) | Refusal::NoSuchGroup)) = reply
            && let Some(asked) = self.asked.as_mut().filter(|asked| asked.request.is_answered_by(reply))
        {
            let next = match refusal {
                Refusal::Retry(cookie) => asked.prove(cookie, now),
                _ => asked.is_unknown(now),
            };
            match next {
                Next::Again => return self.transmit(now),
                Next::Wait => return,
                Next::Refused => {}
            }
        }
        if let Some(asked) = self.asked.take_if(|asked| asked.request.is_answered_by(reply)) {
            return self.answered(asked, reply, datagram, now);
        }
        if reply == Reply::Refused(Refusal::NotJoined) && self.doubt.collect(now) {
            if self.group.is_some() {
                self.verify(Some(datagram), now);
            }
            return;
        }
        match self.past.judge(reply, now) {
            Late::Unasked => self.text(datagram, now),
            Late::Expected(request) => self.late(request, reply, now),
            Late::Contradicts(_, first) => {
                self.text(datagram, now);
                self.contradicted(first, reply, now);
            }
        }
    }

    fn answered(&mut self, asked: Asked, reply: Reply, datagram: &[u8], now: Instant) {
        let claim = Claim::of(asked.request, reply);
        let inquiry = matches!(asked.request, Request::Ping | Request::Who);
        if inquiry && asked.cause != Cause::Verify && claim.is_some_and(|claim| !claim.fits(self.group)) {
            self.doubt.asks(&asked);
            // Kept open, because if this answer is forged, the genuine one is still to come.
            self.past.retire(Some(asked), None, now);
            return self.verify(Some(datagram), now);
        }
        self.past.retire(Some(asked), Some(reply), now);
        match (reply, claim) {
            (Reply::Refused(refusal), _) if asked.cause != Cause::Verify => self.refused(&asked, refusal),
            (Reply::Refused(_) | Reply::Who(..), Some(claim)) if asked.cause == Cause::Verify => {
                self.resolve(claim, now);
            }
            (Reply::Refused(_), _) => {}
            (Reply::Created(group), _) => self.events.push_back(Event::Created(group)),
            (Reply::Joined(group), _) => {
                let again = asked.cause == Cause::Rejoin;
                self.last_rejoin = again.then_some(now).or(self.last_rejoin);
                // Who is in a group can be lied to by its members.
                let deniable = self.group.is_some();
                self.forget_doubts();
                self.adopt(group, now);
                self.unsure = deniable;
                self.events.push_back(Event::Joined { group, again });
            }
            (Reply::Left(group), _) => {
                self.leave(group);
                self.events.push_back(Event::Left(group));
            }
            (Reply::Pong(heartbeat), _) => self.alive(&asked, duration(heartbeat), now),
            (Reply::Who(group, count), _) => {
                self.prove(&asked);
                self.events.push_back(Event::Members { group, count });
            }
            // Nothing asked for it.
            (Reply::Hello(..), _) => {}
        }
    }

    fn alive(&mut self, asked: &Asked, heartbeat: Duration, now: Instant) {
        self.prove(asked);
        self.pulse.learn(heartbeat);
        self.pongs += 1;
        self.unsure |= self.pongs >= PONGS_PER_WHO;
        if asked.cause == Cause::Person {
            // After a repetition nobody knows which of the two was answered.
            let round_trip = (asked.tries == 1).then(|| now - asked.last_sent());
            self.events.push_back(Event::Alive { round_trip, heartbeat });
        }
    }

    fn refused(&mut self, asked: &Asked, refusal: Refusal) {
        if let Request::Leave(group) = asked.request {
            self.leave(group);
        }
        if asked.cause == Cause::Rejoin {
            self.stay_away();
        }
        self.events.push_back(Event::Refused { request: asked.request.into(), refusal });
    }

    fn refuse_otherwise(&mut self, answer: &[u8], now: Instant) {
        let Some(asked) = self.asked.take() else { return };
        if asked.cause == Cause::Rejoin {
            self.stay_away();
        }
        self.past.retire(Some(asked), None, now);
        self.events
            .push_back(Event::RefusedOtherwise { request: asked.request.into(), answer: answer.to_vec() });
    }

    /// A reply to a request that has been answered, replaced or given up.
    fn late(&mut self, request: Request, reply: Reply, now: Instant) {
        match reply {
            Reply::Created(group) => self.events.push_back(Event::Created(group)),
            Reply::Pong(heartbeat) => self.pulse.learn_the_shorter(duration(heartbeat)),
            _ if Claim::of(request, reply).is_some_and(|claim| !claim.fits(self.group)) => {
                self.verify(None, now);
            }
            _ => {}
        }
    }

    /// One request, two answers: one of them is forged, by a member of the group.
    fn contradicted(&mut self, first: Reply, second: Reply, now: Instant) {
        match (first, second) {
            (Reply::Created(first), Reply::Created(second)) => {
                self.events.push_back(Event::CreatedTwice { first, second });
            }
            (_, Reply::Pong(heartbeat)) => self.pulse.learn_the_shorter(duration(heartbeat)),
            _ => self.verify(None, now),
        }
    }

    fn text(&mut self, datagram: &[u8], now: Instant) {
        self.show(datagram.to_vec());
        let joining = matches!(self.asked, Some(Asked { request: Request::Join(_), .. }));
        // Whoever is in no group gets no texts: perhaps the relay sees that differently.
        if self.group.is_none() && !joining {
            self.verify(None, now);
        }
    }

    /// Outside of a group nothing arrives but what the relay answers.
    fn nobody_else_can_speak(&self) -> bool {
        self.group.is_none() && self.asked.as_ref().is_some_and(|asked| !asked.cause.is_background())
    }

    fn leave(&mut self, group: GroupId) {
        if self.group == Some(group) {
            self.group = None;
            self.unsure = false;
            self.unconfirmed = 0;
            self.stay_away();
        }
    }
}

fn duration(heartbeat: Heartbeat) -> Duration {
    Duration::from_millis(heartbeat.0)
}
