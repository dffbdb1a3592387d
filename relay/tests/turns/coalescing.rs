//! Payloads that wait for company, and what must not wait.

use std::sync::Arc;
use std::time::Duration;

use engine::{Cap, Settings, Terms, Tick};
use relay::inbox::News;
use relay::limits::{BUFFERS, HELD_BYTES, PUBLISH_EVERY, TURN_ARRIVALS};

use crate::hall::{Hall, assert_conserved, client, text};

const HOLD: Duration = Duration::from_millis(5);

/// A hall of three in which payloads wait for company.
fn open() -> Hall {
    let mut hall = Hall::coalescing(HOLD);
    hall.fill(3);
    hall.world.borrow_mut().messages = 0;
    hall
}

fn pass(hall: &Hall, time: Duration) {
    hall.world.borrow_mut().now += time;
}

/// What one client has heard since it was last asked.
fn heard(hall: &Hall, number: u16) -> Vec<String> {
    let mut heard = Vec::new();
    hall.world.borrow_mut().sent.retain(|(to, bytes)| {
        let own = *to == client(number);
        heard.extend(own.then(|| text(bytes).to_owned()));
        !own
    });
    heard
}

#[test]
fn payloads_wait_for_company_and_no_longer() {
    let mut hall = open();
    hall.arrive(0, "one");
    hall.turn();
    pass(&hall, HOLD - Duration::from_millis(1));
    hall.arrive(1, "two");
    hall.turn();
    assert_eq!(heard(&hall, 2), [""; 0], "before their time");
    hall.world.borrow_mut().waits.clear();
    hall.turn();
    assert_eq!(hall.world.borrow().waits, [Duration::from_millis(1)], "it sleeps until they are due");
    pass(&hall, Duration::from_millis(1));
    hall.turn();
    hall.turn();
    assert_eq!(heard(&hall, 2), ["one", "two"]);
    assert_eq!((heard(&hall, 0), heard(&hall, 1)), (vec!["two".to_owned()], vec!["one".to_owned()]));
    assert_eq!(hall.world.borrow().messages, 3, "one for each member");
    pass(&hall, PUBLISH_EVERY);
    hall.turn();
    let counters = hall.meter.read();
    assert_eq!(counters.latency.count, 2);
    assert!(counters.latency.sum >= (HOLD.as_nanos() + 1_000_000) as u64, "the wait is part of the latency");
    assert_conserved(&counters);
}

#[test]
fn heartbeats_and_replies_do_not_wait() {
    let mut hall = open();
    hall.arrive(0, "payload");
    hall.arrive(1, "!PING");
    hall.arrive(2, "!WHO");
    hall.turn();
    hall.turn();
    assert_eq!(heard(&hall, 1), ["PONG 60.0"]);
    assert_eq!(heard(&hall, 2), ["OK WHO HALL 3"]);
}

#[test]
fn a_full_message_goes_at_once() {
    let mut hall = open();
    (0..net::Run::MAX_DATAGRAMS).for_each(|_| hall.arrive(0, "x"));
    hall.turn();
    hall.turn();
    assert_eq!(heard(&hall, 1).len(), net::Run::MAX_DATAGRAMS);
    assert_eq!(hall.world.borrow().messages, 2);
}

#[test]
fn nothing_that_was_held_follows_the_answer_to_a_leave() {
    let mut hall = open();
    hall.arrive(0, "before");
    hall.turn();
    hall.arrive(1, "!LEAVE HALL");
    hall.arrive(0, "after");
    hall.turn();
    hall.turn();
    assert_eq!(heard(&hall, 1), ["before", "OK LEFT HALL"]);
    assert_eq!(heard(&hall, 2), ["before"]);
    pass(&hall, HOLD);
    hall.turn();
    hall.turn();
    assert_eq!(heard(&hall, 2), ["after"]);
}

#[test]
fn what_is_held_is_bounded_in_payloads_and_bytes() {
    for size in [1, 4096] {
        let mut hall = Hall::coalescing(Duration::from_secs(1));
        let groups = 200;
        let ids: Vec<String> = (0..groups).map(|number| format!("G{number}")).collect();
        hall.declare(ids.iter().map(String::as_str));
        for (number, id) in ids.iter().enumerate() {
            (0..2).for_each(|at| hall.arrive(2 * number as u16 + at, format!("!JOIN {id}")));
        }
        hall.settle();
        let most = (BUFFERS / 4).min(HELD_BYTES / size);
        let mut said = 0;
        for _ in 0..4 * BUFFERS / TURN_ARRIVALS {
            (0..TURN_ARRIVALS as u16).for_each(|at| hall.arrive(2 * (at % groups), vec![b'x'; size]));
            said += TURN_ARRIVALS;
            hall.turn();
            assert!(hall.world.borrow().lent <= most, "{} buffers held", hall.world.borrow().lent);
        }
        pass(&hall, Duration::from_secs(1));
        hall.settle();
        let counters = hall.meter.read();
        assert_eq!((counters.overflowed, counters.tally.fanout.count), (0, said as u64));
        assert_conserved(&counters);
    }
}

#[test]
fn what_is_held_is_sent_before_a_shard_stops() {
    for late in [false, true] {
        let mut hall = open();
        if !late {
            (0..10).for_each(|_| hall.arrive(0, "last words"));
            hall.turn();
        }
        hall.postbox.post(&News { stop: true, ..News::default() });
        if late {
            // The turn that reads the news takes the first, and a later one the rest.
            (0..TURN_ARRIVALS).for_each(|_| hall.arrive(2, "!PING"));
            (0..10).for_each(|_| hall.arrive(0, "last words"));
        }
        hall.shard.run().unwrap();
        let world = hall.world.borrow();
        assert_eq!(world.sent.iter().filter(|(_, bytes)| bytes == b"last words").count(), 20);
        assert_eq!(world.lent, 0);
    }
}

#[test]
fn a_reload_lets_go_of_what_is_held() {
    let mut hall = open();
    hall.arrive(0, "held");
    hall.turn();
    let settings = Settings { cap: Cap::Unlimited, ..Settings::default() };
    hall.postbox.post(&News { settings: Some(Arc::new(settings)), ..News::default() });
    hall.arrive(0, "not held");
    hall.turn();
    hall.turn();
    assert_eq!(heard(&hall, 1), ["held", "not held"]);
}

#[test]
fn a_group_that_does_not_hold_never_waits_for_one_that_did() {
    let (heartbeat, sweep) = (Duration::from_millis(100), Duration::from_millis(10));
    let mut hall = Hall::with(&Settings { heartbeat, sweep, ..Settings::default() });
    let slow = Terms { coalesce: Some(Duration::from_secs(1)), ..Terms::default() };
    let [slow_id, fast_id] = ["SLOW", "FAST"].map(|id| id.parse().unwrap());
    hall.groups.declare(&[(slow_id, slow), (fast_id, Terms::default())], Tick(0));
    // All members of the one expire while its payload waits, and the other gets its place in the shard.
    (0..2).for_each(|number| hall.arrive(number, "!JOIN SLOW"));
    hall.settle();
    hall.arrive(0, "held");
    hall.turn();
    while hall.groups.clients() > 0 {
        pass(&hall, sweep);
        hall.turn();
    }
    assert_eq!(heard(&hall, 1), ["OK JOINED SLOW"; 0], "still held");
    (2..4).for_each(|number| hall.arrive(number, "!JOIN FAST"));
    hall.arrive(2, "at once");
    hall.turn();
    hall.turn();
    assert_eq!(heard(&hall, 3), ["OK JOINED FAST", "at once"]);
}
