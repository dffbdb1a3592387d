//! JOIN, LEAVE and WHO: the order of their errors, the cap, and moving from group to group.

use super::{NO_SUCH_GROUP, NOT_IN_THAT_GROUP, NOT_JOINED};
use crate::support::{Client, Relay, RelayOptions, each_backend, eventually};

#[test]
fn replies_carry_the_canonical_id() {
    each_backend(|backend| {
        let relay = Relay::start(backend);
        let client = Client::to(relay.address());
        let group = client.create();
        let id = format!(" {} ", group.to_ascii_lowercase());
        // To join again is to be told the same.
        for _ in 0..3 {
            assert_eq!(client.ask(format!("!JOIN{id}")), format!("OK JOINED {group}"));
            assert_eq!(client.ask("!WHO"), format!("OK WHO {group} 1"));
        }
        assert_eq!(client.ask(format!("!LEAVE{id}")), format!("OK LEFT {group}"));
    });
}

#[test]
fn the_cap_is_checked_after_the_group_and_before_the_old_one_is_left() {
    each_backend(|backend| {
        let relay = RelayOptions::new(backend).with(["--cap", "2"]).start();
        let (a, b, c) =
            (Client::to(relay.address()), Client::to(relay.address()), Client::to(relay.address()));
        let (full, home) = (a.create(), a.create());
        a.join(&full);
        b.join(&full);
        c.join(&home);
        for id in [full.clone(), full.to_ascii_lowercase(), format!("  {full}\t")] {
            assert_eq!(c.ask(format!("!JOIN {id}")), format!("ERR GROUP_FULL {full}"));
        }
        // Who was refused stays where it was, and those who are in may join again.
        assert_eq!(c.ask("!WHO"), format!("OK WHO {home} 1"));
        assert_eq!(c.ask("!JOIN NOSUCHGROUP"), NO_SUCH_GROUP);
        assert_eq!(c.ask("!WHO"), format!("OK WHO {home} 1"));
        a.join(&full);
        b.join(&full);
        assert_eq!(a.ask("!WHO"), format!("OK WHO {full} 2"));
        let stranger = Client::to(relay.address());
        assert_eq!(stranger.ask(format!("!JOIN {full}")), format!("ERR GROUP_FULL {full}"));
        assert_eq!(stranger.ask("!WHO"), NOT_JOINED);
        // A place that is left is free, whether by leaving or by moving.
        b.join(&home);
        c.join(&full);
        assert_eq!(a.ask(format!("!LEAVE {full}")), format!("OK LEFT {full}"));
        stranger.join(&full);
        assert_eq!(stranger.ask("!WHO"), format!("OK WHO {full} 2"));
    });
}

#[test]
fn the_default_cap_is_128_and_none_lifts_it() {
    each_backend(|backend| {
        for (flags, members) in [(&[][..], 128), (&["--cap", "none"][..], 200)] {
            let relay = RelayOptions::new(backend).with(flags.iter().copied()).start();
            let group = Client::to(relay.address()).create();
            let all: Vec<Client> = (0..members).map(|_| Client::member(relay.address(), &group)).collect();
            let one_more = Client::to(relay.address()).ask(format!("!JOIN {group}"));
            let full = format!("ERR GROUP_FULL {group}");
            assert_eq!(one_more, if members == 128 { full } else { format!("OK JOINED {group}") });
            let expected = members + usize::from(members != 128);
            assert_eq!(all[0].ask("!WHO"), format!("OK WHO {group} {expected}"));
        }
    });
}

#[test]
fn joining_another_group_leaves_the_old_one_in_silence() {
    each_backend(|backend| {
        let relay = Relay::start(backend);
        let a = Client::to(relay.address());
        let (old, new) = (a.create(), a.create());
        let [stays, moves] = [(); 2].map(|()| Client::member(relay.address(), &old));
        let there = Client::member(relay.address(), &new);
        moves.join(&new);
        stays.assert_silence();
        there.assert_silence();
        assert_eq!(stays.ask("!WHO"), format!("OK WHO {old} 1"));
        assert_eq!(moves.ask("!WHO"), format!("OK WHO {new} 2"));
        stays.send("for the old group");
        there.send("for the new group");
        assert_eq!(moves.hear(), "for the new group");
        moves.send("from the one who moved");
        assert_eq!(there.hear(), "from the one who moved");
        stays.assert_silence();
        moves.assert_silence();
        // Others get no notice of somebody's leaving either.
        assert_eq!(moves.ask(format!("!LEAVE {old}")), NOT_IN_THAT_GROUP);
        assert_eq!(moves.ask(format!("!LEAVE {new}")), format!("OK LEFT {new}"));
        there.assert_silence();
        assert_eq!(there.ask("!WHO"), format!("OK WHO {new} 1"));
    });
}

#[test]
fn only_members_of_a_group_leave_it() {
    each_backend(|backend| {
        let relay = Relay::start(backend);
        let stranger = Client::to(relay.address());
        let (group, other) = (stranger.create(), stranger.create());
        let member = Client::member(relay.address(), &group);
        for id in [&group, &other, "NOSUCHGROUP"] {
            assert_eq!(stranger.ask(format!("!LEAVE {id}")), NOT_IN_THAT_GROUP);
        }
        for id in [&other, "NOSUCHGROUP"] {
            assert_eq!(member.ask(format!("!LEAVE {id}")), NOT_IN_THAT_GROUP);
        }
        assert_eq!(member.ask("!WHO"), format!("OK WHO {group} 1"));
        assert_eq!(member.ask(format!("!LEAVE {group}")), format!("OK LEFT {group}"));
        assert_eq!(member.ask(format!("!LEAVE {group}")), NOT_IN_THAT_GROUP);
        for request in ["!WHO", "!PING", "payload"] {
            assert_eq!(member.ask(request), NOT_JOINED);
        }
        member.join(&group);
    });
}

#[test]
fn who_counts_the_members_of_all_shards() {
    each_backend(|backend| {
        let relay = RelayOptions::new(backend).with(["--shards", "4"]).start();
        let group = Client::to(relay.address()).create();
        let mut members = Vec::new();
        for count in 1..=40 {
            members.push(Client::member(relay.address(), &group));
            assert_eq!(members[count / 2].ask("!WHO"), format!("OK WHO {group} {count}"));
        }
        let of_shard = |shard| relay.metric("relay_clients", &format!("shard=\"{shard}\""));
        eventually("the members are spread", || {
            let spread = [0, 1, 2, 3].map(of_shard);
            (spread.iter().sum::<f64>() == 40.0 && spread.iter().all(|&members| members > 0.0)).then_some(())
        });
        for left in (1..40).rev() {
            let leaver = members.pop().unwrap();
            assert_eq!(leaver.ask(format!("!LEAVE {group}")), format!("OK LEFT {group}"));
            assert_eq!(members[left / 2].ask("!WHO"), format!("OK WHO {group} {left}"));
        }
    });
}
