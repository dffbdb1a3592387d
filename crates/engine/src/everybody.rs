//! The people of all shards, as the engines reach them.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::SocketAddr;
use std::sync::Arc;

use people::{Address, Desk, Figures, Now, People, Place, Post, SessionId, Settings, Signals};
use wire::{Form, Notice, Refusal, Reply};

use crate::group::Handle;
use crate::sync::{AtomicU64, Mutex, MutexGuard, Ordering, lock};
use crate::{Member, Outbox, Tally, Tick};

/// Names, presence, messages and rendezvous of all shards, behind one lock, which payloads of base clients never take, and others' only if their sender is awaited.
///
/// An engine that holds a session's entry of the [`Directory`](crate::Directory) may take this lock; never the other way round.
pub struct Everybody {
    people: Mutex<People<Member, Room>>,
    signals: Arc<Signals>,
    /// Milliseconds since 1970 when the engines' time began.
    epoch: AtomicU64,
    sessions: AtomicU64,
}

/// A group, which is no other that has its id later.
#[derive(Clone)]
pub(crate) struct Room(pub Arc<Handle>);

impl Everybody {
    /// Without anybody. `desk` keeps what must survive, and tells by `signals` that it has answered.
    pub fn new(desk: Box<dyn Desk>, signals: Arc<Signals>) -> Self {
        let people = Mutex::new(People::new(Settings::default(), desk, Arc::clone(&signals)));
        Self { people, signals, epoch: AtomicU64::new(0), sessions: AtomicU64::new(0) }
    }

    /// What the calendar says at this tick of the engines' time. Say it again now and then: calendars are put right.
    pub fn set_calendar(&self, now: Tick, unix_ms: u64) {
        self.epoch.store(unix_ms.saturating_sub(now.0), Ordering::Relaxed);
    }

    /// Applies an operator's settings.
    pub(crate) fn configure(&self, settings: &crate::Settings) {
        lock(&self.people).reload(Settings { has_lobby: settings.lobby.is_some() });
    }

    /// The numbers as they are.
    pub fn figures(&self) -> Figures {
        lock(&self.people).figures()
    }

    /// What shards look at without the lock.
    pub fn signals(&self) -> &Signals {
        &self.signals
    }

    pub(crate) fn now(&self, tick: Tick) -> Now {
        Now { tick: tick.0, unix: self.epoch.load(Ordering::Relaxed) + tick.0 }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, People<Member, Room>> {
        lock(&self.people)
    }

    /// A session that there has not been before.
    pub(crate) fn new_session(&self) -> SessionId {
        SessionId(self.sessions.fetch_add(1, Ordering::Relaxed))
    }
}

impl Default for Everybody {
    /// With nowhere to keep anything: nobody can have a name.
    fn default() -> Self {
        Self::new(Box::new(NoDesk), Arc::default())
    }
}

/// Takes nothing.
struct NoDesk;

impl Desk for NoDesk {
    fn ask(&mut self, _tag: u64, _request: store::Request) -> Result<(), store::Busy> {
        Err(store::Busy)
    }

    fn answers(&mut self) -> Vec<store::Done> {
        Vec::new()
    }
}

impl Address for Member {
    fn by_udp(&self) -> Option<SocketAddr> {
        (!self.client.is_stream()).then(|| self.client.socket_addr())
    }
}

impl Place for Room {
    fn is_over(&self) -> bool {
        self.0.is_over()
    }
}

impl PartialEq for Room {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Room {}

impl Hash for Room {
    fn hash<H: Hasher>(&self, state: &mut H) {
        std::ptr::hash(&raw const *self.0, state);
    }
}

impl fmt::Debug for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.id)
    }
}

/// Puts what people are told into an outbox, and counts it.
pub(crate) struct Pen<'a> {
    pub outbox: &'a mut Outbox,
    pub tally: &'a mut Tally,
}

impl Post<Member> for Pen<'_> {
    fn tell(&mut self, to: Member, notice: Notice<'_>) {
        self.tell_all(&[to], notice);
    }

    fn refuse(&mut self, to: Member, refusal: Refusal) {
        self.tally.replies += 1;
        self.tally.refusals[refusal.index()] += 1;
        self.outbox.reply(to, Reply::Refused(refusal).encode_for(Form::Extended).as_bytes());
    }

    fn tell_all(&mut self, to: &[Member], notice: Notice<'_>) {
        self.tally.replies += to.len() as u64;
        self.outbox.tell_all(to, notice);
    }
}
