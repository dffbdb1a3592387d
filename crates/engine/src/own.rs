//! The relay's own addresses: what claims to come from them is dropped, or the relay would answer itself.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::{ClientAddr, LocalAddr};

/// The first port that takes no privilege (`net.ipv4.ip_unprivileged_port_start`): those below are services', by RFC 6335.
const UNPRIVILEGED_PORT: u16 = 1024;

/// Where the relay can be reached.
#[derive(Clone, Debug, Default)]
pub struct OwnAddresses {
    /// The addresses that it is bound to, by socket.
    pub bound: Vec<SocketAddr>,
    /// Under a wildcard: tells whether an address is this machine's. Asked only about sources with the relay's own
    /// port, so that it may be slow, and at that moment, because addresses and local routes come and go.
    pub is_local: Option<fn(SocketAddr) -> bool>,
    /// The broadcast addresses of this machine's networks, as far as they are known: nobody sends from one.
    pub broadcasts: Vec<Ipv4Addr>,
}

impl OwnAddresses {
    /// True if a datagram of this source would be answered to the relay itself.
    #[inline]
    pub fn contains(&self, source: &ClientAddr) -> bool {
        self.has_port_of(source) && self.contains_address(source.socket_addr())
    }

    /// True if it has the port of a service, a well-known one or that of relays. One that answers whatever it hears (echo,
    /// another relay), and that forgers make a member, keeps a conversation going by itself; clients do not send from there.
    pub fn may_be_a_service(&self, source: &ClientAddr) -> bool {
        source.port() < UNPRIVILEGED_PORT || self.has_port_of(source)
    }

    fn has_port_of(&self, source: &ClientAddr) -> bool {
        self.bound.iter().any(|own| own.port() == source.port())
    }

    /// True if a datagram has reached an address that is known to be no loopback address, or, as 0.0.0.0, to have come from
    /// outside.
    pub fn is_no_loopback(&self, local: &LocalAddr) -> bool {
        match local.reached().or_else(|| self.fixed(local)) {
            Some(reached) => !reached.is_loopback(),
            None => false,
        }
    }

    /// True if a datagram is known to have reached a loopback address, and not from outside. Nothing is known where there is no socket.
    pub fn is_loopback(&self, local: &LocalAddr) -> bool {
        let is_bound = usize::from(local.socket()) < self.bound.len();
        local.reached().or_else(|| self.fixed(local)).map_or(!is_bound, |reached| reached.is_loopback())
    }

    /// The address of a socket that has just one.
    fn fixed(&self, local: &LocalAddr) -> Option<IpAddr> {
        self.bound.get(usize::from(local.socket())).map(SocketAddr::ip).filter(|ip| !ip.is_unspecified())
    }

    /// True if a datagram has reached the broadcast address of one of this machine's networks, as far as they are known.
    pub fn is_broadcast(&self, local: &LocalAddr) -> bool {
        matches!(local.reached(), Some(IpAddr::V4(v4)) if self.broadcasts.contains(&v4))
    }

    /// True if no host has this address, so that a datagram from it is forged: multicast, broadcast, `0.0.0.0/8` and `::`.
    /// The kernel would take the last two for loopback.
    pub fn is_no_source(&self, ip: IpAddr) -> bool {
        match ip {
            IpAddr::V4(v4) => {
                v4.octets()[0] == 0 || v4.is_multicast() || v4.is_broadcast() || self.broadcasts.contains(&v4)
            }
            IpAddr::V6(v6) => v6.is_multicast() || v6.is_unspecified(),
        }
    }

    fn contains_address(&self, source: SocketAddr) -> bool {
        self.bound.iter().any(|own| own.ip() == source.ip())
            || self.is_local.is_some_and(|is_local| is_local(source))
    }
}
