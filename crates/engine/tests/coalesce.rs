//! How long a group's payloads may wait: its own time, else the common one, and what a reload changes.

mod common;

use std::sync::Arc;
use std::time::Duration;

use common::{Relay, client, text};
use engine::{Audience, Settings, Terms, Tick};

fn settings(millis: u64) -> Settings {
    Settings { coalesce: Duration::from_millis(millis), ..Settings::default() }
}

/// A relay with a group in which clients of both shards are.
fn relay(common: u64) -> (Relay, String) {
    let mut relay = Relay::new(2, settings(common));
    let id = relay.create(client(0));
    (0..4).for_each(|number| relay.join(client(number), &id));
    (relay, id)
}

fn declare(relay: &Relay, id: &str, millis: Option<u64>) {
    let terms = Terms { coalesce: millis.map(Duration::from_millis), ..Terms::default() };
    relay.groups.declare(&[(id.parse().unwrap(), terms)], Tick(relay.now));
}

fn reload(relay: &mut Relay, common: u64) {
    let settings = Arc::new(settings(common));
    relay.engines.iter_mut().for_each(|engine| engine.reload(Arc::clone(&settings)));
}

/// The milliseconds that the payloads of a client's group may wait, as both shards say.
fn hold(relay: &mut Relay) -> u128 {
    let [one, other] = [0, 1].map(|number| {
        relay.payload(client(number), b"hello");
        let outbox = &relay.outboxes[relay.shard(client(number))];
        let delivery = outbox.epochs().flatten().next().unwrap();
        let Audience::Others { roster, .. } = delivery.audience else { panic!("{delivery:?}") };
        outbox.listed(roster).hold.as_millis()
    });
    assert_eq!(one, other);
    one
}

#[test]
fn nothing_waits_unless_somebody_says_so() {
    let (mut relay, id) = relay(0);
    assert_eq!(hold(&mut relay), 0);
    declare(&relay, &id, None);
    assert_eq!(hold(&mut relay), 0);
}

#[test]
fn the_common_time_is_for_all_and_a_groups_own_goes_first() {
    let (mut relay, id) = relay(5);
    assert_eq!(hold(&mut relay), 5);
    declare(&relay, "LOBBY-1", Some(7));
    assert_eq!(hold(&mut relay), 5, "of another group");
    declare(&relay, &id, Some(20));
    assert_eq!(hold(&mut relay), 20);
    declare(&relay, &id, Some(0));
    assert_eq!(hold(&mut relay), 0, "off for this group");
    declare(&relay, &id, None);
    assert_eq!(hold(&mut relay), 5);
    (0..4).for_each(|number| drop(relay.say(client(number), &text(&["!LEAVE ", &id]))));
    declare(&relay, "LOBBY-1", Some(7));
    (0..4).for_each(|number| relay.join(client(number), "LOBBY-1"));
    assert_eq!(hold(&mut relay), 7);
}

#[test]
fn a_reload_reaches_groups_in_which_nothing_else_changes() {
    let (mut relay, id) = relay(0);
    for (common, own, expected) in [
        (10, None, 10),
        (0, None, 0),
        (0, Some(3), 3),
        (8, Some(3), 3),
        (8, Some(4), 4),
        (8, Some(0), 0),
        (9, None, 9),
        (0, Some(6), 6),
    ] {
        declare(&relay, &id, own);
        reload(&mut relay, common);
        assert_eq!(hold(&mut relay), expected);
    }
    relay.groups.declare::<Terms>(&[], Tick(relay.now));
    assert_eq!(hold(&mut relay), 0, "its terms go with the declaration");
}
