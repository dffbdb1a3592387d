//! Where connections are taken, and what is done where they cannot be.

use std::net::{TcpListener, TcpStream, UdpSocket};

use super::Caller;
use crate::support::{Backend, Client, RelayOptions, each_backend};

/// A port that is free for datagrams, and taken for connections.
fn taken_port() -> (TcpListener, String) {
    let listener = (0..100).map(|_| TcpListener::bind("127.0.0.1:0").unwrap());
    let is_free = |listener: &TcpListener| UdpSocket::bind(listener.local_addr().unwrap()).is_ok();
    let listener = listener.into_iter().find(is_free).expect("a port that is free for UDP");
    let port = listener.local_addr().unwrap().port().to_string();
    (listener, port)
}

#[test]
fn a_taken_port_is_a_warning_and_udp_goes_on() {
    each_backend(|backend| {
        let (_listener, port) = taken_port();
        let relay = RelayOptions::new(backend).with(["--port", &port]).start();
        let warning = relay.wait_for_log("clients are served by UDP alone");
        assert!(warning.contains("WARN") && warning.contains("another process uses it"), "{warning}");
        let client = Client::to(relay.address());
        client.join(&client.create());
        assert!(
            !relay.metrics().keys().any(|name| name.starts_with("relay_tcp_") || name.contains("\"tcp\""))
        );
    });
}

#[test]
fn a_taken_port_is_an_error_where_tcp_was_asked_for() {
    let (_listener, port) = taken_port();
    let options = RelayOptions::new(Backend::Mmsg).with(["--tcp", "on", "--port", &port]);
    let (status, _, error) = options.run();
    assert_eq!(status.code(), Some(2));
    let expected =
        format!("--tcp: TCP: cannot bind 127.0.0.1:{port}: another process uses it; stop that process");
    assert!(error.contains(&expected), "{error}");
}

#[test]
fn off_takes_no_connections() {
    each_backend(|backend| {
        let relay = RelayOptions::new(backend).with(["--tcp", "off"]).start();
        assert!(TcpStream::connect(relay.address()).is_err());
        let client = Client::to(relay.address());
        client.join(&client.create());
    });
}

/// On every address, by either family, whatever port the kernel chooses.
#[test]
fn every_address_takes_connections() {
    each_backend(|backend| {
        let relay =
            RelayOptions::new(backend).with(["--tcp", "on", "--host", "127.0.0.1,127.0.0.7,::1"]).start();
        let group = Client::to(relay.address()).create();
        let callers: Vec<Caller> =
            relay.addresses.iter().map(|address| Caller::member(*address, &group)).collect();
        let by_udp: Vec<Client> =
            relay.addresses.iter().map(|address| Client::member(*address, &group)).collect();
        for caller in &callers {
            caller.send("hello");
            by_udp.iter().for_each(|client| assert_eq!(client.hear(), "hello"));
            let others = callers.iter().filter(|other| other.address() != caller.address());
            others.for_each(|other| assert_eq!(other.hear(), "hello"));
        }
    });
}

/// One host may be two clients at one address and port, one by each transport.
#[test]
fn a_client_is_transport_address_and_port() {
    each_backend(|backend| {
        let relay = RelayOptions::new(backend).start();
        // Somebody else may have the TCP port of that number.
        let mut pairs = (0..100).filter_map(|_| {
            let by_udp = Client::to(relay.address());
            let by_tcp = Caller::try_from(by_udp.address(), relay.address(), 0).ok()?;
            Some((by_udp, by_tcp))
        });
        let (by_udp, by_tcp) = pairs.next().expect("a port that is free for both");
        let group = by_udp.create();
        by_udp.join(&group);
        assert_eq!(by_tcp.ask("!WHO"), "ERR NOT_IN_GROUP JoinFirstUseJOIN");
        by_tcp.join(&group);
        assert_eq!(by_udp.ask("!WHO"), format!("OK WHO {group} 2"));
        by_udp.send("to my other half");
        assert_eq!(by_tcp.hear(), "to my other half");
        by_tcp.send("and back");
        assert_eq!(by_udp.hear(), "and back");
    });
}
