//! Who may speak at all, from which sources, and how fast.

use std::net::SocketAddr;

use crate::support::{Cable, Client, FAR, NEAR, Relay, RelayOptions, alone, each_backend, eventually, forge};

fn dropped(relay: &Relay, reason: &str) -> f64 {
    relay.metric("relay_dropped_packets_total", &format!("reason=\"{reason}\""))
}

#[test]
fn a_reload_ends_who_is_denied_and_nobody_else() {
    each_backend(|backend| {
        Cable::lay(|cable| {
            let folder = tempfile::tempdir().unwrap();
            let file = folder.path().join("relay.toml");
            std::fs::write(&file, "").unwrap();
            let flags = ["--host", "0.0.0.0", "--config", file.to_str().unwrap()];
            let relay = RelayOptions::new(backend).with(flags).start();
            let port = relay.address().port();
            let near = Client::from(
                SocketAddr::new(NEAR.parse().unwrap(), 0),
                (NEAR.parse::<std::net::IpAddr>().unwrap(), port).into(),
            );
            let far = cable.over_there(|| {
                Client::from(
                    SocketAddr::new(FAR.parse().unwrap(), 0),
                    (NEAR.parse::<std::net::IpAddr>().unwrap(), port).into(),
                )
            });
            let id = near.create();
            [&near, &far].iter().for_each(|client| client.join(&id));
            std::fs::write(&file, format!("deny = ['{FAR}']\n")).unwrap();
            relay.signal("HUP");
            eventually("the denied one is gone", || (relay.metric("relay_members", "") == 1.0).then_some(()));
            let ejected = || relay.metric("relay_group_events_total", "eject");
            eventually("it is counted", || (ejected() == 1.0).then_some(()));
            far.send("!PING");
            far.send("is anybody there?");
            eventually("it is not heard", || (dropped(&relay, "denied") == 2.0).then_some(()));
            assert!(far.has_nothing() && near.has_nothing());
            std::fs::write(&file, "").unwrap();
            relay.signal("HUP");
            eventually("it may come again", || {
                relay.log().iter().filter(|line| line.contains("was reloaded")).nth(1).map(drop)
            });
            far.join(&id);
            far.send("here I am");
            assert_eq!(near.hear(), "here I am");
        });
    });
}

#[test]
fn sources_that_no_host_has_are_dropped() {
    each_backend(|backend| {
        alone(|| {
            let relay = RelayOptions::new(backend).with(["--host", "127.0.0.1", "--host", "::1"]).start();
            let [v4, v6] = [relay.addresses[0], relay.addresses[1]];
            let mut sent = 0.0;
            // For 0.0.0.0 itself the kernel fills in an address of its own.
            for (source, to) in [("0.1.2.3", v4), ("224.0.0.1", v4), ("255.255.255.255", v4), ("::", v6)] {
                for text in ["!CREATE", "hello"] {
                    forge(SocketAddr::new(source.parse().unwrap(), 9009), to, text);
                    sent += 1.0;
                }
            }
            eventually("all are counted", || (dropped(&relay, "impossible_source") == sent).then_some(()));
            assert_eq!(
                (relay.metric("relay_groups", ""), relay.metric("relay_replies_total", "")),
                (0.0, 0.0)
            );
        });
    });
}

/// Linux lets such datagrams in from elsewhere. 127.0.0.1 is trusted, and a member by IPv4 must not be moved by IPv6.
#[test]
fn nobody_is_an_ipv4_host_by_ipv6() {
    each_backend(|backend| {
        Cable::lay(|cable| {
            let relay = RelayOptions::new(backend).with(["--host", NEAR, "--host", "fd09::1"]).start();
            let [v4, v6] = [relay.addresses[0], relay.addresses[1]];
            let talker = Client::from(SocketAddr::new("fd09::1".parse().unwrap(), 0), v6);
            let victim = cable.over_there(|| Client::from(SocketAddr::new(FAR.parse().unwrap(), 0), v4));
            let id = talker.create();
            [&talker, &victim].iter().for_each(|client| client.join(&id));
            let mut sent = 0.0;
            for (source, port) in [("::ffff:127.0.0.1", 9), ("::ffff:10.9.0.2", victim.address().port())] {
                let source = SocketAddr::new(source.parse().unwrap(), port);
                for text in ["!CREATE".into(), format!("!JOIN {id}"), "hello".into(), format!("!LEAVE {id}")]
                {
                    cable.over_there(|| forge(source, v6, text));
                    sent += 1.0;
                }
            }
            eventually("all are counted", || (dropped(&relay, "impossible_source") == sent).then_some(()));
            talker.send("still there?");
            assert_eq!(victim.hear(), "still there?");
            assert_eq!(talker.ask("!WHO"), format!("OK WHO {id} 2"));
            assert!(talker.has_nothing() && relay.metric("relay_groups", "") == 1.0);
        });
    });
}

#[test]
fn payloads_beyond_the_rate_are_dropped_and_counted() {
    each_backend(|backend| {
        let relay = RelayOptions::new(backend).with(["--max-rate", "40", "--gid-length", "20"]).start();
        let [hasty, listener] = [(); 2].map(|()| Client::to(relay.address()));
        let id = hasty.create();
        assert_eq!(id.len(), 20);
        [&hasty, &listener].iter().for_each(|client| client.join(&id));
        // Who has just come waits for its turn.
        let mut all = 1000.0;
        eventually("it may speak", || {
            hasty.send("may I?");
            all += 1.0;
            (!listener.drain().is_empty()).then_some(())
        });
        relay.pausing(|| (0..1000).for_each(|number: u32| hasty.send(number.to_string())));
        eventually("all are taken", || {
            let passed = relay.metric("relay_fanout_recipients_count", "");
            (passed + dropped(&relay, "max_rate") == all).then_some(())
        });
        // A quarter of a second's at once; a relay that takes them slowly lets some more pass.
        assert!(dropped(&relay, "max_rate") > 500.0);
        assert!(hasty.ask("!PING").starts_with("PONG"));
    });
}

/// Where a bind tells nothing, because it is allowed for any address.
#[test]
fn its_own_ipv6_addresses_are_known_despite_nonlocal_binds() {
    each_backend(|backend| {
        Cable::lay(|_| {
            std::fs::write("/proc/sys/net/ipv6/ip_nonlocal_bind", "1").unwrap();
            let relay = RelayOptions::new(backend).with(["--host", "::"]).start();
            let port = relay.address().port();
            let at = |ip: &str| SocketAddr::new(ip.parse().unwrap(), port);
            for source in ["::1", "fd09::1"] {
                forge(at(source), at("::1"), "!CREATE");
            }
            eventually("both are dropped", || (dropped(&relay, "own_address") == 2.0).then_some(()));
        });
    });
}
