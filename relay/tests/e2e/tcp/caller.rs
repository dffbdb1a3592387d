//! A client by TCP: each message behind its length.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};

use socket2::{Domain, SockRef, Socket, Type};

use crate::support::{PATIENCE, eventually};

/// A connection to the relay. What does not come is a failure and never a hang.
pub struct Caller {
    stream: TcpStream,
}

impl Caller {
    /// Connected from an address of its own.
    #[track_caller]
    pub fn to(relay: SocketAddr) -> Self {
        Self::of(TcpStream::connect(relay).expect("the relay takes a connection"))
    }

    /// From this address and port, and with a receive buffer of so many bytes if not 0.
    #[track_caller]
    pub fn from(own: SocketAddr, relay: SocketAddr, receive_buffer: usize) -> Self {
        eventually("its address is free", || Self::try_from(own, relay, receive_buffer).ok())
    }

    /// The same, if nobody else has that port.
    pub fn try_from(own: SocketAddr, relay: SocketAddr, receive_buffer: usize) -> io::Result<Self> {
        let socket = Socket::new(Domain::for_address(relay), Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        if receive_buffer > 0 {
            socket.set_recv_buffer_size(receive_buffer)?;
        }
        socket.bind(&own.into())?;
        socket.connect(&relay.into())?;
        Ok(Self::of(socket.into()))
    }

    fn of(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.set_write_timeout(Some(PATIENCE)).expect("a timeout");
        stream.set_nodelay(true).expect("an option");
        Self { stream }
    }

    /// Connected, and a member of this group.
    #[track_caller]
    pub fn member(relay: SocketAddr, group: &str) -> Self {
        let caller = Self::to(relay);
        caller.join(group);
        caller
    }

    /// Its own address.
    pub fn address(&self) -> SocketAddr {
        self.stream.local_addr().expect("a connected socket has an address")
    }

    /// Sends a message.
    #[track_caller]
    pub fn send(&self, message: impl AsRef<[u8]>) {
        self.send_raw(&framed(message.as_ref()));
    }

    /// Sends bytes as they are.
    #[track_caller]
    pub fn send_raw(&self, bytes: &[u8]) {
        (&self.stream).write_all(bytes).expect("the connection takes it");
    }

    /// Sends as much of these bytes as the connection takes now.
    pub fn try_send_all(&self, bytes: &[u8]) {
        self.stream.set_nonblocking(true).expect("a mode");
        let mut rest = bytes;
        while let Ok(taken @ 1..) = (&self.stream).write(rest) {
            rest = &rest[taken..];
        }
        self.stream.set_nonblocking(false).expect("a mode");
    }

    /// The next message; none at the end, whether or not the relay has reset the connection.
    #[track_caller]
    pub fn next(&self) -> Option<Vec<u8>> {
        let mut length = [0; 2];
        self.read(&mut length)?;
        let mut message = vec![0; u16::from_be_bytes(length).into()];
        self.read(&mut message)?;
        Some(message)
    }

    #[track_caller]
    fn read(&self, bytes: &mut [u8]) -> Option<()> {
        match (&self.stream).read_exact(bytes) {
            Ok(()) => Some(()),
            Err(error) if matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset) => {
                None
            }
            Err(error) => panic!("nothing comes: {error}"),
        }
    }

    /// The next message.
    #[track_caller]
    pub fn receive(&self) -> Vec<u8> {
        self.next().expect("a message, not the end")
    }

    /// The next message, as text.
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

    /// Joins a group.
    #[track_caller]
    pub fn join(&self, group: &str) {
        assert_eq!(self.ask(format!("!JOIN {group}")), format!("OK JOINED {group}"));
    }

    /// Becomes an extended client; gives its token.
    #[track_caller]
    pub fn hello(&self, wish: &str) -> String {
        let answer = self.ask(format!("!HELLO 2{wish}"));
        let token = answer.strip_prefix("!OK HELLO 2 ").and_then(|rest| rest.split(' ').next());
        token.unwrap_or_else(|| panic!("{answer}")).to_owned()
    }

    /// Asserts that nothing has been sent to it.
    #[track_caller]
    pub fn assert_silence(&self) {
        assert_eq!(self.ask("!no-such-command"), "ERR BAD_CMD UnknownCommand");
    }

    /// Breaks the connection off.
    pub fn reset(self) {
        SockRef::from(&self.stream).set_linger(Some(std::time::Duration::ZERO)).expect("an option");
    }

    /// Says that it has nothing more to say, and waits for the relay's end.
    pub fn hang_up(self) {
        self.stream.shutdown(std::net::Shutdown::Write).expect("an end");
        while self.next().is_some() {}
    }
}

/// Any port of a loopback address.
pub fn at(host: impl Into<IpAddr>) -> SocketAddr {
    SocketAddr::new(host.into(), 0)
}

/// A message with its length.
pub fn framed(message: &[u8]) -> Vec<u8> {
    [&(message.len() as u16).to_be_bytes(), message].concat()
}
