//! What a driver does with a turn's sends on this side of the system call.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use net::{Driver, DriverConfig, Mmsg, Run, SocketIndex, SocketOptions, bind};

use crate::{Named, Step};

pub const ALL: &[Named] = &[
    ("net: 256 plain messages to 256 destinations", || send(256, 1)),
    ("net: 64 runs of 64 datagrams to 64 destinations", || send(64, 64)),
];

/// Queues as many runs of so many datagrams as fit into one system call, and hands them over. Nobody receives them.
fn send(destinations: u16, datagrams: u16) -> Step {
    const SIZE: u16 = 512;
    let mut binding = bind(&[([127, 0, 0, 1], 0).into()], 1, SocketOptions::default()).expect("a socket");
    let sockets = binding.shards.pop().expect("one shard");
    let Ok(mut driver) = Mmsg::new(sockets, &DriverConfig::default()) else { panic!("a driver") };
    let mut arrivals = Vec::new();
    Box::new(move || {
        let part = driver.compose(&[b'x'; SIZE as usize]);
        let gather = driver.gather(&vec![part; usize::from(datagrams)]);
        for destination in 0..destinations {
            // The discard port of an address for each.
            let to = SocketAddr::new(IpAddr::from([127, 0, 1, destination as u8]), 9);
            let bytes = u32::from(SIZE) * u32::from(datagrams);
            let run = Run { socket: SocketIndex(0), to, from: None, gather, size: SIZE, bytes };
            driver.send(&run).expect("the budget has room for all");
        }
        driver.exchange(&mut arrivals, Some(Duration::ZERO)).expect("an exchange");
        assert_eq!(driver.report().failed(), 0, "the kernel takes everything");
    })
}
