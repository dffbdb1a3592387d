//! What becomes of a shard that is asked for four times what it can do, and of the neighbours of a group that is.

mod ears;

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::ensure;

use super::Bench;
use super::metrics::Metrics;
use super::namespace::{self, FIRST, RELAY};
use super::process::{Process, threads};
use super::relay::{BACKENDS, Relay};
use super::rounds::{Rounds, in_turn};
use super::table::{Outcome, Table};
use ears::{Ears, Heard};

const NAME: &str = "relay: overload";

/// Groups, and the members of each, whose copies a device swallows.
const SIZES: [(u32, u32); 2] = [(10, 100), (100, 10)];

/// What the peak is looked for at, as parts of a first guess, which is what an overloaded shard forwards.
const AROUND: [f64; 4] = [0.8, 1.0, 1.25, 1.6];
/// Payloads per second of that overload.
const FIRST_GUESS: f64 = 100_000.0;
const OVERLOAD: f64 = 4.0;
/// What the others ask for beside a hot group, which asks for ten times its share: of their own.
const QUIET: f64 = 0.5;

/// The first address of the members of a second injector.
const OTHERS: &str = "10.9.128.1";

/// What goes on after an overload, as a part of the peak.
const BASE: f64 = 0.5;

const PATIENCE: Duration = Duration::from_secs(20);
const WARM_UP: Duration = Duration::from_millis(1000);
/// How long a recovery is waited for, and between two looks: the relay's own figures are up to 50 ms old.
const RECOVERY: Duration = Duration::from_secs(3);
const LOOK: Duration = Duration::from_millis(10);

const SENT: &str = "relay_sent_packets_total";
const DROPS: [&str; 3] =
    ["relay_dropped_copies_total", "relay_kernel_receive_dropped_total", "relay_sifted_packets_total"];

/// What one round says of one backend and one size.
struct Seen {
    /// Copies per second.
    peak: f64,
    /// The same at [`OVERLOAD`], as a part of the peak.
    goodput: f64,
    /// The same for each second of the shard's processor time.
    paid: f64,
    /// Share of its core that the shard had meanwhile.
    share: f64,
    unanswered: u64,
    pings: u64,
    /// Milliseconds.
    p50: f64,
    p99: f64,
    sifted: f64,
    full: f64,
    /// Of the others' payloads, beside a hot group.
    harm: f64,
    quiet_p99: f64,
    /// Milliseconds from the end of the overload to the last drop, and to the end of the state.
    last_drop: f64,
    recovered: f64,
}

/// Measures in a network of its own.
pub fn measure(bench: &Bench) -> anyhow::Result<Outcome> {
    let wanted = stages(bench).count();
    ensure!(
        !bench.write || wanted == 0 || wanted == SIZES.len() * BACKENDS.len(),
        "--write wants the whole table"
    );
    if wanted == 0 {
        return Ok(Outcome::Unwanted);
    }
    match namespace::within(|| run(bench)) {
        None => Ok(Outcome::Skipped(format!("{NAME}: skipped; a network namespace needs root"))),
        Some(table) => Ok(Outcome::Measured(table?)),
    }
}

/// Those that are wanted.
fn stages(bench: &Bench) -> impl Iterator<Item = Stage<'_>> {
    let config = bench.binaries.folder.join("overload.toml");
    let all = SIZES.into_iter().flat_map(move |size| {
        let config = config.clone();
        BACKENDS.map(move |backend| Stage { bench, backend, size, config: config.clone() })
    });
    all.filter(|stage| bench.wants(&format!("{NAME}, {}, {}", stage.groups(), stage.backend)))
}

fn run(bench: &Bench) -> anyhow::Result<Table> {
    let config = bench.binaries.folder.join("overload.toml");
    let groups = (0..SIZES[1].0).map(|number| format!("[groups.G{number}]\n")).collect::<String>();
    fs::write(&config, groups + "[groups.HOT0]\n")?;
    let subjects: Vec<_> = stages(bench).collect();
    let all = in_turn(bench, NAME, &subjects, Stage::round);
    Ok(Table {
        title: "Overload",
        method: format!(
            "Groups whose members, but for one in each, are behind a device that swallows every copy (in a network \
             namespace), so that receivers cost nothing; `crates/net/examples/inject.rs` sends payloads of 512 to 575 bytes, \
             each longer than the last, so that hardly any two share a send, from every member in turn. Peak: the most copies a second of runs at {} times what an overloaded shard \
             forwards. Goodput at {OVERLOAD} times that, as a part of it, from {} s after the overload began. Delay: from \
             a payload's leaving the injector to its arrival at the listening members, by the kernel's clock; they also send a \
             heartbeat every 20 ms each. Hot: one group alone asks for as much as the shard can do, ten times \
             its share if there were ten; the others together ask for {QUIET} of the rest of the shares; what they miss. \
             Recovery: from the end of an overload of {OVERLOAD} times beside a load of half the peak to the last drop, and to \
             the shard's own word that it is over. {} rounds of {} s: median (least..most). One shard on one core, injectors and \
             listeners on the other.",
            AROUND.map(|part: f64| part.to_string()).join(", "),
            WARM_UP.as_secs_f64(),
            bench.rounds,
            bench.duration.as_secs_f64()
        ),
        head: vec![
            "Groups",
            "Backend",
            "Peak, thousand/s",
            "Goodput at 4 times",
            "Goal",
            "Share of its core",
            "Heartbeats without an answer",
            "Delay p50, ms",
            "p99",
            "Goal",
            "Shed by the filter, thousand/s",
            "By a full queue, thousand/s",
            "Others' loss beside a hot group, %",
            "Goal",
            "Their delay p99, ms",
            "Last drop after, ms",
            "Over after, ms",
            "Goal",
            "",
        ],
        rows: subjects.iter().zip(&all).map(|(stage, rounds)| row(stage, rounds)).collect(),
        notes: Vec::new(),
    })
}

fn row(stage: &Stage, rounds: &Rounds<Seen>) -> Vec<String> {
    let unanswered: u64 = rounds.seen.iter().map(|seen| seen.unanswered).sum();
    let pings: u64 = rounds.seen.iter().map(|seen| seen.pings).sum();
    vec![
        stage.groups(),
        stage.backend.to_owned(),
        rounds.cell(0, |seen| seen.peak / 1e3),
        rounds.cell(2, |seen| seen.goodput),
        "0.90".to_owned(),
        rounds.cell(2, |seen| seen.share),
        format!("{unanswered} of {pings}"),
        rounds.cell(1, |seen| seen.p50),
        rounds.cell(1, |seen| seen.p99),
        "20".to_owned(),
        rounds.cell(1, |seen| seen.sifted / 1e3),
        rounds.cell(1, |seen| seen.full / 1e3),
        rounds.cell(3, |seen| 100.0 * seen.harm),
        "0.1".to_owned(),
        rounds.cell(1, |seen| seen.quiet_p99),
        rounds.cell(0, |seen| seen.last_drop),
        rounds.cell(0, |seen| seen.recovered),
        "1000".to_owned(),
        rounds.remarks([]),
    ]
}

/// A relay of one backend and its groups.
struct Stage<'a> {
    bench: &'a Bench,
    backend: &'static str,
    size: (u32, u32),
    config: PathBuf,
}

/// What a load did.
struct Load {
    /// Copies per second.
    rate: f64,
    share: f64,
    sifted: f64,
    full: f64,
    heard: Heard,
}

impl Stage<'_> {
    fn groups(&self) -> String {
        format!("{} of {}", self.size.0, self.size.1)
    }

    fn round(&self) -> anyhow::Result<Seen> {
        let copies = f64::from(self.size.1);
        let guess = self.load(FIRST_GUESS)?.rate / copies;
        let loads = AROUND.map(|part| self.load(part * guess));
        let (mut peak, mut paid): (f64, f64) = (0.0, 0.0);
        for load in loads {
            let load = load?;
            peak = peak.max(load.rate);
            paid = paid.max(load.rate / load.share);
        }
        let capacity = peak / copies;
        let over = self.load(OVERLOAD * capacity)?;
        let quiet = self.beside_a_hot_group(capacity)?;
        let (last_drop, recovered) = self.recovery(capacity)?;
        let seen = Seen {
            peak,
            goodput: over.rate / peak,
            paid: over.rate / over.share / paid,
            share: over.share,
            unanswered: over.heard.pings - over.heard.pongs,
            pings: over.heard.pings,
            p50: over.heard.latency.value_at_quantile(0.5) as f64 / 1e6,
            p99: over.heard.latency.value_at_quantile(0.99) as f64 / 1e6,
            sifted: over.sifted,
            full: over.full,
            harm: 1.0 - quiet.payloads as f64 / quiet.expected.max(1) as f64,
            quiet_p99: quiet.latency.value_at_quantile(0.99) as f64 / 1e6,
            last_drop,
            recovered,
        };
        eprintln!(
            "  {}, {:?}: peak {peak:.0}, at 4 times {:.2} (paid {:.2}) with {:.2} of the core, {} heartbeats lost, p50 {:.1} p99 {:.1} ms, sifted {:.0}/s, full {:.0}/s; hot: {:.5} of {}, p99 {:.1}; recovery {last_drop:.0}, {recovered:.0}",
            self.backend,
            self.size,
            seen.goodput,
            seen.paid,
            seen.share,
            seen.unanswered,
            seen.p50,
            seen.p99,
            seen.sifted,
            seen.full,
            seen.harm,
            quiet.expected,
            seen.quiet_p99
        );
        Ok(seen)
    }

    fn relay(&self) -> anyhow::Result<Relay> {
        let flags = [
            format!("--host={RELAY}"),
            "--shards=1".to_owned(),
            format!("--config={}", self.config.display()),
            "--admission=open".to_owned(),
        ];
        Relay::start_on(self.bench, &self.bench.host.relay_cpu.to_string(), self.backend, flags)
    }

    /// So many payloads a second, spread over groups whose ids begin so.
    fn inject(
        &self,
        relay: &Relay,
        (first, prefix, groups): (&str, &str, u32),
        rate: f64,
    ) -> anyhow::Result<Process> {
        let seconds = (PATIENCE + WARM_UP + self.bench.duration + RECOVERY).as_secs();
        let load = format!(
            "--target {} --group {prefix} --groups {groups} --members {} --first {first} --foreign --stamp --sizes 64 --rate {} --seconds {seconds}",
            relay.address,
            groups * self.size.1,
            rate.max(1.0) as u32
        );
        let before = Metrics::read(&relay.metrics)?.sum("relay_members");
        let process = Process::start(
            self.bench.host.generator_cpu,
            &self.bench.binaries.inject,
            load.split(' ').map(str::to_owned),
        )?;
        let all = before + f64::from(groups * self.size.1);
        Metrics::wait(&relay.metrics, PATIENCE, |metrics| metrics.sum("relay_members") >= all)?;
        Ok(process)
    }

    /// A load on all groups.
    fn load(&self, rate: f64) -> anyhow::Result<Load> {
        let relay = self.relay()?;
        let place = (relay.address.as_str(), self.bench.host.generator_cpu);
        let _injector = self.inject(&relay, (FIRST, "G", self.size.0), rate)?;
        thread::sleep(WARM_UP);
        let look = || -> anyhow::Result<_> {
            let ran =
                threads(relay.process.id()).iter().find(|thread| thread.name == "shard-0").map(|t| t.ran);
            Ok((Instant::now(), Metrics::read(&relay.metrics)?, ran.unwrap_or_default()))
        };
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            let ears = Ears::open(scope, &stop, place, ("G", self.size.0))?;
            let before = look()?;
            thread::sleep(self.bench.duration);
            let after = look()?;
            let heard = ears.close()?;
            let wall = (after.0 - before.0).as_secs_f64();
            let rate = |name| (after.1.sum(name) - before.1.sum(name)) / wall;
            let share = (after.2 - before.2).as_secs_f64() / wall;
            Ok(Load { rate: rate(SENT), share, sifted: rate(DROPS[2]), full: rate(DROPS[1]), heard })
        })
    }

    /// What the others hear while one group asks for all that the shard can do.
    fn beside_a_hot_group(&self, capacity: f64) -> anyhow::Result<Heard> {
        let relay = self.relay()?;
        let place = (relay.address.as_str(), self.bench.host.generator_cpu);
        let _quiet = self.inject(&relay, (FIRST, "G", self.size.0), QUIET * 0.9 * capacity)?;
        let _hot = self.inject(&relay, (OTHERS, "HOT", 1), capacity)?;
        thread::sleep(WARM_UP);
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            let ears = Ears::open(scope, &stop, place, ("G", self.size.0))?;
            thread::sleep(self.bench.duration);
            ears.close()
        })
    }

    /// Milliseconds from the end of an overload to the last drop, and to the end of the state.
    fn recovery(&self, capacity: f64) -> anyhow::Result<(f64, f64)> {
        let relay = self.relay()?;
        // With the members of both injectors each payload has twice the copies.
        let capacity = capacity / 2.0;
        let _base = self.inject(&relay, (FIRST, "G", self.size.0), BASE * capacity)?;
        let flood = self.inject(&relay, (OTHERS, "G", self.size.0), (OVERLOAD - BASE) * capacity);
        thread::sleep(WARM_UP);
        drop(flood);
        let end = Instant::now();
        let drops = |metrics: &Metrics| DROPS.iter().map(|name| metrics.sum(name)).sum::<f64>();
        let (mut known, mut last, mut over) = (0.0, Duration::ZERO, Duration::ZERO);
        while end.elapsed() < RECOVERY {
            let metrics = Metrics::read(&relay.metrics)?;
            if drops(&metrics) != known {
                (known, last) = (drops(&metrics), end.elapsed());
            }
            if metrics.sum("relay_overloaded") > 0.0 {
                over = end.elapsed();
            }
            thread::sleep(LOOK);
        }
        Ok((last.as_secs_f64() * 1e3, over.as_secs_f64() * 1e3))
    }
}
