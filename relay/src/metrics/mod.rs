//! What a scrape reads: the shards' published counters, through the `metrics` crate and its Prometheus exporter.

pub mod catalogue;
mod people;
mod sockets;
mod text;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use engine::{Ceilings, CommandKind, CopyDrop, DropReason, Event, Histogram, Shared, Stance, Throttled};
use expose::Metric;
use metrics::{Label, counter, gauge, with_local_recorder};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use net::FailureKind;
use net::tcp::{Ending, NoRoom};
use store::Bounds;
use wire::Refusal;

use crate::mailroom::Mailroom;
use crate::meter::{Counters, Meter};
use crate::pulse::Pulse;
use crate::sandbox::Confinement;
use catalogue::{self as names, CATALOGUE};
pub use people::PeopleFigures;
pub use sockets::{ShardSockets, Sockets};

/// Renders the relay's metrics.
pub struct Exporter {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
    sources: Arc<Sources>,
}

/// Where the figures come from.
pub struct Sources {
    /// The published counters of each shard.
    pub meters: Vec<Meter>,
    /// True if the last of them is the thread of the connections.
    pub has_tcp: bool,
    /// The sockets of each shard.
    pub sockets: Sockets,
    /// All groups, sessions, and how the relay stands to unproved addresses.
    pub shared: Shared,
    /// How many clients and groups there may be.
    pub ceilings: Ceilings,
    /// Where names and mail are kept.
    pub mailroom: Mailroom,
    /// How much of them there may be.
    pub mail: Bounds,
    /// True while the relay serves.
    pub ready: Arc<AtomicBool>,
    /// Which shards turn.
    pub pulse: Pulse,
    /// The backend in use: `uring`, `mmsg` or `mixed`.
    pub backend: &'static str,
    /// Why it is not io_uring, if that was to be tried.
    pub fallback: Option<String>,
    /// What the relay has given up; nothing is known before it serves.
    pub confinement: Arc<OnceLock<Confinement>>,
}

/// Labels of [`FailureKind::ALL`], in that order.
pub const FAILURES: [&str; FailureKind::ALL.len()] =
    ["send_buffer_full", "unreachable", "too_large", "denied", "other"];

/// Why clients by TCP lose something: they read too slowly, or their thread is too slow. Labels of [`Counters::lost_by_streams`].
pub const STREAM_LOSSES: [&str; 2] = ["tcp_slow", "tcp_handover"];

/// What was for a connection that is over.
pub const STREAM_LATE: &str = "tcp_closed";

impl Sources {
    /// What a shard is called, by its place among the meters.
    pub fn name_of(&self, shard: usize) -> String {
        let is_tcp = self.has_tcp && shard + 1 == self.meters.len();
        if is_tcp { "tcp".to_owned() } else { shard.to_string() }
    }
}

impl Exporter {
    /// An exporter of these sources.
    pub fn new(sources: Arc<Sources>) -> Self {
        let recorder = PrometheusBuilder::new().build_recorder();
        let handle = recorder.handle();
        with_local_recorder(&recorder, || {
            CATALOGUE.iter().for_each(Metric::describe);
            let version = env!("CARGO_PKG_VERSION");
            gauge!(names::BUILD_INFO.name, "version" => version, "backend" => sources.backend).set(1);
            gauge!(names::CLIENTS_LIMIT.name).set(sources.ceilings.clients);
            gauge!(names::GROUPS_LIMIT.name).set(sources.ceilings.groups);
            gauge!(names::UNJOINED_GROUPS_LIMIT.name).set(sources.ceilings.unjoined_groups);
            people::set_limits(&sources.mail);
            if let Some(reason) = &sources.fallback {
                gauge!(names::BACKEND_FALLBACK_INFO.name, "reason" => reason.clone()).set(1);
            }
        });
        Self { recorder, handle, sources }
    }

    /// The exposition text, as of now.
    pub fn render(&self) -> String {
        let shards: Vec<Counters> = self.sources.meters.iter().map(Meter::read).collect();
        with_local_recorder(&self.recorder, || {
            self.set_totals(&shards);
            for (shard, counters) in shards.iter().enumerate() {
                set_shard(self.sources.name_of(shard), counters);
            }
            if self.sources.has_tcp {
                shards.iter().rev().take(1).for_each(set_streams);
            }
            self.set_sockets();
            people::set(&self.sources.people());
            for (shard, stalled) in self.sources.pulse.stalled().enumerate() {
                gauge!(names::STALLED.name, "shard" => self.sources.name_of(shard))
                    .set(f64::from(u8::from(stalled)));
            }
        });
        self.handle.run_upkeep();
        let mut out = self.handle.render();
        append_histograms(&mut out, &shards);
        people::append_commits(&mut out, &self.sources.mailroom);
        append_seconds(&mut out, &self.sources, &shards);
        expose::process::append(&mut out);
        out
    }

    fn set_totals(&self, shards: &[Counters]) {
        let sum = |of: &dyn Fn(&Counters) -> u64| shards.iter().map(of).sum::<u64>();
        let ready = self.sources.ready.load(Ordering::Relaxed);
        gauge!(names::READY.name).set(f64::from(u8::from(ready)));
        if let Some(confinement) = self.sources.confinement.get() {
            gauge!(names::SANDBOX_INFO.name, &confinement.labels()).set(1);
        }
        gauge!(names::GROUPS.name).set(self.sources.shared.groups.count());
        gauge!(names::UNJOINED_GROUPS.name).set(self.sources.shared.groups.unjoined());
        gauge!(names::MEMBERS.name).set(self.sources.shared.groups.clients());
        gauge!(names::SESSIONS.name).set(self.sources.shared.directory.sessions() as f64);
        self.set_admission(sum(&|c| c.unproved_bytes));
        for (at, label) in Event::LABELS.iter().enumerate() {
            counter!(names::GROUP_EVENTS.name, "event" => *label).absolute(sum(&|c| c.tally.events[at]));
        }
        for (at, label) in CommandKind::LABELS.iter().enumerate() {
            counter!(names::COMMANDS.name, "command" => *label).absolute(sum(&|c| c.tally.commands[at]));
        }
        for (at, label) in Refusal::LABELS.iter().enumerate() {
            counter!(names::REFUSED.name, "reason" => *label).absolute(sum(&|c| c.tally.refusals[at]));
        }
        for (at, label) in Throttled::LABELS.iter().enumerate() {
            counter!(names::THROTTLED.name, "reason" => *label).absolute(sum(&|c| c.tally.throttled[at]));
        }
        counter!(names::RING_ENTERS.name).absolute(sum(&|c| c.driver.enters));
        counter!(names::RING_REARMS.name).absolute(sum(&|c| c.driver.rearms));
        counter!(names::RING_NO_BUFFERS.name).absolute(sum(&|c| c.driver.no_buffers));
        counter!(names::RING_CQ_OVERFLOW.name).absolute(sum(&|c| c.driver.cq_overflow));
        counter!(names::RECEIVE_ERRORS.name).absolute(sum(&|c| c.driver.receive_errors));
        counter!(names::ICMP_ERRORS.name).absolute(sum(&|c| c.driver.peer_errors));
        gauge!(names::RING_BUFFERS_FREE.name).set(sum(&|c| c.driver.buffers_free) as f64);
    }

    fn set_admission(&self, unproved_bytes: u64) {
        let admission = &self.sources.shared.admission;
        let standing = admission.standing();
        let guarded = f64::from(u8::from(standing.stance == Stance::Guarded));
        gauge!(names::ADMISSION_GUARDED.name).set(guarded);
        gauge!(names::UNPROVED_MEMBERS.name).set(admission.unproved());
        gauge!(names::SILENT_UNPROVED_MEMBERS.name).set(admission.silent());
        gauge!(names::UNPROVED_EGRESS_LIMIT.name).set(admission.egress_limit() as f64);
        counter!(names::UNPROVED_EGRESS.name).absolute(unproved_bytes);
        counter!(names::ADMISSION_CHANGES.name, "to" => "guarded").absolute(standing.alarms);
        counter!(names::ADMISSION_CHANGES.name, "to" => "peace").absolute(standing.relaxations);
    }

    /// What the kernel says about the sockets now.
    fn set_sockets(&self) {
        // The thread of the connections has no receive buffers of its own.
        let shards = self.sources.meters.len() - usize::from(self.sources.has_tcp);
        for (shard, sockets) in self.sources.sockets.read().into_iter().take(shards).enumerate() {
            let shard = shard.to_string();
            counter!(names::KERNEL_DROPPED.name, "shard" => shard.clone()).absolute(sockets.dropped);
            counter!(names::SIFTED.name, "shard" => shard.clone()).absolute(sockets.sifted);
            gauge!(names::RECEIVE_QUEUE.name, "shard" => shard.clone()).set(sockets.queue as f64);
            let buffer = |direction| gauge!(names::SOCKET_BUFFER.name, "shard" => shard.clone(), "direction" => direction);
            buffer("receive").set(sockets.receive_buffer as f64);
            buffer("send").set(sockets.send_buffer as f64);
        }
    }
}

/// Of the thread of the connections alone.
fn set_streams(counters: &Counters) {
    let figures = &counters.streams;
    gauge!(names::TCP_CONNECTIONS.name).set(figures.open as f64);
    gauge!(names::TCP_QUEUED.name).set(figures.queued_bytes as f64);
    counter!(names::TCP_ACCEPTED.name).absolute(figures.accepted);
    for (why, count) in NoRoom::ALL.iter().zip(figures.refused) {
        counter!(names::TCP_REFUSED.name, "reason" => why.label()).absolute(count);
    }
    for (why, count) in Ending::ALL.iter().zip(figures.closed) {
        counter!(names::TCP_CLOSED.name, "reason" => why.label()).absolute(count);
    }
    let late =
        vec![Label::from_static_parts("shard", "tcp"), Label::from_static_parts("reason", STREAM_LATE)];
    counter!(names::DROPPED_COPIES.name, late).absolute(counters.late_for_streams());
    for (label, count) in STREAM_LOSSES.iter().zip(counters.lost_by_streams()) {
        counter!(names::DROPPED_COPIES.name, "shard" => "tcp", "reason" => *label).absolute(count);
    }
}

fn set_shard(shard: String, counters: &Counters) {
    let shard = Label::new("shard", shard);
    let one = |metric: Metric| counter!(metric.name, vec![shard.clone()]);
    let reason = |metric: Metric, reason: &'static str| {
        counter!(metric.name, vec![shard.clone(), Label::from_static_parts("reason", reason)])
    };
    gauge!(names::CLIENTS.name, vec![shard.clone()]).set(counters.clients as f64);
    gauge!(names::OVERLOADED.name, vec![shard.clone()]).set(f64::from(u8::from(counters.is_overloaded)));
    gauge!(names::WAITING_COPIES.name, vec![shard.clone()]).set(counters.waiting as f64);
    one(names::RECEIVED_PACKETS).absolute(counters.received.packets);
    one(names::RECEIVED_BYTES).absolute(counters.received.bytes);
    one(names::SENT_PACKETS).absolute(counters.sent.packets);
    one(names::SENT_BYTES).absolute(counters.sent.bytes);
    one(names::REPLIES).absolute(counters.tally.replies);
    for (label, count) in DropReason::LABELS.iter().zip(counters.tally.dropped) {
        reason(names::DROPPED_PACKETS, label).absolute(count);
    }
    for (label, count) in FAILURES.iter().zip(counters.failed) {
        reason(names::DROPPED_COPIES, label).absolute(count);
    }
    reason(names::DROPPED_COPIES, "backlog").absolute(counters.overflowed);
    for (label, count) in CopyDrop::LABELS.iter().zip(counters.unproved) {
        reason(names::DROPPED_COPIES, label).absolute(count);
    }
}

fn append_histograms(out: &mut String, shards: &[Counters]) {
    fn sum<const N: usize>(shards: &[Counters], of: impl Fn(&Counters) -> &Histogram<N>) -> Histogram<N> {
        let mut total = Histogram::default();
        shards.iter().for_each(|counters| total.add(of(counters)));
        total
    }
    text::append_histogram(out, names::FANOUT, &sum(shards, |c| &c.tally.fanout), 0, 1.0);
    text::append_histogram(out, names::BATCH, &sum(shards, |c| &c.batches), 0, 1.0);
    text::append_histogram(out, names::SEGMENTS, &sum(shards, |c| &c.segments), 0, 1.0);
    // From 1 us on: 2^10 ns.
    text::append_histogram(out, names::TURN, &sum(shards, |c| &c.turns), 10, 1e-9);
    text::append_histogram(out, names::LATENCY, &sum(shards, |c| &c.latency), 10, 1e-9);
}

fn append_seconds(out: &mut String, sources: &Sources, shards: &[Counters]) {
    let busy = |(shard, counters): (usize, &Counters)| {
        (format!("shard=\"{}\"", sources.name_of(shard)), counters.busy as f64 / 1e9)
    };
    expose::text::append_values(out, names::BUSY, shards.iter().enumerate().map(busy));
}
