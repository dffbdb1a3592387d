//! Somebody who follows the rules.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;

use rand::RngExt;
use rand::rngs::SmallRng;
use wire::{MessageId, Notice, Refusal, Reply, Token};

use super::life::{GROUPS, Life, port_of};

/// How long after a request it is repeated, in milliseconds.
const REPEAT_MS: u64 = 700;

/// How long it has no name, in milliseconds: more than the network keeps a request to have none, which would come after the next one.
const REST_MS: u64 = 1000;

/// The time between two heartbeats, in milliseconds.
const BEAT_MS: u64 = 5_000;

/// How far a client is.
#[derive(Debug, PartialEq)]
enum Stage {
    /// It says nothing before this time.
    Away(u64),
    /// It wants to be an extended client.
    Stranger,
    /// It wants a name.
    Nameless,
    /// It wants to go on at its new address.
    Moved,
    /// It wants to have no name for a while.
    Leaving,
    /// It has none before this time.
    Resting(u64),
    /// It has a name.
    Named,
}

#[derive(Debug)]
pub struct Talker {
    own: usize,
    /// How many addresses it has had.
    moves: u16,
    stage: Stage,
    cookie: String,
    token: String,
    /// Chosen before it asks: an answer may be lost with the relay.
    claim: String,
    /// When it last asked for what it lacks, and last said that it is there.
    asked: Option<u64>,
    beaten: u64,
    /// By recipient: what is to be sent, and when the first of it last was.
    out: BTreeMap<usize, (VecDeque<usize>, Option<u64>)>,
    seen: BTreeSet<(String, String)>,
    read: BTreeMap<String, Vec<usize>>,
    /// What it has yet to say, once: acknowledgements above all.
    once: Vec<String>,
    pub life: Life,
    /// What it last asked for in its life, and when.
    wished: Option<(u64, String)>,
}

impl Talker {
    pub fn new(own: usize, people: usize, messages: usize) -> Self {
        let others = (0..people).filter(|other| *other != own);
        Self {
            own,
            moves: 0,
            stage: Stage::Stranger,
            cookie: String::new(),
            token: String::new(),
            claim: Token::of(u128::from(own as u64 + 1) << 64 | 0xC1A1).to_string(),
            asked: None,
            beaten: 0,
            out: others.map(|other| (other, ((0..messages).collect(), None))).collect(),
            seen: BTreeSet::new(),
            read: BTreeMap::new(),
            once: Vec::new(),
            life: Life::new(people),
            wished: None,
        }
    }

    pub fn address(&self) -> SocketAddr {
        ([10, 0, (self.moves >> 8) as u8, self.moves as u8], port_of(self.own)).into()
    }

    /// True if it wants to know who speaks.
    pub fn hears_names(&self) -> bool {
        self.own.is_multiple_of(2)
    }

    pub fn is_named(&self) -> bool {
        self.stage == Stage::Named
    }

    /// Says this, when it next says something.
    pub fn once(&mut self, text: String) {
        self.once.push(text);
    }

    pub fn is_done(&self) -> bool {
        self.stage == Stage::Named && self.out.values().all(|(out, _)| out.is_empty())
    }

    pub fn read(&self) -> usize {
        self.read.values().map(Vec::len).sum()
    }

    /// What it has read is all that was written, once and in order.
    pub fn check(&self, messages: usize) -> Result<(), String> {
        let wrong = self.read.iter().find(|(_, read)| !read.iter().copied().eq(0..messages));
        wrong.map_or(Ok(()), |(from, read)| Err(format!("p{} has read {read:?} of {from}", self.own)))
    }

    /// Something happens to it: it goes away for a while, its address changes, or it forgets its session; or it wants to have no name.
    pub fn change(&mut self, dice: &mut SmallRng, now: u64) {
        if self.stage == Stage::Named && dice.random_ratio(1, 4) {
            return self.be(Stage::Leaving);
        }
        (self.asked, self.cookie) = (None, String::new());
        self.once.clear();
        self.moves += 1;
        self.stage = match dice.random_range(0..3) {
            0 => Stage::Away(now + dice.random_range(100..30_000)),
            1 if self.stage == Stage::Named => Stage::Moved,
            _ => Stage::Stranger,
        };
    }

    /// It wants something else of its life.
    pub fn want(&mut self, dice: &mut SmallRng) {
        let life = &mut self.life;
        match dice.random_range(0..6) {
            0 => life.wanted = None,
            1 | 2 => life.wanted = Some(dice.random_range(0..GROUPS.len())),
            3 => life.wants_news = !life.wants_news,
            4 => life.seek(dice.random_bool(0.7).then(|| life.someone(dice))),
            5 => self
                .once
                .push(["!UNBRIDGE", "!RAW !a payload", "a payload"][dice.random_range(0..3)].to_owned()),
            _ => {}
        }
    }

    /// What it says now.
    pub fn say(&mut self, now: u64) -> Vec<String> {
        match self.stage {
            Stage::Away(until) if now >= until => self.be(Stage::Stranger),
            Stage::Resting(until) if now >= until => self.be(Stage::Nameless),
            Stage::Away(_) | Stage::Resting(_) => return Vec::new(),
            _ => {}
        }
        if self.stage != Stage::Named {
            return self.ask(now).into_iter().collect();
        }
        let mut said = std::mem::take(&mut self.once);
        if now >= self.beaten + BEAT_MS {
            self.beaten = now;
            said.push("!BEAT".to_owned());
        }
        for (to, (out, sent)) in &mut self.out {
            let Some(number) = out.front().filter(|_| is_due(*sent, now)) else { continue };
            *sent = Some(now);
            said.push(format!("!SEND p{to} n{number} text {number}"));
        }
        let last =
            |wish: &String| self.wished.as_ref().filter(|(_, last)| last == wish).map(|(sent, _)| *sent);
        if let Some(wish) = self.life.next().filter(|wish| is_due(last(wish), now)) {
            self.wished = Some((now, wish.clone()));
            said.push(wish);
        }
        said
    }

    fn ask(&mut self, now: u64) -> Option<String> {
        if !is_due(self.asked, now) {
            return None;
        }
        self.asked = Some(now);
        let text = match self.stage {
            Stage::Nameless => format!("!REG p{} {}", self.own, self.claim),
            Stage::Moved => format!("!RESUME {} {}", self.token, self.cookie),
            Stage::Leaving => "!DEREG".to_owned(),
            _ if self.cookie.is_empty() => "!HELLO 2".to_owned(),
            _ => format!("!HELLO 2 {} {}", self.cookie, if self.hears_names() { "FROM" } else { "" }),
        };
        Some(text.trim_end().to_owned())
    }

    fn be(&mut self, stage: Stage) {
        self.stage = stage;
        self.asked = None;
    }

    /// What it was told; an error if that must not be.
    pub fn hear(&mut self, text: &[u8], now: u64) -> Result<(), String> {
        if matches!(self.stage, Stage::Away(_)) {
            return Ok(());
        }
        let reply = Reply::parse_extended(text);
        reply.iter().try_for_each(|reply| self.life.hear(reply))?;
        match reply {
            Some(Reply::Refused(Refusal::Prove(cookie))) => {
                self.cookie = cookie.to_string();
                self.asked = None;
            }
            Some(Reply::Hello(token, _)) => {
                self.token = token.to_string();
                if self.stage == Stage::Stranger {
                    self.life.begin();
                    self.be(Stage::Nameless);
                }
            }
            Some(Reply::Refused(Refusal::NoSession | Refusal::BadToken)) => self.be(Stage::Stranger),
            Some(Reply::Refused(Refusal::NotRegistered)) if self.stage == Stage::Named => {
                self.be(Stage::Nameless);
            }
            Some(Reply::Refused(Refusal::NotRegistered)) if self.stage == Stage::Leaving => {
                self.be(Stage::Resting(now + REST_MS));
            }
            _ => {}
        }
        match Notice::parse(text) {
            Some(Notice::From(..) | Notice::Raw(_)) => {
                self.life.heard.push(text.to_vec());
                Ok(())
            }
            Some(notice) => {
                self.life.take(notice)?;
                self.take(notice, now)
            }
            None => Ok(()),
        }
    }

    fn take(&mut self, notice: Notice<'_>, now: u64) -> Result<(), String> {
        match notice {
            Notice::Registered(_, claim) => {
                if self.claim != claim.to_string() {
                    return Err(format!("p{}'s claim has changed", self.own));
                }
                if self.stage == Stage::Nameless {
                    self.be(Stage::Named);
                }
            }
            Notice::Resumed { name, token, .. } => {
                self.token = token.to_string();
                if self.stage == Stage::Moved {
                    self.be(if name.is_some() { Stage::Named } else { Stage::Nameless });
                }
            }
            Notice::NameTaken(_) => {
                return Err(format!("p{}'s own name is somebody else's", self.own));
            }
            Notice::NameMoved(_) => self.be(Stage::Nameless),
            Notice::Deregistered(_) if self.stage == Stage::Leaving => self.be(Stage::Resting(now + REST_MS)),
            Notice::PeerAt(_, _, nonce) => self.once.push(format!("!ACK PEER_AT {nonce}")),
            Notice::Delivered(name, id) | Notice::Stored(name, id) => self.finish(name, id),
            Notice::Message { from, id, bytes, .. } => return self.receive(from, id, bytes),
            _ => {}
        }
        Ok(())
    }

    fn finish(&mut self, name: &str, id: MessageId) {
        let Some((out, sent)) = name[1..].parse().ok().and_then(|to| self.out.get_mut(&to)) else { return };
        if out.front().is_some_and(|number| format!("n{number}") == id.as_str()) {
            out.pop_front();
            *sent = None;
        }
    }

    fn receive(&mut self, from: &str, id: MessageId, bytes: &[u8]) -> Result<(), String> {
        let number: usize = id.as_str()[1..].parse().map_err(|_| format!("nobody wrote {id}"))?;
        if bytes != format!("text {number}").as_bytes() {
            return Err(format!("{from}'s {id} has changed on its way"));
        }
        if self.seen.insert((from.to_owned(), id.to_string())) {
            self.read.entry(from.to_owned()).or_default().push(number);
        }
        self.once.push(format!("!ACK {from} {id}"));
        Ok(())
    }
}

fn is_due(last: Option<u64>, now: u64) -> bool {
    last.is_none_or(|last| now >= last + REPEAT_MS)
}
