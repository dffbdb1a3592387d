//! Groups of which some members are connected by TCP, which another thread sends to.

use std::cell::RefCell;
use std::ops::Range;
use std::rc::Rc;
use std::sync::Arc;

use engine::{
    Admission, AdmissionMode, Cap, Datagram, Engine, Entropy, LocalAddr, Outbox, OwnAddresses, Settings,
    Shared, Tick,
};
use net::{Driver, Waker};
use relay::ferry::{Ferry, Load};
use relay::limits::{FERRY_COPIES, FERRY_LETTERS, FERRY_NEWS, FERRY_PARCELS};

use super::*;
use crate::paper::{Paper, World};

/// A hall whose shard hands over to this ferry what is for its far members, of whom it has so many.
fn hall(near: u16, far: u16) -> (Hall, Ferry) {
    let mut hall = Hall::open();
    let ferry = Ferry::new(Waker::new().unwrap());
    hall.shard = hall.shard.with_ferry(ferry.clone());
    hall.fill(near);
    land(&hall, "HALL", 10_000..10_000 + far);
    (hall, ferry)
}

/// These clients join a group by TCP.
fn land(hall: &Hall, group: &str, clients: Range<u16>) {
    let settings = Settings { cap: Cap::Unlimited, admission: AdmissionMode::Open, ..Settings::default() };
    let mut landing = Engine::new(
        (1, 1),
        Shared::new(Arc::clone(&hall.groups), Arc::new(Admission::seeded(0, Tick(0)))),
        Arc::new(settings),
        Arc::new(OwnAddresses::default()),
        Entropy::new(|bytes| bytes.fill(7)),
        Tick(0),
    );
    let mut outbox = Outbox::default();
    let join = format!("!JOIN {group}");
    for number in clients {
        let (bytes, source, local) = (join.as_bytes(), client(number), LocalAddr::stream());
        landing.receive_by_stream(&Datagram { bytes, source, local, number: 0 }, &mut outbox);
    }
    // Its members stay.
    std::mem::forget(landing);
}

/// What a turn of the other thread sends.
fn delivered(ferry: &Ferry, most: u64) -> Vec<(SocketAddr, String)> {
    let world = Rc::new(RefCell::new(World::default()));
    let mut paper = Paper::new(Rc::clone(&world), 1, 1, usize::MAX);
    ferry.unload(most).deliver(&mut paper);
    paper.flush();
    let sent = std::mem::take(&mut world.borrow_mut().sent);
    sent.into_iter().map(|(to, bytes)| (to, text(&bytes).to_owned())).collect()
}

#[test]
fn near_members_are_sent_to_and_far_ones_are_handed_over() {
    let (mut hall, ferry) = hall(3, 2);
    hall.arrive(0, "to all");
    let mut near = hall.settle();
    near.sort_unstable();
    assert_eq!(near, [1, 2].map(|number| (client(number), b"to all".to_vec())));
    assert_eq!(ferry.load(), Load { waiting: 2, dropped: 0 });
    let counters = hall.shard.counters().clone();
    let meant = counters.tally.fanout.sum + counters.tally.replies;
    assert_eq!(meant, counters.sent.packets + ferry.load().waiting, "{counters:?}");
    let far = delivered(&ferry, 1);
    assert_eq!(far, [10_000, 10_001].map(|number| (client(number), "to all".to_owned())));
    assert_eq!((ferry.load(), ferry.is_loaded()), (Load::default(), false));
}

#[test]
fn a_payload_for_far_members_alone_holds_nothing_here() {
    let (mut hall, ferry) = hall(1, 3);
    for number in 0..10 {
        hall.arrive(0, format!("payload {number}"));
    }
    hall.turn();
    assert_eq!(hall.world.borrow().lent, 0);
    assert!(hall.world.borrow().sent.is_empty());
    assert_eq!((hall.shard.counters().waiting, ferry.load().waiting), (0, 30));
    let heard = delivered(&ferry, u64::MAX);
    let expected = (0..10).flat_map(|number| vec![format!("payload {number}"); 3]);
    assert!(heard.into_iter().map(|(_, text)| text).eq(expected), "in order");
}

/// However many turns its sends take, and whatever the members' places are in the roster.
#[test]
fn far_members_do_not_disturb_sends_that_outlast_a_turn() {
    let (mut hall, ferry) = hall(40, 25);
    hall.world.borrow_mut().price = Duration::from_micros(100);
    for number in 0..40 {
        hall.arrive(number, format!("from {number}"));
    }
    let sent = hall.settle();
    assert_eq!(sent.len(), 40 * 39);
    assert_eq!(ferry.load().waiting, 40 * 25);
    assert!(sent.iter().all(|(to, _)| to.port() < 10_000));
}

/// A turn takes what it may, and at least one; the other thread is told that there is more.
#[test]
fn a_turn_takes_a_part() {
    let (mut hall, ferry) = hall(1, 10);
    (0..5).for_each(|number| hall.arrive(0, format!("payload {number}")));
    hall.turn();
    assert_eq!(delivered(&ferry, 15).len(), 20);
    assert!(ferry.is_loaded());
    assert_eq!(delivered(&ferry, 1).len(), 10);
    assert_eq!(delivered(&ferry, 1000).len(), 20);
    assert!(!ferry.is_loaded() && delivered(&ferry, 1).is_empty());
}

/// The oldest payloads make room and are counted; answers keep theirs.
#[test]
fn what_waits_is_bounded() {
    let (mut hall, ferry) = hall(1, 2);
    let roster = hall.groups.roster(&"HALL".parse().unwrap()).unwrap();
    let member = *roster.members().last().unwrap();
    (0..FERRY_LETTERS + 3).for_each(|number| ferry.tell(member, format!("answer {number}").as_bytes()));
    assert_eq!(ferry.load(), Load { waiting: FERRY_LETTERS as u64, dropped: 3 });
    let payloads = FERRY_PARCELS + 100;
    for number in 0..payloads {
        hall.arrive(0, format!("payload {number}"));
        if number % 100 == 0 {
            hall.settle();
        }
    }
    hall.settle();
    let waiting = (FERRY_LETTERS + 2 * FERRY_PARCELS) as u64;
    assert_eq!(ferry.load(), Load { waiting, dropped: 3 + 2 * 100 });
    let heard = delivered(&ferry, u64::MAX);
    assert_eq!(heard[0].1, "answer 0");
    assert_eq!(heard[FERRY_LETTERS].1, "payload 100");
    assert_eq!(heard.last().unwrap().1, format!("payload {}", payloads - 1));
    assert!(2 * (FERRY_PARCELS as u64) < FERRY_COPIES, "it was their number that was bounded");
}

/// Nobody has asked for news: they take no answer's room, and may be dropped where somebody does not read.
#[test]
fn news_are_no_answers() {
    let (hall, ferry) = hall(1, 1);
    let roster = hall.groups.roster(&"HALL".parse().unwrap()).unwrap();
    let member = *roster.members().find(|member| member.client.is_stream()).unwrap();
    (0..FERRY_LETTERS).for_each(|_| ferry.tell(member, b"!PEER ada JOINED"));
    let dropped = (FERRY_LETTERS - FERRY_NEWS) as u64;
    assert_eq!(ferry.load(), Load { waiting: FERRY_NEWS as u64, dropped });
    (0..FERRY_LETTERS - FERRY_NEWS).for_each(|_| ferry.tell(member, b"!PEER_AT ada 192.0.2.1 5000 X"));
    assert_eq!(ferry.load(), Load { waiting: FERRY_LETTERS as u64, dropped });
    let world = Rc::new(RefCell::new(World::default()));
    let mut paper = Paper::new(Rc::clone(&world), 1, 1, usize::MAX);
    ferry.unload(u64::MAX).deliver(&mut paper);
    paper.flush();
    let World { sent, told, .. } = &*world.borrow();
    assert_eq!((sent.len(), told.len()), (FERRY_LETTERS, FERRY_LETTERS - FERRY_NEWS));
    assert!(told.iter().all(|(_, text)| text.starts_with(b"!PEER_AT ")));
}

/// Whoever has most makes room, and what is left comes in the order in which it was said, whatever the group.
#[test]
fn one_group_that_says_too_much_costs_no_other_anything() {
    let (mut hall, ferry) = hall(1, 2);
    hall.arrive(500, "!JOIN ANNEX");
    land(&hall, "ANNEX", 20_000..20_001);
    hall.settle();
    let payloads = FERRY_PARCELS + 1000;
    for number in 0..payloads {
        hall.arrive(0, format!("loud {number}"));
        if number % 100 == 0 {
            hall.arrive(500, format!("quiet {number}"));
            hall.settle();
        }
    }
    hall.settle();
    let quiet = payloads.div_ceil(100);
    let waiting = 2 * (FERRY_PARCELS - quiet) + quiet;
    let dropped = 2 * (payloads + quiet - FERRY_PARCELS);
    assert_eq!(ferry.load(), Load { waiting: waiting as u64, dropped: dropped as u64 });
    let heard = delivered(&ferry, u64::MAX);
    let by = |who: &str, to: u16| -> Vec<usize> {
        let heard = heard.iter().filter(|(address, _)| *address == client(to));
        heard.map(|(_, text)| text.strip_prefix(who).expect("its own group").parse().unwrap()).collect()
    };
    assert!(by("quiet ", 20_000).into_iter().eq((0..payloads).step_by(100)));
    let first = payloads + quiet - FERRY_PARCELS;
    (10_000..10_002).for_each(|to| assert!(by("loud ", to).into_iter().eq(first..payloads)));
    let at = |text: &str| heard.iter().position(|(_, heard)| heard == text).expect("it is heard");
    assert!(at("loud 1999") < at("quiet 2000") && at("quiet 2000") < at("loud 2001"), "as it was said");
    assert_eq!(ferry.load(), Load { waiting: 0, dropped: dropped as u64 });
}

/// The numbers that a shard has for its groups mean others elsewhere.
#[test]
fn groups_of_two_shards_are_not_taken_for_each_other() {
    let (mut loud, ferry) = hall(1, 1);
    let (mut quiet, _) = hall(1, 1);
    quiet.shard = quiet.shard.with_ferry(ferry.of_shard(1));
    quiet.arrive(0, "quiet");
    quiet.turn();
    for _ in 0..FERRY_PARCELS / 100 + 1 {
        (0..100).for_each(|_| loud.arrive(0, "loud"));
        loud.settle();
    }
    assert!(ferry.load().dropped > 0);
    assert_eq!(delivered(&ferry, 1)[0].1, "quiet");
}
