//! A client of the base protocol: one socket, plain bytes.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use super::PATIENCE;

/// A connected UDP socket that speaks to the relay.
pub struct Client {
    socket: UdpSocket,
}

impl Client {
    /// A client on a port of its own, on the loopback address of the relay's family.
    pub fn to(relay: SocketAddr) -> Self {
        match relay {
            SocketAddr::V4(_) => Self::from((Ipv4Addr::LOCALHOST, 0).into(), relay),
            SocketAddr::V6(_) => Self::from((Ipv6Addr::LOCALHOST, 0).into(), relay),
        }
    }

    /// A client with an address of its own.
    pub fn from(own: SocketAddr, relay: SocketAddr) -> Self {
        let socket = UdpSocket::bind(own).expect("a socket for a client");
        socket.connect(relay).expect("a client connects");
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        Self { socket }
    }

    /// Its own address.
    pub fn address(&self) -> SocketAddr {
        self.socket.local_addr().expect("a bound socket has an address")
    }

    /// Sends a datagram.
    pub fn send(&self, datagram: impl AsRef<[u8]>) {
        self.socket.send(datagram.as_ref()).expect("a datagram is sent");
    }

    /// The next datagram.
    #[track_caller]
    pub fn receive(&self) -> Vec<u8> {
        let mut buffer = [0; 65_536];
        let len = self.socket.recv(&mut buffer).expect("a datagram arrives");
        buffer[..len].to_vec()
    }

    /// The next datagram, as text.
    #[track_caller]
    pub fn hear(&self) -> String {
        String::from_utf8_lossy(&self.receive()).into_owned()
    }

    /// Sends a request and gives its answer.
    #[track_caller]
    pub fn ask(&self, request: impl AsRef<[u8]>) -> String {
        self.send(request);
        self.hear()
    }

    /// Makes a group and gives its id.
    #[track_caller]
    pub fn create(&self) -> String {
        let answer = self.ask("!CREATE");
        answer.strip_prefix("OK CREATED ").unwrap_or_else(|| panic!("no group: {answer}")).to_owned()
    }

    /// Joins a group.
    #[track_caller]
    pub fn join(&self, group: &str) {
        assert_eq!(self.ask(format!("!JOIN {group}")), format!("OK JOINED {}", group.to_ascii_uppercase()));
    }

    /// A new client that is a member of this group.
    #[track_caller]
    pub fn member(relay: SocketAddr, group: &str) -> Self {
        let client = Self::to(relay);
        client.join(group);
        client
    }

    /// Asserts that nothing has been sent to this client: a request is answered by its answer, and nothing came before.
    /// The relay answers in order, so that whatever it would have sent earlier on this shard is there before.
    #[track_caller]
    pub fn assert_silence(&self) {
        assert_eq!(self.ask("!no-such-command"), "ERR BAD_CMD UnknownCommand");
    }

    /// True if nothing is waiting to be received right now.
    pub fn has_nothing(&self) -> bool {
        self.socket.set_read_timeout(Some(Duration::from_millis(1))).expect("a timeout");
        let peeked = self.socket.peek(&mut [0; 1]);
        self.socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        matches!(peeked, Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut))
    }
}
