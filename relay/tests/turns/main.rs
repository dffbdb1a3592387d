//! The shard loop, turned by hand: a real engine and fan-out, a driver on paper, a clock that the test moves.

mod coalescing;
mod fairness;
mod far;
mod forms;
mod hall;
mod moving;
mod overload;
mod paper;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use hall::{Hall, assert_conserved, client, text};
use proptest::prelude::*;
use relay::inbox::News;
use relay::limits::{BUFFERS, PUBLISH_EVERY, QUANTUM, TURN_ARRIVALS, TURN_UNITS};

#[test]
fn a_turn_has_a_budget_and_goes_on_where_it_stopped() {
    let mut hall = Hall::open();
    hall.fill(300);
    for number in 0..64 {
        hall.arrive(0, format!("{number:02}"));
    }
    hall.turn();
    let sent = hall.world.borrow().sent.len();
    assert!(sent > 0 && sent <= TURN_UNITS && sent < 299 * 64, "{sent} copies in the first turn");
    hall.arrive(5, "!PING");
    hall.turn();
    hall.turn();
    let pong = hall.world.borrow().sent.iter().skip(sent).position(|(_, bytes)| bytes == b"PONG 60.0");
    let leaving = QUANTUM + net::Run::MAX_DATAGRAMS;
    assert!(
        pong.is_some_and(|at| at <= leaving),
        "a heartbeat waits for what is leaving, and not behind the backlog"
    );
    let mut heard: BTreeMap<SocketAddr, Vec<String>> = BTreeMap::new();
    for (to, bytes) in hall.settle() {
        if bytes.len() == 2 {
            heard.entry(to).or_default().push(text(&bytes).to_owned());
        }
    }
    let all: Vec<String> = (0..64).map(|number| format!("{number:02}")).collect();
    assert_eq!(heard.len(), 299);
    assert!(heard.values().all(|heard| *heard == all), "everyone hears everything in order");
    assert_conserved(&hall.meter.read());
}

#[test]
fn what_waits_is_bounded_and_the_oldest_goes_first() {
    let mut hall = Hall::open();
    hall.fill(2000);
    let payloads = 3 * (BUFFERS / 2);
    for number in 0..payloads {
        hall.arrive(0, format!("{number:04}"));
    }
    let heard = hall.settle();
    let last = format!("{:04}", payloads - 1);
    let of_one: Vec<&str> =
        heard.iter().filter(|(to, _)| *to == client(1)).map(|(_, bytes)| text(bytes)).collect();
    assert!(of_one.is_sorted(), "in order, whatever is missing");
    assert_eq!(of_one.last(), Some(&last.as_str()), "the newest is never the one that is dropped");
    let counters = hall.meter.read();
    assert_eq!(counters.overflowed, 1999 * payloads as u64 - heard.len() as u64);
    assert!(counters.overflowed > 0);
    assert_conserved(&counters);
}

#[test]
fn the_last_members_of_a_large_group_hear_something_however_much_is_said() {
    let mut hall = Hall::open();
    hall.fill(10_000);
    for _ in 0..60 {
        (0..TURN_ARRIVALS).for_each(|_| hall.arrive(0, "x"));
        hall.turn();
    }
    let heard: BTreeSet<SocketAddr> = hall.world.borrow().sent.iter().map(|(to, _)| *to).collect();
    assert_eq!(heard.len(), 9_999);
    hall.settle();
    assert_conserved(&hall.meter.read());
}

#[test]
fn nobody_waits_for_a_large_group() {
    let mut hall = Hall::open();
    hall.fill(10_000);
    hall.arrive(20_000, "!JOIN ANNEX");
    hall.arrive(20_001, "!JOIN ANNEX");
    hall.settle();
    (0..TURN_ARRIVALS).for_each(|_| hall.arrive(0, "x"));
    hall.arrive(20_000, "hello");
    hall.turn();
    hall.turn();
    let heard = hall.world.borrow().sent.iter().any(|(_, bytes)| bytes == b"hello");
    assert!(heard, "the turn that takes it sends it, however much waits for others");
    hall.settle();
    assert_conserved(&hall.meter.read());
}

#[test]
fn news_that_came_with_the_last_wake_up_is_read_before_the_shard_waits() {
    let mut hall = Hall::open();
    hall.settle();
    hall.world.borrow_mut().waits.clear();
    hall.postbox.post(&News { stop: true, ..News::default() });
    hall.turn();
    assert!(hall.world.borrow().waits.is_empty(), "it waited with something to read");
}

#[test]
fn what_has_arrived_is_answered_before_a_shard_stops() {
    let mut hall = Hall::open();
    hall.fill(2);
    hall.postbox.post(&News { stop: true, ..News::default() });
    (0..3 * TURN_ARRIVALS).for_each(|_| hall.arrive(0, "last words"));
    hall.shard.run().unwrap();
    assert_eq!(
        hall.world.borrow().sent.iter().filter(|(_, bytes)| bytes == b"last words").count(),
        3 * TURN_ARRIVALS
    );
    assert_eq!(hall.world.borrow().lent, 0);
    assert_conserved(&hall.meter.read());
}

#[test]
fn nothing_follows_the_answer_to_a_leave() {
    let mut hall = Hall::open();
    hall.fill(3);
    hall.arrive(0, "before");
    hall.arrive(1, "!LEAVE HALL");
    hall.arrive(0, "after");
    let to_leaver: Vec<_> = hall.settle().into_iter().filter(|(to, _)| *to == client(1)).collect();
    let heard: Vec<&str> = to_leaver.iter().map(|(_, bytes)| text(bytes)).collect();
    assert_eq!(heard, ["before", "OK LEFT HALL"]);
}

#[test]
fn one_senders_payloads_keep_their_order_across_a_move() {
    let mut hall = Hall::open();
    hall.fill(3);
    // Another sender lists the annex first, so that its roster is not the later one.
    hall.arrive(3, "!JOIN ANNEX");
    hall.arrive(4, "!JOIN ANNEX");
    hall.settle();
    hall.arrive(3, "x");
    hall.arrive(0, "1");
    hall.arrive(0, "!JOIN ANNEX");
    hall.arrive(1, "!JOIN ANNEX");
    hall.arrive(0, "2");
    let heard: Vec<String> = hall
        .settle()
        .iter()
        .filter(|(to, _)| *to == client(1))
        .map(|(_, bytes)| text(bytes).to_owned())
        .collect();
    assert_eq!(heard, ["1", "OK JOINED ANNEX", "2"]);
}

#[test]
fn order_holds_across_a_move_although_others_wait() {
    let mut hall = Hall::open();
    hall.declare(["HALL", "ANNEX", "CROWD", "OTHER"].into_iter());
    hall.fill(3);
    (100..228).for_each(|number| hall.arrive(number, "!JOIN CROWD"));
    (300..302).for_each(|number| hall.arrive(number, "!JOIN OTHER"));
    hall.settle();
    // More than one share of a turn, for a group that nobody leaves.
    (1..9).for_each(|size| hall.arrive(100, vec![b'x'; size]));
    hall.arrive(0, "1");
    hall.arrive(300, "!LEAVE OTHER");
    hall.arrive(0, "2");
    hall.arrive(1, "!JOIN ANNEX");
    hall.arrive(0, "!JOIN ANNEX");
    hall.arrive(0, "3");
    let sent = hall.settle();
    let heard: Vec<&str> =
        sent.iter().filter(|(to, _)| *to == client(1)).map(|(_, bytes)| text(bytes)).collect();
    assert_eq!(heard, ["1", "2", "OK JOINED ANNEX", "3"]);
}

#[test]
fn who_leaves_another_group_splits_nobodys_messages() {
    let mut hall = Hall::open();
    hall.declare(["HALL", "ANNEX"].into_iter());
    hall.fill(50);
    hall.arrive(100, "!JOIN ANNEX");
    hall.settle();
    hall.world.borrow_mut().messages = 0;
    for _ in 0..10 {
        hall.arrive(0, "hello");
        hall.arrive(100, "!LEAVE ANNEX");
        hall.arrive(100, "!JOIN ANNEX");
    }
    assert_eq!(hall.settle().len(), 49 * 10 + 20);
    assert_eq!(hall.world.borrow().messages, 49 + 20, "one message for each member");
}

#[test]
fn a_refusing_destination_costs_only_its_own_copies() {
    let mut hall = Hall::open();
    hall.fill(10);
    hall.world.borrow_mut().refused.push(client(4));
    for _ in 0..100 {
        hall.arrive(0, "hello");
    }
    assert_eq!(hall.settle().len(), 8 * 100);
    assert_eq!(hall.groups.clients(), 10, "no send error evicts anyone");
    let counters = hall.meter.read();
    assert_eq!(counters.failed.iter().sum::<u64>(), 100);
    assert_conserved(&counters);
}

proptest! {
    #![proptest_config(ProptestConfig { rng_seed: proptest::test_runner::RngSeed::Fixed(2), ..ProptestConfig::default() })]

    /// Whatever arrives in whatever turns: order per sender, never to the sender, nothing lost, every buffer back.
    #[test]
    fn everything_is_delivered_once_and_in_order(
        datagrams in proptest::collection::vec((0u16..12, 0u8..10, 1usize..6, any::<bool>()), 1..300),
    ) {
        let mut hall = Hall::open();
        hall.fill(6);
        let mut numbers = BTreeMap::<u16, u32>::new();
        for (from, kind, size, turn) in datagrams {
            match kind {
                0 => hall.arrive(from, "!JOIN HALL"),
                1 => hall.arrive(from, "!JOIN ANNEX"),
                2 => hall.arrive(from, "!LEAVE HALL"),
                _ => {
                    let number = numbers.entry(from).or_default();
                    *number += 1;
                    hall.arrive(from, format!("{from:02}:{number:05}:{}", "x".repeat(size)));
                }
            }
            if turn {
                hall.turn();
            }
        }
        let mut last = BTreeMap::new();
        for (to, bytes) in hall.settle() {
            let Some((from, number)) = text(&bytes).split_once(':') else { continue };
            prop_assert_ne!(to, client(from.parse().unwrap()));
            let number: u32 = number[..5].parse().unwrap();
            let before = last.insert((to, from.to_owned()), number);
            prop_assert!(before < Some(number), "{} hears {} after {:?}", to, number, before);
        }
        prop_assert_eq!(hall.world.borrow().lent, 0);
        let counters = hall.meter.read();
        prop_assert_eq!(counters.overflowed, 0);
        assert_conserved(&counters);
    }
}

#[test]
fn counters_are_published_soon_after_the_traffic_ends() {
    let mut hall = Hall::open();
    hall.arrive(0, "!JOIN HALL");
    hall.turn();
    hall.world.borrow_mut().now += PUBLISH_EVERY + Duration::from_millis(1);
    hall.turn();
    hall.turn();
    assert_eq!(hall.meter.read().tally.replies, 1);
    assert_conserved(&hall.meter.read());
}

#[test]
fn icmp_errors_are_published_though_nothing_else_happens() {
    let mut hall = Hall::open();
    hall.fill(2);
    for unreached in [vec![], vec![client(0)], vec![]] {
        let mut world = hall.world.borrow_mut();
        world.now += PUBLISH_EVERY + Duration::from_millis(1);
        world.unreached = unreached;
        drop(world);
        hall.turn();
    }
    assert_eq!(hall.meter.read().driver.peer_errors, 1);
}
