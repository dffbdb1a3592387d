//! Two who are behind routers that translate addresses: where the way lets them they talk directly, else through the relay.

use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use super::Person;
use crate::support::{Backend, Client, MIDDLE, Nat, RelayOptions, Site, alone, each_backend, lay_net, nft};

fn enter(site: &Site, relay: SocketAddr, name: &str) -> Person {
    let person = site.host.inside(|| Person::of(Client::from(([0, 0, 0, 0], 0).into(), relay)));
    person.register(name);
    person
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

/// They hear each other although their routers let nothing through to the relay.
fn talk_walled_off(sites: &[Site; 2], [anna, bob]: [&Person; 2]) {
    let rule = format!("type filter hook forward priority 1\n ip daddr {MIDDLE} drop");
    let wall = format!("table ip wall {{\n chain onwards {{\n {rule}\n }}\n }}");
    sites.iter().for_each(|site| site.router.inside(|| nft(&wall)));
    anna.send("without the relay");
    assert_eq!(bob.hear_what("without"), "without the relay");
    sites.iter().for_each(|site| site.router.inside(|| nft("delete table ip wall")));
}

fn story(backend: Backend, nats: [Nat; 2], is_direct: bool) {
    alone(|| {
        lay_net();
        let sites = [Site::build(1, nats[0]), Site::build(2, nats[1])];
        let relay = RelayOptions::new(backend).with(["--host", MIDDLE]).start();
        let anna = enter(&sites[0], relay.address(), "anna");
        let bob = enter(&sites[1], relay.address(), "bob");
        assert_eq!(anna.ask("!BRIDGE bob"), "!OK BRIDGE WAITING");
        bob.send("!BRIDGE anna");
        let heard = punch([&anna, &bob]);
        assert_eq!(heard, [is_direct; 2]);
        if is_direct {
            talk_walled_off(&sites, [&anna, &bob]);
        }
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
