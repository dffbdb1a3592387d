//! Link-local IPv6 clients, whose address means something only together with an interface.

use std::net::{SocketAddr, SocketAddrV6};

use super::at;
use crate::support::{Cable, Client, RelayOptions, each_backend};

/// A link-local address on this interface of the calling thread's namespace.
fn on_link(host: &str, port: u16, interface: &str) -> SocketAddr {
    let index = nix::net::if_::if_nametoindex(interface).unwrap();
    SocketAddrV6::new(host.parse().unwrap(), port, 0, index).into()
}

#[test]
fn link_local_clients_are_members_like_others() {
    each_backend(|backend| {
        Cable::lay(|cable| {
            let relay = RelayOptions::new(backend).with(["--host", "::"]).start();
            let port = relay.address().port();
            let there = cable.over_there(|| {
                [(); 4].map(|()| {
                    Client::from(on_link("fe80::2", 0, "far"), on_link("fe80::1", port, "far")).roomy()
                })
            });
            let global = Client::from(at("fd09::1", 0), at("fd09::1", port));
            let here = Client::from(on_link("fe80::1", 0, "near"), on_link("fe80::1", port, "near"));
            let group = there[0].create();
            let members: Vec<&Client> = there.iter().chain([&global, &here]).collect();
            members.iter().for_each(|member| member.join(&group));
            for (number, sender) in members.iter().enumerate() {
                for size in [1, 600, 4096] {
                    let payload = vec![b'a' + number as u8; size];
                    relay.pausing(|| (0..5).for_each(|_| sender.send(&payload)));
                    for (_, member) in members.iter().enumerate().filter(|(other, _)| *other != number) {
                        (0..5).for_each(|_| assert!(member.receive() == payload, "{number}, {size} bytes"));
                    }
                }
                assert_eq!(sender.ask("!WHO"), format!("OK WHO {group} 6"));
            }
            members.iter().for_each(|member| member.assert_silence());
            assert_eq!(relay.metric("relay_dropped_copies_total", ""), 0.0);
        });
    });
}
