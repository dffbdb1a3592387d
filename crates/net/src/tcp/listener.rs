//! Binds the listeners of a relay's addresses, with what every accepted connection inherits from them.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};

use mio::net::TcpListener;
use socket2::{Domain, Protocol, SockAddr, Socket, TcpKeepalive, Type};

use super::bounds::Tenacity;
use super::limits::{BACKLOG, UNSENT_BYTES};
use crate::bind::{BindError, explain};
use crate::inherit::{Fault, check_family};

/// A socket that listens at one address.
#[derive(Debug)]
pub struct Listener {
    pub(super) socket: TcpListener,
    address: SocketAddr,
}

impl Listener {
    /// The address, with the port that was chosen for port 0.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl AsFd for Listener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Listens at every address: those of the relay's UDP sockets, whose port numbers TCP has of its own.
///
/// # Errors
/// The first address at which it cannot: another process may listen there.
pub fn listen(addresses: &[SocketAddr], tenacity: &Tenacity) -> Result<Vec<Listener>, BindError> {
    let one = |address: &SocketAddr| open(*address, tenacity).map_err(|error| explain(*address, error));
    addresses.iter().map(one).collect()
}

/// Takes a socket that listens already, which somebody else has bound and may keep.
///
/// # Errors
/// Why clients cannot be served from it.
pub fn adopt(listener: std::net::TcpListener, tenacity: &Tenacity) -> Result<Listener, Fault> {
    let address = listener.local_addr()?;
    let socket = Socket::from(listener);
    check_family(&socket, address)?;
    socket.set_nonblocking(true)?;
    equip(&socket, tenacity)?;
    Ok(Listener { socket: TcpListener::from_std(socket.into()), address })
}

fn open(address: SocketAddr, tenacity: &Tenacity) -> io::Result<Listener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM.nonblocking(), Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // Connections of a relay before this one may still be closing. Who listens is in the way nevertheless.
    socket.set_reuse_address(true)?;
    equip(&socket, tenacity)?;
    socket.bind(&SockAddr::from(address))?;
    socket.listen(BACKLOG)?;
    let bound =
        socket.local_addr()?.as_socket().ok_or_else(|| io::Error::from(io::ErrorKind::Unsupported))?;
    Ok(Listener { socket: TcpListener::from_std(socket.into()), address: bound })
}

/// Accepted connections inherit it, so that no call is needed for each.
fn equip(socket: &Socket, tenacity: &Tenacity) -> io::Result<()> {
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_notsent_lowat(UNSENT_BYTES)?;
    socket.set_tcp_user_timeout(Some(tenacity.unacknowledged))?;
    let probes = TcpKeepalive::new().with_time(tenacity.probe_after).with_interval(tenacity.probe_every);
    socket.set_tcp_keepalive(&probes)
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;
    use std::time::Duration;

    use socket2::SockRef;

    use super::*;
    use crate::bind::BindErrorKind;

    fn at(address: &str) -> Result<Vec<Listener>, BindError> {
        listen(&[address.parse().unwrap()], &Tenacity::default())
    }

    #[test]
    fn a_taken_port_is_an_error_that_says_so() {
        let first = at("127.0.0.1:0").unwrap().remove(0);
        let refusal = at(&first.address().to_string()).unwrap_err();
        assert_eq!((refusal.kind, refusal.address), (BindErrorKind::InUse, first.address()));
        drop(first);
        at(&refusal.address.to_string()).unwrap();
    }

    #[test]
    fn one_port_serves_both_families_and_udp() {
        // Another program may have a TCP port of that number, but not of so many.
        let served = (0..50).any(|_| {
            let udp = std::net::UdpSocket::bind("[::]:0").unwrap();
            let port = udp.local_addr().unwrap().port();
            let addresses = ["0.0.0.0", "[::]"].map(|host| format!("{host}:{port}").parse().unwrap());
            listen(&addresses, &Tenacity::default())
                .is_ok_and(|both| [both[0].address(), both[1].address()] == addresses)
        });
        assert!(served);
    }

    #[test]
    fn a_port_with_closing_connections_is_free() {
        let listener = at("127.0.0.1:0").unwrap().remove(0);
        let client = TcpStream::connect(listener.address()).unwrap();
        let (accepted, _) = listener.socket.accept().unwrap();
        // Who closes first keeps the port for a while.
        drop(accepted);
        drop(client);
        let address = listener.address();
        drop(listener);
        at(&address.to_string()).unwrap();
    }

    #[test]
    fn a_socket_that_listens_already_is_as_good() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let adopted = adopt(listener, &Tenacity::default()).unwrap();
        assert_eq!(adopted.address(), address);
        assert_inherited(&adopted);
        let both = Socket::new(Domain::IPV6, Type::STREAM, None).unwrap();
        both.set_only_v6(false).unwrap();
        both.bind(&"[::]:0".parse::<SocketAddr>().unwrap().into()).unwrap();
        both.listen(1).unwrap();
        let fault = adopt(both.into(), &Tenacity::default()).unwrap_err().to_string();
        assert!(fault.contains("BindIPv6Only=ipv6-only"), "{fault}");
    }

    #[test]
    fn accepted_connections_inherit_what_was_set() {
        assert_inherited(&at("127.0.0.1:0").unwrap().remove(0));
    }

    fn assert_inherited(listener: &Listener) {
        let _client = TcpStream::connect(listener.address()).unwrap();
        let (accepted, _) = listener.socket.accept().unwrap();
        let socket = SockRef::from(&accepted);
        assert!(socket.tcp_nodelay().unwrap() && socket.keepalive().unwrap());
        assert_eq!(socket.tcp_notsent_lowat().unwrap(), UNSENT_BYTES);
        assert_eq!(socket.tcp_user_timeout().unwrap(), Some(Duration::from_secs(180)));
        assert_eq!(socket.tcp_keepalive_time().unwrap(), Duration::from_secs(60));
        assert_eq!(socket.tcp_keepalive_interval().unwrap(), Duration::from_secs(10));
    }
}
