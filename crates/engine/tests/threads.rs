//! Engines on threads of their own at work on the same groups, for ThreadSanitizer: what they agree on in the end.
//!
//! A program without the test harness, whose own threads ThreadSanitizer cannot follow into the standard library.

#[path = "common/mod.rs"]
mod common;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

use common::{Answer, Relay, client};
use engine::{Datagram, Engine, LocalAddr, Outbox, Settings, Tick};

const SHARDS: u32 = 3;
const CLIENTS: u32 = 12;
const ROUNDS: u64 = 60;

/// Extended clients that go on from shard to shard, each with what it needs for that: its token.
const NOMADS: u32 = 7;

// The threads stand for the shards.
#[allow(clippy::disallowed_methods)]
fn main() {
    let mut relay = Relay::new(SHARDS as usize, Settings::default());
    let ids = [relay.create(client(1000)), relay.create(client(1001))];
    let tokens: Vec<String> = (0..NOMADS).map(|number| hello(&mut relay, client(2000 + number))).collect();
    let tokens = Arc::new(Mutex::new(VecDeque::from(tokens)));
    let threads = (0..).zip(std::mem::take(&mut relay.engines)).map(|(shard, mut engine)| {
        let (ids, tokens) = (ids.clone(), Arc::clone(&tokens));
        thread::spawn(move || {
            work(shard, &mut engine, &ids, &tokens);
            engine
        })
    });
    let threads: Vec<_> = threads.collect();
    relay.engines = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    assert_eq!(relay.groups.clients(), SHARDS * CLIENTS + NOMADS);
    assert_eq!(relay.directory.sessions() as u32, NOMADS);
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
fn work(shard: u32, engine: &mut Engine, ids: &[String; 2], tokens: &Mutex<VecDeque<String>>) {
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
        for number in 0..NOMADS {
            // Whoever came there in the last round may be elsewhere by now.
            tell(engine, camp(shard, round.saturating_sub(1), number), "late", &mut outbox);
            let source = camp(shard, round, number);
            let taken = lock(tokens).pop_front();
            let Some(token) = taken else { continue };
            let next = resume(engine, source, &token);
            if round + 1 < ROUNDS {
                tell(engine, source, &format!("!JOIN {}", ids[group(round, number)]), &mut outbox);
                tell(engine, source, "!RAW !to all", &mut outbox);
            }
            ids.iter().filter(|_| round + 1 == ROUNDS || number % 2 == 0).for_each(|id| {
                tell(engine, source, &format!("!LEAVE {id}"), &mut outbox);
            });
            lock(tokens).push_back(next);
        }
        engine.sweep();
    }
}

/// Spins, as the engine does here: ThreadSanitizer cannot see the standard library wait for a lock.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    loop {
        if let Ok(guard) = mutex.try_lock() {
            return guard;
        }
        std::hint::spin_loop();
    }
}

/// An address at which nobody has been before this round.
fn camp(shard: u32, round: u64, number: u32) -> SocketAddr {
    client(3000 + (round as u32 * NOMADS + number) * SHARDS + shard)
}

/// A nomad goes on at this address; returns its next token.
fn resume(engine: &mut Engine, source: SocketAddr, token: &str) -> String {
    let cookie = ask(engine, source, "!HELLO 2");
    let cookie = cookie.strip_prefix("!RETRY ").unwrap_or_else(|| panic!("{cookie}"));
    let answer = ask(engine, source, &format!("!RESUME {token} {cookie}"));
    assert!(answer.starts_with("!OK RESUMED "), "{answer}");
    answer.rsplit(' ').next().unwrap_or_default().to_owned()
}

/// A nomad's first token.
fn hello(relay: &mut Relay, source: SocketAddr) -> String {
    let cookie = relay.say(source, b"!HELLO 2").replace("!RETRY ", "!HELLO 2 ");
    let answer = relay.say(source, cookie.as_bytes());
    answer.split(' ').nth(3).unwrap_or_else(|| panic!("{answer}")).to_owned()
}

fn ask(engine: &mut Engine, source: SocketAddr, text: &str) -> String {
    let mut outbox = Outbox::default();
    tell(engine, source, text, &mut outbox);
    let answer = outbox.epochs().flatten().map(|delivery| common::answer(&outbox, delivery)).next();
    let Some(Answer::Reply { text, .. }) = answer else { panic!("{answer:?}") };
    text
}

fn group(round: u64, number: u32) -> usize {
    (round + u64::from(number)) as usize % 2
}

fn tell(engine: &mut Engine, source: SocketAddr, text: &str, outbox: &mut Outbox) {
    let local = LocalAddr::new(0, None);
    engine.receive(&Datagram { bytes: text.as_bytes(), source, local, number: 0 }, outbox);
}
