//! A second relay on a port in use: it says so and ends, and takes no client from the first.

use std::io::{BufRead, BufReader, IoSlice};
use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::os::unix::net::UnixDatagram;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};

use crate::support::{Backend, Client, Relay, RelayOptions, alone};

use super::tools::{Over, assert_says, main_job, refused};

/// Clients of the first relay that go on speaking to it. They are spread over its sockets, so that one would be missed.
const CLIENTS: usize = 24;

/// Hosts and shards of a relay.
type Place = (&'static str, &'static str);

/// A first relay, and second ones that must not start beside it.
const MEETINGS: [(Place, [Place; 4]); 4] = [
    (("127.0.0.1", "2"), [("127.0.0.1", "2"), ("127.0.0.1", "1"), ("127.0.0.1", "5"), ("0.0.0.0", "2")]),
    (("0.0.0.0", "3"), [("0.0.0.0", "3"), ("0.0.0.0", "1"), ("127.0.0.1", "3"), ("127.0.0.9,::1", "2")]),
    (("::1", "2"), [("::1", "2"), ("::1", "1"), ("::", "2"), ("127.0.0.1,::1", "4")]),
    (("::", "1"), [("::", "1"), ("::", "2"), ("::1", "1"), ("0.0.0.0,::", "2")]),
];

#[test]
fn a_second_relay_ends_and_takes_no_client_from_the_first() {
    alone(|| {
        thread::scope(|scope| {
            for (number, (first, seconds)) in MEETINGS.into_iter().enumerate() {
                for backend in [Backend::Uring, Backend::Mmsg] {
                    // A refusal takes two seconds of patience, so all of them are patient at the same time.
                    let port = 5000 + 2 * number + usize::from(backend == Backend::Mmsg);
                    scope.spawn(move || meet(backend, port, first, &seconds));
                }
            }
        });
    });
}

fn meet(backend: Backend, port: usize, (host, shards): Place, seconds: &[Place]) {
    let port = port.to_string();
    let options =
        |host, shards| RelayOptions::new(backend).with(["--host", host, "--port", &port, "--shards", shards]);
    let first = options(host, shards).start();
    let clients = Clients::of(&first);
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let over = Over(&done);
        let talk = scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                clients.assert_all_served(&first);
            }
        });
        let started: Vec<_> = seconds
            .iter()
            .map(|&(host, shards)| (host, scope.spawn(|| refused(options(host, shards)))))
            .collect();
        for (host, second) in started {
            let line = second.join().expect("the second relay is refused");
            assert_says(&line, &[&port, "another process uses it", "stop that process", "--port"]);
            assert!(host.split(',').any(|host| line.contains(host)), "{host}: {line}");
        }
        drop(over);
        talk.join().expect("the clients are served");
    });
    clients.assert_all_served(&first);
}

/// Members of one group.
struct Clients {
    group: String,
    members: Vec<Client>,
}

impl Clients {
    fn of(relay: &Relay) -> Self {
        let address = loopback(relay);
        let group = Client::to(address).create();
        let members = (0..CLIENTS).map(|_| Client::member(address, &group)).collect();
        Self { group, members }
    }

    /// Old clients are members still, which another relay would deny, and a new client finds the group.
    fn assert_all_served(&self, relay: &Relay) {
        for member in &self.members {
            assert_eq!(member.ask("!WHO"), format!("OK WHO {} {CLIENTS}", self.group));
        }
        let new = Client::member(loopback(relay), &self.group);
        assert_eq!(new.ask(format!("!LEAVE {}", self.group)), format!("OK LEFT {}", self.group));
    }
}

/// Where clients on this machine reach it.
fn loopback(relay: &Relay) -> std::net::SocketAddr {
    let mut address = relay.address();
    if address.ip().is_unspecified() {
        address.set_ip(if address.is_ipv4() {
            [127, 0, 0, 1].into()
        } else {
            std::net::Ipv6Addr::LOCALHOST.into()
        });
    }
    address
}

#[test]
fn a_default_port_in_use_is_one_line_even_if_the_metrics_port_is_too() {
    alone(|| {
        let first = RelayOptions::plain().start();
        let line = refused(RelayOptions::plain());
        assert_says(&line, &["127.0.0.1:5000", "another process uses it", "--port"]);
        Clients::of(&first).assert_all_served(&first);
    });
}

#[test]
fn an_address_that_this_machine_does_not_have() {
    let line = refused(RelayOptions::new(Backend::Mmsg).with(["--host", "192.0.2.7"]));
    assert_says(&line, &["192.0.2.7", "does not have this address", "--host"]);
    assert!(!line.contains("stop"), "{line}");
}

/// A socket that waits in another socket belongs to no process, like one of a killed relay's ring.
#[test]
fn a_port_that_no_process_has_is_waited_for() {
    alone(|| {
        let socket = UdpSocket::bind("127.0.0.1:5000").unwrap();
        let (near, far) = UnixDatagram::pair().unwrap();
        let descriptors = [socket.as_raw_fd()];
        let message = [ControlMessage::ScmRights(&descriptors)];
        sendmsg::<()>(near.as_raw_fd(), &[IoSlice::new(b"x")], &message, MsgFlags::empty(), None).unwrap();
        drop(socket);

        let mut options = RelayOptions::plain();
        let mut child = options.command().stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut stderr = BufReader::new(child.stderr.take().unwrap());
        let mut next_line = || {
            let mut line = String::new();
            stderr.read_line(&mut line).unwrap();
            line
        };
        assert_says(&next_line(), &["WARN", "127.0.0.1:5000", "waiting"]);
        drop((near, far));
        assert_says(&next_line(), &["the relay serves", "127.0.0.1:5000"]);
        main_job("127.0.0.1:5000".parse().unwrap());
        child.kill().unwrap();
        child.wait().unwrap();
    });
}
