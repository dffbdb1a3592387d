//! A program in a pseudo-terminal, seen through a terminal emulator.

use std::io::Read;
use std::num::NonZero;
use std::process::Command;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use expectrl::session::OsSession;
use expectrl::{Expect, Session};
use nix::sys::signal::{Signal, kill};
use nix::sys::termios::{LocalFlags, tcgetattr};
use nix::unistd::Pid;

use super::PATIENCE;

const COLUMNS: NonZero<u16> = NonZero::new(60).unwrap();
const ROWS: NonZero<u16> = NonZero::new(16).unwrap();
pub const CTRL_C: &str = "\x03";
pub const CTRL_D: &str = "\x04";
pub const UP: &str = "\x1b[A";

/// The program in a pseudo-terminal.
pub struct Window {
    session: OsSession,
    screen: Arc<(Mutex<vt100::Parser>, Condvar)>,
}

impl Window {
    pub fn open(command: &Command) -> Self {
        Self::as_wide_as(COLUMNS, command)
    }

    /// The same with so many columns. The program looks when it starts, which it does once they are so many.
    pub fn as_wide_as(columns: NonZero<u16>, command: &Command) -> Self {
        let mut sized = Command::new("sh");
        sized.args(["-c", r#"until [ "$(stty size)" = "$0" ]; do :; done; exec "$@""#]);
        sized.arg(format!("{ROWS} {columns}")).arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => sized.env(name, value),
                None => sized.env_remove(name),
            };
        }
        sized.env("TERM", "xterm").env_remove("NO_COLOR");
        let mut session = Session::spawn(sized).unwrap();
        session.get_process_mut().set_window_size(columns.get(), ROWS.get()).unwrap();
        let screen = Arc::new((Mutex::new(vt100::Parser::new(ROWS, columns, 0)), Condvar::new()));
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

    pub fn type_keys(&mut self, keys: &str) {
        self.session.send(keys).unwrap();
    }

    /// Waits until the last rows that are not empty are these.
    pub fn wait_for(&self, rows: &[&str]) {
        let (parser, changed) = &*self.screen;
        let last = |parser: &vt100::Parser| {
            let shown = parser.screen().rows(0, parser.screen().size().1.get());
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
    pub fn edits_lines_itself(&self) -> bool {
        let terminal = self.session.get_process().get_raw_handle().unwrap();
        tcgetattr(terminal).unwrap().local_flags.contains(LocalFlags::ICANON)
    }

    pub fn exit_code(&self) -> i32 {
        match self.session.get_process().wait().unwrap() {
            expectrl::process::unix::WaitStatus::Exited(_, code) => code,
            status => panic!("{status:?}"),
        }
    }

    /// Waits until the whole screen is so.
    pub fn wait_for_screen(&self, what: &str, condition: impl Fn(&str) -> bool) {
        let (parser, changed) = &*self.screen;
        let (parser, waited) = changed
            .wait_timeout_while(parser.lock().unwrap(), PATIENCE, |parser| {
                !condition(&parser.screen().contents())
            })
            .unwrap();
        assert!(!waited.timed_out(), "waited for {what}, saw\n{}", parser.screen().contents());
    }

    pub fn kill(&self, signal: Signal) {
        kill(Pid::from_raw(self.session.get_process().pid().as_raw()), signal).unwrap();
    }
}
