//! Names with a relay that is played by hand: what is noted down, and when.

use std::io::Write;
use std::net::{SocketAddr, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use crate::original::PATIENCE;

const GREETING: &[u8] = b"!OK HELLO 2 AAAAAAAAAAAAAAAAAAAAAAAAAB 60.0";

/// A relay that begins sessions, and answers nothing else by itself.
struct Player(UdpSocket);

impl Player {
    fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(socket)
    }

    /// The next REG, and who asks.
    fn registration(&self) -> (String, SocketAddr) {
        loop {
            let (text, from) = self.hear();
            if text.starts_with("!HELLO 2") {
                self.0.send_to(GREETING, from).unwrap();
            } else if text.starts_with("!REG ") {
                return (text, from);
            }
        }
    }

    /// Begins a session.
    fn begin(&self) {
        let (text, from) = self.hear();
        assert!(text.starts_with("!HELLO 2"), "{text}");
        self.0.send_to(GREETING, from).unwrap();
    }

    fn hear(&self) -> (String, SocketAddr) {
        let mut buffer = [0; 5000];
        let (len, from) = self.0.recv_from(&mut buffer).unwrap();
        (String::from_utf8_lossy(&buffer[..len]).into_owned(), from)
    }

    fn chat(&self, state: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_chat"));
        command.args(["--server", &self.0.local_addr().unwrap().to_string(), "--transport", "udp"]);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        for name in ["CHAT_SERVER", "CHAT_NAME", "CHAT_CLAIM"] {
            command.env_remove(name);
        }
        command.env("XDG_STATE_HOME", state);
        command
    }

    fn spawn(&self, state: &Path, arguments: &[&str]) -> Child {
        self.chat(state, arguments).spawn().unwrap()
    }

    /// The program, run by somebody who has no folder to keep anything in.
    fn homeless(&self, arguments: &[&str]) -> Command {
        let mut command = self.chat(Path::new("/"), arguments);
        command.env_remove("XDG_STATE_HOME").env_remove("HOME");
        command
    }

    fn has_heard_nothing(&self) -> bool {
        self.0.set_nonblocking(true).unwrap();
        self.0.recv_from(&mut [0; 100]).is_err()
    }
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

const WAYS: [&[&str]; 4] = [
    &["reg", "anna"],
    &["--name", "anna"],
    &["send", "--group", "HOME", "--name", "anna", "x"],
    &["send-all", "--name", "anna", "x"],
];

#[test]
fn a_claim_is_noted_down_before_it_is_shown_and_outlives_a_lost_answer() {
    for arguments in WAYS {
        let (relay, home) = (Player::start(), tempfile::tempdir().unwrap());
        let book = || std::fs::read_to_string(home.path().join("relay-chat/claims.toml")).unwrap();
        let mut child = relay.spawn(home.path(), arguments);
        let (first, _) = relay.registration();
        let claim = first.strip_prefix("!REG anna ").unwrap_or_else(|| panic!("{arguments:?}: {first}"));
        assert!(claim.len() == 26 && book().contains(claim), "{arguments:?}");
        child.kill().unwrap();
        child.wait().unwrap();
        let child = relay.spawn(home.path(), arguments);
        let (second, from) = relay.registration();
        assert_eq!(second, first);
        // It was known, so it stays, whoever has the name.
        relay.0.send_to(b"!ERR NAME_TAKEN anna", from).unwrap();
        child.wait_with_output().unwrap();
        assert!(book().contains(claim));
    }
}

#[test]
fn a_claim_for_a_name_that_is_refused_is_taken_out_again() {
    for (arguments, answer) in WAYS.into_iter().zip(["!ERR NAME_TAKEN anna", "!ERR BAD_NAME"].repeat(2)) {
        let (relay, home) = (Player::start(), tempfile::tempdir().unwrap());
        let child = relay.spawn(home.path(), arguments);
        let (_, from) = relay.registration();
        relay.0.send_to(answer.as_bytes(), from).unwrap();
        child.wait_with_output().unwrap();
        let book = std::fs::read_to_string(home.path().join("relay-chat/claims.toml")).unwrap();
        assert!(!book.contains("anna"), "{arguments:?}: {book}");
    }
}

#[test]
fn what_cannot_be_noted_down_is_not_registered() {
    for arguments in WAYS {
        let (relay, home) = (Player::start(), tempfile::tempdir().unwrap());
        // Nobody can write there, not even root.
        std::fs::create_dir_all(home.path().join("relay-chat/claims.lock")).unwrap();
        let child = relay.spawn(home.path(), arguments);
        relay.begin();
        let output = child.wait_with_output().unwrap();
        let problem = stderr(&output);
        assert!(problem.contains("anna was not registered: cannot"), "{arguments:?}: {problem}");
        assert!(relay.has_heard_nothing(), "{arguments:?}");
    }
}

#[test]
fn a_name_that_is_granted_is_had_whatever_comes_behind_that() {
    let (relay, home) = (Player::start(), tempfile::tempdir().unwrap());
    let child = relay.spawn(home.path(), &["reg", "anna", "--timeout", "1s"]);
    let (asked, from) = relay.registration();
    relay.0.send_to(format!("!OK {}", &asked[1..]).as_bytes(), from).unwrap();
    // The relay has no lobby, or has one, and does not come to say it.
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(0), ""));
    assert!(asked.ends_with(String::from_utf8(output.stdout).unwrap().trim()));
}

#[test]
fn names_that_cannot_be_are_wrong_arguments() {
    let (relay, home) = (Player::start(), tempfile::tempdir().unwrap());
    let run = |arguments: &[&str], name: &str| {
        let output = relay.chat(home.path(), arguments).env("CHAT_NAME", name).output().unwrap();
        (output.status.code(), stderr(&output))
    };
    for (arguments, name) in [
        (&[][..], "a b"),
        (&["--name", "a b"], ""),
        (&["--name", ""], ""),
        (&["reg", "a b"], ""),
        (&["send", "--name", "a b", "bob", "hi"], ""),
        (&["send", "--name", "anna", "bob:", "hi"], ""),
        (&["send", "--name", "anna", "-", "hi"], ""),
        (&["reg", "@anna"], ""),
        (&["send", "--protocol", "base", "bob", "hi"], ""),
        (&["send-all", "--protocol", "base", "hi"], ""),
        (&["create", "--name", "anna"], ""),
        (&["listen", "--group", "HOME", "--name", "anna"], ""),
    ] {
        assert_eq!(run(arguments, name).0, Some(2), "{arguments:?}");
    }
    // An empty one is none, and who has none in no case does not mind that there is one.
    let (code, problem) = run(&["send", "bob", "hi"], "");
    assert!(code == Some(1) && problem.contains("you have no name"), "{problem}");
    assert!(relay.has_heard_nothing());
    for arguments in [&["create", "--timeout", "0"][..], &["listen", "--group", "HOME", "--timeout", "0"]] {
        assert_ne!(run(arguments, "anna").0, Some(2), "{arguments:?}");
    }
}

#[test]
fn who_has_no_such_name_gives_none_up() {
    let (relay, home) = (Player::start(), tempfile::tempdir().unwrap());
    let output = relay.chat(home.path(), &["dereg", "anna"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("you have no name anna"), "{}", stderr(&output));
    assert!(relay.has_heard_nothing());
}

#[test]
fn programs_hear_of_problems_by_objects() {
    let (relay, home) = (Player::start(), tempfile::tempdir().unwrap());
    for (arguments, code) in [(&["send", "bob", "hi"][..], 1), (&["send", "--name", "a b", "bob", "hi"], 2)] {
        let output = relay.chat(home.path(), arguments).arg("--json").output().unwrap();
        assert_eq!((output.status.code(), stderr(&output)), (Some(code), String::new()));
        let object: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(object["type"], "problem");
    }
}

#[test]
fn a_claim_that_is_given_needs_no_folder() {
    let relay = Player::start();
    let claim = "BBBBBBBBBBBBBBBBBBBBBBBBBB";
    let given = ["--name", "anna", "--claim", claim];
    for arguments in [&["send", "--name", "anna", "--claim", claim, "bob", "hello"][..], &given] {
        let mut child = relay.homeless(arguments).spawn().unwrap();
        assert_eq!(relay.registration().0, format!("!REG anna {claim}"), "{arguments:?}");
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

#[test]
fn without_a_folder_no_name_is_had_and_the_talk_goes_on() {
    let relay = Player::start();
    for (arguments, line) in [(&["--name", "anna"][..], ""), (&[], "/reg anna\n")] {
        let mut child = relay.homeless(arguments).stdin(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(format!("{line}status\nquit\n").as_bytes()).unwrap();
        relay.begin();
        let output = child.wait_with_output().unwrap();
        let problem = stderr(&output);
        assert!(problem.contains("! anna was not registered: set HOME or XDG_STATE_HOME"), "{problem}");
        let answers = String::from_utf8(output.stdout).unwrap();
        assert!(answers.contains("(extended, UDP), in no group"), "{answers}");
    }
    assert!(relay.has_heard_nothing());
}
