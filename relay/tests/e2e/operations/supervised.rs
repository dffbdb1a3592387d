//! What a service manager is told: ready, reloading, stopping, and that every shard turns, only while every shard does.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};

use tempfile::TempDir;

use crate::support::{Backend, Halted, PATIENCE, RelayOptions, each_backend};

use super::tools::ConfigFile;

/// A service manager's ear.
struct Manager {
    socket: UnixDatagram,
}

impl Manager {
    fn of(socket: UnixDatagram) -> Self {
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { socket }
    }

    /// The lines of the next message.
    #[track_caller]
    fn hear(&self) -> Vec<String> {
        let mut buffer = [0; 1024];
        let len = self.socket.recv(&mut buffer).expect("a message to the service manager");
        String::from_utf8(buffer[..len].to_vec()).expect("text").lines().map(str::to_owned).collect()
    }

    /// True if nothing has been told.
    fn has_heard_nothing(&self) -> bool {
        self.socket.set_nonblocking(true).unwrap();
        self.socket.recv(&mut [0; 1024]).is_err()
    }
}

fn told_to(folder: &TempDir, options: RelayOptions) -> (Manager, RelayOptions) {
    let path = folder.path().join("notify");
    let manager = Manager::of(UnixDatagram::bind(&path).unwrap());
    (manager, options.env("NOTIFY_SOCKET", path.to_str().unwrap()))
}

/// From the start to the end.
#[track_caller]
fn a_life(manager: &Manager, options: RelayOptions) {
    let file = ConfigFile::new("cap = 3");
    let mut relay = options.with(["--config", &file.name()]).start();
    assert_eq!(manager.hear(), ["READY=1", "STATUS=serves 0 clients and 0 groups"]);
    assert_eq!(relay.http("/readyz").0, 200);
    // With a file that is no good it is as ready as before.
    for text in ["cap = 4", "cap = nonsense"] {
        file.write(text);
        relay.signal("HUP");
        let reloading = manager.hear();
        assert_eq!(reloading[0], "RELOADING=1");
        let since = reloading[1].strip_prefix("MONOTONIC_USEC=").expect("a time");
        assert!(since.parse::<u64>().expect("microseconds") > 0);
        assert_eq!(manager.hear(), ["READY=1"]);
    }
    relay.signal("TERM");
    assert_eq!(manager.hear(), ["STOPPING=1", "STATUS=stops"]);
    assert!(relay.wait().success());
    assert!(manager.has_heard_nothing(), "nobody asked for a watchdog");
}

#[test]
fn it_is_told_of_readiness_reloads_and_the_end() {
    each_backend(|backend| {
        let folder = TempDir::new().unwrap();
        let (manager, options) = told_to(&folder, RelayOptions::new(backend));
        a_life(&manager, options);
    });
}

#[test]
fn it_may_listen_in_the_abstract_namespace() {
    let name = format!("relay-e2e-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&name).unwrap();
    let manager = Manager::of(UnixDatagram::bind_addr(&address).unwrap());
    a_life(&manager, RelayOptions::new(Backend::Mmsg).env("NOTIFY_SOCKET", &format!("@{name}")));
}

#[test]
fn a_relay_that_does_not_serve_is_never_ready() {
    let folder = TempDir::new().unwrap();
    let options = RelayOptions::new(Backend::Mmsg).with(["--metrics-listen", "192.0.2.1:1"]);
    let (manager, options) = told_to(&folder, options);
    assert_eq!(options.run().0.code(), Some(2));
    assert!(manager.has_heard_nothing());
}

#[test]
fn a_service_manager_that_is_gone_does_no_harm() {
    let relay = RelayOptions::new(Backend::Mmsg).env("NOTIFY_SOCKET", "/nonexistent/notify").start();
    relay.wait_for_log("NOTIFY_SOCKET");
    super::tools::main_job(relay.address());
}

/// Its queue is full, and it reads nothing of it.
#[test]
fn a_service_manager_that_does_not_read_holds_nothing_up() {
    let folder = TempDir::new().unwrap();
    let (manager, options) = told_to(&folder, RelayOptions::new(Backend::Mmsg));
    let other = UnixDatagram::unbound().unwrap();
    other.set_nonblocking(true).unwrap();
    let fill = || while other.send_to(b"OTHER", folder.path().join("notify")).is_ok() {};
    fill();
    let file = ConfigFile::new("cap = 9");
    let mut relay = options.with(["--config", &file.name()]).env("WATCHDOG_USEC", "400000").start();
    relay.wait_for_log("the service manager cannot be told");
    super::tools::main_job(relay.address());
    // When it reads again, it hears what it waited for.
    while !manager.hear().contains(&"READY=1".to_owned()) {}
    fill();
    relay.signal("HUP");
    relay.wait_for_log("the configuration was reloaded");
    relay.signal("TERM");
    assert!(relay.wait().success());
}

#[test]
fn a_service_manager_that_has_gone_is_missed_once() {
    let folder = TempDir::new().unwrap();
    let (manager, options) = told_to(&folder, RelayOptions::new(Backend::Mmsg));
    let mut relay = options.env("WATCHDOG_USEC", "100000").start();
    assert_eq!(manager.hear()[0], "READY=1");
    drop(manager);
    relay.wait_for_log("the service manager cannot be told");
    // Many more would have been sent before a shard is known to stand still.
    let halted = Halted::new(&relay, "shard-0");
    relay.wait_for_log("does not turn");
    halted.go_on();
    relay.wait_for_log("turns again");
    relay.signal("TERM");
    relay.wait();
    let said = relay.log().iter().filter(|line| line.contains("the service manager cannot be told")).count();
    assert_eq!(said, 1);
}

#[test]
fn one_shard_that_stands_still_stops_the_watchdog() {
    each_backend(|backend| {
        let folder = TempDir::new().unwrap();
        let (manager, options) = told_to(&folder, RelayOptions::new(backend));
        let relay = options.env("WATCHDOG_USEC", "400000").start();
        assert_eq!(manager.hear()[0], "READY=1");
        for (shard, name) in ["shard-0", "shard-1"].iter().enumerate() {
            // Idle shards wait in the kernel, and are asked there.
            for _ in 0..3 {
                assert_eq!(manager.hear(), ["WATCHDOG=1", "STATUS=serves 0 clients and 0 groups"]);
            }
            let halted = Halted::new(&relay, name);
            let stuck = [format!("STATUS=shard {shard} does not turn")];
            // What it did before may still be told.
            while manager.hear() != stuck {}
            for _ in 0..5 {
                assert_eq!(manager.hear(), stuck);
            }
            assert!(relay.wait_for_log("does not turn").contains("ERROR"));
            halted.go_on();
            while manager.hear() == stuck {}
        }
    });
}
