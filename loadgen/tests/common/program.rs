//! The program: how it is started, interrupted, and what it leaves behind.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::eventually;
use super::process::program;
use super::report::Seen;

/// No run of these stories takes longer, on whatever machine.
const LONGEST: Duration = Duration::from_secs(120);

/// How to start it.
pub struct Program(Command);

/// It runs.
pub struct Running {
    child: Child,
    stdout: JoinHandle<String>,
    stderr: Arc<Mutex<Vec<String>>>,
    log: Option<JoinHandle<()>>,
}

/// It has ended.
#[derive(Debug)]
pub struct Ended {
    /// None if a signal ended it.
    pub code: Option<i32>,
    pub stdout: String,
    /// Its lines.
    pub stderr: Vec<String>,
}

impl Program {
    /// With these words, separated by spaces.
    pub fn new(words: &str) -> Self {
        let mut command = Command::new(program("loadgen"));
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.env_remove("LOADGEN_TOKEN").args(words.split_whitespace());
        Self(command)
    }

    /// A run against a relay whose metrics are not asked for.
    pub fn run(target: SocketAddr, words: &str) -> Self {
        Self::new(&format!("run --target {target} --relay-metrics off {words}"))
    }

    /// One more word, with whatever spaces.
    pub fn word(mut self, word: impl AsRef<std::ffi::OsStr>) -> Self {
        self.0.arg(word);
        self
    }

    pub fn start(mut self) -> Running {
        let mut child = self.0.spawn().expect("loadgen starts");
        let mut out = child.stdout.take().unwrap();
        let stdout = thread::spawn(move || {
            let mut text = String::new();
            out.read_to_string(&mut text).unwrap();
            text
        });
        let stderr = Arc::new(Mutex::new(Vec::new()));
        let log = Some(collect(child.stderr.take().unwrap(), Arc::clone(&stderr)));
        Running { child, stdout, stderr, log }
    }

    pub fn end(self) -> Ended {
        self.start().end()
    }

    /// What it writes with `--json -`, whatever its verdict.
    #[track_caller]
    pub fn report(self) -> Seen {
        let ended = self.word("--json").word("-").end();
        ended.report()
    }
}

fn collect(stderr: ChildStderr, lines: Arc<Mutex<Vec<String>>>) -> JoinHandle<()> {
    thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            lines.lock().unwrap().push(line);
        }
    })
}

impl Running {
    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).unwrap();
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Waits for a line on standard error that contains this text.
    #[track_caller]
    pub fn wait_for(&self, text: &str) -> String {
        eventually(text, || self.stderr.lock().unwrap().iter().find(|line| line.contains(text)).cloned())
    }

    #[track_caller]
    pub fn end(mut self) -> Ended {
        let start = Instant::now();
        while self.is_running() {
            if start.elapsed() > LONGEST {
                self.child.kill().unwrap();
                panic!("loadgen does not end: {:#?}", self.stderr.lock().unwrap());
            }
            // Between two looks at the process.
            thread::sleep(Duration::from_millis(10));
        }
        let code = self.child.wait().unwrap().code();
        self.log.take().map(JoinHandle::join);
        let stderr = self.stderr.lock().unwrap().clone();
        Ended { code, stdout: self.stdout.join().unwrap(), stderr }
    }

    /// Ends it at once.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Ended {
    /// The report that it wrote to standard output.
    #[track_caller]
    pub fn report(&self) -> Seen {
        assert!(matches!(self.code, Some(0 | 98 | 99)), "{self:?}");
        assert!(self.stderr.is_empty(), "{:?}", self.stderr);
        Seen::read(&self.stdout)
    }

    /// Asserts that it failed with one line that contains all these texts, and gives it.
    #[track_caller]
    pub fn failed(&self, code: i32, texts: &[&str]) -> &str {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert_eq!((self.stdout.as_str(), self.stderr.len()), ("", 1), "{self:?}");
        let missing: Vec<_> = texts.iter().filter(|text| !self.stderr[0].contains(**text)).collect();
        assert!(missing.is_empty(), "{missing:?} not in {:?}", self.stderr[0]);
        &self.stderr[0]
    }
}
