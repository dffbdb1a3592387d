//! What a shard counts, and how others get to see it.

use std::sync::{Arc, Mutex, PoisonError};

use engine::{CopyDrop, Histogram, Tally};
use net::tcp::Figures;
use net::{DriverStats, FailureKind, SendReport};

use crate::worst::Worst;

/// Everything that a shard has counted since it started: plain numbers, copied as a whole when published.
#[derive(Clone, Debug, Default)]
pub struct Counters {
    /// What the engine counted.
    pub tally: Tally,
    /// Clients now.
    pub clients: u64,
    /// Datagrams and bytes received.
    pub received: Traffic,
    /// Datagrams and bytes handed to the kernel.
    pub sent: Traffic,
    /// Copies and replies that the kernel did not take, by [`FailureKind`].
    pub failed: [u64; FailureKind::ALL.len()],
    /// Copies dropped because too much was waiting.
    pub overflowed: u64,
    /// Copies that unproved members did not get, by [`CopyDrop`].
    pub unproved: [u64; CopyDrop::LABELS.len()],
    /// Bytes that were meant for unproved members, with IP headers.
    pub unproved_bytes: u64,
    /// Copies that wait now.
    pub waiting: u64,
    /// True while more comes than the shard can do.
    pub is_overloaded: bool,
    /// Datagrams of each turn that had any. Up to 2^8.
    pub batches: Histogram<9>,
    /// Nanoseconds of each turn, from taking what has arrived to the return of its sends, without any wait. From 2^10 ns
    /// (1 us) to 2^30 ns (1.07 s).
    pub turns: Histogram<31>,
    /// Messages handed to the kernel, by their datagrams: up to 2^7.
    pub segments: Histogram<8>,
    /// Nanoseconds from the start of the turn that took a payload to the return of its last send, in measured turns. From
    /// 2^10 ns (1 us) to 2^30 ns (1.07 s); shorter ones count in the first bucket.
    pub latency: Histogram<31>,
    /// What the connections have done, of the thread that has them.
    pub streams: Figures,
    /// Copies and answers for clients by TCP that were dropped on their way to that thread.
    pub unferried: u64,
    /// The driver's own counters.
    pub driver: DriverStats,
    /// Nanoseconds spent not waiting.
    pub busy: u64,
}

/// Datagrams and their payload bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Datagrams.
    pub packets: u64,
    /// Payload bytes.
    pub bytes: u64,
}

impl Counters {
    /// Copies and answers that clients by TCP did not get because they read too slowly, and because their thread was too slow.
    pub fn lost_by_streams(&self) -> [u64; 2] {
        [self.streams.payloads_dropped, self.unferried]
    }

    /// Those that were for connections that are over.
    pub fn late_for_streams(&self) -> u64 {
        self.streams.messages_discarded
    }

    /// Adds what became of some sends.
    pub fn add_sends(&mut self, report: &SendReport) {
        self.sent.packets += report.datagrams;
        self.sent.bytes += report.bytes;
        for (total, new) in self.segments.counts.iter_mut().zip(report.segments) {
            *total += new;
            self.segments.count += new;
        }
        self.segments.sum += report.segments_sum;
        for failure in &report.failures {
            self.failed[failure.kind.index()] += u64::from(failure.datagrams);
        }
    }
}

/// The last published counters of a shard, shared with whoever exports them.
#[derive(Clone, Debug, Default)]
pub struct Meter {
    counters: Arc<Mutex<Counters>>,
    worst: Arc<Mutex<Worst>>,
}

impl Meter {
    /// Publishes; false if a reader was just looking, then the shard tries again later instead of waiting.
    pub fn publish(&self, counters: &Counters) -> bool {
        match self.counters.try_lock() {
            Ok(mut published) => {
                published.clone_from(counters);
                true
            }
            Err(_) => false,
        }
    }

    /// The same for the failed sends; they are published only when there are new ones.
    pub fn publish_worst(&self, worst: &Worst) -> bool {
        match self.worst.try_lock() {
            Ok(mut published) => {
                *published = *worst;
                true
            }
            Err(_) => false,
        }
    }

    /// The failed sends that were published last.
    pub fn worst(&self) -> Worst {
        *self.worst.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was published last.
    pub fn read(&self) -> Counters {
        self.counters.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
