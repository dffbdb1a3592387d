//! What should be: membership as the replay of what was acknowledged, written from the protocol and not from the engine.

mod admission;
mod counts;
mod eviction;
mod expiry;
mod groups;
mod request;

use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use engine::{AdmissionMode, Cap, DropReason, Event, Settings};
use wire::{GroupId, Refusal};

use crate::network::Map;
use admission::Cookie;
pub use admission::Maybe;
pub use counts::Counts;
pub use groups::{Group, GroupIndex};
pub use request::Request;
use request::parse;

/// A peer of the relay: one source address and port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PeerIndex(pub u32);

/// What the relay should know.
pub struct Model {
    peers: Vec<Peer>,
    by_address: Map<SocketAddr, PeerIndex>,
    groups: Vec<Group>,
    by_id: Map<GroupId, GroupIndex>,
    shards: Vec<ShardModel>,
    own: SocketAddr,
    clients: u32,
    live_groups: u32,
    unjoined: u32,
    /// Groups of each creator.
    quotas: Map<PeerIndex, u32>,
    mode: AdmissionMode,
    is_certain: bool,
}

/// What the relay should know of a peer.
pub struct Peer {
    /// Its address.
    pub address: SocketAddr,
    /// The group that it is in.
    pub group: Option<GroupIndex>,
    /// How often it has come into one.
    entries: u64,
    /// The shard that it speaks to.
    pub shard: usize,
    /// When it was last active, in milliseconds.
    pub active: u64,
    /// The relay's address that it reached when it last joined.
    pub local: Option<IpAddr>,
    /// Since when it has shown, or is trusted, that it receives what is sent to it, in milliseconds.
    pub proved: Option<u64>,
    /// It once had.
    pub was_proved: bool,
    /// When it last had to go, to make room for another, in milliseconds.
    pub evicted: Option<u64>,
    /// When its next payload is due, by the highest rate, in milliseconds.
    due: u64,
    /// What it was told to repeat, and when.
    cookies: Vec<(Cookie, u64)>,
}

/// What one shard should know.
pub struct ShardModel {
    /// Its settings.
    pub settings: Settings,
    /// What it should have counted.
    pub counts: Counts,
    /// Members that speak to it.
    pub members: Vec<PeerIndex>,
    expiry: expiry::Watch,
}

/// What a datagram should cause.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Nothing.
    Nothing,
    /// This reply to its sender.
    Reply(Expected),
    /// A copy for each of these but the sender, who is one of them.
    FanOut(PeerIndex, Rc<[PeerIndex]>),
}

/// A reply that has to be sent.
#[derive(Clone, Debug)]
pub enum Expected {
    /// This text.
    Text(String),
    /// `OK CREATED` and an id that the model does not know yet.
    Created(PeerIndex),
    /// Whatever fits what the relay has decided.
    Any(Maybe),
}

/// A datagram as the relay gets it.
pub struct Taken<'a> {
    /// Its bytes.
    pub bytes: &'a [u8],
    /// Who says that it is from him.
    pub source: SocketAddr,
    /// The relay's address that it reached, under a wildcard.
    pub local: Option<IpAddr>,
    /// The beginning of the turn, in milliseconds.
    pub now: u64,
}

impl Peer {
    fn prove(&mut self, now: u64) {
        self.proved.get_or_insert(now);
        self.was_proved = true;
    }
}

const NOT_JOINED: &str = "ERR NOT_IN_GROUP JoinFirstUseJOIN";

impl Model {
    /// A relay that has just started, with so many shards, at this address.
    pub fn new(shards: usize, settings: &Settings, own: SocketAddr, now: u64) -> Self {
        let shard = |_| ShardModel {
            settings: settings.clone(),
            counts: Counts::default(),
            members: Vec::new(),
            expiry: expiry::Watch::new(now),
        };
        Self {
            peers: Vec::new(),
            by_address: Map::default(),
            groups: Vec::new(),
            by_id: Map::default(),
            shards: (0..shards).map(shard).collect(),
            own,
            clients: 0,
            live_groups: 0,
            unjoined: 0,
            quotas: Map::default(),
            mode: settings.admission,
            is_certain: settings.admission == AdmissionMode::Open,
        }
    }

    /// A shard.
    pub fn shard(&self, shard: usize) -> &ShardModel {
        &self.shards[shard]
    }

    /// A peer.
    pub fn peer(&self, peer: PeerIndex) -> &Peer {
        &self.peers[peer.0 as usize]
    }

    /// The peer of an address, if the relay has ever heard of it.
    pub fn find(&self, address: SocketAddr) -> Option<PeerIndex> {
        self.by_address.get(&address).copied()
    }

    /// All groups, deleted ones too.
    pub fn groups(&self) -> impl Iterator<Item = (GroupIndex, &Group)> {
        self.groups.iter().enumerate().map(|(at, group)| (GroupIndex(at as u32), group))
    }

    /// A group.
    pub fn group(&self, group: GroupIndex) -> &Group {
        &self.groups[group.0 as usize]
    }

    /// Members of all groups, groups, and groups that nobody ever joined.
    pub fn totals(&self) -> (u32, u32, u32) {
        (self.clients, self.live_groups, self.unjoined)
    }

    /// What a datagram should cause; the model is then as the relay should be.
    pub fn take(&mut self, shard: usize, taken: &Taken<'_>) -> Effect {
        if taken.source.port() == 0 {
            return self.drop(shard, DropReason::SourcePortZero);
        }
        if taken.source == self.own {
            return self.drop(shard, DropReason::OwnAddress);
        }
        let peer = self.peer_of(shard, taken.source, taken.now);
        let request = parse(taken.bytes);
        let is_said =
            request == Request::Payload && (self.peer(peer).group.is_some() || looks_like_reply(taken.bytes));
        // Members that are no longer allowed are looked at by the turn that hears of it, when it ends.
        let is_stranger = self.peer(peer).group.is_none() && !is_said && request != Request::Nothing;
        if is_stranger && self.is_denied(shard, taken.source.ip()) {
            return self.drop(shard, DropReason::Denied);
        }
        if !is_said && request != Request::Nothing && self.is_uncertain(peer, request) {
            return Effect::Reply(Expected::Any(self.maybe(peer, request, taken)));
        }
        let result = match request {
            Request::Nothing => return self.drop(shard, DropReason::Empty),
            Request::Payload => match self.peer(peer).group {
                Some(group) => return self.payload(shard, peer, group, taken.now),
                None if looks_like_reply(taken.bytes) => {
                    return self.drop(shard, DropReason::ReplyFromStranger);
                }
                None => Err((Refusal::NotJoined, NOT_JOINED.to_owned())),
            },
            request => self.command(shard, peer, request, taken),
        };
        let counts = &mut self.shards[shard].counts;
        counts.replies += 1;
        Effect::Reply(result.unwrap_or_else(|(refusal, text)| {
            counts.refusals[refusal.index()] += 1;
            Expected::Text(text)
        }))
    }

    fn drop(&mut self, shard: usize, reason: DropReason) -> Effect {
        self.shards[shard].counts.dropped[reason as usize] += 1;
        Effect::Nothing
    }

    fn payload(&mut self, shard: usize, peer: PeerIndex, group: GroupIndex, now: u64) -> Effect {
        self.peers[peer.0 as usize].active = now;
        if !self.is_within_rate(shard, peer, now) {
            return self.drop(shard, DropReason::MaxRate);
        }
        let audience = self.groups[group.0 as usize].audience();
        let counts = &mut self.shards[shard].counts;
        counts.payloads += 1;
        counts.copies += audience.len() as u64 - 1;
        Effect::FanOut(peer, audience)
    }

    fn command(
        &mut self,
        shard: usize,
        peer: PeerIndex,
        request: Request,
        taken: &Taken<'_>,
    ) -> Result<Expected, (Refusal, String)> {
        self.shards[shard].counts.commands[request.kind()] += u64::from(request.is_command());
        let text = match request {
            Request::TooLarge => return Err((Refusal::TooLarge, "ERR TOO_LARGE PayloadTooLarge".to_owned())),
            Request::Create => return self.create(shard, peer),
            Request::Join(argument, cookie) => self.join(shard, peer, (argument, cookie), taken)?,
            Request::Leave(argument) => self.leave(shard, peer, argument, taken.now)?,
            Request::Ping | Request::Who => {
                let group = self.peer(peer).group.ok_or((Refusal::NotJoined, NOT_JOINED.to_owned()))?;
                if let Request::Ping = request {
                    self.peers[peer.0 as usize].active = taken.now;
                    pong(self.shards[shard].settings.heartbeat)
                } else {
                    let group = self.group(group);
                    format!("OK WHO {} {}", group.id, group.members().len())
                }
            }
            _ => return Err((Refusal::UnknownCommand, "ERR BAD_CMD UnknownCommand".to_owned())),
        };
        Ok(Expected::Text(text))
    }

    fn create(&mut self, shard: usize, peer: PeerIndex) -> Result<Expected, (Refusal, String)> {
        let settings = &self.shards[shard].settings;
        let (max, ceilings) = (settings.max_groups_per_client, settings.ceilings);
        let used = self.quotas.entry(peer).or_default();
        if *used >= max {
            let text = format!("ERR CLIENT_LIMIT {used}/{max}");
            return Err((Refusal::ClientLimit { used: *used, max }, text));
        }
        if self.live_groups >= ceilings.groups || self.unjoined >= ceilings.unjoined_groups {
            return Err((Refusal::ServerFull, "ERR SERVER_FULL TryLater".to_owned()));
        }
        *used += 1;
        self.live_groups += 1;
        self.unjoined += 1;
        self.shards[shard].counts.events[Event::Create as usize] += 1;
        Ok(Expected::Created(peer))
    }

    fn join(
        &mut self,
        shard: usize,
        peer: PeerIndex,
        (argument, cookie): (Option<Option<GroupId>>, Option<Cookie>),
        taken: &Taken<'_>,
    ) -> Result<String, (Refusal, String)> {
        let usage =
            || (Refusal::MissingArgument(wire::Usage::Join), "ERR BAD_ARG Usage:!JOIN <GROUPID>".to_owned());
        let no_such = || (Refusal::NoSuchGroup, "ERR BAD_ARG NoSuchGroup".to_owned());
        let id = argument.ok_or_else(usage)?.ok_or_else(no_such)?;
        let group = *self.by_id.get(&id).ok_or_else(no_such)?;
        let proves = self.proves(peer, Some(group), cookie, taken.now);
        let old = self.peer(peer).group;
        if old != Some(group) {
            let settings = &self.shards[shard].settings;
            let is_full = match self.group(group).cap(settings.cap) {
                Cap::Members(cap) => self.group(group).members().len() >= cap as usize,
                Cap::Unlimited => false,
            };
            if is_full {
                return Err((Refusal::GroupFull(id), format!("ERR GROUP_FULL {id}")));
            }
            if old.is_none() && self.clients >= settings.ceilings.clients {
                return Err((Refusal::ServerFull, "ERR SERVER_FULL TryLater".to_owned()));
            }
            if let Some(old) = old {
                self.exit(peer, old, taken.now);
                self.shards[shard].counts.events[Event::Leave as usize] += 1;
            }
            self.enter(shard, peer, group, old.is_none().then_some(taken.now));
            self.shards[shard].counts.events[Event::Join as usize] += 1;
        }
        let known = &mut self.peers[peer.0 as usize];
        (known.active, known.local) = (taken.now, taken.local);
        if proves {
            known.prove(taken.now);
        }
        Ok(format!("OK JOINED {id}"))
    }

    fn leave(
        &mut self,
        shard: usize,
        peer: PeerIndex,
        argument: Option<Option<GroupId>>,
        now: u64,
    ) -> Result<String, (Refusal, String)> {
        let usage = || {
            (Refusal::MissingArgument(wire::Usage::Leave), "ERR BAD_ARG Usage:!LEAVE <GROUPID>".to_owned())
        };
        let not_in = || (Refusal::NotInThatGroup, "ERR NOT_IN_GROUP NotInThatGroup".to_owned());
        let id = argument.ok_or_else(usage)?.ok_or_else(not_in)?;
        let group = self.peer(peer).group.filter(|group| self.group(*group).id == id).ok_or_else(not_in)?;
        self.exit(peer, group, now);
        self.shards[shard].counts.events[Event::Leave as usize] += 1;
        Ok(format!("OK LEFT {id}"))
    }

    fn peer_of(&mut self, shard: usize, address: SocketAddr, now: u64) -> PeerIndex {
        let trusted = self.is_trusted(address);
        let peer = *self.by_address.entry(address).or_insert_with(|| {
            let (proved, cookies) = (None, Vec::new());
            self.peers.push(Peer {
                address,
                group: None,
                entries: 0,
                shard,
                active: 0,
                local: None,
                proved,
                was_proved: false,
                evicted: None,
                due: 0,
                cookies,
            });
            PeerIndex(self.peers.len() as u32 - 1)
        });
        if trusted {
            self.peers[peer.0 as usize].prove(now);
        }
        peer
    }
}

/// The suggested heartbeat: seconds, rounded to three decimals, at least one of them.
fn pong(heartbeat: Duration) -> String {
    let millis = (heartbeat.as_micros() + 500) / 1000;
    let mut text = format!("PONG {}.{:03}", millis / 1000, millis % 1000);
    while text.ends_with('0') && !text.ends_with(".0") {
        text.pop();
    }
    text
}

fn looks_like_reply(bytes: &[u8]) -> bool {
    bytes.starts_with(b"OK ") || bytes.starts_with(b"ERR ") || bytes.starts_with(b"PONG ")
}
