//! The forwarding delay at parts of a bare loop's capacity, beside that loop's own.

use std::time::Duration;

use anyhow::Context;
use hdrhistogram::Histogram;

use super::Bench;
use super::generator::{self, Target};
use super::process::Process;
use super::relay::{BACKENDS, Relay};
use super::report::Report;
use super::rounds::{Rounds, in_turn};
use super::table::{Outcome, Table};

const NAME: &str = "relay: latency";

/// One group, of whom everybody sends.
const CLIENTS: u32 = 10;

/// Percent of the bare loop's capacity.
const LOADS: [u32; 4] = [5, 20, 50, 80];

/// The load that has a goal, in percent.
const GOAL_AT: u32 = 20;

/// Who forwards.
enum Server {
    Bare,
    Relay(&'static str),
}

/// A round at one load.
struct Seen {
    latency: Histogram<u64>,
    lateness: Histogram<u64>,
    share: f64,
    lost: f64,
}

/// What all rounds say together.
struct Merged {
    latency: Histogram<u64>,
    lateness: Histogram<u64>,
}

/// Measures what each can do, and then all at the same rates.
pub fn measure(bench: &Bench) -> anyhow::Result<Outcome> {
    if !bench.wants(NAME) {
        return Ok(Outcome::Unwanted);
    }
    let servers: Vec<Server> = [Server::Bare].into_iter().chain(BACKENDS.map(Server::Relay)).collect();
    let found = in_turn(bench, &format!("{NAME}: capacity"), &servers, |server| {
        let report = run(bench, server, "--in-flight 64")?;
        Ok(report.received as f64 / f64::from(CLIENTS - 1) / report.details.outcome.duration.as_secs_f64())
    });
    let capacity = found[0].spread(|rate| *rate).with_context(|| found[0].remarks([]))?.median;
    let notes = servers.iter().zip(&found).map(|(server, found)| {
        format!(
            "Capacity of {}: {} payloads/s {}",
            server.name(),
            found.cell(0, |rate| *rate),
            found.remarks([])
        )
    });
    let notes = notes.collect();
    let mut rows = Vec::new();
    for percent in LOADS {
        let rate = capacity * f64::from(percent) / 100.0;
        let all = in_turn(bench, &format!("{NAME}: {percent} %"), &servers, |server| {
            let report = run(bench, server, &format!("--rate {}", rate / f64::from(CLIENTS)))?;
            Ok(Seen {
                latency: report.latency()?,
                lateness: report.lateness()?,
                share: report.busy() / report.details.outcome.duration.as_secs_f64(),
                lost: 1.0 - report.arrived(),
            })
        });
        let bare = merged(&all[0])?;
        for (server, own) in servers.iter().zip(&all) {
            rows.push(row((percent, rate), server, own, &bare)?);
        }
    }
    Ok(Outcome::Measured(table(bench, rows, notes)))
}

fn table(bench: &Bench, rows: Vec<Vec<String>>, notes: Vec<String>) -> Table {
    Table {
        title: "Forwarding delay",
        method: format!(
            "512 B, one group of {CLIENTS}, everybody sends, open loop: microseconds from the intended time of each \
             payload to the arrival of each copy, so with the generator's own pacing error, which is shown beside \
             them; the percentiles are those of the merged histograms of {} rounds of {} s. The bare loop is \
             `crates/net/examples/bare.rs`: a blocking `recvmsg` and a `sendmsg` to each other member through libc, \
             compiled as C would be. Every server has the same rate, a part of the bare loop's capacity (its closed \
             loop with 64 in flight). The servers take turns on one core, the generator has another.",
            bench.rounds,
            bench.duration.as_secs_f64()
        ),
        head: vec![
            "Load, payloads/s",
            "Server",
            "p50",
            "p99",
            "p99.9",
            "max",
            "p50 less the bare loop's",
            "p99 over the bare loop's",
            "Goal",
            "Pacing error p50",
            "p99",
            "Generator's share of its core",
            "",
        ],
        rows,
        notes,
    }
}

fn row(
    (percent, rate): (u32, f64),
    server: &Server,
    own: &Rounds<Seen>,
    bare: &Merged,
) -> anyhow::Result<Vec<String>> {
    let Merged { latency, lateness } = merged(own)?;
    let micros = |nanos: u64| format!("{:.1}", nanos as f64 / 1e3);
    let at = |part: f64| latency.value_at_quantile(part);
    let (p50, p99) = (at(0.5) as f64, at(0.99) as f64);
    let bare_at = |part: f64| bare.latency.value_at_quantile(part) as f64;
    let lost = own.worst(|seen| seen.lost);
    let is_relay = matches!(server, Server::Relay(_));
    let goal = if is_relay && percent == GOAL_AT { "p50 within 15 us, p99 within 2 times" } else { "" };
    let against = |text: String| if is_relay { text } else { String::new() };
    Ok(vec![
        format!("{percent} %: {rate:.0}"),
        server.name(),
        micros(at(0.5)),
        micros(at(0.99)),
        micros(at(0.999)),
        micros(latency.max()),
        against(format!("{:+.1}", (p50 - bare_at(0.5)) / 1e3)),
        against(format!("{:.2}", p99 / bare_at(0.99))),
        goal.to_owned(),
        micros(lateness.value_at_quantile(0.5)),
        micros(lateness.value_at_quantile(0.99)),
        own.cell(2, |seen| seen.share),
        own.remarks((lost > 0.0).then(|| format!("up to {:.3} % of the copies lost", 100.0 * lost))),
    ])
}

fn merged(rounds: &Rounds<Seen>) -> anyhow::Result<Merged> {
    // As loadgen's own: three significant digits.
    let mut all = Merged { latency: Histogram::new(3)?, lateness: Histogram::new(3)? };
    for seen in &rounds.seen {
        all.latency.add(&seen.latency)?;
        all.lateness.add(&seen.lateness)?;
    }
    Ok(all)
}

impl Server {
    fn name(&self) -> String {
        match self {
            Server::Bare => "bare loop".to_owned(),
            Server::Relay(backend) => format!("relay, {backend}"),
        }
    }

    fn start(&self, bench: &Bench) -> anyhow::Result<(Process, String)> {
        match self {
            Server::Relay(backend) => {
                let relay = Relay::start(bench, backend, &[])?;
                Ok((relay.process, relay.address))
            }
            Server::Bare => {
                let process = Process::start(bench.host.relay_cpu, &bench.binaries.bare, [])?;
                let address =
                    process.out.recv_timeout(Duration::from_secs(5)).context("bare does not serve")?;
                Ok((process, address))
            }
        }
    }
}

fn run(bench: &Bench, server: &Server, load: &str) -> anyhow::Result<Report> {
    let (_process, address) = server.start(bench)?;
    let target = Target { address, metrics: "off".to_owned() };
    let flags = format!(
        "--payload 512 --clients {CLIENTS} --groups 1 --ramp 100ms --warm-up 300ms --duration {}s {load} {}",
        bench.duration.as_secs_f64(),
        bench.loadgen.join(" ")
    );
    let (report, _) = generator::run(bench, &target, &flags, |_| {})?;
    eprintln!("  {}: {}", server.name(), report.reasons.join("; "));
    Ok(report)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(nanos: &[u64]) -> Seen {
        let mut latency = Histogram::new(3).unwrap();
        nanos.iter().for_each(|nanos| latency += *nanos);
        Seen { lateness: latency.clone(), latency, share: 0.5, lost: 0.0 }
    }

    #[test]
    fn percentiles_are_those_of_all_rounds() {
        let bare = Rounds { seen: vec![seen(&[1_000; 10])], error: None };
        let own = Rounds { seen: vec![seen(&[2_000; 6]), seen(&[40_000; 4])], error: None };
        let cells = row((20, 13_000.0), &Server::Relay("mmsg"), &own, &merged(&bare).unwrap()).unwrap();
        let expected = ["20 %: 13000", "relay, mmsg", "2.0", "40.0", "40.0", "40.0", "+1.0", "40.03"];
        assert_eq!(cells[..8], expected);
    }
}
