//! Forged creates and joins at the ceilings: memory stays where it was.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::{Duration, Instant};

use super::spoof::{Spoofer, open_up};
use crate::support::{Backend, Cable, Client, NEAR, Relay, RelayOptions, eventually};

/// Ten minutes by `cargo xtask test --long`, which sets `RELAY_LONG`.
const LONG: Duration = Duration::from_secs(600);
/// Datagrams of one round, from addresses all over a /8, so that no prefix is limited.
const ROUND: u32 = 20_000;

fn resident(relay: &Relay) -> f64 {
    relay.metric("process_resident_memory_bytes", "")
}

fn round(spoofer: &mut Spoofer, relay: &Relay, id: &str, number: u32) {
    let join = format!("!JOIN {id}");
    let before = taken(relay);
    for at in 0..ROUND {
        let host = (number * ROUND + at).wrapping_mul(0x9E37_79B1) >> 9;
        let source = SocketAddrV4::new(Ipv4Addr::from((20 << 24) + (host << 1)), 9009);
        let text = if at % 2 == 0 { "!CREATE" } else { join.as_str() };
        spoofer.say(source.into(), text.as_bytes());
    }
    eventually("the relay has taken the round", || (taken(relay) - before >= f64::from(ROUND)).then_some(()));
}

/// Datagrams that have come to an end, in the relay or before it.
fn taken(relay: &Relay) -> f64 {
    relay.metric("relay_received_packets_total", "") + relay.metric("relay_kernel_receive_dropped_total", "")
}

#[test]
fn a_flood_of_creates_and_joins_at_the_ceilings_costs_no_more_memory() {
    Cable::lay(|cable| {
        open_up(cable);
        let flags = [
            "--host",
            NEAR,
            "--host",
            "127.0.0.1",
            "--max-clients",
            "8192",
            "--max-unjoined-groups",
            "8192",
            "--cap",
            "none",
            "--max-groups-per-client",
            "100",
        ];
        let relay = RelayOptions::new(Backend::Mmsg).with(flags).start();
        let local = relay.addresses[1];
        let id = Client::to(local).create();
        let members = [(); 2].map(|()| Client::member(local, &id));
        let v6 = SocketAddr::new("fd09::1".parse().unwrap(), relay.addresses[0].port());
        let mut spoofer = Spoofer::over(cable, relay.addresses[0], v6);
        let is_long = std::env::var_os("RELAY_LONG").is_some();
        let (mut rounds, warm_up) = (0, if is_long { 40 } else { 12 });
        let mut flood = |spoofer: &mut Spoofer| {
            round(spoofer, &relay, &id, rounds);
            // They are there, and stay.
            members.iter().for_each(|member| assert!(member.ask("!PING").starts_with("PONG")));
            rounds += 1;
            resident(&relay)
        };
        let warm = (0..warm_up).map(|_| flood(&mut spoofer)).fold(0.0, f64::max);
        let (start, mut later) = (Instant::now(), 0.0_f64);
        for number in 0.. {
            later = later.max(flood(&mut spoofer));
            if number >= 4 && !(is_long && start.elapsed() < LONG) {
                break;
            }
        }
        eprintln!("{rounds} rounds: {warm} bytes resident after {warm_up}, at most {later} later");
        assert!(later <= warm * 1.01, "{warm} then {later}");
        assert!(relay.metric("relay_group_events_total", "evict_group") > 2.0 * f64::from(ROUND));
        assert_eq!(relay.metric("relay_unjoined_groups", ""), 8192.0);
    });
}
