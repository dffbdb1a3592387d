//! A shard that is asked for many times what it can do, and members who only want to be heard.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use super::{members_of, number};
use crate::support::{Client, Relay, RelayOptions, each_backend, eventually, tick};

/// One payload for all of them takes a shard half a millisecond.
const FLOODED: usize = 400;
/// Payloads of the flood between two pauses, in which a busy machine's relay has a chance.
const BURST: usize = 64;
const QUIET: usize = 10;
const ROUNDS: usize = 20;

/// Ends the flood, also if the story fails.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Everyone sends a heartbeat, and somebody speaks; nobody goes on before all have what they are to get.
fn round(quiet: &[Client], said: usize) {
    quiet[0].send(said.to_string());
    quiet.iter().for_each(|member| member.send("!PING"));
    for (at, member) in quiet.iter().enumerate() {
        let (mut ponged, mut heard) = (false, at == 0);
        while !(ponged && heard) {
            let datagram = member.receive();
            if datagram.starts_with(b"PONG ") {
                ponged = true;
            } else {
                assert_eq!(number(&datagram), said);
                heard = true;
            }
        }
    }
}

/// All that was sent to the relay was received, or dropped and counted.
fn reconciled(relay: &Relay, sent: u64) {
    eventually("every datagram is accounted for", || {
        let names = [
            "relay_received_packets_total",
            "relay_kernel_receive_dropped_total",
            "relay_sifted_packets_total",
        ];
        let sum: f64 = names.iter().map(|name| relay.metric(name, "")).sum();
        (sum == sent as f64).then_some(())
    });
}

#[test]
fn an_overloaded_shard_answers_heartbeats_and_recovers() {
    each_backend(|backend| {
        let relay = RelayOptions::new(backend).with(["--shards", "1", "--cap", "none"]).start();
        let flooded = Client::to(relay.address()).create();
        let crowd = members_of(&relay, &flooded, FLOODED);
        let group = Client::to(relay.address()).create();
        let quiet = members_of(&relay, &group, QUIET);
        let (ended, poured) = (AtomicBool::new(false), AtomicU64::new(0));
        thread::scope(|scope| {
            scope.spawn(|| {
                while !ended.load(Ordering::Relaxed) {
                    (0..BURST).for_each(|_| crowd[0].send("one of very many"));
                    poured.fetch_add(BURST as u64, Ordering::Relaxed);
                    tick();
                }
            });
            let _flood = Ends(&ended);
            eventually("it is too much", || (relay.metric("relay_overloaded", "") == 1.0).then_some(()));
            (0..ROUNDS).for_each(|said| round(&quiet, said));
        });
        eventually("it is over", || (relay.metric("relay_overloaded", "") == 0.0).then_some(()));
        let dropped = relay.metric("relay_dropped_copies_total", "backlog");
        assert!(dropped > 0.0);
        (0..ROUNDS).for_each(|said| round(&quiet, said));
        assert_eq!(relay.metric("relay_dropped_copies_total", "backlog"), dropped);
        assert_eq!(relay.metric("relay_kernel_receive_dropped_total", ""), 0.0);
        // Two groups were made, and everyone joined.
        let told = 2 + FLOODED + QUIET + 2 * ROUNDS * (QUIET + 1);
        reconciled(&relay, poured.load(Ordering::Relaxed) + told as u64);
    });
}
