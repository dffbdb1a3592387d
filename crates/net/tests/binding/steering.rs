//! Flows spread evenly over the shards, by their source alone.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::time::Duration;

use net::{Driver, DriverConfig, Home, Mmsg, SocketOptions, Steering, bind};
use nix::libc;
use socket2::{Domain, Protocol, Socket, Type};

use crate::forbid::{Call, forbid};

const FLOWS: usize = 2000;

/// Drivers of all shards of some addresses.
struct Shards {
    drivers: Vec<Mmsg>,
    addresses: Vec<SocketAddr>,
    home: Home,
}

impl Shards {
    fn on(addresses: &[&str], shards: usize) -> Shards {
        let addresses: Vec<SocketAddr> = addresses.iter().map(|text| text.parse().unwrap()).collect();
        let binding = bind(&addresses, shards, SocketOptions::default()).unwrap();
        let Steering::BySource(home) = binding.steering else { panic!("{:?}", binding.steering) };
        let config = DriverConfig::default();
        let drivers =
            binding.shards.into_iter().map(|sockets| Mmsg::new(sockets, &config).unwrap()).collect();
        Shards { drivers, addresses: binding.addresses, home }
    }

    /// Which shard every source reached. Loopback delivers before a send returns, so nothing is waited for.
    fn drain(&mut self) -> Vec<(usize, SocketAddr)> {
        let mut reached = Vec::new();
        for (shard, driver) in self.drivers.iter_mut().enumerate() {
            loop {
                let mut arrivals = Vec::new();
                driver.exchange(&mut arrivals, Some(Duration::ZERO)).unwrap();
                if arrivals.is_empty() {
                    break;
                }
                reached.extend(arrivals.iter().map(|arrival| (shard, arrival.source)));
                arrivals.iter().for_each(|arrival| driver.release(arrival.buffer));
            }
        }
        reached
    }

    fn assert_even(&mut self, kind: &str) {
        let mut counts = vec![0; self.drivers.len()];
        self.drain().into_iter().for_each(|(shard, _)| counts[shard] += 1);
        let (sum, share) = (counts.iter().sum::<usize>(), FLOWS / counts.len());
        assert_eq!(sum, FLOWS);
        // Chance alone is off by a tenth in one run of thirty.
        assert!(counts.iter().all(|&count| count.abs_diff(share) <= share / 5), "{kind}: {counts:?}");
    }
}

/// Sends one datagram from a source that exists only for that; false if it is taken.
fn send_from(source: SocketAddr, to: SocketAddr) -> bool {
    UdpSocket::bind(source).map(|socket| socket.send_to(b"x", to).unwrap()).is_ok()
}

#[test]
fn sequential_addresses_spread_evenly() {
    for shards in [2, 4] {
        let mut all = Shards::on(&["127.0.0.1:0"], shards);
        for flow in 0..FLOWS {
            let ip = Ipv4Addr::from(0x7f0a_0000 + flow as u32);
            assert!(send_from(SocketAddr::from((ip, 20_000)), all.addresses[0]));
        }
        all.assert_even("addresses");
    }
}

#[test]
fn sequential_ports_spread_evenly() {
    for (own, client) in
        [("127.0.0.1:0", IpAddr::from([127, 20, 0, 1])), ("[::1]:0", Ipv6Addr::LOCALHOST.into())]
    {
        for shards in [2, 4] {
            let mut all = Shards::on(&[own], shards);
            let to = all.addresses[0];
            // Ports that somebody else has are left out.
            let sent = (10_000..30_000).filter(|&port| send_from(SocketAddr::new(client, port), to));
            assert_eq!(sent.take(FLOWS).count(), FLOWS);
            all.assert_even("ports");
        }
    }
}

/// Who knew the hash could choose flows that all reach one shard.
#[test]
fn nobody_can_tell_which_shard_a_flow_will_reach() {
    let flows: Vec<SocketAddr> = (0..64).map(|flow| SocketAddr::from(([127, 40, 0, flow], 20_000))).collect();
    let reached = || {
        let mut all = Shards::on(&["127.0.0.1:0"], 2);
        assert!(flows.iter().all(|&flow| send_from(flow, all.addresses[0])));
        let mut reached = all.drain();
        reached.sort_by_key(|(_, source)| *source);
        assert_eq!(reached.len(), flows.len());
        reached
    };
    assert_ne!(reached(), reached(), "this happens by chance once in 2^64 runs");
}

#[test]
fn a_client_reaches_one_shard_by_every_address() {
    let mut all = Shards::on(&["0.0.0.0:0", "[::]:0"], 4);
    let port = all.addresses[0].port();
    let mut reached: HashMap<SocketAddr, Vec<usize>> = HashMap::new();
    for flow in 0..200_u32 {
        let client = UdpSocket::bind((Ipv4Addr::from(0x7f1e_0000 + flow), 0)).unwrap();
        for local in [[127, 0, 0, 1], [127, 0, 0, 2], [127, 7, 7, 7]] {
            client.send_to(b"x", SocketAddr::from((local, port))).unwrap();
        }
        // A longer IP header moves the ports.
        set_ip_options(&client, &[1; 8]);
        client.send_to(b"x", SocketAddr::from(([127, 0, 0, 1], port))).unwrap();
        for (shard, source) in all.drain() {
            assert_eq!(source, client.local_addr().unwrap());
            reached.entry(source).or_default().push(shard);
        }
    }
    assert_eq!(reached.len(), 200);
    assert!(
        reached.iter().all(|(client, shards)| shards[0] == all.home.of(*client)),
        "it is the one that is told"
    );
    for (client, shards) in reached {
        assert!(shards.len() == 4 && shards.iter().all(|&shard| shard == shards[0]), "{client}: {shards:?}");
    }
}

#[test]
fn ipv6_extension_headers_do_not_move_a_client() {
    let mut all = Shards::on(&["[::]:0"], 4);
    let to = SocketAddr::from((Ipv6Addr::LOCALHOST, all.addresses[0].port()));
    let mut reached: HashMap<SocketAddr, Vec<usize>> = HashMap::new();
    // All open at once: the port of a closed one may be given out again.
    let clients: Vec<UdpSocket> =
        (0..200).map(|_| UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).unwrap()).collect();
    for client in &clients {
        client.send_to(b"x", to).unwrap();
        // Padding of 4 bytes in destination options, then in hop-by-hop options in front of them.
        for name in [libc::IPV6_DSTOPTS, libc::IPV6_HOPOPTS] {
            set_option(client, libc::IPPROTO_IPV6, name, &[0, 0, 1, 4, 0, 0, 0, 0]);
            client.send_to(b"x", to).unwrap();
        }
        for (shard, source) in all.drain() {
            reached.entry(source).or_default().push(shard);
        }
    }
    assert_eq!(reached.len(), 200);
    for (client, shards) in reached {
        assert!(shards.len() == 3 && shards.iter().all(|&shard| shard == shards[0]), "{client}: {shards:?}");
    }
}

/// Those that a socket cannot send: of a datagram that is its only fragment, with whatever bits nobody looks at.
#[test]
fn a_client_of_ipv6_reaches_its_home_through_what_the_kernel_leaves_in_front_of_its_port() {
    const OPTIONS: [u8; 8] = [0, 0, 1, 4, 0, 0, 0, 0];
    const ALONE: [u8; 8] = [0, 0xff, 0, 0, 1, 2, 3, 4];
    let (fragment, options) = (libc::IPPROTO_FRAGMENT, libc::IPPROTO_DSTOPTS);
    let headers: [&[(i32, [u8; 8])]; 4] = [
        &[],
        &[(fragment, ALONE)],
        &[(options, OPTIONS), (fragment, ALONE)],
        &[(fragment, ALONE), (options, OPTIONS), (options, OPTIONS)],
    ];
    for shards in [2, 3] {
        let mut all = Shards::on(&["[::1]:0"], shards);
        for flow in 0..200_u16 {
            let ip = Ipv6Addr::new(0x2001, 0xdb8, flow, 7, 0xabcd, flow * 3, 0, flow);
            let source = SocketAddr::from((ip, 1000 + flow * 7));
            headers.iter().for_each(|headers| forge(source, all.addresses[0], headers));
            let reached = all.drain();
            assert!(reached.iter().all(|reached| *reached == (all.home.of(source), source)), "{reached:?}");
            assert_eq!(reached.len(), headers.len());
        }
    }
}

/// Sends a datagram of IPv6 from anywhere, behind these headers; takes root.
fn forge(source: SocketAddr, to: SocketAddr, headers: &[(i32, [u8; 8])]) {
    let (IpAddr::V6(from), IpAddr::V6(host)) = (source.ip(), to.ip()) else { panic!("{source} {to}") };
    let addresses = [from.octets(), host.octets()].concat();
    let mut udp = [source.port(), to.port(), 8, 0].map(u16::to_be_bytes).concat();
    let pseudo = [&addresses[..], &[0, 0, 0, 8, 0, 0, 0, libc::IPPROTO_UDP as u8], &udp].concat();
    let sum: u32 = pseudo.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1])).sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    udp[6..].copy_from_slice(&(!((folded & 0xffff) + (folded >> 16)) as u16).to_be_bytes());
    let kinds = headers.iter().map(|(kind, _)| *kind as u8).chain([libc::IPPROTO_UDP as u8]);
    let kinds: Vec<u8> = kinds.collect();
    let mut packet = vec![0x60, 0, 0, 0, 0, (headers.len() * 8 + udp.len()) as u8, kinds[0], 64];
    packet.extend(addresses);
    for ((_, header), next) in headers.iter().zip(&kinds[1..]) {
        packet.push(*next);
        packet.extend(&header[1..]);
    }
    packet.extend(udp);
    let socket = Socket::new(Domain::IPV6, Type::RAW, Some(Protocol::from(libc::IPPROTO_RAW))).unwrap();
    socket.send_to(&packet, &SocketAddr::new(to.ip(), 0).into()).unwrap();
}

fn set_ip_options(socket: &UdpSocket, options: &[u8]) {
    set_option(socket, libc::IPPROTO_IP, libc::IP_OPTIONS, options);
}

fn set_option(socket: &UdpSocket, level: i32, name: i32, value: &[u8]) {
    // SAFETY: the value outlives the call, and its length is right.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            name,
            value.as_ptr().cast(),
            value.len() as libc::socklen_t,
        )
    };
    assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
}

#[test]
fn a_refused_filter_is_a_fact_and_no_failure() {
    let refused = std::thread::spawn(|| {
        let option = libc::SO_ATTACH_REUSEPORT_CBPF as u32;
        forbid(&Call { number: libc::SYS_setsockopt, argument: Some((2, option)) }, libc::EPERM);
        bind(&["127.0.0.1:0".parse().unwrap()], 2, SocketOptions::default()).unwrap()
    });
    let binding = refused.join().unwrap();
    let Steering::ByKernel(error) = &binding.steering else { panic!("{:?}", binding.steering) };
    assert_eq!((error.raw_os_error(), binding.shards.len()), (Some(libc::EPERM), 2));
}
