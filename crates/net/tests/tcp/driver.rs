//! Connections as a driver: what arrives, what is sent by either transport, and what is counted.

use std::net::{SocketAddr, UdpSocket};
use std::time::Duration;

use net::tcp::{Bounds, Ending, StreamDriver, Streams, Tenacity, listen};
use net::{Arrival, Driver, DriverConfig, Run, SocketIndex, SocketOptions};
use socket2::{Domain, Socket, Type};

use crate::side::{Client, DEADLINE, framed, until};

struct Desk {
    driver: StreamDriver,
    arrivals: Vec<Arrival>,
    /// Where connections are taken, and where datagrams come from.
    tcp: SocketAddr,
    udp: SocketAddr,
    /// Messages that were sent to connections.
    sent: u64,
}

const CONFIG: DriverConfig =
    DriverConfig { buffers: 64, max_datagram: 4097, arrivals_per_exchange: 16, turn_budget: 64 };

impl Desk {
    fn new(bounds: Bounds) -> Desk {
        let mut binding = net::bind(&["127.0.0.1:0".parse().unwrap()], 1, SocketOptions::default()).unwrap();
        let sockets: Vec<_> = binding.shards.remove(0).iter().map(net::Socket::share).collect();
        let listeners = listen(&["127.0.0.1:0".parse().unwrap()], &Tenacity::default()).unwrap();
        let tcp = listeners[0].address();
        let streams = Streams::new(listeners, bounds).unwrap();
        let driver = StreamDriver::new(streams, sockets, &CONFIG).unwrap();
        Desk { driver, arrivals: Vec::new(), tcp, udp: binding.addresses[0], sent: 0 }
    }

    /// Turns until so many have arrived; their sources and bytes.
    fn hear(&mut self, count: usize) -> Vec<(SocketAddr, Vec<u8>)> {
        let mut heard = Vec::new();
        until(|| {
            self.turn();
            heard.extend(self.take());
            heard.len() >= count
        });
        heard
    }

    fn turn(&mut self) {
        self.driver.exchange(&mut self.arrivals, Some(Duration::from_millis(10))).unwrap();
        assert!(self.arrivals.len() <= usize::from(CONFIG.arrivals_per_exchange) + 1);
    }

    /// What has arrived, and gives the buffers back.
    fn take(&mut self) -> Vec<(SocketAddr, Vec<u8>)> {
        let mut taken = Vec::new();
        for arrival in self.arrivals.drain(..) {
            assert_eq!((arrival.socket, arrival.local), (SocketIndex::STREAMS, None));
            taken.push((arrival.source, self.driver.bytes(&arrival).to_vec()));
            self.driver.release(arrival.buffer);
        }
        taken
    }

    fn run(&mut self, socket: SocketIndex, to: SocketAddr, texts: &[&[u8]]) -> Run {
        let parts: Vec<_> = texts.iter().map(|text| self.driver.compose(text)).collect();
        let gather = self.driver.gather(&parts);
        let bytes = texts.iter().map(|text| text.len() as u32).sum();
        if socket == SocketIndex::STREAMS {
            self.sent += texts.len() as u64;
        }
        Run { socket, to, from: None, gather, size: texts[0].len() as u16, bytes }
    }

    fn send(&mut self, to: SocketAddr, texts: &[&[u8]]) {
        let run = self.run(SocketIndex::STREAMS, to, texts);
        self.driver.send(&run).unwrap();
    }

    /// Every message is with the kernel, dropped and counted, or waits.
    fn check(&mut self, by_udp: u64) {
        let taken = self.driver.report().datagrams - by_udp;
        let figures = self.driver.figures();
        let dropped = figures.payloads_dropped + figures.messages_discarded;
        assert_eq!(taken + dropped + figures.messages_queued, self.sent, "{figures:?}");
    }
}

#[test]
fn messages_arrive_as_datagrams_and_the_end_as_one_without_bytes() {
    let mut desk = Desk::new(Bounds::default());
    let mut client = Client::connect(desk.tcp, None, 0);
    let longest = vec![7; 4096];
    client.say(b"first");
    client.say(&longest);
    client.say(&[8; 4097]);
    let source = client.address();
    let heard = desk.hear(3);
    assert_eq!(heard[..2], [(source, b"first".to_vec()), (source, longest)]);
    assert_eq!((heard[2].0, heard[2].1.len()), (source, 4097), "longer than any may be");
    drop(client);
    assert_eq!(desk.hear(1), [(source, Vec::new())]);
}

#[test]
fn no_turn_takes_more_than_it_may_and_nothing_is_lost() {
    let mut desk = Desk::new(Bounds::default());
    let mut clients: Vec<Client> = (0..5).map(|_| Client::connect(desk.tcp, None, 0)).collect();
    for (at, client) in clients.iter_mut().enumerate() {
        let all: Vec<u8> = (0..100).flat_map(|number| framed(&[at as u8, number])).collect();
        client.say_raw(&all);
    }
    // Who holds buffers gets no more than there are.
    until(|| {
        let before = desk.arrivals.len();
        desk.driver.exchange(&mut desk.arrivals, Some(Duration::from_millis(10))).unwrap();
        assert!(desk.arrivals.len() <= before + usize::from(CONFIG.arrivals_per_exchange));
        desk.arrivals.len() >= usize::from(CONFIG.buffers) - 1
    });
    let mut heard = desk.take();
    heard.extend(desk.hear(500 - heard.len()));
    for (at, client) in clients.iter().enumerate() {
        let of_one = heard.iter().filter(|(source, _)| *source == client.address());
        let expected: Vec<Vec<u8>> = (0..100).map(|number| vec![at as u8, number]).collect();
        assert!(of_one.map(|(_, bytes)| bytes.clone()).eq(expected));
    }
}

#[test]
fn it_answers_by_both_transports() {
    let mut desk = Desk::new(Bounds::default());
    let by_udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    by_udp.set_read_timeout(Some(DEADLINE)).unwrap();
    let mut by_tcp = Client::connect(desk.tcp, None, 0);
    by_tcp.say(b"hello");
    desk.hear(1);
    let texts: [&[u8]; 3] = [b"one", b"two", b"six"];
    desk.send(by_tcp.address(), &texts);
    let run = desk.run(SocketIndex(0), by_udp.local_addr().unwrap(), &texts);
    desk.driver.send(&run).unwrap();
    let run = desk.run(SocketIndex::STREAMS, by_tcp.address(), &[b"an answer"]);
    desk.driver.tell(&run).unwrap();
    let run = desk.run(SocketIndex(0), by_udp.local_addr().unwrap(), &[b"another"]);
    desk.driver.tell(&run).unwrap();
    desk.turn();
    for text in texts {
        let mut bytes = [0; 100];
        let (len, from) = by_udp.recv_from(&mut bytes).unwrap();
        assert_eq!((&bytes[..len], from), (text, desk.udp), "from the address that datagrams come to");
        assert_eq!(by_tcp.listen().unwrap(), text);
    }
    assert_eq!(by_tcp.listen().unwrap(), b"an answer");
    desk.check(4);
}

#[test]
fn what_is_for_nobody_is_counted() {
    let mut desk = Desk::new(Bounds::default());
    desk.send("127.0.0.1:9".parse().unwrap(), &[b"a", b"b"]);
    let mut client = Client::connect(desk.tcp, None, 0);
    client.say(b"hello");
    desk.hear(1);
    let source = client.address();
    drop(client);
    desk.hear(1);
    desk.send(source, &[b"late"]);
    assert_eq!(desk.driver.figures().messages_discarded, 3);
    desk.check(0);
}

/// What is there for an address is for whoever had it before: a connection from there hears nothing before it has said something.
#[test]
fn who_has_said_nothing_is_told_nothing() {
    let mut desk = Desk::new(Bounds::default());
    let own = "127.0.0.1:0".parse().unwrap();
    let mut first = connect_from(desk.tcp, own);
    first.say(b"first");
    desk.hear(1);
    let source = first.address();
    // Ended by a reset, so that the port is free at once.
    socket2::SockRef::from(&first.stream).set_linger(Some(Duration::ZERO)).unwrap();
    drop(first);
    assert_eq!(desk.hear(1), [(source, Vec::new())]);
    let mut second = connect_from(desk.tcp, source);
    until(|| {
        desk.turn();
        desk.driver.figures().open == 1
    });
    desk.send(source, &[b"to the first"]);
    let run = desk.run(SocketIndex::STREAMS, source, &[b"an answer to the first"]);
    desk.driver.tell(&run).unwrap();
    assert_eq!(desk.driver.figures().messages_discarded, 2);
    second.say(b"second");
    assert_eq!(desk.hear(1), [(source, b"second".to_vec())]);
    desk.send(source, &[b"to the second"]);
    desk.turn();
    assert_eq!(second.listen().unwrap(), b"to the second");
    desk.check(0);
}

/// A slow reader loses the oldest payloads, never an answer, and nothing is unaccounted for in any turn.
#[test]
fn payloads_are_dropped_and_answers_are_not() {
    let mut desk = Desk::new(Bounds { payloads: 8, ..Bounds::default() });
    let mut client = Client::connect(desk.tcp, None, 4096);
    client.say(b"hello");
    desk.hear(1);
    let to = client.address();
    let mut number = 0_u32;
    while desk.driver.figures().payloads_dropped < 100 {
        let text = [&number.to_be_bytes()[..], &[0; 4000]].concat();
        desk.send(to, &[&text]);
        number += 1;
        desk.turn();
        desk.check(0);
    }
    let run = desk.run(SocketIndex::STREAMS, to, &[b"an answer"]);
    desk.driver.tell(&run).unwrap();
    let mut last = None;
    let answer = std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            loop {
                let message = client.listen().unwrap();
                let Some(number) = message.first_chunk().filter(|_| message.len() > 100) else {
                    break message;
                };
                let number = u32::from_be_bytes(*number);
                assert!(last < Some(number), "in order");
                last = Some(number);
            }
        });
        until(|| {
            desk.turn();
            reader.is_finished()
        });
        reader.join().unwrap()
    });
    assert_eq!(answer, b"an answer");
    assert_eq!(last, Some(number - 1), "the newest stays");
    desk.check(0);
}

/// By one address and port to two addresses of this machine: a peer has one connection, the later one.
#[test]
fn the_later_connection_of_an_address_counts() {
    let mut desk = Desk::new(Bounds::default());
    let listeners =
        listen(&["127.0.0.1:0", "127.0.0.2:0"].map(|address| address.parse().unwrap()), &Tenacity::default())
            .unwrap();
    let addresses: Vec<SocketAddr> = listeners.iter().map(net::tcp::Listener::address).collect();
    let streams = Streams::new(listeners, Bounds::default()).unwrap();
    let binding = net::bind(&["127.0.0.1:0".parse().unwrap()], 1, SocketOptions::default()).unwrap();
    desk.driver = StreamDriver::new(streams, binding.shards.into_iter().next().unwrap(), &CONFIG).unwrap();
    let own = "127.0.0.1:0".parse().unwrap();
    let mut first = connect_from(addresses[0], own);
    first.say(b"first");
    let source = first.address();
    assert_eq!(desk.hear(1), [(source, b"first".to_vec())]);
    let mut second = connect_from(addresses[1], source);
    second.say(b"second");
    assert_eq!(desk.hear(2), [(source, Vec::new()), (source, b"second".to_vec())]);
    desk.send(source, &[b"to the second"]);
    desk.turn();
    assert_eq!(second.listen().unwrap(), b"to the second");
    assert!(first.listen().is_none());
    drop(first);
    until(|| {
        desk.turn();
        desk.driver.figures().closed[Ending::Asked.index()] == 1
    });
    assert!(desk.take().is_empty(), "the second is still there");
}

/// From an address and port of which there may be another connection.
fn connect_from(address: SocketAddr, source: SocketAddr) -> Client {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).unwrap();
    socket.set_reuse_address(true).unwrap();
    socket.bind(&source.into()).unwrap();
    Client::over(socket, address)
}

/// What is queued is written, and then everybody hears the end.
#[test]
fn it_parts_when_everything_is_written() {
    let mut desk = Desk::new(Bounds::default());
    let mut clients: Vec<Client> = (0..3).map(|_| Client::connect(desk.tcp, None, 0)).collect();
    clients.iter_mut().for_each(|client| client.say(b"hello"));
    desk.hear(3);
    let addresses: Vec<SocketAddr> = clients.iter().map(Client::address).collect();
    addresses.iter().for_each(|to| desk.send(*to, &[b"the last word"]));
    desk.driver.stop_receiving().unwrap();
    clients[0].say(b"too late");
    desk.turn();
    assert!(desk.arrivals.is_empty());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for mut client in clients {
                assert_eq!(client.listen().unwrap(), b"the last word");
                assert!(client.listen().is_none());
            }
        });
        desk.driver.part().unwrap();
    });
}
