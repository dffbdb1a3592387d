//! `chat` at a terminal, seen through a terminal emulator.

use std::io::Read;
use std::num::NonZero;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use crate::original::{Original, PATIENCE};
use expectrl::session::OsSession;
use expectrl::{Expect, Session};
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{LocalFlags, tcgetattr};
use nix::unistd::Pid;

const COLUMNS: NonZero<u16> = NonZero::new(60).unwrap();
const ROWS: NonZero<u16> = NonZero::new(16).unwrap();
const CTRL_C: &str = "\x03";
const CTRL_D: &str = "\x04";
const UP: &str = "\x1b[A";

/// The program in a pseudo-terminal.
struct Window {
    session: OsSession,
    screen: Arc<(Mutex<vt100::Parser>, Condvar)>,
}

impl Window {
    fn open(server: &Original, arguments: &[&str]) -> Self {
        let mut command = server.chat(arguments);
        command.env("TERM", "xterm").env_remove("NO_COLOR");
        let mut session = Session::spawn(command).unwrap();
        session.get_process_mut().set_window_size(COLUMNS.get(), ROWS.get()).unwrap();
        let screen = Arc::new((Mutex::new(vt100::Parser::new(ROWS, COLUMNS, 0)), Condvar::new()));
        let mut output = session.get_process().get_raw_handle().unwrap();
        let feed = screen.clone();
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            // Reading fails once the program has gone.
            while let Ok(len @ 1..) = output.read(&mut bytes) {
                feed.0.lock().unwrap().process(&bytes[..len]);
                feed.1.notify_all();
            }
        });
        Self { session, screen }
    }

    fn type_keys(&mut self, keys: &str) {
        self.session.send(keys).unwrap();
    }

    /// Waits until the last rows that are not empty are these.
    fn wait_for(&self, rows: &[&str]) {
        let (parser, changed) = &*self.screen;
        let last = |parser: &vt100::Parser| {
            let shown = parser.screen().rows(0, COLUMNS.get());
            let mut lines: Vec<String> = shown.map(|row| row.trim_end().to_owned()).collect();
            while lines.pop_if(|line| line.is_empty()).is_some() {}
            lines[lines.len().saturating_sub(rows.len())..].to_vec()
        };
        let (parser, waited) = changed
            .wait_timeout_while(parser.lock().unwrap(), PATIENCE, |parser| last(parser) != rows)
            .unwrap();
        assert!(!waited.timed_out(), "waited for {rows:#?}, saw\n{}", parser.screen().contents());
    }

    /// Whether the terminal is in the mode in which the shell left it.
    fn edits_lines_itself(&self) -> bool {
        let terminal = self.session.get_process().get_raw_handle().unwrap();
        tcgetattr(terminal).unwrap().local_flags.contains(LocalFlags::ICANON)
    }

    fn exit_code(&self) -> i32 {
        match self.session.get_process().wait().unwrap() {
            expectrl::process::unix::WaitStatus::Exited(_, code) => code,
            status => panic!("{status:?}"),
        }
    }
}

#[test]
fn messages_appear_above_the_half_typed_line() {
    let server = Original::start();
    let peer = server.peer();
    let mut window = Window::open(&server, &[]);
    window.wait_for(&[">"]);
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
fn lines_typed_ahead_are_not_lost() {
    let server = Original::start();
    let peer = server.peer();
    let mut window = Window::open(&server, &[]);
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
    let mut window = Window::open(&server, &["--join", "HOME"]);
    window.wait_for(&["HOME>"]);
    for round in 0..20 {
        for number in 0..20 {
            peer.say(format!("message {number}").as_bytes());
        }
        window.type_keys(&format!("line {round}\r"));
        assert_eq!(peer.hear(), format!("line {round}"));
    }
    window.type_keys("st\t");
    window.wait_for(&["HOME> status"]);
    window.type_keys(CTRL_C);
    window.type_keys("quit\r");
    assert_eq!(window.exit_code(), 0);
}

#[test]
fn a_signal_gives_the_terminal_back() {
    let server = Original::start();
    let mut window = Window::open(&server, &["--join", "HOME"]);
    window.wait_for(&["HOME>"]);
    window.type_keys("half");
    window.wait_for(&["* joined HOME", "HOME> half"]);
    assert!(!window.edits_lines_itself());
    kill(Pid::from_raw(window.session.get_process().pid().as_raw()), Signal::SIGTERM).unwrap();
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
