//! `sim`: runs seeds until there are enough, and says which of them fail and how to see it again.

use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use clap::Parser;
use net::Waker;
use sim::Outcome;

/// Runs the relay's shard loop under a seeded clock and a network that fails.
#[derive(Parser)]
#[command(name = "sim")]
struct Args {
    /// This seed alone, or with others the first of them. Default: from the clock.
    #[arg(long)]
    seed: Option<u64>,
    /// Ends after so many seeds.
    #[arg(long)]
    seeds: Option<u64>,
    /// Ends after so many simulated hours.
    #[arg(long)]
    hours: Option<f64>,
    /// Ends after so many seconds.
    #[arg(long)]
    seconds: Option<u64>,
    /// Threads; each runs seeds of its own.
    #[arg(long, default_value_t = 1)]
    threads: u64,
    /// Ends at the first failure.
    #[arg(long)]
    first: bool,
    /// Tells the hash of each seed's trace.
    #[arg(long)]
    hashes: bool,
}

/// What all threads have done together.
#[derive(Default)]
struct Sum {
    seeds: u64,
    events: u64,
    time: Duration,
    failed: Vec<u64>,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let is_one =
        args.seed.is_some() && args.seeds.is_none() && args.hours.is_none() && args.seconds.is_none();
    let seeds = if is_one { Some(1) } else { args.seeds };
    let first = args.seed.unwrap_or_else(seed_of_the_clock);
    let begun = Instant::now();
    let (sum, next, is_over) = (Mutex::new(Sum::default()), AtomicU64::new(0), AtomicBool::new(false));
    println!("seeds from {first} on");
    // A failure of a run is told with its trace, and not where the panic was.
    std::panic::set_hook(Box::new(|_| {}));
    let work = || {
        let Ok(waker) = Waker::new() else { return };
        while !is_over.load(Ordering::Relaxed) {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let is_late = args.seconds.is_some_and(|seconds| begun.elapsed() >= Duration::from_secs(seconds));
            if is_late || seeds.is_some_and(|seeds| number >= seeds) {
                return;
            }
            let outcome = sim::run(first.wrapping_add(number), &waker);
            let mut sum = sum.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            tell(&outcome, args.hashes);
            let failed = outcome.violation.is_some();
            add(&mut sum, &outcome);
            let is_enough = args.hours.is_some_and(|hours| sum.time.as_secs_f64() >= hours * 3600.0);
            is_over.fetch_or(is_enough || failed && args.first, Ordering::Relaxed);
        }
    };
    thread::scope(|scope| (0..args.threads).for_each(|_| drop(scope.spawn(work))));
    let sum = sum.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    summarise(&sum, begun.elapsed(), args.threads);
    if sum.failed.is_empty() && sum.seeds > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn add(sum: &mut Sum, outcome: &Outcome) {
    sum.seeds += 1;
    sum.events += outcome.events;
    sum.time += outcome.time;
    sum.failed.extend(outcome.violation.is_some().then_some(outcome.seed));
}

fn tell(outcome: &Outcome, hashes: bool) {
    let Outcome { seed, hash, events, time, violation } = outcome;
    if hashes {
        println!("seed {seed}: trace {hash:016x}, {events} events, {:.0} s", time.as_secs_f64());
    }
    if let Some(violation) = violation {
        println!("{violation}\nseed {seed} fails; see it again with: cargo xtask sim --seed {seed}\n");
    }
}

fn summarise(sum: &Sum, took: Duration, threads: u64) {
    let hours = sum.time.as_secs_f64() / 3600.0;
    let core_hours = took.as_secs_f64() * threads as f64 / 3600.0;
    println!(
        "{} seeds, {hours:.1} simulated hours, {} events in {:.0} s: {:.0} simulated hours per core hour",
        sum.seeds,
        sum.events,
        took.as_secs_f64(),
        hours / core_hours
    );
    if !sum.failed.is_empty() {
        println!("{} seeds fail: {:?}", sum.failed.len(), sum.failed);
    }
}

/// Other seeds in every run.
fn seed_of_the_clock() -> u64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    now.as_micros() as u64
}
