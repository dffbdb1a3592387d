//! Bound to a wildcard or to several addresses, the relay answers each client from the address that it reached.

use super::{Rover, at};
use crate::support::{Client, Relay, RelayOptions, add_ipv6, alone, each_backend};

const WILDCARD: [&str; 2] = ["--host", "0.0.0.0"];
const SEVERAL: [&str; 8] =
    ["--host", "127.0.0.1", "--host", "127.0.0.2", "--host", "127.0.0.3", "--host", "127.9.8.7"];

/// Connected sockets hear only what comes from the address that they are connected to.
fn answers_leave_from_where_they_were_asked(relay: &Relay) {
    let hosts = ["127.0.0.1", "127.0.0.2", "127.0.0.3", "127.9.8.7"];
    let relays = hosts.map(|host| at(host, relay.address().port()));
    let group = Client::to(relays[0]).create();
    let members: Vec<Client> =
        relays.iter().cycle().take(16).map(|&relay| Client::member(relay, &group)).collect();
    for (number, sender) in members.iter().enumerate() {
        for size in [1, 700, 4096] {
            let payload = vec![b'a' + number as u8; size];
            relay.pausing(|| (0..5).for_each(|_| sender.send(&payload)));
            for (_, member) in members.iter().enumerate().filter(|(other, _)| *other != number) {
                (0..5).for_each(|_| assert!(member.receive() == payload));
            }
        }
        for request in ["!PING", "!WHO", "!NONSENSE", "!JOIN NOSUCHGROUP", "!JOIN", "!LEAVE"] {
            sender.ask(request);
        }
    }
    members.iter().for_each(Client::assert_silence);
    assert_eq!(relay.metric("relay_members", ""), 16.0);
}

#[test]
fn answers_and_payloads_leave_from_the_address_that_was_reached() {
    each_backend(|backend| {
        for hosts in [&WILDCARD[..], &SEVERAL] {
            answers_leave_from_where_they_were_asked(
                &RelayOptions::new(backend).with(hosts.iter().copied()).start(),
            );
        }
    });
}

fn every_client_is_one(relay: &Relay) {
    let port = relay.address().port();
    let hosts = ["127.0.0.1", "127.0.0.2", "127.0.0.3"].map(|host| at(host, port));
    let creator = Client::to(hosts[0]);
    let group = creator.create();
    // Many, because each belongs to a shard by chance; kept, because a port that is used again is the same client.
    let rovers: Vec<Rover> = (0..16).map(|_| Rover::on("127.0.0.1")).collect();
    for (count, rover) in rovers.iter().enumerate() {
        assert_eq!(rover.ask(hosts[1], &format!("!JOIN {group}")), format!("OK JOINED {group}"));
        for host in hosts {
            assert_eq!(rover.ask(host, "!PING"), "PONG 60.0");
            assert_eq!(rover.ask(host, "!WHO"), format!("OK WHO {group} 1"), "client {count}");
        }
        // Payloads are its own, wherever it sends them, and its quota is one.
        hosts.iter().for_each(|&host| rover.send(host, "to nobody"));
        for host in hosts {
            assert!(rover.ask(host, "!CREATE").starts_with("OK CREATED "));
        }
        assert_eq!(rover.ask(hosts[0], "!CREATE"), "ERR CLIENT_LIMIT 3/3");
        assert_eq!(rover.ask(hosts[2], &format!("!LEAVE {group}")), format!("OK LEFT {group}"));
    }
}

#[test]
fn a_client_is_one_client_whichever_address_it_speaks_to() {
    each_backend(|backend| {
        for hosts in [&WILDCARD[..], &SEVERAL] {
            let flags = hosts.iter().copied().chain(["--shards", "4"]);
            every_client_is_one(&RelayOptions::new(backend).with(flags).start());
        }
    });
}

/// Payloads come from the address at which a client joined last.
#[test]
fn who_joins_again_elsewhere_is_sent_to_from_there() {
    each_backend(|backend| {
        let relay = RelayOptions::new(backend).with(["--host", "0.0.0.0"]).start();
        let [one, two] = ["127.0.0.1", "127.0.0.2"].map(|host| at(host, relay.address().port()));
        let sender = Client::to(one);
        let group = sender.create();
        sender.join(&group);
        let rover = Rover::on("127.0.0.1");
        for host in [two, one, two, two, one] {
            assert_eq!(rover.ask(host, &format!("!JOIN {group}")), format!("OK JOINED {group}"));
            sender.send("payload");
            assert_eq!(rover.hear(), ("payload".to_owned(), host));
        }
    });
}

#[test]
fn ipv6_too() {
    each_backend(|backend| {
        alone(|| {
            ["fd08::1/64", "fd08::2/64"].iter().for_each(|address| add_ipv6(address, "lo"));
            let relay = RelayOptions::new(backend).with(["--host", "::"]).start();
            let hosts = ["::1", "fd08::1", "fd08::2"].map(|host| at(host, relay.address().port()));
            let group = Client::to(hosts[0]).create();
            let rovers = [(); 6].map(|()| Rover::on("fd08::1"));
            for (number, rover) in rovers.iter().enumerate() {
                let host = hosts[number % 3];
                assert_eq!(rover.ask(host, &format!("!JOIN {group}")), format!("OK JOINED {group}"));
            }
            for sender in &rovers[..3] {
                relay.pausing(|| (0..5).for_each(|_| sender.send(hosts[0], "payload")));
            }
            for (number, rover) in rovers.iter().enumerate() {
                let count = if number < 3 { 10 } else { 15 };
                (0..count).for_each(|_| assert_eq!(rover.hear(), ("payload".to_owned(), hosts[number % 3])));
                assert_eq!(rover.ask(hosts[(number + 1) % 3], "!WHO"), format!("OK WHO {group} 6"));
            }
        });
    });
}
