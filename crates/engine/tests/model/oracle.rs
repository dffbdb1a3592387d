//! The protocol's own words as a program: slow, naive, and written from `docs/protocol.md` alone.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};

use engine::{Stance, Treatment};

use crate::extended::{hello, no_session, starts_like_reply};
use crate::proofs::{Mode, Proof, Proofs, is_trusted, proof_of};

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
    pub mode: Mode,
    /// IP bytes a second for all unproved members: less than 512, or shards take more than they use.
    pub egress: u64,
}

/// What one datagram leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Dropped(&'static str),
    Reply(String),
    /// `OK CREATED` with an id that the relay draws.
    Created,
    /// `ERR RETRY` with a cookie that it makes.
    Asked,
    /// The same to a HELLO or a RESUME: `!RETRY`.
    AskedByHello,
    /// The receivers, each with the relay's socket to answer from.
    FanOut {
        group: String,
        receivers: BTreeMap<SocketAddr, u8>,
        /// How those of the group are treated who are not proved, if there are any.
        treatment: Option<Treatment>,
    },
}

impl Verdict {
    /// Bytes of the answer, if it is one.
    fn reply_len(&self) -> Option<usize> {
        match self {
            Self::Reply(text) => Some(text.len()),
            Self::Created => Some("OK CREATED ABCD1234".len()),
            Self::Asked => Some("ERR RETRY ABCD1234ABCD1234".len()),
            Self::AskedByHello => Some("!RETRY ABCD1234ABCD1234".len()),
            Self::Dropped(_) | Self::FanOut { .. } => None,
        }
    }
}

pub struct Group {
    /// And whether that was proved then.
    creator: Option<(SocketAddr, bool)>,
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
    proved: bool,
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
    pub proofs: Proofs,
    /// Everything that happened, by label.
    pub counts: BTreeMap<String, u64>,
}

/// As it is answered: only a link-local address has an interface.
pub fn canonical(source: SocketAddr) -> SocketAddr {
    let mut canonical = SocketAddr::new(source.ip(), source.port());
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
        let (next_sweep, proofs) = (rules.sweep, Proofs::new(&rules));
        Self {
            proofs,
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
        self.proofs.look(&self.rules, self.now);
    }

    /// Members that are not proved.
    pub fn unproved(&self) -> usize {
        self.seats.values().filter(|seat| !seat.proved).count()
    }

    pub fn receive(&mut self, source: SocketAddr, socket: u8, bytes: &[u8]) -> Verdict {
        let client = canonical(source);
        let was_member = self.seats.contains_key(&client);
        let verdict = match bytes {
            _ if client.port() == 0 => Verdict::Dropped("source_port_zero"),
            _ if client.is_ipv6() && client.ip().to_canonical().is_ipv4() => {
                Verdict::Dropped("impossible_source")
            }
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
            Verdict::Asked | Verdict::AskedByHello => {
                self.count("replies", 1);
                self.count("refused RETRY", 1);
            }
            Verdict::Reply(text) => {
                self.count("replies", 1);
                if let Some(error) = text.strip_prefix('!').unwrap_or(text).strip_prefix("ERR ") {
                    self.count(&format!("refused {}", error.split(' ').next().unwrap()), 1);
                }
            }
        }
        if was_member && self.seats.get(&client).is_some_and(|seat| !seat.proved) {
            self.proofs.answer(&self.rules, client, verdict.reply_len(), self.now);
        }
        verdict
    }

    /// The relay has drawn this id.
    pub fn created(&mut self, creator: SocketAddr, id: &str, bytes: &[u8]) {
        assert!(
            id.len() == 8
                && id
                    .bytes()
                    .all(|byte| byte.is_ascii_uppercase() && byte != b'O' || (b'1'..=b'9').contains(&byte)),
            "{id}"
        );
        let group = Group {
            creator: Some(
                self.creator(canonical(creator), bytes.strip_prefix(b"!CREATE").unwrap_or_default()),
            ),
            declared: None,
            joined_ever: false,
            empty: Some(self.now),
        };
        assert!(self.groups.insert(id.to_owned(), group).is_none(), "{id} exists");
        self.count("event create", 1);
    }

    pub fn reload(&mut self, rules: Rules) {
        let old = std::mem::replace(&mut self.rules, rules);
        self.proofs.configure(&self.rules);
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
            b"CREATE" | b"JOIN" | b"LEAVE" | b"PING" | b"WHO" | b"HELLO" | b"BEAT" | b"RESUME" => {
                std::str::from_utf8(token).unwrap()
            }
            b"RAW" => return no_session(),
            _ if self.group_of(client).is_none() && starts_like_reply(text) => {
                return Verdict::Dropped("reply_from_stranger");
            }
            _ => "UNKNOWN",
        };
        self.count(&format!("command {}", label.to_lowercase()), 1);
        match label {
            "HELLO" => hello(argument),
            "RESUME" => Verdict::AskedByHello,
            "BEAT" => no_session(),
            "CREATE" => self.create(client, argument),
            "JOIN" => self.join(client, socket, argument),
            "LEAVE" => self.leave(client, argument),
            "PING" => self.ping(client),
            "WHO" => self.who(client),
            _ => error("BAD_CMD UnknownCommand"),
        }
    }

    /// Who a group counts for that is made with this behind CREATE.
    fn creator(&self, client: SocketAddr, argument: &[u8]) -> (SocketAddr, bool) {
        let proof = proof_of(&stripped(argument));
        let shown = is_trusted(client) || self.proofs.is_valid(&proof, client, self.now);
        (client, shown || self.proofs.stance == Stance::Open)
    }

    fn is_proved(&self, client: SocketAddr, proof: &Proof) -> bool {
        let has_seat = self.seats.get(&client).is_some_and(|seat| seat.proved);
        has_seat || is_trusted(client) || self.proofs.is_valid(proof, client, self.now)
    }

    fn create(&mut self, client: SocketAddr, argument: &[u8]) -> Verdict {
        let creator = self.creator(client, argument);
        let shows_cookie = matches!(proof_of(&stripped(argument)), Proof::Cookie(_));
        let used = self.groups.values().filter(|group| group.creator == Some(creator)).count();
        let unjoined =
            self.groups.values().filter(|group| !group.joined_ever && group.declared.is_none()).count();
        match () {
            () if used >= self.rules.quota && !creator.1 && (shows_cookie || self.proofs.asks(client)) => {
                Verdict::Asked
            }
            () if used >= self.rules.quota => error(&format!("CLIENT_LIMIT {used}/{}", self.rules.quota)),
            () if self.groups.len() >= self.rules.max_groups || unjoined >= self.rules.max_unjoined => {
                error("SERVER_FULL TryLater")
            }
            () => Verdict::Created,
        }
    }

    fn join(&mut self, client: SocketAddr, socket: u8, argument: &[u8]) -> Verdict {
        let argument = stripped(argument);
        if argument.is_empty() {
            return error("BAD_ARG Usage:!JOIN <GROUPID>");
        }
        let (id, proof) = divided(&argument);
        let mut proved = self.is_proved(client, &proof);
        let shown = self.proofs.is_valid(&proof, client, self.now);
        match proof {
            Proof::None => {}
            _ if !proved && self.proofs.stance != Stance::Open => return Verdict::Asked,
            Proof::Cookie(_) => {}
            Proof::Other => return error("BAD_ARG NoSuchGroup"),
        }
        if !is_name(&id) {
            return error("BAD_ARG NoSuchGroup");
        }
        let old = self.group_of(client).cloned();
        if old.as_ref() == Some(&id) {
            if !proved && self.proofs.stance == Stance::Strict {
                return Verdict::Asked;
            }
        } else {
            let is_guessing = self.proofs.is_guessing(client, shown, self.now);
            let is_asked = is_guessing || !proved && self.proofs.asks(client);
            let Some(group) = self.groups.get(&id) else {
                if !is_asked {
                    self.proofs.note_guess(client, shown, self.now);
                }
                return if is_asked { Verdict::Asked } else { error("BAD_ARG NoSuchGroup") };
            };
            // Only it was told the id.
            let is_first = !group.joined_ever && group.creator.is_some_and(|(creator, _)| creator == client);
            if is_asked && !is_first {
                return Verdict::Asked;
            }
            proved |= is_first;
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
        self.seats.insert(client, Seat { group: id.clone(), active: self.now, socket, proved });
        Verdict::Reply(format!("OK JOINED {id}"))
    }

    fn leave(&mut self, client: SocketAddr, argument: &[u8]) -> Verdict {
        let id = stripped(argument);
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
        let is_unproved = |other: &&SocketAddr| !self.seats[*other].proved;
        let has_unproved = others.iter().any(|other| is_unproved(&other));
        others.remove(&client);
        let size = |other: &SocketAddr| payload.len() as u64 + if other.is_ipv4() { 28 } else { 48 };
        let bytes = others.iter().filter(is_unproved).map(size).sum();
        let receivers = others.iter().map(|other| (*other, self.seats[other].socket)).collect();
        let treatment = has_unproved.then(|| self.proofs.treat(&self.rules, bytes, now));
        Verdict::FanOut { group, receivers, treatment }
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
fn stripped(argument: &[u8]) -> String {
    let text: String = argument.iter().map(|&byte| char::from(byte)).collect();
    text.trim_matches(is_white).to_ascii_uppercase()
}

/// A group and what is shown behind it, divided by white space or points.
fn divided(argument: &str) -> (String, Proof) {
    let is_divider = |char: char| is_white(char) || char == '.';
    match argument.split_once(is_divider) {
        None => (argument.to_owned(), Proof::None),
        Some((id, rest)) => (id.to_owned(), proof_of(rest.trim_start_matches(is_divider))),
    }
}

fn is_white(char: char) -> bool {
    " \t\n\r\x0b\x0c".contains(char)
}

/// True for what can be a group's id.
fn is_name(id: &str) -> bool {
    let is_letter = |char: char| char.is_ascii_uppercase() || char.is_ascii_digit() || "_-".contains(char);
    (1..=32).contains(&id.len()) && id.chars().all(is_letter)
}

fn error(text: &str) -> Verdict {
    Verdict::Reply(format!("ERR {text}"))
}

fn not_joined() -> Verdict {
    error("NOT_IN_GROUP JoinFirstUseJOIN")
}
