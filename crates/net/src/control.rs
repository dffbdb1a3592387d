//! Control messages: the local address of a datagram, and the segment size of a send or a receive.

use std::mem::size_of;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use nix::libc::{self, cmsghdr};

use crate::address::Family;

const ALIGN: usize = size_of::<usize>();
const HEADER: usize = size_of::<cmsghdr>();

/// Room for the control messages of one datagram.
#[repr(C, align(8))]
#[derive(Clone, Copy)]
pub(crate) struct Control([u8; Control::SIZE]);

impl Control {
    /// IPV6_PKTINFO (40 bytes) and UDP_SEGMENT or UDP_GRO (24 bytes).
    pub(crate) const SIZE: usize = 64;
    pub(crate) const EMPTY: Control = Control([0; Control::SIZE]);

    /// Writes the local address to send from; returns the length so far.
    pub(crate) fn put_source(&mut self, from: IpAddr, family: Family) -> usize {
        match (from, family) {
            (IpAddr::V4(ip), Family::V4) => {
                // struct in_pktinfo: ipi_ifindex, ipi_spec_dst, ipi_addr.
                let mut info = [0; 12];
                info[4..8].copy_from_slice(&ip.octets());
                self.put(0, libc::IPPROTO_IP, libc::IP_PKTINFO, info)
            }
            (IpAddr::V4(ip), Family::V6) => self.put_source_v6(ip.to_ipv6_mapped()),
            (IpAddr::V6(ip), _) => self.put_source_v6(ip),
        }
    }

    fn put_source_v6(&mut self, ip: Ipv6Addr) -> usize {
        // struct in6_pktinfo: ipi6_addr, ipi6_ifindex.
        let mut info = [0; 20];
        info[..16].copy_from_slice(&ip.octets());
        self.put(0, libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, info)
    }

    /// Writes the segment size behind `at` bytes; returns the length so far.
    pub(crate) fn put_segment(&mut self, at: usize, size: u16) -> usize {
        self.put(at, libc::SOL_UDP, libc::UDP_SEGMENT, size.to_ne_bytes())
    }

    fn put<const N: usize>(&mut self, at: usize, level: i32, kind: i32, data: [u8; N]) -> usize {
        let out = &mut self.0[at..at + HEADER + N];
        out[..ALIGN].copy_from_slice(&(HEADER + N).to_ne_bytes());
        out[ALIGN..ALIGN + 4].copy_from_slice(&level.to_ne_bytes());
        out[ALIGN + 4..ALIGN + 8].copy_from_slice(&kind.to_ne_bytes());
        out[HEADER..].copy_from_slice(&data);
        at + HEADER + N.next_multiple_of(ALIGN)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    pub(crate) fn as_mut_ptr(&mut self) -> *mut u8 {
        self.0.as_mut_ptr()
    }
}

/// The index of `lo`, in every network namespace.
const LOOPBACK_INTERFACE: i32 = 1;

/// What the control messages of a received buffer say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Told {
    /// See [`Arrival::local`](crate::Arrival::local).
    pub(crate) local: Option<IpAddr>,
    /// Bytes of each datagram but the last, if the kernel says so; it may where there is only one.
    pub(crate) segment: u16,
}

impl Told {
    pub(crate) fn read(mut control: &[u8]) -> Told {
        let mut told = Told::default();
        while let Some((level, kind, data, rest)) = next(control) {
            told.take(level, kind, data);
            control = rest;
        }
        told
    }

    fn take(&mut self, level: i32, kind: i32, data: &[u8]) {
        match (level, kind) {
            (libc::IPPROTO_IP, libc::IP_PKTINFO) => self.local = data.first_chunk().and_then(reached),
            (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                let ip = data.first_chunk::<16>().map(|&octets| Ipv6Addr::from(octets));
                self.local = ip.map(|ip| IpAddr::from(ip).to_canonical());
            }
            (libc::SOL_UDP, libc::UDP_GRO) => {
                let size = data.first_chunk().map_or(0, |&bytes| i32::from_ne_bytes(bytes));
                self.segment = u16::try_from(size).unwrap_or(0);
            }
            _ => {}
        }
    }

    /// [`Arrival::segment`](crate::Arrival::segment) of a buffer of so many bytes.
    pub(crate) fn segment_of(&self, len: u16) -> u16 {
        if self.segment < len { self.segment } else { 0 }
    }
}

/// What a `struct in_pktinfo` (ipi_ifindex, ipi_spec_dst, ipi_addr) says: the address to answer from, which the kernel makes up where
/// the datagram was sent to another, and that other one.
fn reached(info: &[u8; 12]) -> Option<IpAddr> {
    let [interface, from, to] = std::array::from_fn(|at| std::array::from_fn(|byte| info[4 * at + byte]));
    let (from, to) = (Ipv4Addr::from(from), Ipv4Addr::from(to));
    let interface = i32::from_ne_bytes(interface);
    // It came before the socket was told to say more.
    let is_early = from.is_unspecified();
    match () {
        () if to.is_multicast() || to.is_broadcast() || !is_early && from != to => {
            Some(Ipv4Addr::BROADCAST.into())
        }
        () if !to.is_loopback() || interface == LOOPBACK_INTERFACE => Some(to.into()),
        () if is_early => None,
        () => Some(Ipv4Addr::UNSPECIFIED.into()),
    }
}

/// True if the control messages of an error say that it came by ICMP, and that it is not about the size of a datagram.
pub(crate) fn is_icmp(mut control: &[u8]) -> bool {
    const RECVERR: [(i32, i32); 2] =
        [(libc::IPPROTO_IP, libc::IP_RECVERR), (libc::IPPROTO_IPV6, libc::IPV6_RECVERR)];
    const ORIGINS: [u8; 2] = [libc::SO_EE_ORIGIN_ICMP, libc::SO_EE_ORIGIN_ICMP6];
    while let Some((level, kind, data, rest)) = next(control) {
        if RECVERR.contains(&(level, kind))
            && let Some((errno, [origin, ..])) = data.split_first_chunk()
        {
            return ORIGINS.contains(origin) && i32::from_ne_bytes(*errno) != libc::EMSGSIZE;
        }
        control = rest;
    }
    false
}

/// Level, kind and data of the first message, and the bytes behind it.
fn next(control: &[u8]) -> Option<(i32, i32, &[u8], &[u8])> {
    let len = usize::from_ne_bytes(*control.first_chunk()?);
    let level = i32::from_ne_bytes(*control.get(ALIGN..)?.first_chunk()?);
    let kind = i32::from_ne_bytes(*control.get(ALIGN + 4..)?.first_chunk()?);
    let data = control.get(HEADER..len)?;
    let rest = control.get(len.next_multiple_of(ALIGN)..).unwrap_or_default();
    Some((level, kind, data, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(ip: &str) -> Option<IpAddr> {
        let mut control = Control::EMPTY;
        let len = control.put_source(ip.parse().unwrap(), Family::V6);
        Told::read(&control.bytes()[..len]).local
    }

    /// What the kernel says of a datagram by IPv4.
    fn told(interface: i32, [from, to]: [&str; 2]) -> Told {
        let [from, to] = [from, to].map(|ip| ip.parse::<Ipv4Addr>().unwrap().octets());
        let info: [u8; 12] = [interface.to_ne_bytes(), from, to].concat().try_into().unwrap();
        let mut control = Control::EMPTY;
        let len = control.put(0, libc::IPPROTO_IP, libc::IP_PKTINFO, info);
        Told::read(&control.bytes()[..len])
    }

    fn local(ip: &str) -> Option<IpAddr> {
        Some(ip.parse().unwrap())
    }

    #[test]
    fn local_addresses_survive() {
        assert_eq!(told(1, ["127.0.0.2"; 2]).local, local("127.0.0.2"));
        assert_eq!(told(2, ["10.0.0.9"; 2]).local, local("10.0.0.9"));
        for ip in ["2001:db8::2", "::1", "10.0.0.9"] {
            assert_eq!(round_trip(ip), local(ip));
        }
    }

    /// The kernel makes up an address to answer from, by the source, which may be forged.
    #[test]
    fn what_is_sent_to_many_reaches_none_of_them() {
        for (from, to) in [
            ("10.0.0.1", "10.0.0.255"),
            ("10.0.0.1", "255.255.255.255"),
            ("10.0.0.1", "224.0.0.1"),
            ("127.0.0.1", "127.255.255.255"),
            ("0.0.0.0", "255.255.255.255"),
            ("0.0.0.0", "239.0.0.1"),
        ] {
            for interface in 0..3 {
                assert_eq!(told(interface, [from, to]).local, local("255.255.255.255"), "{to}");
            }
        }
        assert_eq!(round_trip("ff02::1"), local("ff02::1"));
    }

    #[test]
    fn another_interface_reaches_no_loopback_address() {
        assert_eq!(told(2, ["127.0.0.1"; 2]).local, local("0.0.0.0"));
    }

    /// Of what waited in a socket before it was told to say more, the kernel knows nothing but the header.
    #[test]
    fn what_came_early_is_not_known_to_be_from_here() {
        assert_eq!(told(0, ["0.0.0.0", "10.0.0.9"]).local, local("10.0.0.9"));
        assert_eq!(told(0, ["0.0.0.0", "127.0.0.1"]).local, None);
    }

    #[test]
    fn both_messages_fit_and_others_are_skipped() {
        let mut control = Control::EMPTY;
        let source = control.put_source("::1".parse().unwrap(), Family::V6);
        assert_eq!(control.put_segment(source, 1200), Control::SIZE);

        let mut other = Control::EMPTY;
        let at = other.put_segment(0, 9);
        assert_eq!(Told::read(&other.bytes()[..at]), Told::default());
        let mut both = other.bytes()[..at].to_vec();
        both.extend_from_slice(&control.bytes()[..source]);
        assert_eq!(Told::read(&both).local, Some("::1".parse().unwrap()));
    }

    #[test]
    fn the_segment_is_told_in_any_order() {
        let local = "10.0.0.9".parse().unwrap();
        let size = 1200_i32.to_ne_bytes();
        let (mut source, mut segment) = (Control::EMPTY, Control::EMPTY);
        let source_len = source.put_source(local, Family::V6);
        let segment_len = segment.put(0, libc::SOL_UDP, libc::UDP_GRO, size);
        let (source, segment) = (&source.bytes()[..source_len], &segment.bytes()[..segment_len]);
        for control in [[source, segment].concat(), [segment, source].concat()] {
            assert_eq!(Told::read(&control), Told { local: Some(local), segment: 1200 });
        }
    }

    #[test]
    fn one_datagram_has_no_segment() {
        let told = Told { local: None, segment: 100 };
        assert_eq!([99, 100, 101].map(|len| told.segment_of(len)), [0, 0, 100]);
    }

    #[test]
    fn lengths_that_lie_tell_nothing() {
        assert_eq!(Told::read(&[0; 64]), Told::default());
        assert_eq!(Told::read(&[0xff; 64]), Told::default());
    }
}
