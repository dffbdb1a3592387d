//! The relay's own ceilings: when it is full it says so, and whoever is in stays in.

use super::{NO_SUCH_GROUP, NOT_JOINED, SERVER_FULL};
use crate::support::{Client, RelayOptions, each_backend, eventually};

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
        let members = [(); 4].map(|()| Client::to(relay.address()));
        let groups = members.each_ref().map(|member| {
            let group = member.create();
            member.join(&group);
            group
        });
        assert_eq!(members[0].ask("!CREATE"), SERVER_FULL);
        assert_eq!(Client::to(relay.address()).ask("!CREATE"), SERVER_FULL);
        // A group that nobody is in any more makes room.
        assert_eq!(members[0].ask(format!("!LEAVE {}", groups[0])), format!("OK LEFT {}", groups[0]));
        members[0].create();
        assert_eq!(members[1].ask(format!("!JOIN {}", groups[0])), NO_SUCH_GROUP);
        assert_eq!(members[1].ask("!WHO"), format!("OK WHO {} 1", groups[1]));
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
        let evicted = || relay.metric("relay_group_events_total", "evict_group");
        [(); 2].iter().for_each(|()| drop(a.create()));
        // The creator's own quota is told first: it is what the creator can do something about.
        assert_eq!(a.ask("!CREATE"), "ERR CLIENT_LIMIT 2/2");
        // Another's makes one of them go.
        let group = b.create();
        eventually("one has gone", || (evicted() == 1.0).then_some(()));
        assert_eq!(relay.metric("relay_unjoined_groups", ""), 2.0);
        b.join(&group);
        assert_eq!(relay.metric("relay_unjoined_groups", ""), 1.0);
        b.create();
        assert_eq!(relay.metric("relay_unjoined_groups", ""), 2.0);
        assert_eq!(relay.metric("relay_unjoined_groups_limit", ""), 2.0);
    });
}
