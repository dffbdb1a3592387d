//! What is watched: two relays, one of them without io_uring, a load test against the first, and everything that goes wrong.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::libc::{EPERM, SYS_io_uring_setup};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;

use super::people;
use crate::support::{Client, Prometheus, Relay, RelayOptions, alone, eventually, ip, program, without};
use crate::tcp::Caller;

/// The relays of the stage, as Prometheus calls them.
pub const RELAYS: [&str; 2] = ["127.0.0.1:9500", "127.0.0.1:9502"];

const CONFIGURATION: &str = "\
global:
  scrape_interval: 1s
  evaluation_interval: 1s
scrape_configs:
  - job_name: relay
    static_configs:
      - targets: ['127.0.0.1:9500', '127.0.0.1:9502']
  - job_name: loadgen
    static_configs:
      - targets: ['127.0.0.1:9501']
";

/// Small, but with everything that a load test has.
const LOAD: &str = "run --clients 50 --group-size 10 --rate 10 --duration 5m --ramp 0 --churn 5 --heartbeat 1s --plain --metrics-listen 127.0.0.1:9501";

/// All that runs; it ends with the story.
pub struct Stage {
    pub prometheus: Prometheus,
    relay: Relay,
    without_ring: Relay,
    /// Somebody by TCP who reads nothing.
    deaf: Caller,
    /// Where the first one keeps names and mail.
    _state: TempDir,
    generator: Generator,
}

struct Generator(Child);

impl Stage {
    /// Tells a story in a network of its own, where Prometheus has seen two rounds of trouble at least.
    pub fn set(story: impl FnOnce(&Self) + Send) {
        alone(|| {
            let stage = Self::start();
            stage.suffer();
            stage.suffer();
            story(&stage);
        });
    }

    fn start() -> Self {
        let state = tempfile::tempdir().expect("a folder");
        let place = state.path().display().to_string();
        let flags = ["--shards=2", "--receive-buffer=64K", "--deny=127.8.8.8", "--data-dir", &place];
        let relay = RelayOptions::plain().with(flags).start();
        let deaf = Caller::from(([127, 0, 0, 1], 0).into(), relay.address(), 4096);
        let (sender, receiver) = std::sync::mpsc::channel();
        without(&[SYS_io_uring_setup], EPERM, move || {
            // Who speaks to it has not shown where it is.
            let flags = ["--shards", "2", "--port", "5001", "--trust", "none", "--metrics-listen", RELAYS[1]];
            sender.send(RelayOptions::plain().with(flags).start()).unwrap();
        });
        let generator = Command::new(program("loadgen"))
            .args(LOAD.split(' '))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("the load generator runs: cargo build --release --bins");
        let stage = Self {
            prometheus: Prometheus::start(CONFIGURATION, &[]),
            relay,
            deaf,
            without_ring: receiver.recv().unwrap(),
            _state: state,
            generator: Generator(generator),
        };
        stage.prometheus.soon("count(up == 1)", 3.0);
        stage.await_scrapes();
        stage
    }

    /// One more round of trouble, which Prometheus has seen when this returns.
    pub fn suffer(&self) {
        self.cause_trouble();
        self.await_scrapes();
    }

    /// Waits until Prometheus has scraped everything twice from now on.
    fn await_scrapes(&self) {
        let now = self.prometheus.ask("vector(time())").expect("the time");
        let fresh = format!("count(timestamp(up) > {now} + 1)");
        eventually("fresh scrapes", || (self.prometheus.ask(&fresh) == Some(3.0)).then_some(()));
    }

    /// Whatever an operator hopes never to see, as far as it is cheap: a refused command, a datagram without an answer, a
    /// member who is gone, one who cannot be reached, one by TCP who does not read and one who is denied, an overflowing receive
    /// buffer, and a generator that is late.
    fn cause_trouble(&self) {
        let relay = self.relay.address();
        let quiet = Client::to(self.without_ring.address());
        quiet.join(&quiet.create());
        (0..20).for_each(|_| quiet.send("to nobody"));
        let group = quiet.create();
        quiet.join(&group);
        let _unproved = Client::member(self.without_ring.address(), &group);
        (0..20).for_each(|_| quiet.send("to somebody who came by an id"));

        let extended = Client::to(relay);
        let question = extended.ask("!HELLO 2");
        extended.ask(question.replace("!RETRY ", "!HELLO 2 "));
        people::talk(relay);
        let client = Client::to(relay);
        assert!(client.ask("!JOIN").starts_with("ERR "));
        client.send("");
        let group = client.create();
        let [stays, goes] = [(); 2].map(|()| Client::member(relay, &group));
        let far = Client::from(SocketAddr::from(([127, 9, 9, 9], 0)), relay);
        far.join(&group);
        self.deaf.send(format!("!JOIN {group}"));
        Caller::member(relay, &group).hang_up();
        let _denied = Caller::from(([127, 8, 8, 8], 0).into(), relay, 0);
        drop(goes);
        ip("route add unreachable 127.9.9.9 table local");
        stays.send("a first one, which comes back");
        let start = Instant::now();
        while start.elapsed() < Duration::from_millis(50) {
            stays.send("is anybody there?");
        }
        ip("route del unreachable 127.9.9.9 table local");
        client.create();
        self.relay.pausing(|| (0..5000).for_each(|_| stays.send([b'x'; 1000])));
        self.generator.falls_asleep();
    }
}

impl Generator {
    /// For so long that it is late with what it was to send meanwhile: the time is the trouble, nothing is waited for.
    fn falls_asleep(&self) {
        let pid = Pid::from_raw(self.0.id().cast_signed());
        kill(pid, Signal::SIGSTOP).unwrap();
        std::thread::sleep(Duration::from_millis(300));
        kill(pid, Signal::SIGCONT).unwrap();
    }
}

impl Drop for Generator {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
