//! What nobody can know beforehand of addresses that are not proved: whether they are answered, and what with.

use std::net::SocketAddr;

use engine::{AdmissionMode, Event};
use wire::GroupId;

use super::request::Request;
use super::{GroupIndex, Model, PeerIndex, Taken};

/// A cookie as it stands in the text.
pub type Cookie = [u8; 16];

/// A request that is granted, refused, answered with a question for a proof, or dropped.
#[derive(Clone, Debug)]
pub struct Maybe {
    /// Who asks.
    pub peer: PeerIndex,
    /// What for.
    pub request: Request,
    /// The group, if there is one.
    pub group: Option<(GroupIndex, GroupId)>,
    /// It is proved if that is granted.
    pub proves: bool,
    /// How often it had come into a group by then.
    entries: u64,
    local: Option<std::net::IpAddr>,
    /// The beginning of the turn, in milliseconds.
    pub now: u64,
}

impl Model {
    /// True for addresses that count as proved wherever they are.
    pub fn is_trusted(&self, address: SocketAddr) -> bool {
        address.ip().is_loopback()
    }

    /// True if an address has ever proved itself: it may have left since, and still be sent what was said before.
    pub fn was_proved(&self, peer: PeerIndex) -> bool {
        let known = self.peer(peer);
        self.is_trusted(known.address) || known.was_proved
    }

    /// Who has to prove itself: what the shard that was the first to read the last settings has told all.
    pub fn mode(&self) -> AdmissionMode {
        self.mode
    }

    /// True if nobody has ever had to: then every answer is certain.
    pub fn is_certain(&self) -> bool {
        self.is_certain
    }

    pub(super) fn set_mode(&mut self, mode: AdmissionMode) {
        self.mode = mode;
        self.is_certain &= mode == AdmissionMode::Open;
    }

    /// True if a request may also be answered otherwise, or not at all.
    pub(super) fn is_uncertain(&self, peer: PeerIndex, request: Request) -> bool {
        let known = self.peer(peer);
        let changes = matches!(request, Request::Join(..) | Request::Create);
        if self.is_certain {
            return false;
        }
        if self.is_trusted(known.address) {
            return changes && self.may_evict(known.shard);
        }
        let is_owed = known.group.is_some() && matches!(request, Request::Ping | Request::Who);
        !is_owed && (known.proved.is_none() || changes)
    }

    pub(super) fn maybe(&self, peer: PeerIndex, request: Request, taken: &Taken<'_>) -> Maybe {
        let id = match request {
            Request::Join(id, _) | Request::Leave(id) => id.flatten(),
            _ => None,
        };
        let group = id.and_then(|id| Some((*self.by_id.get(&id)?, id)));
        let cookie = if let Request::Join(_, cookie) = request { cookie } else { None };
        let proves = self.proves(peer, group.map(|(group, _)| group), cookie, taken.now);
        let entries = self.peer(peer).entries;
        Maybe { peer, request, group, proves, entries, local: taken.local, now: taken.now }
    }

    /// Whether a peer is proved that joins a group and shows this cookie.
    pub(super) fn proves(
        &self,
        peer: PeerIndex,
        group: Option<GroupIndex>,
        cookie: Option<Cookie>,
        now: u64,
    ) -> bool {
        self.peer(peer).proved.is_some()
            || cookie.is_some_and(|cookie| self.is_valid(peer, cookie, now))
            || group.is_some_and(|group| self.group(group).is_new_and_by(peer))
    }

    /// A cookie is good in the half minute in which it was told, and in the next.
    fn is_valid(&self, peer: PeerIndex, cookie: Cookie, now: u64) -> bool {
        let (cookies, cookie) = (&self.peer(peer).cookies, cookie.to_ascii_uppercase());
        cookies.iter().any(|(other, told)| other[..] == cookie[..] && now / 30_000 <= told / 30_000 + 1)
    }

    /// A request was decided, and this is whether the peer is now in the group that it named.
    ///
    /// # Errors
    /// Why it should not be.
    pub fn decided(&mut self, maybe: &Maybe, is_inside: bool) -> Result<(), String> {
        let Some((group, id)) = maybe.group else { return Ok(()) };
        let (shard, was) = (self.peer(maybe.peer).shard, self.peer(maybe.peer).group);
        match maybe.request {
            Request::Join(..) if is_inside && was != Some(group) => {
                if let Some(old) = was {
                    self.exit(maybe.peer, old, maybe.now);
                    self.shards[shard].counts.events[Event::Leave as usize] += 1;
                }
                self.enter(shard, maybe.peer, group, was.is_none().then_some(maybe.now));
                self.shards[shard].counts.events[Event::Join as usize] += 1;
                let known = &mut self.peers[maybe.peer.0 as usize];
                (known.active, known.local) = (maybe.now, maybe.local);
                if maybe.proves {
                    known.prove(maybe.now);
                }
                if self.mode() == AdmissionMode::Strict && !maybe.proves {
                    return Err(format!("it is in {id} without a proof"));
                }
            }
            Request::Leave(_) if !is_inside && was == Some(group) => {
                self.exit(maybe.peer, group, maybe.now);
                self.shards[shard].counts.events[Event::Leave as usize] += 1;
            }
            _ => {}
        }
        Ok(())
    }

    /// A request is answered. False if it must not be answered so.
    pub fn answered(&mut self, maybe: &Maybe, text: &str, shard: usize, now: u64) -> bool {
        let asks = matches!(maybe.request, Request::Join(..) | Request::Create)
            && self.mode != AdmissionMode::Open
            && !self.is_trusted(self.peer(maybe.peer).address);
        if let Some(cookie) = text.strip_prefix("ERR RETRY ").filter(|_| asks) {
            let cookie = Cookie::try_from(cookie.as_bytes()).ok();
            self.peers[maybe.peer.0 as usize].cookies.extend(cookie.map(|cookie| (cookie, now)));
            return cookie.is_some();
        }
        let id = maybe.group.map(|(_, id)| id.to_string()).unwrap_or_default();
        match maybe.request {
            Request::TooLarge => text == "ERR TOO_LARGE PayloadTooLarge",
            Request::Unknown => text == "ERR BAD_CMD UnknownCommand",
            Request::Ping | Request::Who | Request::Payload => text == super::NOT_JOINED,
            Request::Leave(None) => text == "ERR BAD_ARG Usage:!LEAVE <GROUPID>",
            Request::Leave(_) => text == "ERR NOT_IN_GROUP NotInThatGroup" || text == format!("OK LEFT {id}"),
            Request::Create => match text.strip_prefix("OK CREATED ").map(str::parse::<GroupId>) {
                Some(Ok(id)) => self.created_by(id, maybe, shard, now),
                _ => text.starts_with("ERR CLIENT_LIMIT ") || text == "ERR SERVER_FULL TryLater",
            },
            Request::Join(None, _) => text == "ERR BAD_ARG Usage:!JOIN <GROUPID>",
            Request::Join(..) if text == format!("OK JOINED {id}") => {
                let known = &mut self.peers[maybe.peer.0 as usize];
                // It may have gone elsewhere in the same turn, or have gone and come back. (Who has just come has been decided.)
                if known.group == maybe.group.map(|(group, _)| group) && known.entries == maybe.entries {
                    known.active = known.active.max(maybe.now);
                    if maybe.proves {
                        known.prove(maybe.now);
                    }
                }
                true
            }
            Request::Join(..) if text == "ERR BAD_ARG NoSuchGroup" => maybe.group.is_none(),
            Request::Join(..) => {
                maybe.group.is_some()
                    && (text == "ERR SERVER_FULL TryLater" || text == format!("ERR GROUP_FULL {id}"))
            }
            Request::Nothing => false,
        }
    }

    fn created_by(&mut self, id: GroupId, maybe: &Maybe, shard: usize, now: u64) -> bool {
        *self.quotas.entry(maybe.peer).or_default() += 1;
        self.live_groups += 1;
        self.unjoined += 1;
        self.shards[shard].counts.events[Event::Create as usize] += 1;
        // What is made without a cookie may be made in a member's name. (With one it is not spare: which makes the bound looser.)
        let is_trusted = self.is_trusted(self.peer(maybe.peer).address);
        let is_spare = self.mode != AdmissionMode::Open && !is_trusted;
        self.created(id, maybe.peer, is_spare, now).is_ok()
    }
}
