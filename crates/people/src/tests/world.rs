//! A relay of people only: whatever is said is kept in a list, and time passes when it is told to.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::sync::{Arc, Mutex};

use store::{Bounds, Busy, Done, Inline, Request as Asked};
use wire::{Command, Message, Notice, Refusal, Reply, decode};

use crate::{
    Address, Badge, Caller, Desk, Now, People, Place, Post, SessionId, Settings, Signals, Site, Turn,
};

/// Where client of this number is reached: below 1000 by UDP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct At(pub u16);

impl Address for At {
    fn by_udp(&self) -> Option<SocketAddr> {
        (self.0 < 1000).then(|| ([10, 0, 0, 1], self.0).into())
    }
}

/// A group; over if it is called so.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Group(pub &'static str);

impl Place for Group {
    fn is_over(&self) -> bool {
        self.0 == "over"
    }
}

/// The store, and what it has answered and nobody has fetched.
pub struct Drawer {
    pub store: Inline,
    pub answers: VecDeque<Done>,
    pub signals: Arc<Signals>,
    /// Answers wait here instead.
    pub is_slow: bool,
    pub late: VecDeque<Done>,
    /// It takes nothing.
    pub is_busy: bool,
}

struct Hand(Arc<Mutex<Drawer>>);

impl Desk for Hand {
    fn ask(&mut self, tag: u64, request: Asked) -> Result<(), Busy> {
        let mut drawer = self.0.lock().unwrap();
        if drawer.is_busy {
            return Err(Busy);
        }
        let answer = drawer.store.ask(request);
        let done = answer.map(|answer| Done { tag, answer });
        if drawer.is_slow {
            drawer.late.extend(done);
        } else {
            drawer.answers.extend(done);
            drawer.signals.answer();
        }
        Ok(())
    }

    fn answers(&mut self) -> Vec<Done> {
        self.0.lock().unwrap().answers.drain(..).collect()
    }
}

/// What was said, to whom.
#[derive(Default)]
struct Said(Vec<(At, String)>);

impl Post<At> for Said {
    fn tell(&mut self, to: At, notice: Notice<'_>) {
        let mut bytes = Vec::new();
        notice.write_to(&mut |piece| bytes.extend_from_slice(piece));
        assert!(bytes.len() <= 4096 + 300, "{}", bytes.len());
        self.0.push((to, String::from_utf8(bytes).unwrap()));
    }

    fn refuse(&mut self, to: At, refusal: Refusal) {
        self.0.push((to, format!("!{}", Reply::Refused(refusal))));
    }
}

pub const SHARDS: usize = 2;

pub struct World {
    pub people: People<At, Group>,
    pub drawer: Arc<Mutex<Drawer>>,
    said: Said,
    pub now: u64,
    fresh: u128,
    pub groups: Vec<Option<Group>>,
    pub badges: Vec<Arc<Badge>>,
    /// Where all of them come from.
    pub site: Site,
}

/// A site that gets no more than a part.
pub const THERE: Site = Site { number: NonZeroU64::MIN, is_trusted: false };

/// A moment in 2026.
pub const UNIX: u64 = 1_800_000_000_000;

impl World {
    pub fn new(sessions: usize) -> Self {
        Self::with(sessions, Settings::default(), Bounds::default())
    }

    pub fn with(sessions: usize, settings: Settings, bounds: Bounds) -> Self {
        let signals = Arc::new(Signals::default());
        let drawer = Arc::new(Mutex::new(Drawer {
            store: Inline::new(bounds).unwrap(),
            answers: VecDeque::new(),
            signals: Arc::clone(&signals),
            is_slow: false,
            late: VecDeque::new(),
            is_busy: false,
        }));
        let desk = Box::new(Hand(Arc::clone(&drawer)));
        Self {
            people: People::new(settings, desk, signals),
            drawer,
            said: Said::default(),
            now: 0,
            fresh: 0,
            groups: vec![None; sessions],
            site: Site { is_trusted: true, ..THERE },
            badges: (0..sessions).map(|_| Arc::default()).collect(),
        }
    }

    /// A session says something from where it usually is, and the store answers at once; what was said to anybody.
    pub fn say(&mut self, session: usize, text: &str) -> Vec<(u16, String)> {
        self.say_from(session, At(session as u16), text);
        self.turn();
        self.heard()
    }

    /// What the session itself was told.
    pub fn ask(&mut self, session: usize, text: &str) -> Vec<String> {
        let heard = self.say(session, text);
        heard.into_iter().filter(|(to, _)| *to == session as u16).map(|(_, text)| text).collect()
    }

    pub fn say_from(&mut self, session: usize, at: At, text: &str) {
        let Message::Command(Command::Person(request)) = decode(text.as_bytes()) else { panic!("{text}") };
        self.fresh += 1;
        let id = SessionId(session as u64);
        let (shard, badge) = (session % SHARDS, Arc::clone(&self.badges[session]));
        let caller = Caller {
            session: id,
            address: at,
            group: self.groups[session].clone(),
            shard,
            badge,
            site: self.site,
        };
        let (now, fresh) = (self.moment(), self.fresh);
        let mut turn = Turn { now, shard, post: &mut self.said };
        if self.people.signals.is_anybody_awaited() && self.badges[session].is_awaited() {
            self.people.hear(id, &mut turn);
        }
        if let Err(refusal) = self.people.request(&request, caller, fresh, &mut turn) {
            self.said.refuse(at, refusal);
        }
    }

    pub fn enter(&mut self, session: usize, group: Option<&'static str>) {
        let group = group.map(Group);
        self.groups[session].clone_from(&group);
        self.with_turn(0, |people, turn| people.enter(SessionId(session as u64), group, turn));
    }

    pub fn move_to(&mut self, session: usize, at: At) {
        self.with_turn(1, |people, turn| people.move_to(SessionId(session as u64), at, turn));
    }

    pub fn leave(&mut self, session: usize) {
        self.people.leave(SessionId(session as u64), (0, self.moment()));
    }

    pub fn hear(&mut self, session: usize) {
        if self.badges[session].is_awaited() {
            self.with_turn(0, |people, turn| people.hear(SessionId(session as u64), turn));
        }
        self.turn();
    }

    fn with_turn(&mut self, shard: usize, act: impl FnOnce(&mut People<At, Group>, &mut Turn<'_, At>)) {
        let now = self.moment();
        act(&mut self.people, &mut Turn { now, shard, post: &mut self.said });
    }

    fn moment(&self) -> Now {
        Now { tick: self.now, unix: UNIX + self.now }
    }

    /// All shards turn.
    pub fn turn(&mut self) {
        for shard in 0..SHARDS {
            self.with_turn(shard, People::turn);
        }
    }

    /// Time passes, and every moment at which something is due.
    pub fn pass(&mut self, millis: u64) -> Vec<(u16, String)> {
        let end = self.now + millis;
        loop {
            self.turn();
            let due = (0..SHARDS).filter_map(|shard| self.people.due(shard)).min();
            match due.filter(|&due| due <= end) {
                Some(due) => self.now = self.now.max(due),
                None => break,
            }
        }
        self.now = end;
        self.turn();
        self.heard()
    }

    pub fn heard(&mut self) -> Vec<(u16, String)> {
        std::mem::take(&mut self.said.0).into_iter().map(|(at, text)| (at.0, text)).collect()
    }

    /// Registers a name; its claim.
    pub fn register(&mut self, session: usize, name: &str) -> String {
        let told = self.ask(session, &format!("!REG {name}"));
        let claim = told[0].strip_prefix(&format!("!OK REG {name} ")).unwrap_or_else(|| panic!("{told:?}"));
        claim.to_owned()
    }

    /// Asserts that what is counted as it changes is what a look at everybody finds.
    #[track_caller]
    pub fn assert_counted(&self) {
        let (figures, persons) = (self.people.figures(), &self.people.persons);
        let awaited = persons.values().filter(|person| person.inbox.is_awaited()).count();
        let badges = self.badges.iter().filter(|badge| badge.is_awaited()).count();
        assert_eq!((awaited > 0, badges), (self.people.signals.is_anybody_awaited(), awaited));
        let silent = persons.values().filter(|person| person.inbox.is_silent()).count();
        let under_way = persons.values().map(|person| person.inbox.len()).sum::<usize>();
        let watching = self.people.sessions.values().filter(|session| session.watches).count();
        let all = [silent, under_way, watching].map(|count| count as u64);
        assert_eq!([figures.silent, figures.under_way, figures.watching], all);
    }

    pub fn slow(&self, is_slow: bool) {
        let mut drawer = self.drawer.lock().unwrap();
        drawer.is_slow = is_slow;
        if !is_slow {
            let late: Vec<_> = drawer.late.drain(..).collect();
            drawer.answers.extend(late);
            drawer.signals.answer();
        }
    }
}
