//! A lane: the clients of one thread and all that they do, without a clock and without sockets.
//!
//! **Its owner calls [`Lane::receive`] for what has arrived and [`Lane::due`] when [`Lane::next_due`] has come.**

mod book;
mod client;
mod group;
mod heart;
mod ledger;
mod membership;
pub mod schedule;
mod traffic;

#[cfg(test)]
mod tests;

use std::ops::Range;
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use serde::{Deserialize, Serialize};
use wire::{Refusal, Reply};

use crate::outcome::{Outcome, Phase, Progress};
use crate::payload::{Filler, Stamp};
use crate::plan::{Load, Plan, Share};
use client::{Client, State};
use group::Group;
use heart::Heart;
use ledger::Ledger;
use membership::{Membership, STALLED};
use traffic::Traffic;

/// Datagrams that one call of [`Lane::due`] sends at most: as many as the kernel takes in one go without holding up
/// what arrives.
pub const BATCH: usize = 64;

/// Without a copy for so long, those that are missing are lost; more than three times the longest that a relay holds
/// a payload back (0.3 s of backlog, `docs/architecture.md`).
const QUIET: Duration = Duration::from_secs(1);

/// The last copies are waited for no longer than this.
const LONGEST_DRAIN: Duration = Duration::from_secs(5);

/// Payloads that were due before the end and have not left are sent after it, for no longer than this; and than a quarter
/// of the measurement, which is enough to show in the late sends that the generator could not keep up.
const LONGEST_CATCH_UP: Duration = Duration::from_secs(20);

/// Payloads of each sender that its receivers remember in the closed loop, where nobody knows how many come.
const CLOSED_LOOP: f64 = 1024.0;

/// What receivers remember of senders takes no more, in bytes, unless a word for each pair does.
const LARGEST_BOOKS: usize = 256 << 20;

/// Words of each pair at most: 65,536 payloads.
const MOST_WORDS: usize = 1024;

/// When everything has arrived, repeats are waited for so long.
const SETTLED: Duration = Duration::from_millis(250);

/// Latencies are filed in this distance.
const INTERVAL: Duration = Duration::from_millis(100);

/// Where a lane's datagrams go.
pub trait Outlet {
    /// Sends a client's datagram to the relay.
    fn send(&mut self, client: u32, bytes: &[u8]);
}

/// What to measure.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    /// The load.
    pub load: Load,
    /// Traffic before, which is not counted.
    pub warm_up: Duration,
    /// How long to count.
    pub duration: Duration,
}

/// Why a lane cannot go on, in a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The relay does not take its clients.
    Refused(String),
    /// Anything else.
    Failed(String),
}

/// The clients of one thread.
pub struct Lane {
    plan: Plan,
    clients: Vec<Client>,
    groups: Vec<Group>,
    /// Everybody who sends payloads, in the order of their turns.
    speakers: Vec<u32>,
    membership: Membership,
    heart: Heart,
    traffic: Option<Traffic>,
    measurement: Option<Measurement>,
    ledger: Ledger,
    phase: Phase,
    /// When the phase ends, if that is a matter of time.
    phase_ends: Option<Duration>,
    /// When what is overdue at the end of a measurement is given up; None before the end.
    catch_up_ends: Option<Duration>,
    /// When a copy arrived last.
    heard: Duration,
    /// When copies are waited for no longer.
    drain_ends: Duration,
    interval_ends: Duration,
    outcome: Option<Outcome>,
    failure: Option<Failure>,
    rng: SmallRng,
    /// Tells this lane's payloads from all others.
    run: u32,
    filler: Filler,
}

impl Lane {
    /// The clients of a share of a plan, which begin to join at time 0.
    pub fn new(plan: &Plan, share: &Share) -> Self {
        let mut rng = SmallRng::seed_from_u64(plan.seed ^ u64::from(share.groups.start) << 32);
        let first = plan.clients_of(share.groups.start).start;
        let mut lane = Lane {
            clients: Vec::with_capacity(clients_of(plan, share).len()),
            groups: Vec::with_capacity(share.groups.len()),
            speakers: Vec::new(),
            membership: Membership::new(plan.unproved),
            heart: Heart::new(plan.heartbeat, clients_of(plan, share).len() as u32),
            traffic: None,
            measurement: None,
            ledger: Ledger::new(),
            phase: Phase::Joining,
            phase_ends: None,
            catch_up_ends: None,
            heard: Duration::ZERO,
            drain_ends: Duration::ZERO,
            interval_ends: Duration::ZERO,
            outcome: None,
            failure: None,
            run: rand::random(),
            filler: Filler::new(rng.random()),
            rng,
            plan: plan.clone(),
        };
        for group in share.groups.clone() {
            lane.add_group(plan.clients_of(group), first);
        }
        lane.speakers.shuffle(&mut lane.rng);
        lane
    }

    fn add_group(&mut self, clients: Range<u32>, first: u32) {
        let group = self.groups.len() as u32;
        let local = clients.start - first..clients.end - first;
        self.clients.extend(clients.map(|client| Client::new(group, is_silent(client, self.plan.silent))));
        let members = &mut self.clients[local.start as usize..local.end as usize];
        let speaking = members.iter().filter(|client| !client.silent).count() as u32;
        let senders = self.plan.senders_of(speaking);
        let speakers = members.iter_mut().zip(local.clone()).filter(|(client, _)| !client.silent);
        for (place, (client, number)) in (0..senders).zip(speakers) {
            client.sender = place;
            self.speakers.push(number);
        }
        self.groups.push(Group::new(local, senders));
    }

    /// Takes a datagram from the relay that has reached a client.
    pub fn receive(&mut self, client: u32, bytes: &[u8], now: Duration) {
        if let Some(stamp) = Stamp::read(bytes) {
            self.heard = now;
            return self.heard(client, &stamp, bytes.len(), now);
        }
        match Reply::parse(bytes) {
            Some(reply) => self.answered(client, reply, now),
            None => {
                self.heard = now;
                self.ledger.totals().corrupted += 1;
            }
        }
    }

    /// Sends what is due, at most [`BATCH`] datagrams.
    pub fn due(&mut self, now: Duration, out: &mut impl Outlet) {
        self.ledger.turned(now);
        self.turn_phase(now);
        self.settle(now);
        let mut room = BATCH;
        room -= self.repeat(room, now, out);
        self.start_more(room, now);
        room -= self.request(room, now, out);
        if self.phase != Phase::Leaving {
            room -= self.ping(room, now, out);
        }
        if self.traffic.is_some() {
            self.give_up(now);
            self.churn(now);
            self.speak(room, now, out);
        }
    }

    /// When [`Lane::due`] has something to do; None if only an arrival or a command can bring that.
    pub fn next_due(&self) -> Option<Duration> {
        if self.membership.is_behind() {
            return Some(Duration::ZERO);
        }
        let heart = self.heart.next().filter(|_| self.phase != Phase::Leaving);
        let traffic = self.traffic.as_ref().and_then(Traffic::next);
        let times = [self.next_start(), self.membership.next(), heart, traffic, self.phase_ends];
        times.into_iter().flatten().min()
    }

    /// What was sent in the last call of [`Lane::due`] was taken by the kernel at this moment.
    pub fn handed_over(&mut self, at: Duration) {
        self.ledger.handed_over(at);
    }

    /// Takes note of datagrams that the kernel did not take, and of copies that it dropped on arrival.
    pub fn lost_here(&mut self, send_failures: u64, own_drops: u64) {
        self.ledger.totals().send_failures += send_failures;
        self.ledger.totals().own_drops += own_drops;
    }

    /// Begins a measurement.
    pub fn measure(&mut self, measurement: Measurement, now: Duration) {
        self.measurement = Some(measurement);
        self.open_traffic(measurement.load, now);
        self.enter(Phase::WarmUp, Some(now + measurement.warm_up));
        self.turn_phase(now);
    }

    /// Ends what is under way before its time.
    pub fn stop(&mut self, now: Duration) {
        if self.phase == Phase::WarmUp {
            self.begin_counting(now);
        }
        if self.phase == Phase::Measuring {
            (self.phase_ends, self.catch_up_ends) = (Some(now), Some(now));
            self.turn_phase(now);
            self.ledger.interrupt();
        }
    }

    /// Lets every member leave.
    pub fn leave(&mut self) {
        self.traffic = None;
        self.enter(Phase::Leaving, None);
        for client in 0..self.clients.len() as u32 {
            match self.clients[client as usize].state {
                State::Joined => self.dismiss(client),
                State::Retiring => self.hurry(client),
                State::Waiting => self.clients[client as usize].state = State::Gone,
                _ => {}
            }
        }
    }

    /// True when nothing waits to be sent, and nobody who leaves waits for an answer.
    pub fn is_quiet(&self) -> bool {
        !self.membership.is_behind() && self.membership.leaving == 0
    }

    /// What the lane is doing.
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// The outcome of a measurement that has ended.
    pub fn take_outcome(&mut self) -> Option<Outcome> {
        self.outcome.take()
    }

    /// Why the lane cannot go on.
    pub fn take_failure(&mut self) -> Option<Failure> {
        self.failure.take()
    }

    /// How far it is.
    pub fn progress(&mut self, now: Duration) -> Progress {
        self.ledger.close_interval(now);
        Progress {
            phase: self.phase,
            members: self.membership.members.into(),
            groups: self.groups.iter().filter(|group| group.id.is_some()).count() as u64,
            totals: *self.ledger.totals(),
            missing: self.ledger.missing(),
            latency: self.ledger.take_recent(),
        }
    }

    fn enter(&mut self, phase: Phase, ends: Option<Duration>) {
        (self.phase, self.phase_ends) = (phase, ends);
    }

    fn turn_phase(&mut self, now: Duration) {
        if now >= self.interval_ends {
            self.interval_ends = now + INTERVAL;
            self.ledger.close_interval(now);
        }
        let phase = self.phase;
        match phase {
            Phase::Joining => self.check_joining(now),
            Phase::WarmUp if self.phase_ends.is_some_and(|end| end <= now) => self.begin_counting(now),
            Phase::Measuring if self.is_measured(now) => {
                self.traffic = None;
                self.ledger.end(now);
                (self.heard, self.drain_ends) = (now, now + LONGEST_DRAIN);
                self.enter(Phase::Draining, Some(now + INTERVAL));
            }
            Phase::Draining => self.check_drained(now),
            _ => {}
        }
    }

    fn begin_counting(&mut self, now: Duration) {
        let duration = self.measurement.map_or(Duration::ZERO, |measurement| measurement.duration);
        self.ledger.begin(duration, now);
        self.catch_up_ends = None;
        let words = self.words();
        self.groups.iter_mut().for_each(|group| group.forget(words));
        if let Some(traffic) = &mut self.traffic {
            traffic.counted = true;
        }
        self.enter(Phase::Measuring, Some(now + duration));
    }

    /// Words of 64 payloads to remember of each pair: as many as a sender sends while the last copies are waited for.
    fn words(&self) -> usize {
        let payloads = match self.measurement.map(|measurement| measurement.load) {
            Some(Load::Open { rate, .. }) => rate * LONGEST_DRAIN.as_secs_f64(),
            _ => CLOSED_LOOP,
        };
        let pairs: usize = self.groups.iter().map(|group| group.clients.len() * group.sequences.len()).sum();
        let affordable = LARGEST_BOOKS / (8 * pairs.max(1));
        ((payloads / 64.0).ceil() as usize).clamp(1, affordable.clamp(1, MOST_WORDS))
    }

    /// True when the time is over, and what was due before has left: what a stall of this program has held up is late, and
    /// not forgotten.
    fn is_measured(&mut self, now: Duration) -> bool {
        let Some(end) = self.phase_ends.filter(|end| *end <= now) else { return false };
        let quarter = self.measurement.map_or(Duration::ZERO, |measurement| measurement.duration / 4);
        let catch_up_ends = *self.catch_up_ends.get_or_insert(now + quarter.min(LONGEST_CATCH_UP));
        let is_complete = self.traffic.as_ref().is_none_or(|traffic| !traffic.owes(end));
        is_complete || now >= catch_up_ends
    }

    fn check_drained(&mut self, now: Duration) {
        let totals = *self.ledger.totals();
        let complete = totals.lost() == 0 && totals.pongs_lost() == 0;
        let quiet = if complete { SETTLED } else { QUIET };
        if now >= self.heard + quiet || now >= self.drain_ends {
            let mut outcome = self.ledger.take(now);
            outcome.members = self.membership.members.into();
            self.outcome = Some(outcome);
            self.enter(Phase::Ready, None);
        } else {
            self.phase_ends = Some(now + INTERVAL / 10);
        }
    }

    fn check_joining(&mut self, now: Duration) {
        if self.membership.members as usize == self.clients.len() {
            return self.enter(Phase::Ready, None);
        }
        let stalled = self.membership.progressed.max(self.plan.ramp) + STALLED;
        self.phase_ends = Some(stalled);
        if now >= stalled {
            self.failure = Some(self.stalled());
        }
    }

    fn stalled(&mut self) -> Failure {
        let (members, clients, time) = (self.membership.members, self.clients.len(), STALLED.as_secs());
        let said = format!("only {members} of {clients} clients joined, and nobody more for {time} s: ");
        match self.membership.refusal {
            Some(refusal) => {
                Failure::Refused(said + &format!("the relay last said \"{}\"", Reply::Refused(refusal)))
            }
            None if self.ledger.totals().send_failures > 0 => Failure::Failed(
                said + "the kernel does not take their datagrams; is the --source-prefix routed to this machine?",
            ),
            None => Failure::Refused(said + "the others had no answer"),
        }
    }

    /// The relay's refusal ends the run.
    fn fail(&mut self, refusal: Refusal) {
        let remedy = match refusal {
            Refusal::GroupFull(_) => "lower --group-size, or raise the relay's --cap",
            Refusal::ClientLimit { .. } => "raise the relay's quota of groups for each creator",
            _ => "see the relay's limits",
        };
        let reason = format!("the relay says \"{}\": {remedy}", Reply::Refused(refusal));
        self.failure.get_or_insert(Failure::Refused(reason));
    }

    fn next_start(&self) -> Option<Duration> {
        let (started, all) = (self.membership.started, self.clients.len() as u32);
        (started < all && self.phase == Phase::Joining).then(|| self.plan.ramp * started / all.max(1))
    }

    /// Starts the clients whose time has come, at most so many.
    fn start_more(&mut self, room: usize, now: Duration) {
        for _ in 0..room {
            if self.next_start().is_none_or(|start| start > now) {
                return;
            }
            let client = self.membership.started;
            self.membership.started += 1;
            if self.clients[client as usize].state == State::Idle {
                self.start(client);
            }
        }
    }
}

/// All clients of a share.
pub fn clients_of(plan: &Plan, share: &Share) -> Range<u32> {
    let Range { start, end } = share.groups;
    if start == end { 0..0 } else { plan.clients_of(start).start..plan.clients_of(end - 1).end }
}

/// Spreads the silent evenly over all clients.
fn is_silent(client: u32, fraction: f64) -> bool {
    let before = |count: u32| (f64::from(count) * fraction).floor();
    before(client + 1) > before(client)
}
