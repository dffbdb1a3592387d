//! A client of the base protocol: one socket, plain bytes.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSliceMut};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::sync::Mutex;
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::sockopt::{RcvBufForce, UdpGroSegment};
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt};

use super::PATIENCE;

/// A connected UDP socket that speaks to the relay.
#[derive(Debug)]
pub struct Client {
    socket: UdpSocket,
    /// Datagrams that the kernel handed over together with an earlier one.
    pending: Mutex<VecDeque<Vec<u8>>>,
}

impl Client {
    /// A client on a port of its own, on the loopback address of the relay's family; of a relay elsewhere, on an address of the
    /// kernel's choice.
    pub fn to(relay: SocketAddr) -> Self {
        let is_here = relay.ip().is_loopback() || relay.ip().is_unspecified();
        let own: IpAddr = match (relay, is_here) {
            (SocketAddr::V4(_), true) => Ipv4Addr::LOCALHOST.into(),
            (SocketAddr::V4(_), false) => Ipv4Addr::UNSPECIFIED.into(),
            (SocketAddr::V6(_), true) => Ipv6Addr::LOCALHOST.into(),
            (SocketAddr::V6(_), false) => Ipv6Addr::UNSPECIFIED.into(),
        };
        Self::from((own, 0).into(), relay)
    }

    /// A client with an address of its own.
    pub fn from(own: SocketAddr, relay: SocketAddr) -> Self {
        let socket = UdpSocket::bind(own).expect("a socket for a client");
        socket.connect(relay).expect("a client connects");
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        Self { socket, pending: Mutex::default() }
    }

    /// The same with room for bursts: 16 MB wait in the kernel before it drops anything.
    pub fn roomy(self) -> Self {
        setsockopt(&self.socket, RcvBufForce, &(16 << 20)).expect("a large receive buffer, which takes root");
        self
    }

    /// The same with `UDP_GRO`: the kernel may hand over several datagrams at once.
    pub fn coalescing(self) -> Self {
        setsockopt(&self.socket, UdpGroSegment, &true).expect("UDP_GRO");
        self
    }

    /// Its own address.
    pub fn address(&self) -> SocketAddr {
        self.socket.local_addr().expect("a bound socket has an address")
    }

    /// Speaks to somebody else from now on, from the same port.
    pub fn turn_to(&self, other: SocketAddr) {
        self.socket.connect(other).expect("a client connects");
    }

    /// Sends a datagram.
    pub fn send(&self, datagram: impl AsRef<[u8]>) {
        self.socket.send(datagram.as_ref()).expect("a datagram is sent");
    }

    /// Sends a datagram if the kernel takes it, which it does not while it has an error to tell.
    pub fn try_send(&self, datagram: impl AsRef<[u8]>) -> bool {
        self.socket.send(datagram.as_ref()).is_ok()
    }

    /// The next datagram.
    #[track_caller]
    pub fn receive(&self) -> Vec<u8> {
        self.next().expect("a datagram arrives")
    }

    /// The next datagram, if it is there within this time.
    pub fn receive_within(&self, time: Duration) -> Option<Vec<u8>> {
        self.socket.set_read_timeout(Some(time.max(Duration::from_millis(1)))).expect("a timeout");
        let received = self.next();
        self.socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        match received {
            Err(error) if !is_timeout(&error) => panic!("cannot receive: {error}"),
            received => received.ok(),
        }
    }

    /// Everything that has arrived by now.
    pub fn drain(&self) -> Vec<Vec<u8>> {
        self.socket.set_nonblocking(true).expect("a mode");
        let all = std::iter::from_fn(|| self.next().ok()).collect();
        self.socket.set_nonblocking(false).expect("a mode");
        all
    }

    fn next(&self) -> io::Result<Vec<u8>> {
        let mut pending = self.pending.lock().unwrap();
        if let Some(datagram) = pending.pop_front() {
            return Ok(datagram);
        }
        let mut buffer = [0; 65_536];
        let mut space = nix::cmsg_space!(i32);
        let mut parts = [IoSliceMut::new(&mut buffer)];
        let fd = self.socket.as_raw_fd();
        // A wait with a limit is not begun anew after an interruption (signal(7)).
        let received = loop {
            match recvmsg::<()>(fd, &mut parts, Some(&mut space), MsgFlags::empty()) {
                Err(Errno::EINTR) => {}
                received => break received?,
            }
        };
        let segment = |control| match control {
            ControlMessageOwned::UdpGroSegments(size) => Some(size as usize),
            _ => None,
        };
        let size = received.cmsgs()?.find_map(segment).unwrap_or(received.bytes).max(1);
        let len = received.bytes;
        let mut datagrams = buffer[..len].chunks(size).map(<[u8]>::to_vec);
        let first = datagrams.next().unwrap_or_default();
        pending.extend(datagrams);
        Ok(first)
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

    /// Asserts that nothing more has arrived.
    #[track_caller]
    pub fn assert_heard_all(&self) {
        let rest = self.drain();
        let shown: Vec<_> =
            rest.iter().map(|datagram| (datagram.len(), datagram.escape_ascii().to_string())).collect();
        assert!(
            rest.is_empty(),
            "{} has heard {} datagrams too many: {shown:.200?}",
            self.address(),
            rest.len()
        );
    }

    /// True if nothing is waiting to be received right now.
    pub fn has_nothing(&self) -> bool {
        if !self.pending.lock().unwrap().is_empty() {
            return false;
        }
        self.socket.set_nonblocking(true).expect("a mode");
        let peeked = self.socket.peek(&mut [0; 1]);
        self.socket.set_nonblocking(false).expect("a mode");
        peeked.is_err_and(|error| is_timeout(&error))
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}
