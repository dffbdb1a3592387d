//! Answers leave from the address that the question reached.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr, SocketAddrV6, UdpSocket};

use net::DriverConfig;
use socket2::SockRef;

use crate::candidate::{Candidate, echo_of, flush, on, receive};
use crate::namespace::{Cable, FAR, NEAR, add_ipv6, ip};
use crate::peer::Peer;

crate::contract![
    a_wildcard_socket_answers_from_where_it_was_reached,
    a_wildcard_socket_answers_over_ipv6,
    link_local_addresses_keep_their_interface,
    what_is_sent_to_many_says_so,
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

/// A client that may send to many.
fn caller(host: &str) -> UdpSocket {
    let socket = UdpSocket::bind((host, 0)).unwrap();
    socket.set_broadcast(true).unwrap();
    socket
}

/// What a driver says of each of these, the texts of which are their destinations.
fn reached<C: Candidate>(driver: &mut C, many: usize) -> BTreeMap<String, Option<IpAddr>> {
    let arrivals = receive(driver, many);
    let text = |arrival| String::from_utf8(driver.bytes(arrival).to_vec()).unwrap();
    arrivals.iter().map(|arrival| (text(arrival), arrival.local)).collect()
}

/// Every socket of the port has it: whoever answers does it as often as it has sockets.
fn what_is_sent_to_many_says_so<C: Candidate>() {
    Cable::lay(|cable| {
        ip("addr add 10.9.0.7/24 dev near");
        // A whole network is this machine's.
        ip("route add local 10.8.0.0/24 dev lo");
        add_ipv6("fd09::1/64", "near");
        let (mut driver, relay) = on::<C>("0.0.0.0:0", &DriverConfig::default());
        let (mut driver6, relay6) = on::<C>("[::]:0", &DriverConfig::default());
        let one = [NEAR, "10.9.0.7", "10.8.0.9"];
        cable.over_there(|| {
            ip("route add 10.8.0.0/24 via 10.9.0.1");
            let socket = caller(FAR);
            for to in one.iter().chain(&["10.9.0.255", "255.255.255.255", "224.0.0.1"]) {
                SockRef::from(&socket).set_multicast_if_v4(&FAR.parse().unwrap()).unwrap();
                socket.send_to(to.as_bytes(), (*to, relay.port())).unwrap();
            }
            add_ipv6("fd09::2/64", "far");
        });
        cable.know_each_other("fd09::1", "fd09::2");
        cable.over_there(|| {
            let socket = caller("fd09::2");
            let far = nix::net::if_::if_nametoindex("far").unwrap();
            for (to, scope) in [("fd09::1", 0), ("ff02::1", far)] {
                let at = SocketAddrV6::new(to.parse().unwrap(), relay6.port(), 0, scope);
                socket.send_to(to.as_bytes(), at).unwrap();
            }
        });
        for to in ["127.3.3.3", "127.255.255.255"] {
            caller("127.0.0.1").send_to(to.as_bytes(), (to, relay.port())).unwrap();
        }
        let told = reached(&mut driver, 8);
        for (to, local) in &told {
            let expected =
                if one.contains(&to.as_str()) || to == "127.3.3.3" { to } else { "255.255.255.255" };
            assert_eq!(*local, Some(expected.parse().unwrap()), "{to}");
        }
        assert_eq!(told.len(), 8);
        let told = reached(&mut driver6, 2);
        assert!(
            told.len() == 2 && told.iter().all(|(to, local)| *local == Some(to.parse().unwrap())),
            "{told:?}"
        );
    });
}
