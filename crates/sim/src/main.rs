//! `sim`: runs seeds until there are enough, and says which of them fail.
use clap::Parser;

#[derive(Parser)]
struct Args { #[arg(long)] seed: Option<u64>, #[arg(long, default_value_t = 20)] seeds: u64 }
fn main() {
    let args = Args::parse();
    let waker = net::Waker::new().unwrap();
    let first = args.seed.unwrap_or(1);
    let count = if args.seed.is_some() { 1 } else { args.seeds };
    for seed in first..first + count {
        let start = std::time::Instant::now();
        let outcome = sim::run(seed, &waker);
        println!("{seed} {:x} {} events {:?} sim, {:?} real", outcome.hash, outcome.events, outcome.time, start.elapsed());
        if let Some(v) = outcome.violation { println!("{v}"); std::process::exit(1); }
    }
}
