//! The largest segment that the route to a destination carries, remembered for a while.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::AsRawFd;
use std::time::Instant;

use nix::libc;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};

use crate::hash;
use crate::socket::get_option;

/// Sets of four, so that ten thousand members of one group have room: 768 KB.
const SETS: usize = 16_384;
const WAYS: usize = 4;
/// How long an answer is believed. A route that changes earlier costs one refused send, which is replayed.
const SECONDS: u32 = 10;
/// How long a question that the kernel did not answer is left alone; a passing error must cost little.
const SECONDS_UNANSWERED: u32 = 1;
/// IP and UDP headers.
const OVERHEAD_V4: u32 = 28;
const OVERHEAD_V6: u32 = 48;

#[derive(Clone, Copy, Default)]
struct Route {
    /// The upper half of the destination's hash, never 0 in an entry that is in use.
    tag: u32,
    /// Bytes of the largest segment; 0 where only plain sends go.
    segment: u32,
    /// In seconds since the table was made.
    expires: u32,
}

/// Destination -> largest segment.
pub(crate) struct Routes {
    table: Box<[[Route; WAYS]]>,
    /// By family, opened at once: how many descriptors a relay has does not depend on what it is sent.
    scouts: [Option<Socket>; 2],
    started: Instant,
    /// Read at most once per turn, and only in turns that ask.
    now: Option<u32>,
}

impl Routes {
    pub(crate) fn new() -> Routes {
        Routes {
            table: vec![[Route::default(); WAYS]; SETS].into(),
            scouts: [Domain::IPV4, Domain::IPV6].map(|family| scout(family).ok()),
            started: Instant::now(),
            now: None,
        }
    }

    /// Bytes of the largest segment to this destination; 0 where only plain sends go.
    pub(crate) fn segment(&mut self, to: SocketAddr) -> u32 {
        let now = self.now();
        let (set, tag) = place(to.ip());
        if let Some(route) = self.table[set].iter().find(|route| route.tag == tag && route.expires > now) {
            return route.segment;
        }
        let (segment, seconds) = match self.learn(to) {
            Ok(segment) => (segment, SECONDS),
            Err(_) => (0, SECONDS_UNANSWERED),
        };
        self.remember(set, Route { tag, segment, expires: now + seconds });
        segment
    }

    /// Sends plainly to this destination for a while.
    pub(crate) fn distrust(&mut self, ip: IpAddr) {
        let expires = self.now() + SECONDS;
        let (set, tag) = place(ip);
        self.remember(set, Route { tag, segment: 0, expires });
    }

    /// The clock is read again when it is next needed.
    pub(crate) fn end_turn(&mut self) {
        self.now = None;
    }

    fn now(&mut self) -> u32 {
        let started = self.started;
        // Counted from 1: an empty entry has expired.
        *self.now.get_or_insert_with(|| started.elapsed().as_secs() as u32 + 1)
    }

    /// In place of the same destination, or of what expires first.
    fn remember(&mut self, set: usize, route: Route) {
        let ways = &mut self.table[set];
        let same = ways.iter().position(|old| old.tag == route.tag);
        let oldest = || (0..WAYS).min_by_key(|&way| ways[way].expires);
        let way = same.or_else(oldest).unwrap_or(0);
        ways[way] = route;
    }

    /// Asks the kernel. Connecting a UDP socket looks the route up and sends nothing.
    fn learn(&mut self, to: SocketAddr) -> io::Result<u32> {
        let scout = match &mut self.scouts[usize::from(to.is_ipv6())] {
            Some(scout) => scout,
            none => none.insert(scout(Domain::for_address(to))?),
        };
        disconnect(scout)?;
        scout.connect(&SockAddr::from(to))?;
        let (level, name, overhead) = match to {
            SocketAddr::V4(_) => (libc::IPPROTO_IP, libc::IP_MTU, OVERHEAD_V4),
            SocketAddr::V6(_) => (libc::IPPROTO_IPV6, libc::IPV6_MTU, OVERHEAD_V6),
        };
        let mtu: i32 = get_option(scout.as_raw_fd(), level, name)?;
        Ok((mtu.max(0) as u32).saturating_sub(overhead))
    }
}

fn scout(family: Domain) -> io::Result<Socket> {
    Socket::new(family, Type::DGRAM, Some(Protocol::UDP))
}

/// Lets go of the source address and the interface of the route that was asked about before: the next one may
/// have others. (A new socket for each question takes 14 us in place of 5.)
fn disconnect(socket: &Socket) -> io::Result<()> {
    let nobody = libc::sockaddr { sa_family: libc::AF_UNSPEC as libc::sa_family_t, sa_data: [0; 14] };
    // SAFETY: the kernel reads an address of this length, which outlives the call.
    let result = unsafe {
        libc::connect(socket.as_raw_fd(), &raw const nobody, size_of_val(&nobody) as libc::socklen_t)
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn place(ip: IpAddr) -> (usize, u32) {
    let hash = hash::of_ip(ip);
    (hash as usize % SETS, (hash >> 32) as u32 | 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_carries_large_segments() {
        let mut routes = Routes::new();
        assert!(routes.segment("127.0.0.1:9".parse().unwrap()) >= 4096);
        assert!(routes.segment("[::1]:9".parse().unwrap()) >= 4096);
    }

    #[test]
    fn no_question_takes_one_more_descriptor() {
        let mut routes = Routes::new();
        let of =
            |routes: &Routes| routes.scouts.each_ref().map(|scout| scout.as_ref().map(AsRawFd::as_raw_fd));
        let before = of(&routes);
        assert!(before.iter().all(Option::is_some));
        routes.segment("127.0.0.1:9".parse().unwrap());
        routes.segment("[::1]:9".parse().unwrap());
        assert_eq!(of(&routes), before);
    }

    #[test]
    fn distrust_wears_off() {
        let mut routes = Routes::new();
        let to: SocketAddr = "127.0.0.1:9".parse().unwrap();
        routes.distrust(to.ip());
        assert_eq!(routes.segment(to), 0);
        routes.now = Some(routes.now() + SECONDS);
        assert!(routes.segment(to) > 0);
    }

    #[test]
    fn an_error_is_soon_asked_about_again() {
        let mut routes = Routes::new();
        // Connecting to a broadcast address takes SO_BROADCAST.
        let to: SocketAddr = "255.255.255.255:9".parse().unwrap();
        assert_eq!(routes.segment(to), 0);
        let (set, tag) = place(to.ip());
        let route = *routes.table[set].iter().find(|route| route.tag == tag).unwrap();
        assert_eq!(route.expires, routes.now() + SECONDS_UNANSWERED);
    }

    #[test]
    fn ten_thousand_destinations_fit() {
        let mut routes = Routes::new();
        let all: Vec<IpAddr> =
            (0..10_000_u32).map(|n| IpAddr::from((0x0a00_0000 + n).to_be_bytes())).collect();
        all.iter().for_each(|&ip| routes.distrust(ip));
        let known = all.iter().filter(|&&ip| {
            let (set, tag) = place(ip);
            routes.table[set].iter().any(|route| route.tag == tag)
        });
        assert!(known.count() > 9_900);
    }
}
