//! The network interfaces of the calling thread's namespace, and what their drivers say about themselves.

use std::collections::BTreeMap;
use std::io;
use std::net::IpAddr;
use std::os::fd::AsRawFd;

use nix::ifaddrs::getifaddrs;
use nix::libc::{self, c_char};
use nix::net::if_::{InterfaceFlags, if_nametoindex};
use socket2::{Domain, Socket, Type};

use crate::host::ip_of;

/// An interface, as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// Its name.
    pub name: String,
    /// Its number in this namespace; 0 if it has just gone.
    pub index: u32,
    /// True for `lo` and its like.
    pub is_loopback: bool,
    /// True if it is up.
    pub is_up: bool,
    /// Its addresses.
    pub addresses: Vec<IpAddr>,
}

/// All interfaces, by name.
///
/// # Errors
/// What `getifaddrs` answers.
pub fn interfaces() -> io::Result<Vec<Interface>> {
    let mut all: BTreeMap<String, Interface> = BTreeMap::new();
    for entry in getifaddrs()? {
        let name = entry.interface_name.clone();
        let interface = all.entry(name.clone()).or_insert_with(|| Interface {
            index: if_nametoindex(name.as_str()).unwrap_or(0),
            is_loopback: entry.flags.contains(InterfaceFlags::IFF_LOOPBACK),
            is_up: entry.flags.contains(InterfaceFlags::IFF_UP),
            addresses: Vec::new(),
            name,
        });
        interface.addresses.extend(entry.address.as_ref().and_then(ip_of));
    }
    Ok(all.into_values().collect())
}

/// Which fields of a UDP datagram choose the receive queue (RXH_* of linux/ethtool.h).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReceiveHash {
    /// The addresses.
    pub addresses: bool,
    /// The ports.
    pub ports: bool,
}

const UDP_V4_FLOW: u32 = 0x02;
const UDP_V6_FLOW: u32 = 0x06;
const RXH_ADDRESSES: u64 = 1 << 4 | 1 << 5;
const RXH_PORTS: u64 = 1 << 6 | 1 << 7;
const ETHTOOL_GTXCSUM: u32 = 0x16;
const ETHTOOL_GRXFH: u32 = 0x29;
const ETHTOOL_GCHANNELS: u32 = 0x3c;

/// Room for the longest answer that is asked for: `struct ethtool_rxnfc` has 192 bytes.
#[repr(C, align(8))]
struct Question([u32; 48]);

impl Interface {
    /// Bytes of the largest IP packet.
    ///
    /// # Errors
    /// What SIOCGIFMTU answers.
    pub fn mtu(&self) -> io::Result<u32> {
        let mut request = self.request()?;
        ask(libc::SIOCGIFMTU, &mut request)?;
        // SAFETY: the call succeeded, so this is the member that the kernel wrote.
        Ok(unsafe { request.ifr_ifru.ifru_mtu } as u32)
    }

    /// How the card spreads UDP over IPv4 (or IPv6) over its receive queues.
    ///
    /// # Errors
    /// What ETHTOOL_GRXFH answers: EOPNOTSUPP of a driver that has no such hash.
    pub fn receive_hash(&self, ipv6: bool) -> io::Result<ReceiveHash> {
        let flow = if ipv6 { UDP_V6_FLOW } else { UDP_V4_FLOW };
        let answer = self.ethtool(ETHTOOL_GRXFH, flow)?;
        // A u64, of which only the lowest byte is looked at: it is in one of the two words.
        let fields = u64::from(answer[2] | answer[3]);
        Ok(ReceiveHash { addresses: fields & RXH_ADDRESSES != 0, ports: fields & RXH_PORTS == RXH_PORTS })
    }

    /// Receive queues in use, and how many the card has.
    ///
    /// # Errors
    /// What ETHTOOL_GCHANNELS answers: EOPNOTSUPP of a driver that does not tell.
    pub fn receive_queues(&self) -> io::Result<(u32, u32)> {
        // Its words: command; the most for receiving, sending, other things, and combined; then the same in use.
        let answer = self.ethtool(ETHTOOL_GCHANNELS, 0)?;
        Ok((answer[5] + answer[8], answer[1] + answer[4]))
    }

    /// True if the card writes checksums, which segmented sends need.
    ///
    /// # Errors
    /// What ETHTOOL_GTXCSUM answers.
    pub fn sums_up(&self) -> io::Result<bool> {
        Ok(self.ethtool(ETHTOOL_GTXCSUM, 0)?[1] != 0)
    }

    fn ethtool(&self, command: u32, argument: u32) -> io::Result<[u32; 48]> {
        let mut question = Question([0; 48]);
        (question.0[0], question.0[1]) = (command, argument);
        let mut request = self.request()?;
        request.ifr_ifru.ifru_data = (&raw mut question).cast();
        ask(libc::SIOCETHTOOL, &mut request)?;
        Ok(question.0)
    }

    fn request(&self) -> io::Result<libc::ifreq> {
        if self.name.len() >= libc::IFNAMSIZ {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        // SAFETY: it is plain old data, and all zeros are a value of it.
        let mut request: libc::ifreq = unsafe { std::mem::zeroed() };
        for (to, byte) in request.ifr_name.iter_mut().zip(self.name.bytes()) {
            *to = byte as c_char;
        }
        Ok(request)
    }
}

fn ask(what: libc::c_ulong, request: &mut libc::ifreq) -> io::Result<()> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, None)?;
    // SAFETY: request outlives the call, and if it points to a question, that has room for every answer that is
    // asked for.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), what as _, std::ptr::from_mut(request)) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_there() {
        let all = interfaces().unwrap();
        let lo = all.iter().find(|interface| interface.is_loopback).unwrap();
        assert!(lo.is_up && lo.index > 0 && lo.addresses.contains(&"127.0.0.1".parse().unwrap()), "{lo:?}");
        assert!(lo.mtu().unwrap() >= 1280);
        assert!(lo.sums_up().unwrap());
        assert_eq!(lo.receive_hash(false).unwrap_err().raw_os_error(), Some(libc::EOPNOTSUPP));
    }

    #[test]
    fn what_is_not_there_is_an_error() {
        let gone = Interface {
            name: "gone-0".into(),
            index: 0,
            is_loopback: false,
            is_up: false,
            addresses: Vec::new(),
        };
        assert_eq!(gone.mtu().unwrap_err().raw_os_error(), Some(libc::ENODEV));
        assert!(gone.receive_queues().is_err());
        let long = Interface { name: "x".repeat(16), ..gone };
        assert_eq!(long.mtu().unwrap_err().kind(), io::ErrorKind::InvalidInput);
    }
}
