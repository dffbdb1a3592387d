//! What was seen in one measurement: plain sums and histograms, so that any two can be merged.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::hdr::Durations;

/// Sums since the measurement began, of all clients of a thread, a machine or a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Payloads handed to the kernel.
    pub sent: u64,
    /// Bytes of them.
    pub sent_bytes: u64,
    /// Copies that had to arrive: for each payload, the members at that time except its sender.
    pub expected: u64,
    /// Copies that had to arrive and did, each counted once.
    pub received: u64,
    /// Bytes of them.
    pub received_bytes: u64,
    /// Copies that arrived again.
    pub duplicated: u64,
    /// Copies that arrived after a later one of the same sender (RFC 4737).
    pub reordered: u64,
    /// Datagrams from the relay that are neither a reply nor an intact payload.
    pub corrupted: u64,
    /// Copies that reached their own sender, or a client outside of the group.
    pub misdelivered: u64,
    /// Copies that arrived so long after later ones that it cannot be told whether they had before. They count as lost.
    pub too_late: u64,
    /// Copies at members that were about to join or leave: neither expected nor received.
    pub in_transition: u64,
    /// Payloads that left later than [`LATE`] after their intended time.
    pub late_sends: u64,
    /// Payloads that were due when their sender was not a member.
    pub skipped: u64,
    /// Datagrams that the kernel did not take.
    pub send_failures: u64,
    /// Copies dropped in the generator's own receive queues.
    pub own_drops: u64,
    /// PINGs sent.
    pub pings_sent: u64,
    /// PONGs received.
    pub pongs_received: u64,
    /// `OK JOINED` received.
    pub joins: u64,
    /// `OK LEFT` received.
    pub leaves: u64,
    /// Clients whom the relay no longer took for members although they had kept their heartbeat.
    pub evictions: u64,
    /// `ERR` replies, other than those.
    pub refusals: u64,
    /// Requests that were repeated because no answer had come.
    pub repeats: u64,
}

/// A payload that leaves later than this after its intended time is a late send. Ten times the pacing error that a
/// free core shows at 50,000 payloads per second; see `docs/performance.md`.
pub const LATE: Duration = Duration::from_millis(1);

/// A piece of the measurement, by the intended times of the payloads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Slot {
    /// Payloads sent.
    pub sent: u64,
    /// Copies that had to arrive.
    pub expected: u64,
    /// Copies that did.
    pub received: u64,
    /// Latency of the copies that arrived meanwhile, to two digits.
    pub latency: Durations,
}

/// What the generator says about itself, of one thread.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Own {
    /// The processor that the thread was pinned to.
    pub cpu: Option<usize>,
    /// Time that it ran.
    pub busy: Duration,
    /// Time that it could have run and another ran.
    pub starved: Duration,
    /// Time that passed.
    pub wall: Duration,
}

/// What was seen in one measurement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// How long it took, without warm-up and without the wait for the last copies.
    pub duration: Duration,
    /// Sums.
    pub totals: Totals,
    /// From the intended time of each payload to the arrival of each copy.
    pub latency: Durations,
    /// From a PING to its PONG, where only one was on its way.
    pub round_trip: Durations,
    /// From the intended time of each payload to the moment when it was handed to the kernel.
    pub lateness: Durations,
    /// The longest time in which a thread did nothing at all. It has a turn every 0.1 s at least, so longer ones are
    /// stalls: it was stopped, or had no processor.
    pub longest_pause: Duration,
    /// Length of each piece in `series`.
    pub slot: Duration,
    /// The measurement over time.
    pub series: Vec<Slot>,
    /// The threads.
    pub own: Vec<Own>,
    /// Members when it ended.
    pub members: u64,
    /// True when it was ended before its time.
    pub interrupted: bool,
}

/// What a thread tells while it works, a few times a second.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// What it is doing.
    pub phase: Phase,
    /// Members now.
    pub members: u64,
    /// Groups that exist now.
    pub groups: u64,
    /// Sums since the measurement began, or since the start while there is none.
    pub totals: Totals,
    /// Copies that had to arrive and were still on their way or lost.
    pub missing: u64,
    /// Latency since the last time, to two digits.
    pub latency: Option<Durations>,
}

/// What a thread is doing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Clients are joining.
    #[default]
    Joining,
    /// Everybody has joined; nothing is sent but heartbeats.
    Ready,
    /// Traffic that is not counted.
    WarmUp,
    /// The measurement.
    Measuring,
    /// Waiting for the last copies.
    Draining,
    /// Clients are leaving.
    Leaving,
}

impl Totals {
    /// Copies that had to arrive and did not arrive intact.
    pub fn lost(&self) -> u64 {
        self.expected.saturating_sub(self.received)
    }

    /// Part of the expected copies that were lost, 0 to 1.
    pub fn loss(&self) -> f64 {
        if self.expected == 0 { 0.0 } else { self.lost() as f64 / self.expected as f64 }
    }

    /// PINGs without an answer.
    pub fn pongs_lost(&self) -> u64 {
        self.pings_sent.saturating_sub(self.pongs_received)
    }

    /// Adds another's sums.
    pub fn add(&mut self, other: &Totals) {
        self.sent += other.sent;
        self.sent_bytes += other.sent_bytes;
        self.expected += other.expected;
        self.received += other.received;
        self.received_bytes += other.received_bytes;
        self.duplicated += other.duplicated;
        self.reordered += other.reordered;
        self.corrupted += other.corrupted;
        self.misdelivered += other.misdelivered;
        self.too_late += other.too_late;
        self.in_transition += other.in_transition;
        self.late_sends += other.late_sends;
        self.skipped += other.skipped;
        self.send_failures += other.send_failures;
        self.own_drops += other.own_drops;
        self.pings_sent += other.pings_sent;
        self.pongs_received += other.pongs_received;
        self.joins += other.joins;
        self.leaves += other.leaves;
        self.evictions += other.evictions;
        self.refusals += other.refusals;
        self.repeats += other.repeats;
    }
}

impl Outcome {
    /// An empty outcome of a measurement that is to take so long.
    pub fn planned(duration: Duration) -> Self {
        Outcome {
            duration: Duration::ZERO,
            totals: Totals::default(),
            latency: Durations::default(),
            round_trip: Durations::default(),
            lateness: Durations::default(),
            longest_pause: Duration::ZERO,
            slot: slot(duration),
            series: Vec::new(),
            own: Vec::new(),
            members: 0,
            interrupted: false,
        }
    }

    /// Adds what another part of the same measurement saw.
    pub fn merge(&mut self, other: &Outcome) {
        self.duration = self.duration.max(other.duration);
        self.totals.add(&other.totals);
        self.latency.merge(&other.latency);
        self.round_trip.merge(&other.round_trip);
        self.lateness.merge(&other.lateness);
        self.longest_pause = self.longest_pause.max(other.longest_pause);
        for (index, slot) in other.series.iter().enumerate() {
            self.slot_mut(index).add(slot);
        }
        self.own.extend_from_slice(&other.own);
        self.members += other.members;
        self.interrupted |= other.interrupted;
    }

    /// The piece of this number, made if there is none.
    pub fn slot_mut(&mut self, index: usize) -> &mut Slot {
        if self.series.len() <= index {
            self.series.resize_with(index + 1, Slot::default);
        }
        &mut self.series[index]
    }
}

/// Pieces that a measurement is cut into: about 120, but none shorter than 100 ms.
fn slot(duration: Duration) -> Duration {
    (duration / 120).max(Duration::from_millis(100))
}

impl Slot {
    fn add(&mut self, other: &Slot) {
        self.sent += other.sent;
        self.expected += other.expected;
        self.received += other.received;
        self.latency.merge(&other.latency);
    }
}

impl Default for Slot {
    fn default() -> Self {
        Slot { sent: 0, expected: 0, received: 0, latency: Durations::with_digits(2) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(sent: u64, slots: usize) -> Outcome {
        let mut outcome = Outcome::planned(Duration::from_secs(10));
        outcome.totals = Totals { sent, expected: 10 * sent, received: 9 * sent, ..Totals::default() };
        outcome.latency.record_n(Duration::from_micros(sent), 9);
        outcome.slot_mut(slots - 1).sent = sent;
        outcome
    }

    #[test]
    fn merging_adds_and_aligns() {
        let mut one = seen(3, 2);
        one.merge(&seen(4, 5));
        assert_eq!((one.totals.sent, one.totals.lost(), one.latency.count()), (7, 7, 18));
        let sent: Vec<u64> = one.series.iter().map(|slot| slot.sent).collect();
        assert_eq!(sent, [0, 3, 0, 0, 4]);
    }

    #[test]
    fn an_outcome_survives_json() {
        let outcome = seen(5, 3);
        let text = serde_json::to_string(&outcome).unwrap();
        assert_eq!(serde_json::from_str::<Outcome>(&text).unwrap(), outcome);
    }
}
