//! Sockets that a service manager has bound: served from as they are, kept over restarts, refused with a reason.

use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;

use socket2::{Domain, Socket, Type};

use crate::support::{Backend, Client, RelayOptions, each_backend, eventually};
use crate::tcp::Caller;

use super::tools::{Copied, Over, assert_says, main_job, refused};

/// Sockets of one address, as `ListenDatagram=` twice with `ReusePort=yes` makes them.
fn pair() -> [Socket; 2] {
    let mut address: SocketAddr = "127.0.0.1:0".parse().unwrap();
    [(); 2].map(|()| {
        let socket = Socket::new(Domain::IPV4, Type::DGRAM, None).unwrap();
        socket.set_reuse_port(true).unwrap();
        socket.bind(&address.into()).unwrap();
        address = socket.local_addr().unwrap().as_socket().unwrap();
        socket
    })
}

/// One for datagrams, and one for connections, as `ListenDatagram=` and `ListenStream=` make them.
fn both() -> (UdpSocket, TcpListener) {
    // Another program may have a TCP port of that number, but not of so many.
    let mut sockets = (0..100).map(|_| UdpSocket::bind("127.0.0.1:0").unwrap());
    let both = sockets.find_map(|udp| Some((TcpListener::bind(udp.local_addr().unwrap()).ok()?, udp)));
    let (listener, udp) = both.expect("a port that is free for both");
    (udp, listener)
}

fn address(socket: &Socket) -> SocketAddr {
    socket.local_addr().unwrap().as_socket().unwrap()
}

#[test]
fn each_shard_serves_from_one_of_the_passed_sockets() {
    each_backend(|backend| {
        let sockets = pair();
        let options = RelayOptions::new(backend).with(["--host", "192.0.2.1"]);
        let relay = options.passing(&[sockets[0].as_fd(), sockets[1].as_fd()], "relay:relay").start();
        assert_eq!(relay.addresses, [address(&sockets[0])]);
        relay.wait_for_log("host and port are not looked at");
        main_job(relay.address());
        let clients: Vec<_> = (0..32).map(|_| Client::to(relay.address())).collect();
        clients.iter().for_each(Client::assert_silence);
        eventually("both shards have counted", || {
            let mut shares = ["shard=\"0\"", "shard=\"1\""]
                .map(|shard| relay.metric("relay_received_packets_total", shard))
                .into_iter();
            shares.all(|share| share > 0.0).then_some(())
        });
    });
}

#[test]
fn no_datagram_is_lost_over_restarts() {
    each_backend(|backend| {
        let sockets = pair();
        let passed = [sockets[0].as_fd(), sockets[1].as_fd()];
        let start = || RelayOptions::new(backend).passing(&passed, "relay:relay").start();
        let (over, answered) = (AtomicBool::new(false), AtomicU32::new(0));
        let mut relay = start();
        thread::scope(|scope| {
            // Also if this fails: nobody asks for ever.
            let ended = Over(&over);
            for _ in 0..4 {
                scope.spawn(|| {
                    let client = Client::to(address(&sockets[0]));
                    while !over.load(Ordering::Relaxed) {
                        // Each waits for its answer, and each gets it, whichever relay it reaches.
                        client.assert_silence();
                        answered.fetch_add(1, Ordering::Relaxed);
                    }
                    client.assert_heard_all();
                });
            }
            for _ in 0..5 {
                let before = answered.load(Ordering::Relaxed);
                eventually("it answers", || (answered.load(Ordering::Relaxed) > before + 200).then_some(()));
                relay.signal("TERM");
                assert!(relay.wait().success());
                relay = start();
            }
            drop(ended);
        });
    });
}

#[test]
fn a_port_that_only_root_may_bind_needs_no_privilege() {
    let binary = Copied::new();
    let bound = (700..1024).find_map(|port| UdpSocket::bind(("127.0.0.1", port)).ok());
    let socket = bound.expect("a port below 1024, which takes root");
    let options = RelayOptions::of(&binary.path).with(["--shards", "1", "--metrics-listen", "off"]);
    let relay = binary.unprivileged(options).passing(&[socket.as_fd()], "relay").start();
    assert_eq!(relay.address(), socket.local_addr().unwrap());
    main_job(relay.address());
}

#[test]
fn one_socket_is_one_shard_and_the_log_says_what_to_do() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let metrics = TcpListener::bind("127.0.0.1:0").unwrap();
    let passed = [socket.as_fd(), metrics.as_fd()];
    let options = RelayOptions::new(Backend::Mmsg).with(["--metrics-listen", "off"]);
    let relay = options.passing(&passed, "relay:metrics").start();
    assert_says(&relay.wait_for_log("metrics-listen is not looked at"), &["WARN", "127.0.0.1:"]);
    assert_says(&relay.wait_for_log("ListenDatagram="), &["WARN", "shards=1", "wanted=2", "ReusePort=yes"]);
    assert_eq!(relay.metrics_address(), metrics.local_addr().unwrap());
    main_job(relay.address());
    assert_eq!(relay.metric("relay_ready", ""), 1.0);
}

/// Who connects before the relay serves, or while it restarts, waits for it.
#[test]
fn clients_by_tcp_are_served_from_a_passed_socket() {
    each_backend(|backend| {
        let (udp, listener) = both();
        let passed = [udp.as_fd(), listener.as_fd()];
        let start = || RelayOptions::new(backend).passing(&passed, "relay:relay").start();
        let early = Caller::to(listener.local_addr().unwrap());
        let mut relay = start();
        early.assert_silence();
        let by_udp = Client::to(relay.address());
        let group = by_udp.create();
        by_udp.join(&group);
        early.join(&group);
        by_udp.send("from one to the other");
        assert_eq!(early.hear(), "from one to the other");
        relay.signal("TERM");
        assert!(relay.wait().success());
        assert!(early.next().is_none());
        let late = Caller::to(listener.local_addr().unwrap());
        let _relay = start();
        late.assert_silence();
    });
}

#[test]
fn sockets_of_both_kinds_that_do_not_fit_together_are_refused() {
    let (udp, listener) = both();
    let refuse = |stream: Option<BorrowedFd<'_>>, tcp: &str| {
        let passed: Vec<_> = [udp.as_fd()].into_iter().chain(stream).collect();
        let names = vec!["relay"; passed.len()].join(":");
        refused(RelayOptions::new(Backend::Mmsg).with(["--tcp", tcp]).passing(&passed, &names))
    };
    let here = udp.local_addr().unwrap().to_string();
    assert_says(&refuse(None, "on"), &["no TCP socket is at", &here, "ListenStream="]);
    assert_says(&refuse(Some(listener.as_fd()), "off"), &["TCP socket relay", "tcp=off"]);
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let there = other.local_addr().unwrap().to_string();
    assert_says(&refuse(Some(other.as_fd()), "auto"), &["TCP socket relay is at", &there, "no UDP socket"]);
    let connected = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let line = refuse(Some(connected.as_fd()), "auto");
    assert_says(&line, &["descriptor 4 (relay)", "TCP socket that listens"]);
}

#[test]
fn what_cannot_be_served_from_is_refused_in_one_line() {
    let options = || RelayOptions::new(Backend::Mmsg);
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let line = refused(options().passing(&[tcp.as_fd()], "relay"));
    assert_says(&line, &["socket activation", "TCP socket relay", "FileDescriptorName=metrics"]);
    let dual = Socket::new(Domain::IPV6, Type::DGRAM, None).unwrap();
    dual.set_only_v6(false).unwrap();
    dual.bind(&"[::]:0".parse::<SocketAddr>().unwrap().into()).unwrap();
    let line = refused(options().passing(&[dual.as_fd()], "x"));
    assert_says(&line, &["descriptor 3 (x)", "BindIPv6Only=ipv6-only"]);
    let line = refused(options().passing(&[udp.as_fd()], "a:b"));
    assert_says(&line, &["LISTEN_FDNAMES"]);
    let line = refused(options().passing(&[udp.as_fd()], "a").env("LISTEN_FDS", "5"));
    assert_says(&line, &["LISTEN_FDS=5 promises descriptors 3 to 7", "4 is not open", "socket unit"]);
}
