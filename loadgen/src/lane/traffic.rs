//! Payloads: who sends when, and what each copy means that arrives.

use std::collections::VecDeque;
use std::time::Duration;

use rand::RngExt;

use super::book::Seen;
use super::client::{Client, State};
use super::group::{Overdue, Place};
use super::schedule::Stream;
use super::{Lane, Outlet};
use crate::outcome::Phase;
use crate::payload::{STAMP, Stamp};
use crate::plan::{Arrivals, Load};

/// In the closed loop, a payload that has not reached everybody after so long is given up.
const GIVE_UP: Duration = Duration::from_secs(1);

/// Clients looked at to find one that can leave.
const TRIES: usize = 16;

/// When payloads, and changes of membership, are due.
pub struct Traffic {
    /// Open loop: the union of all senders' streams.
    stream: Option<Stream>,
    arrivals: Arrivals,
    /// Members that are to leave and come back.
    churn: Stream,
    /// Closed loop: places that are free.
    free: VecDeque<(u32, u16)>,
    overdue: Overdue,
    /// True while payloads count.
    pub counted: bool,
}

impl Traffic {
    /// When the next payload, leave or end of patience is due.
    pub fn next(&self) -> Option<Duration> {
        if !self.free.is_empty() {
            return Some(Duration::ZERO);
        }
        let stream = self.stream.as_ref().and_then(Stream::next);
        let overdue = self.overdue.front().map(|(deadline, ..)| *deadline);
        [stream, overdue, self.churn.next()].into_iter().flatten().min()
    }

    /// True while a payload has not left that was due before this moment.
    pub fn owes(&self, moment: Duration) -> bool {
        self.stream.as_ref().and_then(Stream::next).is_some_and(|due| due < moment)
    }
}

impl Lane {
    /// Begins to send, not counted yet.
    pub(super) fn open_traffic(&mut self, load: Load, now: Duration) {
        let churn = self.plan.churn * self.groups.len() as f64 / f64::from(self.plan.groups);
        let (stream, arrivals, window) = match load {
            Load::Open { rate, arrivals } => {
                let per_second = rate * self.speakers.len() as f64;
                (Some(Stream::new(now, per_second, arrivals, &mut self.rng)), arrivals, 0)
            }
            Load::InFlight(window) => (None, Arrivals::Constant, window),
        };
        let mut free = VecDeque::new();
        for (group, it) in self.groups.iter_mut().enumerate().filter(|(_, it)| !it.sequences.is_empty()) {
            it.places = vec![Place::default(); window.into()].into();
            free.extend((0..window).map(|place| (group as u32, place)));
        }
        let churn = Stream::new(now, churn, Arrivals::Constant, &mut self.rng);
        let overdue = Overdue::new();
        self.traffic = Some(Traffic { stream, arrivals, churn, free, overdue, counted: false });
    }

    /// Sends the payloads that are due, at most so many; returns how many were looked at.
    pub(super) fn speak(&mut self, room: usize, now: Duration, out: &mut impl Outlet) -> usize {
        let mut looked = 0;
        while looked < room
            && let Some((sender, intended, place)) = self.next_payload(now)
        {
            looked += 1;
            self.send_payload(sender, intended, place, now, out);
        }
        looked
    }

    /// The sender, the intended time and the place of the next payload that is due.
    fn next_payload(&mut self, now: Duration) -> Option<(u32, Duration, Option<u16>)> {
        let end = if self.phase == Phase::Measuring { self.phase_ends } else { None };
        let traffic = self.traffic.as_mut()?;
        if let Some((group, place)) = traffic.free.pop_front() {
            return Some((self.turn(group), now, Some(place)));
        }
        let stream = traffic.stream.as_mut()?;
        let is_due = |intended: &Duration| *intended <= now && end.is_none_or(|end| *intended < end);
        let intended = stream.next().filter(is_due)?;
        let index = stream.advance(&mut self.rng);
        let count = self.speakers.len();
        let sender = match traffic.arrivals {
            Arrivals::Constant => (index % count as u64) as usize,
            Arrivals::Poisson => self.rng.random_range(0..count),
        };
        Some((self.speakers[sender], intended, None))
    }

    /// The next sender of a group that is a member; the first one if none is.
    fn turn(&mut self, group: u32) -> u32 {
        let group = &mut self.groups[group as usize];
        let (first, count) = (group.clients.start, group.clients.len() as u32);
        for step in 1..=count {
            let client = first + (group.turn + step) % count;
            let it = &self.clients[client as usize];
            if it.sender != Client::NO_SENDER && it.state == State::Joined {
                group.turn = client - first;
                return client;
            }
        }
        first
    }

    fn send_payload(
        &mut self,
        sender: u32,
        intended: Duration,
        place: Option<u16>,
        now: Duration,
        out: &mut impl Outlet,
    ) {
        let counted = self.traffic.as_ref().is_some_and(|traffic| traffic.counted);
        let it = &self.clients[sender as usize];
        let number = self.ledger.number();
        let copies = self.groups[it.group as usize].members.saturating_sub(1);
        if let Some(place) = place {
            self.occupy(it.group, place, number, copies, now);
        }
        let it = &self.clients[sender as usize];
        if it.state != State::Joined || it.sender == Client::NO_SENDER {
            self.ledger.totals().skipped += u64::from(counted);
            return;
        }
        let next = &mut self.groups[it.group as usize].sequences[it.sender as usize];
        let sequence = *next;
        *next = next.wrapping_add(1);
        let epoch = self.ledger.epoch(counted);
        let run = self.run;
        let stamp = Stamp { epoch, run, sender, sequence, intended, number, place: place.unwrap_or(0) };
        let size = self.draw_size();
        out.send(sender, self.filler.payload(&stamp, size));
        self.ledger.sent(counted, place.is_none().then_some(intended), now, size, copies);
    }

    fn draw_size(&mut self) -> usize {
        let size = self.plan.payload.draw(&mut self.rng);
        usize::from(size).max(STAMP)
    }

    fn occupy(&mut self, group: u32, place: u16, number: u64, copies: u32, now: Duration) {
        self.groups[group as usize].places[usize::from(place)] =
            Place { number: Some(number), missing: copies };
        if let Some(traffic) = &mut self.traffic {
            traffic.overdue.push_back((now + GIVE_UP, group, place, number));
        }
    }

    /// Frees the places of payloads that have not reached everybody in time.
    pub(super) fn give_up(&mut self, now: Duration) {
        let Some(traffic) = &mut self.traffic else { return };
        while let Some(&(deadline, group, place, number)) = traffic.overdue.front() {
            let it = &mut self.groups[group as usize].places[usize::from(place)];
            if it.number == Some(number) {
                if deadline > now {
                    break;
                }
                it.number = None;
                traffic.free.push_back((group, place));
            }
            traffic.overdue.pop_front();
        }
    }

    /// Lets members leave whose turn it is.
    pub(super) fn churn(&mut self, now: Duration) {
        while let Some(traffic) = &mut self.traffic
            && traffic.churn.next().is_some_and(|due| due <= now)
        {
            traffic.churn.advance(&mut self.rng);
            if let Some(client) = self.somebody_joined() {
                self.retire(client, now);
            }
        }
    }

    fn somebody_joined(&mut self) -> Option<u32> {
        (0..TRIES)
            .map(|_| self.rng.random_range(0..self.clients.len()))
            .find(|&client| self.clients[client].state == State::Joined && !self.clients[client].silent)
            .map(|client| client as u32)
    }

    /// Takes note of a payload that has arrived intact.
    pub(super) fn heard(&mut self, client: u32, stamp: &Stamp, bytes: usize, now: Duration) {
        let group = self.clients[client as usize].group;
        let counts = self.ledger.counts(stamp.epoch);
        if stamp.run == self.run && stamp.epoch != 0 && !counts {
            // It comes from a measurement that is over, where it counts as lost.
            return;
        }
        let sender = self.clients.get(stamp.sender as usize).filter(|_| stamp.run == self.run);
        let is_meant = |sender: &&Client| {
            let sequences = &self.groups[group as usize].sequences;
            let sent = sequences.get(sender.sender as usize).copied().unwrap_or(0);
            // A relay that invents payloads must not get further than this.
            sender.group == group && stamp.sender != client && (!counts || stamp.sequence < sent)
        };
        let Some(sender) = sender.filter(is_meant) else {
            self.ledger.totals().misdelivered += u64::from(stamp.epoch != 0);
            return;
        };
        let place = sender.sender;
        if !self.clients[client as usize].expects(stamp.number) {
            self.ledger.totals().in_transition += u64::from(counts);
            return;
        }
        if counts {
            let totals = self.ledger.totals();
            match self.groups[group as usize].see(client, place, stamp.sequence) {
                Seen::Duplicate => return totals.duplicated += 1,
                Seen::TooLate => return totals.too_late += 1,
                Seen::Reordered => totals.reordered += 1,
                Seen::New => {}
            }
            self.ledger.received(stamp.intended, bytes, now);
        }
        self.reached(group, stamp);
    }

    /// In the closed loop, the last copy of a payload makes room for the next payload.
    fn reached(&mut self, group: u32, stamp: &Stamp) {
        let Some(place) = self.groups[group as usize].places.get_mut(usize::from(stamp.place)) else {
            return;
        };
        if place.number != Some(stamp.number) {
            return;
        }
        place.missing = place.missing.saturating_sub(1);
        if place.missing == 0 {
            place.number = None;
            if let Some(traffic) = &mut self.traffic {
                traffic.free.push_back((group, stamp.place));
            }
        }
    }
}
