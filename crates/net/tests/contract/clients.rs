//! Clients' own sockets: bound to ports that the kernel chooses, and connected if need be.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use net::{BindErrorKind, DriverConfig, Failure, FailureKind, SocketOptions, bind_clients};

use crate::candidate::{Candidate, echo_of, flush, receive, release_all, run_of, until};
use crate::namespace::Cable;
use crate::peer::Peer;

crate::contract![
    clients_exchange_with_their_peer,
    a_connected_client_hears_its_peer_alone,
    a_refusal_is_told_by_the_next_send,
    a_refusal_is_told_by_a_receive,
];

/// A port that nobody has had in a new namespace. One that was just closed lives on in every process that is being
/// started meanwhile.
const CLOSED: &str = "127.0.0.1:9";
const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// A driver of one connected client, and the address of that.
fn connected<C: Candidate>(local: IpAddr, peer: SocketAddr) -> (C, SocketAddr) {
    let sockets = bind_clients(local, 1, Some(peer), SocketOptions::default()).unwrap();
    assert_eq!(sockets[0].peer(), Some(peer));
    let address = sockets[0].address();
    (C::open(sockets, &DriverConfig::default()).unwrap(), address)
}

fn clients_exchange_with_their_peer<C: Candidate>() {
    let unspecified = [IpAddr::V4(Ipv4Addr::UNSPECIFIED), IpAddr::V6(Ipv6Addr::UNSPECIFIED)];
    for (local, peer) in
        [(LOOPBACK, "127.0.0.1:0"), (unspecified[0], "127.0.0.2:0"), (unspecified[1], "[::1]:0")]
    {
        let peer = Peer::on(peer);
        let (mut driver, client) = connected::<C>(local, peer.address);
        assert!(!client.ip().is_unspecified(), "the route to the peer has chosen {client}");
        for texts in [&[&b"alone"[..]][..], &[b"both", b"two"]] {
            let run = run_of(&mut driver, peer.address, texts);
            driver.send(&run).unwrap();
            flush(&mut driver);
            texts.iter().for_each(|text| assert_eq!(peer.receive_from(), (text.to_vec(), client)));
        }
        peer.send(b"answer", client);
        let arrivals = receive(&mut driver, 1);
        assert_eq!((driver.bytes(&arrivals[0]), arrivals[0].source), (&b"answer"[..], peer.address));
        assert_eq!(arrivals[0].local, None);
        let run = echo_of(&mut driver, &arrivals[0]);
        driver.send(&run).unwrap();
        flush(&mut driver);
        assert_eq!(peer.receive(), b"answer");
    }
}

fn a_connected_client_hears_its_peer_alone<C: Candidate>() {
    let (peer, stranger) = (Peer::on_loopback(), Peer::on_loopback());
    let (mut driver, client) = connected::<C>(LOOPBACK, peer.address);
    // The kernel may take it, and tell the stranger that there is no such port.
    let _ = stranger.socket.send_to(b"strange", client);
    peer.send(b"known", client);
    let arrivals = receive(&mut driver, 1);
    assert_eq!((arrivals.len(), driver.bytes(&arrivals[0])), (1, &b"known"[..]));
    let run = run_of(&mut driver, stranger.address, &[b"a name is still heeded"]);
    driver.send(&run).unwrap();
    flush(&mut driver);
    assert_eq!(stranger.receive_from().1, client);
}

fn a_refusal_is_told_by_the_next_send<C: Candidate>() {
    // Elsewhere another test could get the port.
    Cable::lay(|_| {
        let closed = CLOSED.parse().unwrap();
        let (mut driver, _) = connected::<C>(LOOPBACK, closed);
        for _ in 0..6 {
            let run = run_of(&mut driver, closed, &[b"anybody?"]);
            driver.send(&run).unwrap();
            driver.flush();
        }
        let report = driver.report();
        assert_eq!((report.datagrams, report.failed()), (3, 3));
        let failure = Failure { to: closed, kind: FailureKind::Unreachable, datagrams: 1 };
        assert!(report.failures.iter().all(|one| (one.to, one.kind) == (failure.to, failure.kind)));
    });
}

fn a_refusal_is_told_by_a_receive<C: Candidate>() {
    // Elsewhere another test could get the port.
    Cable::lay(|_| {
        let closed = CLOSED.parse().unwrap();
        let (mut driver, client) = connected::<C>(LOOPBACK, closed);
        for returned in 1..=20 {
            let run = run_of(&mut driver, closed, &[b"anybody?"]);
            driver.send(&run).unwrap();
            until(|| {
                driver.exchange(&mut Vec::new(), Some(Duration::from_millis(100))).unwrap();
                driver.report().returned == returned
            });
        }
        assert_eq!((driver.report().datagrams, driver.report().failed()), (20, 0));
        assert_eq!(driver.stats().receive_errors, 0);
        let peer = Peer::on(CLOSED);
        peer.send(b"here again", client);
        let arrivals = receive(&mut driver, 1);
        assert_eq!(driver.bytes(&arrivals[0]), b"here again");
        release_all(&mut driver, &arrivals);
    });
}

#[test]
fn ports_that_are_used_up_are_a_clear_error() {
    Cable::lay(|_| {
        // The calling thread's namespace.
        std::fs::write("/proc/sys/net/ipv4/ip_local_port_range", "40000 40009").unwrap();
        let all = bind_clients(LOOPBACK, 10, None, SocketOptions::default()).unwrap();
        assert!(all.iter().all(|socket| (40_000..40_010).contains(&socket.address().port())));
        let error = bind_clients(LOOPBACK, 1, None, SocketOptions::default()).unwrap_err();
        assert_eq!(error.kind, BindErrorKind::Ports);
        assert!(error.to_string().contains("ip_local_port_range"), "{error}");
        drop(all);
        let error = bind_clients(LOOPBACK, 11, None, SocketOptions::default()).unwrap_err();
        assert_eq!(error.kind, BindErrorKind::Ports);
        bind_clients(LOOPBACK, 10, None, SocketOptions::default()).unwrap();
    });
}
