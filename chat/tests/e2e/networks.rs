//! Two windows in networks of their own, with routers between them and the relay.

use serde_json::json;

use crate::common::namespace::alone;
use crate::common::process::Relay;
use crate::common::routers::{MIDDLE, Nat, Site, lay_net, nft, settle};
use crate::common::{eventually, ip};
use crate::talker::{Home, Talker, relay_at};

/// Anna's and Bob's windows, each behind a router, and the relay between them.
struct Stage {
    relay: Relay,
    /// Anna's, and Bob's.
    sites: [Site; 2],
    anna: Talker,
    bob: Talker,
    homes: [Home; 2],
}

impl Stage {
    fn build(nats: [Nat; 2]) -> Self {
        Self::with(nats, |_| {})
    }

    /// Something is done to the network of Anna's machine before she comes.
    fn with(nats: [Nat; 2], prepare: impl FnOnce(&Relay)) -> Self {
        lay_net();
        let relay = relay_at(MIDDLE, "20s");
        let sites = [Site::build(1, nats[0]), Site::build(2, nats[1])];
        sites[0].host.inside(|| prepare(&relay));
        let homes = [Home::new(), Home::new()];
        let enter =
            |at: usize, name| sites[at].host.inside(|| homes[at].talk(relay.address(), &["--name", name]));
        let (anna, bob) = (enter(0, "anna"), enter(1, "bob"));
        Self { relay, sites, anna, bob, homes }
    }

    /// Both have come in, Anna by this transport.
    #[track_caller]
    fn begin(&mut self, transport: &str) {
        self.anna.expect(&json!({ "type": "contact", "protocol": "extended", "transport": transport }));
        self.bob.expect(&json!({ "type": "contact", "protocol": "extended", "transport": "udp" }));
        for talker in [&mut self.anna, &mut self.bob] {
            talker.expect(&json!({ "type": "joined", "group": "LOBBY" }));
        }
    }

    /// Each hears the other, in the group and alone, by the names that they have had from the start.
    #[track_caller]
    fn talk(&mut self) {
        speak(&mut self.anna, "anna", &mut self.bob, "bob");
        speak(&mut self.bob, "bob", &mut self.anna, "anna");
    }

    fn bridge(&mut self) {
        self.anna.line("/bridge bob");
        self.anna.expect(&json!({ "type": "waiting", "name": "bob" }));
        self.bob.line("/bridge anna");
    }

    /// The relay has passed so many messages from one to another, and no more.
    #[track_caller]
    fn has_passed(&self, count: f64) {
        let delivered = || self.relay.metric("relay_messages_total", "outcome=\"delivered\"");
        // It publishes now and then.
        eventually("the last one is counted", || (delivered() >= count).then_some(()));
        assert_eq!(delivered(), count);
    }
}

#[track_caller]
fn speak(from: &mut Talker, one: &str, to: &mut Talker, other: &str) {
    from.line("hello all");
    to.expect(&json!({ "type": "text", "from": one, "group": "LOBBY", "text": "hello all" }));
    from.line(&format!("/msg {other} psst"));
    to.expect(&json!({ "type": "message", "from": one, "text": "psst" }));
    from.expect(&json!({ "type": "fate", "to": other, "fate": "delivered" }));
    from.line("who");
    from.expect(&json!({ "type": "members", "group": "LOBBY", "count": 2 }));
}

#[test]
fn behind_routers_that_keep_a_port_two_windows_talk_without_the_relay() {
    alone(|| {
        let mut stage = Stage::build([Nat::Cone, Nat::Cone]);
        stage.begin("udp");
        stage.bridge();
        // Where the other is as the net sees it, which is its router.
        let open = stage.anna.expect(&json!({ "type": "direct_open", "name": "bob" }));
        assert!(open["address"].as_str().unwrap().starts_with("10.7.0.3:"), "{open}");
        stage.bob.expect(&json!({ "type": "direct_open", "name": "anna" }));
        stage.anna.line("/direct");
        stage.anna.expect(&json!({ "type": "direct", "name": "bob" }));
        stage.anna.line("hello bob");
        stage.bob.expect(&json!({ "type": "message", "from": "anna", "text": "hello bob", "direct": true }));
        stage.anna.expect(&json!({ "type": "fate", "to": "bob", "fate": "delivered" }));
        stage.bob.line("/msg anna hello yourself");
        stage
            .anna
            .expect(&json!({ "type": "message", "from": "bob", "text": "hello yourself", "direct": true }));
        stage.bob.expect(&json!({ "type": "fate", "to": "anna", "fate": "delivered" }));
        stage.bob.line("/hangup");
        stage.anna.expect(&json!({ "type": "direct_closed", "reason": "theirs" }));
        stage.anna.line("/msg bob through the relay");
        stage.bob.expect(&json!({ "type": "message", "text": "through the relay", "direct": false }));
        stage.anna.expect(&json!({ "type": "fate", "to": "bob", "fate": "delivered" }));
        stage.has_passed(1.0);
    });
}

#[test]
fn behind_a_router_that_changes_the_port_they_go_on_through_the_relay() {
    alone(|| {
        let mut stage = Stage::build([Nat::Cone, Nat::Symmetric]);
        stage.begin("udp");
        stage.bridge();
        for (talker, other) in [(&mut stage.anna, "bob"), (&mut stage.bob, "anna")] {
            talker.expect(&json!({ "type": "punching", "name": other }));
            talker.expect(&json!({ "type": "direct_closed", "name": other, "reason": "no_way" }));
        }
        stage.anna.line("/direct");
        stage.anna.expect(&json!({ "type": "hint" }));
        for (one, other, text) in [("anna", "bob", "hello bob"), ("bob", "anna", "hello anna")] {
            let (from, to) = match one {
                "anna" => (&mut stage.anna, &mut stage.bob),
                _ => (&mut stage.bob, &mut stage.anna),
            };
            from.line(&format!("/msg {other} {text}"));
            to.expect(&json!({ "type": "message", "from": one, "text": text, "direct": false }));
            from.expect(&json!({ "type": "fate", "to": other, "fate": "delivered" }));
        }
        stage.has_passed(2.0);
    });
}

/// A firewall on a machine, which says no to who sends, or in silence keeps out what is answered.
fn walls(relay: &Relay) -> [String; 2] {
    let port = relay.address().port();
    [format!("output priority 0\n udp dport {port}"), format!("input priority 0\n udp sport {port}")]
        .map(|what| format!("table ip wall {{\n chain closed {{\n type filter hook {what} drop\n }}\n }}"))
}

#[test]
fn where_no_udp_gets_through_it_goes_by_tcp() {
    for which in 0..2 {
        alone(|| {
            let mut stage = Stage::with([Nat::Cone; 2], |relay| nft(&walls(relay)[which]));
            stage.begin("tcp");
            stage.talk();
            stage.anna.line("status");
            stage.anna.expect(&json!({ "type": "status", "transport": "tcp", "name": "anna" }));
        });
    }
}

#[test]
fn where_udp_is_stopped_in_the_middle_it_goes_on_by_tcp() {
    for which in 0..2 {
        alone(|| {
            let mut stage = Stage::build([Nat::Cone; 2]);
            stage.begin("udp");
            stage.talk();
            stage.sites[0].host.inside(|| nft(&walls(&stage.relay)[which]));
            stage.anna.line("/msg bob by another way");
            stage.anna.expect(&json!({ "type": "interrupted" }));
            stage.anna.expect(&json!({ "type": "fate", "to": "bob", "fate": "delivered" }));
            assert_eq!(stage.bob.messages_until("by another way").len(), 1);
            stage.anna.line("status");
            stage.anna.expect(&json!({ "type": "status", "transport": "tcp", "silent": false }));
            stage.talk();
            assert_eq!(stage.relay.metric("relay_sessions", ""), 2.0);
        });
    }
}

/// Both write while something becomes of Anna's address; what was written arrives once and in order.
fn move_anna(action: impl FnOnce(&Site) + Send) {
    alone(|| {
        let mut stage = Stage::build([Nat::Cone; 2]);
        stage.begin("udp");
        stage.talk();
        let write = |stage: &mut Stage, number: u32| {
            stage.anna.line(&format!("/msg bob {number}"));
            stage.bob.line(&format!("/msg anna {number}"));
        };
        (0..5).for_each(|number| write(&mut stage, number));
        action(&stage.sites[0]);
        (5..10).for_each(|number| write(&mut stage, number));
        let all: Vec<String> = (0..10).map(|number| number.to_string()).collect();
        assert_eq!(stage.bob.messages_until("9"), all);
        // Among what Anna hears is that she was away.
        assert_eq!(stage.anna.messages_until("9"), all);
        stage.talk();
        assert_eq!(stage.relay.metric("relay_sessions", ""), 2.0);
        let commands = |which| stage.relay.metric("relay_commands_total", &format!("command=\"{which}\""));
        // Shards publish now and then, each for itself; what both said last was said after any other HELLO.
        let is_counted = || commands("resume") > 0.0 && commands("hello") >= 4.0 && commands("send") >= 24.0;
        eventually("what was said is counted", || is_counted().then_some(()));
        // Each has said it once without a proof of where it is, and once with one.
        assert_eq!(commands("hello"), 4.0, "Anna goes on with her session");
    });
}

#[test]
fn a_machine_that_gets_another_address_goes_on() {
    move_anna(|site| {
        site.host.inside(|| {
            ip("addr del 192.168.1.2/24 dev eth");
            settle("192.168.1.3");
        });
    });
}

#[test]
fn a_router_that_gets_another_address_is_gone_on_behind() {
    // With the address it forgets what it has translated.
    move_anna(|site| {
        site.router.inside(|| {
            ip("addr del 10.7.0.2/24 dev wan");
            ip("addr add 10.7.0.42/24 dev wan");
        });
    });
}

#[test]
fn what_was_shown_is_not_shown_again_by_the_next_run() {
    alone(|| {
        let mut stage = Stage::build([Nat::Cone; 2]);
        stage.begin("udp");
        let Stage { relay, sites, mut anna, mut bob, homes } = stage;
        let port = relay.address().port();
        let no_acks = format!("udp dport {port} @th,64,32 0x2141434b drop comment \"!ACK\"");
        let rules = format!(
            "table ip wall {{\n chain acks {{\n type filter hook forward priority 0\n {no_acks}\n }}\n }}"
        );
        sites[1].router.inside(|| nft(&rules));
        anna.line("/msg bob once");
        bob.expect(&json!({ "type": "message", "text": "once" }));
        // Whoever has not acknowledged it counts as away.
        anna.expect(&json!({ "type": "fate", "number": 1, "fate": "stored" }));
        assert_eq!(bob.end(), 0);
        sites[1].router.inside(|| nft("delete table ip wall"));
        let mut bob = sites[1].host.inside(|| homes[1].talk(relay.address(), &["--name", "bob"]));
        bob.expect(&json!({ "type": "mail", "count": 1 }));
        anna.expect(&json!({ "type": "fate", "number": 1, "fate": "delivered" }));
        anna.line("/msg bob then");
        assert_eq!(bob.messages_until("then"), ["then"]);
    });
}

#[test]
fn a_machine_that_is_without_a_network_for_a_while_goes_on() {
    alone(|| {
        let mut stage = Stage::build([Nat::Cone; 2]);
        stage.begin("udp");
        stage.talk();
        stage.sites[0].host.inside(|| ip("addr del 192.168.1.2/24 dev eth"));
        stage.anna.line("/msg bob after all");
        stage.anna.expect(&json!({ "type": "interrupted" }));
        stage.anna.expect(&json!({ "type": "no_contact" }));
        stage.bob.line("/msg anna you, too");
        stage.bob.expect(&json!({ "type": "fate", "to": "anna", "fate": "stored" }));
        stage.sites[0].host.inside(|| settle("192.168.1.2"));
        // In any order: the shard that has her mail may be faster than the one that answers her.
        let mail = json!({ "type": "message", "text": "you, too" });
        let heard = stage.anna.expect_all(vec![json!({ "type": "resumed", "anew": false }), mail]);
        assert!(
            heard.iter().all(|object| object["type"] != "problem"),
            "the trouble was told before: {heard:#?}"
        );
        assert_eq!(heard.iter().filter(|object| object["type"] == "message").count(), 1);
        assert_eq!(stage.bob.messages_until("after all").len(), 1);
        stage.talk();
    });
}
