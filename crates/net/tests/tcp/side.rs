//! Both ends of a test: connections that are turned by hand with a clock of their own, and ordinary clients.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use net::tcp::{Bounds, ConnectionId, Event, Figures, Frame, Kind, Streams, Tenacity, listen};
use nix::libc;
use socket2::{Domain, Socket, Type};

/// Nothing takes as long, unless it never comes.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// Repeats until it is true.
pub fn until(mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    while !done() {
        assert!(Instant::now() < deadline, "the condition did not come true in time");
    }
}

pub struct Side {
    pub streams: Streams,
    pub address: SocketAddr,
    /// What happened in the last turn, messages with their bytes.
    pub heard: Vec<(ConnectionId, Vec<u8>)>,
    pub events: Vec<Event>,
    /// Milliseconds that have passed.
    time: Arc<AtomicU64>,
    /// Messages that were taken for sending.
    sent: u64,
}

impl Side {
    pub fn new(bounds: Bounds) -> Side {
        Side::at("127.0.0.1:0", bounds, &Tenacity::default())
    }

    pub fn at(address: &str, bounds: Bounds, tenacity: &Tenacity) -> Side {
        let listeners = listen(&[address.parse().unwrap()], tenacity).unwrap();
        let address = listeners[0].address();
        let time = Arc::new(AtomicU64::new(0));
        let (start, passed) = (Instant::now(), time.clone());
        let clock = Box::new(move || start + Duration::from_millis(passed.load(Ordering::Relaxed)));
        let streams = Streams::with_clock(listeners, bounds, clock).unwrap();
        Side { streams, address, heard: Vec::new(), events: Vec::new(), time, sent: 0 }
    }

    pub fn pass(&self, time: Duration) {
        self.time.fetch_add(time.as_millis() as u64, Ordering::Relaxed);
    }

    /// One turn that does not wait.
    pub fn turn(&mut self) {
        self.turn_for(Duration::ZERO);
    }

    pub fn turn_for(&mut self, wait: Duration) {
        self.streams.exchange(&mut self.events, Some(wait)).unwrap();
        self.heard.clear();
        for event in &self.events {
            if let Event::Message { connection, message } = event {
                self.heard.push((*connection, self.streams.bytes(message).to_vec()));
            }
        }
        self.check();
    }

    /// Nothing is lost between the counters.
    fn check(&self) {
        let figures = self.figures();
        assert_eq!(figures.accepted, figures.open + figures.closed.iter().sum::<u64>(), "{figures:?}");
        let explained = figures.messages_out
            + figures.payloads_dropped
            + figures.messages_discarded
            + figures.messages_queued;
        assert_eq!(explained, self.sent, "{figures:?}");
    }

    /// Turns until it is true.
    pub fn turn_until(&mut self, mut done: impl FnMut(&mut Side) -> bool) {
        until(|| {
            self.turn_for(Duration::from_millis(10));
            done(self)
        });
    }

    /// Turns until the next message.
    pub fn hear(&mut self) -> (ConnectionId, Vec<u8>) {
        self.turn_until(|side| !side.heard.is_empty());
        self.heard[0].clone()
    }

    pub fn send(&mut self, to: ConnectionId, kind: Kind, parts: &[&[u8]]) -> bool {
        let taken = self.streams.send(to, kind, &Frame::new(parts).unwrap());
        self.sent += u64::from(taken);
        taken
    }

    pub fn figures(&self) -> Figures {
        self.streams.figures()
    }

    /// A client, and its connection here.
    pub fn client(&mut self) -> (Client, ConnectionId) {
        self.client_from(None, 0)
    }

    /// From an address, and with a receive buffer of so many bytes if not 0.
    pub fn client_from(&mut self, source: Option<&str>, receive_buffer: usize) -> (Client, ConnectionId) {
        let client = Client::connect(self.address, source, receive_buffer);
        let mut opened = None;
        self.turn_until(|side| {
            opened = side.events.iter().find_map(|event| match event {
                Event::Opened { connection, source, local } => {
                    assert_eq!((*source, *local), (client.address(), client.stream.peer_addr().unwrap()));
                    Some(*connection)
                }
                _ => None,
            });
            opened.is_some()
        });
        (client, opened.unwrap())
    }
}

/// An ordinary client. It reads with a deadline, so that what does not come is a failure and never a hang.
pub struct Client {
    pub stream: TcpStream,
}

impl Client {
    pub fn connect(address: SocketAddr, source: Option<&str>, receive_buffer: usize) -> Client {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).unwrap();
        if receive_buffer > 0 {
            socket.set_recv_buffer_size(receive_buffer).unwrap();
        }
        if let Some(source) = source {
            socket.bind(&SocketAddr::new(source.parse().unwrap(), 0).into()).unwrap();
        }
        Client::over(socket, address)
    }

    /// By a socket that may be bound already.
    pub fn over(socket: Socket, address: SocketAddr) -> Client {
        socket.connect(&address.into()).unwrap();
        let stream: TcpStream = socket.into();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Client { stream }
    }

    pub fn address(&self) -> SocketAddr {
        self.stream.local_addr().unwrap()
    }

    pub fn say(&mut self, message: &[u8]) {
        self.say_raw(&framed(message));
    }

    /// Returns when the other side's kernel has it.
    pub fn say_raw(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
        until(|| self.unacknowledged() == 0);
    }

    fn unacknowledged(&self) -> i32 {
        let mut bytes = 0_i32;
        // SAFETY: the kernel writes the one number, which outlives the call.
        let result = unsafe { libc::ioctl(self.stream.as_raw_fd(), libc::TIOCOUTQ, &raw mut bytes) };
        assert_eq!(result, 0);
        bytes
    }

    /// The next message, or none at the end. A reset is an error.
    pub fn listen(&mut self) -> Option<Vec<u8>> {
        let mut header = [0; 2];
        match self.stream.read_exact(&mut header) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return None,
            result => result.unwrap(),
        }
        let mut message = vec![0; u16::from_be_bytes(header).into()];
        self.stream.read_exact(&mut message).unwrap();
        Some(message)
    }

    /// Waits for the end, or for a reset: true for one.
    pub fn is_reset(&mut self) -> bool {
        match std::io::copy(&mut self.stream, &mut std::io::sink()) {
            Ok(_) => false,
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::ConnectionReset);
                true
            }
        }
    }
}

/// A message with its length.
pub fn framed(message: &[u8]) -> Vec<u8> {
    [&(message.len() as u16).to_be_bytes(), message].concat()
}
