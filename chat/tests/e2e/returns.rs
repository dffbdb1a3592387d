//! A relay that is gone for a while, and another after it.

use serde_json::json;

use crate::common::window::{CTRL_D, UP, Window};
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

#[test]
fn what_was_typed_for_a_group_that_is_gone_goes_to_no_other() {
    let (here, there) = (Home::new(), Home::new());
    let first = relay("none", "0");
    let address = first.address();
    let mut bob = there.talk(address, &["--name", "bob"]);
    bob.expect(&json!({ "type": "joined", "group": "LOBBY" }));
    let mut carl = there.talk(address, &["--name", "carl"]);
    carl.line("create --join");
    let group = carl.expect(&json!({ "type": "created" }))["group"].as_str().unwrap().to_owned();
    carl.expect(&json!({ "type": "joined", "group": group }));
    let windows = [("anna", &[][..]), ("dora", &["--tui"])].map(|(name, surface)| {
        let arguments = [&["--name", name, "--join", &group], surface].concat();
        let mut command = here.chat(address, &arguments);
        command.env("TERM", "xterm").env("NO_COLOR", "1");
        let window = Window::open(&command);
        window.wait_for_screen("the group", |screen| screen.contains(&format!("{group}>")));
        window
    });
    drop(first);
    carl.expect(&json!({ "type": "interrupted" }));
    carl.line("held");
    carl.expect(&json!({ "type": "held", "text": "held" }));
    let windows = windows.map(|mut window| {
        window.wait_for_screen("the loss", |screen| screen.contains("is lost"));
        window.type_keys("held\r");
        window.wait_for_screen("what waits", |screen| screen.contains("waits until the relay answers: held"));
        window.type_keys("half");
        window
    });
    let _second = relay("none", &address.port().to_string());
    let hint = |text: &str| format!("not sent, you are in LOBBY now: {text}");
    carl.expect(&json!({ "type": "hint", "message": hint("held"), "text": "held" }));
    carl.line("for carl's group");
    carl.expect(&json!({ "type": "hint", "text": "for carl's group" }));
    bob.expect(&json!({ "type": "joined", "group": "LOBBY", "again": true }));
    for mut window in windows {
        window.wait_for_screen("what was held", |screen| screen.contains(&hint("held")));
        window.type_keys(" of it\r");
        let is_at_prompt = |screen: &str| screen.trim_end().ends_with("LOBBY>");
        window.wait_for_screen("what is given back", |screen| {
            screen.contains(&hint("half of it")) && is_at_prompt(screen)
        });
        // Once the prompt says so.
        window.type_keys(UP);
        window.type_keys(", sent\r");
        let heard = bob.hears_until(&json!({ "type": "text", "text": "half of it, sent" }));
        assert_eq!(heard.iter().filter(|value| value["type"] == "text").count(), 1, "{heard:#?}");
        window.wait_for_screen("the next prompt", is_at_prompt);
        window.type_keys(CTRL_D);
        assert_eq!(window.exit_code(), 0);
    }
}
