//! Names, presence, the group's talk, messages and mail.

use serde_json::json;

use crate::talker::{Home, relay};

#[test]
fn people_talk_in_a_group_and_to_each_other() {
    let relay = relay("none", "0");
    let (here, there) = (Home::new(), Home::new());
    let mut anna = here.talk(relay.address(), &["--name", "anna"]);
    anna.expect(&json!({ "type": "contact", "protocol": "extended", "transport": "udp" }));
    anna.expect(&json!({ "type": "registered", "name": "anna" }));
    anna.expect(&json!({ "type": "joined", "group": "LOBBY" }));
    let mut bob = there.talk(relay.address(), &["--name", "Bob"]);
    bob.expect(&json!({ "type": "joined", "group": "LOBBY" }));
    anna.expect(&json!({ "type": "presence", "name": "Bob", "news": "joined" }));
    bob.line("/peers");
    let people = bob.expect(&json!({ "type": "peers" }));
    assert_eq!(
        people["people"],
        json!([{ "name": "anna", "online": true }, { "name": "Bob", "online": true }])
    );
    bob.line("hello all");
    anna.expect(&json!({ "type": "text", "from": "Bob", "group": "LOBBY", "text": "hello all" }));
    bob.line("/text !not a command");
    anna.expect(&json!({ "type": "text", "from": "Bob", "text": "!not a command" }));
    anna.line("/msg bob  two  words");
    bob.expect(&json!({ "type": "message", "from": "anna", "text": " two  words", "direct": false }));
    anna.expect(&json!({ "type": "fate", "number": 1, "fate": "sent" }));
    anna.expect(&json!({ "type": "fate", "number": 1, "fate": "delivered" }));
    anna.line("/msg nobody hello");
    anna.expect(&json!({ "type": "fate", "number": 2, "fate": "no_such_name" }));
    anna.line("/dereg");
    anna.expect(&json!({ "type": "deregistered", "name": "anna" }));
    anna.line("is anybody there?");
    anna.expect(&json!({ "type": "hint" }));
    bob.expect(&json!({ "type": "presence", "name": "anna", "news": "offline" }));
}

#[test]
fn mail_waits_for_who_is_away_and_comes_with_the_name() {
    let relay = relay("none", "0");
    let (here, there) = (Home::new(), Home::new());
    let mut anna = here.talk(relay.address(), &["--name", "anna"]);
    anna.expect(&json!({ "type": "registered" }));
    let mut bob = there.talk(relay.address(), &["--name", "bob"]);
    bob.expect(&json!({ "type": "registered", "name": "bob" }));
    assert_eq!(bob.end(), 0);
    for number in 1..=20 {
        anna.line(&format!("/msg bob {number}"));
    }
    for number in 1..=20 {
        anna.expect(&json!({ "type": "fate", "number": number, "fate": "stored" }));
    }
    let mut bob = there.talk(relay.address(), &["--name", "bob"]);
    // How much it is may come behind the first of it.
    let last = json!({ "type": "message", "from": "anna", "text": "20" });
    let heard = bob.expect_all(vec![json!({ "type": "mail", "count": 20 }), last]);
    let texts =
        heard.iter().filter(|object| object["type"] == "message").map(|object| object["text"].clone());
    assert!(texts.eq((1..=20).map(|number| json!(number.to_string()))), "{heard:#?}");
    anna.expect(&json!({ "type": "fate", "number": 20, "fate": "delivered" }));
}

#[test]
fn a_name_is_its_owners_and_moves_with_the_claim() {
    let relay = relay("none", "0");
    let (here, there) = (Home::new(), Home::new());
    let mut anna = here.talk(relay.address(), &["--name", "anna"]);
    let claim = anna.expect(&json!({ "type": "registered" }))["claim"].as_str().unwrap().to_owned();
    let mut other = there.talk(relay.address(), &["--name", "Anna"]);
    other.expect(&json!({ "type": "name_taken" }));
    other.line(&format!("/reg Anna {claim}"));
    other.expect(&json!({ "type": "registered", "claim": claim.as_str() }));
    anna.expect(&json!({ "type": "name_moved" }));
    anna.line("/msg bob hello");
    anna.expect(&json!({ "type": "hint" }));
    // The claim was kept on the other machine, too.
    assert_eq!(other.end(), 0);
    let mut other = there.talk(relay.address(), &["--name", "anna"]);
    other.expect(&json!({ "type": "registered" }));
}

#[test]
fn who_gives_the_name_up_meanwhile_does_not_know_whether_a_message_arrived() {
    let relay = relay("none", "0");
    let (here, there) = (Home::new(), Home::new());
    let mut anna = here.talk(relay.address(), &["--name", "anna"]);
    anna.expect(&json!({ "type": "joined", "group": "LOBBY" }));
    let mut bob = there.talk(relay.address(), &["--name", "bob"]);
    bob.expect(&json!({ "type": "joined", "group": "LOBBY" }));
    bob.pausing(|| {
        anna.line("/msg bob on its way");
        anna.line("/msg bob behind it");
        anna.expect(&json!({ "type": "fate", "number": 1, "fate": "sent" }));
        anna.line("/dereg");
        anna.expect(&json!({ "type": "fate", "number": 1, "fate": "unknown" }));
        anna.expect(&json!({ "type": "fate", "number": 2, "fate": "not_registered" }));
    });
    assert_eq!(bob.messages_until("on its way"), ["on its way"]);
}

#[test]
fn who_is_refused_another_name_goes_on_under_its_own() {
    let relay = relay("none", "0");
    let (here, there) = (Home::new(), Home::new());
    let mut anna = here.talk(relay.address(), &["--name", "anna"]);
    anna.expect(&json!({ "type": "joined", "group": "LOBBY" }));
    let mut bob = there.talk(relay.address(), &["--name", "bob"]);
    bob.expect(&json!({ "type": "joined", "group": "LOBBY" }));
    anna.line("/reg bob");
    anna.expect(&json!({ "type": "name_taken", "name": "bob" }));
    anna.line("/status");
    anna.expect(&json!({ "type": "status", "name": "anna" }));
    anna.line("/msg bob hello");
    bob.expect(&json!({ "type": "message", "from": "anna", "text": "hello" }));
}

#[test]
fn people_who_come_by_tcp_and_by_udp_talk_to_each_other() {
    let relay = relay("none", "0");
    let (here, there) = (Home::new(), Home::new());
    let mut anna = here.talk(relay.address(), &["--name", "anna", "--transport", "tcp"]);
    anna.expect(&json!({ "type": "contact", "protocol": "extended", "transport": "tcp" }));
    anna.expect(&json!({ "type": "joined", "group": "LOBBY" }));
    let mut bob = there.talk(relay.address(), &["--name", "bob", "--transport", "udp"]);
    bob.expect(&json!({ "type": "joined", "group": "LOBBY" }));
    anna.line("/msg bob by the wire");
    bob.expect(&json!({ "type": "message", "from": "anna", "text": "by the wire" }));
    anna.expect(&json!({ "type": "fate", "number": 1, "fate": "delivered" }));
    bob.line("hello all");
    anna.expect(&json!({ "type": "text", "from": "bob", "text": "hello all" }));
    anna.line("/bridge bob");
    anna.expect(&json!({ "type": "refused", "request": "BRIDGE bob" }));
    relay.pausing(|| anna.expect(&json!({ "type": "interrupted" })));
    anna.expect(&json!({ "type": "resumed", "anew": false }));
}

/// Which signs beyond ASCII are no letters only the relay knows; it does not say which of two names it means.
#[test]
fn what_can_be_no_name_is_told_and_nothing_waits_for_it() {
    let relay = relay("none", "0");
    let home = Home::new();
    let mut anna = home.talk(relay.address(), &["--name", "anna"]);
    anna.expect(&json!({ "type": "registered", "name": "anna" }));
    for line in ["/bridge @bob", "/msg bob: hi", "/msg - hi"] {
        anna.line(line);
        anna.expect(&json!({ "type": "hint", "text": line }));
    }
    anna.line("/msg \u{bd} hi");
    anna.line("/bridge \u{bd}");
    anna.line("/msg nobody hi");
    anna.line("/bridge bob");
    anna.expect_all(vec![
        json!({ "type": "refused", "request": "BRIDGE \u{bd}", "answer": "ERR BAD_NAME" }),
        json!({ "type": "fate", "to": "\u{bd}", "fate": "refused" }),
        json!({ "type": "fate", "to": "nobody", "fate": "no_such_name" }),
        json!({ "type": "waiting", "name": "bob" }),
    ]);
}
