//! A relay that is gone for a while, and another after it.

use serde_json::json;

use crate::talker::{Home, relay};

#[test]
fn who_was_there_is_there_again_when_the_relay_is() {
    let data = tempfile::tempdir().unwrap();
    let data = data.path().to_str().unwrap();
    let (here, there) = (Home::new(), Home::new());
    let first = relay(data, "0");
    let address = first.address();
    let mut anna = here.talk(address, &["--name", "anna"]);
    let mut bob = there.talk(address, &["--name", "bob"]);
    for talker in [&mut anna, &mut bob] {
        talker.expect(&json!({ "type": "joined", "group": "LOBBY" }));
    }
    drop(first);
    anna.expect(&json!({ "type": "interrupted" }));
    anna.line("/msg bob after all");
    let _second = relay(data, &address.port().to_string());
    anna.expect(&json!({ "type": "resumed", "anew": true }));
    anna.expect(&json!({ "type": "registered", "name": "anna", "again": true }));
    bob.expect(&json!({ "type": "message", "from": "anna", "text": "after all" }));
    anna.expect(&json!({ "type": "fate", "number": 1, "fate": "delivered" }));
}

#[test]
fn a_relay_that_stood_still_keeps_the_session() {
    let relay = relay("none", "0");
    let home = Home::new();
    let mut anna = home.talk(relay.address(), &["--name", "anna"]);
    anna.expect(&json!({ "type": "joined", "group": "LOBBY" }));
    relay.pausing(|| anna.expect(&json!({ "type": "interrupted" })));
    anna.expect(&json!({ "type": "resumed", "anew": false }));
    anna.line("who");
    anna.expect(&json!({ "type": "members", "group": "LOBBY", "count": 1 }));
    anna.line("status");
    anna.expect(&json!({ "type": "status", "name": "anna", "group": "LOBBY", "silent": false }));
}
