//! Who moves from one group to another while the shard is behind: what it says comes in order, and nobody waits for it.

use std::collections::BTreeMap;

use relay::limits::{LEAVER_UNITS, TURN_UNITS};

use crate::hall::{Hall, assert_conserved, client, text};

/// A member of both groups, one after the other, and one who is always in the annex.
const RECEIVER: u16 = 1;
const NEIGHBOUR: u16 = 900;

/// A hall in which more waits than several turns send, the last of it by these senders; the receiver and the neighbour are in
/// the annex.
fn behind(senders: std::ops::Range<u16>) -> Hall {
    let mut hall = Hall::open();
    hall.fill(600);
    hall.arrive(NEIGHBOUR, "!JOIN ANNEX");
    hall.settle();
    // Growing sizes never share a message.
    (1..60).for_each(|size| hall.arrive(0, vec![b'x'; size]));
    senders.for_each(|sender| hall.arrive(sender, format!("{sender}:1")));
    hall.arrive(RECEIVER, "!JOIN ANNEX");
    hall.turn();
    assert!(hall.world.borrow().sent.len() < TURN_UNITS + LEAVER_UNITS, "the rest waits");
    hall
}

/// What the receiver has heard of each sender, in order.
fn heard(hall: &mut Hall) -> BTreeMap<String, Vec<u32>> {
    let mut heard = BTreeMap::<String, Vec<u32>>::new();
    for (to, bytes) in hall.settle() {
        if to == client(RECEIVER)
            && let Some((from, number)) = text(&bytes).split_once(':')
        {
            heard.entry(from.to_owned()).or_default().push(number.parse().unwrap());
        }
    }
    heard
}

#[test]
fn what_is_said_after_a_move_comes_after_what_still_waits_of_before() {
    let mut hall = behind(10..40);
    for sender in 10..40 {
        if sender % 2 == 0 {
            hall.arrive(sender, "!LEAVE HALL");
        }
        hall.arrive(sender, "!JOIN ANNEX");
        hall.arrive(sender, format!("{sender}:2"));
    }
    hall.turn();
    (10..40).for_each(|sender| hall.arrive(sender, format!("{sender}:3")));
    let heard = heard(&mut hall);
    assert_eq!(heard.len(), 30);
    for (sender, numbers) in heard {
        assert_eq!(numbers, [1, 2, 3], "{sender}");
    }
    assert_conserved(&hall.meter.read());
}

#[test]
fn who_moves_on_and_back_is_heard_in_order() {
    let mut hall = behind(10..11);
    for (group, number) in [("ANNEX", 2), ("HALL", 3), ("ANNEX", 4)] {
        hall.arrive(10, format!("!JOIN {group}"));
        hall.arrive(10, format!("10:{number}"));
        hall.turn();
    }
    assert_eq!(heard(&mut hall)["10"], [1, 2, 4]);
    assert_conserved(&hall.meter.read());
}

#[test]
fn nobody_waits_for_what_another_said_elsewhere() {
    let mut hall = behind(10..11);
    hall.arrive(10, "!JOIN ANNEX");
    hall.arrive(10, "10:2");
    hall.arrive(NEIGHBOUR, "hello");
    hall.arrive(11, "!JOIN ANNEX");
    hall.arrive(11, "who has nothing waiting");
    hall.turn();
    hall.turn();
    let world = hall.world.borrow();
    let has_heard =
        |what: &[u8]| world.sent.iter().any(|(to, bytes)| *to == client(RECEIVER) && bytes == what);
    assert!(has_heard(b"hello") && has_heard(b"who has nothing waiting"), "they had to wait");
    assert!(!has_heard(b"10:1"), "the shard is not behind");
}

#[test]
fn who_has_moved_is_no_mover_for_ever() {
    let mut hall = behind(10..11);
    hall.arrive(10, "!JOIN ANNEX");
    hall.arrive(0, "later");
    let is_sent = |hall: &Hall, what: &[u8]| hall.world.borrow().sent.iter().any(|(_, bytes)| bytes == what);
    // More than a turn sends: something of the hall's always waits.
    let turn = |hall: &mut Hall| {
        (1..20).for_each(|size| hall.arrive(0, vec![b'x'; size]));
        hall.turn();
    };
    while !is_sent(&hall, b"later") {
        turn(&mut hall);
    }
    turn(&mut hall);
    hall.arrive(10, "10:2");
    turn(&mut hall);
    turn(&mut hall);
    assert!(hall.world.borrow().lent > 100, "the shard is not behind");
    assert!(is_sent(&hall, b"10:2"), "what it said in the hall has been sent long since");
}
