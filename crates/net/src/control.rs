//! Control messages: the local address of a datagram, and the segment size of a send.

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
    /// IPV6_PKTINFO (40 bytes) and UDP_SEGMENT (24 bytes).
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

/// The local address that a datagram reached, from the control messages that came with it.
///
/// None for IPv6 multicast: nobody can answer from there, and the kernel chooses.
pub(crate) fn local_address(mut control: &[u8]) -> Option<IpAddr> {
    while control.len() >= HEADER {
        let len = usize::from_ne_bytes(*control.first_chunk()?);
        let level = i32::from_ne_bytes(*control[ALIGN..].first_chunk()?);
        let kind = i32::from_ne_bytes(*control[ALIGN + 4..].first_chunk()?);
        let data = control.get(HEADER..len)?;
        match (level, kind) {
            (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                let octets: [u8; 4] = *data.get(4..)?.first_chunk()?;
                return Some(Ipv4Addr::from(octets).into());
            }
            (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                let ip = Ipv6Addr::from(*data.first_chunk::<16>()?);
                return (!ip.is_multicast()).then(|| IpAddr::from(ip).to_canonical());
            }
            _ => control = control.get(len.next_multiple_of(ALIGN)..)?,
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn round_trip(ip: &str, family: Family) -> Option<IpAddr> {
        let mut control = Control::EMPTY;
        let len = control.put_source(ip.parse().unwrap(), family);
        local_address(&control.bytes()[..len])
    }

    #[test]
    fn local_addresses_survive() {
        assert_eq!(round_trip("127.0.0.2", Family::V4), Some("127.0.0.2".parse().unwrap()));
        assert_eq!(round_trip("2001:db8::2", Family::V6), Some("2001:db8::2".parse().unwrap()));
        assert_eq!(round_trip("10.0.0.9", Family::V6), Some("10.0.0.9".parse().unwrap()));
    }

    #[test]
    fn nobody_answers_from_multicast() {
        assert_eq!(round_trip("ff02::1", Family::V6), None);
    }

    #[test]
    fn both_messages_fit_and_others_are_skipped() {
        let mut control = Control::EMPTY;
        let source = control.put_source("::1".parse().unwrap(), Family::V6);
        assert_eq!(control.put_segment(source, 1200), Control::SIZE);

        let mut other = Control::EMPTY;
        let at = other.put_segment(0, 9);
        assert_eq!(local_address(&other.bytes()[..at]), None);
        let mut both = other.bytes()[..at].to_vec();
        both.extend_from_slice(&control.bytes()[..source]);
        assert_eq!(local_address(&both), Some("::1".parse().unwrap()));
    }

    #[test]
    fn lengths_that_lie_are_no_address() {
        assert_eq!(local_address(&[0; 64]), None);
        assert_eq!(local_address(&[0xff; 64]), None);
    }
}
