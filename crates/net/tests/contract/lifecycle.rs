//! Set-up and shutdown: refusals give everything back, and a driver that is gone leaves no trace.

use std::time::Duration;

use net::{Binding, DriverConfig, SetupStep, SocketOptions, bind};

use crate::candidate::{Candidate, on, on_loopback, receive, release_all, run_of};
use crate::peer::Peer;

crate::contract![
    the_port_is_free_again_at_once,
    a_close_sends_what_is_queued,
    a_gauge_outlives_its_socket,
    bad_sizes_are_refused,
    a_driver_dies_with_datagrams_in_flight,
];

fn the_port_is_free_again_at_once<C: Candidate>() {
    let (driver, relay) = on_loopback::<C>();
    driver.end();
    for _ in 0..20 {
        // bind() waits at most 2 s.
        drop(on::<C>(&relay.to_string(), &DriverConfig::default()));
    }
}

fn a_close_sends_what_is_queued<C: Candidate>() {
    let (mut driver, _) = on_loopback::<C>();
    let peer = Peer::on_loopback();
    let run = run_of(&mut driver, peer.address, &[b"good", b"bye"]);
    driver.send(&run).unwrap();
    driver.end();
    assert_eq!([peer.receive(), peer.receive()].concat(), b"goodbye");
}

fn a_gauge_outlives_its_socket<C: Candidate>() {
    let options = SocketOptions { receive_buffer: 8192, ..SocketOptions::default() };
    let Binding { mut shards, addresses, receive_buffer, .. } =
        bind(&["127.0.0.1:0".parse().unwrap()], 1, options).unwrap();
    let sockets = shards.remove(0);
    let gauge = sockets[0].gauge();
    let mut driver = C::open(sockets, &DriverConfig::default()).unwrap();
    let peer = Peer::on_loopback();
    let sent = 200;
    (0..sent).for_each(|_| peer.send(&[1; 500], addresses[0]));
    let memory = std::thread::spawn({
        let gauge = gauge.clone();
        move || gauge.read().unwrap().unwrap()
    });
    let memory = memory.join().unwrap();
    assert_eq!((receive_buffer, memory.receive_buffer), (8192, 16_384));
    assert!(memory.drops > 0 && memory.receive_queue > 8192, "{memory:?}");
    let arrivals = receive(&mut driver, sent - memory.drops as usize);
    release_all(&mut driver, &arrivals);
    driver.exchange(&mut Vec::new(), Some(Duration::ZERO)).unwrap();
    assert_eq!(gauge.read().unwrap().unwrap().receive_queue, 0);
    driver.end();
    assert_eq!(gauge.read().unwrap(), None);
}

fn bad_sizes_are_refused<C: Candidate>() {
    let good = DriverConfig::default();
    for bad in [
        DriverConfig { buffers: 100, ..good },
        DriverConfig { buffers: 32, ..good },
        DriverConfig { max_datagram: 0, ..good },
        DriverConfig { arrivals_per_exchange: 0, ..good },
        DriverConfig { arrivals_per_exchange: 513, ..good },
        DriverConfig { turn_budget: 63, ..good },
    ] {
        let binding = bind(&["127.0.0.1:0".parse().unwrap()], 1, SocketOptions::default()).unwrap();
        let failure = C::open(binding.shards.into_iter().next().unwrap(), &bad).err().unwrap();
        assert_eq!((failure.error.step, failure.sockets.len()), (SetupStep::Config, 1));
        C::open(failure.sockets, &good).unwrap();
    }
    assert_eq!(C::open(Vec::new(), &good).err().unwrap().error.step, SetupStep::Config);
}

fn a_driver_dies_with_datagrams_in_flight<C: Candidate>() {
    let peer = Peer::on_loopback();
    for _ in 0..50 {
        let (mut driver, relay) = on_loopback::<C>();
        (0..100).for_each(|_| peer.send(b"x", relay));
        let arrivals = receive(&mut driver, 1);
        let run = run_of(&mut driver, peer.address, &[b"never", b"sent"]);
        driver.send(&run).unwrap();
        driver.release(arrivals[0].buffer);
        drop(driver);
    }
}
