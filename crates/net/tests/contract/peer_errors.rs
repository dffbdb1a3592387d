//! An error that comes back from one peer costs nobody a datagram, whoever is told of it.

use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use net::{DriverConfig, Run, SocketIndex};

use crate::candidate::{
    Candidate, echo_of, flush, receive, release_all, reporting_on, reporting_socket, run_of, until,
};
use crate::forge::forge_icmp;
use crate::namespace::{Cable, FAR, NEAR};
use crate::peer::Peer;

crate::contract![
    a_dead_port_costs_the_living_nothing,
    a_dead_port_costs_segmented_sends_nothing,
    a_dead_port_costs_sends_above_the_mtu_nothing,
    a_dead_port_costs_nothing_over_ipv6,
    a_forged_error_is_counted_and_nothing_else,
    forged_errors_break_no_receive,
    a_flood_of_forged_errors_costs_nothing,
    an_error_that_nobody_read_ends_no_wait_twice,
    errors_take_no_room_from_datagrams,
];

/// Type and code of what an ICMP message may say: unreachable (network, host, protocol, port, source route,
/// administratively), time exceeded, and parameter problem.
const ERRORS: [(u8, u8); 8] = [(3, 0), (3, 1), (3, 2), (3, 3), (3, 5), (3, 13), (11, 0), (12, 0)];

/// Rounds of runs of so many datagrams of this size, to dead ports and to living ones between them.
fn among_the_dead<C: Candidate>(from: &str, to: &'static str, count: u32, size: usize) {
    let from = from.to_owned();
    Cable::lay(move |cable| {
        let (mut driver, _) = reporting_on::<C>(&from);
        let living: Vec<Peer> = cable.in_reach_of(to, || (0..4).map(|_| Peer::on(to)).collect());
        // Ports that nobody has had.
        let dead: Vec<SocketAddr> =
            (1..5).map(|port| SocketAddr::new(living[0].address.ip(), port)).collect();
        let mut number = 0_u32;
        for round in 0..50 {
            let texts: Vec<Vec<u8>> = (number..number + count)
                .map(|number| number.to_be_bytes().into_iter().cycle().take(size).collect())
                .collect();
            let texts: Vec<&[u8]> = texts.iter().map(|text| &text[..]).collect();
            let list = run_of(&mut driver, dead[0], &texts);
            for (living, &dead) in living.iter().zip(&dead) {
                driver.send(&Run { to: dead, ..list }).unwrap();
                driver.send(&Run { to: living.address, ..list }).unwrap();
            }
            number += count;
            if round % 3 == 0 {
                flush(&mut driver);
            }
        }
        flush(&mut driver);
        for peer in &living {
            for expected in 0..number {
                let text = peer.receive();
                assert_eq!((text.len(), text.first_chunk()), (size, Some(&expected.to_be_bytes())));
            }
        }
        assert_eq!((driver.report().datagrams, driver.report().failed()), (8 * u64::from(number), 0));
        assert!(driver.stats().peer_errors > 0);
        assert_eq!((driver.stats().receive_errors, driver.report().returned), (0, 0));
    });
}

fn a_dead_port_costs_the_living_nothing<C: Candidate>() {
    among_the_dead::<C>("127.0.0.1:0", "127.0.0.1:0", 1, 100);
    among_the_dead::<C>(&format!("{NEAR}:0"), "10.9.0.2:0", 1, 100);
    among_the_dead::<C>("0.0.0.0:0", "10.9.0.2:0", 1, 100);
}

fn a_dead_port_costs_segmented_sends_nothing<C: Candidate>() {
    among_the_dead::<C>("127.0.0.1:0", "127.0.0.1:0", 7, 100);
    among_the_dead::<C>(&format!("{NEAR}:0"), "10.9.0.2:0", 7, 1472);
}

fn a_dead_port_costs_sends_above_the_mtu_nothing<C: Candidate>() {
    among_the_dead::<C>(&format!("{NEAR}:0"), "10.9.0.2:0", 7, 1473);
}

fn a_dead_port_costs_nothing_over_ipv6<C: Candidate>() {
    among_the_dead::<C>("[::1]:0", "[::1]:0", 1, 100);
    among_the_dead::<C>("[::]:0", "[::1]:0", 7, 100);
}

fn a_forged_error_is_counted_and_nothing_else<C: Candidate>() {
    Cable::lay(|_| {
        for (host, kinds) in
            [("127.0.0.1:0", &ERRORS[..]), ("[::1]:0", &[(1, 0), (1, 1), (1, 4), (3, 0), (4, 0)])]
        {
            let (mut driver, relay) = reporting_on::<C>(host);
            let peer = Peer::on(host);
            for (number, &(kind, code)) in (1..).zip(kinds) {
                forge_icmp(relay, peer.address, kind, code);
                let run = run_of(&mut driver, peer.address, &[b"first"]);
                driver.send(&run).unwrap();
                driver.flush();
                assert_eq!(peer.drain(), [b"first"], "{kind} {code}");
                until(|| {
                    flush(&mut driver);
                    driver.stats().peer_errors == number
                });
            }
            let report = driver.report();
            assert!(report.unreached.len() >= kinds.len() - 1, "{:?}", report.unreached);
            assert!(report.unreached.iter().all(|to| *to == peer.address), "whom it was about");
            assert_eq!((report.datagrams, report.failed(), report.returned), (kinds.len() as u64, 0, 0));
        }
    });
}

fn forged_errors_break_no_receive<C: Candidate>() {
    Cable::lay(|_| {
        let (mut driver, relay) = reporting_on::<C>("127.0.0.1:0");
        let peer = Peer::on_loopback();
        for (kind, code) in ERRORS.repeat(3) {
            forge_icmp(relay, peer.address, kind, code);
            flush(&mut driver);
            forge_icmp(relay, peer.address, kind, code);
            peer.send(b"hello", relay);
            let arrivals = receive(&mut driver, 1);
            assert_eq!(driver.bytes(&arrivals[0]), b"hello");
            release_all(&mut driver, &arrivals);
        }
        let stats = driver.stats();
        assert_eq!((stats.peer_errors, stats.receive_errors), (6 * ERRORS.len() as u64, 0));
    });
}

fn a_flood_of_forged_errors_costs_nothing<C: Candidate>() {
    Cable::lay(|cable| {
        let (mut driver, relay) = reporting_on::<C>(&format!("{NEAR}:0"));
        let peer = cable.over_there(|| Peer::on(&format!("{FAR}:0")));
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                for (kind, code) in ERRORS.into_iter().cycle().take(40_000) {
                    forge_icmp(relay, peer.address, kind, code);
                    if done.load(Ordering::Relaxed) {
                        break;
                    }
                }
            });
            let mut number = 0_u32;
            while number < 20_000 {
                (number..number + 20).for_each(|number| peer.send(&number.to_be_bytes(), relay));
                let arrivals = receive(&mut driver, 20);
                for arrival in &arrivals {
                    assert_eq!(driver.bytes(arrival), number.to_be_bytes());
                    number += 1;
                    let run = echo_of(&mut driver, arrival);
                    driver.send(&run).unwrap();
                }
                release_all(&mut driver, &arrivals);
            }
            done.store(true, Ordering::Relaxed);
        });
        flush(&mut driver);
        assert!((0..20_000_u32).all(|number| peer.receive() == number.to_be_bytes()));
        assert_eq!((driver.report().datagrams, driver.report().failed()), (20_000, 0));
        assert!(driver.stats().peer_errors > 100, "{:?}", driver.stats());
    });
}

/// The error is in the queue, and the kernel does not tell it to sends and receives any more.
fn an_error_that_nobody_read_ends_no_wait_twice<C: Candidate>() {
    const WATCHED: Duration = Duration::from_millis(300);
    Cable::lay(|_| {
        let (sockets, relay) = reporting_socket("127.0.0.1:0");
        (0..100).for_each(|_| forge_icmp(relay, "127.0.0.1:9".parse().unwrap(), 3, 3));
        assert_ne!(Peer::error_of(sockets[0].as_raw_fd()), 0);
        assert_eq!(Peer::error_of(sockets[0].as_raw_fd()), 0);
        let mut driver = C::open(sockets, &DriverConfig::default()).unwrap();
        let (started, mut exchanges) = (Instant::now(), 0);
        let used = net::thread_cpu_time();
        while started.elapsed() < WATCHED {
            driver.exchange(&mut Vec::new(), Some(WATCHED / 3)).unwrap();
            exchanges += 1;
        }
        // Neither here nor in the kernel.
        let used = net::thread_cpu_time() - used;
        assert!(exchanges <= 3 + 4 && driver.stats().enters < 50, "{exchanges} {:?}", driver.stats());
        assert!(used < WATCHED / 2, "{used:?}");
        let peer = Peer::on_loopback();
        forge_icmp(relay, peer.address, 3, 3);
        until(|| {
            flush(&mut driver);
            driver.stats().peer_errors == 101
        });
        peer.send(b"hello", relay);
        let arrivals = receive(&mut driver, 1);
        assert_eq!((driver.bytes(&arrivals[0]), arrivals[0].socket), (&b"hello"[..], SocketIndex(0)));
    });
}

/// Errors about sends, while there is always something else to do than to wait.
fn errors_take_no_room_from_datagrams<C: Candidate>() {
    Cable::lay(|_| {
        let (sockets, relay) = reporting_socket("127.0.0.1:0");
        let gauge = sockets[0].gauge();
        let mut driver = C::open(sockets, &DriverConfig::default()).unwrap();
        let (peer, dead) = (Peer::on_loopback(), "127.0.0.1:9".parse().unwrap());
        for number in 0..1000_u32 {
            peer.send(&number.to_be_bytes(), relay);
            let arrivals = receive(&mut driver, 1);
            for to in [dead, peer.address] {
                let run = Run { to, ..echo_of(&mut driver, &arrivals[0]) };
                driver.send(&run).unwrap();
            }
            release_all(&mut driver, &arrivals);
        }
        driver.flush();
        assert!((0..1000_u32).all(|number| peer.receive() == number.to_be_bytes()));
        let queued = gauge.read().unwrap().unwrap().receive_queue;
        assert!(queued < 10_000 && driver.stats().peer_errors > 900, "{queued} bytes, {:?}", driver.stats());
    });
}
