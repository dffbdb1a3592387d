//! A relay of names and messages in a few lines, whose faults are known.

use std::collections::{HashMap, VecDeque};

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};
use wire::{Ack, Command, Cookie, Form, Heartbeat, Hello, Letter, Message, MessageId, Notice, Person};
use wire::{Refusal, Reply, Resume, Token, decode};

/// SENDs of one message until its recipient is taken for silent.
const SILENT: u32 = 4;

/// What it does wrong, once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    #[default]
    None,
    /// Says that a message has arrived, and drops it.
    Lose,
    /// Delivers a message again, under another id.
    Double,
    /// Keeps a message back until the next of the same sender has been delivered.
    Swap,
    /// Changes a letter.
    Spoil,
    /// Gives a message to its sender.
    Misdeliver,
    /// Never answers a message.
    Ignore,
    /// Says that a message is stored, and drops it.
    Forget,
    /// Gives a name that comes back another claim.
    Reclaim,
    /// Says to the first messages that it has no room.
    Refuse,
    /// Does not know somebody who comes from another address.
    Expel,
    /// Always delivers mail only to whoever says something besides REG, and asks for that once a minute.
    Doze,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// Sent so often.
    UnderWay(u32),
    Stored,
    Delivered,
}

/// A message as it is delivered.
#[derive(Clone)]
struct Mail {
    from: String,
    id: MessageId,
    bytes: Vec<u8>,
}

/// The relay.
#[derive(Default)]
pub struct Model {
    fault: Fault,
    /// What drops datagrams, either way, and which part of them.
    dice: Option<(SmallRng, f64)>,
    is_done: bool,
    turned_away: u32,
    ignored: Option<MessageId>,
    held: Option<(u32, Mail)>,
    /// Where people are who are there.
    present: HashMap<String, u32>,
    names: HashMap<u32, String>,
    known: HashMap<String, u32>,
    fates: HashMap<MessageId, Fate>,
    mail: HashMap<String, VecDeque<Mail>>,
    /// The sessions' tokens by address, and those that were used up to come there.
    tokens: HashMap<u32, (Token, Option<Token>)>,
    next: u128,
    says: Vec<(u32, Vec<u8>)>,
}

impl Model {
    pub fn with(fault: Fault) -> Self {
        Self { fault, ..Self::default() }
    }

    pub fn losing(part: f64) -> Self {
        Self { dice: Some((SmallRng::seed_from_u64(1), part)), ..Self::default() }
    }

    /// Takes a datagram, unless it is dropped, and gives the answers that are not.
    pub fn take(&mut self, from: u32, datagram: &[u8]) -> Vec<(u32, Vec<u8>)> {
        if !self.drops() {
            match decode(datagram) {
                Message::Command(command) => self.command(from, command),
                other => panic!("{other:?}"),
            }
        }
        let says = std::mem::take(&mut self.says);
        says.into_iter().filter(|_| !self.drops()).collect()
    }

    fn drops(&mut self) -> bool {
        self.dice.as_mut().is_some_and(|(dice, part)| dice.random_bool(*part))
    }

    /// True the first time that this fault is asked for.
    fn errs(&mut self, fault: Fault) -> bool {
        self.fault == fault && !std::mem::replace(&mut self.is_done, true)
    }

    fn tell(&mut self, to: u32, notice: &Notice<'_>) {
        let mut bytes = Vec::new();
        notice.write_to(&mut |piece| bytes.extend_from_slice(piece));
        self.says.push((to, bytes));
    }

    fn reply(&mut self, to: u32, reply: Reply) {
        self.says.push((to, reply.encode_for(Form::Extended).as_bytes().to_vec()));
    }

    fn command(&mut self, from: u32, command: Command<'_>) {
        match command {
            Command::Hello(fields) => match fields.hello() {
                Hello::Known { cookie: Some(_), .. } => {
                    let heartbeat = if self.fault == Fault::Doze { 60_000 } else { 1000 };
                    let token = self.token();
                    self.tokens.insert(from, (token, None));
                    self.reply(from, Reply::Hello(token, Heartbeat(heartbeat)));
                }
                _ => self.reply(from, Reply::Refused(Refusal::Prove(Cookie::of(7)))),
            },
            Command::Beat => {
                self.reply(from, Reply::Pong(Heartbeat(1000)));
                self.push(from);
            }
            Command::Person(Person::Reg(fields)) => {
                let name = String::from_utf8(fields.register().unwrap().name.to_vec()).unwrap();
                self.register(from, name);
            }
            Command::Resume(fields) => self.resume(from, fields.resume()),
            Command::Person(Person::Dereg) => match self.names.remove(&from) {
                Some(name) => {
                    self.present.remove(&name);
                    self.tell(from, &Notice::Deregistered(&name));
                }
                None => self.reply(from, Reply::Refused(Refusal::NotRegistered)),
            },
            Command::Person(Person::Send(fields)) => self.send(from, fields.letter().unwrap()),
            Command::Person(Person::Ack(fields)) => {
                if let Some(Ack::Message { from: sender, id }) = fields.ack() {
                    self.acknowledged(from, sender, id);
                }
            }
            other => panic!("{other:?}"),
        }
    }

    fn register(&mut self, from: u32, name: String) {
        let times = self.known.entry(name.clone()).or_default();
        *times += 1;
        let is_back = *times > 1;
        let claim = if is_back && self.errs(Fault::Reclaim) { Token::of(2) } else { Token::of(3) };
        self.tell(from, &Notice::Registered(&name, claim));
        self.present.insert(name.clone(), from);
        self.names.insert(from, name);
        if self.fault != Fault::Doze {
            self.push(from);
        }
    }

    fn token(&mut self) -> Token {
        self.next += 1;
        Token::of(100 + self.next)
    }

    fn resume(&mut self, from: u32, Resume { token, cookie }: Resume) {
        let (Some(shown), Some(_)) = (token, cookie) else {
            return self.reply(from, Reply::Refused(Refusal::Prove(Cookie::of(7))));
        };
        let is_repeat = self.tokens.get(&from).is_some_and(|(_, before)| *before == Some(shown));
        if !is_repeat {
            let old = self.tokens.iter().find(|(_, (token, _))| *token == shown).map(|(old, _)| *old);
            let Some(old) = old.filter(|_| !self.errs(Fault::Expel)) else {
                return self.reply(from, Reply::Refused(Refusal::BadToken));
            };
            self.tokens.remove(&old);
            let token = self.token();
            self.tokens.insert(from, (token, Some(shown)));
            if let Some(name) = self.names.remove(&old) {
                self.present.insert(name.clone(), from);
                self.names.insert(from, name);
            }
        }
        let (name, token) = (self.names.get(&from).cloned(), self.tokens[&from].0);
        self.tell(from, &Notice::Resumed { group: None, name: name.as_deref(), token });
        self.push(from);
    }

    /// Delivers the oldest mail.
    fn push(&mut self, to: u32) {
        let name = self.names.get(&to);
        let first = name.and_then(|name| self.mail.get(name)?.front().cloned());
        if let Some(mail) = first {
            self.deliver(to, &mail);
        }
    }

    fn deliver(&mut self, to: u32, mail: &Mail) {
        let Mail { from, id, bytes } = mail;
        self.tell(to, &Notice::Message { from, id: *id, time: 1, bytes });
    }

    fn send(&mut self, from: u32, letter: Letter<'_>) {
        let (Some(sender), id) = (self.names.get(&from).cloned(), letter.id) else { return };
        let name = String::from_utf8(letter.name.to_vec()).unwrap();
        if self.errs(Fault::Ignore) {
            self.ignored = Some(id);
        }
        if self.ignored == Some(id) {
            return;
        }
        if self.fault == Fault::Refuse && self.turned_away < 10 {
            self.turned_away += 1;
            return self.reply(from, Reply::Refused(Refusal::ServerFull));
        }
        let mail = Mail { from: sender, id, bytes: letter.bytes.to_vec() };
        let to = self.present.get(&name).copied();
        let has_mail = self.mail.get(&name).is_some_and(|mail| !mail.is_empty());
        match (self.fates.get(&id).copied(), to) {
            (Some(Fate::Delivered), _) => self.tell(from, &Notice::Delivered(&name, id)),
            (Some(Fate::Stored), _) => self.tell(from, &Notice::Stored(&name, id)),
            (Some(Fate::UnderWay(tries)), Some(to)) if tries < SILENT => {
                self.fates.insert(id, Fate::UnderWay(tries + 1));
                self.deliver(to, &mail);
            }
            (None, Some(to)) if !has_mail => {
                self.fates.insert(id, Fate::UnderWay(1));
                self.deliver_first(from, to, &name, mail);
            }
            _ => {
                self.fates.insert(id, Fate::Stored);
                if !self.errs(Fault::Forget) {
                    self.mail.entry(name.clone()).or_default().push_back(mail);
                }
                self.tell(from, &Notice::Stored(&name, id));
            }
        }
    }

    /// The first time that a message is sent to somebody who is there is when faults happen.
    fn deliver_first(&mut self, from: u32, to: u32, name: &str, mut mail: Mail) {
        let id = mail.id;
        if self.errs(Fault::Lose) {
            self.fates.insert(id, Fate::Delivered);
            return self.tell(from, &Notice::Delivered(name, id));
        }
        if self.held.is_none() && self.errs(Fault::Swap) {
            self.held = Some((to, mail));
            self.fates.insert(id, Fate::Delivered);
            return self.tell(from, &Notice::Delivered(name, id));
        }
        if self.errs(Fault::Misdeliver) {
            self.deliver(from, &mail);
        }
        if self.errs(Fault::Spoil) {
            mail.bytes[50] ^= 1;
        }
        self.deliver(to, &mail);
        if self.errs(Fault::Double) {
            let id = MessageId::parse(b"another").unwrap();
            self.deliver(to, &Mail { id, ..mail.clone() });
        }
        if self.held.as_ref().is_some_and(|(other, held)| *other == to && held.from == mail.from) {
            let (to, held) = self.held.take().unwrap();
            self.deliver(to, &held);
        }
    }

    fn acknowledged(&mut self, by: u32, sender: &[u8], id: MessageId) {
        let Some(name) = self.names.get(&by).cloned() else { return };
        let mail = self.mail.entry(name.clone()).or_default();
        let is_mail = mail.front().is_some_and(|first| first.id == id);
        if is_mail {
            mail.pop_front();
        }
        let is_first = matches!(self.fates.get(&id), Some(Fate::UnderWay(_)));
        if is_mail || is_first {
            self.fates.insert(id, Fate::Delivered);
            let sender = std::str::from_utf8(sender).unwrap();
            if let Some(&from) = self.present.get(sender) {
                self.tell(from, &Notice::Delivered(&name, id));
            }
        }
        if is_mail {
            self.push(by);
        }
    }
}
