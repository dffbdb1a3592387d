//! Two who are behind routers that translate addresses: where the way lets them they talk directly, else through the relay.

use std::fs::File;
use std::io::Write;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sched::{CloneFlags, setns, unshare};

use super::Person;
use crate::support::{Backend, Client, RelayOptions, alone, each_backend, ip};

/// The relay's address on the net between the routers.
const RELAY: &str = "10.7.0.1";

/// A network namespace.
struct Space(File);

impl Space {
    /// A new one; the thread stays where it is.
    fn new() -> Self {
        let here = Self::here();
        unshare(CloneFlags::CLONE_NEWNET).expect("network namespaces, which take root");
        ip("link set lo up");
        let new = Self::here();
        setns(&here.0, CloneFlags::CLONE_NEWNET).unwrap();
        new
    }

    fn here() -> Self {
        Self(File::open("/proc/thread-self/ns/net").unwrap())
    }

    /// Does something there; sockets that are made there stay there.
    fn inside<T>(&self, action: impl FnOnce() -> T) -> T {
        let here = Self::here();
        setns(&self.0, CloneFlags::CLONE_NEWNET).unwrap();
        let result = action();
        setns(&here.0, CloneFlags::CLONE_NEWNET).unwrap();
        result
    }

    /// A cable from `here` to `name` there.
    fn connect(&self, here: &str, name: &str) {
        let there = format!("/proc/{}/fd/{}", std::process::id(), self.0.as_raw_fd());
        ip(&format!("link add {here} type veth peer name {name} netns {there}"));
    }
}

/// A router with one host behind it.
struct Home {
    _router: Space,
    host: Space,
}

/// How a router translates.
#[derive(Clone, Copy)]
enum Nat {
    /// One port for a host's port, whoever is at the other end, if it is free.
    Cone,
    /// Another port for each other end.
    Symmetric,
}

impl Home {
    /// Number 1 and so on, joined to the net between all.
    fn build(number: u8, nat: Nat) -> Self {
        let (router, host) = (Space::new(), Space::new());
        let outside = format!("out{number}");
        router.connect(&outside, "wan");
        ip(&format!("link set {outside} master net up"));
        router.inside(|| {
            ip(&format!("addr add 10.7.0.{}/24 dev wan", number + 1));
            ip("link set wan up");
            host.connect("lan", "eth");
            ip("addr add 192.168.1.1/24 dev lan");
            ip("link set lan up");
            std::fs::write("/proc/sys/net/ipv4/ip_forward", "1").unwrap();
            rules(nat);
        });
        host.inside(|| {
            ip("addr add 192.168.1.2/24 dev eth");
            ip("link set eth up");
            ip("route add default via 192.168.1.1");
        });
        Self { _router: router, host }
    }

    fn person(&self, relay: SocketAddr, name: &str) -> Person {
        let person = self.host.inside(|| Person::of(Client::from(([0, 0, 0, 0], 0).into(), relay)));
        person.register(name);
        person
    }
}

/// What comes unasked is dropped, as home routers do it; so it takes no port of the translation either.
fn rules(nat: Nat) {
    let way = match nat {
        Nat::Cone => "masquerade",
        Nat::Symmetric => "masquerade random",
    };
    let rules = format!(
        "table ip nat {{
           chain out {{
             type nat hook postrouting priority 100
             oifname wan {way}
           }}
         }}
         table ip filter {{
           chain unasked {{
             type filter hook input priority 0
             iifname wan ct state new drop
           }}
           chain onwards {{
             type filter hook forward priority 0
             iifname wan ct state new drop
           }}
         }}"
    );
    let mut nft = Command::new("nft").args(["-f", "-"]).stdin(Stdio::piped()).spawn().expect("nft runs");
    nft.stdin.take().unwrap().write_all(rules.as_bytes()).unwrap();
    assert!(nft.wait().unwrap().success(), "{rules}");
}

/// Where the other is, and the nonce that both have.
fn peer_at(person: &Person) -> (SocketAddr, String) {
    let text = person.hear_what("!PEER_AT ");
    let words: Vec<&str> = text.split(' ').collect();
    let [_, _, ip, port, nonce] = words[..] else { panic!("{text}") };
    person.send(format!("!ACK PEER_AT {nonce}"));
    (SocketAddr::new(ip.parse().unwrap(), port.parse().unwrap()), nonce.to_owned())
}

/// Both punch as the protocol has it, for three seconds; who has heard the other by then.
fn punch(people: [&Person; 2]) -> [bool; 2] {
    let meetings = people.map(peer_at);
    assert_eq!(meetings[0].1, meetings[1].1, "both know the other by one nonce");
    let mut heard = [false; 2];
    people.iter().zip(&meetings).for_each(|(person, (address, _))| person.turn_to(*address));
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(3) && heard != [true; 2] {
        for (at, person) in people.iter().enumerate() {
            let punch = format!("!PUNCH {}", meetings[at].1);
            // A router may say that nobody is there yet.
            person.try_send(&punch);
            heard[at] |= person.drain().contains(&punch.into_bytes());
        }
        // The pause of the protocol between two tries.
        thread::sleep(Duration::from_millis(100));
    }
    heard
}

fn story(backend: Backend, nats: [Nat; 2], is_direct: bool) {
    alone(|| {
        ip("link add net type bridge");
        ip(&format!("addr add {RELAY}/24 dev net"));
        ip("link set net up");
        let homes = [Home::build(1, nats[0]), Home::build(2, nats[1])];
        let relay = RelayOptions::new(backend).with(["--host", RELAY]).start();
        let anna = homes[0].person(relay.address(), "anna");
        let bob = homes[1].person(relay.address(), "bob");
        assert_eq!(anna.ask("!BRIDGE bob"), "!OK BRIDGE WAITING");
        bob.send("!BRIDGE anna");
        let heard = punch([&anna, &bob]);
        assert_eq!(heard, [is_direct; 2]);
        // Through the relay it goes in any case.
        anna.turn_to(relay.address());
        bob.turn_to(relay.address());
        anna.send("!SEND bob m1 hello");
        assert_eq!(bob.message().3, "hello");
        assert_eq!(anna.hear_what("!DELIVERED"), "!DELIVERED bob m1");
    });
}

#[test]
fn behind_routers_that_keep_a_port_two_talk_directly() {
    each_backend(|backend| story(backend, [Nat::Cone, Nat::Cone], true));
}

#[test]
fn behind_routers_that_change_it_they_talk_through_the_relay() {
    each_backend(|backend| story(backend, [Nat::Symmetric, Nat::Symmetric], false));
}
