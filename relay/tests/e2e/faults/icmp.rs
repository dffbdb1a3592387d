//! ICMP that nobody's network has sent: a hint at most, and nobody's end.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use socket2::{Domain, Protocol, Socket, Type};

use super::cast::Cast;
use super::link::counted;
use super::{SIZES, cell, nothing, rounds};
use crate::support::{Cable, FAR, eventually};

const ICMP: u8 = 1;
const UDP: u8 = 17;
const UNREACHABLE: u8 = 3;
/// Codes of [`UNREACHABLE`].
const HOST: u8 = 1;
const PORT: u8 = 3;
const FRAGMENTATION_NEEDED: u8 = 4;
/// What a route is said to carry: the least that Linux believes is 552.
const SMALL: u16 = 552;

/// An ICMP message from the far end: what the relay sent from there to here cannot arrive, it says.
fn forge(code: u8, relay: SocketAddr, member: SocketAddr) {
    let (SocketAddr::V4(relay), SocketAddr::V4(member)) = (relay, member) else {
        panic!("these cells speak IPv4")
    };
    let quoted_udp = [relay.port(), member.port(), 8 + 100, 0].map(u16::to_be_bytes).concat();
    let quoted = [header(UDP, 20 + 8 + 100, *relay.ip(), *member.ip()), quoted_udp].concat();
    let mut message = vec![UNREACHABLE, code, 0, 0, 0, 0];
    message.extend(SMALL.to_be_bytes());
    message.extend(quoted);
    let checksum = checksum(&message);
    message[2..4].copy_from_slice(&checksum.to_be_bytes());
    let far: Ipv4Addr = FAR.parse().unwrap();
    let packet = [header(ICMP, 20 + message.len() as u16, far, *relay.ip()), message].concat();
    // A socket of this protocol sends packets with whatever header they have.
    let raw = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(255)))
        .expect("a raw socket, which takes root");
    let to = SocketAddr::V4(SocketAddrV4::new(*relay.ip(), 0));
    raw.send_to(&packet, &to.into()).expect("a forged packet is sent");
}

fn header(protocol: u8, len: u16, from: Ipv4Addr, to: Ipv4Addr) -> Vec<u8> {
    let [high, low] = len.to_be_bytes();
    let mut header = vec![0x45, 0, high, low, 0, 0, 0, 0, 64, protocol, 0, 0];
    header.extend(from.octets().into_iter().chain(to.octets()));
    let checksum = checksum(&header);
    header[10..12].copy_from_slice(&checksum.to_be_bytes());
    header
}

/// The internet checksum.
fn checksum(bytes: &[u8]) -> u16 {
    let word = |pair: &[u8]| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0));
    let mut sum: u32 = bytes.chunks(2).map(word).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// Says this of every member, again and again while everybody speaks.
fn slander(cable: &Cable, cast: &mut Cast, code: u8) {
    let relay = cast.relay.address();
    for _ in 0..10 {
        let members: Vec<SocketAddr> = cast.members.iter().map(|member| member.client().address()).collect();
        cable.over_there(|| members.iter().for_each(|member| forge(code, relay, *member)));
        cast.speak(rounds() / 10, &SIZES);
    }
}

#[test]
fn forged_unreachables() {
    for (code, name) in [(PORT, "forged ICMP port unreachable"), (HOST, "forged ICMP host unreachable")] {
        let story = |cable: &Cable, cast: &mut Cast| {
            slander(cable, cast, code);
            let all = 10.0 * cast.members.len() as f64;
            eventually("all forgeries are counted", || {
                (cast.relay.metric("relay_icmp_errors_total", "") == all).then_some(())
            });
        };
        cell(name, story, nothing, |figures| assert!(figures.nothing_missing(), "{figures:?}"));
    }
}

/// Believed by the kernel, which then sends in fragments; nothing is lost for it.
#[test]
fn forged_small_routes() {
    let story = |cable: &Cable, cast: &mut Cast| {
        slander(cable, cast, FRAGMENTATION_NEEDED);
        // The kernel has believed it.
        eventually("the relay's datagrams are sent in fragments", || {
            (counted("Ip", "FragOKs") > 0).then_some(())
        });
    };
    cell("forged ICMP fragmentation needed (MTU 552)", story, nothing, |figures| {
        assert!(figures.nothing_missing(), "{figures:?}");
    });
}
