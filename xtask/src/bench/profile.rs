//! Where the relay's nanoseconds go: samples of its shard under a steady load, for each datagram and each copy.

mod place;
mod samples;

use std::time::Duration;

use anyhow::{Context, ensure};

use super::fanout::{CASES, Case};
use super::metrics::Metrics;
use super::process::{Thread, threads};
use super::relay::{BACKENDS, Relay};
use super::rounds::{Rounds, in_turn};
use super::table::{Outcome, Table};
use super::{Bench, competitors, generator};
use place::Place;
use samples::Counts;

const NAME: &str = "relay: profile";

/// Until the load is steady: so many copies have gone, or it has taken too long.
const STEADY: f64 = 50_000.0;
const PATIENCE: Duration = Duration::from_secs(20);

/// How much longer the generator runs than the samples are taken.
const MARGIN: f64 = 5.0;

/// Nanoseconds of user space, at depth.
const GOALS: (&str, &str) = ("150", "25");

/// Nanoseconds by kinds of work.
struct Seen {
    counts: Counts,
    /// Processor time for each sample.
    each: f64,
    received: f64,
    sent: f64,
}

/// Measures each case on both backends.
pub fn measure(bench: &Bench) -> anyhow::Result<Outcome> {
    if !bench.wants(NAME) {
        return Ok(Outcome::Unwanted);
    }
    let (Some(perf), Some(_)) = (competitors::version("perf"), competitors::version("addr2line")) else {
        return Ok(Outcome::Skipped(format!("{NAME}: skipped; perf or addr2line (binutils) is missing")));
    };
    let cases = CASES.iter().filter(|case| case.goal.is_some());
    let subjects: Vec<(&Case, &str)> =
        cases.flat_map(|case| BACKENDS.map(|backend| (case, backend))).collect();
    let all = in_turn(bench, NAME, &subjects, |(case, backend)| once(bench, case, backend));
    let rows = subjects.iter().zip(&all).map(|((case, backend), own)| row(case, backend, own)).collect();
    Ok(Outcome::Measured(table(bench, &perf, rows)))
}

fn table(bench: &Bench, perf: &str, rows: Vec<Vec<String>>) -> Table {
    Table {
        title: "Where the nanoseconds go",
        method: format!(
            "`perf record -e cpu-clock -F 4999 -g` (perf {perf}) of the one shard's thread under a steady load, {} \
             rounds of {} s: the thread's processor time in that time, shared out by samples, in ns: median \
             (least..most). User space, by the source file of the innermost function of the project (inlined ones \
             included): *engine* is `wire` and `engine`, *receiving* the driver's receive side, *rest* the loop, the \
             clock, the counters, what of the driver serves both ways and library code that was not inlined, and these \
             three are told for each datagram received; *planning* is the relay's fan-out, *sending* the driver's \
             queues, both for each copy sent. The kernel's time below a send (with the delivery to the receiver's \
             socket, which is done there) for each copy, below a receive and all else for each datagram. Sampling \
             itself costs a few percent.",
            bench.rounds,
            bench.duration.as_secs_f64()
        ),
        head: vec![
            "Case",
            "Backend",
            "Engine",
            "Receiving",
            "Rest",
            "User space for each datagram",
            "Goal",
            "Planning",
            "Sending",
            "User space for each copy",
            "Goal",
            "Kernel: send, each copy",
            "Receive, each datagram",
            "Rest, each datagram",
            "Copies for each datagram",
            "",
        ],
        rows,
        notes: Vec::new(),
    }
}

fn row(case: &Case, backend: &str, own: &Rounds<Seen>) -> Vec<String> {
    use Place::{Engine, KernelReceive, KernelRest, KernelSend, Planning, Receiving, Rest, Sending};
    let received = |places: &[Place]| own.cell(0, |seen| seen.nanos(places) / seen.received);
    let sent = |places: &[Place]| own.cell(1, |seen| seen.nanos(places) / seen.sent);
    let goals = if case.in_flight > 1 { GOALS } else { ("", "") };
    vec![
        case.name().trim_start_matches("relay: ").to_owned(),
        backend.to_owned(),
        received(&[Engine]),
        received(&[Receiving]),
        received(&[Rest]),
        received(&[Engine, Receiving, Rest]),
        goals.0.to_owned(),
        sent(&[Planning]),
        sent(&[Sending]),
        sent(&[Planning, Sending]),
        goals.1.to_owned(),
        sent(&[KernelSend]),
        received(&[KernelReceive]),
        received(&[KernelRest]),
        own.cell(1, |seen| seen.sent / seen.received),
        own.remarks([]),
    ]
}

impl Seen {
    /// Nanoseconds at these kinds of work.
    fn nanos(&self, places: &[Place]) -> f64 {
        let count: u32 = places.iter().filter_map(|place| self.counts.get(place)).sum();
        f64::from(count) * self.each
    }
}

fn once(bench: &Bench, case: &Case, backend: &str) -> anyhow::Result<Seen> {
    let relay = Relay::start(bench, backend, case.relay)?;
    let seconds = bench.duration.as_secs_f64() + MARGIN;
    let load = format!("--duration {seconds}s {} {}", case.flags(), bench.loadgen.join(" "));
    let _generator = generator::start(bench, &relay.target(), &load)?;
    let sent = |metrics: &Metrics| metrics.sum("relay_sent_packets_total");
    let before = Metrics::wait(&relay.metrics, PATIENCE, |metrics| sent(metrics) > STEADY)?;
    let began = shard(&relay)?;
    samples::record(bench, began.id)?;
    let (after, ended) = (Metrics::read(&relay.metrics)?, shard(&relay)?);
    let counts = samples::counts(bench, relay.process.id())?;
    let all: u32 = counts.values().sum();
    ensure!(all > 0, "perf took no samples");
    let received = |metrics: &Metrics| metrics.sum("relay_received_packets_total");
    let seen = Seen {
        counts,
        each: (ended.ran - began.ran).as_nanos() as f64 / f64::from(all),
        received: received(&after) - received(&before),
        sent: sent(&after) - sent(&before),
    };
    eprintln!("  {}, {backend}: {:?}", case.name(), seen.counts);
    Ok(seen)
}

fn shard(relay: &Relay) -> anyhow::Result<Thread> {
    let mut threads = threads(relay.process.id()).into_iter();
    threads.find(|thread| thread.name == "shard-0").context("the relay has no thread named shard-0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_is_shared_out_by_samples() {
        let counts = Counts::from([(Place::Planning, 30), (Place::Sending, 10), (Place::KernelSend, 60)]);
        let seen = Seen { counts, each: 200.0, received: 10.0, sent: 1000.0 };
        assert_eq!(seen.nanos(&[Place::Planning, Place::Sending]) / seen.sent, 8.0);
        assert_eq!(seen.nanos(&[Place::Engine]), 0.0);
    }
}
