//! Members who have not shown where they are, over a cable: nobody at its far end is trusted.

mod icmp;
mod stance;

use std::net::SocketAddr;

use crate::support::{Cable, Client, FAR, NEAR, Relay, RelayOptions, each_backend, eventually, forge, tick};

fn far(cable: &Cable, relay: &Relay) -> Client {
    let own = SocketAddr::new(FAR.parse().unwrap(), 0);
    cable.over_there(|| Client::from(own, relay.address()))
}

/// Asks for the group and shows the cookie that it is told.
#[track_caller]
fn join_with_proof(client: &Client, group: &str, divider: &str) {
    let told = client.ask(format!("!JOIN {group}"));
    let cookie = told.strip_prefix("ERR RETRY ").unwrap_or_else(|| panic!("{told}"));
    assert_eq!(client.ask(format!("!JOIN {group}{divider}{cookie}")), format!("OK JOINED {group}"));
}

#[test]
fn strict_sends_no_payload_to_who_has_not_shown_where_it_is() {
    Cable::lay(|cable| {
        each_backend(|backend| {
            let relay = RelayOptions::new(backend).with(["--host", NEAR, "--admission", "strict"]).start();
            let [creator, other, victim] = [(); 3].map(|()| far(cable, &relay));
            let group = creator.create();
            creator.join(&group);
            join_with_proof(&other, &group, ".");
            // Somebody joins and speaks in the name of another.
            cable.over_there(|| {
                for said in [
                    format!("!JOIN {group}"),
                    "payload".to_owned(),
                    format!("!JOIN {group} {}", "A".repeat(16)),
                ] {
                    forge(victim.address(), relay.address(), said);
                }
            });
            for text in ["one", "two", "three"] {
                creator.send(text);
                assert_eq!(other.hear(), text);
            }
            assert_eq!(creator.ask("!WHO"), format!("OK WHO {group} 2"));
            let heard = eventually("three answers", || {
                let heard = victim.drain();
                (!heard.is_empty()).then_some(heard)
            });
            let texts: Vec<_> = heard.iter().map(|bytes| String::from_utf8_lossy(bytes)).collect();
            assert!(texts.iter().all(|text| text.starts_with("ERR ")), "{texts:?}");
        });
    });
}

#[test]
fn in_peace_unmodified_clients_and_pure_listeners_notice_nothing() {
    Cable::lay(|cable| {
        let relay =
            RelayOptions::plain().with(["--host", NEAR, "--heartbeat", "0.5", "--sweep", "0.1"]).start();
        let [speaker, listener] = [(); 2].map(|()| far(cable, &relay));
        let group = far(cable, &relay).create();
        [&speaker, &listener].iter().for_each(|client| client.join(&group));
        for number in 0..40 {
            speaker.send(format!("{number}"));
            assert_eq!(listener.hear(), format!("{number}"));
            assert!(listener.ask("!PING").starts_with("PONG "));
            (0..5).for_each(|_| tick());
        }
        assert_eq!(relay.metric("relay_unproved_members", ""), 2.0);
        assert_eq!(relay.metric("relay_silent_unproved_members", ""), 0.0);
        assert_eq!(relay.metric("relay_admission_guarded", ""), 0.0);
        eventually("all that was sent to them is counted", || {
            (relay.metric("relay_unproved_egress_bytes_total", "") >= 40.0 * 29.0).then_some(())
        });
    });
}

#[test]
fn a_proved_member_is_not_limited_while_others_are_forged() {
    Cable::lay(|cable| {
        let flags = ["--host", NEAR, "--heartbeat", "1", "--unproved-egress", "4096", "--shards", "1"];
        let relay = RelayOptions::plain().with(flags).start();
        let [creator, victim] = [(); 2].map(|()| far(cable, &relay));
        let group = creator.create();
        creator.join(&group);
        cable.over_there(|| forge(victim.address(), relay.address(), format!("!JOIN {group}")));
        assert_eq!(victim.hear(), format!("OK JOINED {group}"));
        // All that the victim may get, and the alarm, once the grace of the start is over.
        eventually("the relay is guarded", || {
            (0..20).for_each(|_| creator.send([b'x'; 1000]));
            assert!(creator.ask("!PING").starts_with("PONG "));
            (relay.metric("relay_admission_guarded", "") == 1.0).then_some(())
        });
        assert_eq!(relay.metric("relay_admission_changes_total", "to=\"guarded\""), 1.0);
        let proved = far(cable, &relay);
        join_with_proof(&proved, &group, " ");
        victim.drain();
        for number in 0..200 {
            creator.send(format!("{number:01000}"));
            assert_eq!(proved.hear(), format!("{number:01000}"));
        }
        let got: usize = victim.drain().iter().map(|datagram| datagram.len() + 28).sum();
        let budget = 16 << 10;
        assert!(got <= budget, "the victim got {got}");
        eventually("what it did not get is counted", || {
            (relay.metric("relay_dropped_copies_total", "reason=\"unproved_") >= 100.0).then_some(())
        });
    });
}
