//! Whether two shards carry twice what one does, where neither generator nor receivers cost anything.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};

use super::Bench;
use super::metrics::Metrics;
use super::namespace::{self, FIRST, RELAY};
use super::process::{Process, cpu, threads};
use super::relay::{BACKENDS, Relay};
use super::rounds::{Rounds, in_turn};
use super::table::{Outcome, Table};

const NAME: &str = "relay: shards";

/// Of the one group.
const MEMBERS: u32 = 1000;

/// Payloads per second: twice what two shards can forward.
const RATE: u32 = 5_000;

/// Until everybody has joined, and until the queues are full.
const PATIENCE: Duration = Duration::from_secs(20);
const WARM_UP: Duration = Duration::from_millis(500);

/// Two shards' rate over one's.
const GOAL: &str = "1.8";

/// Under this share of its core a shard had to wait.
const SATURATED: f64 = 0.95;

/// What one round says.
struct Seen {
    /// Copies per second of all shards.
    rate: f64,
    shards: Vec<Shard>,
    injector: f64,
}

struct Shard {
    /// Nanoseconds of processor time for each copy.
    cost: f64,
    /// Of a core.
    share: f64,
    members: f64,
    /// What came in and could not go out, on either side.
    dropped: f64,
}

/// What a shard drops when it has more to do than it can.
const DROPS: [&str; 2] = ["relay_kernel_receive_dropped_total", "relay_dropped_copies_total"];

/// Measures in a network of its own.
pub fn measure(bench: &Bench) -> anyhow::Result<Outcome> {
    if !bench.wants(NAME) {
        return Ok(Outcome::Unwanted);
    }
    match namespace::within(|| run(bench)) {
        None => Ok(Outcome::Skipped(format!("{NAME}: skipped; a network namespace needs root"))),
        Some(table) => Ok(Outcome::Measured(table?)),
    }
}

fn run(bench: &Bench) -> anyhow::Result<Table> {
    let config = bench.binaries.folder.join("shards.toml");
    fs::write(&config, "[groups.SINK]\n")?;
    let subjects: Vec<(&str, usize)> = BACKENDS.into_iter().flat_map(|name| [(name, 1), (name, 2)]).collect();
    let all = in_turn(bench, NAME, &subjects, |(backend, shards)| once(bench, &config, backend, *shards));
    let rows = BACKENDS.iter().zip(all.chunks(2)).map(|(backend, pair)| row(backend, &pair[0], &pair[1]));
    Ok(Table {
        title: "Two shards and one",
        method: format!(
            "One group of {MEMBERS} behind a device that swallows every copy (dummy, or ifb where there is none, in a network namespace), \
             so that receivers cost nothing; `crates/net/examples/inject.rs` sends {RATE} payloads a second, more than \
             can be forwarded, from every member in turn. Sizes rise from 512 to 575 bytes and begin anew, so that \
             hardly any two share a send. Copies that the kernel took per second with `--pin` and one shard or two, {} \
             rounds of {} s in turn: median (least..most); the ratio is that of the medians. A core of the shards also \
             carries the injector where there are only two.",
            bench.rounds,
            bench.duration.as_secs_f64()
        ),
        head: vec![
            "Backend",
            "One shard, thousand/s",
            "Two, thousand/s",
            "Ratio",
            "Goal",
            "ns per copy: the one",
            "The first of two",
            "The second",
            "Least share of a core",
            "Members of the first of two",
            "Injector's share of a core",
            "",
        ],
        rows: rows.collect(),
        notes: Vec::new(),
    })
}

fn row(backend: &str, one: &Rounds<Seen>, two: &Rounds<Seen>) -> Vec<String> {
    let rate = |rounds: &Rounds<Seen>| rounds.spread(|seen| seen.rate);
    let ratio = rate(one).zip(rate(two)).map(|(one, two)| two.median / one.median);
    let least = |seen: &Seen| seen.shards.iter().map(|shard| shard.share).fold(1.0, f64::min);
    let waited = [one, two].iter().any(|rounds| rounds.seen.iter().any(|seen| least(seen) < SATURATED));
    let mut remarks: Vec<String> =
        one.error.iter().map(|error| format!("one shard failed: {error}")).collect();
    if waited {
        remarks.push("a shard had less than its core: it waited, or something else ran".to_owned());
    }
    let is_idle = |seen: &Seen| seen.shards.iter().any(|shard| shard.dropped == 0.0);
    if [one, two].iter().any(|rounds| rounds.seen.iter().any(is_idle)) {
        remarks.push("a shard could keep up".to_owned());
    }
    vec![
        backend.to_owned(),
        one.cell(0, |seen| seen.rate / 1e3),
        two.cell(0, |seen| seen.rate / 1e3),
        ratio.map_or("-".to_owned(), |ratio| format!("{ratio:.2}")),
        GOAL.to_owned(),
        one.cell(0, |seen| seen.shards[0].cost),
        two.cell(0, |seen| seen.shards[0].cost),
        two.cell(0, |seen| seen.shards[1].cost),
        two.cell(2, least),
        two.cell(0, |seen| seen.shards[0].members),
        two.cell(3, |seen| seen.injector),
        two.remarks(remarks),
    ]
}

/// A look at everything at once.
struct Look {
    at: Instant,
    metrics: Metrics,
    shards: Vec<Duration>,
    injector: Duration,
}

fn once(bench: &Bench, config: &Path, backend: &str, shards: usize) -> anyhow::Result<Seen> {
    let flags = [
        format!("--host={RELAY}"),
        format!("--shards={shards}"),
        "--pin".to_owned(),
        format!("--config={}", config.display()),
        "--admission=open".to_owned(),
    ];
    let relay = Relay::start_on(bench, &bench.host.cpus, backend, flags)?;
    let seconds = (PATIENCE + WARM_UP + bench.duration).as_secs() + 10;
    let load = format!(
        "--target {} --group SINK --members {MEMBERS} --first {FIRST} --foreign --rate {RATE} --sizes 64 --seconds {seconds}",
        relay.address
    );
    let load = load.split(' ').map(str::to_owned);
    let injector = Process::start(bench.host.generator_cpu, &bench.binaries.inject, load)?;
    Metrics::wait(&relay.metrics, PATIENCE, |metrics| metrics.sum("relay_members") >= f64::from(MEMBERS))
        .with_context(|| injector.err.try_iter().collect::<Vec<_>>().join(" "))?;
    thread::sleep(WARM_UP);
    let before = look(&relay, &injector, shards)?;
    thread::sleep(bench.duration);
    let after = look(&relay, &injector, shards)?;
    let seen = seen(&before, &after);
    eprintln!("  {backend}, {shards}: {:.0} k/s, injector {:.3}", seen.rate / 1e3, seen.injector);
    Ok(seen)
}

fn look(relay: &Relay, injector: &Process, shards: usize) -> anyhow::Result<Look> {
    let metrics = Metrics::read(&relay.metrics)?;
    let own = threads(relay.process.id());
    let of = |shard: usize| {
        let name = format!("shard-{shard}");
        own.iter().find(|thread| thread.name == name).map(|thread| thread.ran)
    };
    let shards: Vec<Duration> = (0..shards).map_while(of).collect();
    ensure!(!shards.is_empty(), "the relay has no threads named shard-N");
    Ok(Look { at: Instant::now(), metrics, shards, injector: cpu(&threads(injector.id())) })
}

fn seen(before: &Look, after: &Look) -> Seen {
    let wall = (after.at - before.at).as_secs_f64();
    let sent = |look: &Look, shard| look.metrics.of_shard("relay_sent_packets_total", shard);
    let shards: Vec<Shard> = (0..after.shards.len())
        .map(|shard| {
            let ran = (after.shards[shard] - before.shards[shard]).as_secs_f64();
            let copies = sent(after, shard) - sent(before, shard);
            let members = after.metrics.of_shard("relay_clients", shard);
            let drops =
                |look: &Look| DROPS.iter().map(|name| look.metrics.of_shard(name, shard)).sum::<f64>();
            Shard {
                cost: 1e9 * ran / copies,
                share: ran / wall,
                members,
                dropped: drops(after) - drops(before),
            }
        })
        .collect();
    let name = "relay_sent_packets_total";
    let rate = (after.metrics.sum(name) - before.metrics.sum(name)) / wall;
    Seen { rate, shards, injector: (after.injector - before.injector).as_secs_f64() / wall }
}
