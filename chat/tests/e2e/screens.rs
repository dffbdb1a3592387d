//! The prompt and the full screen, as people see them.

use std::num::NonZero;

use serde_json::json;

use crate::common::window::{CTRL_D, Window};
use crate::talker::{Home, relay};

#[test]
fn names_are_completed_at_the_prompt() {
    let relay = relay("none", "0");
    let (here, there) = (Home::new(), Home::new());
    let mut bob = there.talk(relay.address(), &["--name", "bobby"]);
    bob.expect(&json!({ "type": "joined", "group": "LOBBY" }));
    let mut command = here.chat(relay.address(), &["--name", "anna"]);
    command.env("TERM", "xterm").env("NO_COLOR", "1");
    let mut window = Window::open(&command);
    window.wait_for_screen("the lobby", |screen| screen.contains("joined LOBBY"));
    bob.expect(&json!({ "type": "presence", "name": "anna" }));
    bob.line("/msg anna hello");
    window.wait_for_screen("the message", |screen| screen.contains("< bobby (to you): hello"));
    window.type_keys("/m\tbo\t");
    window.wait_for_screen("the name", |screen| screen.contains("/msg bobby"));
    window.type_keys("hi\r");
    bob.expect(&json!({ "type": "message", "from": "anna", "text": "hi" }));
    window.wait_for_screen("the mark", |screen| screen.contains("#1 to bobby: delivered"));
    window.type_keys(CTRL_D);
    assert_eq!(window.exit_code(), 0);
}

#[test]
fn the_full_screen_shows_people_rooms_and_marks() {
    let relay = relay("none", "0");
    let (here, there) = (Home::new(), Home::new());
    let mut bob = there.talk(relay.address(), &["--name", "bob"]);
    bob.expect(&json!({ "type": "joined", "group": "LOBBY" }));
    let mut command = here.chat(relay.address(), &["--name", "anna", "--tui"]);
    command.env("TERM", "xterm");
    let mut window = Window::open(&command);
    window.wait_for_screen("the status", |screen| {
        screen.contains("LOBBY") && screen.contains("extended, UDP") && screen.contains("| anna")
    });
    bob.line("hello all");
    window.wait_for_screen("the group's talk", |screen| screen.contains("< bob: hello all"));
    bob.line("/msg anna psst");
    window.wait_for_screen("what is not seen", |screen| screen.contains("bob (1)"));
    // Ctrl-N: the room of bob.
    window.type_keys("\x0e");
    window.wait_for_screen("the room", |screen| {
        screen.contains("bob (to you): psst") && !screen.contains("bob (1)")
    });
    window.type_keys("hello b\x08bob\r");
    bob.expect(&json!({ "type": "message", "from": "anna", "text": "hello bob" }));
    window.wait_for_screen("the mark", |screen| screen.contains("you: hello bob  [delivered]"));
    assert!(!window.edits_lines_itself());
    window.type_keys(CTRL_D);
    assert_eq!(window.exit_code(), 0);
    assert!(window.edits_lines_itself());
}

#[test]
fn who_has_no_name_sees_the_people_too() {
    let relay = relay("none", "0");
    let (here, there) = (Home::new(), Home::new());
    let mut bob = there.talk(relay.address(), &["--name", "bob"]);
    bob.expect(&json!({ "type": "joined", "group": "LOBBY" }));
    // Wide enough for the people.
    let columns = NonZero::new(80).unwrap();
    let mut window = Window::as_wide_as(columns, &here.chat(relay.address(), &["--tui", "--join", "LOBBY"]));
    window.wait_for_screen("who is here", |screen| {
        screen.contains("1 here") && screen.contains("\u{25cf} bob")
    });
    let mut prompt = Window::open(&here.chat(relay.address(), &["--join", "LOBBY"]));
    prompt.wait_for_screen("the lobby", |screen| screen.contains("LOBBY> "));
    let mut carl = there.talk(relay.address(), &["--name", "carl"]);
    carl.expect(&json!({ "type": "joined", "group": "LOBBY" }));
    window.wait_for_screen("who has come", |screen| {
        screen.contains("2 here") && screen.contains("* carl has joined")
    });
    prompt.wait_for_screen("the same", |screen| screen.contains("* carl has joined"));
    for window in [&mut window, &mut prompt] {
        window.type_keys(CTRL_D);
        assert_eq!(window.exit_code(), 0);
    }
}
