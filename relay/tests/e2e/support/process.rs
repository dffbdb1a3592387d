//! A relay process: started with a port of the kernel's choice, read for its addresses, stopped when dropped.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{BorrowedFd, OwnedFd};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{PATIENCE, eventually};

/// The backends that every story is told on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    Uring,
    Mmsg,
}

/// Tells a story on both backends.
pub fn each_backend(story: impl Fn(Backend)) {
    for backend in [Backend::Uring, Backend::Mmsg] {
        eprintln!("-- on {backend:?}");
        story(backend);
    }
}

/// How to start a relay.
pub struct RelayOptions {
    command: Command,
    /// Sockets that take the places of the standard input and output on the way.
    passed: [Option<OwnedFd>; 2],
}

/// A relay that serves.
pub struct Relay {
    child: Child,
    log: Arc<Mutex<Vec<String>>>,
    /// Its addresses, one for each host.
    pub addresses: Vec<SocketAddr>,
    metrics: Option<SocketAddr>,
}

impl Backend {
    pub fn name(self) -> &'static str {
        match self {
            Self::Uring => "uring",
            Self::Mmsg => "mmsg",
        }
    }
}

impl RelayOptions {
    /// The release binary, on ports of the kernel's choice, with two shards whatever the machine has.
    pub fn new(backend: Backend) -> Self {
        Self::plain()
            .with(["--backend", backend.name()])
            // Flags override them.
            .env("RELAY_PORT", "0")
            .env("RELAY_METRICS_LISTEN", "127.0.0.1:0")
            .env("RELAY_SHARDS", "2")
            // Stories that run side by side are not to have their names in one place.
            .env("RELAY_DATA_DIR", "none")
    }

    /// The release binary without any flag.
    pub fn plain() -> Self {
        Self::of(&program("relay"))
    }

    /// A copy of the binary without any flag.
    pub fn of(binary: &Path) -> Self {
        let mut command = Command::new(binary);
        // What the developer has set must not reach the tests.
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("RELAY_") {
                command.env_remove(name);
            }
        }
        Self { command, passed: [None, None] }
    }

    /// More flags.
    pub fn with<'a>(mut self, flags: impl IntoIterator<Item = &'a str>) -> Self {
        self.command.args(flags);
        self
    }

    /// An environment variable.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    /// The same by way of a program that changes something and becomes the relay: `prlimit --nofile=20`.
    pub fn through(self, program: &str) -> Self {
        self.behind(program.split(' '))
    }

    fn behind<'a>(self, words: impl IntoIterator<Item = &'a str>) -> Self {
        let mut words = words.into_iter();
        let mut command = Command::new(words.next().unwrap_or_default());
        command.args(words).arg(self.command.get_program()).args(self.command.get_args());
        for (name, value) in self.command.get_envs() {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        Self { command, passed: self.passed }
    }

    /// With one or two sockets from descriptor 3 on, as a service manager passes them; names are divided by colons.
    pub fn passing(self, sockets: &[BorrowedFd<'_>], names: &str) -> Self {
        // Which process has the id, only that process knows before the relay does.
        let script = match sockets.len() {
            1 => "exec 3<&0 </dev/null; export LISTEN_PID=$$; exec \"$0\" \"$@\"",
            _ => "exec 3<&0 4<&1 </dev/null >/dev/null; export LISTEN_PID=$$; exec \"$0\" \"$@\"",
        };
        let mut options = self.behind(["sh", "-c", script]);
        options.command.env("LISTEN_FDS", sockets.len().to_string()).env("LISTEN_FDNAMES", names);
        let mut copies =
            sockets.iter().map(|socket| socket.try_clone_to_owned().expect("a copy of a socket"));
        options.passed = [copies.next(), copies.next()];
        options
    }

    /// The command as it is, for what [`RelayOptions`] has no word for.
    pub fn command(&mut self) -> &mut Command {
        &mut self.command
    }

    /// Starts it and waits until it serves.
    #[track_caller]
    pub fn start(mut self) -> Relay {
        let [stdin, stdout] = self.passed.map(|socket| socket.map_or_else(Stdio::null, Stdio::from));
        self.command.stdin(stdin).stdout(stdout).stderr(Stdio::piped());
        let mut child = self.command.spawn().expect("the relay starts");
        let log = Arc::new(Mutex::new(Vec::new()));
        let stderr = BufReader::new(child.stderr.take().expect("a piped stderr"));
        let writer = Arc::clone(&log);
        let mut reader = Some(thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                writer.lock().unwrap().push(line);
            }
        }));
        let serving = eventually("the relay serves", || {
            if let Some(status) = child.try_wait().unwrap() {
                // Its last words are all there when the pipe is closed.
                reader.take().map(thread::JoinHandle::join);
                panic!("the relay ended with {status}: {:#?}", log.lock().unwrap());
            }
            log.lock().unwrap().iter().find(|line| line.contains("the relay serves")).cloned()
        });
        let addresses =
            field(&serving, "address").split(',').map(|text| text.parse().expect("an address")).collect();
        let metrics = field(&serving, "metrics")
            .strip_prefix("http://")
            .map(|url| url.trim_end_matches("/metrics").parse().expect("a metrics address"));
        Relay { child, log, addresses, metrics }
    }

    /// Runs it to its end: exit status, standard output, standard error.
    pub fn run(mut self) -> (ExitStatus, String, String) {
        let [stdin, stdout] = self.passed;
        self.command.stdin(stdin.map_or_else(Stdio::null, Stdio::from));
        self.command.stdout(stdout.map_or_else(Stdio::piped, Stdio::from)).stderr(Stdio::piped());
        let output = self.command.output().expect("the relay runs");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
        (output.status, text(output.stdout), text(output.stderr))
    }
}

impl Relay {
    /// A relay of this backend.
    #[track_caller]
    pub fn start(backend: Backend) -> Self {
        RelayOptions::new(backend).start()
    }

    /// Its first address.
    pub fn address(&self) -> SocketAddr {
        self.addresses[0]
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Its log lines so far.
    pub fn log(&self) -> Vec<String> {
        self.log.lock().unwrap().clone()
    }

    /// Waits for a log line that contains this text.
    #[track_caller]
    pub fn wait_for_log(&self, text: &str) -> String {
        eventually(text, || self.log().into_iter().find(|line| line.contains(text)))
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: &str) {
        let status = Command::new("kill").args([&format!("-{signal}"), &self.pid().to_string()]).status();
        assert!(status.expect("kill runs").success(), "kill -{signal}");
    }

    /// Does something while the relay goes on, or while it is stopped.
    pub fn pausing_if<T>(&self, pause: bool, action: impl FnOnce() -> T) -> T {
        if pause { self.pausing(action) } else { action() }
    }

    /// Does something while the relay is stopped, so that it finds all that arrives in one turn.
    pub fn pausing<T>(&self, action: impl FnOnce() -> T) -> T {
        while_stopped(self.pid(), action)
    }

    /// What it has counted, for whoever has to find out why a story failed.
    fn show_counters(&self) {
        // It may be what failed.
        if let Ok(counters) = catch_unwind(AssertUnwindSafe(|| self.metrics())) {
            let counted =
                counters.iter().filter(|(name, value)| name.starts_with("relay_") && **value != 0.0);
            counted.for_each(|(name, value)| eprintln!("{name} {value}"));
        }
    }

    /// Waits for its end.
    #[track_caller]
    pub fn wait(&mut self) -> ExitStatus {
        eventually("the relay ends", || self.child.try_wait().unwrap())
    }

    /// Where it serves its metrics.
    #[track_caller]
    pub fn metrics_address(&self) -> SocketAddr {
        self.metrics.expect("a relay with metrics")
    }

    /// The body of an HTTP answer, and its status.
    #[track_caller]
    pub fn http(&self, path: &str) -> (u16, String) {
        let address = self.metrics_address();
        let mut stream = TcpStream::connect(address).expect("the metrics address answers");
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        let (head, body) = answer.split_once("\r\n\r\n").expect("a head and a body");
        let status = head.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
        (status, body.to_owned())
    }

    /// All samples of a scrape, by name and labels as they are written (`relay_clients{shard="0"}`).
    #[track_caller]
    pub fn metrics(&self) -> BTreeMap<String, f64> {
        let (status, body) = self.http("/metrics");
        assert_eq!(status, 200);
        let sample = |line: &str| {
            let (name, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("no sample: {line}"));
            (name.to_owned(), value.parse().unwrap_or_else(|_| panic!("no number: {line}")))
        };
        body.lines().filter(|line| !line.is_empty() && !line.starts_with('#')).map(sample).collect()
    }

    /// The sum of a metric over all its labels that contain `labels`.
    #[track_caller]
    pub fn metric(&self, name: &str, labels: &str) -> f64 {
        let of = |key: &str| key.split('{').next() == Some(name) && key.contains(labels);
        self.metrics().iter().filter(|(key, _)| of(key)).map(|(_, value)| value).sum()
    }
}

/// Does something while this process is stopped; it may be dead afterwards.
pub fn while_stopped<T>(pid: u32, action: impl FnOnce() -> T) -> T {
    let pid = Pid::from_raw(pid as i32);
    kill(pid, Signal::SIGSTOP).expect("the relay is stopped");
    let stopped = |thread: std::fs::DirEntry| {
        let stat = std::fs::read_to_string(thread.path().join("stat"));
        stat.is_ok_and(|stat| stat.contains(") T "))
    };
    eventually("every thread stops", || {
        let mut threads = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap().map(Result::unwrap);
        threads.all(stopped).then_some(())
    });
    let result = action();
    kill(pid, Signal::SIGCONT).expect("the relay goes on");
    result
}

impl Drop for Relay {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("the relay's log: {:#?}", self.log());
            self.show_counters();
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where a program of this project is: in the folder that `RELAY_PROGRAMS` names, as `cargo xtask test` does, so that the
/// stories need no optimisation to be told of what is released; else the one that was built with these tests, which
/// lie in a folder beside it. Tests of other packages use this file, too.
pub fn program(name: &str) -> PathBuf {
    let folder = std::env::var_os("RELAY_PROGRAMS").map(PathBuf::from).unwrap_or_else(|| {
        let own = std::env::current_exe().expect("the path of this program");
        own.ancestors().nth(2).expect("target/PROFILE/deps").to_owned()
    });
    let path = folder.join(name);
    let how = "run `cargo build --bins` (with --release if this is)";
    assert!(path.is_file(), "{} is missing: {how} first", path.display());
    path
}

/// A field of a log line: `name="value"`, `name=value` or `"name":"value"`.
#[track_caller]
pub fn field(line: &str, name: &str) -> String {
    let forms = [format!(" {name}="), format!("\"{name}\":")];
    let found = forms.iter().find_map(|form| line.split_once(form.as_str()));
    let (_, value) = found.unwrap_or_else(|| panic!("no {name} in {line}"));
    let end = |c: char| c.is_whitespace() || c == ',' || c == '}';
    let value = match value.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next(),
        None => value.split(end).next(),
    };
    value.unwrap_or_default().to_owned()
}
