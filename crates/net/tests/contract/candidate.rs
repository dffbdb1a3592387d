//! A driver under test, and the turns of a test that drives it.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use net::{
    Arrival, Binding, Driver, DriverConfig, Epoll, Mmsg, Part, Run, SetupFailure, Socket, SocketIndex,
    SocketOptions, Uring, bind,
};

/// Longer than anything takes on a busy machine; a test that waits so long has failed.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// A driver that the suite can make and end.
pub trait Candidate: Driver + Sized {
    fn open(sockets: Vec<Socket>, config: &DriverConfig) -> Result<Self, SetupFailure>;
    fn end(self) -> usize;
}

impl Candidate for Mmsg {
    fn open(sockets: Vec<Socket>, config: &DriverConfig) -> Result<Self, SetupFailure> {
        Mmsg::new(sockets, config)
    }

    fn end(self) -> usize {
        self.close().unwrap()
    }
}

impl Candidate for Uring {
    fn open(sockets: Vec<Socket>, config: &DriverConfig) -> Result<Self, SetupFailure> {
        Uring::new(sockets, config)
    }

    fn end(self) -> usize {
        self.close().unwrap()
    }
}

impl Candidate for Epoll {
    fn open(sockets: Vec<Socket>, config: &DriverConfig) -> Result<Self, SetupFailure> {
        Epoll::new(sockets, config)
    }

    fn end(self) -> usize {
        self.close().unwrap()
    }
}

pub fn uring_is_expected() -> bool {
    std::env::var_os("RELAY_TEST_NO_URING").is_none_or(|value| value != "1")
}

/// A driver of one socket on 127.0.0.1.
pub fn on_loopback<C: Candidate>() -> (C, SocketAddr) {
    on::<C>("127.0.0.1:0", &DriverConfig::default())
}

/// A driver of one socket, and the address that it got.
pub fn on<C: Candidate>(address: &str, config: &DriverConfig) -> (C, SocketAddr) {
    let Binding { mut shards, addresses, .. } =
        bind(&[address.parse().unwrap()], 1, SocketOptions::default()).unwrap();
    (C::open(shards.remove(0), config).unwrap(), addresses[0])
}

/// A socket that is told of drops and of errors, and its address.
pub fn reporting_socket(address: &str) -> (Vec<Socket>, SocketAddr) {
    let options = SocketOptions { report_queue_drops: true, ..SocketOptions::default() };
    let Binding { mut shards, addresses, .. } = bind(&[address.parse().unwrap()], 1, options).unwrap();
    (shards.remove(0), addresses[0])
}

/// A driver of such a socket, and the address that it got.
pub fn reporting_on<C: Candidate>(address: &str) -> (C, SocketAddr) {
    let (sockets, address) = reporting_socket(address);
    (C::open(sockets, &DriverConfig::default()).unwrap(), address)
}

/// A driver of one socket whose arrivals may hold several datagrams, and the address that it got.
pub fn coalescing_on<C: Candidate>(address: &str) -> (C, SocketAddr) {
    let options = SocketOptions { coalesce_receives: true, ..SocketOptions::default() };
    let Binding { mut shards, addresses, .. } = bind(&[address.parse().unwrap()], 1, options).unwrap();
    let config = DriverConfig {
        buffers: 64,
        max_datagram: u16::MAX,
        arrivals_per_exchange: 64,
        ..DriverConfig::default()
    };
    (C::open(shards.remove(0), &config).unwrap(), addresses[0])
}

/// Exchanges until so many datagrams have arrived.
pub fn receive<D: Driver>(driver: &mut D, wanted: usize) -> Vec<Arrival> {
    let mut arrivals = Vec::new();
    until(|| {
        driver.exchange(&mut arrivals, Some(Duration::from_millis(100))).unwrap();
        arrivals.len() >= wanted
    });
    arrivals
}

/// Repeats until it is true.
pub fn until(mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !done() {
        assert!(Instant::now() < deadline, "the condition did not come true in time");
    }
}

/// Hands over what is queued without waiting; nothing may arrive.
pub fn flush<D: Driver>(driver: &mut D) {
    let mut arrivals = Vec::new();
    driver.exchange(&mut arrivals, Some(Duration::ZERO)).unwrap();
    assert_eq!(arrivals, []);
}

/// Composes the texts and makes one run of them.
pub fn run_of<D: Driver>(driver: &mut D, to: SocketAddr, texts: &[&[u8]]) -> Run {
    let parts: Vec<Part> = texts.iter().map(|text| driver.compose(text)).collect();
    run_of_parts(driver, to, &parts)
}

pub fn run_of_parts<D: Driver>(driver: &mut D, to: SocketAddr, parts: &[Part]) -> Run {
    Run {
        socket: SocketIndex(0),
        to,
        from: None,
        gather: driver.gather(parts),
        size: parts[0].len() as u16,
        bytes: parts.iter().map(|part| part.len() as u32).sum(),
    }
}

pub fn part_of(arrival: &Arrival) -> Part {
    Part::Received { buffer: arrival.buffer, offset: arrival.offset, len: arrival.len }
}

/// A run that sends an arrival back to where it came from.
pub fn echo_of<D: Driver>(driver: &mut D, arrival: &Arrival) -> Run {
    let run = run_of_parts(driver, arrival.source, &[part_of(arrival)]);
    Run { socket: arrival.socket, from: arrival.local, ..run }
}

pub fn release_all<D: Driver>(driver: &mut D, arrivals: &[Arrival]) {
    arrivals.iter().for_each(|arrival| driver.release(arrival.buffer));
}
