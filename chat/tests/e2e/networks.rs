//! Two windows in networks of their own, with routers between them and the relay.

use serde_json::json;

use crate::common::namespace::alone;
use crate::common::process::Relay;
use crate::common::routers::{MIDDLE, Nat, Site, lay_net};
use crate::talker::{Home, Talker, relay_at};

/// Anna's and Bob's windows, each behind a router, and the relay between them.
struct Stage {
    relay: Relay,
    _sites: [Site; 2],
    anna: Talker,
    bob: Talker,
    _homes: [Home; 2],
}

impl Stage {
    fn build(nats: [Nat; 2]) -> Self {
        lay_net();
        let relay = relay_at(MIDDLE, "2s");
        let sites = [Site::build(1, nats[0]), Site::build(2, nats[1])];
        let homes = [Home::new(), Home::new()];
        let enter = |at: usize, name| {
            let mut talker = sites[at].host.inside(|| homes[at].talk(relay.address(), &["--name", name]));
            talker.expect(&json!({ "type": "joined", "group": "LOBBY" }));
            talker
        };
        let (anna, bob) = (enter(0, "anna"), enter(1, "bob"));
        Self { relay, _sites: sites, anna, bob, _homes: homes }
    }

    fn bridge(&mut self) {
        self.anna.line("/bridge bob");
        self.anna.expect(&json!({ "type": "waiting", "name": "bob" }));
        self.bob.line("/bridge anna");
    }

    /// What the relay has counted of messages from one to another.
    fn messages(&self) -> f64 {
        self.relay.metric("relay_messages_total", "")
    }
}

#[test]
fn behind_routers_that_keep_a_port_two_windows_talk_without_the_relay() {
    alone(|| {
        let mut stage = Stage::build([Nat::Cone, Nat::Cone]);
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
        assert_eq!(stage.messages(), 0.0);
        // It does count those that it sees.
        stage.bob.line("/hangup");
        stage.anna.expect(&json!({ "type": "direct_closed", "reason": "theirs" }));
        stage.anna.line("/msg bob through the relay");
        stage.bob.expect(&json!({ "type": "message", "text": "through the relay", "direct": false }));
        stage.anna.expect(&json!({ "type": "fate", "to": "bob", "fate": "delivered" }));
        assert!(stage.messages() > 0.0);
    });
}

#[test]
fn behind_a_router_that_changes_the_port_they_go_on_through_the_relay() {
    alone(|| {
        let mut stage = Stage::build([Nat::Cone, Nat::Symmetric]);
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
        assert_eq!(stage.relay.metric("relay_messages_total", "outcome=\"delivered\""), 2.0);
    });
}
