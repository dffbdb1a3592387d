//! `chat` without a terminal: plain lines in and out.

use crate::original::Original;

#[test]
fn lines_are_obeyed_in_order_and_the_end_leaves() {
    let server = Original::start();
    let peer = server.peer();
    let output = server.run(&[], b"join home\nhello\r\nwho\nwho is there\nping\nstatus");
    assert_eq!(output.status.code(), Some(0));
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines[..2], ["* joined HOME", "* HOME has 2 members, with you"], "{text}");
    assert!(lines[2].contains("heartbeat every 60 s"), "{text}");
    assert!(lines[3].contains("in HOME"), "{text}");
    assert_eq!(lines[4], "* left HOME");
    assert_eq!((peer.hear(), peer.hear()), ("hello".into(), "who is there".into()));
    assert!(!text.contains('\x1b'));
    server.wait_for_members(1);
}

#[test]
fn what_cannot_be_sent_is_told() {
    let server = Original::start();
    let long = "x".repeat(4097);
    let output = server.run(&[], format!("hello\n!JOIN HOME\njoin home\n{long}\nfine\n").as_bytes());
    assert_eq!(output.status.code(), Some(0));
    let problems = String::from_utf8(output.stderr).unwrap();
    let problems: Vec<&str> = problems.lines().collect();
    assert_eq!(problems.len(), 4, "{problems:?}");
    assert!(problems[0].starts_with("* ") && problems[0].contains("base protocol only"), "{problems:?}");
    assert!(problems[1].contains("in no group") && problems[2].contains("`join GROUP`"), "{problems:?}");
    assert!(problems[3].contains("4097 bytes"), "{problems:?}");
    assert_eq!(server.received()[4..], ["fine", "!LEAVE HOME"]);
}

#[test]
fn an_argument_that_is_refused_is_told_by_the_exit_code_and_a_line_is_not() {
    let server = Original::start();
    for (arguments, input, code) in [
        (&["--join", "NOPE"][..], "", 1),
        (&["--join", "NOPE", "--json"], "join home\n", 1),
        (&["--join", "NOPE"], "create --join\njoin NOPE\n", 1),
        (&["--name", "anna"], "", 1),
        (&["--join", "home"], "join NOPE\n!x\n/reg anna\n", 0),
    ] {
        let output = server.run(arguments, input.as_bytes());
        assert_eq!(output.status.code(), Some(code), "{arguments:?} {output:?}");
    }
}

#[test]
fn create_and_join_in_one() {
    let server = Original::start();
    let output = server.run(&[], b"create --join\nhello\nquit\nnever read\n");
    assert_eq!(
        String::from_utf8(output.stdout).unwrap(),
        "* created NEW11111\n* joined NEW11111\n* left NEW11111\n"
    );
    assert_eq!(server.received()[5..], ["hello", "!LEAVE NEW11111"]);
}

#[test]
fn json_for_bots() {
    let server = Original::start();
    let output = server.run(&["--json", "--join", "home"], b"status\nhelp\n!x\nleave\n");
    let text = String::from_utf8(output.stdout).unwrap();
    let types: Vec<String> = text
        .lines()
        .map(|line| {
            serde_json::from_str::<serde_json::Value>(line).unwrap()["type"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(types, ["contact", "joined", "status", "help", "hint", "left"]);
}

#[test]
fn a_lost_reply_only_delays() {
    let server = Original::start();
    server.lose_replies(1);
    let output = server.run(&[], b"join home\nhello\n");
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "* joined HOME\n* left HOME\n");
    assert!(server.received().contains(&"hello".into()));
}

#[test]
fn what_needs_no_relay_waits_for_none() {
    let server = Original::start();
    server.lose_replies(u32::MAX);
    let run = |input: &[u8]| {
        let output = server.run(&["--transport", "udp"], input);
        assert_eq!(output.status.code(), Some(0));
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (text(output.stdout), text(output.stderr))
    };
    let (answers, _) = run(b"status\nquit\nnever read\n");
    assert!(answers.contains("(does not answer), in no group") && answers.lines().count() == 1, "{answers}");
    let (_, problems) = run(b"join home\nhello\nquit\n");
    assert!(problems.contains("! 2 lines were not sent"), "{problems}");
}

#[test]
fn the_lines_of_a_pipe_wait_for_the_relay_also_behind_its_end() {
    let server = Original::start();
    // All that is asked until it is told that there is no answer.
    server.lose_replies(3);
    let output = server.run(&["--transport", "udp"], b"join home\nstatus\nhello\n");
    let problems = String::from_utf8(output.stderr).unwrap();
    assert!(problems.contains("does not answer; still trying"), "{problems}");
    assert!(server.received().ends_with(&["hello".into(), "!LEAVE HOME".into()]), "{:?}", server.received());
}
