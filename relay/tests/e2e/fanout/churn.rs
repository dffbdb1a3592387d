//! Joins and leaves between payloads: who is a member when a payload is received gets it, and nobody else.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::{assert_no_drops, hear_until, number};
use crate::support::{Client, Relay, RelayOptions, each_backend, stay_here};

/// What a client is told between joining and leaving, as the one shard of this relay must tell it.
#[derive(Clone, Default)]
struct Expected {
    /// In order: payloads, and the relay's answers.
    all: Vec<String>,
    joined: bool,
}

/// One thread sends everything to one socket without waiting, so the relay receives it in that order and every client's
/// share is known.
#[test]
fn on_one_shard_every_datagram_counts_from_the_one_before() {
    each_backend(|backend| {
        for seed in 0..4 {
            let relay = RelayOptions::new(backend).with(["--shards", "1", "--pin"]).start();
            stay_here();
            let group = Client::to(relay.address()).create();
            let clients: Vec<Client> = (0..8).map(|_| Client::to(relay.address()).roomy()).collect();
            let mut expected = vec![Expected::default(); clients.len()];
            let mut random = StdRng::seed_from_u64(seed);
            for round in 0..40 {
                let burst = || {
                    for number in 0..100 {
                        let client = random.random_range(0..clients.len());
                        act(
                            client,
                            &format!("{round}.{number}"),
                            &mut random,
                            &mut expected,
                            &group,
                            &clients,
                        );
                    }
                };
                relay.pausing_if(round % 2 == 0, burst);
                // No more at once than every buffer holds.
                for (client, expected) in clients.iter().zip(&mut expected) {
                    let heard: Vec<String> = (0..expected.all.len()).map(|_| client.hear()).collect();
                    let told = |all: &[String], relay: bool| -> Vec<String> {
                        all.iter().filter(|text| text.starts_with("OK") == relay).cloned().collect()
                    };
                    assert_eq!(told(&heard, false), told(&expected.all, false), "seed {seed}, round {round}");
                    assert_eq!(told(&heard, true), told(&expected.all, true), "seed {seed}, round {round}");
                    assert_eq!(sessions(&heard), sessions(&expected.all), "seed {seed}, round {round}");
                    expected.all.clear();
                }
            }
            assert_no_drops(&relay);
            clients.iter().for_each(Client::assert_heard_all);
        }
    });
}

/// A client joins, leaves or speaks.
fn act(
    client: usize,
    text: &str,
    random: &mut StdRng,
    expected: &mut [Expected],
    group: &str,
    clients: &[Client],
) {
    let own = &mut expected[client];
    if !own.joined || random.random_ratio(1, 8) {
        clients[client].send(format!("!JOIN {group}"));
        own.joined = true;
        own.all.push(format!("OK JOINED {group}"));
    } else if random.random_ratio(1, 8) {
        clients[client].send(format!("!LEAVE {group}"));
        own.joined = false;
        own.all.push(format!("OK LEFT {group}"));
    } else {
        clients[client].send(text);
        for (_, other) in expected.iter_mut().enumerate().filter(|(other, _)| *other != client) {
            if other.joined {
                other.all.push(text.to_owned());
            }
        }
    }
}

/// The payloads up to each leave, and after the last: replies may overtake payloads, but not so that a payload follows
/// the answer to a leave.
fn sessions(heard: &[String]) -> Vec<Vec<&String>> {
    fn payloads(session: &[String]) -> Vec<&String> {
        session.iter().filter(|text| !text.starts_with("OK")).collect()
    }
    heard.split(|text| text.starts_with("OK LEFT")).map(payloads).collect()
}

/// Shards have no order between them, but a payload that is sent after the leaver has its answer is never for it.
#[test]
fn on_two_shards_nothing_that_is_said_after_a_leave_arrives() {
    each_backend(|backend| {
        let relay = RelayOptions::new(backend).with(["--pin"]).start();
        let group = Client::to(relay.address()).create();
        let (sent, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
        let speaker = Client::member(relay.address(), &group);
        let leavers: Vec<Client> = (0..6).map(|_| Client::to(relay.address()).roomy()).collect();
        thread::scope(|scope| {
            let speaker = scope.spawn(|| {
                stay_here();
                while !stop.load(Ordering::SeqCst) {
                    let number = sent.fetch_add(1, Ordering::SeqCst);
                    speaker.send(number.to_string());
                    if number % 64 == 0 {
                        speaker.assert_silence();
                    }
                }
            });
            for round in 0..50 {
                let leaver = &leavers[round % leavers.len()];
                let before = sent.load(Ordering::SeqCst);
                leaver.send(format!("!JOIN {group}"));
                let mut heard = hear_until(leaver, "OK JOINED");
                let joined = sent.load(Ordering::SeqCst);
                while sent.load(Ordering::SeqCst) < joined + 100 {
                    thread::yield_now();
                }
                leaver.send(format!("!LEAVE {group}"));
                heard.extend(hear_until(leaver, "OK LEFT"));
                let left = sent.load(Ordering::SeqCst);
                while sent.load(Ordering::SeqCst) < left + 100 {
                    thread::yield_now();
                }
                heard.extend(leaver.drain().iter().map(|datagram| number(datagram)));
                assert!(
                    heard.iter().all(|&number| number + 64 + 1 >= before && number < left),
                    "{before} {left}: {heard:?}"
                );
                assert!(heard.is_sorted() && heard.len() >= 20, "{joined}..{left}: {heard:?}");
                let all: Vec<usize> = (heard[0]..heard[0] + heard.len()).collect();
                assert_eq!(heard, all, "nothing is missing in between");
            }
            stop.store(true, Ordering::SeqCst);
            speaker.join().unwrap();
        });
    });
}

#[test]
fn who_joins_after_a_payload_was_received_never_gets_it() {
    each_backend(|backend| {
        let relay = Relay::start(backend);
        let group = Client::to(relay.address()).create();
        let [speaker, listener] = [(); 2].map(|()| Client::member(relay.address(), &group).roomy());
        for round in 0..100 {
            (0..20).for_each(|number| speaker.send(format!("{round}.{number}")));
            speaker.assert_silence();
            let late = Client::to(relay.address());
            late.join(&group);
            speaker.send("only this");
            assert_eq!(late.hear(), "only this");
            late.assert_silence();
            assert_eq!(late.ask(format!("!LEAVE {group}")), format!("OK LEFT {group}"));
            (0..20).for_each(|number| assert_eq!(listener.hear(), format!("{round}.{number}")));
            assert_eq!(listener.hear(), "only this");
        }
    });
}
