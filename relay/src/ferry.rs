//! What the shards have for clients by TCP, on its way to the thread that has their connections.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use engine::{Forms, Member, Roster};
use net::{Driver, Run, SocketIndex, Waker};
use wire::Form;

use crate::limits::{BACKLOG_COPIES, FERRY_BYTES, FERRY_COPIES, FERRY_LETTERS, FERRY_PARCELS};

/// A bounded queue: any shard puts something in, and the thread of the connections takes it out. Nobody waits for anybody longer
/// than a few entries take to move.
#[derive(Clone)]
pub struct Ferry {
    shared: Arc<Shared>,
    waker: Waker,
}

#[derive(Default)]
struct Shared {
    /// Looked at every turn, so that the lock is taken only when there is something to take.
    loaded: AtomicBool,
    hold: Mutex<Hold>,
}

#[derive(Default)]
struct Hold {
    parcels: VecDeque<Parcel>,
    letters: VecDeque<Letter>,
    bytes: usize,
    copies: u64,
    dropped: u64,
}

/// A payload for the members of a group who are connected by TCP.
pub struct Parcel {
    roster: Roster,
    /// What stands before the payload for those who want to know who speaks.
    header: Box<[u8]>,
    /// The payload, and `!RAW ` before it where it begins with `!`.
    bytes: Box<[u8]>,
    /// Where it begins in these bytes.
    start: usize,
}

/// An answer to one client.
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
        Self { shared: Arc::default(), waker }
    }

    /// Takes a payload over; the oldest ones make room for it.
    pub fn ship(&self, parcel: Parcel) {
        let mut hold = self.hold();
        hold.bytes += parcel.len();
        hold.copies += parcel.copies();
        hold.parcels.push_back(parcel);
        while hold.is_overloaded()
            && let Some(oldest) = hold.take_parcel()
        {
            hold.dropped += oldest.copies();
        }
        self.announce(hold);
    }

    /// Takes an answer over. Payloads never take its room.
    pub fn tell(&self, to: Member, text: &[u8]) {
        let mut hold = self.hold();
        if hold.letters.len() >= FERRY_LETTERS {
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
            && let Some(parcel) = hold.take_parcel()
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

impl Hold {
    /// The newest stays, however large its group.
    fn is_overloaded(&self) -> bool {
        let too_much =
            self.parcels.len() > FERRY_PARCELS || self.bytes > FERRY_BYTES || self.copies > FERRY_COPIES;
        too_much && self.parcels.len() > 1
    }

    fn take_parcel(&mut self) -> Option<Parcel> {
        let parcel = self.parcels.pop_front()?;
        self.bytes -= parcel.len();
        self.copies -= parcel.copies();
        Some(parcel)
    }
}

impl Parcel {
    /// A datagram that all members of the roster get as it is.
    pub fn new(roster: Roster, datagram: &[u8]) -> Self {
        Self { roster, header: Box::default(), bytes: datagram.into(), start: 0 }
    }

    /// One that is a payload in several forms, with what stands before it for those who want to know who speaks.
    pub fn in_forms(roster: Roster, datagram: &[u8], forms: &Forms, header: &[u8]) -> Self {
        let extended = usize::from(forms.extended);
        let start = usize::from(forms.start) - extended;
        Self { roster, header: header.into(), bytes: datagram[extended..].into(), start }
    }

    fn len(&self) -> usize {
        self.header.len() + self.bytes.len()
    }

    fn copies(&self) -> u64 {
        self.roster.far().into()
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
        let _ = driver.tell(&Run {
            socket: SocketIndex::STREAMS,
            to: self.to.client.socket_addr(),
            from: None,
            gather,
            size: part.len() as u16,
            bytes: part.len() as u32,
        });
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
