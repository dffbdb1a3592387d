//! What the relay seems to say about our membership, and how that is verified before it is believed.

use std::time::{Duration, Instant};

use wire::{GroupId, Refusal, Reply};

use super::request::{Asked, Cause};
use super::{Client, REJOIN_PAUSE, Request};
use crate::Event;

/// How long after a payload its `ERR NOT_IN_GROUP` may come.
const PAYLOAD_MEMORY: Duration = Duration::from_secs(3);
/// How many texts may wait for a verification; further ones are shown at once.
const MAX_HELD: usize = 8;

/// What a reply says about our membership, if it is genuine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Claim {
    In(GroupId),
    NotIn(GroupId),
    Nowhere,
}

/// Datagrams that could be true replies or a member's text.
#[derive(Debug, Default)]
pub(super) struct Doubt {
    held: Vec<Vec<u8>>,
    /// What somebody asked and got a doubtful answer to.
    asked: Option<Request>,
    /// Payloads sent that a refusal may answer.
    payloads: u32,
    last_payload: Option<Instant>,
}

impl Claim {
    pub(super) fn of(request: Request, reply: Reply) -> Option<Self> {
        match (request, reply) {
            (_, Reply::Joined(id) | Reply::Who(id, _)) => Some(Self::In(id)),
            (_, Reply::Left(id)) => Some(Self::NotIn(id)),
            (Request::Leave(id), Reply::Refused(Refusal::NotInThatGroup)) => Some(Self::NotIn(id)),
            (_, Reply::Refused(Refusal::NotJoined)) => Some(Self::Nowhere),
            _ => None,
        }
    }

    pub(super) fn fits(self, belief: Option<GroupId>) -> bool {
        match self {
            Self::In(id) => belief == Some(id),
            Self::NotIn(id) => belief != Some(id),
            Self::Nowhere => belief.is_none(),
        }
    }
}

impl Doubt {
    /// The answer to this is doubtful.
    pub(super) fn asks(&mut self, asked: &Asked) {
        if asked.cause == Cause::Person {
            self.asked = Some(asked.request);
        }
    }

    /// What waits for a better answer.
    pub(super) fn take_asked(&mut self) -> Option<Request> {
        self.asked.take()
    }

    /// A payload was sent.
    pub(super) fn sent(&mut self, now: Instant) {
        self.payloads += 1;
        self.last_payload = Some(now);
    }

    /// The relay took us for a member when it handled what was sent at this time.
    pub(super) fn settle(&mut self, sent: Instant) {
        if self.last_payload.is_none_or(|last| last <= sent) {
            self.payloads = 0;
        }
    }

    /// Takes a refusal for the answer to one of the payloads, if one was sent lately.
    pub(super) fn collect(&mut self, now: Instant) -> bool {
        let lately = self.last_payload.is_some_and(|last| now < last + PAYLOAD_MEMORY);
        let owed = lately && self.payloads > 0;
        self.payloads -= u32::from(owed);
        owed
    }
}

impl Client {
    /// Asks the relay which group we are in, and holds a text back until the answer tells what it was.
    pub(super) fn verify(&mut self, held: Option<&[u8]>, now: Instant) {
        if let Some(text) = held {
            if self.leaving || self.doubt.held.len() >= MAX_HELD {
                self.show(text.to_vec());
            } else {
                self.doubt.held.push(text.to_vec());
            }
        }
        let asked = self.asked.as_ref().map(|asked| asked.cause);
        let verifying = asked == Some(Cause::Verify) || self.next.contains(&(Request::Who, Cause::Verify));
        if self.leaving || verifying {
            return;
        }
        if asked.is_none_or(Cause::is_background) {
            self.start(Request::Who, Cause::Verify, now);
        } else {
            self.next.push_front((Request::Who, Cause::Verify));
        }
    }

    /// Believes the verified claim.
    pub(super) fn resolve(&mut self, claim: Claim, now: Instant) {
        self.unsure = false;
        self.pongs = 0;
        let asked = self.doubt.take_asked();
        if claim.fits(self.group) {
            // The answer was forged, so the question is still open.
            self.next.extend(asked.map(|request| (request, Cause::Person)));
            return self.believe_doubted_texts();
        }
        self.doubt.held.clear();
        match claim {
            Claim::In(id) => {
                self.adopt(id, now);
                self.events.push_back(Event::Corrected(id));
            }
            Claim::NotIn(_) | Claim::Nowhere => self.lose(now),
        }
    }

    /// What was held back was text after all.
    pub(super) fn believe_doubted_texts(&mut self) {
        for text in std::mem::take(&mut self.doubt.held) {
            self.show(text);
        }
    }

    /// A new membership has begun: what was doubted belongs to the old one.
    pub(super) fn forget_doubts(&mut self) {
        self.doubt = Doubt::default();
        self.next.retain(|&(_, cause)| cause != Cause::Verify);
    }

    /// The relay has us in this group.
    pub(super) fn adopt(&mut self, group: GroupId, now: Instant) {
        self.group = Some(group);
        self.home = Some(group);
        self.rejoin_at = None;
        self.unsure = false;
        self.unconfirmed = 0;
        // Its answer tells the suggested heartbeat.
        self.pulse.hurry(now);
    }

    /// The relay knew us as a member when this was asked.
    pub(super) fn prove(&mut self, asked: &Asked) {
        self.doubt.settle(asked.last_sent());
        self.unconfirmed = 0;
    }

    pub(super) fn show(&mut self, bytes: Vec<u8>) {
        self.events.push_back(Event::Text { group: self.group, from: None, bytes });
    }

    fn lose(&mut self, now: Instant) {
        let Some(group) = self.group.take() else { return };
        let unsure = std::mem::take(&mut self.unconfirmed) > 0;
        self.events.push_back(Event::Lost { group, unsure });
        self.home = Some(group);
        self.rejoin_at = Some(self.last_rejoin.map_or(now, |last| now.max(last + REJOIN_PAUSE)));
    }
}
