//! Somebody who follows the rules: one message at a time to each, repeated until its outcome comes; each that arrives is acknowledged.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use crate::support::{Client, Relay};

/// How long after a request it is repeated: the third of a second is more than any way there and back in these stories.
const PAUSE: Duration = Duration::from_millis(300);

/// Often, because who has not acknowledged anything for long gets nothing before it speaks.
const HEARTBEAT: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub struct Talker {
    /// When it last said that it is there.
    beaten: Option<Instant>,
    client: Client,
    name: String,
    claim: Option<String>,
    /// The cookie, once it has one, and whether it is an extended client.
    cookie: Option<String>,
    is_extended: bool,
    is_named: bool,
    /// When it last asked for what it lacks.
    asked: Option<Instant>,
    /// By recipient: ids and texts, and when the first was last sent.
    out: BTreeMap<String, (VecDeque<String>, Option<Instant>)>,
    pub stored: Vec<String>,
    pub delivered: Vec<String>,
    seen: BTreeSet<(String, String)>,
    /// What it has read, by sender.
    pub read: BTreeMap<String, Vec<String>>,
}

impl Talker {
    pub fn new(client: Client, own: usize, claims: &BTreeMap<String, String>) -> Self {
        let name = format!("talker{own}");
        Self {
            beaten: None,
            client,
            claim: claims.get(&name).cloned(),
            name,
            cookie: None,
            is_extended: false,
            is_named: false,
            asked: None,
            out: BTreeMap::new(),
            stored: Vec::new(),
            delivered: Vec::new(),
            seen: BTreeSet::new(),
            read: BTreeMap::new(),
        }
    }

    pub fn write(&mut self, to: &str, ids: impl IntoIterator<Item = String>) {
        self.out.entry(to.to_owned()).or_default().0.extend(ids);
    }

    pub fn claim(self) -> (String, String) {
        (self.name, self.claim.unwrap_or_default())
    }

    /// True if all that it wrote has its outcome.
    pub fn is_done(&self) -> bool {
        self.is_named && self.out.values().all(|(ids, _)| ids.is_empty())
    }

    /// Hears what has come, and says what is due.
    pub fn step(&mut self) {
        for datagram in self.client.drain() {
            self.hear(&String::from_utf8(datagram).unwrap());
        }
        if !self.is_named {
            return self.introduce();
        }
        if self.beaten.is_none_or(|beaten| beaten.elapsed() > HEARTBEAT) {
            self.beaten = Some(Instant::now());
            self.client.try_send("!BEAT");
        }
        for (to, (ids, sent)) in &mut self.out {
            let Some(id) = ids.front() else { continue };
            if sent.is_none_or(|sent| sent.elapsed() > PAUSE) {
                *sent = Some(Instant::now());
                self.client.try_send(format!("!SEND {to} {id} text of {id}"));
            }
        }
    }

    fn introduce(&mut self) {
        if self.asked.is_some_and(|asked| asked.elapsed() < PAUSE) {
            return;
        }
        self.asked = Some(Instant::now());
        let text = match (&self.cookie, self.is_extended) {
            (_, true) => format!("!REG {} {}", self.name, self.claim.as_deref().unwrap_or_default()),
            (None, _) => "!HELLO 2".to_owned(),
            (Some(cookie), _) => format!("!HELLO 2 {cookie}"),
        };
        self.client.try_send(text.trim_end());
    }

    fn hear(&mut self, text: &str) {
        let words: Vec<&str> = text.splitn(5, ' ').collect();
        let before = (self.cookie.is_some(), self.is_extended);
        match words[..] {
            ["!RETRY", cookie] => self.cookie = Some(cookie.to_owned()),
            ["!OK", "HELLO", ..] => self.is_extended = true,
            ["!OK", "REG", _, claim] => {
                self.claim = Some(claim.to_owned());
                self.is_named = true;
            }
            ["!DELIVERED", name, id] => {
                self.finish(name, id);
                self.delivered.push(id.to_owned());
            }
            ["!STORED", name, id] => {
                self.finish(name, id);
                self.stored.push(id.to_owned());
            }
            ["!MSG", from, id, _, bytes] => {
                assert_eq!(bytes, format!("text of {id}"));
                if self.seen.insert((from.to_owned(), id.to_owned())) {
                    self.read.entry(from.to_owned()).or_default().push(id.to_owned());
                }
                self.client.try_send(format!("!ACK {from} {id}"));
            }
            _ => {}
        }
        if (self.cookie.is_some(), self.is_extended) != before {
            self.asked = None;
        }
    }

    fn finish(&mut self, name: &str, id: &str) {
        let Some((ids, sent)) = self.out.get_mut(name) else { return };
        if ids.front().is_some_and(|first| first == id) {
            ids.pop_front();
            *sent = None;
        }
    }

    /// They write to somebody until the relay is killed; what they were told is stored.
    pub fn write_to_until_killed(
        talkers: &mut [Self],
        to: &str,
        round: usize,
        relay: &Relay,
        time: Duration,
    ) -> Vec<(String, String)> {
        talkers
            .iter_mut()
            .for_each(|talker| talker.write(to, (0..9999).map(|number| format!("{round:04}-{number:04}"))));
        while !talkers.iter().all(|talker| talker.is_named) {
            talkers.iter_mut().for_each(Self::step);
        }
        let start = Instant::now();
        while start.elapsed() < time {
            talkers.iter_mut().for_each(Self::step);
        }
        relay.signal("KILL");
        let told = talkers.iter_mut().flat_map(|talker| {
            // What was told before the end has arrived; the kernel's word that nobody is there any more ends a look once.
            for datagram in [talker.client.drain(), talker.client.drain()].concat() {
                talker.hear(&String::from_utf8(datagram).unwrap());
            }
            let name = talker.name.clone();
            std::mem::take(&mut talker.stored).into_iter().map(move |id| (name.clone(), id))
        });
        told.collect()
    }
}
