//! Datagrams by the hundred thousand from addresses that nobody has, and a ledger of what is sent to those.

use std::collections::HashMap;
use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4};
use std::os::fd::AsRawFd;
use std::time::Duration;

use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::RcvBufForce;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::support::{Cable, ip, ipv6_packet};

/// A socket of this protocol sends packets with whatever header they have.
const RAW: i32 = 255;
const UDP: u8 = 17;
/// Every packet of a story fits.
const MTU: usize = 1500;
/// As many as the kernel takes in one go.
const ROOM: usize = 256 << 20;

/// IP of one version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    V4,
    V6,
}

/// Sends from any address, to both of the relay's.
pub struct Spoofer {
    v4: (Socket, SocketAddrV4, SockAddr),
    v6: (Socket, SocketAddr, SockAddr),
    packet: Vec<u8>,
}

/// What arrived at the other end of the cable, whoever it was for.
pub struct Sniffer {
    socket: Socket,
    family: Family,
}

/// What an address got.
#[derive(Clone, Copy, Debug, Default)]
pub struct Account {
    /// IP bytes, and those of datagrams that bear the mark of a payload.
    pub bytes: u64,
    pub payloads: u64,
    pub datagrams: u64,
}

/// What everybody got.
#[derive(Default)]
pub struct Ledger(pub HashMap<IpAddr, Account>);

/// Lets the near end answer anybody, and take what anybody sends, through the cable.
pub fn open_up(cable: &Cable) {
    for name in ["all", "near"] {
        std::fs::write(format!("/proc/sys/net/ipv4/conf/{name}/rp_filter"), "0").unwrap();
    }
    ip("route add default via 10.9.0.2 dev near");
    // Nothing waits for an answer to a solicitation.
    ip("neigh add fd09::2 lladdr 02:00:00:00:00:02 dev near nud permanent");
    ip("-6 route add default via fd09::2 dev near");
    cable.over_there(|| ip("neigh add fd09::1 lladdr 02:00:00:00:00:01 dev far nud permanent"));
}

impl Family {
    pub const BOTH: [Self; 2] = [Self::V4, Self::V6];

    pub fn of(address: IpAddr) -> Self {
        if address.is_ipv4() { Self::V4 } else { Self::V6 }
    }

    /// Bytes of the headers of IP and UDP.
    pub fn headers(self) -> usize {
        match self {
            Self::V4 => 28,
            Self::V6 => 48,
        }
    }

    /// As packet sockets count protocols. Of one protocol they see only what comes in.
    fn ethernet(self) -> u16 {
        match self {
            Self::V4 => 0x0800,
            Self::V6 => 0x86dd,
        }
    }

    /// Who a packet is for, if it is a datagram.
    fn receiver(self, packet: &[u8]) -> Option<IpAddr> {
        match self {
            _ if packet.len() < self.headers() => None,
            Self::V4 if packet[9] == UDP => {
                Some(Ipv4Addr::from(<[u8; 4]>::try_from(&packet[16..20]).unwrap()).into())
            }
            Self::V6 if packet[6] == UDP => {
                Some(Ipv6Addr::from(<[u8; 16]>::try_from(&packet[24..40]).unwrap()).into())
            }
            _ => None,
        }
    }
}

impl Spoofer {
    /// Speaks to the relay from the far end.
    pub fn over(cable: &Cable, v4: SocketAddr, v6: SocketAddr) -> Self {
        let raw = |domain| {
            let socket = cable.over_there(|| Socket::new(domain, Type::RAW, Some(Protocol::from(RAW))));
            socket.expect("a raw socket, which takes root")
        };
        let SocketAddr::V4(to) = v4 else { panic!("{v4}") };
        // Of a raw socket's destination only the host counts.
        let host = |address: SocketAddr| SocketAddr::from((address.ip(), 0)).into();
        Self {
            v4: (raw(Domain::IPV4), to, host(v4)),
            v6: (raw(Domain::IPV6), v6, host(v6)),
            packet: Vec::new(),
        }
    }

    /// Sends one datagram; returns its IP bytes.
    pub fn say(&mut self, from: SocketAddr, text: &[u8]) -> u64 {
        let SocketAddr::V4(from) = from else {
            let (socket, to, destination) = &self.v6;
            let packet = ipv6_packet(from, *to, text);
            socket.send_to(&packet, destination).expect("a forged packet is sent");
            return packet.len() as u64;
        };
        // The kernel fills in the length and the checksum of the header; one of 0 means that UDP has none.
        let (socket, to, destination) = &self.v4;
        self.packet.clear();
        self.packet.extend([0x45, 0, 0, 0, 0, 0, 0, 0, 64, UDP, 0, 0]);
        self.packet.extend(from.ip().octets().into_iter().chain(to.ip().octets()));
        for word in [from.port(), to.port(), 8 + text.len() as u16, 0] {
            self.packet.extend(word.to_be_bytes());
        }
        self.packet.extend(text);
        socket.send_to(&self.packet, destination).expect("a forged packet is sent");
        self.packet.len() as u64
    }
}

impl Sniffer {
    /// At the far end.
    pub fn over(cable: &Cable, family: Family) -> Self {
        let protocol = Protocol::from(i32::from(family.ethernet().to_be()));
        let socket = cable.over_there(|| Socket::new(Domain::PACKET, Type::DGRAM, Some(protocol)));
        let socket = socket.expect("a packet socket, which takes root");
        setsockopt(&socket, RcvBufForce, &ROOM).expect("a large receive buffer, which takes root");
        socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        Self { socket, family }
    }

    /// Books what has arrived, until nothing has for a while.
    pub fn book(&mut self, ledger: &mut Ledger, mark: &[u8]) {
        let mut packet = [0; MTU];
        while let Ok(len) = self.socket.read(&mut packet) {
            let packet = &packet[..len];
            let Some(receiver) = self.family.receiver(packet) else { continue };
            let account = ledger.0.entry(receiver).or_default();
            account.bytes += len as u64;
            account.datagrams += 1;
            if packet[self.family.headers()..].starts_with(mark) {
                account.payloads += len as u64;
            }
        }
    }

    /// Asserts that the kernel has kept nothing from it.
    #[track_caller]
    pub fn assert_has_seen_all(&self) {
        let memory = net::SocketMemory::of(self.socket.as_raw_fd()).expect("what the kernel says of it");
        assert_eq!(memory.drops, 0, "the sniffer was too slow: the ledger is not whole");
    }
}

impl Ledger {
    /// The sum of something over all accounts.
    pub fn sum(&self, of: impl Fn(&Account) -> u64) -> u64 {
        self.0.values().map(of).sum()
    }
}
