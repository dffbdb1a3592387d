//! Runs travel as one segmented send where the route carries it, and always arrive as the datagrams they
//! were.

use net::{DriverConfig, Run};

use crate::candidate::part_of;
use crate::candidate::{
    Candidate, echo_of, flush, on, on_loopback, receive, release_all, run_of, run_of_parts,
};
use crate::namespace::{Cable, FAR, ip};
use crate::peer::Peer;

crate::contract![
    a_run_is_one_segmented_send,
    boundaries_and_a_short_end_are_kept,
    empty_datagrams_are_not_lost,
    the_largest_run_fits,
    a_list_is_shared_by_many_runs,
    runs_go_over_ipv6,
    received_bytes_are_sent_from_where_they_lie,
    a_run_keeps_its_source,
    a_route_is_learned_whatever_was_asked_before,
];

fn a_run_is_one_segmented_send<C: Candidate>() {
    let (mut driver, _) = on_loopback::<C>();
    let peer = Peer::on_loopback();
    peer.coalesce();
    let texts: Vec<[u8; 100]> = (0..64).map(|number| [number; 100]).collect();
    let texts: Vec<&[u8]> = texts.iter().map(|text| &text[..]).collect();
    let run = run_of(&mut driver, peer.address, &texts);
    driver.send(&run).unwrap();
    flush(&mut driver);
    assert_eq!(peer.receive(), texts.concat());
    assert_eq!((driver.report().segments[6], driver.report().segments_sum), (1, 64));
}

/// Sends one run and asserts that it arrives as it is; returns how many messages it took.
fn arrives_whole<C: Candidate>(texts: &[&[u8]], address: &str) -> u64 {
    let (mut driver, _) = on::<C>(address, &DriverConfig::default());
    let peer = Peer::on(address);
    let run = run_of(&mut driver, peer.address, texts);
    driver.send(&run).unwrap();
    flush(&mut driver);
    let report = driver.report();
    assert_eq!((report.datagrams, report.bytes), (texts.len() as u64, run.bytes.into()));
    assert_eq!((report.segments_sum, report.failed()), (report.datagrams, 0));
    assert_eq!(peer.drain(), texts);
    report.segments.iter().sum()
}

fn boundaries_and_a_short_end_are_kept<C: Candidate>() {
    assert_eq!(arrives_whole::<C>(&[b"aaaa", b"bbbb", b"cc"], "127.0.0.1:0"), 1);
    assert_eq!(arrives_whole::<C>(&[b"aaaa", b"b"], "127.0.0.1:0"), 1);
    assert_eq!(arrives_whole::<C>(&[b"a"], "127.0.0.1:0"), 1);
}

fn empty_datagrams_are_not_lost<C: Candidate>() {
    assert_eq!(arrives_whole::<C>(&[b"aaaa", b"bbbb", b""], "127.0.0.1:0"), 3);
    assert_eq!(arrives_whole::<C>(&[b"", b""], "127.0.0.1:0"), 2);
    assert_eq!(arrives_whole::<C>(&[b""], "127.0.0.1:0"), 1);
}

fn the_largest_run_fits<C: Candidate>() {
    let text = vec![3; Run::MAX_BYTES / Run::MAX_DATAGRAMS];
    assert_eq!(arrives_whole::<C>(&[&text[..]; Run::MAX_DATAGRAMS], "127.0.0.1:0"), 1);
    let text = vec![4; 32_753];
    assert_eq!(arrives_whole::<C>(&[&text[..], &text[1..]], "127.0.0.1:0"), 1);
}

fn runs_go_over_ipv6<C: Candidate>() {
    assert_eq!(arrives_whole::<C>(&[b"aaaa", b"bbbb", b"cc"], "[::1]:0"), 1);
}

fn a_list_is_shared_by_many_runs<C: Candidate>() {
    let (mut driver, _) = on_loopback::<C>();
    let peers: Vec<Peer> = (0..300).map(|_| Peer::on_loopback()).collect();
    let shared = run_of(&mut driver, peers[0].address, &[b"alpha", b"gamma", b"end"]);
    for peer in &peers {
        // Composed text in between moves what the kernel reads.
        let own = run_of(&mut driver, peer.address, &[peer.address.to_string().repeat(20).as_bytes()]);
        driver.send(&Run { to: peer.address, ..shared }).unwrap();
        driver.send(&own).unwrap();
    }
    flush(&mut driver);
    for peer in &peers {
        let own = peer.address.to_string().repeat(20).into_bytes();
        assert_eq!(peer.drain(), [&b"alpha"[..], b"gamma", b"end", &own]);
    }
}

fn received_bytes_are_sent_from_where_they_lie<C: Candidate>() {
    let (mut driver, relay) = on_loopback::<C>();
    let (peer, audience) = (Peer::on_loopback(), Peer::on_loopback());
    let texts: Vec<Vec<u8>> = (0..50).map(|number| vec![number; 700]).collect();
    texts.iter().for_each(|text| peer.send(text, relay));
    let arrivals = receive(&mut driver, 50);
    let parts: Vec<_> = arrivals.iter().map(part_of).collect();
    let run = run_of_parts(&mut driver, audience.address, &parts);
    driver.send(&run).unwrap();
    release_all(&mut driver, &arrivals);
    flush(&mut driver);
    assert_eq!(audience.drain(), texts);
    assert_eq!(driver.report().segments[6], 1);
}

fn a_run_keeps_its_source<C: Candidate>() {
    let (mut driver, relay) = on::<C>("0.0.0.0:0", &DriverConfig::default());
    let peer = Peer::on_loopback();
    let reached = std::net::SocketAddr::from(([127, 0, 0, 2], relay.port()));
    peer.send(b"hello", reached);
    let arrival = receive(&mut driver, 1)[0];
    let run = Run { ..echo_of(&mut driver, &arrival) };
    let parts = [part_of(&arrival); 3];
    let run = Run { from: run.from, ..run_of_parts(&mut driver, arrival.source, &parts) };
    driver.send(&run).unwrap();
    flush(&mut driver);
    assert_eq!(driver.report().segments[2], 1);
    (0..3).for_each(|_| assert_eq!(peer.receive_from(), (b"hello".to_vec(), reached)));
}

/// Sends a run to each address and asserts that each was one segmented send.
fn all_are_segmented<C: Candidate>(from: &str, addresses: &[&str]) {
    let (mut driver, _) = on::<C>(from, &DriverConfig::default());
    for address in addresses {
        let run = run_of(&mut driver, address.parse().unwrap(), &[b"aaaa", b"bbbb", b"cc"]);
        driver.send(&run).unwrap();
        flush(&mut driver);
        let report = driver.report();
        assert_eq!((report.segments[2], report.segments_sum, report.failed()), (1, 3, 0), "{address}");
        report.clear();
    }
}

fn a_route_is_learned_whatever_was_asked_before<C: Candidate>() {
    Cable::lay(|cable| {
        all_are_segmented::<C>("0.0.0.0:0", &["127.0.0.1:9", &format!("{FAR}:9"), "127.0.0.2:9"]);
        ip("addr add fe80::1/64 dev near nodad");
        ip("addr add fd00::1/64 dev near nodad");
        cable.over_there(|| {
            ip("addr add fe80::2/64 dev far nodad");
            ip("addr add fd00::2/64 dev far nodad");
        });
        let [near, lo] = ["near", "lo"].map(|name| nix::net::if_::if_nametoindex(name).unwrap());
        ip("addr add fe80::3/64 dev lo nodad");
        let (link, loopback) = (format!("[fe80::2%{near}]:9"), format!("[fe80::3%{lo}]:9"));
        all_are_segmented::<C>("[::]:0", &["[::1]:9", &link, &loopback, "[fd00::2]:9", "[fd00::1]:9"]);
    });
}
