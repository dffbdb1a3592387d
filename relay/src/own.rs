//! Finding out which addresses are the relay's own.

use std::io;
use std::net::{IpAddr, SocketAddr};

use engine::OwnAddresses;

/// The addresses at which this relay can be reached: those that it is bound to, and all of this machine's under a
/// wildcard.
///
/// # Errors
/// What keeps the kernel from listing this machine's addresses; an empty list would let a loop through.
pub fn own_addresses(bound: &[SocketAddr]) -> io::Result<OwnAddresses> {
    let mut hosts: Vec<IpAddr> =
        bound.iter().map(SocketAddr::ip).filter(|host| !host.is_unspecified()).collect();
    let wildcard = bound.iter().any(|address| address.ip().is_unspecified());
    if wildcard {
        hosts.extend(net::local_addresses()?);
    }
    hosts.sort_unstable();
    hosts.dedup();
    Ok(OwnAddresses { port: bound.first().map_or(0, SocketAddr::port), hosts, loopback: wildcard })
}
