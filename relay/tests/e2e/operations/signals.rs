//! Stopping: readiness goes first, what was taken is sent, the port is free, and a second signal does not wait.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use crate::support::{
    Backend, Client, Halted, PATIENCE, Relay, RelayOptions, alone, each_backend, eventually, undisturbed,
};

use super::tools::{main_job, proc_of, status_line};

const METRICS: &str = "127.0.0.1:9500";
const MEMBERS: usize = 200;
const BURST: usize = 200;

fn usual(backend: Backend) -> RelayOptions {
    RelayOptions::plain().with(["--backend", backend.name(), "--shards", "2"])
}

#[test]
fn term_and_int_end_it_with_success_and_free_its_ports_at_once() {
    alone(|| {
        each_backend(|backend| {
            for signal in ["TERM", "INT"] {
                let mut relay = usual(backend).start();
                let address = relay.address();
                main_job(address);
                relay.signal(signal);
                assert_eq!(relay.wait().code(), Some(0));
                drop(UdpSocket::bind(address).expect("the port is free"));
                drop(TcpListener::bind(METRICS).expect("the metrics port is free"));
                let line = relay.wait_for_log("the relay stops");
                assert!(line.contains(&format!("SIG{signal}")), "{line}");
            }
        });
    });
}

#[test]
fn when_the_sockets_are_closed_it_has_not_been_ready_for_a_while() {
    alone(|| {
        each_backend(|backend| {
            let mut relay = usual(backend).start();
            let client = UdpSocket::bind("127.0.0.1:0").unwrap();
            client.connect(relay.address()).unwrap();
            client.set_read_timeout(Some(PATIENCE)).unwrap();
            assert_eq!(readiness(), Some(200));
            relay.signal("TERM");
            let start = Instant::now();
            let refused = |result: std::io::Result<usize>| {
                result.is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused)
            };
            client.set_read_timeout(Some(Duration::from_millis(10))).unwrap();
            while !refused(client.send(b"!PING")) && !refused(client.recv(&mut [0; 64])) {
                assert!(start.elapsed() < PATIENCE, "its sockets stay open");
            }
            // Either it says so or nobody is there any more.
            assert!(matches!(readiness(), None | Some(503)));
            assert!(relay.wait().success());
        });
    });
}

/// The status of /readyz, or `None` if nobody answers.
fn readiness() -> Option<u16> {
    let mut stream = TcpStream::connect(METRICS).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: relay\r\nConnection: close\r\n\r\n").ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    answer.split(' ').nth(1)?.parse().ok()
}

/// A stopped relay (SIGSTOP) in whose socket a burst for many members waits.
struct Loaded {
    relay: Relay,
    members: Vec<Client>,
}

impl Loaded {
    fn start(backend: Backend, burst: usize) -> Self {
        let relay = usual(backend).with(["--cap", "none"]).start();
        let sender = Client::to(relay.address());
        let group = sender.create();
        sender.join(&group);
        let members: Vec<_> = (0..MEMBERS).map(|_| Client::member(relay.address(), &group).roomy()).collect();
        relay.signal("STOP");
        for number in 0..burst {
            sender.send(number.to_string());
        }
        Self { relay, members }
    }
}

#[test]
fn what_was_taken_is_sent_before_it_ends() {
    alone(|| {
        each_backend(|backend| {
            let Loaded { mut relay, members } = Loaded::start(backend, BURST);
            relay.signal("CONT");
            assert_eq!(members[0].hear(), "0");
            relay.signal("TERM");
            assert_eq!(relay.wait().code(), Some(0));
            let mut received: Vec<Vec<Vec<u8>>> = members.iter().map(Client::drain).collect();
            received[0].insert(0, b"0".to_vec());
            // Every payload went to every member, and the burst was in the relay's hands.
            let expected: Vec<Vec<u8>> = (0..BURST).map(|number| number.to_string().into_bytes()).collect();
            for (member, received) in received.iter().enumerate() {
                assert_eq!(received.len(), BURST, "member {member}");
                assert!(*received == expected, "member {member}: out of order");
            }
        });
    });
}

#[test]
fn readiness_is_off_while_it_still_sends() {
    alone(|| {
        each_backend(|backend| {
            // On a busy machine the last of the burst may be gone before the first look.
            undisturbed(|| {
                let Loaded { mut relay, members } = Loaded::start(backend, 2 * BURST);
                relay.signal("CONT");
                members[0].hear();
                relay.signal("TERM");
                let seen = std::iter::repeat_with(readiness).find(|status| *status != Some(200))?;
                assert_eq!(relay.wait().code(), Some(0));
                seen.map(|status| assert_eq!(status, 503))
            });
        });
    });
}

#[test]
fn a_second_signal_ends_it_at_once() {
    alone(|| {
        each_backend(|backend| {
            let Loaded { mut relay, .. } = Loaded::start(backend, 2 * BURST);
            relay.signal("TERM");
            relay.signal("INT");
            relay.signal("CONT");
            let code = relay.wait().code();
            assert!(matches!(code, Some(130 | 143)), "{code:?}");
            let address: SocketAddr = relay.address();
            // Like after a kill, the kernel may hold the port for a moment; a new relay waits for it.
            drop(relay);
            main_job(usual(backend).with(["--port", &address.port().to_string()]).start().address());
        });
    });
}

#[test]
fn one_more_signal_ends_it_whatever_its_threads_do() {
    let mut relay = RelayOptions::new(Backend::Mmsg).with(["--shards", "1"]).start();
    let halted = Halted::new(&relay, "signals");
    // Two that come together may be one.
    eventually("it ends", || {
        relay.signal("TERM");
        status_line(&proc_of(relay.pid()), "State").starts_with('Z').then_some(())
    });
    halted.go_on();
    assert_eq!(relay.wait().code(), Some(143));
}
