//! Forged sources: port 0, and the relay's own addresses.

use std::net::{IpAddr, SocketAddr};

use super::{dropped, received};
use crate::protocol::NOT_JOINED;
use crate::support::{
    Cable, Client, FAR, NEAR, Relay, RelayOptions, add_ipv6, alone, each_backend, eventually, forge, ip,
};

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
fn under_a_wildcard_an_address_that_comes_later_is_the_relays_own() {
    each_backend(|backend| {
        alone(|| {
            let relay = RelayOptions::new(backend).with(["--host", "0.0.0.0"]).start();
            let port = relay.address().port();
            ip("addr add 10.8.0.1/24 dev lo");
            // Nobody has these, but they all lead here.
            ip("route add local 10.7.0.0/16 dev lo");
            for source in ["10.8.0.1", "10.7.0.1", "10.7.99.99"] {
                for to in ["10.8.0.1", "127.0.0.2", "10.7.1.1"] {
                    is_dropped(&relay, at(source, port), at(to, port), "own_address");
                }
            }
        });
    });
}

/// Where a bind tells nothing, because it is allowed for any address.
#[test]
fn under_a_wildcard_the_relays_own_is_known_despite_nonlocal_binds() {
    each_backend(|backend| {
        Cable::lay(|cable| {
            std::fs::write("/proc/sys/net/ipv4/ip_nonlocal_bind", "1").unwrap();
            let relay = RelayOptions::new(backend).with(["--host", "0.0.0.0"]).start();
            let port = relay.address().port();
            for source in ["127.0.0.1", "127.0.0.2", NEAR] {
                is_dropped(&relay, at(source, port), at("127.0.0.1", port), "own_address");
                is_dropped(&relay, at(source, port), at(NEAR, port), "own_address");
            }
            let far = cable.over_there(|| Client::from(at(FAR, port), at(NEAR, port)));
            assert_eq!(far.ask("!WHO"), NOT_JOINED);
        });
    });
}

/// A client elsewhere may have the relay's own port.
#[test]
fn under_a_wildcard_another_machine_with_the_same_port_is_a_client() {
    each_backend(|backend| {
        Cable::lay(|cable| {
            for (host, near, far) in [("0.0.0.0", NEAR, FAR), ("::", "fd09::1", "fd09::2")] {
                let relay = RelayOptions::new(backend).with(["--host", host]).start();
                let port = relay.address().port();
                let there = cable.over_there(|| Client::from(at(far, port), at(near, port)));
                let here = Client::from(at(near, 0), at(near, port));
                let group = there.create();
                [&there, &here].iter().for_each(|client| client.join(&group));
                there.send("from there");
                assert_eq!(here.hear(), "from there");
                here.send("from here");
                assert_eq!(there.hear(), "from here");
            }
        });
    });
}
