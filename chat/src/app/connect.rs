//! From a host name to the relay's address, and to sockets.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream, ToSocketAddrs, UdpSocket};
use std::time::Duration;

use client::Transport;
use socket2::{Domain, Socket, Type};

/// How long each address of a name may take to answer.
const PROBE: Duration = Duration::from_millis(500);

/// The address of the relay.
///
/// A name may have several addresses (`localhost` has one of IPv6 and one of IPv4), and connecting a UDP socket tells
/// nothing. So each address is asked, and the first that answers anything is taken; if none does, the first.
///
/// # Errors
/// The port is missing, or the name has no address.
pub fn resolve(server: &str, transports: &[Transport]) -> io::Result<SocketAddr> {
    if let Some(whole) = with_missing_port(server) {
        return Err(io::Error::other(format!("the port is missing: {whole}, for instance")));
    }
    let mut addresses: Vec<SocketAddr> = server.to_socket_addrs()?.collect();
    addresses.dedup();
    let first = *addresses.first().ok_or_else(|| io::Error::other("the name has no address"))?;
    if addresses.len() == 1 {
        return Ok(first);
    }
    let answers = |transport: &Transport, address: SocketAddr| match transport {
        Transport::Udp => answers_by_udp(address).is_ok(),
        Transport::Tcp => TcpStream::connect_timeout(&address, PROBE).is_ok(),
    };
    let answering = transports
        .iter()
        .find_map(|transport| addresses.iter().copied().find(|&address| answers(transport, address)));
    Ok(answering.unwrap_or(first))
}

/// The usual port behind what has none.
fn with_missing_port(server: &str) -> Option<String> {
    match server.parse() {
        Ok(IpAddr::V6(address)) => Some(format!("[{address}]:5000")),
        _ if server.ends_with(']') || !server.contains(':') => Some(format!("{server}:5000")),
        _ => None,
    }
}

/// A socket that hears from this address only, and tells when nobody listens there.
///
/// # Errors
/// No socket can be had, or no way leads there.
pub fn open(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind(unspecified(address))?;
    socket.connect(address)?;
    Ok(socket)
}

/// A socket for peers on the port of another, which goes on to take what comes from the address that it is connected to.
///
/// # Errors
/// The port cannot be shared.
pub fn beside(socket: &UdpSocket) -> io::Result<UdpSocket> {
    let local = socket.local_addr()?;
    socket2::SockRef::from(socket).set_reuse_port(true)?;
    let beside = Socket::new(Domain::for_address(local), Type::DGRAM, None)?;
    beside.set_reuse_port(true)?;
    beside.bind(&local.into())?;
    Ok(beside.into())
}

/// The address from which this machine would speak to another; it says whether the network has changed.
///
/// # Errors
/// No way leads there.
pub fn way_to(address: SocketAddr) -> io::Result<SocketAddr> {
    open(address)?.local_addr()
}

fn answers_by_udp(address: SocketAddr) -> io::Result<()> {
    let socket = open(address)?;
    socket.set_read_timeout(Some(PROBE))?;
    // Answered by an error, since this address is in no group; it changes nothing.
    socket.send(b"!PING")?;
    socket.recv(&mut [0; 1]).map(drop)
}

fn unspecified(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_leaves_the_port_away_is_told_so() {
        let problem = |server| resolve(server, &[Transport::Udp]).unwrap_err().to_string();
        for (server, whole) in [
            ("127.0.0.1", "127.0.0.1:5000"),
            ("localhost", "localhost:5000"),
            ("::1", "[::1]:5000"),
            ("[::1]", "[::1]:5000"),
        ] {
            assert_eq!(problem(server), format!("the port is missing: {whole}, for instance"));
        }
        assert!(!problem("127.0.0.1:x").contains("missing"));
        assert_eq!(resolve("[::1]:5001", &[Transport::Udp]).unwrap().port(), 5001);
    }
}
