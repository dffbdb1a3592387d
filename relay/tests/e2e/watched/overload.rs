//! One shard of a relay gets more than it can do, and the other nothing.

use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::causes::{CRITICAL, Scene, WARNING};
use crate::support::{Client, tick};

/// One payload for all of them takes a shard half a millisecond.
const MEMBERS: usize = 400;

const FLAGS: [&str; 3] = ["--shards=2", "--cap=none", "--receive-buffer=1M"];

/// What the story makes fire while the relay serves.
const WARNINGS: [&str; 5] = [
    "RelayReceiveQueueFull",
    "RelayLatency",
    "RelayCopiesDropped",
    "RelayShardSaturated",
    "RelayShardImbalance",
];

/// Switches the flood on and off, and ends it, also if the story fails.
struct Flood<'a> {
    flows: &'a AtomicBool,
    ended: &'a AtomicBool,
}

impl Drop for Flood<'_> {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
    }
}

pub fn more_than_a_shard_can_do(scene: &Scene) {
    let mut relay = scene.relay(&FLAGS);
    let group = Client::to(relay.address()).create();
    let _members: Vec<Client> = (0..MEMBERS).map(|_| Client::member(relay.address(), &group)).collect();
    let (flows, ended) = (AtomicBool::new(true), AtomicBool::new(false));
    thread::scope(|scope| {
        let to = relay.address();
        let (flows, ended) = (&flows, &ended);
        scope.spawn(move || pour(to, &group, flows, ended));
        let flood = Flood { flows, ended };
        for alert in WARNINGS {
            scene.watch.fires(scene.port, alert, WARNING, || {});
        }
        flood.flows.store(false, Ordering::Relaxed);
        scene.is_content(|| {});
        // A shard that stops goes on for a second if there is always something to do.
        flood.flows.store(true, Ordering::Relaxed);
        scene.watch.fires(scene.port, "RelayReceiveQueueFull", WARNING, || {});
        relay.signal("TERM");
        scene.fires("RelayNotReady", CRITICAL, || {});
    });
    relay.wait();
    let _relay = scene.relay(&FLAGS);
    scene.is_content(|| {});
}

/// Sends as fast as one thread can, whether or not anybody is there.
fn pour(to: SocketAddr, group: &str, flows: &AtomicBool, ended: &AtomicBool) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.connect(to).expect("it connects");
    socket.send(format!("!JOIN {group}").as_bytes()).expect("a join");
    while !ended.load(Ordering::Relaxed) {
        if flows.load(Ordering::Relaxed) {
            (0..100).for_each(|_| drop(socket.send(&[b'f'; 64])));
        } else {
            tick();
        }
    }
}
