//! A relay as this client sees it: one membership, a clock, and a way between them that loses what it is told to lose.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use wire::{Command, Cookie, GroupId, Heartbeat, Message, Proof, Refusal, Reply, Usage, decode};

use crate::Event;
use crate::base::Client;

pub(super) fn id(text: &str) -> GroupId {
    text.parse().unwrap()
}

pub(super) fn secs(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

/// Where a datagram goes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    ToRelay,
    ToClient,
}

/// Decides which datagrams are lost.
pub(super) type Losses = Box<dyn FnMut(Way, &[u8]) -> bool>;

pub(super) struct World {
    pub(super) client: Client,
    pub(super) now: Instant,
    pub(super) member: Option<GroupId>,
    pub(super) groups: BTreeSet<GroupId>,
    pub(super) heartbeat: Heartbeat,
    /// Every datagram that the client sent, with the time.
    pub(super) sent: Vec<(Instant, String)>,
    /// Payloads that reached the group.
    pub(super) payloads: Vec<String>,
    pub(super) loses: Losses,
    /// What has to be shown in a JOIN.
    pub(super) wants: Option<Cookie>,
    /// False for a relay like the original, for which a proof is a part of the group's name.
    pub(super) knows_proofs: bool,
    created: u8,
}

impl World {
    pub(super) fn new() -> Self {
        let now = Instant::now();
        Self {
            client: Client::new(7, now),
            now,
            member: None,
            groups: [id("HOME"), id("OTHER")].into(),
            heartbeat: Heartbeat(60_000),
            sent: Vec::new(),
            payloads: Vec::new(),
            loses: Box::new(|_, _| false),
            wants: None,
            knows_proofs: true,
            created: 0,
        }
    }

    /// A world whose client is in group HOME, with nothing left to say.
    pub(super) fn at_home() -> Self {
        let mut world = Self::new();
        world.ask(super::super::Request::Join(id("HOME")));
        assert_eq!(world.events(), [Event::Joined { group: id("HOME"), again: false }]);
        world.sent.clear();
        world
    }

    pub(super) fn ask(&mut self, request: super::super::Request) {
        self.client.ask(request, self.now).unwrap();
        self.exchange();
    }

    pub(super) fn say(&mut self, text: &str) {
        self.client.send(text.as_bytes(), self.now).unwrap();
        self.exchange();
    }

    /// Sends to the client what a member of its group said, or what the relay repeats.
    pub(super) fn hear(&mut self, text: &str) {
        self.client.receive(text.as_bytes(), self.now);
    }

    /// Lets the datagrams run until nothing is on its way.
    pub(super) fn exchange(&mut self) {
        while let Some(datagram) = self.client.datagram() {
            self.sent.push((self.now, String::from_utf8_lossy(&datagram).into_owned()));
            if (self.loses)(Way::ToRelay, &datagram) {
                continue;
            }
            if let Some(reply) = self.answer(&datagram)
                && !(self.loses)(Way::ToClient, reply.encode().as_bytes())
            {
                self.client.receive(reply.encode().as_bytes(), self.now);
            }
        }
    }

    /// Lets time pass, with a tick whenever the client wants one.
    pub(super) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(wake) = self.client.wake_at().filter(|&wake| wake <= end) {
            self.now = self.now.max(wake);
            self.client.tick(self.now);
            self.exchange();
        }
        self.now = end;
    }

    pub(super) fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.client.event()).collect()
    }

    /// What was sent, without the times; empties the record.
    pub(super) fn said(&mut self) -> Vec<String> {
        std::mem::take(&mut self.sent).into_iter().map(|(_, text)| text).collect()
    }

    pub(super) fn answer(&mut self, datagram: &[u8]) -> Option<Reply> {
        let known = |group: &Option<GroupId>| group.filter(|group| self.groups.contains(group));
        Some(match (decode(datagram), self.member) {
            (Message::Payload(text), Some(_)) => {
                self.payloads.push(String::from_utf8_lossy(text).into_owned());
                return None;
            }
            (Message::Command(Command::Create(_)), _) => {
                self.created += 1;
                let group = GroupId::generated([self.created; 8]);
                self.groups.insert(group);
                Reply::Created(group)
            }
            (Message::Command(Command::Join(argument)), _) => {
                let (group, proof) = argument.group_and_proof().expect("a group");
                if let Some(cookie) = self.wants.filter(|cookie| proof != Proof::Cookie(*cookie)) {
                    return Some(Reply::Refused(Refusal::Retry(cookie)));
                }
                match known(&group) {
                    Some(group) if self.knows_proofs || proof == Proof::None => {
                        self.member = Some(group);
                        Reply::Joined(group)
                    }
                    _ => Reply::Refused(Refusal::NoSuchGroup),
                }
            }
            (Message::Command(Command::Leave(argument)), Some(group))
                if argument.group(Usage::Leave) == Ok(Some(group)) =>
            {
                self.member = None;
                Reply::Left(group)
            }
            (Message::Command(Command::Leave(_)), _) => Reply::Refused(Refusal::NotInThatGroup),
            (Message::Command(Command::Ping), Some(_)) => Reply::Pong(self.heartbeat),
            (Message::Command(Command::Who), Some(group)) => Reply::Who(group, 2),
            (Message::Command(Command::Ping | Command::Who) | Message::Payload(_), None) => {
                Reply::Refused(Refusal::NotJoined)
            }
            (message, _) => panic!("the client sent {message:?}"),
        })
    }
}
