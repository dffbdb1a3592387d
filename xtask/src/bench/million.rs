//! A million clients that only keep their heartbeat: how soon they have joined, what they cost, what is lost.

use std::time::Duration;

use anyhow::Context;

use super::process::memory;
use super::relay::Relay;
use super::report::Report;
use super::table::{Outcome, Table};
use super::{Bench, generator};

const NAME: &str = "generator: memory and the million";

/// The many, and the few that show what the programs need by themselves.
const CLIENTS: [u32; 2] = [1_000, 1_000_000];

/// One run.
struct Seen {
    report: Report,
    /// Seconds until everybody had joined.
    joined: f64,
    /// Bytes of memory, at most.
    generator: u64,
    relay: u64,
}

/// Measures both.
pub fn measure(bench: &Bench) -> anyhow::Result<Outcome> {
    if !bench.wants(NAME) {
        return Ok(Outcome::Unwanted);
    }
    let [few, many] = CLIENTS;
    let base = once(bench, &format!("--clients {few} --groups 10 --ramp 1s --duration 1s"))?;
    // Long enough for the goal, however short the other measurements are.
    let hold = bench.duration.max(Duration::from_secs(120)).as_secs();
    let seen = once(bench, &format!("--clients {many} --groups 10000 --ramp 45s --duration {hold}s"))?;
    let per_client = |much: u64, little: u64| much.saturating_sub(little) as f64 / f64::from(many - few);
    let rows = [
        ("seconds until all had joined", format!("{:.1}", seen.joined), "60"),
        ("members at the end", seen.report.details.outcome.members.to_string(), "1000000"),
        ("PINGs", seen.report.pongs.sent.to_string(), ""),
        ("lost PONGs", seen.report.pongs.lost.to_string(), "0"),
        (
            "loadgen, bytes for each client",
            format!("{:.0}", per_client(seen.generator, base.generator)),
            "300",
        ),
        ("relay, MiB in all", format!("{:.0}", seen.relay as f64 / f64::from(1 << 20)), ""),
        ("relay, bytes for each client", format!("{:.0}", per_client(seen.relay, base.relay)), "200"),
    ];
    let notes = [format!("The generator's verdict: {}", seen.report.verdict)];
    Ok(Outcome::Measured(Table {
        title: "A million clients",
        method: format!(
            "1,000,000 clients in 10,000 groups join within 45 s and keep a heartbeat of 30 s for {hold} s; one core for \
             the relay, one for the generator. Memory: the most that was resident, less that with {few} clients."
        ),
        head: vec!["", "Seen", "Goal"],
        rows: rows
            .into_iter()
            .map(|(what, seen, goal)| vec![what.to_owned(), seen, goal.to_owned()])
            .collect(),
        notes: notes.into_iter().chain(seen.report.reasons).collect(),
    }))
}

fn once(bench: &Bench, flags: &str) -> anyhow::Result<Seen> {
    eprintln!("{NAME}: {flags}");
    let relay = Relay::start(bench, "uring", &["--heartbeat=30"])?;
    let (mut generator, mut own) = (0, 0);
    let relay_id = relay.process.id();
    let load = format!("--profile heartbeat {flags}");
    let (report, ended) = generator::run(bench, &relay.target(), &load, |id| {
        generator = memory(id, "VmHWM").unwrap_or(generator);
        own = memory(relay_id, "VmHWM").unwrap_or(own);
    })?;
    let joined = joined(&ended.out)
        .with_context(|| format!("loadgen does not say when all had joined:\n{}", ended.out))?;
    Ok(Seen { report, joined, generator, relay: own })
}

/// From the line of the first moment after joining: `  5.0 s  ready      100,000 of ...`.
fn joined(out: &str) -> Option<f64> {
    let mut words = out.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    words.find_map(|words| match words[..] {
        [seconds, "s", "ready" | "measuring", ..] => seconds.parse().ok(),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_that_says_ready() {
        let out = "127.0.0.1:5998: 100 clients\n  0.3 s  joining  3 of 100\n  5.0 s  ready  100 of 100\n 6.1 s  measuring 1\n";
        assert_eq!(joined(out), Some(5.0));
        assert_eq!(joined("  0.3 s  joining    3,999\n"), None);
    }
}
