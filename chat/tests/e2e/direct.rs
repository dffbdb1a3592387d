//! Two who talk without the relay.

use serde_json::json;

use crate::common::window::{CTRL_D, Window};
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

#[test]
fn what_is_typed_for_a_person_is_for_nobody_else_when_they_hang_up() {
    let relay = relay("none", "0");
    let (here, there) = (Home::new(), Home::new());
    let mut bob = there.talk(relay.address(), &["--name", "bob"]);
    let mut eve = there.talk(relay.address(), &["--name", "eve"]);
    for talker in [&mut bob, &mut eve] {
        talker.expect(&json!({ "type": "joined", "group": "LOBBY" }));
    }
    for (surface, text) in [(&[][..], "for all"), (&["--tui"], "and again")] {
        let mut command = here.chat(relay.address(), &[&["--name", "anna"], surface].concat());
        command.env("TERM", "xterm").env("NO_COLOR", "1");
        let mut window = Window::open(&command);
        let prompt = |prompt: &'static str| move |screen: &str| screen.trim_end().ends_with(prompt);
        window.wait_for_screen("the lobby", prompt("LOBBY>"));
        window.type_keys("/bridge bob\r");
        window.wait_for_screen("anna waits", |screen| screen.contains("waiting until bob"));
        bob.line("/bridge anna");
        window.wait_for_screen("the way", |screen| screen.contains("direct talk with bob"));
        window.type_keys("/direct\r");
        window.wait_for_screen("the person", prompt("bob>"));
        window.type_keys("only for");
        bob.expect(&json!({ "type": "direct_open" }));
        bob.line("/hangup");
        window.wait_for_screen("the end", |screen| screen.contains("what you type goes on to bob, now"));
        window.type_keys(" bob\r");
        bob.expect(&json!({ "type": "message", "text": "only for bob", "direct": false }));
        window.wait_for_screen("the person again", prompt("bob>"));
        window.type_keys("/direct\r");
        window.wait_for_screen("the lobby again", prompt("LOBBY>"));
        window.type_keys(&format!("{text}\r"));
        let heard = eve.hears_until(&json!({ "type": "text", "text": text }));
        assert_eq!(heard.iter().filter(|value| value["type"] == "text").count(), 1, "{heard:#?}");
        window.wait_for_screen("the next prompt", prompt("LOBBY>"));
        window.type_keys(CTRL_D);
        assert_eq!(window.exit_code(), 0);
    }
}
