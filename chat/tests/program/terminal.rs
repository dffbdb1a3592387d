//! `chat` at a terminal, seen through a terminal emulator.

use crate::common::window::{CTRL_C, CTRL_D, UP, Window};
use crate::original::{Original, PATIENCE};
use expectrl::{Expect, Session};
use nix::sys::signal::Signal;

fn open(server: &Original, arguments: &[&str]) -> Window {
    Window::open(&server.chat(arguments))
}

#[test]
fn messages_appear_above_the_half_typed_line() {
    let server = Original::start();
    let peer = server.peer();
    let mut window = open(&server, &[]);
    window.wait_for_screen("the way", |screen| screen.contains("groups, no names"));
    window.type_keys("join home\r");
    window.wait_for(&["> join home", "* joined HOME", "HOME>"]);
    window.type_keys("half a li");
    window.wait_for(&["* joined HOME", "HOME> half a li"]);
    peer.say(b"here comes \x1b[2J\na message");
    window.wait_for(&["* joined HOME", "< here comes \\x1b[2J\\na message", "HOME> half a li"]);
    window.type_keys("ne\r");
    assert_eq!(peer.hear(), "half a line");
    window.wait_for(&["< here comes \\x1b[2J\\na message", "HOME> half a line", "HOME>"]);

    // History, and a message above a line that is longer than the window.
    window.type_keys(UP);
    window.wait_for(&["HOME> half a line", "HOME> half a line"]);
    let more = " and so much more that it needs a second row of the window";
    window.type_keys(more);
    let wrapped = ["HOME> half a line and so much more that it needs a second ro", "w of the window"];
    window.wait_for(&["HOME> half a line", wrapped[0], wrapped[1]]);
    peer.say(b"again");
    window.wait_for(&["HOME> half a line", "< again", wrapped[0], wrapped[1]]);
    window.type_keys("\r");
    assert_eq!(peer.hear(), format!("half a line{more}"));

    // Ctrl-C drops the line, Ctrl-D leaves and ends.
    window.type_keys("dropped");
    window.wait_for(&["HOME> dropped"]);
    window.type_keys(CTRL_C);
    window.wait_for(&["HOME>"]);
    window.type_keys(CTRL_D);
    window.wait_for(&["HOME>", "* left HOME"]);
    assert_eq!(window.exit_code(), 0);
    server.wait_for_members(1);
    assert!(!server.received().contains(&"dropped".into()));
}

#[test]
fn a_terminal_that_nothing_is_known_of_is_not_drawn_on() {
    let server = Original::start();
    let chat = server.chat(&["--tui"]);
    for (term, why) in [("-uTERM", "set TERM"), ("TERM=dumb", "TERM says `dumb`")] {
        let mut command = std::process::Command::new("env");
        command.args([term.as_ref(), chat.get_program()]).args(chat.get_args());
        let window = Window::open(&command);
        window.wait_for_screen(why, |screen| screen.contains(why));
        assert_eq!(window.exit_code(), 1);
    }
}

#[test]
fn nobodys_text_begins_a_row() {
    let server = Original::start();
    let peer = server.peer();
    let mut window = open(&server, &["--join", "HOME"]);
    window.wait_for(&["HOME>"]);
    // As long as the window is wide, which has 60 columns.
    let padding = format!("hello{}", " ".repeat(60 - "< hello".len()));
    peer.say(format!("{padding}* NAME is used elsewhere now").as_bytes());
    window.wait_for(&["< hello", "  * NAME is used elsewhere now", "HOME>"]);
    peer.say("x".repeat(58 + 58 + 1).as_bytes());
    window.wait_for(&[&format!("< {}", "x".repeat(58)), &format!("  {}", "x".repeat(58)), "  x", "HOME>"]);
    window.type_keys(CTRL_D);
    assert_eq!(window.exit_code(), 0);
}

#[test]
fn ctrl_c_says_once_how_to_end() {
    let server = Original::start();
    let mut window = open(&server, &["--join", "HOME"]);
    window.wait_for(&["HOME>"]);
    window.type_keys(CTRL_C);
    let hint = "* Ctrl-C drops a line that is typed; Ctrl-D or `quit` ends";
    window.wait_for(&["* joined HOME", hint, "HOME>"]);
    window.type_keys(CTRL_C);
    window.type_keys("who\r");
    window.wait_for(&[hint, "HOME> who", "* you are alone in HOME", "HOME>"]);
    window.type_keys(CTRL_D);
    assert_eq!(window.exit_code(), 0);
}

#[test]
fn lines_typed_ahead_are_not_lost() {
    let server = Original::start();
    let peer = server.peer();
    let mut window = open(&server, &[]);
    window.wait_for(&[">"]);
    window.type_keys("/join home\rone\rtwo\r/text who\rthr");
    for text in ["one", "two", "who"] {
        assert_eq!(peer.hear(), text);
    }
    window.wait_for(&["HOME> thr"]);
    window.type_keys("ee\rquit\r");
    assert_eq!(peer.hear(), "three");
    assert_eq!(window.exit_code(), 0);
}

#[test]
fn a_burst_of_messages_does_not_disturb_the_typing() {
    let server = Original::start();
    let peer = server.peer();
    let mut window = open(&server, &["--join", "HOME"]);
    window.wait_for(&["HOME>"]);
    for round in 0..20 {
        for number in 0..20 {
            peer.say(format!("message {number}").as_bytes());
        }
        window.type_keys(&format!("line {round}\r"));
        assert_eq!(peer.hear(), format!("line {round}"));
    }
    // What a completed word is followed by stands behind a space.
    window.type_keys("st\tquo");
    window.wait_for(&["HOME> status quo"]);
    window.type_keys(CTRL_C);
    window.type_keys("quit\r");
    assert_eq!(window.exit_code(), 0);
}

#[test]
fn a_signal_gives_the_terminal_back() {
    let server = Original::start();
    let mut window = open(&server, &["--join", "HOME"]);
    window.wait_for(&["HOME>"]);
    window.type_keys("half");
    window.wait_for(&["* joined HOME", "HOME> half"]);
    assert!(!window.edits_lines_itself());
    window.kill(Signal::SIGTERM);
    window.wait_for(&["HOME> half", "* left HOME"]);
    assert!(window.edits_lines_itself());
    assert_eq!(window.exit_code(), 143);
    server.wait_for_members(0);
}

#[test]
fn no_color_means_none() {
    let server = Original::start();
    for (no_color, coloured) in [("", true), ("1", false)] {
        let mut command = server.chat(&["--join", "HOME"]);
        command.env("TERM", "xterm").env("NO_COLOR", no_color);
        let mut session = Session::spawn(command).unwrap();
        session.set_expect_timeout(Some(PATIENCE));
        let seen = session.expect("joined HOME").unwrap();
        assert_eq!(seen.as_bytes().windows(4).any(|bytes| bytes == b"\x1b[2m"), coloured);
        session.send("quit\r").unwrap();
        session.expect("left HOME").unwrap();
    }
}

#[test]
fn who_types_while_nobody_answers_hears_what_waits_and_can_end() {
    let server = Original::start();
    server.lose_replies(u32::MAX);
    for surface in [&[][..], &["--tui"]] {
        let mut window = open(&server, &[&["--transport", "udp"], surface].concat());
        window.wait_for_screen("the silence", |screen| screen.contains("does not answer; still trying"));
        window.type_keys("hello\r");
        window.wait_for_screen("what waits", |screen| {
            screen.contains("* waits until the relay answers: hello")
        });
        window.type_keys("/status\r");
        window.wait_for_screen("the status", |screen| screen.contains("(does not answer)"));
        window.type_keys("/quit\r");
        assert_eq!(window.exit_code(), 0);
    }
}
