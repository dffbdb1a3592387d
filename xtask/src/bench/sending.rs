//! How many datagrams a second a core of the generator sends, beside sockperf and iperf3.

use super::competitors::{self, PAYLOAD, Speed};
use super::relay::Relay;
use super::stats::Spread;
use super::table::{Outcome, Table};
use super::{Bench, generator};

const NAME: &str = "generator: sending";

/// Clients that are alone in their groups, so that nothing comes back, with more to send than can be. Of a single
/// client the generator hands several datagrams over at once, of clients in turn it cannot; the others never do.
const LOADS: [(&str, &str); 5] = [
    ("loadgen, 1,000 clients in turn", "--clients 1000 --rate 5000"),
    ("the same, io_uring", "--clients 1000 --rate 5000 --backend uring"),
    ("the same, sendmmsg", "--clients 1000 --rate 5000 --backend mmsg"),
    ("the same, a socket for each client", "--clients 1000 --rate 5000 --sockets per-client"),
    ("loadgen, one client", "--clients 1 --rate 5000000"),
];

/// Who sends: its name in the table, and how it is measured once.
type Sender = (String, Box<dyn Fn(&Bench) -> anyhow::Result<Speed>>);

/// Measures everybody who is there, in turn.
pub fn measure(bench: &Bench) -> anyhow::Result<Outcome> {
    if !bench.wants(NAME) {
        return Ok(Outcome::Unwanted);
    }
    let (senders, notes) = senders();
    let mut speeds: Vec<Vec<Speed>> = senders.iter().map(|_| Vec::new()).collect();
    let mut notes = notes;
    for round in 1..=bench.rounds {
        for (at, (name, once)) in senders.iter().enumerate() {
            match once(bench) {
                Ok(speed) => {
                    eprintln!(
                        "{NAME}: round {round}: {name}: {:.0} k per CPU second",
                        speed.packets / speed.cpu / 1e3
                    );
                    speeds[at].push(speed);
                }
                Err(error) => notes.push(format!("{name}: failed: {error:#}")),
            }
        }
    }
    let rows = senders.iter().zip(&speeds).map(|((name, _), own)| row(name, own, &speeds[0])).collect();
    Ok(Outcome::Measured(Table {
        title: "How fast the generator sends",
        method: format!(
            "Datagrams of {PAYLOAD} bytes to one port of this machine, as many as one core sends, for each second \
             of the sender's processor time (loadgen: of its thread; the others: of the whole process). {} rounds of \
             {} s in turn: median (least..most).",
            bench.rounds,
            bench.duration.as_secs_f64()
        ),
        head: vec!["Sender", "Thousand per CPU second", "Of the first", "Thousand per second"],
        rows,
        notes,
    }))
}

fn row(name: &str, own: &[Speed], first: &[Speed]) -> Vec<String> {
    let per = |speeds: &[Speed], figure: fn(&Speed) -> f64| speeds.iter().map(figure).collect::<Vec<_>>();
    let per_cpu = per(own, |speed| speed.packets / speed.cpu);
    let reference = per(first, |speed| speed.packets / speed.cpu);
    let ratios: Vec<f64> = per_cpu.iter().zip(reference).map(|(own, first)| own / first).collect();
    let per_second = per(own, |speed| speed.packets / speed.wall);
    let shown = |values: &[f64], show: fn(Spread) -> String| Spread::of(values).map_or("-".to_owned(), show);
    vec![
        name.to_owned(),
        shown(&per_cpu, Spread::thousands),
        shown(&ratios, |spread| spread.show(2)),
        shown(&per_second, Spread::thousands),
    ]
}

/// Everybody, and who is missing.
fn senders() -> (Vec<Sender>, Vec<String>) {
    let mut senders: Vec<Sender> = Vec::new();
    for (name, flags) in LOADS {
        senders.push((name.to_owned(), Box::new(move |bench| loadgen(bench, flags))));
    }
    let mut missing = Vec::new();
    match competitors::version("sockperf") {
        Some(version) => {
            let to_server = move |bench: &Bench| competitors::sockperf(bench, None);
            let to_relay = move |bench: &Bench| {
                let relay = Relay::start(bench, "mmsg", &[])?;
                competitors::sockperf(bench, Some(relay.port()?))
            };
            senders.push((format!("sockperf {version} to its server"), Box::new(to_server)));
            senders.push((format!("sockperf {version} to the relay"), Box::new(to_relay)));
        }
        None => missing.push("sockperf is not installed.".to_owned()),
    }
    match competitors::version("iperf3") {
        Some(version) => {
            senders.push((format!("iperf3 {version} to its server"), Box::new(competitors::iperf)));
        }
        None => missing.push("iperf3 is not installed.".to_owned()),
    }
    (senders, missing)
}

fn loadgen(bench: &Bench, flags: &str) -> anyhow::Result<Speed> {
    let relay = Relay::start(bench, "mmsg", &[])?;
    let seconds = bench.duration.as_secs();
    let load = format!("{flags} --group-size 1 --payload {PAYLOAD} --ramp 100ms --duration {seconds}s");
    let (report, _) = generator::run(bench, &relay.target(), &load, |_| {})?;
    let wall = report.details.outcome.duration.as_secs_f64();
    Ok(Speed { packets: report.sent as f64, cpu: report.busy(), wall })
}
