//! Two who talk without the relay.

use serde_json::json;

use crate::talker::{Home, relay};

#[test]
fn two_meet_talk_directly_and_hang_up() {
    let relay = relay("none", "0");
    let (here, there) = (Home::new(), Home::new());
    let mut anna = here.talk(relay.address(), &["--name", "anna"]);
    let mut bob = there.talk(relay.address(), &["--name", "bob"]);
    for talker in [&mut anna, &mut bob] {
        talker.expect(&json!({ "type": "registered" }));
    }
    anna.line("/bridge bob");
    anna.expect(&json!({ "type": "waiting", "name": "bob" }));
    bob.line("/bridge anna");
    anna.expect(&json!({ "type": "direct_open", "name": "bob" }));
    bob.expect(&json!({ "type": "direct_open", "name": "anna" }));
    // The relay is no part of it any more.
    relay.pausing(|| {
        for number in 1..=10 {
            anna.line(&format!("/direct {number}"));
            bob.expect(
                &json!({ "type": "message", "from": "anna", "text": number.to_string(), "direct": true }),
            );
            anna.expect(&json!({ "type": "fate", "number": number, "fate": "delivered" }));
        }
    });
    bob.line("/direct");
    bob.expect(&json!({ "type": "direct", "name": "anna" }));
    bob.line("straight");
    anna.expect(&json!({ "type": "message", "from": "bob", "text": "straight", "direct": true }));
    anna.line("/hangup");
    anna.expect(&json!({ "type": "direct_closed", "reason": "ours" }));
    bob.expect(&json!({ "type": "direct_closed", "reason": "theirs" }));
    anna.line("/msg bob through the relay");
    bob.expect(&json!({ "type": "message", "text": "through the relay", "direct": false }));
}
