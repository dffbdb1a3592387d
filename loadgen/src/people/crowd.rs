//! A crowd: everybody of a run and all that they do, without a clock and without sockets.
//!
//! **Its owner calls [`Crowd::receive`] for what has arrived and [`Crowd::due`] when [`Crowd::next_due`] has come, and
//! sends what is in the [`Crowd::outbox`].**

use std::time::Duration;

use rand::SeedableRng;
use rand::rngs::SmallRng;
use wire::{Notice, Refusal, Reply};

use super::accounts::Accounts;
use super::agenda::{Agenda, Task};
use super::limits::{BATCH, PATIENCE, PROMPT, SETTLED, STALLED};
use super::moves::Places;
use super::names::Names;
use super::outbox::Outbox;
use super::outcome::{Deeds, Outcome, Times};
use super::person::{Person, State};
use super::plan::PeoplePlan;
use super::sums::Sums;
use crate::lane::schedule::Stream;
use crate::outcome::Phase;
use crate::payload::Filler;

/// Everybody of a run.
pub struct Crowd {
    pub(super) plan: PeoplePlan,
    pub(super) names: Names,
    pub(super) people: Vec<Person>,
    pub(super) places: Places,
    pub(super) accounts: Accounts,
    pub(super) agenda: Agenda,
    pub(super) out: Outbox,
    pub(super) deeds: Deeds,
    pub(super) times: Times,
    pub(super) rng: SmallRng,
    pub(super) filler: Filler,
    /// When messages are written; None outside of a measurement.
    pub(super) stream: Option<Stream>,
    /// What the relay asks for between two signs of life.
    pub(super) heartbeat: Duration,
    pub(super) phase: Phase,
    /// People who have a name and are there.
    pub(super) here: u32,
    /// People who have begun.
    started: u32,
    began: Duration,
    ended: Duration,
    /// When somebody last registered, a message last had an outcome, or was last shown.
    pub(super) progressed: Duration,
    /// The last time that a message came in, whatever it was.
    pub(super) heard: Duration,
    /// What the relay last said against somebody who joins.
    pub(super) refusal: Option<Refusal>,
    pub(super) failure: Option<String>,
    /// When whoever still has mail last said something for it.
    prompted: Duration,
    interrupted: bool,
    outcome: Option<Outcome>,
}

/// How far a crowd is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Progress {
    /// What it is doing.
    pub phase: Phase,
    /// People who are there now.
    pub here: u32,
    /// Messages so far; those that only the end can tell are 0.
    pub sums: Sums,
    /// What people did so far.
    pub deeds: Deeds,
    /// Messages without an outcome.
    pub open: u64,
    /// Messages that are stored now.
    pub kept: u64,
}

impl Crowd {
    /// The people of a plan, who begin to register at time 0.
    pub fn new(plan: &PeoplePlan, names: Names) -> Self {
        let seed = plan.plan.seed;
        Self {
            names,
            people: (0..plan.plan.clients).map(Person::at).collect(),
            places: Places::new(plan.plan.clients, plan.places()),
            accounts: Accounts::default(),
            agenda: Agenda::default(),
            out: Outbox::default(),
            deeds: Deeds::default(),
            times: Times::default(),
            rng: SmallRng::seed_from_u64(seed),
            filler: Filler::new(seed),
            stream: None,
            heartbeat: Duration::MAX,
            phase: Phase::Joining,
            here: 0,
            started: 0,
            began: Duration::ZERO,
            ended: Duration::ZERO,
            progressed: Duration::ZERO,
            heard: Duration::ZERO,
            refusal: None,
            failure: None,
            prompted: Duration::ZERO,
            interrupted: false,
            outcome: None,
            plan: plan.clone(),
        }
    }

    /// Takes a datagram from the relay that has reached an address.
    pub fn receive(&mut self, place: u32, bytes: &[u8], now: Duration) {
        let Some(person) = self.places.holder(place) else {
            self.deeds.unheard += 1;
            return;
        };
        if matches!(self.people[person as usize].state, State::Away | State::Idle) {
            self.deeds.unheard += 1;
        } else if let Some(notice) = Notice::parse(bytes) {
            self.noticed(person, notice, now);
        } else if let Some(reply) = Reply::parse_extended(bytes).or_else(|| Reply::parse(bytes)) {
            self.answered(person, reply, now);
        } else if bytes.starts_with(b"!MSG ") {
            self.accounts.corrupt();
        } else {
            self.deeds.unexpected += 1;
        }
    }

    /// Does what is due, until so many datagrams wait to be sent.
    pub fn due(&mut self, now: Duration) {
        self.turn_phase(now);
        self.start_more(now);
        while self.out.len() < BATCH
            && let Some((at, task)) = self.agenda.take(now)
        {
            match task {
                Task::Ask(person) => self.ask_again(person, at, now),
                Task::Send(message) => self.send_again(message, at, now),
                Task::Beat(person) => self.beat(person, at, now),
                Task::Return(person) => self.come_back(person, now),
                Task::Move(person) => self.move_on(person, now),
            }
        }
        self.write_more(now);
    }

    /// When [`Crowd::due`] has something to do; None if only an arrival or a command can bring that.
    pub fn next_due(&self) -> Option<Duration> {
        let start = (self.started < self.plan.plan.clients).then(|| self.start_of(self.started));
        let end = match self.phase {
            Phase::Joining => Some(self.progressed.max(self.plan.plan.ramp) + STALLED),
            Phase::Measuring => Some(self.began + self.plan.plan.duration),
            Phase::Draining => Some(self.drain_ends().min(self.next_prompt())),
            _ => None,
        };
        let written = self.stream.as_ref().and_then(Stream::next);
        [start, end, written, self.agenda.next()].into_iter().flatten().min()
    }

    /// What waits to be sent; whoever has sent it clears it.
    pub fn outbox(&mut self) -> &mut Outbox {
        &mut self.out
    }

    /// Begins the measurement.
    pub fn measure(&mut self, now: Duration) {
        let per_second = self.plan.rate() * f64::from(self.plan.plan.clients);
        self.stream = Some(Stream::new(now, per_second, self.plan.arrivals(), &mut self.rng));
        (self.phase, self.began) = (Phase::Measuring, now);
        self.thin_out(now);
        self.set_out(now);
    }

    /// Ends a measurement before its time.
    pub fn stop(&mut self, now: Duration) {
        if self.phase == Phase::Measuring {
            self.interrupted = true;
            self.drain(now);
        }
    }

    /// Lets everybody go offline.
    pub fn leave(&mut self, now: Duration) {
        self.stream = None;
        self.phase = Phase::Leaving;
        for person in 0..self.people.len() as u32 {
            match self.people[person as usize].state {
                State::Here => self.depart(person, now),
                State::Departing | State::Away => {}
                _ => self.people[person as usize].state = State::Away,
            }
        }
    }

    /// True when everybody is away.
    pub fn has_left(&self) -> bool {
        self.people.iter().all(|person| person.state == State::Away)
    }

    /// Takes note of datagrams that the kernel did not take, and of those that it dropped on arrival.
    pub fn lost_here(&mut self, send_failures: u64, own_drops: u64) {
        self.deeds.send_failures += send_failures;
        self.deeds.own_drops += own_drops;
    }

    /// The outcome of a measurement that has ended.
    pub fn take_outcome(&mut self) -> Option<Outcome> {
        self.outcome.take()
    }

    /// Why the crowd cannot go on.
    pub fn take_failure(&mut self) -> Option<String> {
        self.failure.take()
    }

    /// How far it is.
    pub fn progress(&self) -> Progress {
        Progress {
            phase: self.phase,
            here: self.here,
            sums: self.accounts.running(),
            deeds: self.deeds,
            open: self.accounts.open(),
            kept: self.accounts.kept(),
        }
    }

    fn turn_phase(&mut self, now: Duration) {
        match self.phase {
            Phase::Joining if self.here as usize == self.people.len() => self.phase = Phase::Ready,
            Phase::Joining if now >= self.progressed.max(self.plan.plan.ramp) + STALLED => {
                self.failure.get_or_insert_with(|| stalled(self.here, self.people.len(), self.refusal));
            }
            Phase::Measuring if now >= self.began + self.plan.plan.duration && !self.owes() => {
                self.drain(now);
            }
            Phase::Draining if now >= self.drain_ends() => self.finish(now),
            Phase::Draining if now >= self.next_prompt() => self.prompt(now),
            _ => {}
        }
    }

    /// True while a message has not been written that was due before the end.
    fn owes(&self) -> bool {
        let end = self.began + self.plan.plan.duration;
        self.stream.as_ref().and_then(Stream::next).is_some_and(|due| due < end)
    }

    /// Nothing new is written, and everybody comes back for their mail.
    fn drain(&mut self, now: Duration) {
        (self.stream, self.ended, self.progressed, self.heard) = (None, now, now, now);
        self.phase = Phase::Draining;
        let away = (0..self.people.len() as u32).filter(|person| self.people[*person as usize].is_leaving());
        away.for_each(|person| self.agenda.add(now, Task::Return(person)));
    }

    /// True when each message has its outcome, and everybody has their mail.
    fn is_complete(&self) -> bool {
        let are_all_here = self.here as usize == self.people.len();
        are_all_here && self.accounts.open() == 0 && self.accounts.kept() == 0
    }

    fn drain_ends(&self) -> Duration {
        if self.is_complete() {
            self.heard.max(self.progressed) + SETTLED
        } else {
            self.progressed + PATIENCE
        }
    }

    /// When whoever still has mail says something for it.
    fn next_prompt(&self) -> Duration {
        if self.accounts.kept() == 0 { Duration::MAX } else { self.progressed.max(self.prompted) + PROMPT }
    }

    fn prompt(&mut self, now: Duration) {
        self.prompted = now;
        self.deeds.prompted = self.deeds.prompted.max(self.accounts.kept());
        let mut owners: Vec<u32> = self.accounts.owners().collect();
        owners.sort_unstable();
        owners.dedup();
        owners.retain(|person| self.people[*person as usize].state == State::Here);
        owners.into_iter().for_each(|person| self.say_something(person, now));
    }

    fn finish(&mut self, now: Duration) {
        let complete = if self.is_complete() { self.heard.max(self.progressed) } else { now };
        self.outcome = Some(Outcome {
            duration: self.ended.saturating_sub(self.began),
            drain: complete.saturating_sub(self.ended),
            sums: self.accounts.sums(),
            deeds: self.deeds,
            times: std::mem::take(&mut self.times),
            interrupted: self.interrupted,
            ..Outcome::default()
        });
        self.phase = Phase::Ready;
    }

    fn start_more(&mut self, now: Duration) {
        while self.started < self.plan.plan.clients
            && self.phase == Phase::Joining
            && self.out.len() < BATCH
            && self.start_of(self.started) <= now
        {
            self.greet(self.started, now);
            self.started += 1;
        }
    }

    fn start_of(&self, person: u32) -> Duration {
        self.plan.plan.ramp.mul_f64(f64::from(person) / f64::from(self.plan.plan.clients))
    }
}

fn stalled(here: u32, people: usize, refusal: Option<Refusal>) -> String {
    let said =
        format!("only {here} of {people} people registered, and nobody more for {} s: ", STALLED.as_secs());
    match refusal {
        Some(Refusal::ServerFull) => said + "the relay said \"ERR SERVER_FULL\"; raise its --max-names",
        Some(refusal) => said + &format!("the relay last said \"{}\"", Reply::Refused(refusal)),
        None => said + "the others had no answer",
    }
}
