//! ICMP errors that nobody's datagram has caused, which takes root.

use std::net::{IpAddr, SocketAddr, SocketAddrV4, SocketAddrV6};

use socket2::{Domain, Protocol, Socket, Type};

const UDP: u8 = 17;

/// Says to who sends from `victim` that what it sent to `quoted` has failed, for this type and code.
pub fn forge_icmp(victim: SocketAddr, quoted: SocketAddr, kind: u8, code: u8) {
    let (protocol, packet) = match (victim, quoted) {
        (SocketAddr::V4(victim), SocketAddr::V4(quoted)) => (Protocol::ICMPV4, packet_v4(victim, quoted)),
        (SocketAddr::V6(victim), SocketAddr::V6(quoted)) => (Protocol::ICMPV6, packet_v6(victim, quoted)),
        families => panic!("one packet has one family: {families:?}"),
    };
    let mut message = [vec![kind, code, 0, 0, 0, 0, 0, 0], packet].concat();
    // Of ICMPv6 the kernel fills in the checksum itself.
    if victim.is_ipv4() {
        let sum = checksum(&message);
        message[2..4].copy_from_slice(&sum.to_be_bytes());
    }
    let socket = Socket::new(Domain::for_address(victim), Type::RAW, Some(protocol)).unwrap();
    let host: IpAddr = victim.ip();
    socket.send_to(&message, &SocketAddr::new(host, 0).into()).unwrap();
}

fn packet_v4(from: SocketAddrV4, to: SocketAddrV4) -> Vec<u8> {
    let mut packet = vec![0x45, 0, 0, 28, 0, 0, 0, 0, 64, UDP, 0, 0];
    packet.extend(from.ip().octets().into_iter().chain(to.ip().octets()));
    let sum = checksum(&packet);
    packet[10..12].copy_from_slice(&sum.to_be_bytes());
    packet.extend([from.port(), to.port(), 8, 0].map(u16::to_be_bytes).concat());
    packet
}

fn packet_v6(from: SocketAddrV6, to: SocketAddrV6) -> Vec<u8> {
    let mut packet = vec![0x60, 0, 0, 0, 0, 8, UDP, 64];
    packet.extend(from.ip().octets().into_iter().chain(to.ip().octets()));
    packet.extend([from.port(), to.port(), 8, 0].map(u16::to_be_bytes).concat());
    packet
}

/// The internet checksum of an even number of bytes.
fn checksum(bytes: &[u8]) -> u16 {
    let mut sum: u32 = bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1])).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}
