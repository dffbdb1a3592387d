//! From a host name to a connected socket.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket};
use std::time::Duration;

/// How long each address of a name may take to answer.
const PROBE: Duration = Duration::from_millis(500);

/// A socket that is connected to the server.
///
/// A name may have several addresses (`localhost` has one of IPv6 and one of IPv4), and connecting a UDP socket tells
/// nothing. So each address is asked, and the first that answers anything is taken; if none does, the first.
///
/// # Errors
/// The name has no address, or no socket can be had.
pub fn connect(server: &str) -> io::Result<UdpSocket> {
    let mut addresses: Vec<SocketAddr> = server.to_socket_addrs()?.collect();
    addresses.dedup();
    if addresses.len() > 1
        && let Some(socket) = addresses.iter().find_map(|&address| answering(address).ok())
    {
        return Ok(socket);
    }
    let first = addresses.first().ok_or_else(|| io::Error::other("the name has no address"))?;
    open(*first)
}

fn answering(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = open(address)?;
    socket.set_read_timeout(Some(PROBE))?;
    // Answered by an error, since this address is in no group; it changes nothing.
    socket.send(b"!PING")?;
    socket.recv(&mut [0; 1])?;
    socket.set_read_timeout(None)?;
    Ok(socket)
}

fn open(address: SocketAddr) -> io::Result<UdpSocket> {
    let local: SocketAddr = match address {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(local)?;
    socket.connect(address)?;
    Ok(socket)
}
