//! Addresses: both families, wildcards, and answers from the address that was reached.

mod extensions;
mod families;
mod link_local;
mod many;
mod wildcard;

use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Duration;

/// A host of the relay, or any port of a client's.
fn at(host: &str, port: u16) -> SocketAddr {
    (host.parse::<IpAddr>().unwrap(), port).into()
}

/// A client that is not connected: it speaks to any address of the relay, and sees who answers.
struct Rover(UdpSocket);

impl Rover {
    fn on(host: &str) -> Self {
        let socket = UdpSocket::bind(at(host, 0)).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        Self(socket)
    }

    fn send(&self, to: SocketAddr, datagram: &str) {
        self.0.send_to(datagram.as_bytes(), to).unwrap();
    }

    /// The next datagram, and where it came from.
    #[track_caller]
    fn hear(&self) -> (String, SocketAddr) {
        let mut buffer = [0; 5000];
        let (len, from) = loop {
            match self.0.recv_from(&mut buffer) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                received => break received.expect("a datagram arrives"),
            }
        };
        (String::from_utf8_lossy(&buffer[..len]).into_owned(), from)
    }

    /// Asks at an address and asserts that it answers from there.
    #[track_caller]
    fn ask(&self, to: SocketAddr, request: &str) -> String {
        self.send(to, request);
        let (answer, from) = self.hear();
        assert_eq!(from, to, "{request} was answered from elsewhere");
        answer
    }
}
