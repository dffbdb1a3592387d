//! The relay's own addresses: what claims to come from them is dropped, or the relay would answer itself.

use std::net::SocketAddr;

use crate::ClientAddr;

/// Where the relay can be reached.
#[derive(Clone, Debug)]
pub struct OwnAddresses {
    /// The addresses that it is bound to.
    pub bound: Vec<SocketAddr>,
    /// Under a wildcard: tells whether an address is this machine's. Asked only about sources with the relay's own
    /// port, so that it may be slow, and at that moment, because addresses and local routes come and go.
    pub is_local: Option<fn(SocketAddr) -> bool>,
}

impl OwnAddresses {
    /// True if a datagram of this source would be answered to the relay itself.
    #[inline]
    pub fn contains(&self, source: &ClientAddr) -> bool {
        self.bound.iter().any(|own| own.port() == source.port())
            && self.contains_address(source.socket_addr())
    }

    fn contains_address(&self, source: SocketAddr) -> bool {
        self.bound.iter().any(|own| own.ip() == source.ip())
            || self.is_local.is_some_and(|is_local| is_local(source))
    }
}
