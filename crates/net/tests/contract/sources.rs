//! Answers leave from the address that the question reached.

use std::net::{IpAddr, SocketAddr, SocketAddrV6};

use net::DriverConfig;

use crate::candidate::{Candidate, echo_of, flush, on, receive};
use crate::namespace::{Cable, ip};
use crate::peer::Peer;

crate::contract![
    a_wildcard_socket_answers_from_where_it_was_reached,
    a_wildcard_socket_answers_over_ipv6,
    link_local_addresses_keep_their_interface,
];

fn answers_from_where_it_was_reached<C: Candidate>(wildcard: &str, reached: &str, client: &str) {
    let (mut driver, relay) = on::<C>(wildcard, &DriverConfig::default());
    let peer = Peer::on(client);
    let reached = SocketAddr::new(reached.parse().unwrap(), relay.port());
    peer.send(b"hello", reached);
    let arrival = receive(&mut driver, 1)[0];
    assert_eq!((arrival.source, arrival.local), (peer.address, Some(reached.ip())));
    let run = echo_of(&mut driver, &arrival);
    driver.send(&run).unwrap();
    flush(&mut driver);
    assert_eq!(peer.receive_from(), (b"hello".to_vec(), reached));
}

fn a_wildcard_socket_answers_from_where_it_was_reached<C: Candidate>() {
    for reached in ["127.0.0.1", "127.0.0.2", "127.99.0.1"] {
        answers_from_where_it_was_reached::<C>("0.0.0.0:0", reached, "127.0.0.1:0");
    }
}

fn a_wildcard_socket_answers_over_ipv6<C: Candidate>() {
    answers_from_where_it_was_reached::<C>("[::]:0", "::1", "[::1]:0");
}

fn link_local_addresses_keep_their_interface<C: Candidate>() {
    Cable::lay(|cable| {
        ip("addr add fe80::1/64 dev near nodad");
        let (mut driver, relay) = on::<C>("[::]:0", &DriverConfig::default());
        let (peer, scope) = cable.over_there(|| {
            ip("addr add fe80::2/64 dev far nodad");
            let scope = nix::net::if_::if_nametoindex("far").unwrap();
            (Peer::on(&format!("[fe80::2%{scope}]:0")), scope)
        });
        let near: IpAddr = "fe80::1".parse().unwrap();
        peer.send(b"hello", SocketAddrV6::new("fe80::1".parse().unwrap(), relay.port(), 0, scope).into());
        let arrival = receive(&mut driver, 1)[0];
        let SocketAddr::V6(source) = arrival.source else { panic!("{}", arrival.source) };
        assert_eq!(source.scope_id(), nix::net::if_::if_nametoindex("near").unwrap());
        assert_eq!(arrival.local, Some(near));
        let run = echo_of(&mut driver, &arrival);
        driver.send(&run).unwrap();
        flush(&mut driver);
        assert_eq!(driver.report().failures, []);
        assert_eq!(peer.receive_from().1.ip(), near);
    });
}
