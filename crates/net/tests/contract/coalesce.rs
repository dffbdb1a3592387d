//! Datagrams that arrive several to a buffer are told apart.

use std::net::SocketAddr;

use net::{Arrival, Driver};

use crate::candidate::{Candidate, coalescing_on, echo_of, flush, on_loopback, receive, release_all};
use crate::peer::Peer;

crate::contract![
    segments_are_told_apart,
    segments_are_told_apart_over_ipv6,
    the_largest_segmented_send_fits,
    a_wildcard_tells_both_address_and_segment,
    a_wildcard_tells_both_over_ipv6,
    plain_datagrams_have_no_segment,
    a_socket_without_the_option_gets_single_datagrams,
];

/// Several datagrams of one size, and a shorter one.
fn texts(count: usize, size: usize) -> Vec<Vec<u8>> {
    let full = (1..count).map(|number| vec![number as u8; size]);
    full.chain([vec![0xff; size / 2]]).collect()
}

fn datagrams_of<D: Driver>(driver: &D, arrival: &Arrival) -> Vec<Vec<u8>> {
    let bytes = driver.bytes(arrival);
    arrival.datagrams().map(|range| bytes[range].to_vec()).collect()
}

/// Sends them at once and asserts that they arrive in one buffer.
fn arrive_together<D: Driver>(
    driver: &mut D,
    peer: &Peer,
    to: SocketAddr,
    count: usize,
    size: usize,
) -> Arrival {
    let texts = texts(count, size);
    peer.segment(size);
    peer.send(&texts.concat(), to);
    let arrivals = receive(driver, 1);
    assert_eq!(arrivals.len(), 1);
    assert_eq!(usize::from(arrivals[0].segment), if count > 1 { size } else { 0 });
    assert_eq!(datagrams_of(driver, &arrivals[0]), texts);
    assert_eq!(arrivals[0].source, peer.address);
    arrivals[0]
}

fn told_apart<C: Candidate>(address: &str) {
    let (mut driver, relay) = coalescing_on::<C>(address);
    let peer = Peer::on(address);
    for count in 1..=64 {
        let arrival = arrive_together(&mut driver, &peer, relay, count, 100);
        assert_eq!(arrival.local, None);
        release_all(&mut driver, &[arrival]);
    }
    assert_eq!(driver.end(), 64);
}

fn segments_are_told_apart<C: Candidate>() {
    told_apart::<C>("127.0.0.1:0");
}

fn segments_are_told_apart_over_ipv6<C: Candidate>() {
    told_apart::<C>("[::1]:0");
}

fn the_largest_segmented_send_fits<C: Candidate>() {
    // The loopback interface carries 65,535 bytes with all headers, Ethernet's included; what is longer it cuts.
    for (address, most) in [("127.0.0.1:0", 65_535 - 14 - 28), ("[::1]:0", 65_535 - 14 - 48)] {
        let (mut driver, relay) = coalescing_on::<C>(address);
        let peer = Peer::on(address);
        let bytes: Vec<u8> = (0..most).map(|at| (at / 1200) as u8).collect();
        peer.segment(1200);
        peer.send(&bytes, relay);
        let arrivals = receive(&mut driver, 1);
        assert_eq!((arrivals[0].len, arrivals[0].segment), (most as u16, 1200));
        assert_eq!(arrivals[0].datagrams().count(), bytes.chunks(1200).len());
        assert_eq!(driver.bytes(&arrivals[0]), bytes);
    }
}

fn tells_both<C: Candidate>(wildcard: &str, reached: &str, client: &str) {
    let (mut driver, relay) = coalescing_on::<C>(wildcard);
    let peer = Peer::on(client);
    let reached = SocketAddr::new(reached.parse().unwrap(), relay.port());
    for count in [1, 2, 64] {
        let arrival = arrive_together(&mut driver, &peer, reached, count, 100);
        assert_eq!(arrival.local, Some(reached.ip()));
        let run = echo_of(&mut driver, &arrival);
        driver.send(&run).unwrap();
        flush(&mut driver);
        assert_eq!(peer.receive_from(), (texts(count, 100).concat(), reached));
    }
}

fn a_wildcard_tells_both_address_and_segment<C: Candidate>() {
    tells_both::<C>("0.0.0.0:0", "127.0.0.7", "127.0.0.1:0");
}

fn a_wildcard_tells_both_over_ipv6<C: Candidate>() {
    tells_both::<C>("[::]:0", "::1", "[::1]:0");
}

fn plain_datagrams_have_no_segment<C: Candidate>() {
    let (mut driver, relay) = coalescing_on::<C>("127.0.0.1:0");
    let peer = Peer::on_loopback();
    let sent = [vec![1; 300], vec![], vec![2; 300], vec![3; 65_507], vec![4]];
    sent.iter().for_each(|text| peer.send(text, relay));
    let arrivals = receive(&mut driver, sent.len());
    assert!(arrivals.iter().all(|arrival| arrival.segment == 0));
    let arrived: Vec<_> = arrivals.iter().flat_map(|arrival| datagrams_of(&driver, arrival)).collect();
    assert_eq!(arrived, sent);
}

fn a_socket_without_the_option_gets_single_datagrams<C: Candidate>() {
    let (mut driver, relay) = on_loopback::<C>();
    let peer = Peer::on_loopback();
    let texts = texts(10, 100);
    peer.segment(100);
    peer.send(&texts.concat(), relay);
    let arrivals = receive(&mut driver, 10);
    let arrived: Vec<_> = arrivals.iter().flat_map(|arrival| datagrams_of(&driver, arrival)).collect();
    assert_eq!((arrivals.len(), arrived), (10, texts));
}
