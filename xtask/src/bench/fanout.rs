//! The relay against the ceiling of its core: who delivers more for a second of processor time.

mod cases;

use std::time::Duration;

use anyhow::ensure;

use super::Bench;
use super::ceiling::Ceiling;
use super::generator;
use super::process::waited;
use super::relay::{BACKENDS, Relay};
use super::stats::Spread;
use super::table::{Outcome, Table};
pub use cases::{CASES, Case};

/// Traffic before each measurement, so that rosters and queues are warm.
const WARM_UP: Duration = Duration::from_millis(300);

/// Below this share of its core the relay waited for the generator.
const SATURATED: f64 = 0.95;

/// Above this share of its time one of them waited for its core: something else ran there.
const STARVED: f64 = 0.02;

/// Above this part of the copies a loss is worth a word.
const LOSS: f64 = 0.001;

/// What one round says of one backend.
struct Seen {
    deliveries: f64,
    ratio: f64,
    share: f64,
    starved: f64,
    lost: f64,
}

/// Runs the cases that are wanted.
pub fn measure(bench: &Bench) -> anyhow::Result<Outcome> {
    let cases: Vec<&Case> = CASES.iter().filter(|case| bench.wants(&case.name())).collect();
    // One table, one machine, one commit: rows of different days must not stand side by side.
    ensure!(
        !bench.write || cases.is_empty() || cases.len() == CASES.len(),
        "--write with {} of {} cases of a table would lose the others: leave --write out, or say --only \"relay: \"",
        cases.len(),
        CASES.len()
    );
    if cases.is_empty() {
        return Ok(Outcome::Unwanted);
    }
    Ok(Outcome::Measured(table(bench, cases.into_iter().flat_map(|case| run(bench, case)).collect())))
}

fn table(bench: &Bench, rows: Vec<Vec<String>>) -> Table {
    let (rounds, seconds) = (bench.rounds, bench.duration.as_secs_f64());
    let more = if bench.loadgen.is_empty() {
        String::new()
    } else {
        format!(" The generator had `{}`.", bench.loadgen.join(" "))
    };
    Table {
        title: "The relay against the ceiling of its core",
        method: format!(
            "Ratio: the relay's deliveries per second of its processor time over what plain `sendmmsg` (K=1) to as \
             many plain receivers reached in the same round (`cargo run --release -p net --example ceiling`). One \
             shard on one core, the generator on another, {rounds} rounds of {seconds} s: median (least..most). Mixed \
             sizes are 64, 512 and 1200 bytes in 7, 4 and 1 of 12 payloads, their ceiling has the mean.{more}"
        ),
        head: vec![
            "Case",
            "Backend",
            "Ratio",
            "Goal",
            "Relay, thousand/s",
            "Ceiling, thousand/s",
            "Share of its core",
            "",
        ],
        rows,
        notes: Vec::new(),
    }
}

/// Two rows: one for each backend.
fn run(bench: &Bench, case: &Case) -> Vec<Vec<String>> {
    let mut ceilings = Vec::new();
    let mut disturbed = 0;
    let mut seen = BACKENDS.map(|_| Vec::new());
    let mut errors = BACKENDS.map(|_| None);
    for round in 1..=bench.rounds {
        eprintln!("{}: round {round} of {}", case.name(), bench.rounds);
        let ceiling = match Ceiling::measure(bench, case.payload.mean(), case.clients) {
            Ok(ceiling) => ceiling,
            Err(error) => {
                errors = BACKENDS.map(|_| Some(format!("{error:#}")));
                continue;
            }
        };
        disturbed += u32::from(ceiling.is_disturbed());
        ceilings.push(ceiling.deliveries_per_cpu_second);
        for (at, backend) in BACKENDS.into_iter().enumerate() {
            match once(bench, case, backend, ceiling.deliveries_per_cpu_second) {
                Ok(round) => seen[at].push(round),
                Err(error) => errors[at] = Some(format!("{error:#}")),
            }
        }
    }
    let rows = BACKENDS.into_iter().zip(seen).zip(errors);
    rows.map(|((backend, seen), error)| row(case, backend, &seen, &ceilings, disturbed, error)).collect()
}

fn once(bench: &Bench, case: &Case, backend: &str, ceiling: f64) -> anyhow::Result<Seen> {
    let relay = Relay::start(bench, backend, case.relay)?;
    let (seconds, warm_up) = (bench.duration.as_secs_f64(), WARM_UP.as_millis());
    let flags =
        format!("--warm-up {warm_up}ms --duration {seconds}s {} {}", case.flags(), bench.loadgen.join(" "));
    let (mut starved, id) = (0.0, relay.process.id());
    let (report, _) =
        generator::run(bench, &relay.target(), &flags, |_| starved = waited(id).unwrap_or(starved))?;
    let view = report.relay()?;
    let deliveries = view.sent_packets as f64 * report.arrived() / view.cpu.as_secs_f64();
    // The two readings of the relay's clock enclose the warm-up, and a wait in which it has nothing to do.
    let traffic = report.details.outcome.duration + WARM_UP;
    let seen = Seen {
        deliveries,
        ratio: deliveries / ceiling,
        share: view.cpu.as_secs_f64() / traffic.as_secs_f64(),
        starved: report.starved().max(starved),
        lost: 1.0 - report.arrived(),
    };
    eprintln!(
        "  {backend}: {:.2}, relay {:.0} k/s, ceiling {:.0} k/s, share {:.2}, starved {:.2}, {}",
        seen.ratio,
        deliveries / 1e3,
        ceiling / 1e3,
        seen.share,
        seen.starved,
        report.reasons.join("; ")
    );
    Ok(seen)
}

fn row(
    case: &Case,
    backend: &str,
    seen: &[Seen],
    ceilings: &[f64],
    disturbed: u32,
    error: Option<String>,
) -> Vec<String> {
    let spread = |figure: fn(&Seen) -> f64| Spread::of(&seen.iter().map(figure).collect::<Vec<_>>());
    let worst = |figure: fn(&Seen) -> f64| seen.iter().map(figure).fold(0.0, f64::max);
    let share = spread(|seen| seen.share);
    let mut remarks = Vec::new();
    // One payload after the other keeps no core busy, and needs not: nothing else is in flight.
    if !case.is_ping_pong() && share.is_some_and(|share| share.median < SATURATED) {
        remarks.push("the generator was the limit".to_owned());
    }
    if worst(|seen| seen.starved) > STARVED || disturbed > 0 {
        remarks.push("disturbed: something else ran".to_owned());
    }
    if worst(|seen| seen.lost) > LOSS {
        remarks.push(format!("up to {:.1} % of the copies lost", 100.0 * worst(|seen| seen.lost)));
    }
    remarks.extend(error.map(|error| format!("failed: {error}")));
    let shown = |spread: Option<Spread>, show: fn(Spread) -> String| spread.map_or("-".to_owned(), show);
    vec![
        case.name().trim_start_matches("relay: ").to_owned(),
        backend.to_owned(),
        shown(spread(|seen| seen.ratio), |spread| spread.show(2)),
        case.goal.unwrap_or("-").to_owned(),
        shown(spread(|seen| seen.deliveries), Spread::thousands),
        shown(Spread::of(ceilings), Spread::thousands),
        shown(share, |spread| format!("{:.2}", spread.median)),
        remarks.join("; "),
    ]
}
