//! What the shards have for clients by TCP, on its way to the thread that has their connections.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use engine::{Forms, GroupKey, Listed, Member, Roster};
use net::{Driver, Run, SocketIndex, Waker};
use wire::{Form, Notice};

use crate::limits::{
    BACKLOG_COPIES, FERRY_BYTES, FERRY_COPIES, FERRY_LANES, FERRY_LETTERS, FERRY_NEWS, FERRY_PARCELS,
};

/// A bounded queue: any shard puts something in, and the thread of the connections takes it out. Nobody waits for anybody longer
/// than a few entries take to move.
#[derive(Clone)]
pub struct Ferry {
    shared: Arc<Shared>,
    waker: Waker,
    /// Of the shard that puts something in: each has numbers of its own for its groups.
    shard: usize,
}

#[derive(Default)]
struct Shared {
    /// Looked at every turn, so that the lock is taken only when there is something to take.
    loaded: AtomicBool,
    hold: Mutex<Hold>,
}

struct Hold {
    /// In the order in which they came, each with its lane.
    parcels: BTreeMap<u64, (Parcel, usize)>,
    next: u64,
    lanes: [Lane; FERRY_LANES],
    letters: VecDeque<Letter>,
    bytes: usize,
    copies: u64,
    dropped: u64,
}

/// The parcels of one group, or of some, by chance. As in stochastic fairness queueing, to find out who has most costs the same however
/// many groups there are.
#[derive(Default)]
struct Lane {
    parcels: VecDeque<u64>,
    weight: u64,
}

/// A payload for the members of a group who are connected by TCP.
pub struct Parcel {
    roster: Roster,
    group: GroupKey,
    /// What stands before the payload for those who want to know who speaks.
    header: Box<[u8]>,
    /// The payload, and `!RAW ` before it where it begins with `!`.
    bytes: Box<[u8]>,
    /// Where it begins in these bytes.
    start: usize,
}

/// An answer to one client, or news for it.
pub struct Letter {
    to: Member,
    text: Box<[u8]>,
}

/// What one turn takes.
#[derive(Default)]
pub struct Freight {
    parcels: Vec<Parcel>,
    letters: Vec<Letter>,
}

/// What is in a ferry, and what has not come aboard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Copies and answers that wait.
    pub waiting: u64,
    /// Those that were dropped because too much did.
    pub dropped: u64,
}

impl Ferry {
    /// An empty one; `waker` is that of the thread that takes.
    pub fn new(waker: Waker) -> Self {
        Self { shared: Arc::default(), waker, shard: 0 }
    }

    /// The same one, for the shard of this number.
    pub fn of_shard(&self, shard: usize) -> Self {
        Self { shard, ..self.clone() }
    }

    /// Takes a payload over; the oldest ones of whoever has most make room for it.
    pub fn ship(&self, parcel: Parcel) {
        let lane = self.lane_of(parcel.group);
        let mut hold = self.hold();
        while !hold.has_room_for(&parcel)
            && let Some(oldest) = hold.take_of_fattest()
        {
            hold.dropped += oldest.copies();
        }
        hold.add(parcel, lane);
        self.announce(hold);
    }

    /// Takes an answer over, or news. Payloads never take an answer's room, and news a part of it only.
    pub fn tell(&self, to: Member, text: &[u8]) {
        let most = if Notice::is_news(text) { FERRY_NEWS } else { FERRY_LETTERS };
        let mut hold = self.hold();
        if hold.letters.len() >= most {
            hold.dropped += 1;
            return;
        }
        hold.letters.push_back(Letter { to, text: text.into() });
        self.announce(hold);
    }

    /// True if there is something to take.
    pub fn is_loaded(&self) -> bool {
        self.shared.loaded.load(Ordering::Acquire)
    }

    /// Takes all answers, and the oldest payloads until they have so many copies.
    pub fn unload(&self, most: u64) -> Freight {
        let mut freight = Freight::default();
        if !self.is_loaded() {
            return freight;
        }
        let (mut hold, mut copies) = (self.hold(), 0);
        freight.letters.extend(hold.letters.drain(..));
        while copies < most
            && let Some(parcel) = hold.take_oldest()
        {
            copies += parcel.copies();
            freight.parcels.push(parcel);
        }
        self.shared.loaded.store(!hold.parcels.is_empty(), Ordering::Release);
        freight
    }

    /// How much there is.
    pub fn load(&self) -> Load {
        let hold = self.hold();
        Load { waiting: hold.copies + hold.letters.len() as u64, dropped: hold.dropped }
    }

    /// A few groups have a lane each, whichever shards their members are served by.
    fn lane_of(&self, group: GroupKey) -> usize {
        self.shard.wrapping_mul(37).wrapping_add(group.0 as usize) % FERRY_LANES
    }

    /// Wakes the other thread if it has not been told yet that there is something.
    fn announce(&self, hold: MutexGuard<'_, Hold>) {
        let was_loaded = self.shared.loaded.swap(true, Ordering::AcqRel);
        drop(hold);
        if !was_loaded {
            self.waker.wake();
        }
    }

    fn hold(&self) -> MutexGuard<'_, Hold> {
        self.shared.hold.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Default for Hold {
    fn default() -> Self {
        Self {
            parcels: BTreeMap::new(),
            next: 0,
            lanes: std::array::from_fn(|_| Lane::default()),
            letters: VecDeque::new(),
            bytes: 0,
            copies: 0,
            dropped: 0,
        }
    }
}

impl Hold {
    /// One always has, however large its group, where nothing else is.
    fn has_room_for(&self, parcel: &Parcel) -> bool {
        self.parcels.len() < FERRY_PARCELS
            && self.bytes + parcel.len() <= FERRY_BYTES
            && self.copies + parcel.copies() <= FERRY_COPIES
    }

    fn add(&mut self, parcel: Parcel, lane: usize) {
        self.bytes += parcel.len();
        self.copies += parcel.copies();
        self.lanes[lane].weight += parcel.weight();
        self.lanes[lane].parcels.push_back(self.next);
        self.parcels.insert(self.next, (parcel, lane));
        self.next += 1;
    }

    /// The oldest of all, which is the oldest of its lane.
    fn take_oldest(&mut self) -> Option<Parcel> {
        let (_, (_, lane)) = self.parcels.first_key_value()?;
        self.take_of(*lane)
    }

    fn take_of_fattest(&mut self) -> Option<Parcel> {
        let (lane, _) = self.lanes.iter().enumerate().max_by_key(|(_, lane)| lane.weight)?;
        self.take_of(lane)
    }

    fn take_of(&mut self, lane: usize) -> Option<Parcel> {
        let number = self.lanes[lane].parcels.pop_front()?;
        let (parcel, _) = self.parcels.remove(&number)?;
        self.bytes -= parcel.len();
        self.copies -= parcel.copies();
        self.lanes[lane].weight -= parcel.weight();
        Some(parcel)
    }
}

impl Parcel {
    /// A datagram that all members of the roster get as it is.
    pub fn new(listed: &Listed, datagram: &[u8]) -> Self {
        let (roster, group) = (listed.roster.clone(), listed.group);
        Self { roster, group, header: Box::default(), bytes: datagram.into(), start: 0 }
    }

    /// One that is a payload in several forms, with what stands before it for those who want to know who speaks.
    pub fn in_forms(listed: &Listed, datagram: &[u8], forms: &Forms, header: &[u8]) -> Self {
        let extended = usize::from(forms.extended);
        let start = usize::from(forms.start) - extended;
        Self { header: header.into(), start, ..Self::new(listed, &datagram[extended..]) }
    }

    fn len(&self) -> usize {
        self.header.len() + self.bytes.len()
    }

    fn copies(&self) -> u64 {
        self.roster.far().into()
    }

    /// The parts of all bounds that it takes, together, in copies.
    fn weight(&self) -> u64 {
        const COPIES_OF_EACH: u64 = FERRY_COPIES / FERRY_PARCELS as u64;
        const BYTES_OF_COPY: usize = FERRY_BYTES / FERRY_COPIES as usize;
        COPIES_OF_EACH + self.copies() + (self.len() / BYTES_OF_COPY) as u64
    }

    /// Sends it to everybody in the form that each has asked for.
    fn deliver(&self, driver: &mut impl Driver) {
        let base = driver.compose(&self.bytes[self.start..]);
        let extended = if self.start > 0 { driver.compose(&self.bytes) } else { base };
        let with_sender =
            if self.header.is_empty() { base } else { driver.compose_before(&self.header, base) };
        let parts = [base, extended, with_sender];
        let lists = parts.map(|part| driver.gather(&[part]));
        for member in self.roster.members().filter(|member| member.client.is_stream()) {
            let form = member.form as usize;
            // Connections take whatever they are sent, and drop what is too much for themselves.
            let _ = driver.send(&Run {
                socket: SocketIndex::STREAMS,
                to: member.client.socket_addr(),
                from: None,
                gather: lists[form],
                size: parts[form].len() as u16,
                bytes: parts[form].len() as u32,
            });
        }
    }
}

impl Letter {
    fn deliver(&self, driver: &mut impl Driver) {
        let part = driver.compose(&self.text);
        let gather = driver.gather(&[part]);
        let run = Run {
            socket: SocketIndex::STREAMS,
            to: self.to.client.socket_addr(),
            from: None,
            gather,
            size: part.len() as u16,
            bytes: part.len() as u32,
        };
        let _ = if Notice::is_news(&self.text) { driver.send(&run) } else { driver.tell(&run) };
    }
}

impl Freight {
    /// Sends everything.
    pub fn deliver(&self, driver: &mut impl Driver) {
        self.letters.iter().for_each(|letter| letter.deliver(driver));
        self.parcels.iter().for_each(|parcel| parcel.deliver(driver));
    }
}

const _: () =
    assert!(Form::Base as usize == 0 && Form::Extended as usize == 1 && Form::WithSender as usize == 2);
const _: () = assert!(FERRY_COPIES <= BACKLOG_COPIES);
