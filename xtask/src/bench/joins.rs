//! How long a client waits for its JOIN and its LEAVE, in a large group and in a small one.

mod client;

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use anyhow::{Context, anyhow};
use hdrhistogram::Histogram;

use super::Bench;
use super::metrics::Metrics;
use super::process::Process;
use super::relay::{BACKENDS, Relay};
use super::rounds::{Rounds, in_turn};
use super::table::{Outcome, Table};
use client::Times;

const NAME: &str = "relay: joins";

/// A group that is there from the start.
struct Group {
    id: &'static str,
    /// Without the client who comes and goes.
    members: u32,
    /// The first member's address.
    first: &'static str,
}

const LARGE: Group = Group { id: "LARGE", members: 10_000, first: "127.65.0.1" };
const SMALL: Group = Group { id: "SMALL", members: 9, first: "127.66.0.1" };

/// Payloads per second in each group.
const RATE: u32 = 10;

/// Until everybody has joined.
const PATIENCE: Duration = Duration::from_secs(20);

/// Times a small group's, at most.
const GOAL: &str = "2";

/// Measures each backend with both groups, and with the small one alone.
pub fn measure(bench: &Bench) -> anyhow::Result<Outcome> {
    if !bench.wants(NAME) {
        return Ok(Outcome::Unwanted);
    }
    let config = bench.binaries.folder.join("joins.toml");
    fs::write(&config, format!("[groups.{}]\n[groups.{}]\n", LARGE.id, SMALL.id))?;
    let (both, alone) = ([SMALL, LARGE], [SMALL]);
    let settings = [&both[..], &alone[..]];
    let subjects: Vec<(&str, &[Group])> =
        BACKENDS.into_iter().flat_map(|name| settings.map(|groups| (name, groups))).collect();
    let all = in_turn(bench, NAME, &subjects, |(backend, groups)| once(bench, &config, backend, groups));
    let mut rows = Vec::new();
    for (backend, pair) in BACKENDS.iter().zip(all.chunks(2)) {
        rows.extend(rows_of(backend, &pair[0], &pair[1])?);
    }
    Ok(Outcome::Measured(Table {
        title: "Joining a large group",
        method: format!(
            "One client joins and leaves a group of 10 and one of 10,000 in turn, each request {} us after the last \
             answer; {RATE} payloads a second go through each group meanwhile (`crates/net/examples/inject.rs`), so \
             that requests also meet the relay while it forwards to 10,000. Microseconds from a request to its answer, \
             percentiles of all of {} rounds of {} s. The goal concerns the large group over the small one on the same \
             relay at the same time; *alone* is the small group on a relay without the large one. The relay has one \
             core, client and members the other.",
            client::PAUSE.as_micros(),
            bench.rounds,
            bench.duration.as_secs_f64()
        ),
        head: vec![
            "Request",
            "Backend",
            "10,000: p50",
            "p99",
            "10 beside them: p50",
            "p99",
            "Ratio of p50",
            "Of p99",
            "Goal",
            "10 alone: p50",
            "p99",
            "Requests",
            "",
        ],
        rows,
        notes: Vec::new(),
    }))
}

/// Times of groups, in the order of the groups.
type Seen = Vec<Times>;

fn rows_of(backend: &str, both: &Rounds<Seen>, alone: &Rounds<Seen>) -> anyhow::Result<[Vec<String>; 2]> {
    let (small, large, alone_small) = (merged(both, 0)?, merged(both, 1)?, merged(alone, 0)?);
    let lost = small.lost + large.lost + alone_small.lost;
    let remarks = alone.error.iter().map(|error| format!("alone: failed: {error}"));
    let remarks =
        both.remarks(remarks.chain((lost > 0).then(|| format!("{lost} requests without an answer"))));
    let row = |request: &str, times: fn(&Times) -> &Histogram<u64>| {
        let at = |from: &Times, part: f64| times(from).value_at_quantile(part) as f64 / 1e3;
        let micros = |value: f64| format!("{value:.1}");
        let ratio = |part: f64| format!("{:.2}", at(&large, part) / at(&small, part));
        vec![
            request.to_owned(),
            backend.to_owned(),
            micros(at(&large, 0.5)),
            micros(at(&large, 0.99)),
            micros(at(&small, 0.5)),
            micros(at(&small, 0.99)),
            ratio(0.5),
            ratio(0.99),
            GOAL.to_owned(),
            micros(at(&alone_small, 0.5)),
            micros(at(&alone_small, 0.99)),
            times(&large).len().to_string(),
            remarks.clone(),
        ]
    };
    Ok([row("JOIN", |times| &times.joins), row("LEAVE", |times| &times.leaves)])
}

fn merged(rounds: &Rounds<Seen>, group: usize) -> anyhow::Result<Times> {
    let mut all = Times::new()?;
    rounds.seen.iter().filter_map(|seen| seen.get(group)).try_for_each(|times| all.add(times))?;
    Ok(all)
}

fn once(bench: &Bench, config: &Path, backend: &str, groups: &[Group]) -> anyhow::Result<Seen> {
    let relay = Relay::start(bench, backend, &[&format!("--config={}", config.display())])?;
    let _members: Vec<Process> =
        groups.iter().map(|group| populate(bench, &relay, group)).collect::<Result<_, _>>()?;
    let expected: u32 = groups.iter().map(|group| group.members).sum();
    Metrics::wait(&relay.metrics, PATIENCE, |metrics| metrics.sum("relay_members") >= f64::from(expected))
        .context("not everybody could join")?;
    let ids: Vec<&str> = groups.iter().map(|group| group.id).collect();
    let client = || client::run(&relay.address, bench.host.generator_cpu, &ids, bench.duration);
    // A thread of its own, because it stays on its core.
    let seen = thread::scope(|scope| scope.spawn(client).join());
    let seen = seen.map_err(|_| anyhow!("the client panicked"))??;
    let median = |times: &Times| times.joins.value_at_quantile(0.5) / 1000;
    eprintln!("  {backend}: median JOIN in us: {:?}", seen.iter().map(median).collect::<Vec<_>>());
    Ok(seen)
}

fn populate(bench: &Bench, relay: &Relay, Group { id, members, first }: &Group) -> anyhow::Result<Process> {
    let seconds = (PATIENCE + bench.duration).as_secs() + 10;
    let load = format!(
        "--target {} --group {id} --members {members} --first {first} --rate {RATE} --payload 64 --seconds {seconds}",
        relay.address
    );
    Process::start(bench.host.generator_cpu, &bench.binaries.inject, load.split(' ').map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_large_group_counts_in_terms_of_the_small_one() {
        let times = |micros: u64| {
            let mut times = Times::new().unwrap();
            times.joins.record_n(micros * 1000, 10).unwrap();
            times.leaves.record_n(micros * 500, 10).unwrap();
            times
        };
        let both = Rounds { seen: vec![vec![times(100), times(150)]], error: None };
        let alone = Rounds { seen: vec![vec![times(50)]], error: None };
        let [join, leave] = rows_of("mmsg", &both, &alone).unwrap();
        assert_eq!(join[..7], ["JOIN", "mmsg", "150.0", "150.0", "100.0", "100.0", "1.50"]);
        assert_eq!(
            (&leave[2], &leave[9], &leave[11]),
            (&"75.0".to_owned(), &"25.0".to_owned(), &"10".to_owned())
        );
    }
}
