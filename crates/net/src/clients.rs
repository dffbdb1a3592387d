//! Sockets for many clients of one machine.

use std::io;
use std::net::{IpAddr, SocketAddr};

use socket2::SockAddr;

use crate::bind::{BindError, SocketOptions, explain, open, tell_local_address};
use crate::socket::Socket;

/// Binds `count` sockets to one local address, each to a port that the kernel chooses. Sockets of an unspecified
/// address are wildcards.
///
/// With a `peer` they are connected to it: only its datagrams arrive, sends to it need no look-up of the route,
/// and the kernel tells when it has no such port ([`SendReport::returned`](crate::SendReport::returned)). A
/// connected socket of an unspecified address gets the one that the route to the peer asks for.
///
/// # Errors
/// What stopped the first socket that could not be had, at once: mostly
/// [`BindErrorKind::Descriptors`](crate::BindErrorKind::Descriptors) or
/// [`BindErrorKind::Ports`](crate::BindErrorKind::Ports), which leaves nothing bound.
pub fn bind_clients(
    address: IpAddr,
    count: usize,
    peer: Option<SocketAddr>,
    options: SocketOptions,
) -> Result<Vec<Socket>, BindError> {
    let address = SocketAddr::new(address, 0);
    (0..count)
        .map(|_| client(address, peer, options))
        .collect::<io::Result<_>>()
        .map_err(|error| explain(address, error))
}

fn client(address: SocketAddr, peer: Option<SocketAddr>, options: SocketOptions) -> io::Result<Socket> {
    let socket = open(address, options)?;
    if address.ip().is_unspecified() && peer.is_none() {
        tell_local_address(&socket, address)?;
    }
    socket.bind(&SockAddr::from(address))?;
    if let Some(peer) = peer {
        socket.connect(&SockAddr::from(peer))?;
    }
    let bound = socket.local_addr()?.as_socket().ok_or(io::ErrorKind::Unsupported)?;
    Ok(Socket::new(socket.into(), bound).with(options).connected(peer))
}
