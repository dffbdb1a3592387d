//! A refused datagram is counted once, by reason and destination, and harms nobody else.

use std::net::SocketAddr;

use net::{Binding, DriverConfig, Failure, FailureKind, Run, SocketOptions, bind};

use crate::candidate::{Candidate, flush, on, on_loopback, run_of};
use crate::namespace::{Cable, FAR, NEAR, tc};
use crate::peer::Peer;

crate::contract![
    one_bad_destination_harms_no_other,
    a_closed_port_harms_nobody,
    what_is_too_large_is_refused,
    a_foreign_source_is_refused,
    a_run_that_fails_is_counted_datagram_by_datagram,
    a_missing_route_is_unreachable,
    a_full_send_buffer_drops_and_counts,
    a_full_send_buffer_drops_whole_runs,
];

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn one_bad_destination_harms_no_other<C: Candidate>() {
    let (mut driver, _) = on_loopback::<C>();
    let peer = Peer::on_loopback();
    let bad =
        [(address("127.0.0.1:0"), FailureKind::Other), (address("255.255.255.255:9"), FailureKind::Denied)];
    for number in 0..200_u8 {
        let to = if number % 10 == 7 { bad[usize::from(number / 10 % 2)].0 } else { peer.address };
        let run = run_of(&mut driver, to, &[&[number]]);
        driver.send(&run).unwrap();
    }
    flush(&mut driver);
    assert_eq!((driver.report().datagrams, driver.report().failed()), (180, 20));
    for (to, kind) in bad {
        let failures =
            driver.report().failures.iter().filter(|failure| failure.to == to && failure.kind == kind);
        assert_eq!(failures.map(|failure| failure.datagrams).sum::<u32>(), 10);
    }
    let expected: Vec<Vec<u8>> =
        (0..200).filter(|number| number % 10 != 7).map(|number| vec![number]).collect();
    assert_eq!(peer.drain(), expected);
}

fn a_closed_port_harms_nobody<C: Candidate>() {
    let (mut driver, _) = on_loopback::<C>();
    let (peer, closed) = (Peer::on_loopback(), Peer::on_loopback().address);
    for number in 0..50_u8 {
        for to in [closed, peer.address] {
            let run = run_of(&mut driver, to, &[&[number]]);
            driver.send(&run).unwrap();
        }
        flush(&mut driver);
    }
    assert_eq!((driver.report().datagrams, driver.report().failed()), (100, 0));
    assert!(peer.drain().into_iter().flatten().eq(0..50));
}

fn what_is_too_large_is_refused<C: Candidate>() {
    let (mut driver, _) = on_loopback::<C>();
    let peer = Peer::on_loopback();
    for len in [1, 65_508, 65_507] {
        let run = run_of(&mut driver, peer.address, &[&vec![1; len]]);
        driver.send(&run).unwrap();
    }
    flush(&mut driver);
    let failure = Failure { to: peer.address, kind: FailureKind::TooLarge, datagrams: 1 };
    assert_eq!(driver.report().failures, [failure]);
    assert_eq!((driver.report().datagrams, driver.report().bytes), (2, 65_508));
    assert_eq!([peer.receive().len(), peer.receive().len()], [1, 65_507]);
}

fn a_foreign_source_is_refused<C: Candidate>() {
    let (mut driver, _) = on::<C>("0.0.0.0:0", &DriverConfig::default());
    let peer = Peer::on_loopback();
    for from in ["127.0.0.1", "192.0.2.55", "127.0.0.3"] {
        let run = Run { from: Some(from.parse().unwrap()), ..run_of(&mut driver, peer.address, &[b"hello"]) };
        driver.send(&run).unwrap();
    }
    flush(&mut driver);
    // Kernels disagree about the reason: EINVAL, or ENETUNREACH as of 6.18.
    let failures = &driver.report().failures;
    assert_eq!((failures.len(), failures[0].to, failures[0].datagrams), (1, peer.address, 1));
    let sources = [peer.receive_from().1.ip(), peer.receive_from().1.ip()].map(|ip| ip.to_string());
    assert_eq!(sources, ["127.0.0.1", "127.0.0.3"]);
}

fn a_run_that_fails_is_counted_datagram_by_datagram<C: Candidate>() {
    let (mut driver, _) = on_loopback::<C>();
    let nowhere = address("127.0.0.1:0");
    let run = run_of(&mut driver, nowhere, &[b"one", b"two", b"six"]);
    driver.send(&run).unwrap();
    flush(&mut driver);
    let failure = Failure { to: nowhere, kind: FailureKind::Other, datagrams: 3 };
    assert_eq!(driver.report().failures, [failure]);
    assert_eq!((driver.report().datagrams, driver.report().bytes, driver.report().segments), (0, 0, [0; 8]));
}

fn a_missing_route_is_unreachable<C: Candidate>() {
    Cable::lay(|_| {
        let (mut driver, _) = on::<C>(&format!("{NEAR}:0"), &DriverConfig::default());
        let nowhere = address("192.0.2.1:9");
        for texts in [&[&b"alone"[..]][..], &[b"together", b"together"]] {
            let run = run_of(&mut driver, nowhere, texts);
            driver.send(&run).unwrap();
        }
        flush(&mut driver);
        let failure = Failure { to: nowhere, kind: FailureKind::Unreachable, datagrams: 3 };
        assert_eq!(driver.report().failures, [failure]);
    });
}

/// A slow link holds datagrams back, and they fill a small send buffer.
fn over_a_slow_link<C: Candidate>(datagrams_in_a_run: usize) {
    const RUNS: u32 = 200;
    Cable::lay(move |cable| {
        tc("qdisc add dev near root tbf rate 8kbit burst 2000 limit 10000000");
        let far = cable.over_there(|| Peer::on(&format!("{FAR}:0")));
        let options = SocketOptions { send_buffer: 100_000, ..SocketOptions::default() };
        let Binding { mut shards, .. } = bind(&[address(&format!("{NEAR}:0"))], 1, options).unwrap();
        let mut driver = C::open(shards.remove(0), &DriverConfig::default()).unwrap();
        for number in 0..RUNS {
            let mut text = vec![0; 1000];
            text[..4].copy_from_slice(&number.to_be_bytes());
            let run = run_of(&mut driver, far.address, &vec![&text[..]; datagrams_in_a_run]);
            driver.send(&run).unwrap();
        }
        flush(&mut driver);
        let report = driver.report();
        assert_eq!(report.datagrams + report.failed(), u64::from(RUNS) * datagrams_in_a_run as u64);
        assert!(report.datagrams > 0 && report.failed() > 0);
        assert!(report.failures.iter().all(|failure| failure.kind == FailureKind::BufferFull));
        let sent = report.datagrams;

        tc("qdisc change dev near root tbf rate 1gbit burst 100000 limit 10000000");
        let arrived: Vec<u32> =
            (0..sent).map(|_| u32::from_be_bytes(*far.receive().first_chunk().unwrap())).collect();
        assert!(arrived.is_sorted(), "{arrived:?}");
        let (first, last) = (arrived[0], arrived[arrived.len() - 1]);
        assert!(first == 0 && last < RUNS);
        assert!(arrived.chunk_by(|a, b| a == b).all(|run| run.len() == datagrams_in_a_run));
    });
}

fn a_full_send_buffer_drops_and_counts<C: Candidate>() {
    over_a_slow_link::<C>(1);
}

fn a_full_send_buffer_drops_whole_runs<C: Candidate>() {
    over_a_slow_link::<C>(4);
}
