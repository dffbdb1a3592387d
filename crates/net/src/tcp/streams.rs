//! The loop over all connections: accept, read, write, and end those who do not keep to the rules.

use std::collections::VecDeque;
use std::io;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::unix::SourceFd;
use mio::{Events, Interest, Poll, Token};
use slab::Slab;

use super::arena::Arena;
use super::bounds::Bounds;
use super::census::Census;
use super::connection::{Connection, End, break_off};
use super::deadlines::Deadlines;
use super::door::{Door, Visit};
use super::event::{ConnectionId, Ending, Event, Message, NoRoom};
use super::figures::Figures;
use super::ledger::Ledger;
use super::limits::{LAST_LOOK, TURN_ACCEPTS, TURN_EVENTS, TURN_READY};
use super::listener::Listener;
use super::rules::Rules;
use crate::waker::Waker;

/// Says what time it is; asked once in each turn.
pub type Clock = Box<dyn FnMut() -> Instant + Send>;

/// Tokens below are slots.
const LISTENERS: usize = 1 << 31;
const WAKER: usize = usize::MAX;

/// All connections of one thread.
pub struct Streams {
    poll: Poll,
    named: Events,
    waker: Waker,
    door: Door,
    pub(super) connections: Slab<Connection>,
    serial: u32,
    census: Census,
    pub(super) deadlines: Deadlines,
    pub(super) ledger: Ledger,
    pub(super) rules: Rules,
    arena: Arena,
    /// Who may have something to hand over, in turn.
    ready: VecDeque<ConnectionId>,
    /// Who has something waiting that the kernel may take.
    pub(super) dirty: Vec<ConnectionId>,
    ended: Vec<(ConnectionId, End)>,
    clock: Clock,
    pub(super) now: Instant,
}

impl Streams {
    /// Serves these listeners by the kernel's monotonic clock.
    ///
    /// # Errors
    /// The limit of open files, mostly.
    pub fn new(listeners: Vec<Listener>, bounds: Bounds) -> io::Result<Streams> {
        Streams::with_clock(listeners, bounds, Box::new(Instant::now))
    }

    /// The same by another clock.
    ///
    /// # Errors
    /// See [`Streams::new`].
    pub fn with_clock(listeners: Vec<Listener>, bounds: Bounds, mut clock: Clock) -> io::Result<Streams> {
        let poll = Poll::new()?;
        let waker = Waker::new()?;
        poll.registry().register(&mut SourceFd(&waker.as_raw_fd()), Token(WAKER), Interest::READABLE)?;
        Ok(Streams {
            door: Door::new(listeners, poll.registry(), LISTENERS)?,
            poll,
            named: Events::with_capacity(TURN_READY),
            waker,
            connections: Slab::new(),
            serial: 0,
            census: Census::default(),
            deadlines: Deadlines::default(),
            ledger: Ledger::new(bounds),
            rules: Rules::default(),
            arena: Arena::new(),
            ready: VecDeque::new(),
            dirty: Vec::new(),
            ended: Vec::new(),
            now: clock(),
            clock,
        })
    }

    /// One turn: hands over what is queued, fills `events` anew, and waits for something to happen at most `wait` (`None`:
    /// without limit) if nothing had. Returns early when woken, and when somebody's time is over. Messages of the turn before
    /// are gone.
    ///
    /// # Errors
    /// Only what makes all of it unusable.
    pub fn exchange(&mut self, events: &mut Vec<Event>, wait: Option<Duration>) -> io::Result<()> {
        events.clear();
        self.arena.clear();
        self.flush();
        let is_news = !self.ended.is_empty();
        self.bury(events);
        // The owner may wait for nothing but the end of one that it has closed.
        let wait = if is_news { Some(Duration::ZERO) } else { self.patience(wait) };
        self.wait(wait)?;
        self.now = (self.clock)();
        self.expire();
        self.accept(events);
        self.read(events);
        self.bury(events);
        Ok(())
    }

    /// A message of this turn.
    pub fn bytes(&self, message: &Message) -> &[u8] {
        self.arena.bytes(message)
    }

    /// Ends a connection when what is queued has been written, in [`Bounds::farewell`] at most. There are no more events of it.
    pub fn close(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get_mut(id.slot as usize) else { return };
        if connection.id != id {
            return;
        }
        if !connection.ended && connection.leaving.is_none() {
            self.leave(id, Ending::Asked);
        } else {
            connection.is_known = true;
        }
    }

    /// Keeps to these rules from now on; who is not welcome by them is closed, and its owner hears no more of it.
    pub fn govern(&mut self, rules: &Rules) {
        self.rules = rules.clone();
        let unwelcome = |connection: &&Connection| !rules.admits(connection.source);
        let unwelcome: Vec<_> =
            self.connections.iter().map(|(_, one)| one).filter(unwelcome).map(|one| one.id).collect();
        for id in unwelcome {
            self.connections[id.slot as usize].is_known = true;
            self.end(id, End { why: Ending::Denied, reset: true });
        }
        let all: Vec<_> = self.connections.iter().map(|(_, connection)| connection.id).collect();
        for id in all {
            let connection = &mut self.connections[id.slot as usize];
            if connection.is_awaited() {
                let due = rules.due(connection.heard).map(|due| due.max(self.now));
                self.deadlines.replace(id, &mut connection.deadline, due);
            }
        }
    }

    /// Lets nobody in any more, and closes all connections as [`Streams::close`] does; exchanges go on until [`Streams::is_empty`].
    pub fn stop(&mut self) {
        self.door.close();
        let all: Vec<_> = self.connections.iter().map(|(_, connection)| connection.id).collect();
        all.into_iter().for_each(|id| self.close(id));
    }

    /// True if there is no connection, not even one that is being closed.
    pub fn is_empty(&self) -> bool {
        self.connections.is_empty()
    }

    /// Wakes a waiting [`Streams::exchange`] from any thread.
    pub fn waker(&self) -> Waker {
        self.waker.clone()
    }

    /// The counters now.
    pub fn figures(&self) -> Figures {
        self.ledger.figures
    }

    /// How long may be waited: not at all if there is something to do, and until the next deadline at most.
    fn patience(&self, wait: Option<Duration>) -> Option<Duration> {
        let shut = self.door.shut_until(self.now).map(|until| until - self.now);
        if !self.ready.is_empty() || (self.door.is_wanted() && shut.is_none()) {
            return Some(Duration::ZERO);
        }
        [wait, shut, self.deadlines.wait(self.now)].into_iter().flatten().min()
    }

    fn wait(&mut self, wait: Option<Duration>) -> io::Result<()> {
        self.ledger.figures.calls += 1;
        match self.poll.poll(&mut self.named, wait) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(()),
            result => result?,
        }
        let named = std::mem::replace(&mut self.named, Events::with_capacity(0));
        for event in &named {
            match event.token().0 {
                // Each wake-up is an event of its own, whatever the counter says.
                WAKER => {}
                listener @ LISTENERS.. => self.door.note(listener - LISTENERS),
                slot => self.note(slot, event),
            }
        }
        self.named = named;
        Ok(())
    }

    fn note(&mut self, slot: usize, event: &mio::event::Event) {
        let Some(connection) = self.connections.get_mut(slot) else { return };
        connection.note(event);
        let id = connection.id;
        if connection.can_write() {
            self.list_dirty(id);
        }
        self.list_ready(id);
    }

    /// Those whose time is over.
    fn expire(&mut self) {
        while let Some(id) = self.deadlines.due(self.now) {
            if self.is_spared(id) {
                continue;
            }
            let connection = &mut self.connections[id.slot as usize];
            let why = match connection.leaving {
                Some(leaving) => leaving.why,
                None if connection.stopped => Ending::Deaf,
                None if connection.spoken => Ending::Idle,
                None => Ending::Silent,
            };
            self.deadlines.replace(id, &mut connection.deadline, None);
            self.end(id, End { why, reset: true });
        }
    }

    /// True if somebody has not been silent for as long as it may be, or has to be looked at once more.
    fn is_spared(&mut self, id: ConnectionId) -> bool {
        let connection = &mut self.connections[id.slot as usize];
        if !connection.is_awaited() {
            return false;
        }
        let due = self.rules.due(connection.heard);
        let is_over = due.is_some_and(|due| due <= self.now);
        if is_over && connection.doubted {
            return false;
        }
        let next = if is_over { Some(self.now + LAST_LOOK) } else { due };
        if is_over {
            connection.doubt();
        }
        self.deadlines.replace(id, &mut connection.deadline, next);
        self.list_ready(id);
        true
    }

    fn accept(&mut self, events: &mut Vec<Event>) {
        for at in 0..self.door.listeners() {
            for _ in 0..TURN_ACCEPTS {
                match self.door.visit(at, self.now, &mut self.ledger.figures) {
                    Visit::Visitor(stream, source) => {
                        if let Err((stream, refusal)) = self.admit(stream, source, events) {
                            self.ledger.figures.refused[refusal.index()] += 1;
                            break_off(stream, &mut self.ledger.figures);
                        }
                    }
                    Visit::Over => {}
                    Visit::Nobody => break,
                }
            }
        }
    }

    fn admit(
        &mut self,
        mut stream: TcpStream,
        source: std::net::SocketAddr,
        events: &mut Vec<Event>,
    ) -> Result<(), (TcpStream, NoRoom)> {
        if !self.rules.admits(source.ip()) {
            return Err((stream, NoRoom::Denied));
        }
        if let Err(refusal) = self.census.enter(source.ip(), &self.ledger.bounds) {
            return Err((stream, refusal));
        }
        let slot = self.connections.vacant_entry();
        let id = ConnectionId { slot: slot.key() as u32, serial: self.serial };
        self.ledger.figures.calls += 2;
        let both = Interest::READABLE | Interest::WRITABLE;
        let registered = self.poll.registry().register(&mut stream, Token(slot.key()), both);
        let (Ok(()), Ok(local)) = (registered, stream.local_addr()) else {
            self.census.leave(source.ip());
            return Err((stream, NoRoom::Descriptors));
        };
        self.serial = self.serial.wrapping_add(1);
        let connection = slot.insert(Connection::new(id, source.ip(), stream, self.now));
        let deadline = Some(self.now + self.ledger.bounds.first_message);
        self.deadlines.replace(id, &mut connection.deadline, deadline);
        self.ledger.figures.accepted += 1;
        self.ledger.figures.open += 1;
        events.push(Event::Opened { connection: id, source, local });
        Ok(())
    }

    /// Each who has something gets a share, as far as the turn has room; the others are first the next time.
    fn read(&mut self, events: &mut Vec<Event>) {
        let before = events.len();
        for _ in 0..self.ready.len() {
            if !self.arena.has_room() || events.len() - before >= TURN_EVENTS {
                break;
            }
            let Some(id) = self.ready.pop_front() else { break };
            let Some(connection) = self.connections.get_mut(id.slot as usize) else { continue };
            if connection.id != id || connection.ended {
                continue;
            }
            connection.in_ready = false;
            if connection.has_input() {
                self.read_from(id, events);
                self.list_ready(id);
            }
        }
    }

    fn read_from(&mut self, id: ConnectionId, events: &mut Vec<Event>) {
        let connection = &mut self.connections[id.slot as usize];
        let (was_mute, is_leaving) = (!connection.spoken, connection.leaving.is_some());
        let (before, now) = (events.len(), self.now);
        let figures = &mut self.ledger.figures;
        let result = if is_leaving {
            connection.discard(&mut self.arena, figures)
        } else {
            connection.receive(&mut self.arena, events, figures)
        };
        if events.len() > before {
            (connection.heard, connection.doubted) = (now, false);
        }
        if was_mute && connection.spoken && !is_leaving {
            self.deadlines.replace(id, &mut connection.deadline, self.rules.due(now));
        }
        match result {
            Ok(()) if is_leaving => self.list_dirty(id),
            Ok(()) => {}
            Err(Ending::Peer) => {
                events.push(Event::Closed { connection: id, why: Ending::Peer });
                self.leave(id, Ending::Peer);
            }
            Err(why) => self.end(id, why.into()),
        }
    }

    fn leave(&mut self, id: ConnectionId, why: Ending) {
        let connection = &mut self.connections[id.slot as usize];
        connection.leave(why);
        let deadline = Some(self.now + self.ledger.bounds.farewell);
        self.deadlines.replace(id, &mut connection.deadline, deadline);
        self.list_dirty(id);
        self.list_ready(id);
    }

    /// There is something to write, or to do when nothing is left to write.
    pub(super) fn list_dirty(&mut self, id: ConnectionId) {
        let connection = &mut self.connections[id.slot as usize];
        if !std::mem::replace(&mut connection.in_dirty, true) {
            self.dirty.push(id);
        }
    }

    /// There is something to read, unless there is not.
    pub(super) fn list_ready(&mut self, id: ConnectionId) {
        let connection = &mut self.connections[id.slot as usize];
        if connection.has_input() && !std::mem::replace(&mut connection.in_ready, true) {
            self.ready.push_back(id);
        }
    }

    /// It is over; the next events say so.
    pub(super) fn end(&mut self, id: ConnectionId, end: End) {
        let connection = &mut self.connections[id.slot as usize];
        if !std::mem::replace(&mut connection.ended, true) {
            self.ended.push((id, end));
        }
    }

    /// Forgets those who have ended.
    fn bury(&mut self, events: &mut Vec<Event>) {
        for (id, End { why, reset }) in self.ended.drain(..) {
            let mut connection = self.connections.remove(id.slot as usize);
            self.deadlines.replace(id, &mut connection.deadline, None);
            self.census.leave(connection.source);
            self.ledger.figures.open -= 1;
            let why = connection.leaving.map_or(why, |leaving| leaving.why);
            self.ledger.figures.closed[why.index()] += 1;
            if !connection.is_known {
                events.push(Event::Closed { connection: id, why });
            }
            connection.finish(reset, &mut self.ledger);
        }
    }
}
