//! The relay beside the original server, for whoever has it: what each delivers for a second of its processor time.

use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail, ensure};

use super::generator::{self, Target};
use super::process::{Process, cpu, threads};
use super::relay::{BACKENDS, Relay};
use super::rounds::{Rounds, in_turn};
use super::table::{Outcome, Table};
use super::{Bench, competitors};

const NAME: &str = "relay: against the original";

/// Without a warm-up, because nobody's processor time is read at its end.
const LOAD: &str = "--payload 512 --clients 100 --groups 1 --in-flight 64 --ramp 100ms";

/// The relay's ratio over the original.
const GOAL: &str = "3.1";

/// The original serves within this time.
const PATIENCE: Duration = Duration::from_secs(5);

/// Who is measured.
enum Server<'a> {
    Original(&'a Path),
    Relay(&'static str),
}

/// What a round says.
struct Seen {
    /// Copies that arrived for each second of processor time.
    deliveries: f64,
    share: f64,
    lost: f64,
}

/// Measures both backends and the original, if it is there.
pub fn measure(bench: &Bench) -> anyhow::Result<Outcome> {
    if !bench.wants(NAME) {
        return Ok(Outcome::Unwanted);
    }
    let Some(path) = &bench.original else {
        return Ok(Outcome::Skipped(format!("{NAME}: skipped; --original PATH says where its script is")));
    };
    ensure!(path.is_file(), "--original: {} is no file", path.display());
    let path: PathBuf = path.canonicalize()?;
    let servers: Vec<Server> =
        [Server::Original(&path)].into_iter().chain(BACKENDS.map(Server::Relay)).collect();
    let all = in_turn(bench, NAME, &servers, |server| once(bench, server));
    let rows = servers.iter().zip(&all).map(|(server, own)| row(server, own, &all[0])).collect();
    Ok(Outcome::Measured(Table {
        title: "The relay and the original server",
        method: format!(
            "512 B, group of 100, 64 in flight, plain receivers: copies that arrived at the generator for each second \
             of the server's processor time (all its threads, /proc/ID/task/*/schedstat), and that over the original's \
             of the same round. One core for the server, one for the generator, {} rounds of {} s: median \
             (least..most). The original ran as `python3 {} --server` with Python {}.",
            bench.rounds,
            bench.duration.as_secs_f64(),
            path.file_name().unwrap_or_default().to_string_lossy(),
            competitors::version("python3").unwrap_or_default()
        ),
        head: vec!["Server", "Thousand per CPU second", "Over the original", "Goal", "Share of its core", ""],
        rows,
        notes: Vec::new(),
    }))
}

fn row(server: &Server, own: &Rounds<Seen>, original: &Rounds<Seen>) -> Vec<String> {
    let (name, goal) = match server {
        Server::Original(_) => ("the original".to_owned(), ""),
        Server::Relay(backend) => (format!("relay, {backend}"), GOAL),
    };
    let lost = own.worst(|seen| seen.lost);
    let remark = (lost > 0.001).then(|| format!("up to {:.1} % of the copies lost", 100.0 * lost));
    // A round that failed leaves no pair, so that the rest cannot be told apart.
    let ratios = if own.seen.len() == original.seen.len() {
        let pairs = own.seen.iter().zip(&original.seen).map(|(own, other)| own.deliveries / other.deliveries);
        Rounds { seen: pairs.collect(), error: None }.cell(2, |ratio| *ratio)
    } else {
        "-".to_owned()
    };
    vec![
        name,
        own.cell(0, |seen| seen.deliveries / 1e3),
        ratios,
        goal.to_owned(),
        own.cell(2, |seen| seen.share),
        own.remarks(remark),
    ]
}

fn once(bench: &Bench, server: &Server) -> anyhow::Result<Seen> {
    let (process, address) = match server {
        Server::Relay(backend) => {
            let relay = Relay::start(bench, backend, &[])?;
            (relay.process, relay.address)
        }
        Server::Original(path) => start(bench, path)?,
    };
    let target = Target { address, metrics: "off".to_owned() };
    let flags = format!("{LOAD} --duration {}s {}", bench.duration.as_secs_f64(), bench.loadgen.join(" "));
    let before = cpu(&threads(process.id()));
    let (report, _) = generator::run(bench, &target, &flags, |_| {})?;
    let cpu = cpu(&threads(process.id())).saturating_sub(before).as_secs_f64();
    ensure!(cpu > 0.0, "the server has ended");
    let deliveries = report.received as f64 / cpu;
    eprintln!("  {:.0} k per CPU second", deliveries / 1e3);
    let share = cpu / report.details.outcome.duration.as_secs_f64();
    Ok(Seen { deliveries, share, lost: 1.0 - report.arrived() })
}

/// Starts the original, and waits until it answers.
fn start(bench: &Bench, path: &Path) -> anyhow::Result<(Process, String)> {
    let address = UdpSocket::bind("127.0.0.1:0")?.local_addr()?;
    let port = address.port().to_string();
    let args = ["--server", "--host", "127.0.0.1", "--port", &port].map(str::to_owned);
    let script = path.to_str().context("a path that is no text")?.to_owned();
    let process = Process::start(bench.host.relay_cpu, "python3", [script].into_iter().chain(args))?;
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    socket.connect(address)?;
    let pause = Duration::from_millis(100);
    socket.set_read_timeout(Some(pause))?;
    let tries = PATIENCE.as_millis() / pause.as_millis();
    for _ in 0..tries {
        // Refused, as long as nobody has the port.
        let answered = socket.send(b"!PING").and_then(|_| socket.recv(&mut [0; 64]));
        if answered.is_ok() {
            return Ok((process, address.to_string()));
        }
        std::thread::sleep(pause / 10);
    }
    let said: Vec<String> = process.err.try_iter().collect();
    bail!("{} does not serve: {}", path.display(), said.join(" "))
}
