//! The relay's own addresses: what claims to come from them is dropped, or the relay would answer itself.

use std::net::IpAddr;

use crate::ClientAddr;

/// Where the relay can be reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnAddresses {
    /// The relay's port; 0 if it has none.
    pub port: u16,
    /// Its addresses; under a wildcard all addresses of this machine.
    pub hosts: Vec<IpAddr>,
    /// Under an IPv4 wildcard every address of 127.0.0.0/8 is this machine too.
    pub loopback: bool,
}

impl OwnAddresses {
    /// True if a datagram of this source would be answered to the relay itself.
    #[inline]
    pub fn contains(&self, source: &ClientAddr) -> bool {
        source.port() == self.port && self.contains_host(source.ip())
    }

    fn contains_host(&self, host: IpAddr) -> bool {
        let loopback = matches!(host, IpAddr::V4(v4) if v4.is_loopback());
        (self.loopback && loopback) || self.hosts.contains(&host)
    }
}
