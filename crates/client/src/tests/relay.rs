//! A small relay of people, written from the protocol's text: sessions, one group, names, messages, mail and rendezvous.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use wire::{
    Ack, Command, Cookie, GroupId, Heartbeat, Hello, Message, MessageId, Notice, Person, Proof, Refusal,
    Reply, Sender, Token, Usage, decode,
};

use super::network::Letter;

const TRIES: [u64; 4] = [0, 500, 1000, 2000];

#[derive(Default)]
pub(super) struct Relay {
    pub(super) sessions: BTreeMap<SocketAddr, Session>,
    claims: BTreeMap<String, Token>,
    mail: BTreeMap<String, VecDeque<Mail>>,
    /// What became of messages, by sender and id.
    outcomes: BTreeMap<(String, MessageId), String>,
    /// Used tokens with the address and the answer.
    resumed: BTreeMap<Token, (SocketAddr, String)>,
    bridges: Vec<(SocketAddr, Option<String>)>,
    meetings: Vec<(SocketAddr, String, Token, VecDeque<Instant>)>,
    count: u128,
    pub(super) out: Vec<Letter>,
    pub(super) heartbeat: u64,
    pub(super) is_original: bool,
    pub(super) received: Vec<String>,
    pub(super) quota: usize,
    /// There is no room for any message.
    pub(super) is_full: bool,
    /// There is no room for members, and nowhere to look for names.
    pub(super) is_crowded: bool,
    /// What it says to all that is about people.
    pub(super) oddity: Option<&'static str>,
}

pub(super) struct Session {
    token: Token,
    pub(super) name: Option<String>,
    pub(super) group: Option<GroupId>,
    seq: u32,
    number: u32,
}

struct Mail {
    from: String,
    id: MessageId,
    bytes: Vec<u8>,
    tries: VecDeque<Instant>,
    stored: bool,
}

pub(super) fn address() -> SocketAddr {
    "192.0.2.1:5000".parse().unwrap()
}

impl Relay {
    pub(super) fn new() -> Self {
        Self { heartbeat: 20_000, quota: 100, ..Self::default() }
    }

    /// Forgets sessions, not names or mail.
    pub(super) fn restart(&mut self) {
        self.sessions.clear();
        self.resumed.clear();
    }

    /// Somebody else has the name from now on, and another claim for it.
    pub(super) fn give_away(&mut self, name: &str) {
        self.claims.insert(name.to_owned(), Token::of(u128::MAX));
    }

    pub(super) fn receive(&mut self, from: SocketAddr, datagram: &[u8], now: Instant) {
        self.received.push(String::from_utf8_lossy(datagram).into_owned());
        if self.is_original {
            return self.say(from, "ERR BAD_CMD UnknownCommand");
        }
        match decode(datagram) {
            Message::Command(Command::Hello(fields)) => self.hello(from, fields.hello()),
            Message::Command(Command::Resume(fields)) => {
                let resume = fields.resume();
                self.resume(from, resume.token, resume.cookie);
            }
            Message::Payload(_) if !self.sessions.contains_key(&from) => {
                self.say(from, "ERR NOT_IN_GROUP JoinFirstUseJOIN");
            }
            _ if !self.sessions.contains_key(&from) => self.say(from, "!ERR NO_SESSION SendHELLO"),
            Message::Command(command) => self.command(from, command, now),
            Message::Payload(bytes) => self.payload(from, bytes),
            _ => {}
        }
        let name = self.sessions.get(&from).and_then(|session| session.name.clone());
        if let Some(name) = name {
            self.deliver(&name, now, true);
        }
    }

    pub(super) fn tick(&mut self, now: Instant) {
        let names: Vec<String> = self.mail.keys().cloned().collect();
        for name in names {
            self.deliver(&name, now, false);
        }
        let mut due = Vec::new();
        for (to, text, _, tries) in &mut self.meetings {
            while tries.pop_front_if(|at| *at <= now).is_some() {
                due.push((*to, text.clone()));
            }
        }
        for (to, text) in due {
            self.say(to, &text);
        }
    }

    fn hello(&mut self, from: SocketAddr, hello: Hello) {
        let Hello::Known { cookie, from: true } = hello else {
            return self.say(from, &format!("!RETRY {}", cookie_of(from)));
        };
        if cookie != Some(cookie_of(from)) {
            return self.say(from, &format!("!RETRY {}", cookie_of(from)));
        }
        self.count += 1;
        let (token, number) = (Token::of(self.count << 64), self.count as u32);
        let session =
            self.sessions.entry(from).or_insert(Session { token, name: None, group: None, seq: 0, number });
        let reply = Reply::Hello(session.token, Heartbeat(self.heartbeat));
        self.reply(from, reply);
    }

    fn resume(&mut self, from: SocketAddr, token: Option<Token>, cookie: Option<Cookie>) {
        if cookie != Some(cookie_of(from)) {
            return self.say(from, &format!("!RETRY {}", cookie_of(from)));
        }
        let Some(token) = token else { return self.say(from, "!ERR BAD_TOKEN") };
        if let Some((_, answer)) = self.resumed.get(&token).filter(|(address, _)| *address == from) {
            let answer = answer.clone();
            return self.say(from, &answer);
        }
        let old = self.sessions.iter().find(|(_, session)| session.token == token).map(|(old, _)| *old);
        let Some(mut session) = old.and_then(|old| self.sessions.remove(&old)) else {
            return self.say(from, "!ERR BAD_TOKEN");
        };
        self.count += 1;
        session.token = Token::of(self.count << 64);
        let group = session.group.map_or("-".to_owned(), |group| group.to_string());
        let name = session.name.clone().unwrap_or("-".into());
        let answer = format!("!OK RESUMED {group} {name} {}", session.token);
        self.sessions.insert(from, session);
        self.resumed.insert(token, (from, answer.clone()));
        self.say(from, &answer);
    }

    fn command(&mut self, from: SocketAddr, command: Command<'_>, now: Instant) {
        let Some(session) = self.sessions.get_mut(&from) else { return };
        let (group, heartbeat) = (session.group, Heartbeat(self.heartbeat));
        match command {
            Command::Join(_) | Command::Person(Person::Reg(_)) if self.is_crowded => {
                self.reply(from, Reply::Refused(Refusal::ServerFull));
            }
            Command::Join(argument) => {
                let (group, _) = argument.group_and_proof().unwrap_or((None, Proof::None));
                session.group = group.filter(|group| group.as_str() != "NOWHERE").or(session.group);
                let joined = group.filter(|group| session.group == Some(*group));
                self.reply(from, joined.map_or(Reply::Refused(Refusal::NoSuchGroup), Reply::Joined));
            }
            Command::Leave(argument) => {
                let left = argument.group(Usage::Leave).ok().flatten().filter(|left| group == Some(*left));
                session.group = session.group.filter(|_| left.is_none());
                self.reply(from, left.map_or(Reply::Refused(Refusal::NotInThatGroup), Reply::Left));
            }
            Command::Ping | Command::Beat => self.reply(from, Reply::Pong(heartbeat)),
            Command::Who => {
                let count = self.sessions.values().filter(|session| session.group == group).count() as u32;
                let who = group.map(|group| Reply::Who(group, count));
                self.reply(from, who.unwrap_or(Reply::Refused(Refusal::NotJoined)));
            }
            Command::Raw(bytes) => self.payload(from, bytes),
            Command::Person(person) => self.person(from, person, now),
            other => panic!("the client said {other:?}"),
        }
    }

    fn person(&mut self, from: SocketAddr, person: Person<'_>, now: Instant) {
        let me = self.sessions.get(&from).and_then(|session| session.name.clone());
        if let Some(answer) = self.oddity {
            return self.say(from, answer);
        }
        match (person, me) {
            _ if is_misnamed(&person) => self.say(from, "!ERR BAD_NAME"),
            (Person::Reg(fields), _) => {
                let register = fields.register().unwrap();
                self.register(from, std::str::from_utf8(register.name).unwrap(), register.claim);
            }
            // Who is here is told to members, whether they have a name or not.
            (Person::Peers(_) | Person::Watch, _) if self.sessions[&from].group.is_none() => {
                self.reply(from, Reply::Refused(Refusal::NotJoined));
            }
            (Person::Peers(_), _) => self.peers(from),
            (Person::Watch, _) => self.say(from, "!OK WATCH"),
            (Person::Unwatch, _) => self.say(from, "!OK UNWATCH"),
            (_, None) => self.say(from, "!ERR NOT_REGISTERED"),
            (Person::Dereg, Some(name)) => {
                self.sessions.get_mut(&from).unwrap().name = None;
                self.say(from, &format!("!OK DEREG {name}"));
            }
            (Person::Send(fields), Some(name)) => {
                let letter = fields.letter().unwrap();
                let to = std::str::from_utf8(letter.name).unwrap();
                self.send(from, &name, to, letter.id, letter.bytes, now);
            }
            (Person::Ack(fields), Some(name)) => match fields.ack().unwrap() {
                Ack::Message { from, id } => self.acknowledge(&name, std::str::from_utf8(from).unwrap(), id),
                Ack::PeerAt(nonce) => {
                    self.meetings.retain(|(to, _, other, _)| *to != from || *other != nonce);
                }
            },
            (Person::Bridge(fields), Some(name)) => {
                let wanted = fields.only().map(|name| String::from_utf8(name.to_vec()).unwrap());
                self.bridge(from, &name, wanted, now);
            }
            (Person::Unbridge, Some(_)) => {
                self.bridges.retain(|(address, _)| *address != from);
                self.say(from, "!OK UNBRIDGE");
            }
        }
    }

    fn register(&mut self, from: SocketAddr, name: &str, claim: Option<Token>) {
        let holder = self.sessions.iter().find(|(_, session)| session.name.as_deref() == Some(name));
        let holder = holder.map(|(address, _)| *address);
        if let Some(known) = self.claims.get(name)
            && claim != Some(*known)
            && holder != Some(from)
        {
            return self.say(from, &format!("!ERR NAME_TAKEN {name}"));
        }
        if let Some(other) = holder.filter(|other| *other != from) {
            self.sessions.get_mut(&other).unwrap().name = None;
            self.say(other, &format!("!ERR NAME_MOVED {name}"));
        }
        self.count += 1;
        let claim = *self.claims.entry(name.to_owned()).or_insert(Token::of(self.count << 64));
        self.sessions.get_mut(&from).unwrap().name = Some(name.to_owned());
        self.say(from, &format!("!OK REG {name} {claim}"));
        let waiting = self.mail.get(name).map_or(0, VecDeque::len);
        if waiting > 0 {
            self.say(from, &format!("!MAIL {waiting}"));
        }
    }

    /// Pages of two names.
    fn peers(&mut self, from: SocketAddr) {
        let group = self.sessions[&from].group;
        let last = self.received.last().unwrap().clone();
        let start: usize = last.strip_prefix("!PEERS >").map_or(0, |cursor| cursor.parse().unwrap());
        let members = self.sessions.values().filter(|session| session.group == group);
        let names: Vec<&String> = members.filter_map(|session| session.name.as_ref()).collect();
        let page: String = names.iter().skip(start).take(2).map(|name| format!(" {name}=ONLINE")).collect();
        let cursor = if start + 2 < names.len() { format!(">{}", start + 2) } else { ".".into() };
        self.say(from, &format!("!OK PEERS {cursor}{page}"));
    }

    fn send(&mut self, from: SocketAddr, sender: &str, to: &str, id: MessageId, bytes: &[u8], now: Instant) {
        if let Some(outcome) = self.outcomes.get(&(sender.to_owned(), id)) {
            let outcome = outcome.clone();
            return self.say(from, &outcome);
        }
        if self.is_full {
            return self.say(from, "!ERR SERVER_FULL TryLater");
        }
        if !self.claims.contains_key(to) {
            return self.say(from, &format!("!ERR NO_SUCH_NAME {to}"));
        }
        let is_online = self.sessions.values().any(|session| session.name.as_deref() == Some(to));
        let queue = self.mail.entry(to.to_owned()).or_default();
        if queue.iter().any(|mail| mail.id == id && mail.from == sender) {
            return;
        }
        if queue.len() >= self.quota {
            return self.say(from, &format!("!ERR MAILBOX_FULL {to}"));
        }
        let stored = !is_online || queue.iter().any(|mail| mail.stored);
        let tries = if stored { VecDeque::new() } else { after(now, TRIES) };
        queue.push_back(Mail { from: sender.to_owned(), id, bytes: bytes.to_vec(), tries, stored });
        if stored {
            self.tell_outcome(sender, id, format!("!STORED {to} {id}"));
        }
        self.deliver(to, now, false);
    }

    fn tell_outcome(&mut self, sender: &str, id: MessageId, outcome: String) {
        let address = self.sessions.iter().find(|(_, session)| session.name.as_deref() == Some(sender));
        if let Some(address) = address.map(|(address, _)| *address) {
            self.say(address, &outcome);
        }
        self.outcomes.insert((sender.to_owned(), id), outcome);
    }

    /// Only the first of a queue is on its way: order is kept by that alone.
    fn deliver(&mut self, name: &str, now: Instant, is_here: bool) {
        let address = self.sessions.iter().find(|(_, session)| session.name.as_deref() == Some(name));
        let address = address.map(|(address, _)| *address);
        let Some(mail) = self.mail.get_mut(name).and_then(|queue| queue.front_mut()) else { return };
        let due = mail.tries.pop_front_if(|at| *at <= now).is_some() || (mail.stored && is_here);
        let Mail { from, id, bytes, .. } = mail;
        let message = [format!("!MSG {from} {id} 17 ").as_bytes(), bytes].concat();
        let is_over = !mail.stored && mail.tries.is_empty() && !due;
        let (from, id) = (from.clone(), *id);
        if is_over {
            mail.stored = true;
            self.tell_outcome(&from, id, format!("!STORED {name} {id}"));
        }
        if let Some(to) = address.filter(|_| due) {
            self.out.push(Letter { from: self::address(), to, datagram: message });
        }
    }

    fn acknowledge(&mut self, name: &str, from: &str, id: MessageId) {
        let Some(queue) = self.mail.get_mut(name) else { return };
        let before = queue.len();
        queue.retain(|mail| mail.id != id || mail.from != from);
        if queue.len() < before {
            self.tell_outcome(from, id, format!("!DELIVERED {name} {id}"));
        }
    }

    fn bridge(&mut self, from: SocketAddr, name: &str, wanted: Option<String>, now: Instant) {
        if self.meetings.iter().any(|(to, ..)| *to == from) {
            return;
        }
        self.bridges.retain(|(address, _)| *address != from);
        let name_of =
            |address: &SocketAddr| self.sessions.get(address).and_then(|session| session.name.clone());
        let matches = |(address, theirs): &(SocketAddr, Option<String>)| {
            wanted == theirs.as_ref().and_then(|_| name_of(address))
                && theirs.as_deref().is_none_or(|theirs| theirs == name)
        };
        let Some(place) = self.bridges.iter().position(matches) else {
            self.bridges.push((from, wanted));
            return self.say(from, "!OK BRIDGE WAITING");
        };
        let (other, _) = self.bridges.remove(place);
        let other_name = self.sessions[&other].name.clone().unwrap();
        self.count += 1;
        let nonce = Token::of(self.count << 64);
        let times = || after(now, [0, 200, 600, 1400]);
        let at = |name: &str, address: SocketAddr| {
            format!("!PEER_AT {name} {} {} {nonce}", address.ip(), address.port())
        };
        self.meetings.push((from, at(&other_name, other), nonce, times()));
        self.meetings.push((other, at(name, from), nonce, times()));
    }

    fn payload(&mut self, from: SocketAddr, bytes: &[u8]) {
        let session = self.sessions.get_mut(&from).unwrap();
        let Some(group) = session.group else { return self.reply(from, Reply::Refused(Refusal::NotJoined)) };
        let seq = session.seq;
        session.seq += 1;
        let (name, number) = (session.name.clone(), session.number);
        let sender = name.as_deref().map_or(Sender::Member(number), Sender::Named);
        let mut datagram = Vec::new();
        Notice::From(sender, seq, bytes).write_to(&mut |piece| datagram.extend_from_slice(piece));
        let others =
            self.sessions.iter().filter(|(to, session)| **to != from && session.group == Some(group));
        let letters = others.map(|(to, _)| Letter { from: address(), to: *to, datagram: datagram.clone() });
        self.out.extend(letters.collect::<Vec<_>>());
    }

    fn reply(&mut self, to: SocketAddr, reply: Reply) {
        let text = reply.encode_for(wire::Form::Extended);
        self.out.push(Letter { from: address(), to, datagram: text.as_bytes().to_vec() });
    }

    fn say(&mut self, to: SocketAddr, text: &str) {
        self.out.push(Letter { from: address(), to, datagram: text.as_bytes().to_vec() });
    }
}

/// One half is no digit, which the client does not know.
fn is_misnamed(person: &Person<'_>) -> bool {
    let name = match *person {
        Person::Reg(fields) => fields.register().map(|register| register.name),
        Person::Send(fields) => fields.letter().map(|letter| letter.name),
        Person::Bridge(fields) => fields.only(),
        _ => None,
    };
    name == Some("\u{bd}".as_bytes())
}

fn cookie_of(address: SocketAddr) -> Cookie {
    Cookie::of(u128::from(address.port()) << 64 | 1)
}

fn after(now: Instant, millis: [u64; 4]) -> VecDeque<Instant> {
    millis.into_iter().map(|millis| now + Duration::from_millis(millis)).collect()
}
