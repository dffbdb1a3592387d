//! The live view on a terminal: whoever interrupts twice gets the terminal back as it was.

use std::io::{Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::common::eventually;
use crate::common::process::program;
use crate::common::relay::{LossyRelay, Options};

const ALTERNATE_SCREEN: &str = "\u{1b}[?1049h";
const FIRST_SCREEN: &str = "\u{1b}[?1049l";
const CURSOR: &str = "\u{1b}[?25h";

/// The program on a terminal of its own, which `script` makes.
struct Terminal {
    script: Child,
    keys: ChildStdin,
    screen: ChildStdout,
    shown: Vec<u8>,
}

impl Terminal {
    /// A run that would take an hour, and what it says its process is.
    fn start(relay: &LossyRelay) -> Self {
        let words = format!("--relay-metrics off --target {} --duration 1h", relay.address());
        // What the terminal is afterwards is said on it.
        let run = format!("sh -c 'echo pid=$$; exec {} run {words}'", program("loadgen").display());
        let mut script = Command::new("script")
            .args(["-qfec", &format!("{run}; code=$?; stty -a; exit $code"), "/dev/null"])
            .env("TERM", "xterm")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("script of util-linux");
        let (keys, screen) = (script.stdin.take().unwrap(), script.stdout.take().unwrap());
        Self { script, keys, screen, shown: Vec::new() }
    }

    fn shown(&self) -> String {
        String::from_utf8_lossy(&self.shown).into_owned()
    }

    fn wait_for(&mut self, text: &str) {
        let mut more = [0; 4096];
        while !self.shown().contains(text) {
            let len = self.screen.read(&mut more).unwrap();
            assert!(len > 0, "{text} is never shown: {}", self.shown());
            self.shown.extend_from_slice(&more[..len]);
        }
    }

    fn pid(&self) -> Pid {
        let shown = self.shown();
        let digits: String =
            shown.split("pid=").nth(1).unwrap().chars().take_while(char::is_ascii_digit).collect();
        Pid::from_raw(digits.parse().unwrap())
    }

    #[track_caller]
    fn assert_given_back(mut self) {
        self.screen.read_to_end(&mut self.shown).unwrap();
        let shown = self.shown();
        let (_, after) = shown.rsplit_once(FIRST_SCREEN).unwrap_or_else(|| panic!("{shown:?}"));
        assert!(after.contains(CURSOR) && !after.contains(ALTERNATE_SCREEN), "{after:?}");
        let is_cooked = after.contains(" icanon") && after.contains(" echo ");
        assert!(is_cooked && !after.contains("-icanon"), "{after:?}");
        assert_eq!(self.script.wait().unwrap().code(), Some(130), "{after:?}");
    }
}

#[test]
fn a_second_signal_gives_the_terminal_back() {
    for signal in [Signal::SIGTERM, Signal::SIGINT] {
        let relay = LossyRelay::start(Options::default());
        let mut terminal = Terminal::start(&relay);
        terminal.wait_for(ALTERNATE_SCREEN);
        let pid = terminal.pid();
        // Two equal signals may become one on their way; a third does no more than the second.
        eventually("the end", || kill(pid, signal).is_err().then_some(()));
        terminal.assert_given_back();
    }
}

#[test]
fn a_second_key_gives_the_terminal_back() {
    for keys in ["\u{3}\u{3}", "q\u{3}"] {
        let relay = LossyRelay::start(Options::default());
        let mut terminal = Terminal::start(&relay);
        terminal.wait_for(ALTERNATE_SCREEN);
        terminal.keys.write_all(keys.as_bytes()).unwrap();
        terminal.assert_given_back();
    }
}
