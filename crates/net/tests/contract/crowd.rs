//! A driver of thousands of sockets: each is served, and only those that are ready cost anything.

use std::collections::BTreeSet;
use std::time::Duration;

use net::{
    Arrival, Driver, DriverConfig, Epoll, Run, SetupStep, Socket, SocketIndex, SocketOptions, bind_clients,
    raise_descriptor_limit,
};

use crate::candidate::{DEADLINE, flush, receive, release_all, run_of, until};
use crate::peer::Peer;

const CROWD: u16 = 3000;

/// So many sockets on an address of their own, and a peer: other tests send to ports that they believe closed.
fn crowd(address: &str, count: u16) -> (Vec<Socket>, Peer) {
    raise_descriptor_limit().unwrap();
    let options = SocketOptions { receive_buffer: 1 << 20, send_buffer: 1 << 20, ..SocketOptions::default() };
    let sockets = bind_clients(address.parse().unwrap(), count.into(), None, options).unwrap();
    (sockets, Peer::on(&format!("{address}:0")))
}

fn run_from<D: Driver>(driver: &mut D, socket: u16, peer: &Peer, texts: &[&[u8]]) -> Run {
    Run { socket: SocketIndex(socket), ..run_of(driver, peer.address, texts) }
}

#[test]
fn every_socket_sends_and_receives() {
    let (sockets, peer) = crowd("127.77.0.1", CROWD);
    let addresses: Vec<_> = sockets.iter().map(Socket::address).collect();
    let mut driver = Epoll::new(sockets, &DriverConfig::default()).unwrap();
    for socket in 0..CROWD {
        let run = run_from(&mut driver, socket, &peer, &[&socket.to_be_bytes(), b"x"]);
        driver.send(&run).unwrap();
    }
    flush(&mut driver);
    assert_eq!((driver.report().datagrams, driver.report().failed()), (2 * u64::from(CROWD), 0));
    for (socket, &address) in (0..CROWD).zip(&addresses) {
        assert_eq!(peer.receive_from(), (socket.to_be_bytes().to_vec(), address));
        assert_eq!(peer.receive_from(), (b"x".to_vec(), address));
        peer.send(&socket.to_be_bytes(), address);
    }
    let mut heard = BTreeSet::new();
    until(|| {
        let arrivals = receive(&mut driver, 1);
        for arrival in &arrivals {
            assert_eq!(driver.bytes(arrival), arrival.socket.0.to_be_bytes());
            assert!(heard.insert(arrival.socket.0));
        }
        release_all(&mut driver, &arrivals);
        heard.len() == usize::from(CROWD)
    });
    assert_eq!(driver.close().unwrap(), 512);
}

#[test]
fn idle_sockets_cost_no_call() {
    let (sockets, peer) = crowd("127.77.0.2", CROWD);
    let last = sockets[usize::from(CROWD) - 1].address();
    let mut driver = Epoll::new(sockets, &DriverConfig::default()).unwrap();
    for round in 1..=100 {
        peer.send(b"wake up", last);
        let run = run_from(&mut driver, CROWD - 1, &peer, &[b"ab", b"c"]);
        driver.send(&run).unwrap();
        let mut arrivals = Vec::new();
        driver.exchange(&mut arrivals, Some(DEADLINE)).unwrap();
        assert_eq!((arrivals.len(), arrivals[0].socket), (1, SocketIndex(CROWD - 1)));
        assert_eq!(driver.stats().enters, 2 * round, "one call sends, and one receives");
        release_all(&mut driver, &arrivals);
    }
}

/// Some sockets are busy all the time; the others' single datagrams arrive within a few exchanges.
#[test]
fn busy_sockets_starve_no_other() {
    const BUSY: u16 = 40;
    let (sockets, peer) = crowd("127.77.0.3", 200);
    let addresses: Vec<_> = sockets.iter().map(Socket::address).collect();
    let config = DriverConfig { buffers: 64, arrivals_per_exchange: 16, ..DriverConfig::default() };
    let mut driver = Epoll::new(sockets, &config).unwrap();
    for address in &addresses[..usize::from(BUSY)] {
        (0..100).for_each(|_| peer.send(b"busy", *address));
    }
    addresses[usize::from(BUSY)..].iter().for_each(|address| peer.send(b"once", *address));
    let (mut quiet, mut served) = (0, BTreeSet::new());
    let mut exchanges = 0;
    while quiet < addresses.len() - usize::from(BUSY) || served.len() < usize::from(BUSY) {
        let mut arrivals: Vec<Arrival> = Vec::new();
        driver.exchange(&mut arrivals, Some(Duration::ZERO)).unwrap();
        exchanges += 1;
        assert!((1..=16).contains(&arrivals.len()));
        for arrival in &arrivals {
            if arrival.socket.0 < BUSY {
                served.insert(arrival.socket.0);
            } else {
                quiet += 1;
            }
        }
        release_all(&mut driver, &arrivals);
    }
    // In 4000 datagrams of the busy ones, 16 at a time, the quiet ones would come last after 250 exchanges.
    assert!(exchanges <= 60, "{exchanges}");
}

#[test]
fn rows_of_one_socket_share_a_call() {
    let (sockets, peer) = crowd("127.77.0.9", 3);
    let mut driver = Epoll::new(sockets, &DriverConfig::default()).unwrap();
    let peers = [peer, Peer::on_loopback()];
    for number in 0..60_u8 {
        let peer = &peers[usize::from(number % 2)];
        let run = run_from(&mut driver, u16::from(number / 20), peer, &[&[number]]);
        driver.send(&run).unwrap();
    }
    driver.flush();
    assert_eq!(driver.stats().enters, 3);
    for (peer, parity) in peers.iter().zip(0..) {
        assert!(peer.drain().into_iter().flatten().eq((0..60).filter(|number| number % 2 == parity)));
    }
}

#[test]
fn a_crowd_is_too_much_for_the_drivers_of_few_sockets() {
    let (sockets, _) = crowd("127.77.0.4", 65);
    let failure = net::Mmsg::new(sockets, &DriverConfig::default()).err().unwrap();
    assert_eq!((failure.error.step, failure.sockets.len()), (SetupStep::Config, 65));
    Epoll::new(failure.sockets, &DriverConfig::default()).unwrap();
}
