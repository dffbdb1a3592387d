//! Messages to people, whatever the network does: once each, and in order.

use super::network::{STORM, Weather};
use super::world::World;
use crate::{Closing, Event, Fate, MessageError, Request};
use wire::MessageId;

fn texts(events: &[Event], sender: &str) -> Vec<String> {
    let text = |event: &Event| match event {
        Event::Message { from, bytes, .. } if from == sender => {
            Some(String::from_utf8(bytes.clone()).unwrap())
        }
        _ => None,
    };
    events.iter().filter_map(text).collect()
}

fn fates(events: &[Event]) -> Vec<Fate> {
    let fate = |event: &Event| match event {
        Event::Fate { fate, .. } => Some(*fate),
        _ => None,
    };
    events.iter().filter_map(fate).collect()
}

fn write(world: &mut World, member: usize, to: &str, text: &str) {
    let now = world.now;
    world.client(member).message(to, text.as_bytes(), now).unwrap();
}

#[test]
fn a_message_is_sent_and_delivered() {
    let mut world = World::of(&["anna", "bob"], 1);
    write(&mut world, 0, "bob", "!hello  bob");
    world.pass(2.0);
    assert_eq!(fates(&world.events(0)), [Fate::Sent, Fate::Delivered]);
    assert_eq!(texts(&world.events(1), "anna"), ["!hello  bob"]);
}

#[test]
fn what_an_earlier_run_has_told_is_acknowledged_only() {
    let mut world = World::of(&["anna", "bob"], 1);
    let (now, id) = (world.now, MessageId::parse(b"m1").unwrap());
    world.client(1).remember("Anna", id);
    world.client(1).receive(super::relay::address(), b"!MSG anna m1 17 again", now);
    world.client(1).receive(super::relay::address(), b"!MSG anna m2 17 new", now);
    world.pass(1.0);
    assert_eq!(texts(&world.events(1), "anna"), ["new"]);
    let acks = |text: &&String| text.starts_with("!ACK");
    assert_eq!(
        world.relay.received.iter().filter(acks).collect::<Vec<_>>(),
        ["!ACK anna m1", "!ACK anna m2"]
    );
}

#[test]
fn what_an_earlier_run_has_told_may_be_said_before_the_relay_has_answered() {
    let mut world = World::new(1);
    let (bob, id) = (world.enter(), MessageId::parse(b"m1").unwrap());
    world.client(bob).remember("Anna", id);
    world.pass(1.0);
    world.ask(bob, Request::Register { name: "bob".into(), claim: None });
    world.pass(1.0);
    let now = world.now;
    world.client(bob).receive(super::relay::address(), b"!MSG anna m1 17 again", now);
    world.client(bob).receive(super::relay::address(), b"!MSG anna m2 17 new", now);
    world.pass(1.0);
    assert_eq!(texts(&world.events(bob), "anna"), ["new"]);
}

#[test]
fn each_arrives_once_and_in_order_in_a_storm() {
    for seed in 0..25 {
        let names = ["anna", "bob", "eve"];
        let mut world = World::of(&names, seed);
        world.network.weather = STORM;
        for number in 0..12 {
            for member in 0..3 {
                for other in (0..3).filter(|other| *other != member) {
                    write(&mut world, member, names[other], &number.to_string());
                }
            }
            world.pass(0.7);
        }
        world.pass_until(|world| world.clients.iter().all(|member| member.client.waiting() == 0));
        // What is stored is delivered when its recipient is heard next.
        world.network.weather = super::network::FAIR;
        world.pass(300.0);
        let all: Vec<String> = (0..12).map(|number| number.to_string()).collect();
        for member in 0..3 {
            let events = world.events(member);
            for other in (0..3).filter(|other| *other != member) {
                assert_eq!(texts(&events, names[other]), all, "seed {seed}: {}", names[member]);
            }
            let sent = fates(&events).iter().filter(|fate| **fate == Fate::Sent).count();
            let delivered = fates(&events).iter().filter(|fate| **fate == Fate::Delivered).count();
            assert_eq!(sent, 24, "seed {seed}");
            // The news of a late delivery may be lost: what is stored is told once.
            let stored = fates(&events).iter().filter(|fate| **fate == Fate::Stored).count();
            assert!(delivered <= 24 && delivered + stored >= 24, "seed {seed}: {delivered} and {stored}");
        }
    }
}

#[test]
fn each_arrives_once_and_in_order_while_networks_change() {
    for seed in 100..115 {
        let mut world = World::of(&["anna", "bob"], seed);
        world.network.weather = Weather { lost: 15, ..STORM };
        for number in 0..20 {
            write(&mut world, 0, "bob", &number.to_string());
            let member = world.network.pick(8) as usize;
            if member < 2 {
                let now = world.now;
                world.client(member).network_changed(now);
            }
            world.pass(1.0);
        }
        world.network.weather = super::network::FAIR;
        world.pass_until(|world| world.client(0).waiting() == 0);
        world.pass(30.0);
        let all: Vec<String> = (0..20).map(|number| number.to_string()).collect();
        assert_eq!(texts(&world.events(1), "anna"), all, "seed {seed}");
    }
}

#[test]
fn mail_waits_for_who_is_away() {
    let mut world = World::of(&["anna", "bob"], 1);
    world.ask(1, Request::Deregister);
    world.pass(1.0);
    write(&mut world, 0, "bob", "one");
    write(&mut world, 0, "bob", "two");
    world.pass(5.0);
    assert_eq!(fates(&world.events(0)), [Fate::Sent, Fate::Stored, Fate::Sent, Fate::Stored]);
    world.events(1);
    let claim = world.clients[1].client.name();
    assert_eq!(claim, None);
    assert!(world.clients[1].client.message("anna", b"x", world.now).is_err(), "deregistered");
}

#[test]
fn a_name_that_nobody_has_and_a_full_box_are_told() {
    let mut world = World::of(&["anna", "bob"], 1);
    write(&mut world, 0, "nobody", "x");
    world.pass(1.0);
    assert_eq!(fates(&world.events(0)), [Fate::Sent, Fate::NoSuchName]);
    world.relay.quota = 0;
    write(&mut world, 0, "bob", "x");
    world.pass(1.0);
    assert_eq!(fates(&world.events(0)), [Fate::Sent, Fate::MailboxFull]);
}

/// A refusal names who it is for, and no peer is refused so: the request that follows is answered by what follows.
#[test]
fn who_asks_for_a_peer_is_not_answered_by_what_a_message_is() {
    let mut world = World::of(&["anna", "bob"], 1);
    write(&mut world, 0, "nobody", "x");
    world.ask(0, Request::Bridge(Some("bob".into())));
    world.pass(1.0);
    let events = world.events(0);
    assert_eq!(fates(&events), [Fate::Sent, Fate::NoSuchName]);
    assert_eq!(events.last(), Some(&Event::Waiting(Some("bob".into()))), "{events:?}");
}

#[test]
fn a_message_to_what_can_be_no_name_is_refused() {
    let mut world = World::of(&["anna", "bob"], 1);
    write(&mut world, 0, "bob", "x");
    write(&mut world, 0, "\u{bd}", "one");
    write(&mut world, 0, "\u{bd}", "two");
    world.pass(1.0);
    let mut told = fates(&world.events(0));
    told.sort_by_key(|fate| *fate == Fate::Delivered);
    assert_eq!(told, [Fate::Sent, Fate::Sent, Fate::Refused, Fate::Sent, Fate::Refused, Fate::Delivered]);
}

/// The answer names nothing: what else may be meant is asked again by itself.
#[test]
fn only_the_message_to_what_can_be_no_name_is_refused() {
    let mut world = World::of(&["anna", "\u{e9}va", "\u{fc}do"], 1);
    let (eva, address) = (world.clients[1].address.unwrap(), world.clients[0].address.unwrap());
    world.cut.push(eva);
    write(&mut world, 0, "\u{e9}va", "x");
    write(&mut world, 0, "\u{bd}", "x");
    world.ask(0, Request::Bridge(Some("\u{fc}do".into())));
    world.pass(10.0);
    let events = world.events(0);
    let fate = |to: &str| {
        let is_it = |event: &&Event| matches!(event, Event::Fate { to: its, .. } if its == to);
        fates(&events.iter().filter(is_it).cloned().collect::<Vec<_>>())
    };
    assert_eq!(fate("\u{e9}va"), [Fate::Sent, Fate::Stored]);
    assert_eq!(fate("\u{bd}"), [Fate::Sent, Fate::Refused]);
    assert!(events.contains(&Event::Waiting(Some("\u{fc}do".into()))), "{events:?}");
    assert_eq!((world.clients[0].address, world.client(0).waiting()), (Some(address), 0));
}

/// Two to bob, who does not answer; what anna hears of them once her name goes, and bob once he is back.
fn overtaken(name_goes: impl FnOnce(&mut World)) -> (Vec<Fate>, Vec<String>) {
    let mut world = World::of(&["anna", "bob"], 1);
    let bob = world.clients[1].address.unwrap();
    world.cut.push(bob);
    write(&mut world, 0, "bob", "one");
    write(&mut world, 0, "bob", "two");
    world.pass(0.2);
    name_goes(&mut world);
    world.pass(0.2);
    world.cut.clear();
    world.pass(10.0);
    (fates(&world.events(0)), texts(&world.events(1), "anna"))
}

#[test]
fn what_was_on_its_way_when_the_name_went_is_not_said_to_be_unsent() {
    let expected = (vec![Fate::Sent, Fate::Unknown, Fate::NotRegistered], vec!["one".to_owned()]);
    assert_eq!(overtaken(|world| world.ask(0, Request::Deregister)), expected);
    let moved = |world: &mut World| {
        let now = world.now;
        world.client(0).receive(super::relay::address(), b"!ERR NAME_MOVED anna", now);
    };
    assert_eq!(overtaken(moved), expected);
}

#[test]
fn a_message_that_the_relay_refuses_for_want_of_a_name_was_not_sent() {
    let nameless = || {
        let mut world = World::of(&["anna", "bob"], 1);
        let address = world.clients[0].address.unwrap();
        world.relay.sessions.get_mut(&address).unwrap().name = None;
        (world, address)
    };
    let (mut world, _) = nameless();
    write(&mut world, 0, "bob", "x");
    world.pass(1.0);
    let events = world.events(0);
    assert_eq!(fates(&events), [Fate::Sent, Fate::NotRegistered]);
    assert!(events.contains(&Event::NameMoved("anna".into())), "{events:?}");
    // What is never sent is not taken.
    let now = world.now;
    assert_eq!(world.client(0).message("bob", b"y", now), Err(MessageError::NotRegistered));
    // That the second copy is refused says nothing about the first.
    let (mut world, address) = nameless();
    world.cut.push(address);
    write(&mut world, 0, "bob", "x");
    world.pass(0.5);
    world.cut.clear();
    world.pass(1.0);
    assert_eq!(fates(&world.events(0)), [Fate::Sent, Fate::Unknown]);
}

/// The answer names neither a message nor a request: it ends neither.
#[test]
fn a_full_relay_is_asked_again_later() {
    let mut world = World::of(&["anna", "bob"], 1);
    world.relay.is_full = true;
    write(&mut world, 0, "bob", "x");
    world.ask(0, Request::Register { name: "anna".into(), claim: None });
    world.pass(1.0);
    let events = world.events(0);
    assert_eq!(fates(&events), [Fate::Sent, Fate::Deferred]);
    assert!(events.iter().any(|event| matches!(event, Event::Registered { .. })), "{events:?}");
    assert!(!events.iter().any(|event| matches!(event, Event::Refused { .. })), "{events:?}");
    world.pass(60.0);
    assert_eq!(fates(&world.events(0)), [], "which is told once");
    world.relay.is_full = false;
    world.pass(20.0);
    assert_eq!(fates(&world.events(0)), [Fate::Delivered]);
    assert_eq!(texts(&world.events(1), "anna"), ["x"]);
}

/// Both ask for each other, and the way opens.
fn bridged() -> World {
    let mut world = World::of(&["anna", "bob"], 1);
    world.ask(0, Request::Bridge(Some("bob".into())));
    world.pass(1.0);
    assert_eq!(world.events(0), [Event::Waiting(Some("bob".into()))]);
    world.ask(1, Request::Bridge(Some("anna".into())));
    world.pass(1.0);
    for (member, name) in [(0, "bob"), (1, "anna")] {
        let events = world.events(member);
        assert!(matches!(&events[..], [Event::Punching(_), Event::DirectOpen { .. }]), "{events:?}");
        assert_eq!(world.clients[member].client.direct_peer(), Some(name));
    }
    world
}

#[test]
fn direct_messages_go_straight_and_strangers_are_never_shown() {
    let mut world = bridged();
    world.pass(4.0);
    world.relay.received.clear();
    write(&mut world, 0, "Bob", "between us");
    world.pass(1.0);
    assert_eq!(texts(&world.events(1), "anna"), ["between us"]);
    assert_eq!(fates(&world.events(0)), [Fate::Sent, Fate::Delivered]);
    assert!(!world.relay.received.iter().any(|text| text.contains("between us")));
    let now = world.now;
    let spied = world.arrived.iter().rfind(|letter| letter.datagram.starts_with(b"!D ")).unwrap().clone();
    for from in ["203.0.113.9:5000", "192.0.2.1:5001"] {
        let from = from.parse().unwrap();
        world.client(1).receive(from, &spied.datagram, now);
        world.client(1).receive(from, b"!MSG eve 1 17 hello", now);
        world.client(1).receive(from, b"hello", now);
    }
    let peer = world.clients[0].address.unwrap();
    world.client(1).receive(peer, b"hello", now);
    world.client(1).receive(peer, b"!FROM eve 0000000000 hello", now);
    world.pass(1.0);
    assert_eq!(world.events(1), []);
}

#[test]
fn direct_messages_are_in_order_in_a_storm() {
    let mut world = bridged();
    world.network.weather = STORM;
    for number in 0..20 {
        write(&mut world, 0, "bob", &number.to_string());
    }
    world.pass_until(|world| world.client(0).waiting() == 0);
    world.pass(20.0);
    let all: Vec<String> = (0..20).map(|number| number.to_string()).collect();
    assert_eq!(texts(&world.events(1), "anna"), all);
}

#[test]
fn a_direct_way_that_breaks_is_replaced_by_the_relay() {
    let mut world = bridged();
    world.pass(4.0);
    // Only between the two: the relay is still reached.
    let (anna, bob) = (world.clients[0].address.unwrap(), world.clients[1].address.unwrap());
    world.break_between = Some((anna, bob));
    write(&mut world, 0, "bob", "anyway");
    world.pass(10.0);
    let events = world.events(0);
    assert!(
        events.contains(&Event::DirectClosed { name: "bob".into(), reason: Closing::Silence }),
        "{events:?}"
    );
    assert_eq!(fates(&events).last(), Some(&Fate::Delivered));
    assert_eq!(texts(&world.events(1), "anna"), ["anyway"]);
}

#[test]
fn hanging_up_is_told_to_both() {
    let mut world = bridged();
    let now = world.now;
    assert!(world.client(0).hang_up(now));
    world.pass(1.0);
    let closed = |name: &str, reason| Event::DirectClosed { name: name.into(), reason };
    assert_eq!(world.events(0), [closed("bob", Closing::Ours)]);
    assert_eq!(world.events(1), [closed("anna", Closing::Theirs)]);
    assert!(!world.client(0).hang_up(now));
}

#[test]
fn nobody_comes() {
    let mut world = World::of(&["anna"], 1);
    world.ask(0, Request::Bridge(None));
    world.pass(70.0);
    assert_eq!(world.events(0), [Event::Waiting(None), Event::WaitingEnded]);
}
