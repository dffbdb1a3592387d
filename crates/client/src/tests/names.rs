//! Names: had, refused, taken away, and asked for again.

use super::world::World;
use crate::{Event, MessageError, Request};
use wire::{Refusal, Token};

/// To have a name by a claim that is nobody's.
fn register(name: &str) -> Request {
    Request::Register { name: name.into(), claim: Some(Token::of(7)) }
}

fn is_back(events: &[Event]) -> bool {
    events.iter().any(|event| matches!(event, Event::Registered { name, again: true, .. } if name == "anna"))
}

/// What the first client is called, by itself and by the relay.
fn names(world: &mut World) -> [Option<String>; 2] {
    let address = world.clients[0].address.unwrap();
    let by_relay = world.relay.sessions.get(&address).and_then(|session| session.name.clone());
    [world.client(0).name().map(str::to_owned), by_relay]
}

fn both(name: &str) -> [Option<String>; 2] {
    [Some(name.into()), Some(name.into())]
}

#[test]
fn who_is_refused_another_name_keeps_its_own() {
    let mut world = World::of(&["anna", "bob"], 1);
    world.ask(0, register("bob"));
    world.pass(1.0);
    assert_eq!(world.events(0), [Event::NameTaken("bob".into())]);
    assert_eq!(names(&mut world), both("anna"));
    world.ask(0, register("\u{bd}"));
    world.pass(1.0);
    let refused = Event::Refused { request: register("\u{bd}"), refusal: Refusal::BadName };
    assert_eq!(world.events(0), [refused]);
    assert_eq!(names(&mut world), both("anna"));
    let now = world.now;
    assert!(world.client(0).message("bob", b"x", now).is_ok());
}

#[test]
fn who_was_refused_another_name_comes_back_with_its_own() {
    let mut world = World::of(&["anna", "bob"], 1);
    world.ask(0, register("bob"));
    world.pass(1.0);
    world.relay.restart();
    world.pass(30.0);
    assert!(is_back(&world.events(0)));
    assert_eq!(names(&mut world), both("anna"));
    // The answer comes in another session than the question.
    world.cut.push(world.clients[0].address.unwrap());
    world.relay.restart();
    world.ask(0, register("bob"));
    world.pass(30.0);
    let events = world.events(0);
    assert!(is_back(&events) && events.contains(&Event::NameTaken("bob".into())), "{events:?}");
    assert_eq!(names(&mut world), both("anna"));
}

#[test]
fn whose_claim_is_not_right_any_more_has_no_name() {
    let mut world = World::of(&["anna"], 1);
    world.relay.give_away("anna");
    world.relay.restart();
    world.pass(30.0);
    assert!(world.events(0).contains(&Event::NameTaken("anna".into())));
    assert_eq!(names(&mut world), [None, None]);
    let now = world.now;
    assert_eq!(world.client(0).message("anna", b"x", now), Err(MessageError::NotRegistered));
}

/// A relay that has just started may be full for a while: nobody has to ask for what was his before.
#[test]
fn who_comes_back_to_a_full_relay_asks_until_there_is_room() {
    let mut world = World::of(&["anna", "bob"], 1);
    let home = world.client(0).group().unwrap();
    world.relay.is_crowded = true;
    world.relay.restart();
    world.pass(120.0);
    let name = Request::Register { name: "anna".into(), claim: None };
    let events = world.events(0);
    let deferred = |of: &Request| {
        let is_it = |event: &&Event| matches!(event, Event::Deferred(request) if request.to_string() == of.to_string());
        events.iter().filter(is_it).count()
    };
    assert_eq!([deferred(&name), deferred(&Request::Join(home))], [1, 1], "told once: {events:?}");
    assert!(!events.iter().any(|event| matches!(event, Event::Refused { .. })), "{events:?}");
    let asked = world.relay.received.iter().filter(|text| text.starts_with("!REG anna ")).count();
    assert!((10..20).contains(&asked), "less and less often: {asked}");
    // What is written meanwhile waits for the name.
    let now = world.now;
    world.client(0).message("bob", b"x", now).unwrap();
    world.relay.is_crowded = false;
    world.pass(30.0);
    let events = world.events(0);
    assert!(is_back(&events), "{events:?}");
    assert!(events.contains(&Event::Joined { group: home, again: true }), "{events:?}");
    assert_eq!(names(&mut world), both("anna"));
    assert!(
        world.events(1).iter().any(|event| matches!(event, Event::Message { from, .. } if from == "anna"))
    );
    // Another time is told again.
    world.relay.is_crowded = true;
    world.relay.restart();
    world.pass(60.0);
    assert!(world.events(0).iter().any(|event| matches!(event, Event::Deferred(_))));
    // Who leaves it does not come back to it.
    world.ask(0, Request::Leave(home));
    world.pass(1.0);
    world.relay.is_crowded = false;
    world.pass(30.0);
    assert_eq!(world.client(0).group(), None);
    assert_eq!(names(&mut world), both("anna"));
}

/// What a person asks for meanwhile is what is wanted now, however long the answer takes: nobody is taken back from there.
#[test]
fn who_asks_for_another_group_when_it_is_time_to_come_back_stays_there() {
    let mut world = World::of(&["anna"], 1);
    let other = "OTHER".parse().unwrap();
    world.relay.is_crowded = true;
    world.relay.restart();
    let deferred = |event: &Event| matches!(event, Event::Deferred(Request::Join(_)));
    world.pass_until(|world| world.clients[0].events.iter().any(deferred));
    world.relay.is_crowded = false;
    let address = world.clients[0].address.unwrap();
    world.cut.push(address);
    world.ask(0, Request::Join(other));
    world.pass(1.5);
    world.cut.clear();
    world.pass(60.0);
    assert_eq!(world.client(0).group(), Some(other));
    assert_eq!(names(&mut world), both("anna"));
    let moves = world.events(0).into_iter().filter(|event| matches!(event, Event::Joined { .. })).count();
    assert_eq!(moves, 1);
}

/// The relay has granted the name, the answer was lost, and the repeat met a full relay: which of the two is had?
#[test]
fn who_cannot_know_which_name_it_has_asks_for_its_own() {
    let mut world = World::of(&["anna"], 1);
    let address = world.clients[0].address.unwrap();
    world.cut.push(address);
    world.ask(0, register("carl"));
    world.pass(1.5);
    world.cut.clear();
    world.relay.sessions.get_mut(&address).unwrap().name = Some("carl".into());
    let now = world.now;
    world.client(0).receive(super::relay::address(), b"!ERR SERVER_FULL TryLater", now);
    world.pass(1.0);
    let events = world.events(0);
    let refused = Event::Refused { request: register("carl"), refusal: Refusal::ServerFull };
    assert!(is_back(&events) && events.contains(&refused), "{events:?}");
    assert_eq!(names(&mut world), both("anna"));
}
