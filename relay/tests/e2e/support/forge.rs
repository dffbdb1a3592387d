//! Datagrams with a forged source, which takes root.

use std::net::{IpAddr, SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};

const UDP: u8 = 17;
const HOPS: u8 = 64;
/// A socket of this protocol sends packets with whatever header they have.
const RAW: i32 = 255;

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
        (IpAddr::V6(from), IpAddr::V6(to)) => {
            let mut header = vec![0x60, 0, 0, 0];
            header.extend((udp.len() as u16).to_be_bytes().into_iter().chain([UDP, HOPS]));
            header.extend(from.octets().into_iter().chain(to.octets()));
            [header, udp].concat()
        }
        families => panic!("one packet has one family: {families:?}"),
    };
    let socket = Socket::new(Domain::for_address(to), Type::RAW, Some(Protocol::from(RAW)));
    let socket = socket.expect("a raw socket, which takes root");
    let mut destination = to;
    // Of a raw socket's destination only the host counts.
    destination.set_port(0);
    socket.send_to(&packet, &destination.into()).expect("a forged packet is sent");
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

/// The internet checksum; 0 would mean that there is none.
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
