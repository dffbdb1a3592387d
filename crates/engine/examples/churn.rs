//! What joins, leaves and payloads cost while each change is followed by a payload, in a small and in a large group.
//!
//! `cargo run --release -p engine --example churn` prints a line of `key=value` pairs for each group; times are medians
//! and means in nanoseconds.
#![allow(clippy::disallowed_methods)] // It measures: the time is its own.

use std::hint::black_box;
use std::net::{Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use engine::{
    Admission, Cap, Datagram, Engine, Entropy, Groups, LocalAddr, Outbox, OwnAddresses, Settings, Shared,
    Tick,
};

const ROUNDS: usize = 20_000;

fn main() {
    for members in [10, 100, 1_000, 10_000, 100_000] {
        Bench::new(members).run();
    }
}

struct Bench {
    engine: Engine,
    outbox: Outbox,
    /// The members in the order of the roster.
    members: Vec<u32>,
    join: Vec<u8>,
    leave: Vec<u8>,
    random: u64,
}

fn client(number: u32) -> SocketAddr {
    let host = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, (number >> 16) as u16, number as u16);
    SocketAddr::from((host, 4000))
}

impl Bench {
    fn new(members: u32) -> Self {
        let settings = Settings { cap: Cap::Unlimited, ..Settings::default() };
        let own = OwnAddresses::default();
        let entropy = Entropy::new(|bytes| bytes.fill(7));
        let groups = Arc::new(Groups::new());
        let engine = Engine::new(
            (0, 1),
            Shared::new(groups, Admission::seeded(0, Tick(0)).into()),
            settings.into(),
            own.into(),
            entropy,
            Tick(0),
        );
        let mut bench = Self {
            engine,
            outbox: Outbox::default(),
            members: (0..members).collect(),
            join: Vec::new(),
            leave: Vec::new(),
            random: 5000,
        };
        bench.say(0, b"!CREATE");
        // `OK CREATED ` and eight letters.
        let id = bench.outbox.text(&(11..19)).to_vec();
        (bench.join, bench.leave) = ([b"!JOIN ", &id[..]].concat(), [b"!LEAVE ", &id[..]].concat());
        let join = bench.join.clone();
        for number in 0..members {
            bench.say(number, &join);
        }
        bench
    }

    /// A datagram in a turn of its own, and the nanoseconds that it takes.
    fn say(&mut self, number: u32, bytes: &[u8]) -> u64 {
        self.outbox.clear();
        let datagram = Datagram { bytes, source: client(number), local: LocalAddr::new(0, None), number: 0 };
        let begin = Instant::now();
        self.engine.receive(black_box(&datagram), &mut self.outbox);
        begin.elapsed().as_nanos() as u64
    }

    fn draw(&mut self) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 16) as usize % self.members.len()
    }

    fn run(mut self) {
        let (join, leave) = (self.join.clone(), self.leave.clone());
        let mut times: [Vec<u64>; 5] = std::array::from_fn(|_| Vec::with_capacity(ROUNDS));
        self.say(0, b"the first payload");
        for _ in 0..ROUNDS {
            let position = self.draw();
            let gone = self.members.swap_remove(position);
            times[0].push(self.say(gone, &leave));
            let other = self.draw();
            times[1].push(self.say(self.members[other], b"payload"));
            // Who was last stands where the other one was, and does not know it.
            let moved = self.members[position.min(self.members.len() - 1)];
            times[2].push(self.say(moved, b"payload"));
            times[3].push(self.say(gone, &join));
            self.members.push(gone);
            let other = self.draw();
            times[4].push(self.say(self.members[other], b"payload"));
        }
        assert_eq!(self.engine.clients(), self.members.len());
        print!("members={}", self.members.len());
        let names = ["leave", "payload_after_leave", "payload_of_moved", "join", "payload_after_join"];
        for (name, mut times) in names.into_iter().zip(times) {
            times.sort_unstable();
            let mean = times.iter().sum::<u64>() / ROUNDS as u64;
            print!(" {name}={} {name}_mean={mean}", times[ROUNDS / 2]);
        }
        println!();
    }
}
