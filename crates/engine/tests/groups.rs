//! Stories of groups: joining, moving, caps, quotas, declared groups, and very large ones.

mod common;

use std::time::Duration;

use common::{Answer, Relay, answer, client, text};
use engine::limits::CEILING;
use engine::{
    AdmissionMode, Audience, Cap, Ceilings, ClientAddr, Datagram, Delivery, Event, LocalAddr, Outbox,
    RosterIndex, Settings, Tick,
};

fn relay(settings: Settings) -> Relay {
    Relay::new(2, settings)
}

fn capped(cap: u32) -> Relay {
    relay(Settings { cap: Cap::Members(cap), ..Settings::default() })
}

fn nobody_is_asked() -> Settings {
    Settings { admission: AdmissionMode::Open, ..Settings::default() }
}

fn join(relay: &mut Relay, number: u32, id: &str) -> String {
    relay.say(client(number), &text(&["!JOIN ", id]))
}

fn who(relay: &mut Relay, number: u32) -> String {
    relay.say(client(number), b"!WHO")
}

fn declare(relay: &Relay, groups: &[(&str, Option<Cap>)]) {
    let groups: Vec<_> = groups.iter().map(|(id, cap)| (id.parse().unwrap(), *cap)).collect();
    relay.groups.declare(&groups, Tick(relay.now));
}

#[test]
fn moving_to_another_group_leaves_the_old_one_in_silence() {
    let mut relay = relay(Settings::default());
    let (old, new) = (relay.create(client(0)), relay.create(client(0)));
    (0..3).for_each(|number| relay.join(client(number), &old));
    // `join` sees to it that nobody else hears of it.
    relay.join(client(2), &new);
    assert_eq!(relay.payload(client(0), b"who is left?"), [client(1)]);
    let group_of =
        |number: usize| relay.engines[number].group_of(&ClientAddr::new(client(number as u32)).unwrap());
    assert_eq!([0, 1].map(group_of), [old.parse().ok(); 2]);
    assert_eq!(who(&mut relay, 2), format!("OK WHO {new} 1"));
    assert_eq!(relay.say(client(2), &text(&["!LEAVE ", &old])), "ERR NOT_IN_GROUP NotInThatGroup");
}

#[test]
fn who_is_refused_stays_where_it_was() {
    let mut relay = capped(1);
    let (mine, full) = (relay.create(client(0)), relay.create(client(0)));
    relay.join(client(0), &mine);
    relay.join(client(1), &full);
    assert_eq!(join(&mut relay, 0, &full), format!("ERR GROUP_FULL {full}"));
    assert_eq!(join(&mut relay, 0, "NOWHERE"), "ERR BAD_ARG NoSuchGroup");
    assert_eq!(who(&mut relay, 0), format!("OK WHO {mine} 1"));
}

#[test]
fn joining_ones_own_group_works_at_the_cap_and_counts_nobody_twice() {
    let mut relay = capped(2);
    let id = relay.create(client(0));
    (0..2).for_each(|number| relay.join(client(number), &id));
    for _ in 0..3 {
        relay.join(client(0), &id);
    }
    assert_eq!(join(&mut relay, 2, &id), format!("ERR GROUP_FULL {id}"));
    assert_eq!(who(&mut relay, 1), format!("OK WHO {id} 2"));
    let joins: u64 = relay.engines.iter().map(|engine| engine.tally().events[Event::Join as usize]).sum();
    assert_eq!(joins, 2);
}

#[test]
fn joining_again_from_another_address_of_the_relay_moves_the_answers_there() {
    let mut relay = relay(Settings::default());
    let id = relay.create(client(0));
    (0..2).for_each(|number| relay.join(client(number), &id));
    relay.begin_turn(0);
    let (local, command) = (LocalAddr::new(7, None), text(&["!JOIN ", &id]));
    let again = Datagram { bytes: &command, source: client(1), local, number: 0 };
    relay.engines[1].receive(&again, &mut relay.outboxes[1]);
    let Answer::FanOut(members) = relay.ask(client(0), b"where are you?") else { panic!("a payload") };
    assert_eq!(members.iter().map(|member| member.local).collect::<Vec<_>>(), [local]);
}

#[test]
fn no_cap_lifts_it_and_a_groups_own_cap_goes_first() {
    let mut relay = capped(1);
    declare(&relay, &[("TWO", Some(Cap::Members(2))), ("ANY", Some(Cap::Unlimited)), ("OPEN", None)]);
    let mut joined =
        |id: &str| (0..300).filter(|number| join(&mut relay, *number, id).starts_with("OK")).count();
    assert_eq!(joined("TWO"), 2);
    assert_eq!(joined("ANY"), 300);
    assert_eq!(joined("OPEN"), 300, "the common cap is for ids that are generated");
    declare(&relay, &[("TWO", Some(Cap::Members(3)))]);
    let mut joined =
        |id: &str| (0..300).filter(|number| join(&mut relay, *number, id).starts_with("OK")).count();
    assert_eq!(joined("TWO"), 3, "a cap can change");
    let late = join(&mut relay, 300, "OPEN");
    assert_eq!(late, "ERR GROUP_FULL OPEN", "a group that is declared no more has the common cap");
    relay.engines.iter_mut().for_each(|engine| {
        engine.reload(Settings { cap: Cap::Unlimited, ..Settings::default() }.into());
    });
    let mut joined =
        |id: &str| (0..300).filter(|number| join(&mut relay, *number, id).starts_with("OK")).count();
    assert_eq!(joined("OPEN"), 300);
}

#[test]
fn a_quota_frees_when_a_group_is_deleted_and_not_when_somebody_leaves() {
    let mut relay = relay(Settings { empty_ttl: Duration::from_secs(100), ..nobody_is_asked() });
    let ids: Vec<String> = (0..3).map(|_| relay.create(client(0))).collect();
    assert_eq!(relay.say(client(0), b"!CREATE"), "ERR CLIENT_LIMIT 3/3");
    relay.join(client(0), &ids[0]);
    assert_eq!(relay.say(client(0), &text(&["!LEAVE ", &ids[0]])), format!("OK LEFT {}", ids[0]));
    assert_eq!(relay.say(client(0), b"!CREATE"), "ERR CLIENT_LIMIT 3/3");
    relay.join(client(1), &ids[0]);
    for _ in 0..5 {
        relay.pass_quietly(30_000);
        relay.say(client(1), b"!PING");
    }
    assert_eq!(relay.groups.count(), 1, "the other two were empty for 100 s");
    relay.create(client(0));
    relay.create(client(0));
    assert_eq!(relay.say(client(0), b"!CREATE"), "ERR CLIENT_LIMIT 3/3");
}

#[test]
fn a_declared_group_is_permanent_and_becomes_ordinary_when_it_is_not_declared_any_more() {
    let mut relay = relay(Settings::default());
    declare(&relay, &[("LOBBY-1", None)]);
    relay.pass_quietly(1_000_000);
    relay.join(client(0), "LOBBY-1");
    relay.pass_quietly(1_000_000);
    assert_eq!((relay.groups.count(), relay.clients()), (1, 0), "the member went, the group stays");
    declare(&relay, &[]);
    relay.pass_quietly(299_000);
    assert_eq!(relay.groups.count(), 1, "its clock has just begun");
    relay.pass_quietly(31_001);
    assert_eq!(relay.groups.count(), 0);
    assert_eq!(join(&mut relay, 0, "LOBBY-1"), "ERR BAD_ARG NoSuchGroup");
}

#[test]
fn declaring_a_clients_group_gives_its_quota_back_once() {
    let mut relay = relay(Settings { max_groups_per_client: 1, ..nobody_is_asked() });
    for _ in 0..3 {
        let id = relay.create(client(0));
        assert_eq!(relay.say(client(0), b"!CREATE"), "ERR CLIENT_LIMIT 1/1");
        declare(&relay, &[(&id, None)]);
        let own = relay.create(client(0));
        declare(&relay, &[]);
        relay.pass_quietly(400_000);
        assert_eq!(relay.groups.count(), 0, "{id} and {own} are gone");
    }
    relay.create(client(0));
    assert_eq!(relay.say(client(0), b"!CREATE"), "ERR CLIENT_LIMIT 1/1");
}

#[test]
fn ceilings_refuse_clearly_and_open_again() {
    let ceilings = Ceilings { clients: 2, groups: 3, unjoined_groups: 2 };
    let mut relay = relay(Settings {
        ceilings,
        max_groups_per_client: 9,
        // Where nobody has to prove anything, nobody makes room.
        admission: AdmissionMode::Open,
        ..Settings::default()
    });
    let (first, second) = (relay.create(client(0)), relay.create(client(0)));
    assert_eq!(relay.say(client(0), b"!CREATE"), "ERR SERVER_FULL TryLater", "two were never joined");
    relay.join(client(0), &first);
    relay.create(client(0));
    assert_eq!(relay.say(client(0), b"!CREATE"), "ERR SERVER_FULL TryLater", "three are all");
    relay.join(client(1), &first);
    assert_eq!(join(&mut relay, 2, &first), "ERR SERVER_FULL TryLater", "two clients are all");
    relay.join(client(1), &second);
    relay.say(client(1), &text(&["!LEAVE ", &second]));
    relay.join(client(2), &second);
}

#[test]
fn ceilings_at_their_bound_do_not_ask_for_more_memory_than_there_is() {
    let ceilings = Ceilings { clients: CEILING, groups: CEILING, unjoined_groups: CEILING };
    let mut relay = Relay::new(1, Settings { ceilings, ..Settings::default() });
    let id = relay.create(client(0));
    relay.join(client(0), &id);
}

#[test]
fn ten_thousand_members_come_talk_and_go() {
    const MEMBERS: u32 = 10_000;
    let mut relay = relay(Settings { cap: Cap::Unlimited, ..Settings::default() });
    let id = relay.create(client(0));
    for number in 0..MEMBERS {
        relay.join(client(number), &id);
        if number % 1000 == 0 {
            assert_eq!(relay.payload(client(number), b"hello").len() as u32, number);
        }
    }
    for number in (0..MEMBERS).filter(|number| number % 3 != 0) {
        assert_eq!(relay.say(client(number), &text(&["!LEAVE ", &id])), format!("OK LEFT {id}"));
        if number % 1000 == 0 {
            relay.payload(client(number / 3 * 3), b"still here");
        }
    }
    let mut left: Vec<_> = (1..MEMBERS).filter(|number| number % 3 == 0).map(client).collect();
    left.sort_unstable();
    assert_eq!(relay.payload(client(0), b"who is left?"), left);
    for number in (0..MEMBERS).step_by(3) {
        relay.say(client(number), &text(&["!LEAVE ", &id]));
    }
    relay.join(client(5), &id);
    assert_eq!(who(&mut relay, 5), format!("OK WHO {id} 1"));
}

#[test]
fn every_turn_may_bring_its_own_outbox() {
    let mut relay = Relay::new(1, Settings::default());
    let ids = [relay.create(client(0)), relay.create(client(0))];
    (0..6).for_each(|number| relay.join(client(number), &ids[number as usize % 2]));
    let mut say = |speakers: &[u32]| {
        let mut outbox = Outbox::default();
        for speaker in speakers {
            let datagram =
                Datagram { bytes: b"x", source: client(*speaker), local: LocalAddr::new(0, None), number: 0 };
            relay.engines[0].receive(&datagram, &mut outbox);
        }
        let fan_out = |delivery| match answer(&outbox, delivery) {
            Answer::FanOut(members) => members[0].client.socket_addr(),
            other => panic!("{other:?}"),
        };
        outbox.epochs().flatten().map(fan_out).collect::<Vec<_>>()
    };
    assert_eq!(say(&[0, 1]), [client(2), client(3)]);
    assert_eq!(say(&[1, 0]), [client(3), client(2)], "where a roster stood in another outbox says nothing");
}

/// Whoever gathers an epoch's payloads finds its rosters side by side.
#[test]
fn each_epoch_lists_its_rosters_anew() {
    let mut relay = Relay::new(1, Settings::default());
    let ids = [relay.create(client(0)), relay.create(client(0))];
    (0..6).for_each(|number| relay.join(client(number), &ids[number as usize % 2]));
    relay.begin_turn(0);
    (0..2).for_each(|number| relay.receive(client(number), b"before"));
    relay.receive(client(5), text(&["!LEAVE ", &ids[1]]).as_slice());
    (0..2).for_each(|number| relay.receive(client(number), b"after"));
    let outbox = &relay.outboxes[0];
    let rosters = |epoch: &[Delivery]| {
        let of = |delivery: &Delivery| match delivery.audience {
            Audience::Others { roster, .. } => Some(roster.0),
            Audience::One(_) => None,
        };
        epoch.iter().filter_map(of).collect::<Vec<_>>()
    };
    assert_eq!(outbox.epochs().map(rosters).collect::<Vec<_>>(), [vec![0, 1], vec![2, 3]]);
}

#[test]
fn a_roster_stands_in_the_outbox_once_for_all_payloads_of_a_turn() {
    let mut relay = Relay::new(1, Settings::default());
    let ids = [relay.create(client(0)), relay.create(client(0))];
    (0..6).for_each(|number| relay.join(client(number), &ids[number as usize % 2]));
    relay.begin_turn(0);
    (0..6).for_each(|number| relay.receive(client(number), b"hello"));
    let rosters: Vec<_> = relay.outboxes[0]
        .epochs()
        .flatten()
        .map(|delivery| match delivery.audience {
            Audience::Others { roster, .. } => roster,
            Audience::One(_) => panic!("{delivery:?}"),
        })
        .collect();
    assert_eq!(rosters, [0, 1, 0, 1, 0, 1].map(RosterIndex));
}

#[test]
fn nothing_follows_ok_left() {
    let mut relay = Relay::new(1, Settings::default());
    let id = relay.create(client(0));
    (0..3).for_each(|number| relay.join(client(number), &id));
    relay.begin_turn(0);
    assert!(relay.outboxes[0].is_empty());
    for (number, bytes) in [(0, b"before".to_vec()), (1, text(&["!LEAVE ", &id])), (0, b"after".to_vec())] {
        relay.receive(client(number), &bytes);
    }
    let outbox = &relay.outboxes[0];
    let epochs: Vec<Vec<Answer>> = outbox
        .epochs()
        .map(|epoch| epoch.iter().map(|delivery| answer(outbox, delivery)).collect())
        .collect();
    let hears = |answer: &Answer, number: u32| match answer {
        Answer::FanOut(members) => members.iter().any(|member| member.client.socket_addr() == client(number)),
        _ => false,
    };
    assert_eq!((epochs.len(), epochs[0].len(), epochs[1].len()), (2, 1, 2));
    assert!(hears(&epochs[0][0], 1) && !hears(&epochs[1][1], 1) && hears(&epochs[1][1], 2));
    assert_eq!(epochs[1][0], Answer::Reply { to: client(1), text: format!("OK LEFT {id}") });
    let ended_by = |epoch| outbox.ended_by(epoch).map(|departure| departure.client.socket_addr());
    assert_eq!((ended_by(0), ended_by(1), outbox.is_empty()), (Some(client(1)), None, false));
}

#[test]
fn a_client_that_no_filter_steers_to_one_shard_does_no_harm() {
    let mut relay = relay(Settings::default());
    let id = relay.create(client(0));
    (0..3).for_each(|number| relay.join(client(number), &id));
    let (local, command) = (LocalAddr::new(0, None), text(&["!JOIN ", &id]));
    let mut stray = |bytes: &[u8], outbox: &mut Outbox| {
        relay.engines[1].receive(&Datagram { bytes, source: client(0), local, number: 0 }, outbox);
    };
    let mut outbox = Outbox::default();
    [&command[..], b"hello", b"!WHO", b"!PING"].iter().for_each(|bytes| stray(bytes, &mut outbox));
    relay.payload(client(0), b"hello");
    for shard in [1, 0] {
        let (bytes, outbox) = (text(&["!LEAVE ", &id]), &mut relay.outboxes[shard]);
        relay.engines[shard]
            .receive(&Datagram { bytes: &bytes, source: client(0), local, number: 0 }, outbox);
    }
    assert_eq!(who(&mut relay, 1), format!("OK WHO {id} 2"));
    assert_eq!(relay.payload(client(1), b"as if nothing had been"), [client(2)]);
    assert_eq!(relay.clients(), 2);
}
