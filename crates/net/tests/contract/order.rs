//! Datagrams to one destination arrive in the order in which they were queued, whatever happens to a
//! segmented send.

use net::{Driver, DriverConfig, Run, SocketIndex};

use crate::candidate::{
    Candidate, flush, on, on_loopback, part_of, receive, release_all, run_of, run_of_parts, until,
};
use crate::namespace::{Cable, FAR, NEAR, ip};
use crate::peer::Peer;

crate::contract![
    order_holds_when_a_segmented_send_is_refused,
    refused_routes_are_remembered,
    segments_above_the_mtu_are_never_tried,
    a_replay_reads_the_bytes_of_its_turn,
    rounds_do_not_overtake_each_other,
    runs_of_one_destination_keep_their_order,
];

/// Longer than the MTU of the shrunken route, shorter than that of the cable.
const SIZE: usize = 1400;

fn texts(numbers: std::ops::Range<u8>) -> Vec<Vec<u8>> {
    numbers.map(|number| vec![number; SIZE]).collect()
}

fn queue<D: Driver>(driver: &mut D, peer: &Peer, numbers: std::ops::Range<u8>) {
    let texts = texts(numbers);
    let run = run_of(driver, peer.address, &texts.iter().map(|text| &text[..]).collect::<Vec<_>>());
    driver.send(&run).unwrap();
}

fn numbers(peer: &Peer, count: usize) -> Vec<u8> {
    let arrived: Vec<Vec<u8>> = (0..count).map(|_| peer.receive()).collect();
    assert!(arrived.iter().all(|text| text.len() == SIZE));
    arrived.iter().map(|text| text[0]).collect()
}

/// A driver at one end of a cable, which has learned that segments of SIZE fit; then they fit no more.
fn on_a_shrinking_cable<C: Candidate>(test: impl FnOnce(C, Peer, Peer) + Send + 'static) {
    Cable::lay(move |cable| {
        let config = DriverConfig { buffers: 64, arrivals_per_exchange: 64, ..DriverConfig::default() };
        let (mut driver, _) = on::<C>(&format!("{NEAR}:0"), &config);
        let [peer, other] =
            cable.over_there(|| [Peer::on(&format!("{FAR}:0")), Peer::on(&format!("{FAR}:0"))]);
        queue(&mut driver, &peer, 0..3);
        flush(&mut driver);
        assert_eq!(driver.report().segments, [0, 0, 1, 0, 0, 0, 0, 0], "the first run was segmented");
        driver.report().clear();
        assert_eq!(numbers(&peer, 3), [0, 1, 2]);
        ip(&format!("route replace 10.9.0.0/24 dev near scope link src {NEAR} mtu 1000"));
        test(driver, peer, other);
    });
}

fn order_holds_when_a_segmented_send_is_refused<C: Candidate>() {
    on_a_shrinking_cable(|mut driver: C, peer, other| {
        queue(&mut driver, &other, 0..1);
        queue(&mut driver, &peer, 0..4);
        queue(&mut driver, &other, 1..5);
        queue(&mut driver, &peer, 4..5);
        queue(&mut driver, &peer, 5..9);
        queue(&mut driver, &other, 5..6);
        queue(&mut driver, &peer, 9..10);
        flush(&mut driver);
        assert_eq!((driver.report().datagrams, driver.report().failed()), (16, 0));
        assert_eq!(driver.report().segments, [16, 0, 0, 0, 0, 0, 0, 0], "all were sent one by one");
        assert!(numbers(&peer, 10).into_iter().eq(0..10));
        assert!(numbers(&other, 6).into_iter().eq(0..6));
    });
}

fn refused_routes_are_remembered<C: Candidate>() {
    on_a_shrinking_cable(|mut driver: C, peer, _| {
        queue(&mut driver, &peer, 0..2);
        flush(&mut driver);
        let refused = driver.stats().enters;
        queue(&mut driver, &peer, 2..4);
        flush(&mut driver);
        assert!(driver.stats().enters - refused <= 2, "the second run was not tried as a segmented send");
        assert_eq!(driver.report().segments[0], 4);
        assert!(numbers(&peer, 4).into_iter().eq(0..4));
    });
}

fn segments_above_the_mtu_are_never_tried<C: Candidate>() {
    Cable::lay(|cable| {
        let (mut driver, _) = on::<C>(&format!("{NEAR}:0"), &DriverConfig::default());
        let peer = cable.over_there(|| Peer::on(&format!("{FAR}:0")));
        for (size, messages) in [(1472, 1), (1473, 3)] {
            let text = vec![1; size];
            let run = run_of(&mut driver, peer.address, &[&text, &text, &text]);
            driver.send(&run).unwrap();
            flush(&mut driver);
            assert_eq!(driver.report().segments.iter().sum::<u64>(), messages);
            driver.report().clear();
            (0..3).for_each(|_| assert_eq!(peer.receive(), text));
        }
    });
}

fn a_replay_reads_the_bytes_of_its_turn<C: Candidate>() {
    on_a_shrinking_cable(|mut driver: C, peer, noise| {
        // The socket's address, from a datagram that it sends.
        queue(&mut driver, &peer, 0..1);
        flush(&mut driver);
        let relay = peer.receive_from().1;
        (0..60).for_each(|number| peer.send(&[number; SIZE], relay));
        let arrivals = receive(&mut driver, 60);
        (0..200).for_each(|_| noise.send(&[0xff; SIZE], relay));
        for arrivals in arrivals.chunks(20) {
            let parts: Vec<_> = arrivals.iter().map(part_of).collect();
            let run = run_of_parts(&mut driver, peer.address, &parts);
            driver.send(&run).unwrap();
        }
        release_all(&mut driver, &arrivals);
        let mut left = 200;
        until(|| {
            let arrivals = receive(&mut driver, 1);
            release_all(&mut driver, &arrivals);
            left -= arrivals.len();
            left == 0
        });
        assert_eq!(driver.report().segments[0], 61);
        assert!(numbers(&peer, 60).into_iter().eq(0..60));
        assert_eq!(driver.end(), 64);
    });
}

fn rounds_do_not_overtake_each_other<C: Candidate>() {
    on_a_shrinking_cable(|mut driver: C, peer, other| {
        queue(&mut driver, &peer, 0..4);
        queue(&mut driver, &other, 0..4);
        queue(&mut driver, &peer, 4..5);
        queue(&mut driver, &other, 4..8);
        queue(&mut driver, &peer, 5..8);
        flush(&mut driver);
        assert_eq!((driver.report().datagrams, driver.report().failed()), (16, 0));
        assert!(numbers(&peer, 8).into_iter().eq(0..8));
        assert!(numbers(&other, 8).into_iter().eq(0..8));
    });
}

fn runs_of_one_destination_keep_their_order<C: Candidate>() {
    let (mut driver, _) = on_loopback::<C>();
    let peers: Vec<Peer> = (0..20).map(|_| Peer::on_loopback()).collect();
    let mut next = vec![0_u32; peers.len()];
    for step in 0..2000_usize {
        let index = step * step % peers.len();
        let count = 1 + step % 3;
        let texts: Vec<[u8; 4]> = (0..count as u32).map(|n| (next[index] + n).to_be_bytes()).collect();
        next[index] += count as u32;
        let texts: Vec<&[u8]> = texts.iter().map(|text| &text[..]).collect();
        let run = Run { socket: SocketIndex(0), ..run_of(&mut driver, peers[index].address, &texts) };
        driver.send(&run).unwrap();
    }
    flush(&mut driver);
    for (peer, &count) in peers.iter().zip(&next) {
        assert!(peer.drain().into_iter().eq((0..count).map(|number| number.to_be_bytes().to_vec())));
    }
}
