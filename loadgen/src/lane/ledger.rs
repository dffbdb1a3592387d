//! The accounts of a lane: what had to arrive, and what did.

use std::time::Duration;

use crate::hdr::Durations;
use crate::outcome::{LATE, Outcome, Totals};

/// What a lane has counted since its measurement began.
pub struct Ledger {
    outcome: Outcome,
    /// The measurement's number; 0 before the first one.
    epoch: u16,
    /// True from the beginning of a measurement until its outcome is taken.
    counting: bool,
    began: Duration,
    /// When the sending ended, until the outcome is taken.
    ended: Option<Duration>,
    /// When the lane had its last turn.
    turned: Duration,
    /// Latency since the last interval.
    interval: Durations,
    /// Latency since the last progress, to two digits.
    recent: Durations,
    /// Payloads that this lane has sent, ever.
    number: u64,
    /// Intended times of what was sent since the last hand-over.
    batch: Vec<Duration>,
}

impl Ledger {
    /// Accounts in which nothing is counted but requests.
    pub fn new() -> Self {
        Ledger {
            outcome: Outcome::planned(Duration::from_secs(1)),
            epoch: 0,
            counting: false,
            began: Duration::ZERO,
            ended: None,
            turned: Duration::ZERO,
            interval: Durations::default(),
            recent: Durations::with_digits(2),
            number: 0,
            batch: Vec::new(),
        }
    }

    /// Begins a measurement of so long.
    pub fn begin(&mut self, duration: Duration, now: Duration) {
        self.outcome = Outcome::planned(duration);
        self.epoch = self.epoch.checked_add(1).unwrap_or(1);
        self.counting = true;
        self.began = now;
        self.interval.clear();
        self.recent.clear();
    }

    /// Ends the measurement: what arrives from now on is not counted.
    pub fn take(&mut self, now: Duration) -> Outcome {
        self.close_interval(now);
        self.counting = false;
        (self.began, self.ended) = (now, None);
        std::mem::replace(&mut self.outcome, Outcome::planned(Duration::from_secs(1)))
    }

    /// The sums.
    pub fn totals(&mut self) -> &mut Totals {
        &mut self.outcome.totals
    }

    /// The epoch of what is sent now.
    pub fn epoch(&self, counted: bool) -> u16 {
        if counted { self.epoch } else { 0 }
    }

    /// The number of the next payload.
    pub fn number(&self) -> u64 {
        self.number
    }

    /// The sending has ended; PINGs go on, and do not count any more.
    pub fn end(&mut self, now: Duration) {
        self.ended = Some(now);
        self.outcome.duration = now.saturating_sub(self.began);
    }

    /// The measurement was ended before its time.
    pub fn interrupt(&mut self) {
        self.outcome.interrupted = true;
    }

    /// Takes note of a payload that so many members are to get. Without an intended time (closed loop) it is never late.
    pub fn sent(
        &mut self,
        counted: bool,
        intended: Option<Duration>,
        now: Duration,
        bytes: usize,
        copies: u32,
    ) {
        self.number += 1;
        if !counted {
            return;
        }
        let totals = &mut self.outcome.totals;
        totals.sent += 1;
        totals.sent_bytes += bytes as u64;
        totals.expected += u64::from(copies);
        let at = self.slot_of(intended.unwrap_or(now));
        let slot = self.outcome.slot_mut(at);
        slot.sent += 1;
        slot.expected += u64::from(copies);
        self.batch.extend(intended);
    }

    /// What was sent since the last time was taken by the kernel at this moment.
    pub fn handed_over(&mut self, at: Duration) {
        for intended in self.batch.drain(..) {
            let lateness = at.saturating_sub(intended);
            self.outcome.lateness.record(lateness);
            self.outcome.totals.late_sends += u64::from(lateness > LATE);
        }
    }

    /// True while a payload of this epoch counts.
    pub fn counts(&self, epoch: u16) -> bool {
        self.counting && epoch == self.epoch && epoch != 0
    }

    /// Takes note of a copy that had to arrive, and did for the first time.
    pub fn received(&mut self, intended: Duration, bytes: usize, now: Duration) {
        self.outcome.totals.received += 1;
        self.outcome.totals.received_bytes += bytes as u64;
        let at = self.slot_of(intended);
        if let Some(slot) = self.outcome.series.get_mut(at) {
            slot.received += 1;
        }
        self.interval.record(now.saturating_sub(intended));
    }

    /// Takes note of a turn of the lane.
    pub fn turned(&mut self, now: Duration) {
        let pause = now.saturating_sub(self.turned);
        self.outcome.longest_pause = self.outcome.longest_pause.max(pause);
        self.turned = now;
    }

    /// Takes note of a PING.
    pub fn pinged(&mut self) {
        self.outcome.totals.pings_sent += u64::from(self.ended.is_none());
    }

    /// Takes note of a PONG. Only those count whose PING did.
    /// The time that it took is None where it may have answered an earlier one.
    pub fn ponged(&mut self, pinged: Duration, took: Option<Duration>) {
        if pinged >= self.began && self.ended.is_none_or(|ended| pinged < ended) {
            self.outcome.totals.pongs_received += 1;
            if let Some(took) = took {
                self.outcome.round_trip.record(took);
            }
        }
    }

    /// Copies that had to arrive and have not.
    pub fn missing(&self) -> u64 {
        self.outcome.totals.lost()
    }

    /// Adds the latencies since the last time to the piece of the measurement that is now.
    pub fn close_interval(&mut self, now: Duration) {
        if self.interval.count() == 0 {
            return;
        }
        self.outcome.latency.merge(&self.interval);
        self.recent.merge(&self.interval);
        // The last copies arrive after the end, and make no piece of their own.
        let last = self.outcome.series.len().saturating_sub(1);
        let at = self.slot_of(now).min(last);
        self.outcome.slot_mut(at).latency.merge(&self.interval);
        self.interval.clear();
    }

    /// The latencies since the last time that this was asked.
    pub fn take_recent(&mut self) -> Option<Durations> {
        (self.recent.count() > 0).then(|| std::mem::replace(&mut self.recent, Durations::with_digits(2)))
    }

    fn slot_of(&self, at: Duration) -> usize {
        (at.saturating_sub(self.began).as_nanos() / self.outcome.slot.as_nanos().max(1)) as usize
    }
}
