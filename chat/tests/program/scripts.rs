//! `chat create`, `chat send` and `chat listen`, as scripts use them.

use std::io::{BufRead, BufReader};
use std::process::{Child, Output, Stdio};

use crate::original::Original;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// A `chat listen` that has joined.
fn listen(server: &Original, arguments: &[&str]) -> Child {
    let before = server.received().len();
    let mut command = server.chat(&["listen", "--group", "home"]);
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().unwrap();
    server.wait_for(|state| state.received[before..].iter().any(|text| text == "!JOIN HOME"));
    child
}

#[test]
fn create_prints_the_id() {
    let server = Original::start();
    let output = server.run(&["create"], b"");
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(0), "NEW11111\n"));
    let output = server.run(&["create", "--json"], b"");
    let line: serde_json::Value = serde_json::from_str(&stdout(&output)).unwrap();
    assert_eq!((&line["type"], &line["group"]), (&"created".into(), &"NEW22222".into()));
    server.run(&["create"], b"");
    let output = server.run(&["create"], b"");
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(1), ""));
    assert!(stderr(&output).contains("3 of 3 groups"));
}

#[test]
fn send_delivers_and_leaves() {
    let server = Original::start();
    let peer = server.peer();
    let output = server.run(&["send", "--group", "home", "hello", "world"], b"");
    assert_eq!(
        (output.status.code(), stdout(&output), stderr(&output)),
        (Some(0), String::new(), String::new())
    );
    assert_eq!(peer.hear(), "hello world");
    server.wait_for_members(1);
}

#[test]
fn send_takes_the_lines_of_the_input_in_order() {
    let server = Original::start();
    let peer = server.peer();
    let lines: String = (0..100).map(|number| format!("line {number}\n")).collect();
    let output = server.run(&["send", "--group", "HOME", "--json", "-"], lines.as_bytes());
    assert_eq!(output.status.code(), Some(0));
    for number in 0..100 {
        assert_eq!(peer.hear(), format!("line {number}"));
    }
    let sent = stdout(&output)
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .find(|line| line["type"] == "sent")
        .unwrap();
    assert_eq!((&sent["count"], &sent["members"]), (&100.into(), &2.into()));
}

#[test]
fn send_skips_what_cannot_be_sent_and_says_so() {
    let server = Original::start();
    let peer = server.peer();
    let output = server.run(&["send", "--group", "HOME", "-"], b"!JOIN X\n\nwho\nfine\n");
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("cannot begin with `!`"));
    assert_eq!((peer.hear(), peer.hear()), ("who".into(), "fine".into()));
}

#[test]
fn send_fails_when_refused_or_unanswered() {
    let server = Original::start();
    let output = server.run(&["send", "--group", "NOPE", "hello"], b"");
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("no group NOPE"));
    server.lose_replies(u32::MAX);
    let output = server.run(&["send", "--group", "HOME", "--timeout", "300ms", "hello"], b"");
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("--timeout"));
    assert!(!server.received().contains(&"hello".into()));
}

#[test]
fn send_survives_lost_replies() {
    let server = Original::start();
    server.lose_replies(2);
    let output = server.run(&["send", "--group", "HOME", "hello"], b"");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn wrong_arguments_are_2_and_send_nothing() {
    let server = Original::start();
    let long = "x".repeat(4097);
    for arguments in [
        &["send", "--group", "HOME", &long][..],
        &["send", "--group", "HOME", "!PING"],
        &["send", "--group", "HOME", ""],
        &["send", "hello"],
        &["send", "--group", "not a group", "hello"],
        &["listen", "--group", "HOME", "--count", "0"],
        &["listen", "--group", "HOME", "--timeout", "soon"],
        &["--join", "HOME", "create"],
        &["dance"],
    ] {
        assert_eq!(server.run(arguments, b"").status.code(), Some(2), "{arguments:?}");
    }
    assert!(server.received().is_empty());
}

#[test]
fn listen_prints_so_many_texts() {
    let server = Original::start();
    let peer = server.peer();
    let child = listen(&server, &["--count", "3"]);
    for text in [&b"plain"[..], b"two\nlines \x1b[2J", b"\xff", b"too much"] {
        peer.say(text);
    }
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(stdout(&output), "plain\ntwo\\nlines \\x1b[2J\n\\xff\n");
    server.wait_for_members(1);
}

#[test]
fn listen_prints_json() {
    let server = Original::start();
    let peer = server.peer();
    let child = listen(&server, &["--count", "2", "--json"]);
    peer.say("ünï\n\u{9b}".as_bytes());
    peer.say(b"\xff");
    let output = child.wait_with_output().unwrap();
    let lines: Vec<serde_json::Value> =
        stdout(&output).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let types: Vec<&str> = lines.iter().map(|line| line["type"].as_str().unwrap()).collect();
    assert_eq!(types, ["joined", "text", "text", "left"]);
    assert_eq!((&lines[1]["text"], &lines[1]["group"]), (&"ünï\n\u{9b}".into(), &"HOME".into()));
    assert_eq!(lines[2]["hex"], "ff");
}

#[test]
fn listen_times_out() {
    let server = Original::start();
    let output = server.run(&["listen", "--group", "HOME", "--count", "1", "--timeout", "0.2"], b"");
    assert_eq!(output.status.code(), Some(124));
    let output = server.run(&["listen", "--group", "HOME", "--timeout", "200ms"], b"");
    assert_eq!(output.status.code(), Some(0));
    server.wait_for_members(0);
}

#[test]
fn listen_comes_back_after_a_restart() {
    let server = Original::start();
    server.set_heartbeat("1.0");
    let child = listen(&server, &["--count", "1"]);
    server.wait_for(|state| state.received.iter().any(|text| text == "!PING"));
    server.forget();
    server.wait_for(|state| state.received.iter().filter(|text| *text == "!JOIN HOME").count() == 2);
    server.peer().say(b"welcome back");
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(0), "welcome back\n"));
    assert!(stderr(&output).contains("joined HOME again"));
}

#[test]
fn signals_leave_the_group() {
    for (signal, code) in [(Signal::SIGTERM, 143), (Signal::SIGINT, 130), (Signal::SIGHUP, 129)] {
        let server = Original::start();
        let mut child = listen(&server, &[]);
        kill(Pid::from_raw(child.id().cast_signed()), signal).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(code));
        server.wait_for_members(0);
    }
}

#[test]
fn a_closed_output_ends_quietly() {
    let server = Original::start();
    let peer = server.peer();
    let mut child = listen(&server, &[]);
    let mut output = BufReader::new(child.stdout.take().unwrap());
    peer.say(b"first");
    let mut line = String::new();
    output.read_line(&mut line).unwrap();
    assert_eq!(line, "first\n");
    drop(output);
    peer.say(b"second");
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(!stderr(&output).contains("panic"), "{}", stderr(&output));
    server.wait_for_members(1);
}

#[test]
fn nobody_listens() {
    // Taken, so that nobody else gets it, and connected elsewhere, so that it refuses us.
    let taken = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    drop(taken);
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_chat"));
    let output =
        command.args(["create", "--timeout", "100ms", "--server", &address.to_string()]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains("nobody listens at"));
    assert!(stderr(&output).contains("gave up: not done within --timeout"));
    let listen = |more: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_chat"));
        command.args(["listen", "--group", "HOME", "--timeout", "100ms", "--server", &address.to_string()]);
        command.args(more).output().unwrap()
    };
    for more in [&[][..], &["--count", "1"]] {
        let output = listen(more);
        assert_eq!(output.status.code(), Some(124));
        assert!(stderr(&output).contains("gave up: no member of the group"), "{}", stderr(&output));
    }
}

#[test]
fn ipv6_names_and_the_environment() {
    let (v6, v4) = (Original::start_at("[::1]:0"), Original::start());
    assert_eq!(v6.run(&["create"], b"").status.code(), Some(0));
    for server in [v6.address.to_string(), format!("localhost:{}", v4.address.port())] {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_chat"));
        let output = command.arg("create").env("CHAT_SERVER", &server).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{server}");
    }
}

#[test]
fn the_help_is_complete() {
    let server = Original::start();
    let help = stdout(&server.run(&["--help"], b""));
    for word in [
        "0 ",
        "1 ",
        "2 ",
        "124",
        "128+n",
        "--server",
        "CHAT_SERVER",
        "--json",
        "NO_COLOR",
        "create",
        "send",
        "listen",
    ] {
        assert!(help.contains(word), "{word}");
    }
}
