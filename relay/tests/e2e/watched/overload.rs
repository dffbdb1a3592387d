//! One shard of a relay gets more than it can do, and the other nothing.

use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::causes::{CRITICAL, Scene, WARNING};
use super::status::{HERE, status};
use crate::support::{Client, Halted, Relay, eventually};

/// One payload for all of them takes a shard half a millisecond.
const MEMBERS: usize = 400;

const FLAGS: [&str; 3] = ["--shards=2", "--cap=none", "--receive-buffer=1M"];

/// What the story makes fire while the relay serves.
const WARNINGS: [&str; 3] = ["RelayCopiesDropped", "RelayShardSaturated", "RelayShardImbalance"];

/// Ends the flood, also if the story fails.
struct Flood<'a>(&'a AtomicBool);

impl Drop for Flood<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

pub fn more_than_a_shard_can_do(scene: &Scene) {
    let relay = scene.relay(&FLAGS);
    under_a_flood(&relay, || {
        for alert in WARNINGS {
            scene.watch.fires(scene.port, alert, WARNING, || {});
        }
        eventually("the status page says so", || {
            let status = status(&relay, HERE);
            let is_told = status["verdict"]["findings"].to_string().contains("\"overload\"");
            let shards = status["shards"].as_array().unwrap();
            (is_told && shards.iter().any(|shard| shard["overloaded"] == true)).then_some(())
        });
    });
    scene.is_content(|| {});
    drop(relay);
    payloads_that_wait_for_long(scene);
    a_queue_that_nobody_takes_from(scene);
    a_stop_that_a_shard_holds_up(scene);
    let _relay = scene.relay(&FLAGS);
    scene.is_content(|| {});
}

/// What waits for company counts as late when it waits for longer than people bear.
fn payloads_that_wait_for_long(scene: &Scene) {
    let relay = scene.relay(&["--coalesce=0.2"]);
    let group = Client::to(relay.address()).create();
    let members = [(); 2].map(|()| Client::member(relay.address(), &group));
    scene.watch.fires(scene.port, "RelayLatency", WARNING, || {
        members[0].send("what people say");
        assert_eq!(members[1].hear(), "what people say");
    });
    scene.is_content(|| {});
}

/// More than three quarters of a buffer, and not all of it.
fn a_queue_that_nobody_takes_from(scene: &Scene) {
    let relay = scene.relay(&["--shards=1", "--receive-buffer=64K"]);
    let client = Client::to(relay.address());
    let halted = Halted::new(&relay, "shard-0");
    // A small datagram takes 768 bytes of twice what was asked for.
    (0..140).for_each(|_| client.send("to nobody"));
    scene.watch.fires(scene.port, "RelayReceiveQueueFull", WARNING, || {});
    halted.go_on();
    scene.is_content(|| {});
}

/// It waits for its shards, and serves no more.
fn a_stop_that_a_shard_holds_up(scene: &Scene) {
    let mut relay = scene.relay(&["--shards=2"]);
    let halted = Halted::new(&relay, "shard-0");
    relay.signal("TERM");
    scene.watch.fires(scene.port, "RelayNotReady", CRITICAL, || {});
    halted.go_on();
    assert!(relay.wait().success());
}

/// Tells a story while a group of [`MEMBERS`] is flooded.
fn under_a_flood(relay: &Relay, story: impl FnOnce()) {
    let to = relay.address();
    let group = Client::to(to).create();
    let _members: Vec<Client> = (0..MEMBERS).map(|_| Client::member(to, &group)).collect();
    let ended = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| pour(to, &group, &ended));
        let _flood = Flood(&ended);
        story();
    });
}

/// Sends as fast as one thread can, whether or not anybody is there.
fn pour(to: SocketAddr, group: &str, ended: &AtomicBool) {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    socket.connect(to).expect("it connects");
    socket.send(format!("!JOIN {group}").as_bytes()).expect("a join");
    while !ended.load(Ordering::Relaxed) {
        (0..100).for_each(|_| drop(socket.send(&[b'f'; 64])));
    }
}
