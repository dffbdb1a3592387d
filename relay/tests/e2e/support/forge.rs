//! Datagrams with a forged source, which takes root.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};

const UDP: u8 = 17;
const HOPS: u8 = 64;
/// A socket of this protocol sends packets with whatever header they have.
const RAW: i32 = 255;

const ICMP: u8 = 1;
/// The type of an ICMP message that says that its destination cannot be reached.
const UNREACHABLE: u8 = 3;

/// Sends one datagram that claims to come from `source`.
pub fn forge(source: SocketAddr, to: SocketAddr, payload: impl AsRef<[u8]>) {
    let udp = udp(source, to, payload.as_ref());
    let packet = match (source.ip(), to.ip()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => {
            // Version and length, service, total length, id, fragment, hops, protocol, checksum; the kernel fills in 0s.
            let mut header = vec![0x45, 0, 0, 0, 0, 0, 0, 0, HOPS, UDP, 0, 0];
            header.extend(from.octets().into_iter().chain(to.octets()));
            [header, udp].concat()
        }
        (IpAddr::V6(_), IpAddr::V6(_)) => ipv6_packet(source, to, payload.as_ref()),
        families => panic!("one packet has one family: {families:?}"),
    };
    send(&packet, to);
}

/// The same by IPv6, with these headers of eight bytes in front of UDP's, each with its kind; which comes next is filled in.
pub fn forge_behind(
    headers: &[(u8, [u8; 8])],
    source: SocketAddr,
    to: SocketAddr,
    payload: impl AsRef<[u8]>,
) {
    let mut packet = ipv6_packet(source, to, payload.as_ref());
    let kinds: Vec<u8> = headers.iter().map(|(kind, _)| *kind).chain([UDP]).collect();
    let with_next =
        |(at, (_, bytes)): (usize, &(u8, [u8; 8]))| [&kinds[at + 1..at + 2], &bytes[1..]].concat();
    packet[6] = kinds[0];
    packet.splice(40..40, headers.iter().enumerate().flat_map(with_next));
    let len = (packet.len() - 40) as u16;
    packet[4..6].copy_from_slice(&len.to_be_bytes());
    send(&packet, to);
}

fn send(packet: &[u8], to: SocketAddr) {
    let socket = Socket::new(Domain::for_address(to), Type::RAW, Some(Protocol::from(RAW)));
    let socket = socket.expect("a raw socket, which takes root");
    let mut destination = to;
    // Of a raw socket's destination only the host counts.
    destination.set_port(0);
    socket.send_to(packet, &destination.into()).expect("a forged packet is sent");
}

/// Sends an ICMP message from this host: what the relay sent to a member cannot arrive, it says, for this reason (a code, and
/// the MTU that a route is said to have).
pub fn unreachable(from: Ipv4Addr, (code, mtu): (u8, u16), relay: SocketAddr, member: SocketAddr) {
    let (SocketAddr::V4(relay), SocketAddr::V4(member)) = (relay, member) else {
        panic!("this is about IPv4")
    };
    let quoted_udp = [relay.port(), member.port(), 8 + 100, 0].map(u16::to_be_bytes).concat();
    let quoted = [header(UDP, 20 + 8 + 100, *relay.ip(), *member.ip()), quoted_udp].concat();
    let mut message = vec![UNREACHABLE, code, 0, 0, 0, 0];
    message.extend(mtu.to_be_bytes());
    message.extend(quoted);
    let checksum = checksum(&message);
    message[2..4].copy_from_slice(&checksum.to_be_bytes());
    let packet = [header(ICMP, 20 + message.len() as u16, from, *relay.ip()), message].concat();
    let raw = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(RAW)));
    let to = SocketAddr::from((*relay.ip(), 0));
    raw.expect("a raw socket, which takes root")
        .send_to(&packet, &to.into())
        .expect("a forged packet is sent");
}

fn header(protocol: u8, len: u16, from: Ipv4Addr, to: Ipv4Addr) -> Vec<u8> {
    let [high, low] = len.to_be_bytes();
    let mut header = vec![0x45, 0, high, low, 0, 0, 0, 0, HOPS, protocol, 0, 0];
    header.extend(from.octets().into_iter().chain(to.octets()));
    let checksum = checksum(&header);
    header[10..12].copy_from_slice(&checksum.to_be_bytes());
    header
}

/// A whole packet of a forged datagram by IPv6.
pub fn ipv6_packet(source: SocketAddr, to: SocketAddr, payload: &[u8]) -> Vec<u8> {
    let udp = udp(source, to, payload);
    let mut packet = vec![0x60, 0, 0, 0];
    packet.extend((udp.len() as u16).to_be_bytes().into_iter().chain([UDP, HOPS]));
    packet.extend(octets(source.ip()).into_iter().chain(octets(to.ip())));
    packet.extend(udp);
    packet
}

fn udp(source: SocketAddr, to: SocketAddr, payload: &[u8]) -> Vec<u8> {
    let len = (8 + payload.len()) as u16;
    let mut udp = [source.port(), to.port(), len, 0].map(u16::to_be_bytes).concat();
    udp.extend_from_slice(payload);
    let checksum = checksum(
        &[octets(source.ip()), octets(to.ip()), vec![0, UDP], len.to_be_bytes().into(), udp.clone()].concat(),
    );
    udp[6..8].copy_from_slice(&checksum.to_be_bytes());
    udp
}

fn octets(ip: IpAddr) -> Vec<u8> {
    match ip {
        IpAddr::V4(ip) => ip.octets().into(),
        IpAddr::V6(ip) => ip.octets().into(),
    }
}

/// The internet checksum; 0 would mean, for UDP, that there is none.
fn checksum(bytes: &[u8]) -> u16 {
    let word = |pair: &[u8]| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0));
    let mut sum: u32 = bytes.chunks(2).map(word).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    match !(sum as u16) {
        0 => 0xffff,
        checksum => checksum,
    }
}
