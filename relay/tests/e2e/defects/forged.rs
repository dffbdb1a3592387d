//! Forged sources: port 0, and the relay's own addresses.

use std::net::{IpAddr, SocketAddr};

use super::{dropped, received};
use crate::support::{Client, Relay, RelayOptions, add_ipv6, alone, each_backend, eventually, forge, ip};

/// What somebody forges: commands, payloads, and what the relay itself says.
const DATAGRAMS: [&str; 7] =
    ["!CREATE", "!PING", "!JOIN", "payload", "OK JOINED X", "ERR BAD_CMD UnknownCommand", ""];

/// Sends everything from this source, and a join, and asserts that it is counted as this and changes nothing.
fn is_dropped(relay: &Relay, source: SocketAddr, to: SocketAddr, reason: &str) {
    let client = Client::to(to);
    let group = client.create();
    client.join(&group);
    let join = format!("!JOIN {group}");
    let before = (received(relay), dropped(relay, reason));
    let sent = DATAGRAMS.len() + 1;
    for datagram in DATAGRAMS.into_iter().chain([join.as_str()]) {
        forge(source, to, datagram);
    }
    eventually("all are dropped", || (dropped(relay, reason) == before.1 + sent as f64).then_some(()));
    client.send("to nobody");
    assert_eq!(client.ask("!WHO"), format!("OK WHO {group} 1"), "{source} became a member");
    assert!(client.has_nothing(), "{source} was heard");
    assert_eq!(client.ask(format!("!LEAVE {group}")), format!("OK LEFT {group}"));
    assert!(client.has_nothing());
}

fn at(host: &str, port: u16) -> SocketAddr {
    (host.parse::<IpAddr>().unwrap(), port).into()
}

#[test]
fn source_port_0_is_dropped_and_counted() {
    each_backend(|backend| {
        for (host, reached) in
            [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.2"), ("::1", "::1"), ("::", "::1")]
        {
            let relay = RelayOptions::new(backend).with(["--host", host]).start();
            let to = at(reached, relay.address().port());
            is_dropped(&relay, at(reached, 0), to, "source_port_zero");
            let v4 = if to.is_ipv4() { "127.8.8.8" } else { "::1" };
            is_dropped(&relay, at(v4, 0), to, "source_port_zero");
        }
    });
}

#[test]
fn the_relays_own_address_is_dropped_and_counted() {
    each_backend(|backend| {
        for host in ["127.0.0.1", "::1"] {
            let relay = RelayOptions::new(backend).with(["--host", host]).start();
            is_dropped(&relay, relay.address(), relay.address(), "own_address");
        }
    });
}

#[test]
fn each_of_several_addresses_is_the_relays_own() {
    each_backend(|backend| {
        let hosts = ["--host", "127.0.0.1", "--host", "127.0.0.2"];
        let relay = RelayOptions::new(backend).with(hosts).start();
        for source in &relay.addresses {
            for to in &relay.addresses {
                is_dropped(&relay, *source, *to, "own_address");
            }
        }
    });
}

/// Bound to one address, only that one is its own: who shares the port on another address is a client.
#[test]
fn another_address_with_the_same_port_is_a_client() {
    each_backend(|backend| {
        let relay = Relay::start(backend);
        let port = relay.address().port();
        let neighbour = Client::from(at("127.0.0.2", port), relay.address());
        let group = neighbour.create();
        neighbour.join(&group);
        assert_eq!(neighbour.ask("!WHO"), format!("OK WHO {group} 1"));
        assert_eq!(dropped(&relay, "own_address"), 0.0);
    });
}

#[test]
fn under_a_wildcard_every_local_address_is_the_relays_own() {
    each_backend(|backend| {
        alone(|| {
            ip("addr add 10.8.0.1/24 dev lo");
            add_ipv6("fd08::1/64", "lo");
            let both = ["--host", "0.0.0.0", "--host", "::"];
            let relay = RelayOptions::new(backend).with(both).start();
            let port = relay.address().port();
            for source in ["127.0.0.1", "127.0.0.2", "127.255.255.254", "10.8.0.1"] {
                for to in ["127.0.0.1", "127.0.0.2", "10.8.0.1"] {
                    is_dropped(&relay, at(source, port), at(to, port), "own_address");
                }
            }
            for source in ["::1", "fd08::1"] {
                for to in ["::1", "fd08::1"] {
                    is_dropped(&relay, at(source, port), at(to, port), "own_address");
                }
            }
        });
    });
}

#[test]
fn under_a_wildcard_an_address_that_comes_later_is_learned() {
    each_backend(|backend| {
        alone(|| {
            let relay = RelayOptions::new(backend).with(["--host", "0.0.0.0"]).start();
            let port = relay.address().port();
            ip("addr add 10.8.0.1/24 dev lo");
            relay.wait_for_log("the relay's own addresses have changed");
            is_dropped(&relay, at("10.8.0.1", port), at("10.8.0.1", port), "own_address");
            is_dropped(&relay, at("10.8.0.1", port), at("127.0.0.2", port), "own_address");
        });
    });
}
