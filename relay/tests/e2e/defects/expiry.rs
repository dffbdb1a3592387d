//! Expiry at full load, and after the relay itself was stopped.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::{Client, Pace, Relay, RelayOptions, each_backend, eventually, tick, undisturbed};

/// What a busy machine may add to what the relay promises.
const SLACK: Duration = Duration::from_secs(2);
const GRAIN: Duration = Duration::from_millis(2);

/// Lets so much real time pass.
fn pass(time: Duration) {
    let start = Instant::now();
    while start.elapsed() < time {
        tick();
    }
}

fn expired(relay: &Relay) -> f64 {
    relay.metric("relay_group_events_total", "event=\"expire\"")
}

/// Sends payloads on every shard as fast as one thread can, until told to stop.
fn flood(relay: &Relay, stop: &AtomicBool) {
    let group = Client::to(relay.address()).create();
    let members: Vec<Client> = (0..6).map(|_| Client::member(relay.address(), &group)).collect();
    while !stop.load(Ordering::Relaxed) {
        for member in &members {
            (0..50).for_each(|_| member.send([b'f'; 64]));
            member.drain();
        }
    }
}

#[test]
fn at_full_load_the_idle_go_in_time_and_the_active_stay() {
    const IDLE: Duration = Duration::from_millis(1500);
    const SWEEP: Duration = Duration::from_millis(100);
    each_backend(|backend| {
        undisturbed(|| {
            let relay = RelayOptions::new(backend).with(["--heartbeat", "0.5", "--sweep", "0.1"]).start();
            let group = Client::to(relay.address()).create();
            let stop = AtomicBool::new(false);
            thread::scope(|scope| {
                // Whatever happens here, the flood ends.
                let _flood = Ending(&stop);
                scope.spawn(|| flood(&relay, &stop));
                eventually("the flood runs", || {
                    (relay.metric("relay_received_packets_total", "") > 10_000.0).then_some(())
                });
                let active = joined(&relay, &group);
                let first = Instant::now();
                // On both shards, as far as chance goes.
                let idle: Vec<Client> = (0..8).map(|_| joined(&relay, &group)).collect();
                let last = Instant::now();
                let mut pace = Pace::new(IDLE / 2);
                let mut gone = None;
                while gone.is_none_or(|gone: Instant| gone.elapsed() < IDLE * 2) {
                    // The kernel drops some of what a flooded socket gets, but not all of so many.
                    (0..5).for_each(|_| active.send("!PING"));
                    let count = expired(&relay);
                    pace.beat()?;
                    assert!(
                        count == 0.0 || first.elapsed() > IDLE - GRAIN,
                        "too early: {:?}",
                        first.elapsed()
                    );
                    assert!(count >= 8.0 || last.elapsed() < IDLE + SWEEP + SLACK, "only {count} are gone");
                    assert!(count <= 8.0, "an active client is gone");
                    gone = gone.or((count == 8.0).then(Instant::now));
                    active.drain();
                    tick();
                }
                drop(idle);
                Some(())
            })
        });
    });
}

/// Ends the flood when dropped.
struct Ending<'a>(&'a AtomicBool);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// A new member, however often the kernel drops the request.
fn joined(relay: &Relay, group: &str) -> Client {
    let client = Client::to(relay.address());
    eventually("a member", || {
        client.send(format!("!JOIN {group}"));
        client.receive_within(Duration::from_millis(200))
    });
    client
}

#[test]
fn a_stopped_relay_loses_nobody_who_speaks_within_a_heartbeat() {
    const HEARTBEAT: Duration = Duration::from_millis(600);
    const IDLE: Duration = Duration::from_millis(1800);
    each_backend(|backend| {
        undisturbed(|| {
            let relay = RelayOptions::new(backend).with(["--heartbeat", "0.6", "--sweep", "0.1"]).start();
            let group = Client::to(relay.address()).create();
            let speakers: Vec<Client> = (0..5).map(|_| Client::member(relay.address(), &group)).collect();
            let silent: Vec<Client> = (0..5).map(|_| Client::member(relay.address(), &group)).collect();
            relay.pausing(|| pass(IDLE + HEARTBEAT));
            let mut pace = Pace::new(HEARTBEAT / 2);
            // Late in the grace, so that the sweeps before it would have had their chance.
            let woken = Instant::now();
            pass(HEARTBEAT / 3);
            speakers.iter().for_each(|client| client.send("!PING"));
            pace.beat()?;
            for speaker in &speakers {
                assert_eq!(speaker.hear(), "PONG 0.6");
            }
            let count = speakers[0].ask("!WHO");
            pace.beat()?;
            assert_eq!(count, format!("OK WHO {group} 10"), "somebody was lost on waking up");
            while expired(&relay) < silent.len() as f64 {
                pace.beat()?;
                speakers.iter().for_each(|client| assert_eq!(client.ask("!PING"), "PONG 0.6"));
                assert!(woken.elapsed() < IDLE + SLACK, "only {} are gone", expired(&relay));
                tick();
            }
            assert!(woken.elapsed() > HEARTBEAT - GRAIN, "nobody goes before: {:?}", woken.elapsed());
            assert_eq!(speakers[0].ask("!WHO"), format!("OK WHO {group} 5"));
            Some(())
        });
    });
}

/// What clients said while the relay was stopped is read first, and counts.
#[test]
fn what_was_said_to_a_stopped_relay_counts() {
    const HEARTBEAT: Duration = Duration::from_millis(500);
    each_backend(|backend| {
        undisturbed(|| {
            let relay = RelayOptions::new(backend).with(["--heartbeat", "0.5", "--sweep", "0.1"]).start();
            let group = Client::to(relay.address()).create();
            let [speaker, silent] = [(); 2].map(|()| Client::member(relay.address(), &group));
            relay.pausing(|| {
                speaker.send("said in the meantime");
                pass(HEARTBEAT * 4);
            });
            // From the silent one's removal, a heartbeat after, there are two more until the speaker's.
            let mut pace = Pace::new(HEARTBEAT * 2);
            assert_eq!(silent.hear(), "said in the meantime");
            eventually("the silent one goes", || (expired(&relay) >= 1.0).then_some(()));
            let count = speaker.ask("!WHO");
            pace.beat()?;
            assert_eq!(count, format!("OK WHO {group} 1"));
            Some(())
        });
    });
}
