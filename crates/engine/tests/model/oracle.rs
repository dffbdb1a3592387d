//! The protocol's own words as a program: slow, naive, and written from `docs/protocol.md` alone.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

/// What an operator decides. Times are milliseconds.
#[derive(Clone, Debug)]
pub struct Rules {
    pub heartbeat: u64,
    pub sweep: u64,
    pub ttl: u64,
    pub cap: Option<usize>,
    pub quota: usize,
    pub max_clients: usize,
    pub max_groups: usize,
    pub max_unjoined: usize,
}

/// What one datagram leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Dropped(&'static str),
    Reply(String),
    /// `OK CREATED` with an id that the relay draws.
    Created,
    /// The receivers, each with the relay's socket to answer from.
    FanOut {
        group: String,
        receivers: BTreeMap<SocketAddr, u8>,
    },
}

pub struct Group {
    creator: Option<SocketAddr>,
    /// `Some` while the configuration names it; inside, its own cap, whose `None` is "none".
    declared: Option<Option<Option<usize>>>,
    joined_ever: bool,
    /// Since when it has been empty; `None` if it is not.
    empty: Option<u64>,
}

struct Seat {
    group: String,
    active: u64,
    socket: u8,
}

pub struct Oracle {
    pub rules: Rules,
    pub groups: BTreeMap<String, Group>,
    seats: BTreeMap<SocketAddr, Seat>,
    pub now: u64,
    last_turn: u64,
    grace: u64,
    /// The idle limit before a reload made it shorter, and until when it holds.
    patience: Option<(u64, u64)>,
    next_sweep: u64,
    /// A sweep that a reload has asked for, and the time it judges by.
    asked: Option<u64>,
    /// Everything that happened, by label.
    pub counts: BTreeMap<String, u64>,
}

/// One host, one form.
pub fn canonical(source: SocketAddr) -> SocketAddr {
    let mut canonical = SocketAddr::new(source.ip().to_canonical(), source.port());
    if let (SocketAddr::V6(to), SocketAddr::V6(from)) = (&mut canonical, source)
        && from.ip().segments()[0] & 0xffc0 == 0xfe80
    {
        to.set_scope_id(from.scope_id());
    }
    canonical
}

fn is_own(source: SocketAddr) -> bool {
    let own: [IpAddr; 2] = super::steps::OWN_HOSTS.map(|host| host.parse().unwrap());
    let loopback = matches!(source.ip(), IpAddr::V4(v4) if v4.octets()[0] == 127);
    source.port() == super::steps::OWN_PORT && (loopback || own.contains(&source.ip()))
}

impl Oracle {
    pub fn new(rules: Rules) -> Self {
        let next_sweep = rules.sweep;
        Self {
            rules,
            groups: BTreeMap::new(),
            seats: BTreeMap::new(),
            now: 0,
            last_turn: 0,
            grace: 0,
            patience: None,
            next_sweep,
            asked: None,
            counts: BTreeMap::new(),
        }
    }

    pub fn clients(&self) -> usize {
        self.seats.len()
    }

    pub fn group_of(&self, client: SocketAddr) -> Option<&String> {
        self.seats.get(&canonical(client)).map(|seat| &seat.group)
    }

    pub fn begin_turn(&mut self, clock: u64) {
        if clock > self.last_turn + self.rules.heartbeat.max(20) {
            self.grace = clock + self.rules.heartbeat * 11 / 10;
        }
        self.last_turn = self.last_turn.max(clock);
        self.now = self.now.max(clock);
    }

    pub fn receive(&mut self, source: SocketAddr, socket: u8, bytes: &[u8]) -> Verdict {
        let client = canonical(source);
        let verdict = match bytes {
            _ if client.port() == 0 => Verdict::Dropped("source_port_zero"),
            _ if is_own(client) => Verdict::Dropped("own_address"),
            [] => Verdict::Dropped("empty"),
            long if long.len() > 4096 => error("TOO_LARGE PayloadTooLarge"),
            [b'!', command @ ..] => self.command(client, socket, command),
            payload => self.payload(client, payload),
        };
        match &verdict {
            Verdict::Dropped(reason) => self.count(&format!("dropped {reason}"), 1),
            Verdict::FanOut { receivers, .. } => {
                self.count("payloads", 1);
                self.count("copies", receivers.len());
            }
            Verdict::Created => self.count("replies", 1),
            Verdict::Reply(text) => {
                self.count("replies", 1);
                if let Some(error) = text.strip_prefix("ERR ") {
                    self.count(&format!("refused {}", error.split(' ').next().unwrap()), 1);
                }
            }
        }
        verdict
    }

    /// The relay has drawn this id.
    pub fn created(&mut self, creator: SocketAddr, id: &str) {
        assert!(
            id.len() == 8
                && id
                    .bytes()
                    .all(|byte| byte.is_ascii_uppercase() && byte != b'O' || (b'1'..=b'9').contains(&byte)),
            "{id}"
        );
        let group = Group {
            creator: Some(canonical(creator)),
            declared: None,
            joined_ever: false,
            empty: Some(self.now),
        };
        assert!(self.groups.insert(id.to_owned(), group).is_none(), "{id} exists");
        self.count("event create", 1);
    }

    pub fn reload(&mut self, rules: Rules) {
        let old = std::mem::replace(&mut self.rules, rules);
        if (old.heartbeat, old.sweep) != (self.rules.heartbeat, self.rules.sweep) {
            if self.rules.heartbeat < old.heartbeat {
                let limit = self.patience.map_or(0, |(limit, _)| limit).max(3 * old.heartbeat);
                self.patience = Some((limit, self.now + (old.heartbeat * 11 / 10).min(600_000)));
            }
            self.ask_for_a_sweep();
        }
    }

    fn ask_for_a_sweep(&mut self) {
        let boundary = self.now - self.now % self.rules.sweep;
        self.asked = Some(boundary);
        self.next_sweep = boundary + self.rules.sweep;
    }

    pub fn declare(&mut self, groups: &BTreeMap<String, Option<Option<usize>>>) {
        for (id, group) in &mut self.groups {
            if group.declared.is_some() && !groups.contains_key(id) {
                group.declared = None;
                if self.seats.values().all(|seat| seat.group != *id) {
                    group.empty = Some(self.now);
                }
            }
        }
        for (id, cap) in groups {
            let fresh = Group { creator: None, declared: None, joined_ever: false, empty: None };
            let group = self.groups.entry(id.clone()).or_insert(fresh);
            (group.declared, group.creator, group.empty) = (Some(*cap), None, None);
        }
    }

    pub fn sweep(&mut self) {
        if self.now < self.grace {
            return;
        }
        if self.patience.is_some_and(|(_, until)| self.now >= until) {
            self.patience = None;
            self.ask_for_a_sweep();
        }
        if let Some(boundary) = self.asked.take() {
            self.sweep_as_of(boundary);
        }
        if self.now >= self.next_sweep {
            let boundary = self.now - self.now % self.rules.sweep;
            self.next_sweep = boundary + self.rules.sweep;
            self.sweep_as_of(boundary);
        }
    }

    fn sweep_as_of(&mut self, boundary: u64) {
        let limit = self.patience.map_or(0, |(limit, _)| limit).max(3 * self.rules.heartbeat);
        let silent = |seat: &Seat| seat.active + limit < boundary;
        let gone: Vec<_> =
            self.seats.iter().filter(|(_, seat)| silent(seat)).map(|(client, _)| *client).collect();
        for client in gone {
            self.exit(client);
            self.count("event expire", 1);
        }
        let (ttl, before) = (self.rules.ttl, self.groups.len());
        self.groups.retain(|_, group| {
            group.declared.is_some() || group.empty.is_none_or(|since| since + ttl > boundary)
        });
        self.count("event delete", before - self.groups.len());
    }

    fn command(&mut self, client: SocketAddr, socket: u8, text: &[u8]) -> Verdict {
        let mut parts = text.splitn(2, |&byte| byte == b' ');
        let token = parts.next().unwrap_or_default();
        let argument = parts.next().unwrap_or_default();
        let label = match token {
            b"CREATE" | b"JOIN" | b"LEAVE" | b"PING" | b"WHO" => std::str::from_utf8(token).unwrap(),
            _ => "UNKNOWN",
        };
        self.count(&format!("command {}", label.to_lowercase()), 1);
        match label {
            "CREATE" => self.create(client),
            "JOIN" => self.join(client, socket, argument),
            "LEAVE" => self.leave(client, argument),
            "PING" => self.ping(client),
            "WHO" => self.who(client),
            _ => error("BAD_CMD UnknownCommand"),
        }
    }

    fn create(&mut self, client: SocketAddr) -> Verdict {
        let used = self.groups.values().filter(|group| group.creator == Some(client)).count();
        let unjoined =
            self.groups.values().filter(|group| !group.joined_ever && group.declared.is_none()).count();
        match () {
            () if used >= self.rules.quota => error(&format!("CLIENT_LIMIT {used}/{}", self.rules.quota)),
            () if self.groups.len() >= self.rules.max_groups || unjoined >= self.rules.max_unjoined => {
                error("SERVER_FULL TryLater")
            }
            () => Verdict::Created,
        }
    }

    fn join(&mut self, client: SocketAddr, socket: u8, argument: &[u8]) -> Verdict {
        let id = group_argument(argument);
        if id.is_empty() {
            return error("BAD_ARG Usage:!JOIN <GROUPID>");
        }
        let Some(group) = self.groups.get(&id) else { return error("BAD_ARG NoSuchGroup") };
        let old = self.group_of(client).cloned();
        if old.as_ref() != Some(&id) {
            let cap = group.declared.map_or(self.rules.cap, Option::flatten);
            if cap.is_some_and(|cap| self.members(&id).len() >= cap) {
                return error(&format!("GROUP_FULL {id}"));
            }
            if old.is_none() && self.seats.len() >= self.rules.max_clients {
                return error("SERVER_FULL TryLater");
            }
            if old.is_some() {
                self.exit(client);
                self.count("event leave", 1);
            }
            self.count("event join", 1);
        }
        let group = self.groups.get_mut(&id).unwrap();
        (group.joined_ever, group.empty) = (true, None);
        self.seats.insert(client, Seat { group: id.clone(), active: self.now, socket });
        Verdict::Reply(format!("OK JOINED {id}"))
    }

    fn leave(&mut self, client: SocketAddr, argument: &[u8]) -> Verdict {
        let id = group_argument(argument);
        if id.is_empty() {
            return error("BAD_ARG Usage:!LEAVE <GROUPID>");
        }
        if self.group_of(client) != Some(&id) {
            return error("NOT_IN_GROUP NotInThatGroup");
        }
        self.exit(client);
        self.count("event leave", 1);
        Verdict::Reply(format!("OK LEFT {id}"))
    }

    fn ping(&mut self, client: SocketAddr) -> Verdict {
        let (now, heartbeat) = (self.now, self.rules.heartbeat as f64 / 1000.0);
        let Some(seat) = self.seats.get_mut(&client) else { return not_joined() };
        seat.active = now;
        Verdict::Reply(format!("PONG {heartbeat:?}"))
    }

    fn who(&self, client: SocketAddr) -> Verdict {
        let Some(id) = self.group_of(client) else { return not_joined() };
        Verdict::Reply(format!("OK WHO {id} {}", self.members(id).len()))
    }

    fn payload(&mut self, client: SocketAddr, payload: &[u8]) -> Verdict {
        let now = self.now;
        let Some(seat) = self.seats.get_mut(&client) else {
            let like_reply = [&b"OK "[..], b"ERR ", b"PONG "].iter().any(|start| payload.starts_with(start));
            return if like_reply { Verdict::Dropped("reply_from_stranger") } else { not_joined() };
        };
        seat.active = now;
        let group = seat.group.clone();
        let mut others = self.members(&group);
        others.remove(&client);
        let receivers = others.into_iter().map(|other| (other, self.seats[&other].socket)).collect();
        Verdict::FanOut { group, receivers }
    }

    fn members(&self, id: &str) -> BTreeSet<SocketAddr> {
        self.seats.iter().filter(|(_, seat)| seat.group == id).map(|(client, _)| *client).collect()
    }

    fn exit(&mut self, client: SocketAddr) {
        let Some(seat) = self.seats.remove(&client) else { return };
        let group = self.groups.get_mut(&seat.group).unwrap();
        if group.declared.is_none() && self.seats.values().all(|other| other.group != seat.group) {
            group.empty = Some(self.now);
        }
    }

    fn count(&mut self, label: &str, more: usize) {
        if more > 0 {
            *self.counts.entry(label.to_owned()).or_default() += more as u64;
        }
    }
}

/// Stripped of white space and upper-cased; ASCII only, so that anything else names no group.
fn group_argument(argument: &[u8]) -> String {
    let text: String = argument.iter().map(|&byte| char::from(byte)).collect();
    let white = |char: char| " \t\n\r\x0b\x0c".contains(char);
    text.trim_matches(white).to_ascii_uppercase()
}

fn error(text: &str) -> Verdict {
    Verdict::Reply(format!("ERR {text}"))
}

fn not_joined() -> Verdict {
    error("NOT_IN_GROUP JoinFirstUseJOIN")
}
