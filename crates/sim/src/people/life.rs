//! What somebody does beside writing: being in a group, watching who comes and goes, meeting others, speaking.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use rand::RngExt;
use rand::rngs::SmallRng;
use wire::{Entries, GroupId, News, Notice, Refusal, Reply, Token};

/// Groups that are there in each of the relay's lives.
pub const GROUPS: [&str; 2] = ["A", "B"];

/// Who is online in a group, and who was.
type View = BTreeMap<String, bool>;

/// Whom to meet: somebody, or whoever of the group wants to.
pub type Peer = Option<usize>;

#[derive(Debug, Default)]
pub struct Life {
    people: usize,
    /// The group that it wants to be in, and the one that it was told it is in.
    pub wanted: Option<usize>,
    pub group: Option<usize>,
    pub wants_news: bool,
    is_watching: bool,
    /// What it knows of the group: a list, and the news since.
    pub view: Option<View>,
    /// What it has of a list, and where that goes on.
    pages: (View, String),
    /// A new list has to be what it knows already.
    pub compares: bool,
    /// Whom it wants to meet, and everybody whom it ever wanted to.
    pub seeks: Option<Peer>,
    sought: BTreeSet<Peer>,
    /// Where it was told that somebody is, and how both know each other.
    pub met: Vec<(usize, SocketAddr, Token)>,
    /// Payloads that it has heard.
    pub heard: Vec<Vec<u8>>,
}

impl Life {
    pub fn new(people: usize) -> Self {
        Self { people, wants_news: true, ..Self::default() }
    }

    /// A new session: it is in no group.
    pub fn begin(&mut self) {
        self.enter(None);
    }

    /// It may have missed something.
    pub fn look_again(&mut self) {
        (self.view, self.pages) = (None, Default::default());
    }

    pub fn seek(&mut self, peer: Peer) {
        self.seeks = Some(peer);
        self.sought.insert(peer);
    }

    /// Somebody, itself too.
    pub fn someone(&self, dice: &mut SmallRng) -> usize {
        dice.random_range(0..self.people)
    }

    /// True if all that it wants is so, as far as it knows.
    pub fn is_settled(&self) -> bool {
        self.next().is_none()
    }

    /// What it has to ask for.
    pub fn next(&self) -> Option<String> {
        if self.wanted != self.group {
            let left = self.group.map(|group| format!("!LEAVE {}", GROUPS[group]));
            return self.wanted.map(|group| format!("!JOIN {}", GROUPS[group])).or(left);
        }
        let is_member = self.group.is_some();
        if is_member && self.wants_news != self.is_watching {
            return Some(if self.wants_news { "!WATCH" } else { "!UNWATCH" }.to_owned());
        }
        if is_member && (self.view.is_none() || self.compares) {
            return Some(format!("!PEERS {}", self.pages.1).trim_end().to_owned());
        }
        let name = |peer: Peer| peer.map_or_else(String::new, |peer| format!(" p{peer}"));
        self.seeks.map(|peer| format!("!BRIDGE{}", name(peer)))
    }

    fn enter(&mut self, group: Option<usize>) {
        (self.group, self.is_watching) = (group, false);
        self.look_again();
    }

    /// What it was told; an error if that must not be.
    pub fn hear(&mut self, reply: &Reply) -> Result<(), String> {
        match reply {
            Reply::Joined(group) => self.enter(Some(number_of(*group)?)),
            Reply::Left(_) | Reply::Refused(Refusal::NotJoined) => self.enter(None),
            Reply::Refused(Refusal::NoSuchGroup) => return Err("a declared group is not there".to_owned()),
            _ => {}
        }
        Ok(())
    }

    /// The same of what is told about people.
    pub fn take(&mut self, notice: Notice<'_>) -> Result<(), String> {
        match notice {
            Notice::Resumed { group, .. } => {
                let group = group.map(number_of).transpose()?;
                if self.group != group {
                    self.enter(group);
                }
                self.look_again();
            }
            Notice::Watching => self.is_watching = true,
            Notice::Unwatching => self.is_watching = false,
            Notice::Peers(cursor, entries) => return self.list(cursor, entries),
            Notice::Peer(entries) => {
                for (name, news) in entries.iter() {
                    self.number(name)?;
                    self.view.iter_mut().for_each(|view| note(view, name, news));
                    if !self.pages.1.is_empty() {
                        note(&mut self.pages.0, name, news);
                    }
                }
            }
            Notice::Waiting => self.seeks = None,
            Notice::PeerAt(name, address, nonce) => self.meet(name, address, nonce)?,
            _ => {}
        }
        Ok(())
    }

    fn list(&mut self, cursor: Option<&str>, entries: Entries<'_>) -> Result<(), String> {
        for (name, news) in entries.iter() {
            self.number(name)?;
            note(&mut self.pages.0, name, news);
        }
        self.pages.1 = cursor.unwrap_or_default().to_owned();
        if cursor.is_some() {
            return Ok(());
        }
        let (list, _) = std::mem::take(&mut self.pages);
        let known = self.view.replace(list.clone());
        if std::mem::take(&mut self.compares) && known.as_ref() != Some(&list) {
            return Err(format!("the news told of {known:?}, and the list is {list:?}"));
        }
        Ok(())
    }

    fn meet(&mut self, name: &str, address: SocketAddr, nonce: Token) -> Result<(), String> {
        let peer = self.number(name)?;
        if !self.sought.contains(&Some(peer)) && !self.sought.contains(&None) {
            return Err(format!("{name}'s address is told to who never asked for it"));
        }
        if address.port() != port_of(peer) {
            return Err(format!("{address} was never {name}'s"));
        }
        self.seeks = None;
        self.met.push((peer, address, nonce));
        Ok(())
    }

    fn number(&self, name: &str) -> Result<usize, String> {
        let number = name.strip_prefix('p').and_then(|number| number.parse().ok());
        number.filter(|number| *number < self.people).ok_or_else(|| format!("nobody is called {name}"))
    }
}

/// The port that somebody has at each of its addresses.
pub fn port_of(own: usize) -> u16 {
    1000 + own as u16 * 7
}

fn number_of(group: GroupId) -> Result<usize, String> {
    let place = GROUPS.iter().position(|name| *name == group.to_string());
    place.ok_or_else(|| format!("nobody wanted to be in {group}"))
}

fn note(view: &mut View, name: &str, news: News) {
    match news {
        News::Left => drop(view.remove(name)),
        News::Offline => drop(view.insert(name.to_owned(), false)),
        News::Online | News::Joined => drop(view.insert(name.to_owned(), true)),
    }
}
