//! The relay's own ceilings: when it is full it says so, and whoever is in stays in.

use super::{NO_SUCH_GROUP, NOT_JOINED, SERVER_FULL};
use crate::support::{Client, RelayOptions, each_backend};

#[test]
fn a_relay_full_of_clients_takes_no_more() {
    each_backend(|backend| {
        let relay = RelayOptions::new(backend).with(["--max-clients", "2", "--cap", "2"]).start();
        let [a, b, c] = [(); 3].map(|()| Client::to(relay.address()));
        let (group, other) = (c.create(), c.create());
        a.join(&group);
        b.join(&group);
        assert_eq!(c.ask(format!("!JOIN {other}")), SERVER_FULL);
        assert_eq!(c.ask("!JOIN NOSUCHGROUP"), NO_SUCH_GROUP);
        assert_eq!(c.ask("!WHO"), NOT_JOINED);
        // Clients may move and join again, and creating takes no place.
        a.join(&group);
        b.join(&other);
        c.create();
        assert_eq!(c.ask(format!("!JOIN {group}")), SERVER_FULL);
        assert_eq!(a.ask(format!("!LEAVE {group}")), format!("OK LEFT {group}"));
        c.join(&group);
        assert_eq!(a.ask(format!("!JOIN {group}")), SERVER_FULL);
        assert_eq!(relay.metric("relay_members", ""), 2.0);
        assert_eq!(relay.metric("relay_clients_limit", ""), 2.0);
    });
}

#[test]
fn a_relay_full_of_groups_makes_no_more() {
    each_backend(|backend| {
        let relay =
            RelayOptions::new(backend).with(["--max-groups", "4", "--max-groups-per-client", "9"]).start();
        let client = Client::to(relay.address());
        let groups = [(); 4].map(|()| client.create());
        assert_eq!(client.ask("!CREATE"), SERVER_FULL);
        assert_eq!(Client::to(relay.address()).ask("!CREATE"), SERVER_FULL);
        groups.iter().for_each(|group| client.join(group));
        assert_eq!(client.ask("!CREATE"), SERVER_FULL);
        assert_eq!(relay.metric("relay_groups", ""), 4.0);
        assert_eq!(relay.metric("relay_groups_limit", ""), 4.0);
    });
}

#[test]
fn groups_that_nobody_joined_have_a_ceiling_of_their_own() {
    each_backend(|backend| {
        let flags = ["--max-unjoined-groups", "2", "--max-groups-per-client", "2"];
        let relay = RelayOptions::new(backend).with(flags).start();
        let [a, b] = [(); 2].map(|()| Client::to(relay.address()));
        let group = a.create();
        a.create();
        assert_eq!(b.ask("!CREATE"), SERVER_FULL);
        // The creator's own quota is told first: it is what the creator can do something about.
        assert_eq!(a.ask("!CREATE"), "ERR CLIENT_LIMIT 2/2");
        b.join(&group);
        assert_eq!(relay.metric("relay_unjoined_groups", ""), 1.0);
        b.create();
        assert_eq!(b.ask("!CREATE"), SERVER_FULL);
        assert_eq!(relay.metric("relay_unjoined_groups", ""), 2.0);
        assert_eq!(relay.metric("relay_unjoined_groups_limit", ""), 2.0);
    });
}
