//! Receive buffers: running out of them, getting them back, and never filling one too early.

use std::time::{Duration, Instant};

use net::{Arrival, Driver, DriverConfig};

use crate::candidate::{Candidate, echo_of, flush, on, on_loopback, receive, release_all};
use crate::peer::Peer;

crate::contract![
    survives_running_out_ten_thousand_times,
    waits_quietly_without_buffers,
    delivers_what_arrived_while_all_were_held,
    a_released_buffer_is_not_filled_before_its_sends_left,
    counts_its_buffers_at_the_end,
    datagrams_not_handed_over_are_at_home,
];

const FEW: DriverConfig =
    DriverConfig { buffers: 64, max_datagram: 4097, arrivals_per_exchange: 64, turn_budget: 8192 };

/// Takes all buffers but so many.
fn hold<D: Driver>(driver: &mut D, peer: &Peer, relay: std::net::SocketAddr, left: usize) -> Vec<Arrival> {
    let held = 64 - left;
    (0..held).for_each(|_| peer.send(b"held", relay));
    let arrivals = receive(driver, held);
    assert_eq!((arrivals.len(), driver.stats().buffers_free), (held, left as u64));
    arrivals
}

fn survives_running_out_ten_thousand_times<C: Candidate>() {
    const TIMES: u32 = 10_000;
    let (mut driver, relay) = on::<C>("127.0.0.1:0", &FEW);
    let peer = Peer::on_loopback();
    let held = hold(&mut driver, &peer, relay, 1);
    for time in 0..TIMES {
        let (first, second) = (time.to_be_bytes(), (!time).to_be_bytes());
        peer.send(&first, relay);
        peer.send(&second, relay);
        for expected in [first, second] {
            let arrivals = receive(&mut driver, 1);
            assert_eq!(driver.bytes(&arrivals[0]), expected);
            assert_eq!(arrivals.len(), 1);
            release_all(&mut driver, &arrivals);
        }
    }
    assert!(driver.stats().no_buffers >= TIMES.into());
    release_all(&mut driver, &held);
    assert_eq!(driver.stats().buffers_free, 64);
    assert_eq!(driver.end(), 64);
}

fn waits_quietly_without_buffers<C: Candidate>() {
    let (mut driver, relay) = on::<C>("127.0.0.1:0", &FEW);
    let peer = Peer::on_loopback();
    let held = hold(&mut driver, &peer, relay, 0);
    peer.send(b"waits", relay);
    flush(&mut driver);
    let (enters, started) = (driver.stats().enters, Instant::now());
    let mut arrivals = Vec::new();
    driver.exchange(&mut arrivals, Some(Duration::from_millis(50))).unwrap();
    assert!(arrivals.is_empty() && started.elapsed() >= Duration::from_millis(50));
    assert!(driver.stats().enters <= enters + 2);
    release_all(&mut driver, &held);
    let arrivals = receive(&mut driver, 1);
    assert_eq!(driver.bytes(&arrivals[0]), b"waits");
}

fn delivers_what_arrived_while_all_were_held<C: Candidate>() {
    let (mut driver, relay) = on::<C>("127.0.0.1:0", &FEW);
    let peer = Peer::on_loopback();
    let held = hold(&mut driver, &peer, relay, 0);
    (0..500_u32).for_each(|number| peer.send(&number.to_be_bytes(), relay));
    flush(&mut driver);
    release_all(&mut driver, &held);
    let mut expected = 0_u32;
    while expected < 500 {
        let arrivals = receive(&mut driver, 1);
        for arrival in &arrivals {
            assert_eq!(driver.bytes(arrival), expected.to_be_bytes());
            expected += 1;
        }
        release_all(&mut driver, &arrivals);
    }
    assert_eq!(driver.end(), 64);
}

fn a_released_buffer_is_not_filled_before_its_sends_left<C: Candidate>() {
    let (mut driver, relay) = on::<C>("127.0.0.1:0", &FEW);
    let (peer, noise) = (Peer::on_loopback(), Peer::on_loopback());
    for round in 0..200_u8 {
        (0..64_u8).for_each(|number| peer.send(&[round, number], relay));
        let mut arrivals = receive(&mut driver, 64);
        assert_eq!(arrivals.len(), 64);
        (0..64).for_each(|_| noise.send(b"noise", relay));
        for arrival in &arrivals {
            let run = echo_of(&mut driver, arrival);
            driver.send(&run).unwrap();
        }
        release_all(&mut driver, &arrivals);
        arrivals = receive(&mut driver, 64);
        assert!((0..64_u8).all(|number| peer.receive() == [round, number]));
        assert!(arrivals.iter().all(|arrival| driver.bytes(arrival) == b"noise"));
        release_all(&mut driver, &arrivals);
    }
}

fn counts_its_buffers_at_the_end<C: Candidate>() {
    let (mut driver, relay) = on_loopback::<C>();
    let peer = Peer::on_loopback();
    (0..300).for_each(|_| peer.send(b"x", relay));
    let arrivals = receive(&mut driver, 300);
    release_all(&mut driver, &arrivals[3..]);
    assert_eq!(driver.stats().buffers_free, 509);
    assert_eq!(driver.end(), 509);
}

fn datagrams_not_handed_over_are_at_home<C: Candidate>() {
    let config = DriverConfig { arrivals_per_exchange: 1, ..FEW };
    let (mut driver, relay) = on::<C>("127.0.0.1:0", &config);
    let peer = Peer::on_loopback();
    (0..30).for_each(|_| peer.send(b"x", relay));
    let arrivals = receive(&mut driver, 1);
    release_all(&mut driver, &arrivals);
    assert_eq!(driver.end(), 64);
}
