//! Addresses as the engine keeps them: small, comparable, one form for each host.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::num::NonZeroU16;

/// A client: transport, source address and port. IPv4 is kept v4-mapped, which no IPv6 source is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ClientAddr {
    ip: Words,
    /// The interface of a link-local address, else 0; with [`STREAM`] by TCP.
    scope: u32,
    port: NonZeroU16,
}

/// Who made a group. What an address makes without a proof counts apart, or whoever forges it would use up its quota.
/// As small as the address, because there is one for each group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Creator {
    ip: Words,
    scope: u32,
    port: NonZeroU16,
    pub proved: bool,
}

/// The bit of a scope that tells clients by TCP: the kernel counts interfaces in an int.
const STREAM: u32 = 1 << 31;

/// The octets of an address, in words, so that nobody who moves or compares them does so one by one.
type Words = [u32; 4];

/// The relay's side of a conversation: the socket that a client reached, and under a wildcard also the address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalAddr {
    /// All zero where the socket is bound to just one address.
    ip: [u8; 16],
    socket: u8,
}

impl ClientAddr {
    /// A client; `None` for a source that is nobody: of port 0, or v4-mapped. IPv4 comes by IPv4, because every socket serves
    /// one family, and what claims to come from an IPv4 host by IPv6 is forged, though kernels let it in.
    pub fn new(source: SocketAddr) -> Option<Self> {
        let port = NonZeroU16::new(source.port())?;
        let scope = match source {
            SocketAddr::V6(v6) if v6.ip().to_ipv4_mapped().is_some() => return None,
            SocketAddr::V6(v6) if v6.ip().is_unicast_link_local() => v6.scope_id(),
            _ => 0,
        };
        Some(Self { ip: mapped(source.ip()), scope, port })
    }

    /// The same of a client that is connected by TCP, which is another client than one of this address by UDP.
    pub fn by_stream(source: SocketAddr) -> Option<Self> {
        Self::new(source).map(|client| Self { scope: client.scope | STREAM, ..client })
    }

    /// True if it is connected by TCP.
    #[inline]
    pub fn is_stream(&self) -> bool {
        self.scope & STREAM != 0
    }

    /// The address to send to.
    pub fn socket_addr(&self) -> SocketAddr {
        match unmapped(self.ip) {
            IpAddr::V4(v4) => SocketAddr::from((v4, self.port.get())),
            IpAddr::V6(v6) => SocketAddrV6::new(v6, self.port.get(), 0, self.scope & !STREAM).into(),
        }
    }

    /// The client's host.
    pub fn ip(&self) -> IpAddr {
        unmapped(self.ip)
    }

    /// Bytes of the IP and UDP headers of a datagram to it or from it: 28, or 48 by IPv6.
    #[inline]
    pub fn ip_header(&self) -> u64 {
        if self.is_v6() { 48 } else { 28 }
    }

    /// True if it is not reached by IPv4.
    #[inline]
    pub(crate) fn is_v6(&self) -> bool {
        self.ip[..3] != MAPPED
    }

    /// All that tells it from others.
    pub(crate) fn octets(&self) -> [u8; 22] {
        let mut octets = [0; 22];
        octets[..16].copy_from_slice(&octets_of(self.ip));
        octets[16..20].copy_from_slice(&self.scope.to_le_bytes());
        octets[20..].copy_from_slice(&self.port.get().to_le_bytes());
        octets
    }

    /// The client's port.
    pub fn port(&self) -> u16 {
        self.port.get()
    }
}

impl Creator {
    pub fn new(client: &ClientAddr, proved: bool) -> Self {
        let ClientAddr { ip, scope, port } = *client;
        Self { ip, scope, port, proved }
    }

    /// True if it is this client, proved or not.
    pub fn is(&self, client: &ClientAddr) -> bool {
        (self.ip, self.scope, self.port) == (client.ip, client.scope, client.port)
    }
}

impl LocalAddr {
    /// The relay's side: the index of the socket, and the address that was reached under a wildcard.
    pub fn new(socket: u8, reached: Option<IpAddr>) -> Self {
        Self { ip: reached.map_or([0; 16], |ip| octets_of(mapped(ip))), socket }
    }

    /// The relay's end of whatever connection comes from a client: it has an index of its own, which no socket for datagrams has.
    pub fn stream() -> Self {
        Self::new(u8::MAX, None)
    }

    /// Index of the socket to answer from.
    pub fn socket(&self) -> u8 {
        self.socket
    }

    /// The address to answer from, where the socket has more than one.
    pub fn reached(&self) -> Option<IpAddr> {
        (self.ip != [0; 16]).then(|| unmapped(words_of(self.ip)))
    }

    /// True if the datagram was sent to many, a broadcast or a multicast: every shard has one like it.
    #[inline]
    pub(crate) fn is_many(&self) -> bool {
        // Nobody asks where a socket has just one address: that is told by one comparison.
        u128::from_ne_bytes(self.ip) != 0 && self.is_address_of_many()
    }

    fn is_address_of_many(&self) -> bool {
        match self.ip {
            [0xff, ..] => true,
            [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, first, rest @ ..] => {
                (224..240).contains(&first) || first == 255 && rest == [255; 3]
            }
            _ => false,
        }
    }
}

/// What an IPv4 address begins with in its v4-mapped form.
const MAPPED: [u32; 3] = [0, 0, u32::from_ne_bytes([0, 0, 0xff, 0xff])];

fn mapped(ip: IpAddr) -> Words {
    match ip {
        IpAddr::V4(v4) => {
            let [first, second, third] = MAPPED;
            [first, second, third, u32::from_ne_bytes(v4.octets())]
        }
        IpAddr::V6(v6) => words_of(v6.octets()),
    }
}

fn unmapped(ip: Words) -> IpAddr {
    match ip[..3] == MAPPED {
        true => IpAddr::V4(ip[3].to_ne_bytes().into()),
        false => IpAddr::V6(octets_of(ip).into()),
    }
}

fn words_of(octets: [u8; 16]) -> Words {
    std::array::from_fn(|word| u32::from_ne_bytes(std::array::from_fn(|at| octets[4 * word + at])))
}

fn octets_of(ip: Words) -> [u8; 16] {
    std::array::from_fn(|at| ip[at / 4].to_ne_bytes()[at % 4])
}

impl Hash for ClientAddr {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let pair = |first, second| u64::from(self.ip[first]) | u64::from(self.ip[second]) << 32;
        state.write_u64(pair(0, 1));
        state.write_u64(pair(2, 3));
        state.write_u64(u64::from(self.scope) << 16 | u64::from(self.port.get()));
    }
}

impl fmt::Debug for ClientAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.socket_addr().fmt(f)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;

    use crate::seeded;
    use proptest::prelude::*;

    fn mapped_octets(ip: IpAddr) -> [u8; 16] {
        match ip {
            IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
            IpAddr::V6(v6) => v6.octets(),
        }
    }

    fn client(text: &str) -> ClientAddr {
        ClientAddr::new(text.parse().unwrap()).unwrap()
    }

    #[test]
    fn a_host_has_one_form() {
        assert_eq!(client("127.0.0.1:9").socket_addr(), "127.0.0.1:9".parse().unwrap());
        assert_eq!(ClientAddr::new("[::ffff:127.0.0.1]:9".parse().unwrap()), None);
        assert_ne!(client("127.0.0.1:9"), client("[::127.0.0.1]:9"));
        assert_ne!(client("127.0.0.1:9"), client("[::1]:9"));
    }

    #[test]
    fn all_that_tells_clients_apart_is_hashed() {
        let hasher = ahash::RandomState::with_seeds(1, 2, 3, 4);
        let texts = [
            "10.0.0.1:9",
            "10.0.0.2:9",
            "10.0.0.1:10",
            "[::1]:9",
            "[::1:0:0]:9",
            "[::1:0:0:0:0]:9",
            "[1::]:9",
        ];
        let other = ["[fe80::1%1]:9", "[fe80::1%2]:9"];
        let mut hashes: Vec<u64> =
            texts.iter().chain(&other).map(|text| hasher.hash_one(client(text))).collect();
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), texts.len() + other.len());
    }

    #[test]
    fn a_transport_makes_another_client_of_the_same_address() {
        let hasher = ahash::RandomState::with_seeds(1, 2, 3, 4);
        for text in ["10.0.0.1:9", "[2001:db8::1]:9", "[fe80::1%7]:9"] {
            let by_udp = client(text);
            let by_tcp = ClientAddr::by_stream(text.parse().unwrap()).unwrap();
            assert_eq!((by_udp.is_stream(), by_tcp.is_stream()), (false, true));
            assert_eq!((by_tcp.socket_addr(), by_tcp.ip()), (by_udp.socket_addr(), by_udp.ip()));
            assert_ne!(by_udp, by_tcp);
            assert_ne!(hasher.hash_one(by_udp), hasher.hash_one(by_tcp));
            assert_ne!(by_udp.octets(), by_tcp.octets(), "their cookies differ");
            assert!(!Creator::new(&by_udp, true).is(&by_tcp));
        }
    }

    #[test]
    fn link_local_hosts_keep_their_interface() {
        let at = |scope| SocketAddr::from(SocketAddrV6::new("fe80::1".parse().unwrap(), 9, 7, scope));
        assert_ne!(ClientAddr::new(at(1)), ClientAddr::new(at(2)));
        assert_eq!(ClientAddr::new(at(2)).unwrap().socket_addr().to_string(), "[fe80::1%2]:9");
        let global = |scope| SocketAddr::from(SocketAddrV6::new("2001:db8::1".parse().unwrap(), 9, 0, scope));
        assert_eq!(ClientAddr::new(global(1)), ClientAddr::new(global(2)));
    }

    proptest! {
        #![proptest_config(seeded::config())]

        #[test]
        fn addresses_are_given_back_as_they_came(ip: [u8; 16], port in 1u16..) {
            for ip in [IpAddr::from(ip), <[u8; 4]>::try_from(&ip[..4]).unwrap().into()] {
                let client = ClientAddr::new((ip, port).into()).unwrap();
                prop_assert_eq!((client.ip(), client.port()), (ip.to_canonical(), port));
                prop_assert_eq!(client.is_v6(), ip.to_canonical().is_ipv6());
                prop_assert_eq!(&client.octets()[..16], mapped_octets(ip));
                prop_assert_eq!(LocalAddr::new(0, Some(ip)).reached(), Some(ip.to_canonical()));
            }
        }
    }

    #[test]
    fn many_are_reached_by_broadcast_and_multicast_alone() {
        let is_many = |ip: &str| LocalAddr::new(0, Some(ip.parse().unwrap())).is_many();
        assert!(
            ["224.0.0.1", "239.255.255.255", "255.255.255.255", "ff02::1", "ff0e::1"].map(is_many)
                == [true; 5]
        );
        let others = [
            "223.255.255.255",
            "240.0.0.1",
            "255.255.255.254",
            "255.255.0.255",
            "0.0.0.0",
            "::1",
            "fe80::1",
            "::e000:1",
        ];
        assert!(others.map(is_many) == [false; 8] && !LocalAddr::new(0, None).is_many());
    }

    #[test]
    fn port_zero_is_no_client() {
        assert_eq!(ClientAddr::new("127.0.0.1:0".parse().unwrap()), None);
    }

    #[test]
    fn headers_are_those_of_the_family() {
        assert_eq!(client("127.0.0.1:9").ip_header(), 28);
        assert_eq!(client("[2001:db8::ffff]:9").ip_header(), 48);
    }

    #[test]
    fn small_enough_for_a_million() {
        assert_eq!(size_of::<Option<ClientAddr>>(), 24);
        assert_eq!(size_of::<LocalAddr>(), 17);
        assert_eq!(size_of::<Option<Creator>>(), 24);
    }
}
