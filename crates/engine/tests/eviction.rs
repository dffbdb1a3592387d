//! Who makes room at the ceilings: first groups that nobody joined and nobody proved has made, then empty groups, and the
//! longest silent of the unproved members; then nobody.

mod common;

use std::net::SocketAddr;

use common::{Relay, text};
use engine::limits::EVICTION_CLIENTS;
use engine::{AdmissionMode, Ceilings, Event, Settings, Tick};
use wire::GroupId;

const FULL: &str = "ERR SERVER_FULL TryLater";

fn relay(ceilings: Ceilings) -> Relay {
    Relay::new(1, relay_settings(ceilings))
}

fn relay_settings(ceilings: Ceilings) -> Settings {
    Settings { ceilings, max_groups_per_client: 1 << 20, ..Settings::default() }
}

/// Nobody proved, each in a prefix of its own.
fn stranger(number: u32) -> SocketAddr {
    SocketAddr::from(([10, (number >> 8) as u8, number as u8, 1], 9009))
}

/// Proved by where it is.
fn friend(number: u32) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 1000 + number as u16))
}

fn count(relay: &Relay, event: Event) -> u64 {
    relay.engines[0].tally().events[event as usize]
}

fn join(relay: &mut Relay, client: SocketAddr, id: &str) -> String {
    relay.say(client, &text(&["!JOIN ", id]))
}

#[test]
fn a_strangers_unjoined_group_makes_room_and_nobody_elses() {
    let mut relay = relay(Ceilings { unjoined_groups: 4, groups: 6, ..Ceilings::default() });
    let kept = relay.create(friend(0));
    let joined = relay.create(stranger(0));
    relay.join(stranger(0), &joined);
    let spare: Vec<String> = (1..4).map(|number| relay.create(stranger(number))).collect();
    // One after the other goes, and each newcomer's in its turn.
    for number in 4..40 {
        relay.create(stranger(number));
    }
    assert_eq!(count(&relay, Event::EvictGroup), 36);
    assert_eq!((relay.groups.count(), relay.groups.unjoined()), (5, 4));
    let gone = spare.iter().filter(|id| join(&mut relay, friend(1), id).ends_with("NoSuchGroup")).count();
    assert!(gone >= 2, "{gone} of the oldest three");
    assert_eq!(join(&mut relay, friend(1), &kept), format!("OK JOINED {kept}"));
    assert_eq!(join(&mut relay, friend(2), &joined), format!("OK JOINED {joined}"));
}

#[test]
fn where_no_strangers_are_left_an_empty_group_makes_room_and_none_with_members() {
    let mut relay = relay(Ceilings { groups: 8, ..Ceilings::default() });
    relay.groups.declare(&[(GroupId::parse(b"LOBBY").unwrap(), None)], Tick(0));
    let used: Vec<String> = (0..4).map(|number| relay.create(friend(number))).collect();
    (0..4).for_each(|number| relay.join(friend(number), &used[number as usize]));
    for number in 4..7 {
        let left = relay.create(friend(number));
        relay.join(friend(number), &left);
        relay.say(friend(number), &text(&["!LEAVE ", &left]));
    }
    // Whoever has come and gone holds nothing, proved or not, and neither does a friend's that nobody joined.
    for number in 7..40 {
        relay.create(if number % 2 == 0 { friend(number) } else { stranger(number) });
    }
    assert_eq!((count(&relay, Event::EvictGroup), relay.groups.count()), (33, 8));
    assert!(relay.groups.roster(&GroupId::parse(b"LOBBY").unwrap()).is_some());
    for (number, id) in (0..).zip(&used) {
        assert_eq!(relay.say(friend(number), b"!WHO"), format!("OK WHO {id} 1"));
    }
    // When all have members nobody makes room.
    for number in 0..3 {
        let id = relay.create(friend(50 + number));
        relay.join(friend(50 + number), &id);
    }
    assert_eq!(
        (relay.say(friend(60), b"!CREATE"), relay.say(stranger(60), b"!CREATE")),
        (FULL.into(), FULL.into())
    );
    // Somebody leaves: one more, and then another in its place.
    relay.say(friend(0), &text(&["!LEAVE ", &used[0]]));
    relay.create(friend(61));
    relay.create(friend(62));
    assert_eq!(relay.groups.count(), 8);
}

#[test]
fn at_the_ceiling_of_unjoined_groups_only_an_unjoined_one_makes_room() {
    let mut relay = relay(Ceilings { unjoined_groups: 3, ..Ceilings::default() });
    let left = relay.create(friend(0));
    relay.join(friend(0), &left);
    relay.say(friend(0), &text(&["!LEAVE ", &left]));
    relay.begin_turn(1);
    for number in 1..20 {
        relay.create(friend(number));
    }
    assert_eq!(count(&relay, Event::EvictGroup), 16);
    assert_eq!((relay.groups.count(), relay.groups.unjoined()), (4, 3));
    assert_eq!(join(&mut relay, friend(1), &left), format!("OK JOINED {left}"));
}

/// The cookie of a client.
fn shown(relay: &mut Relay, client: SocketAddr) -> String {
    relay.say(client, b"!JOIN X ?").strip_prefix("ERR RETRY ").expect("a cookie").to_owned()
}

fn create_with(relay: &mut Relay, client: SocketAddr, cookie: &str) -> String {
    let answer = relay.say(client, &text(&["!CREATE ", cookie]));
    answer.strip_prefix("OK CREATED ").expect("a group").to_owned()
}

/// Who is proved and makes groups without end, and perhaps leaves them, loses them first, and not who makes one.
#[test]
fn a_prefix_that_makes_many_has_no_shelter_for_all() {
    const CEILING: u32 = 500;
    const OTHERS: u32 = 20;
    for leaves in [false, true] {
        let ceilings = Ceilings::default();
        let mut relay = relay(match leaves {
            true => Ceilings { groups: CEILING, ..ceilings },
            false => Ceilings { unjoined_groups: CEILING, ..ceilings },
        });
        let many = shown(&mut relay, stranger(0));
        for _ in 0..CEILING {
            let id = create_with(&mut relay, stranger(0), &many);
            if leaves {
                relay.join(stranger(0), &id);
            }
        }
        let before = count(&relay, Event::EvictGroup);
        let others: Vec<String> = (1..=OTHERS)
            .map(|number| {
                let shown = shown(&mut relay, stranger(number));
                create_with(&mut relay, stranger(number), &shown)
            })
            .collect();
        (0..20).for_each(|_| drop(create_with(&mut relay, stranger(0), &many)));
        assert_eq!(count(&relay, Event::EvictGroup) - before, u64::from(OTHERS) + 20);
        for (number, id) in (1..).zip(&others) {
            assert_eq!(join(&mut relay, stranger(number), id), format!("OK JOINED {id}"));
        }
    }
}

/// Where nobody has to prove anything, one is as good as another.
#[test]
fn in_open_admission_no_group_makes_room() {
    let mut relay = relay(Ceilings { groups: 3, ..Ceilings::default() });
    let settings = Settings {
        admission: AdmissionMode::Open,
        ..relay_settings(Ceilings { groups: 3, ..Ceilings::default() })
    };
    relay.engines[0].reload(settings.into());
    (0..3).for_each(|number| drop(relay.create(stranger(number))));
    assert_eq!(relay.say(friend(1), b"!CREATE"), FULL);
}

#[test]
fn the_ceiling_of_all_groups_is_kept_in_the_same_order() {
    let mut relay = relay(Ceilings { groups: 3, unjoined_groups: 3, ..Ceilings::default() });
    let ids: Vec<String> = (0..3).map(|number| relay.create(stranger(number))).collect();
    (0..2).for_each(|number| relay.join(stranger(number), &ids[number as usize]));
    let last = relay.create(stranger(9));
    assert!(join(&mut relay, friend(0), &ids[2]).ends_with("NoSuchGroup"));
    relay.join(stranger(9), &last);
    assert_eq!(relay.say(friend(1), b"!CREATE"), FULL, "all are in use");
}

#[test]
fn the_longest_silent_unproved_member_makes_room() {
    let mut relay = relay(Ceilings { clients: 4, ..Ceilings::default() });
    let id = relay.create(friend(0));
    relay.join(friend(0), &id);
    for number in 0..3 {
        relay.begin_turn(1000);
        relay.join(stranger(number), &id);
    }
    relay.begin_turn(1000);
    relay.say(stranger(0), b"!PING");
    // Who is not proved does not push out who may be there; who is does.
    assert_eq!(join(&mut relay, stranger(9), &id), FULL);
    assert_eq!(
        join(&mut relay, friend(1), "NOWHERE"),
        "ERR BAD_ARG NoSuchGroup",
        "room is made for who gets in"
    );
    assert_eq!((relay.clients(), count(&relay, Event::EvictMember)), (4, 0));
    relay.join(friend(1), &id);
    assert_eq!(relay.payload(friend(0), b"who is there?"), {
        let mut others = [stranger(0), stranger(2), friend(1)];
        others.sort_unstable();
        others
    });
    // A heartbeat and a tenth later the silent ones may go for anybody.
    relay.begin_turn(66_000);
    relay.say(stranger(2), b"!PING");
    assert_eq!(join(&mut relay, stranger(9), &id), FULL, "and not before");
    relay.begin_turn(1);
    relay.join(stranger(9), &id);
    relay.join(friend(2), &id);
    relay.join(friend(3), &id);
    assert_eq!(join(&mut relay, stranger(10), &id), FULL);
    assert_eq!(join(&mut relay, friend(4), &id), FULL, "never one who is proved");
    assert_eq!((relay.clients(), count(&relay, Event::EvictMember)), (4, 4));
}

#[test]
fn who_comes_to_its_own_group_is_proved_and_finds_room() {
    let mut relay = relay(Ceilings { clients: 3, ..Ceilings::default() });
    let id = relay.create(friend(0));
    (0..3).for_each(|number| relay.join(stranger(number), &id));
    let own = relay.create(stranger(9));
    assert_eq!(join(&mut relay, stranger(9), &id), FULL);
    relay.join(stranger(9), &own);
    assert_eq!((relay.clients(), relay.admission.unproved(), count(&relay, Event::EvictMember)), (3, 2, 1));
}

#[test]
fn a_leaver_that_was_pushed_out_got_what_was_said_before() {
    let mut relay = relay(Ceilings { clients: 3, ..Ceilings::default() });
    let id = relay.create(friend(0));
    [friend(0), friend(1), stranger(0)].iter().for_each(|client| relay.join(*client, &id));
    relay.begin_turn(0);
    relay.receive(friend(0), b"before");
    relay.receive(friend(2), &text(&["!JOIN ", &id]));
    relay.receive(friend(0), b"after");
    let outbox = &relay.outboxes[0];
    let rosters: Vec<usize> = outbox
        .epochs()
        .flatten()
        .filter_map(|delivery| match delivery.audience {
            engine::Audience::Others { roster, .. } => Some(roster),
            engine::Audience::One(_) => None,
        })
        .map(|roster| {
            outbox
                .listed(roster)
                .roster
                .members()
                .filter(|member| member.client.socket_addr() == stranger(0))
                .count()
        })
        .collect();
    assert_eq!((rosters, outbox.epochs().count()), (vec![1, 0], 2));
}

#[test]
fn where_nobody_has_to_prove_anything_nobody_makes_room() {
    let ceilings = Ceilings { clients: 2, ..Ceilings::default() };
    let mut relay =
        Relay::new(1, Settings { ceilings, admission: AdmissionMode::Open, ..Settings::default() });
    let id = relay.create(stranger(0));
    (0..2).for_each(|number| relay.join(stranger(number), &id));
    relay.begin_turn(170_000);
    assert_eq!(join(&mut relay, stranger(2), &id), FULL);
    assert_eq!(join(&mut relay, friend(2), &id), FULL);
    assert_eq!((relay.clients(), count(&relay, Event::EvictMember)), (2, 0));
}

#[test]
fn who_makes_room_is_looked_for_behind_where_nobody_was() {
    let clients = EVICTION_CLIENTS as u32 + 2;
    let mut relay = relay(Ceilings { clients, ..Ceilings::default() });
    let ids: Vec<String> = (0..3).map(|number| relay.create(friend(number))).collect();
    let group = |number: u32| &ids[number as usize / 100];
    (0..clients - 2).for_each(|number| relay.join(friend(number), group(number)));
    (0..2).for_each(|number| relay.join(stranger(number), &ids[2]));
    assert_eq!(join(&mut relay, friend(999), &ids[2]), FULL, "all that were looked at are proved");
    assert_eq!(join(&mut relay, friend(999), &ids[2]), format!("OK JOINED {}", ids[2]));
    assert_eq!((relay.clients() as u32, count(&relay, Event::EvictMember)), (clients, 1));
}
