//! IPv4 and IPv6, alone and side by side.

use std::net::UdpSocket;

use super::{Rover, at};
use crate::support::{Client, RelayOptions, each_backend, eventually};

#[test]
fn ipv6_alone() {
    each_backend(|backend| {
        for (host, reached) in [("::1", "::1"), ("::", "::1"), ("[::1]", "::1")] {
            let relay = RelayOptions::new(backend).with(["--host", host]).start();
            let address = at(reached, relay.address().port());
            let [a, b] = [(); 2].map(|()| Client::to(address));
            let group = a.create();
            a.join(&group);
            b.join(&group);
            a.send("over IPv6");
            assert_eq!(b.hear(), "over IPv6");
            a.assert_silence();
            assert_eq!(b.ask("!WHO"), format!("OK WHO {group} 2"));
        }
    });
}

#[test]
fn members_of_both_families_are_in_one_group() {
    each_backend(|backend| {
        for hosts in [["--host", "127.0.0.1", "--host", "::1"], ["--host", "0.0.0.0", "--host", "::"]] {
            let relay = RelayOptions::new(backend).with(hosts).start();
            let [v4, v6] = [0, 1].map(|host| relay.addresses[host].port());
            assert_eq!(v4, v6);
            let (v4, v6) = (at("127.0.0.1", v4), at("::1", v6));
            let group = Client::to(v4).create();
            let members: Vec<Client> = [v4, v6]
                .into_iter()
                .cycle()
                .take(12)
                .map(|address| Client::member(address, &group))
                .collect();
            for (number, sender) in members.iter().enumerate() {
                sender.send(format!("from {number}"));
                for (_, member) in members.iter().enumerate().filter(|(other, _)| *other != number) {
                    assert_eq!(member.hear(), format!("from {number}"));
                }
                assert_eq!(sender.ask("!WHO"), format!("OK WHO {group} 12"));
            }
            members.iter().for_each(Client::assert_silence);
        }
    });
}

/// `::` is IPv6 only: IPv4 has its own socket or none.
#[test]
fn the_ipv6_wildcard_does_not_serve_ipv4() {
    each_backend(|backend| {
        let relay = RelayOptions::new(backend).with(["--host", "::"]).start();
        let v4 = UdpSocket::bind(at("127.0.0.1", 0)).unwrap();
        v4.connect(at("127.0.0.1", relay.address().port())).unwrap();
        eventually("the port is closed", || v4.send(b"!CREATE").err());
        assert_eq!(relay.metric("relay_received_packets_total", ""), 0.0);
    });
}

/// The same port on both families is two clients.
#[test]
fn a_client_is_its_address_and_port() {
    each_backend(|backend| {
        let relay = RelayOptions::new(backend).with(["--host", "0.0.0.0", "--host", "::"]).start();
        let port = relay.address().port();
        let v4 = Rover::on("127.0.0.1");
        let other_v4 =
            Client::from(at("127.0.0.2", v4.0.local_addr().unwrap().port()), at("127.0.0.1", port));
        let v6 = Client::from(at("::1", v4.0.local_addr().unwrap().port()), at("::1", port));
        let group = other_v4.create();
        for members in 1..=3 {
            match members {
                1 => assert_eq!(
                    v4.ask(at("127.0.0.1", port), &format!("!JOIN {group}")),
                    format!("OK JOINED {group}")
                ),
                2 => other_v4.join(&group),
                _ => v6.join(&group),
            }
            assert_eq!(v4.ask(at("127.0.0.1", port), "!WHO"), format!("OK WHO {group} {members}"));
        }
    });
}
