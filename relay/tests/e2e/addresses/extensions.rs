//! A client is one client, whatever headers of IPv6 stand in front of its port.

use crate::support::{Client, RelayOptions, each_backend, eventually, forge_behind};

const DESTINATION_OPTIONS: u8 = 60;
const FRAGMENT: u8 = 44;
/// More than one per shard can be expected to reach the other one.
const CLIENTS: usize = 24;

#[test]
fn a_datagram_that_is_its_only_fragment_comes_from_its_sender() {
    each_backend(|backend| {
        let relay = RelayOptions::new(backend).with(["--host", "::1", "--shards", "2"]).start();
        let to = relay.address();
        let group = Client::to(to).create();
        for _ in 0..CLIENTS {
            let client = Client::member(to, &group);
            forge_behind(
                &[(FRAGMENT, [0, 0xff, 0, 0, 1, 2, 3, 4])],
                client.address(),
                to,
                format!("!LEAVE {group}"),
            );
            assert_eq!(client.hear(), format!("OK LEFT {group}"));
        }
    });
}

#[test]
fn a_client_cannot_be_another_one_in_another_shard() {
    each_backend(|backend| {
        let relay = RelayOptions::new(backend).with(["--host", "::1", "--shards", "2"]).start();
        let to = relay.address();
        let talker = Client::to(to);
        let (old, new) = (talker.create(), talker.create());
        talker.join(&new);
        let clients = [(); CLIENTS].map(|()| Client::member(to, &old));
        for client in &clients {
            let many = [(DESTINATION_OPTIONS, [0, 0, 1, 4, 0, 0, 0, 0]); 5];
            forge_behind(&many, client.address(), to, format!("!JOIN {new}"));
        }
        let dropped = || relay.metric("relay_dropped_packets_total", "reason=\"wrong_shard\"") as usize;
        let moved = || {
            let who = talker.ask("!WHO");
            who.rsplit(' ').next().unwrap().parse::<usize>().unwrap() - 1
        };
        eventually("each has moved, or is where it was", || (moved() + dropped() == CLIENTS).then_some(()));
        // By chance none is in 2^24 runs.
        assert!(dropped() > 0);
        assert_eq!(relay.metric("relay_members", ""), (CLIENTS + 1) as f64);
        talker.send("who has moved?");
        let mut heard = 0;
        eventually("each that has moved hears it", || {
            let all = clients.iter().flat_map(Client::drain);
            heard += all.filter(|text| text == b"who has moved?").count();
            (heard == moved()).then_some(())
        });
    });
}
