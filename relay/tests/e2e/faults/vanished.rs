//! Receivers that are not there any more: their process, their address, their cable.

use std::fs;
use std::sync::atomic::{AtomicU64, Ordering};

use super::cast::Cast;
use super::figures::{Figures, Lost};
use super::link::{counted, device_drops, filter};
use super::{SIZES, cell, cell_with, rounds};
use crate::conservation::Books;
use crate::support::{Cable, FAR, NEAR, ip, tc};

/// One of those who are far away.
const LEAVER: usize = 3;

/// Half of it is said, and has arrived.
fn first_half(cast: &mut Cast) {
    cast.speak(rounds() / 2, &SIZES);
    Figures::settled(cast, |_| Lost::default());
}

fn is_far(cast: &Cast, at: usize) -> bool {
    cast.members[at].client().address().ip().to_string() == FAR
}

/// As when a process is killed: its kernel closes its socket, and answers for it.
#[test]
fn a_receiver_whose_process_is_gone() {
    let story = |_: &Cable, cast: &mut Cast| {
        first_half(cast);
        assert!(is_far(cast, LEAVER));
        cast.members[LEAVER].vanish();
        cast.speak(rounds() / 2, &SIZES);
    };
    let lost = |cable: &Cable, _: &Books| Lost {
        after: cable.over_there(|| counted("Udp", "NoPorts")),
        ..Lost::default()
    };
    cell("a receiver's socket is closed (ICMP port unreachable)", story, lost, |figures| {
        assert!(figures.lost.after > 0 && figures.dropped.is_empty(), "{figures:?}");
    });
}

#[test]
fn receivers_whose_address_is_gone() {
    let story = |cable: &Cable, cast: &mut Cast| {
        first_half(cast);
        for at in cast.present() {
            if is_far(cast, at) {
                cast.members[at].vanish();
            }
        }
        cable.over_there(|| {
            // Who forwards says that there is no such network.
            fs::write("/proc/sys/net/ipv4/ip_forward", "1").unwrap();
            ip(&format!("addr del {FAR}/24 dev far"));
        });
        cast.speak(rounds() / 2, &SIZES);
    };
    let lost = |cable: &Cable, _: &Books| Lost {
        after: cable.over_there(|| counted("IpExt", "InNoRoutes")),
        ..Lost::default()
    };
    cell("the address of half of the receivers is gone (ICMP net unreachable)", story, lost, |figures| {
        assert!(figures.lost.after > 0 && figures.dropped.is_empty(), "{figures:?}");
    });
}

/// It is put in again, and everybody is still a member.
#[test]
fn a_cable_that_is_pulled_out() {
    let earlier = AtomicU64::new(0);
    let story = |cable: &Cable, cast: &mut Cast| {
        // With a queue the kernel does not know what becomes of a packet when it answers the relay.
        tc("qdisc add dev near root pfifo limit 10000");
        earlier.store(silenced("near"), Ordering::Relaxed);
        first_half(cast);
        cable.over_there(|| ip("link set far down"));
        // When the kernel has noticed it drops what it is handed at once, and counts several packets that come together as one.
        cast.speak_singly(rounds() / 2, &SIZES);
        cable.over_there(|| {
            ip("link set far up");
            ip(&format!("neigh replace {NEAR} lladdr 02:00:00:00:00:01 dev far nud permanent"));
        });
        cast.all_are_answered("!WHO", "OK WHO ");
        cast.speak(rounds() / 2, &SIZES);
    };
    let lost = |_: &Cable, _: &Books| Lost {
        after: device_drops("near", "tx") - earlier.load(Ordering::Relaxed),
        ..Lost::default()
    };
    // Two processors that share a queue may swap packets.
    cell_with(&["--shards", "1"], "the cable is pulled out and put in again", story, lost, |figures| {
        assert!(figures.lost.after > 0 && figures.dropped.is_empty(), "{figures:?}");
    });
}

/// IPv6 speaks by itself, and has spoken before there was anybody at the other end; from now on it does not. Gives what
/// the device has dropped by then.
fn silenced(device: &str) -> u64 {
    tc(&format!("qdisc add dev {device} clsact"));
    filter(device, "egress", "ipv6", "1,6 0 0 2");
    device_drops(device, "tx")
}

/// What those over there said while nobody was at the other end.
fn unsent(cable: &Cable, earlier: &AtomicU64) -> Lost {
    let dropped = cable.over_there(|| device_drops("far", "tx"));
    Lost { before: dropped - earlier.load(Ordering::Relaxed), ..Lost::default() }
}

/// The relay hears of every copy that finds no route.
#[test]
fn the_relays_own_link_is_down() {
    let earlier = AtomicU64::new(0);
    let story = |cable: &Cable, cast: &mut Cast| {
        earlier.store(cable.over_there(|| silenced("far")), Ordering::Relaxed);
        first_half(cast);
        ip("link set near down");
        cast.speak(rounds() / 2, &SIZES);
        Figures::settled(cast, |_| unsent(cable, &earlier));
        ip("link set near up");
        ip(&format!("neigh replace {FAR} lladdr 02:00:00:00:00:02 dev near nud permanent"));
        cast.all_are_answered("!WHO", "OK WHO ");
        cast.speak(rounds() / 2, &SIZES);
    };
    cell(
        "the relay's link goes down and comes back",
        story,
        |cable, _| unsent(cable, &earlier),
        |figures| {
            assert!(matches!(&figures.dropped[..], [(reason, _)] if reason == "unreachable"), "{figures:?}");
        },
    );
}
