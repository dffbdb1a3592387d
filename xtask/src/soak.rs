//! `cargo xtask soak`: an hour of churn, attacks and reloads, after which the relay must be as it was at its beginning.

mod attack;
mod judge;
mod load;
mod sample;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::RecvTimeoutError;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};
use xshell::{Shell, cmd};

use crate::bench::process::Process;
use judge::Verdict;
use load::Window;
use sample::Sample;

/// Between two looks at the relay.
const LOOK: Duration = Duration::from_secs(10);

/// Between two reloads.
const RELOAD: Duration = Duration::from_secs(60);

/// The relay serves, and ends, within this time.
const PATIENCE: Duration = Duration::from_secs(20);

/// Groups and members of the attack are forgotten within a minute, so that there are as many at any time. Trusted is who
/// makes the load, and not who attacks.
const FLAGS: &str = "--host=127.0.0.1 --port=0 --metrics-listen=127.0.0.1:0 --log-format=json --heartbeat=10 --sweep=2 \
     --empty-ttl=30 --trust=127.0.0.0/9";

/// How long, and on which backend.
#[derive(clap::Args)]
pub struct Options {
    /// Minutes; the first sixth, five at least, is the warm-up.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(10..))]
    minutes: u32,
    /// The relay's backend.
    #[arg(long, default_value = "auto")]
    backend: String,
}

/// What is written when it is over.
#[derive(Serialize)]
struct Written<'a> {
    verdict: &'a Verdict,
    samples: &'a [Sample],
    windows: Vec<Shown>,
}

/// A window of the load.
#[derive(Serialize)]
struct Shown {
    seconds: f64,
    copies: u64,
    p99_us: Option<f64>,
    trusted: bool,
}

/// What the relay logs when it serves.
#[derive(Deserialize)]
struct Serves {
    address: String,
    metrics: String,
}

/// For an hour.
pub fn hour(shell: &Shell) -> anyhow::Result<()> {
    run(shell, &Options { minutes: 60, backend: "auto".to_owned() })
}

/// Soaks, prints the verdict, and writes all samples to target/soak.
pub fn run(shell: &Shell, options: &Options) -> anyhow::Result<()> {
    cmd!(shell, "cargo build --locked --release --bin relay --bin loadgen").run()?;
    let folder = shell.current_dir().join("target/soak");
    fs::create_dir_all(&folder)?;
    let configuration = folder.join("configuration");
    fs::create_dir_all(&configuration)?;
    let file = configuration.join("relay.toml");
    fs::write(&file, text(0))?;
    let binaries = crate::bench::release_folder(shell)?;
    let args = FLAGS.split_whitespace().map(str::to_owned);
    let more = [format!("--backend={}", options.backend), format!("--config={}", file.display())];
    let relay = start(&binaries.join("relay"), args.chain(more))?;
    let (serves, log) = serving(&relay)?;
    print!("{log}");
    let time = Duration::from_secs(u64::from(options.minutes) * 60);
    let (samples, windows) = soak(&relay, &serves, &binaries, &file, time)?;
    let verdict = Verdict::of(&samples, &windows, warm_up(time))?;
    write(&folder, &verdict, &samples, &windows)?;
    println!("{verdict}");
    end(relay)?;
    if !verdict.is_good() {
        bail!("the relay is not as it was; {} has the samples", folder.display());
    }
    Ok(())
}

/// Tables and free lists of the allocator have their size after some minutes of a new kind of load.
fn warm_up(time: Duration) -> Duration {
    (time / 6).max(Duration::from_secs(300))
}

/// A program on all cores, before everything else on the machine where that is allowed: the load is low, and what
/// others do must not be measured.
fn start(program: &Path, args: impl Iterator<Item = String>) -> anyhow::Result<Process> {
    let program = program.display().to_string();
    let cpus = format!("0-{}", thread::available_parallelism()?.get() - 1);
    let first = ["--rr", "1"];
    if !Command::new("chrt").args(first).arg("true").status().is_ok_and(|status| status.success()) {
        return Process::start_on(&cpus, program, args);
    }
    let first = first.map(str::to_owned).into_iter().chain([program]);
    Process::start_on(&cpus, "chrt", first.chain(args))
}

/// The configuration of the n-th minute.
fn text(minute: u64) -> String {
    format!("cap = {}\n", 128 + minute % 2)
}

fn serving(relay: &Process) -> anyhow::Result<(Serves, String)> {
    let mut log = String::new();
    loop {
        let Ok(line) = relay.err.recv_timeout(PATIENCE) else { bail!("the relay does not serve: {log}") };
        log += &format!("{line}\n");
        if let Ok(serves) = serde_json::from_str(&line) {
            return Ok((serves, log));
        }
    }
}

/// Load, attack and reloads until the time is over; looks at the relay meanwhile.
fn soak(
    relay: &Process,
    serves: &Serves,
    binaries: &Path,
    file: &Path,
    time: Duration,
) -> anyhow::Result<(Vec<Sample>, Vec<Window>)> {
    let done = AtomicBool::new(false);
    let begun = Instant::now();
    thread::scope(|scope| {
        let attack = scope.spawn(|| attack::go_on(&serves.address, &done));
        let load =
            scope.spawn(|| load::go_on(&binaries.join("loadgen"), &serves.address, begun, time, &done));
        let samples = watch(relay, serves, file, begun, time);
        done.store(true, Ordering::Relaxed);
        let attacked = attack.join().ok().context("the attack has panicked")??;
        let windows = load.join().ok().context("the load has panicked")??;
        println!("{attacked} datagrams of the attack");
        Ok((samples?, windows))
    })
}

fn watch(
    relay: &Process,
    serves: &Serves,
    file: &Path,
    begun: Instant,
    time: Duration,
) -> anyhow::Result<Vec<Sample>> {
    let mut samples: Vec<Sample> = Vec::new();
    let mut minute = 0;
    while begun.elapsed() < time {
        let next = LOOK * (samples.len() as u32 + 1);
        thread::sleep(next.saturating_sub(begun.elapsed()));
        let sample = Sample::of(relay.id(), &serves.metrics, begun.elapsed(), samples.last())?;
        println!("{sample}");
        samples.push(sample);
        if begun.elapsed() >= RELOAD * (minute + 1) {
            minute += 1;
            reload(relay, file, u64::from(minute))?;
        }
    }
    Ok(samples)
}

/// The relay must say that it has read its file anew.
fn reload(relay: &Process, file: &Path, minute: u64) -> anyhow::Result<()> {
    fs::write(file, text(minute))?;
    kill(Pid::from_raw(relay.id() as i32), Signal::SIGHUP)?;
    loop {
        match relay.err.recv_timeout(PATIENCE) {
            Ok(line) if line.contains("was reloaded") => return Ok(()),
            Ok(line) => println!("{line}"),
            Err(RecvTimeoutError::Timeout) => bail!("the relay does not reload"),
            Err(RecvTimeoutError::Disconnected) => bail!("the relay has ended"),
        }
    }
}

fn write(folder: &Path, verdict: &Verdict, samples: &[Sample], windows: &[Window]) -> anyhow::Result<()> {
    let csv: String = samples.iter().map(|sample| format!("{}\n", sample.csv())).collect();
    fs::write(folder.join("soak.csv"), format!("{}\n{csv}", sample::HEAD))?;
    let windows = windows.iter().map(Window::shown).collect();
    let json = serde_json::to_string_pretty(&Written { verdict, samples, windows })?;
    fs::write(folder.join("soak.json"), json)?;
    Ok(())
}

fn end(relay: Process) -> anyhow::Result<()> {
    kill(Pid::from_raw(relay.id() as i32), Signal::SIGTERM)?;
    relay.finish().map(drop)
}
