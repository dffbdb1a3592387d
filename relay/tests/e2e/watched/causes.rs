//! What goes wrong in production, each made to go wrong here, and mended.

use std::net::SocketAddr;
use std::process::Command;

use nix::libc::{ENOSYS, SYS_landlock_create_ruleset};

use super::watch::{Watch, relay_at};
use crate::support::{Cable, Client, FAR, Halted, IO_URING, NEAR, Relay, eventually, ip, without};

/// Where a story is told.
pub struct Scene<'a> {
    pub watch: &'a Watch,
    pub cable: &'a Cable,
    /// Of the metrics of its relay.
    pub port: u16,
}

impl Scene<'_> {
    /// The story's relay, with these flags beside; Prometheus has seen it.
    #[track_caller]
    pub fn relay(&self, flags: &[&str]) -> Relay {
        let relay = relay_at(self.port).with(flags.iter().copied()).start();
        self.watch.sees(self.port);
        relay
    }

    /// Waits until the alert fires, with this label, and says where.
    #[track_caller]
    pub fn fires(&self, alert: &str, label: (&str, &str), cause: impl FnMut()) {
        let alert = self.watch.fires(self.port, alert, label, cause);
        for text in ["summary", "description"] {
            assert!(alert.annotations[text].contains(&format!("127.0.0.1:{}", self.port)), "{alert:#?}");
        }
    }

    /// Waits until no alert is left.
    #[track_caller]
    pub fn is_content(&self, meanwhile: impl FnMut()) {
        self.watch.is_content(self.port, meanwhile);
    }
}

pub const CRITICAL: (&str, &str) = ("severity", "critical");
pub const WARNING: (&str, &str) = ("severity", "warning");

/// A group whose members all hear what the first says.
fn group_of(relay: &Relay, members: usize) -> Vec<Client> {
    let group = Client::to(relay.address()).create();
    (0..members).map(|_| Client::member(relay.address(), &group).roomy()).collect()
}

fn talk(members: &[Client]) {
    members[0].send("what people say");
    members[1..].iter().for_each(|member| assert_eq!(member.hear(), "what people say"));
}

pub fn all_is_well(scene: &Scene) {
    let relay = scene.relay(&[]);
    let members = group_of(&relay, 5);
    (0..500).for_each(|_| {
        talk(&members);
        crate::support::tick();
    });
}

pub fn killed(scene: &Scene) {
    drop(scene.relay(&[]));
    scene.fires("RelayDown", CRITICAL, || {});
    let _relay = scene.relay(&[]);
    scene.is_content(|| {});
}

pub fn killed_again_and_again(scene: &Scene) {
    let mut relay = Some(scene.relay(&[]));
    scene.fires("RelayRestartLoop", CRITICAL, || {
        relay = None;
        scene.watch.misses(scene.port);
        relay = Some(scene.relay(&[]));
    });
    scene.is_content(|| {});
}

pub fn a_shard_that_stands_still(scene: &Scene) {
    // It looks more often, because somebody asks.
    let relay = relay_at(scene.port).env("WATCHDOG_USEC", "400000").start();
    scene.watch.sees(scene.port);
    let halted = Halted::new(&relay, "shard-1");
    scene.fires("RelayShardStalled", CRITICAL, || {});
    halted.go_on();
    scene.is_content(|| {});
}

pub fn without_io_uring(scene: &Scene) {
    without(&IO_URING, ENOSYS, || {
        let _relay = scene.relay(&["--backend", "auto"]);
        scene.fires(
            "RelayFallbackBackend",
            ("reason", "io_uring_setup: Function not implemented (os error 38)"),
            || {},
        );
    });
    let _relay = scene.relay(&["--backend", "auto"]);
    scene.is_content(|| {});
}

pub fn without_landlock(scene: &Scene) {
    without(&[SYS_landlock_create_ruleset], ENOSYS, || {
        let _relay = scene.relay(&[]);
        scene.fires("RelayUnconfined", ("landlock", "none"), || {});
    });
    let _relay = scene.relay(&[]);
    scene.is_content(|| {});
}

pub fn full(scene: &Scene) {
    let relay = scene.relay(&[
        "--max-clients=10",
        "--max-groups=10",
        "--max-unjoined-groups=5",
        "--max-groups-per-client=10",
        "--empty-ttl=4",
        "--sweep=0.1",
    ]);
    let creator = Client::to(relay.address());
    let group = creator.create();
    let members: Vec<Client> = (0..9).map(|_| Client::member(relay.address(), &group)).collect();
    scene.fires("RelayNearLimit", ("limit", "clients"), || {});
    // Again and again: connections that come and go count as open for a moment. Four to spare: a scrape takes its
    // connection, /proc/self and a file in it, and without them nobody learns how many are open.
    scene.fires("RelayNearLimit", ("limit", "descriptors"), || {
        let open = std::fs::read_dir(format!("/proc/{}/fd", relay.pid())).unwrap().count();
        limit_files(&relay, open + 4);
    });
    limit_files(&relay, 1000);
    let others: Vec<String> = (0..3).map(|_| creator.create()).collect();
    members.iter().zip(&others).for_each(|(member, group)| member.join(group));
    let fill = || {
        if relay.metric("relay_groups", "") < 9.0 {
            creator.create();
        }
    };
    for limit in ["groups", "unjoined groups"] {
        scene.fires("RelayNearLimit", ("limit", limit), fill);
    }
    // For one of them there is room. A group too many is none: an empty one goes for it.
    let late = [(); 2].map(|()| Client::to(relay.address()));
    scene.fires("RelayFull", CRITICAL, || {
        late.iter().for_each(|client| drop(client.ask(format!("!JOIN {group}"))));
    });
    late.iter().for_each(|client| drop(client.ask(format!("!LEAVE {group}"))));
    for (member, group) in members.iter().zip(others.iter().chain([&group; 6])) {
        assert_eq!(member.ask(format!("!LEAVE {group}")), format!("OK LEFT {group}"));
    }
    scene.is_content(|| {});
}

/// Changes how many files a relay may have open: the soft limit, which can be raised again.
fn limit_files(relay: &Relay, files: usize) {
    let flags = ["--pid".to_owned(), relay.pid().to_string(), format!("--nofile={files}:")];
    assert!(Command::new("prlimit").args(flags).status().expect("prlimit runs").success());
}

pub fn clients_that_vanish(scene: &Scene) {
    let relay = scene.relay(&["--heartbeat=0.3", "--sweep=0.1"]);
    let group = Client::to(relay.address()).create();
    let members = [(); 30].map(|()| Client::to(relay.address()));
    scene.fires("RelayClientsVanished", CRITICAL, || {
        if relay.metric("relay_members", "") == 0.0 {
            members.iter().for_each(|member| member.join(&group));
        }
    });
    scene.is_content(|| {});
}

pub fn a_route_that_refuses(scene: &Scene) {
    let relay = scene.relay(&["--host", NEAR]);
    let near = |host: &str| Client::from(SocketAddr::new(host.parse().unwrap(), 0), relay.address());
    let [here, also_here] = [near(NEAR), near(NEAR)];
    let there = scene.cable.over_there(|| near(FAR));
    let group = here.create();
    [&here, &also_here, &there].iter().for_each(|client| client.join(&group));
    let speak = || {
        (0..20).for_each(|_| here.send("half of the copies go nowhere"));
        also_here.drain();
    };
    ip(&format!("route add prohibit {FAR}"));
    for severity in [WARNING, CRITICAL] {
        let alert = scene.watch.fires(scene.port, "RelayCopiesDropped", severity, speak);
        assert_eq!(alert.labels["reason"], "denied");
    }
    ip(&format!("route del prohibit {FAR}"));
    scene.is_content(speak);
}

/// Somebody lets the relay send to members who have not shown where they are, as much as it may.
pub fn forged_members(scene: &Scene) {
    let relay = scene.relay(&["--trust=none", "--unproved-egress=4096", "--heartbeat=1", "--sweep=0.1"]);
    let group = Client::to(relay.address()).create();
    let members = [(); 5].map(|()| Client::member(relay.address(), &group));
    let refresh = || members.iter().for_each(|member| member.send("!PING"));
    scene.fires("RelayGuarded", WARNING, || {
        (0..20).for_each(|_| members[0].send([b'x'; 500]));
        refresh();
    });
    scene.is_content(refresh);
}

/// Somebody tries group ids, more than a prefix may and more than an address.
pub fn guesses(scene: &Scene) {
    let relay = scene.relay(&["--trust=none"]);
    let guesser = Client::to(relay.address()).roomy();
    scene.fires("RelayGuessing", WARNING, || {
        (0..100).for_each(|_| guesser.send("!JOIN WRONG"));
        guesser.drain();
    });
    scene.is_content(|| {});
}

pub fn bursts_that_do_not_fit(scene: &Scene) {
    let relay = scene.relay(&["--receive-buffer=4096", "--shards=1"]);
    let members = group_of(&relay, 2);
    let burst = || {
        relay.pausing(|| (0..100).for_each(|_| members[0].send("one of many")));
        members[1].drain();
    };
    for severity in [WARNING, CRITICAL] {
        scene.fires("RelayKernelDrops", severity, burst);
    }
    let answer = eventually("somebody answers", || {
        members[0].send("!WHO");
        members[0].drain().pop()
    });
    assert!(answer.starts_with(b"OK WHO "));
    scene.is_content(|| {});
}

/// Each of a shard's sockets fills buffers at once; 16 of them fill all.
pub fn bursts_on_many_addresses(scene: &Scene) {
    let hosts: Vec<String> = (1..=16).map(|host| format!("127.0.0.{host}")).collect();
    let relay = scene.relay(&["--host", &hosts.join(","), "--shards=1", "--backend=uring"]);
    let clients: Vec<Client> = relay.addresses.iter().map(|address| Client::to(*address)).collect();
    let burst = || {
        relay.pausing(|| (0..200).for_each(|_| clients.iter().for_each(|client| client.send("!PING"))));
        clients.iter().for_each(|client| drop(client.drain()));
    };
    scene.fires("RelayNoBuffers", WARNING, burst);
    scene.is_content(|| {});
}
