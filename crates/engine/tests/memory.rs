//! What a joined client costs, and what costs no allocation at all.

mod common;
#[path = "common/counting.rs"]
mod counting;

use std::net::SocketAddr;

use common::{Relay, client, text};
use counting::{alone, heap, reset_peak, resident};
use engine::limits::{ROSTER_CHUNK, SESSION_PARTS};
use engine::{AdmissionMode, Cap, Ceilings, Event, Settings};

#[test]
fn a_joined_client_costs_at_most_200_bytes() {
    const CLIENTS: u32 = 1_000_000;
    let _alone = alone();
    let (base, base_resident) = (heap().live, resident());
    let mut relay = Relay::new(
        2,
        Settings { max_groups_per_client: 20_000, admission: AdmissionMode::Open, ..Settings::default() },
    );
    let ids: Vec<String> = (0..10_000).map(|_| relay.create(client(0))).collect();
    for number in 0..CLIENTS {
        relay.join(client(number), &ids[number as usize % ids.len()]);
    }
    for sender in 0..ids.len() as u32 * 2 {
        assert_eq!(relay.payload(client(sender), b"hello").len(), 99);
    }
    let allocated = (heap().live - base) as f64 / f64::from(CLIENTS);
    let resident = (resident() - base_resident) as f64 / f64::from(CLIENTS);
    println!("bytes per joined client: {allocated:.1} allocated, {resident:.1} resident");
    assert!(resident <= 200.0 && allocated <= 200.0);
}

#[test]
fn a_turn_allocates_nothing_once_it_is_warm() {
    let _alone = alone();
    let mut relay = Relay::new(1, Settings::default());
    let id = relay.create(client(0));
    (0..100).for_each(|number| relay.join(client(number), &id));
    let mut turns = |count: u32| {
        let before = heap().calls;
        for number in 0..count {
            relay.begin_turn(1);
            for sender in 0..64 {
                let bytes: &[u8] = if sender % 8 == 0 { b"!PING" } else { b"payload" };
                relay.receive(client((number + sender) % 100), bytes);
            }
            relay.engines[0].sweep();
        }
        heap().calls - before
    };
    turns(10);
    assert_eq!(turns(1000), 0);
}

#[test]
fn joins_without_traffic_copy_no_roster() {
    let _alone = alone();
    let mut relay = Relay::new(1, Settings { cap: Cap::Unlimited, ..Settings::default() });
    let id = relay.create(client(0));
    (0..9000).for_each(|number| relay.join(client(number), &id));
    assert_eq!(relay.payload(client(0), b"everyone reads once").len(), 8999);
    let before = heap().calls;
    let command = text(&["!JOIN ", &id]);
    for number in 9000..10_000 {
        relay.begin_turn(0);
        relay.receive(client(number), &command);
        // Nor do those who ask for the number of members, or join once more.
        relay.receive(client(1), b"!WHO");
        relay.receive(client(2), &command);
    }
    let calls = heap().calls - before;
    // The first join copies the path to its chunk, then one chunk follows another, of two allocations; the outbox and
    // each part of the index may grow. A copy for each join would be a thousand at least.
    let allowed = 2 * (1000 / ROSTER_CHUNK + 1) + 16 + SESSION_PARTS;
    assert!(calls <= allowed, "{calls} allocations of {allowed}");
    assert_eq!(relay.payload(client(0), b"they are all there").len(), 9999);
}

#[test]
fn a_join_or_leave_after_a_payload_copies_a_small_part_of_a_large_group() {
    const MEMBERS: u32 = 10_000;
    // Two chunks and the branches above them; a copy of all would be 440,000.
    const ALLOWED: usize = 16 << 10;
    let _alone = alone();
    let mut relay = Relay::new(1, Settings { cap: Cap::Unlimited, ..Settings::default() });
    let id = relay.create(client(0));
    (0..MEMBERS + 500).for_each(|number| relay.join(client(number), &id));
    let (join, leave) = (text(&["!JOIN ", &id]), text(&["!LEAVE ", &id]));
    for number in 0..500 {
        for (who, command) in [(number * 20 + 1, &leave), (MEMBERS + 500 + number, &join)] {
            relay.begin_turn(0);
            relay.receive(client(0), b"everyone's snapshot is this one");
            let before = heap().live;
            reset_peak();
            relay.receive(client(who), command);
            let copied = heap().peak - before;
            assert!(copied <= ALLOWED, "{copied} bytes for {number}");
        }
    }
}

/// What spoofers fill and fill again costs nothing more.
#[test]
fn a_flood_at_the_ceilings_does_not_grow() {
    const CEILING: u32 = 2048;
    let _alone = alone();
    let ceilings = Ceilings { clients: CEILING, unjoined_groups: CEILING, groups: 2 * CEILING };
    let mut relay = Relay::new(1, Settings { ceilings, cap: Cap::Unlimited, ..Settings::default() });
    let (local, mut number) = (SocketAddr::from(([127, 0, 0, 1], 9)), 0);
    let id = relay.create(local);
    let mut flood = |relay: &mut Relay| {
        for _ in 0..8 * CEILING {
            number += 1;
            relay.say(client(number), b"!CREATE");
            relay.say(client(number), &text(&["!JOIN ", &id]));
            relay.begin_turn(20);
        }
        heap().live
    };
    // Tables grow to the most that a stripe ever had by chance.
    let mut floods = |count: u32| (0..count).map(|_| flood(&mut relay)).max().unwrap_or_default();
    let (warm, later) = (floods(6), floods(6));
    let grown = later as f64 / warm as f64;
    assert!(grown < 1.01, "{grown}");
    let events = relay.engines[0].tally().events;
    assert_eq!((relay.clients() as u32, relay.groups.unjoined()), (CEILING, CEILING));
    for event in [Event::EvictGroup, Event::EvictMember] {
        assert!(events[event as usize] > u64::from(8 * CEILING), "{event:?}");
    }
}
