//! Socket addresses as the kernel reads and writes them.

use std::mem::size_of;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use nix::libc::{self, sockaddr_in, sockaddr_in6};

/// Which of the two families a socket speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    V4,
    V6,
}

impl Family {
    pub(crate) fn of(address: SocketAddr) -> Family {
        if address.is_ipv4() { Family::V4 } else { Family::V6 }
    }
}

/// A `sockaddr_in` or `sockaddr_in6`, as bytes.
#[repr(C, align(4))]
#[derive(Clone, Copy)]
pub(crate) struct Name([u8; Name::SIZE]);

impl Name {
    /// The larger of the two.
    pub(crate) const SIZE: usize = size_of::<sockaddr_in6>();
    pub(crate) const EMPTY: Name = Name([0; Name::SIZE]);

    /// Writes the address for a socket of this family; returns the length of the name.
    pub(crate) fn encode(&mut self, to: SocketAddr, family: Family) -> u8 {
        match (to, family) {
            (SocketAddr::V4(v4), Family::V4) => {
                self.0[..2].copy_from_slice(&(libc::AF_INET as u16).to_ne_bytes());
                self.0[2..4].copy_from_slice(&v4.port().to_be_bytes());
                self.0[4..8].copy_from_slice(&v4.ip().octets());
                size_of::<sockaddr_in>() as u8
            }
            (SocketAddr::V4(v4), Family::V6) => {
                self.encode_v6(SocketAddrV6::new(v4.ip().to_ipv6_mapped(), v4.port(), 0, 0))
            }
            (SocketAddr::V6(v6), _) => self.encode_v6(v6),
        }
    }

    fn encode_v6(&mut self, to: SocketAddrV6) -> u8 {
        self.0[..2].copy_from_slice(&(libc::AF_INET6 as u16).to_ne_bytes());
        self.0[2..4].copy_from_slice(&to.port().to_be_bytes());
        self.0[4..8].copy_from_slice(&[0; 4]);
        self.0[8..24].copy_from_slice(&to.ip().octets());
        self.0[24..28].copy_from_slice(&to.scope_id().to_ne_bytes());
        size_of::<sockaddr_in6>() as u8
    }

    pub(crate) fn decode(&self) -> Option<SocketAddr> {
        decode(&self.0)
    }

    pub(crate) fn as_ptr(&self) -> *const u8 {
        self.0.as_ptr()
    }

    pub(crate) fn as_mut_ptr(&mut self) -> *mut u8 {
        self.0.as_mut_ptr()
    }
}

/// Reads what the kernel wrote: the flow label is dropped, and the scope is kept only where it is part of the address. A
/// v4-mapped address stays IPv6, because sockets serve one family: it came by IPv6, so no host of that IPv4 address sent it.
pub(crate) fn decode(name: &[u8]) -> Option<SocketAddr> {
    let name = name.first_chunk::<{ Name::SIZE }>()?;
    let port = u16::from_be_bytes([name[2], name[3]]);
    match i32::from(u16::from_ne_bytes([name[0], name[1]])) {
        libc::AF_INET => {
            let ip = Ipv4Addr::new(name[4], name[5], name[6], name[7]);
            Some(SocketAddr::from((ip, port)))
        }
        libc::AF_INET6 => {
            let ip = Ipv6Addr::from(*name[8..].first_chunk::<16>()?);
            let scope = u32::from_ne_bytes(*name[24..].first_chunk::<4>()?);
            let scope = if ip.is_unicast_link_local() { scope } else { 0 };
            Some(SocketAddrV6::new(ip, port, 0, scope).into())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(address: &str, family: Family) -> SocketAddr {
        let mut name = Name::EMPTY;
        name.encode(address.parse().unwrap(), family);
        name.decode().unwrap()
    }

    #[test]
    fn addresses_survive() {
        for address in ["127.0.0.1:5000", "255.255.255.255:0"] {
            assert_eq!(round_trip(address, Family::V4), address.parse().unwrap());
        }
        for address in ["[::1]:5000", "[2001:db8::7]:65535", "[fe80::1%3]:9"] {
            assert_eq!(round_trip(address, Family::V6), address.parse().unwrap());
        }
    }

    #[test]
    fn a_mapped_address_came_by_ipv6() {
        let mapped: SocketAddr = "[::ffff:10.1.2.3]:7".parse().unwrap();
        assert!(mapped.is_ipv6());
        assert_eq!(round_trip("[::ffff:10.1.2.3]:7", Family::V6), mapped);
        assert_eq!(round_trip("10.1.2.3:7", Family::V6), mapped, "it could not be sent as IPv4");
    }

    #[test]
    fn flow_label_and_global_scope_are_dropped() {
        let address = SocketAddrV6::new("2001:db8::1".parse().unwrap(), 9, 77, 4);
        let mut name = Name::EMPTY;
        name.encode(address.into(), Family::V6);
        assert_eq!(name.decode(), Some("[2001:db8::1]:9".parse().unwrap()));
    }

    #[test]
    fn other_families_are_no_address() {
        assert_eq!(Name::EMPTY.decode(), None);
        assert_eq!(decode(&[2, 0, 1]), None);
    }
}
