//! ICMP that nobody's network has sent: a hint at most, and nobody's end.

use std::net::SocketAddr;

use super::cast::Cast;
use super::link::counted;
use super::{SIZES, cell, nothing, rounds};
use crate::support::{Cable, FAR, eventually, unreachable};

/// Codes of unreachable destinations.
const HOST: u8 = 1;
const PORT: u8 = 3;
const FRAGMENTATION_NEEDED: u8 = 4;
/// What a route is said to carry: the least that Linux believes is 552.
const SMALL: u16 = 552;

/// Says this of every member, again and again while everybody speaks.
fn slander(cable: &Cable, cast: &mut Cast, code: u8) {
    let (relay, far) = (cast.relay.address(), FAR.parse().unwrap());
    for _ in 0..10 {
        let members: Vec<SocketAddr> = cast.members.iter().map(|member| member.client().address()).collect();
        cable
            .over_there(|| members.iter().for_each(|member| unreachable(far, (code, SMALL), relay, *member)));
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
