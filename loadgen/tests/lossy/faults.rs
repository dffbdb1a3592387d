//! Every fault, alone and together, however datagrams travel and whatever is sent.

use crate::accounts::{WAYS, agree, all_at_once};
use crate::common::relay::{Faults, Truth};

/// Twenty clients in groups of five; everybody says something twenty times a second, and pings.
const LOAD: &str = "--clients 20 --group-size 5 --rate 20 --duration 2s --ramp 200ms --heartbeat 1s";

/// Everything happens.
const ALL: Faults =
    Faults { drop: 0.05, drop_from_present: 0.0, duplicate: 0.05, hold: 0.05, flip: 0.05, pong: 0.3 };

/// On every way; the fault, which the relay counted here, really happened.
fn on_every_way(faults: Faults, happened: impl Fn(&Truth) -> u64 + Sync) {
    all_at_once(&WAYS, |way| {
        let truth = agree(faults, &format!("{LOAD} {way}"));
        assert!(happened(&truth) > 0, "{way}: {truth:?}");
    });
}

#[test]
fn nothing_happens() {
    on_every_way(Faults::default(), |truth| truth.delivered);
}

#[test]
fn copies_are_lost() {
    on_every_way(Faults { drop: 0.1, ..Faults::default() }, |truth| truth.dropped);
}

#[test]
fn copies_arrive_twice() {
    on_every_way(Faults { duplicate: 0.1, ..Faults::default() }, |truth| truth.duplicated);
}

#[test]
fn copies_overtake_each_other() {
    on_every_way(Faults { hold: 0.3, ..Faults::default() }, |truth| truth.reordered);
}

#[test]
fn copies_are_spoiled() {
    on_every_way(Faults { flip: 0.1, ..Faults::default() }, |truth| truth.corrupted);
}

#[test]
fn pongs_are_lost() {
    on_every_way(Faults { pong: 0.5, ..Faults::default() }, |truth| truth.pongs_dropped);
}

#[test]
fn everything_at_once() {
    on_every_way(ALL, |truth| {
        let Truth { dropped, duplicated, reordered, corrupted, pongs_dropped, .. } = *truth;
        [dropped, duplicated, reordered, corrupted, pongs_dropped].into_iter().min().unwrap_or(0)
    });
}

#[test]
fn whatever_is_sent() {
    let loads = [
        "--payload 40",
        "--payload 4096",
        "--payload 40..2000",
        "--payload mix --arrivals poisson",
        "--senders 1 --rate 100",
        "--senders 2 --arrivals poisson --rate 50 --sockets per-client",
        "--groups 3 --gro --backend uring",
        "--groups 3 --gro --backend mmsg",
        "--groups 4 --threads 2",
    ];
    all_at_once(&loads, |load| {
        let own = if load.contains("--groups") { "" } else { "--group-size 5" };
        let rate = if load.contains("--rate") { "" } else { "--rate 20" };
        agree(
            Faults { pong: 0.0, ..ALL },
            &format!("--clients 20 {own} {rate} --duration 2s --ramp 200ms {load}"),
        );
    });
}

#[test]
fn traffic_before_the_measurement_does_not_count() {
    // What is sent before meets the same faults.
    let truth = agree(
        Faults { flip: 0.0, ..ALL },
        "--clients 20 --group-size 5 --rate 20 --warm-up 1s --duration 1s --heartbeat 1s",
    );
    assert!(truth.payloads > 0, "{truth:?}");
}
