//! Engines on threads of their own at work on the same groups, for ThreadSanitizer: what they agree on in the end.
//!
//! A program without the test harness, whose own threads ThreadSanitizer cannot follow into the standard library.

#[path = "common/mod.rs"]
mod common;

use std::thread;

use common::{Answer, Relay, client};
use engine::{Datagram, Engine, LocalAddr, Outbox, Settings, Tick};

const SHARDS: u32 = 3;
const CLIENTS: u32 = 12;
const ROUNDS: u64 = 60;

// The threads stand for the shards.
#[allow(clippy::disallowed_methods)]
fn main() {
    let mut relay = Relay::new(SHARDS as usize, Settings::default());
    let ids = [relay.create(client(1000)), relay.create(client(1001))];
    let threads = (0..).zip(std::mem::take(&mut relay.engines)).map(|(shard, mut engine)| {
        let ids = ids.clone();
        thread::spawn(move || {
            work(shard, &mut engine, &ids);
            engine
        })
    });
    let threads: Vec<_> = threads.collect();
    relay.engines = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    assert_eq!(relay.clients() as u32, SHARDS * CLIENTS);
    for (position, id) in ids.iter().enumerate() {
        let engine = &mut relay.engines[0];
        engine.begin_turn(Tick(ROUNDS));
        let number = (0..CLIENTS).find(|number| group(ROUNDS - 1, *number) == position).unwrap();
        let source = client(number * SHARDS);
        let mut outbox = Outbox::default();
        tell(engine, source, "!WHO", &mut outbox);
        let text = format!("OK WHO {id} {}", SHARDS * CLIENTS / 2);
        let answer = outbox.epochs().flatten().map(|delivery| common::answer(&outbox, delivery)).next();
        assert_eq!(answer, Some(Answer::Reply { to: source, text }));
    }
}

/// One shard's clients come, talk, and go, each time to the other group; in the last round they stay.
fn work(shard: u32, engine: &mut Engine, ids: &[String; 2]) {
    let mut outbox = Outbox::default();
    for round in 0..ROUNDS {
        outbox.clear();
        engine.begin_turn(Tick(round));
        for number in 0..CLIENTS {
            let source = client(number * SHARDS + shard);
            let id = &ids[group(round, number)];
            tell(engine, source, &format!("!JOIN {id}"), &mut outbox);
            tell(engine, source, "to all", &mut outbox);
            if round + 1 < ROUNDS {
                tell(engine, source, &format!("!LEAVE {id}"), &mut outbox);
            }
        }
        engine.sweep();
    }
}

fn group(round: u64, number: u32) -> usize {
    (round + u64::from(number)) as usize % 2
}

fn tell(engine: &mut Engine, source: std::net::SocketAddr, text: &str, outbox: &mut Outbox) {
    let local = LocalAddr::new(0, None);
    engine.receive(&Datagram { bytes: text.as_bytes(), source, local, number: 0 }, outbox);
}
