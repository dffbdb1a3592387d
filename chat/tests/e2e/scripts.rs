//! What is done under a name in scripts.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use serde_json::json;

use crate::talker::{Home, relay};

#[test]
fn a_name_is_registered_used_and_given_up() {
    let relay = relay("none", "0");
    let (here, there, server) = (Home::new(), Home::new(), relay.address());
    let (code, claim, _) = here.run(server, &["reg", "anna"]);
    assert_eq!((code, claim.trim().len()), (0, 26));
    assert_eq!(here.run(server, &["reg", "anna"]).1, claim, "the same claim as ever");
    let (code, _, problem) = there.run(server, &["reg", "anna"]);
    assert_eq!(code, 1);
    assert!(problem.contains("somebody else's name"), "{problem}");
    assert_eq!(there.run(server, &["reg", "anna", "--claim", claim.trim()]).0, 0);
    let (code, _, problem) = here.run(server, &["reg", "no name"]);
    assert_eq!(code, 2, "{problem}");
    let (code, output, _) = here.run(server, &["dereg", "anna"]);
    assert_eq!((code, output.as_str()), (0, ""));
}

#[test]
fn a_message_is_delivered_stored_or_neither() {
    let relay = relay("none", "0");
    let (here, there, server) = (Home::new(), Home::new(), relay.address());
    assert_eq!(here.run(server, &["send", "bob", "hello"]).0, 1, "who sends has to have a name");
    assert_eq!(here.run(server, &["reg", "anna"]).0, 0);
    let (code, output, problem) = here.run(server, &["send", "bob", "hello"]);
    assert_eq!((code, output.as_str()), (3, ""));
    assert!(problem.contains("nobody is called so"), "{problem}");
    let mut bob = there.talk(server, &["--name", "bob"]);
    bob.expect(&json!({ "type": "joined", "group": "LOBBY" }));
    let sent = here.run(server, &["send", "bob", "hello", "there"]);
    assert_eq!((sent.0, sent.1.as_str()), (0, "delivered\n"), "{}", sent.2);
    bob.expect(&json!({ "type": "message", "from": "anna", "text": "hello there" }));
    let sent = here.run(server, &["send-all", "hello all"]);
    assert_eq!(sent.0, 0, "{}", sent.2);
    bob.expect(&json!({ "type": "text", "from": "anna", "text": "hello all" }));
    assert_eq!(bob.end(), 0);
    let sent = here.run(server, &["send", "bob", "later"]);
    assert_eq!((sent.0, sent.1.as_str()), (0, "stored\n"), "{}", sent.2);
    // A script takes no mail away.
    assert_eq!(there.run(server, &["send", "--name", "bob", "anna", "x"]).0, 0);
    let mut bob = there.talk(server, &["--name", "bob"]);
    bob.expect(&json!({ "type": "message", "from": "anna", "text": "later" }));
}

#[test]
fn scripts_leave_nobody_behind_in_the_lobby() {
    let relay = relay("none", "0");
    let (here, there, server) = (Home::new(), Home::new(), relay.address());
    let mut bob = there.talk(server, &["--name", "bob"]);
    bob.expect(&json!({ "type": "joined", "group": "LOBBY" }));
    for arguments in
        [&["reg", "anna"][..], &["send", "bob", "hello"], &["send-all", "hello"], &["dereg", "anna"]]
    {
        let (code, _, problem) = here.run(server, arguments);
        assert_eq!(code, 0, "{arguments:?}: {problem}");
        bob.line("who");
        let members = bob.expect(&json!({ "type": "members", "group": "LOBBY" }));
        assert_eq!(members["count"], 1, "{arguments:?}");
    }
}

#[test]
fn nobody_there_is_told_in_time() {
    let relay = relay("none", "0");
    let (home, server) = (Home::new(), relay.address());
    assert_eq!(home.run(server, &["reg", "anna"]).0, 0);
    drop(relay);
    let (code, _, problem) = home.run(server, &["send", "bob", "hello", "--timeout", "5s"]);
    assert_eq!(code, 5);
    assert!(problem.contains("nobody listens at"), "{problem}");
}

#[test]
fn a_relay_without_a_lobby_is_asked_for_a_group() {
    use crate::common::process::{Backend, RelayOptions};
    let relay = RelayOptions::new(Backend::Mmsg).with(["--data-dir", "none"]).start();
    let (home, server) = (Home::new(), relay.address());
    let (code, _, problem) = home.run(server, &["send-all", "--name", "anna", "hello"]);
    assert_eq!(code, 1);
    assert!(problem.contains("no lobby"), "{problem}");
}

#[test]
fn what_is_sent_in_a_name_keeps_its_claim_and_does_not_tell_it() {
    let relay = relay("none", "0");
    let (home, server) = (Home::new(), relay.address());
    for name in ["anna", "bob"] {
        let (code, output, problem) =
            home.run(server, &["send", "--group", "LOBBY", "--name", name, "hello"]);
        assert_eq!((code, output.as_str(), problem.as_str()), (0, "", ""));
        let (code, output, _) = home.run(server, &["send-all", "--json", "--name", name, "hello"]);
        assert!(code == 0 && output.contains("\"sent\"") && !output.contains("claim"), "{output}");
        let (code, claim, _) = home.run(server, &["reg", name]);
        assert_eq!((code, claim.trim().len()), (0, 26), "it is still ours");
        // On a machine that keeps nothing, it is enough.
        let mut command = home.chat(server, &["send", "--name", name, "--claim", claim.trim(), name, "hi"]);
        let output = command.env_remove("HOME").env_remove("XDG_STATE_HOME").output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{output:?}");
    }
}

#[test]
fn a_line_behind_a_name_goes_to_the_lobby() {
    let relay = relay("none", "0");
    let (here, there, server) = (Home::new(), Home::new(), relay.address());
    let mut bob = there.talk(server, &["--name", "bob"]);
    bob.expect(&json!({ "type": "joined", "group": "LOBBY" }));
    for number in 0..10 {
        let text = format!("hello {number}");
        let mut anna = here.talk(server, &["--name", "anna"]);
        anna.line(&text);
        assert_eq!(anna.end(), 0);
        bob.expect(&json!({ "type": "text", "from": "anna", "text": text }));
    }
}

#[test]
fn a_relay_that_starts_meanwhile_is_waited_for() {
    let data = tempfile::tempdir().unwrap();
    let data = data.path().to_str().unwrap();
    let (home, first) = (Home::new(), relay(data, "0"));
    let server = first.address();
    for name in ["anna", "bob"] {
        assert_eq!(home.run(server, &["reg", name]).0, 0);
    }
    drop(first);
    let begin = |arguments: &[&str]| {
        let mut command = home.chat(server, arguments);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut problem = String::new();
        BufReader::new(child.stderr.as_mut().unwrap()).read_line(&mut problem).unwrap();
        assert!(problem.contains("nobody listens at"), "{problem}");
        child
    };
    let children = [
        &["send", "--name", "anna", "bob", "hello"][..],
        &["send", "--group", "LOBBY", "hello"],
        &["send-all", "--name", "bob", "hello"],
        &["reg", "carl"],
        &["create"],
        &["listen", "--group", "LOBBY", "--timeout", "10s"],
    ]
    .map(begin);
    let _second = relay(data, &server.port().to_string());
    for mut child in children {
        assert_eq!(child.wait().unwrap().code(), Some(0));
    }
}
