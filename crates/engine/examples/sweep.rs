//! How long a turn's sweep takes when a million clients fall idle at once and snapshots of all rosters are held.
//!
//! `cargo run --release -p engine --example sweep` prints a line of `key=value` pairs for each case. A turn counts if it
//! swept anything; its time is that of `Engine::begin_turn` and `Engine::sweep` together. What a turn does is the same in
//! every run, so the least of its times in three processes is taken: what else the machine does is not the sweep's. Nor is
//! what the allocator does when all is free at once: it is told to give nothing back to the system (`max_trimming_us` is
//! the longest turn of a process in which it does).
#![allow(clippy::disallowed_methods)] // It measures: the time is its own.

use std::net::{Ipv6Addr, SocketAddr};
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use engine::{
    Admission, Cap, Datagram, Engine, Entropy, Event, Groups, LocalAddr, Outbox, OwnAddresses, Settings,
    Shared, Tick,
};

const RUNS: usize = 3;

/// The free memory, in bytes, above which glibc gives some back: more than there is.
const KEEP: &str = "8589934592";

fn main() {
    let args: Vec<u32> = std::env::args().skip(1).filter_map(|arg| arg.parse().ok()).collect();
    if let [groups, members_of_each] = args[..] {
        return Case::new(groups, members_of_each).run();
    }
    for (groups, members_of_each) in [(10_000, 100), (1_000, 1_000), (100, 10_000), (1, 1_000_000)] {
        let runs: [Vec<f64>; RUNS] = std::array::from_fn(|_| times_of_run(groups, members_of_each, KEEP));
        let turns = runs[0].iter().enumerate();
        let times = turns.map(|(turn, _)| runs.iter().map(|run| run[turn]).fold(f64::MAX, f64::min));
        let trimming = times_of_run(groups, members_of_each, "").into_iter().fold(0.0, f64::max);
        report(groups, members_of_each, times.collect(), trimming);
    }
}

/// The microseconds of each turn, from a process of its own with fresh memory.
fn times_of_run(groups: u32, members_of_each: u32, trim_above: &str) -> Vec<f64> {
    let this = std::env::current_exe().expect("the program has a path");
    let args = [groups, members_of_each].map(|arg| arg.to_string());
    let output = Command::new(this)
        .args(args)
        .env("MALLOC_TRIM_THRESHOLD_", trim_above)
        .output()
        .expect("the program can be run");
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().map(|line| line.parse().expect("microseconds")).collect()
}

fn report(groups: u32, members_of_each: u32, mut times: Vec<f64>, trimming: f64) {
    let total: f64 = times.iter().sum();
    let turns = times.len();
    times.sort_unstable_by(f64::total_cmp);
    let rank = |share: f64| times[((turns - 1) as f64 * share) as usize];
    println!(
        "members={} groups={groups} turns={turns} max_us={:.0} p999_us={:.0} median_us={:.0} mean_us={:.0} total_s={:.3} max_trimming_us={trimming:.0}",
        groups * members_of_each,
        rank(1.0),
        rank(0.999),
        rank(0.5),
        total / turns as f64,
        total / 1e6,
    );
}

struct Case {
    engine: Engine,
    groups: Arc<Groups>,
    members: u32,
}

fn client(number: u32) -> SocketAddr {
    let host = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, (number >> 16) as u16, number as u16);
    SocketAddr::from((host, 4000))
}

/// Random bytes that are always the same: xorshift.
fn entropy() -> Entropy {
    let mut state = 5000_u64;
    Entropy::new(move |bytes| {
        for byte in bytes {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            *byte = (state >> 32) as u8;
        }
    })
}

impl Case {
    /// Everybody joins, the members of a group far from each other; then a payload goes into each group.
    fn new(count: u32, members_of_each: u32) -> Self {
        let settings = Settings { cap: Cap::Unlimited, max_groups_per_client: count, ..Settings::default() };
        let own = OwnAddresses::default();
        let groups = Arc::new(Groups::new());
        let shared = Arc::clone(&groups);
        let engine = Engine::new(
            (0, 1),
            Shared::new(shared, Admission::seeded(0, Tick(0)).into()),
            settings.into(),
            own.into(),
            entropy(),
            Tick(0),
        );
        let mut case = Self { engine, groups, members: count * members_of_each };
        let ids: Vec<Vec<u8>> = (0..count)
            .map(|_| {
                let outbox = case.receive(0, b"!CREATE");
                // `OK CREATED ` and eight letters.
                [b"!JOIN ", outbox.text(&(11..19))].concat()
            })
            .collect();
        for number in 0..case.members {
            case.receive(number, &ids[(number % count) as usize]);
        }
        for number in 0..count {
            case.receive(number, b"payload");
        }
        assert_eq!(case.engine.clients() as u32, case.members);
        case
    }

    fn receive(&mut self, number: u32, bytes: &[u8]) -> Outbox {
        let mut outbox = Outbox::default();
        let local = LocalAddr::new(0, None);
        self.engine.receive(&Datagram { bytes, source: client(number), local, number: 0 }, &mut outbox);
        outbox
    }

    /// Turns as the loop does, as late as it may, until the last client and the last group are gone.
    fn run(mut self) {
        let mut now = Tick(0);
        while self.groups.count() > 0 {
            // A busy loop turns a thousand times a second.
            now = self.engine.deadline().max(Tick(now.0 + 1));
            let swept = self.swept();
            let begin = Instant::now();
            self.engine.begin_turn(now);
            self.engine.sweep();
            let time = begin.elapsed();
            if self.swept() > swept {
                println!("{}", time.as_secs_f64() * 1e6);
            }
        }
    }

    fn swept(&self) -> u64 {
        let events = &self.engine.tally().events;
        events[Event::Expire as usize] + events[Event::Delete as usize]
    }
}
