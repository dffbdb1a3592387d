//! Datagrams by the hundred thousand from addresses that nobody has, and a ledger of what is sent to those.

use std::collections::HashMap;
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::Duration;

use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::RcvBufForce;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::support::{Cable, NEAR, ip};

/// A socket of this protocol sends packets with whatever header they have.
const RAW: i32 = 255;
/// IPv4, as packet sockets count protocols. Of one protocol they see only what comes in.
const ETHERNET_IP: u16 = 0x0800;
const UDP: u8 = 17;
/// Bytes of the headers of IPv4 and UDP.
pub const HEADERS: usize = 28;
/// Every packet of a story fits.
const MTU: usize = 1500;

/// Sends from any address.
pub struct Spoofer {
    socket: Socket,
    to: SocketAddrV4,
    destination: SockAddr,
    packet: Vec<u8>,
}

/// What arrived at the other end of the cable, whoever it was for.
pub struct Sniffer(Socket);

/// IP bytes and datagrams for each address.
#[derive(Default)]
pub struct Ledger {
    pub accounts: HashMap<Ipv4Addr, (u64, u64)>,
    /// IP bytes of datagrams that bear the mark of a payload.
    pub payloads: u64,
}

/// Lets the near end answer anybody, and take what anybody sends, through the cable.
pub fn open_up() {
    for name in ["all", "near"] {
        std::fs::write(format!("/proc/sys/net/ipv4/conf/{name}/rp_filter"), "0").unwrap();
    }
    ip("route add default via 10.9.0.2 dev near");
}

impl Spoofer {
    /// Speaks to the relay from the far end.
    pub fn over(cable: &Cable, port: u16) -> Self {
        let socket = cable.over_there(|| Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(RAW))));
        let to = SocketAddrV4::new(NEAR.parse().unwrap(), port);
        let destination = SocketAddr::from((*to.ip(), 0)).into();
        Self { socket: socket.expect("a raw socket, which takes root"), to, destination, packet: Vec::new() }
    }

    /// Sends one datagram; returns its IP bytes. The kernel fills in the length and the checksum of the header; one of 0
    /// means that UDP has none.
    pub fn say(&mut self, from: SocketAddrV4, text: &[u8]) -> u64 {
        self.packet.clear();
        self.packet.extend([0x45, 0, 0, 0, 0, 0, 0, 0, 64, UDP, 0, 0]);
        self.packet.extend(from.ip().octets().into_iter().chain(self.to.ip().octets()));
        for word in [from.port(), self.to.port(), 8 + text.len() as u16, 0] {
            self.packet.extend(word.to_be_bytes());
        }
        self.packet.extend(text);
        self.socket.send_to(&self.packet, &self.destination).expect("a forged packet is sent");
        self.packet.len() as u64
    }
}

impl Sniffer {
    /// At the far end.
    pub fn over(cable: &Cable) -> Self {
        let protocol = Protocol::from(i32::from(ETHERNET_IP.to_be()));
        let socket = cable.over_there(|| Socket::new(Domain::PACKET, Type::DGRAM, Some(protocol)));
        let socket = socket.expect("a packet socket, which takes root");
        setsockopt(&socket, RcvBufForce, &(256 << 20)).expect("a large receive buffer, which takes root");
        socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
        Self(socket)
    }

    /// Books what has arrived, until nothing has for a while.
    pub fn book(&mut self, ledger: &mut Ledger, mark: &[u8]) {
        let mut packet = [0; MTU];
        while let Ok(len) = self.0.read(&mut packet) {
            let to = Ipv4Addr::new(packet[16], packet[17], packet[18], packet[19]);
            if packet[9] != UDP || len < HEADERS {
                continue;
            }
            let account = ledger.accounts.entry(to).or_default();
            *account = (account.0 + len as u64, account.1 + 1);
            if packet[HEADERS..len].starts_with(mark) {
                ledger.payloads += len as u64;
            }
        }
    }
}

impl Ledger {
    /// Datagrams of all accounts.
    pub fn datagrams(&self) -> u64 {
        self.accounts.values().map(|(_, datagrams)| datagrams).sum()
    }
}
