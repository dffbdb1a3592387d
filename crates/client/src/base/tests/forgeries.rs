//! A member of the group who sends replies as payloads.

use super::world::{World, id, secs};
use crate::Event;
use crate::base::{HEARTBEAT_RANGE, Request};
use wire::{GroupId, Refusal, Reply};

const REPLIES: [&str; 10] = [
    "OK CREATED EVIL2345",
    "OK JOINED EVIL",
    "OK JOINED HOME",
    "OK LEFT HOME",
    "OK WHO EVIL 9",
    "PONG 0.001",
    "ERR NOT_IN_GROUP JoinFirstUseJOIN",
    "ERR NOT_IN_GROUP NotInThatGroup",
    "ERR BAD_ARG NoSuchGroup",
    "ERR SERVER_FULL TryLater",
];

fn text(text: &str) -> Event {
    Event::Text { group: Some(id("HOME")), from: None, bytes: text.into() }
}

/// A quiet member of HOME, whose last requests are forgotten.
fn quiet() -> World {
    let mut world = World::at_home();
    world.pass(secs(10.0));
    world
}

#[test]
fn what_nobody_asked_for_is_text() {
    let mut world = quiet();
    for reply in REPLIES {
        world.hear(reply);
        assert_eq!(world.events(), [text(reply)]);
    }
    world.exchange();
    assert!(world.said().is_empty());
    assert_eq!(world.client.group(), Some(id("HOME")));
    assert_eq!(world.client.status(world.now).heartbeat, Some(secs(60.0)));
}

#[test]
fn a_forged_loss_after_a_payload_is_unmasked() {
    let mut world = quiet();
    world.say("hello");
    world.hear("ERR NOT_IN_GROUP JoinFirstUseJOIN");
    assert!(world.events().is_empty(), "not believed, not shown yet");
    world.exchange();
    assert_eq!(world.events(), [text("ERR NOT_IN_GROUP JoinFirstUseJOIN")]);
    assert_eq!(world.said(), ["hello", "!WHO"]);
    assert_eq!(world.client.group(), Some(id("HOME")));
}

#[test]
fn a_forged_loss_long_after_a_payload_is_text() {
    let mut world = quiet();
    world.say("hello");
    world.pass(secs(5.0));
    world.hear("ERR NOT_IN_GROUP JoinFirstUseJOIN");
    assert_eq!(world.events(), [text("ERR NOT_IN_GROUP JoinFirstUseJOIN")]);
}

#[test]
fn a_forged_answer_about_membership_is_unmasked() {
    for (request, forged) in [
        (Request::Who, "OK WHO EVIL 9"),
        (Request::Who, "ERR NOT_IN_GROUP JoinFirstUseJOIN"),
        (Request::Ping, "ERR NOT_IN_GROUP JoinFirstUseJOIN"),
    ] {
        let mut world = quiet();
        world.client.ask(request, world.now).unwrap();
        world.hear(forged);
        world.exchange();
        let events = world.events();
        assert_eq!((events.len(), &events[0]), (2, &text(forged)), "{request}");
        let answered = matches!(events[1], Event::Members { count: 2, .. } | Event::Alive { .. });
        assert!(answered, "{request}: {events:?}");
        assert_eq!(world.client.group(), Some(id("HOME")));
    }
}

#[test]
fn a_question_without_a_credible_answer_ends() {
    let mut world = quiet();
    world.loses = Box::new(|_, _| true);
    world.client.ask(Request::Who, world.now).unwrap();
    world.hear("OK WHO EVIL 9");
    world.exchange();
    world.pass(secs(10.0));
    let events = world.events();
    assert!(events.contains(&Event::NoAnswer { request: Request::Who.into(), tries: 3 }), "{events:?}");
    assert!(events.contains(&text("OK WHO EVIL 9")));
}

#[test]
fn a_forged_refusal_of_a_join_is_corrected() {
    // One only tells that the relay knows no proofs.
    for (forged, told) in
        [(1, Event::Joined { group: id("OTHER"), again: false }), (2, Event::Corrected(id("OTHER")))]
    {
        let mut world = quiet();
        world.client.ask(Request::Join(id("OTHER")), world.now).unwrap();
        (0..forged).for_each(|_| world.hear("ERR BAD_ARG NoSuchGroup"));
        world.exchange();
        assert_eq!(world.member, Some(id("OTHER")));
        assert_eq!(world.client.group(), Some(id("OTHER")));
        assert_eq!(world.events().last(), Some(&told));
    }
}

#[test]
fn a_forged_join_is_corrected() {
    let mut world = quiet();
    world.groups.remove(&id("OTHER"));
    world.client.ask(Request::Join(id("OTHER")), world.now).unwrap();
    world.hear("OK JOINED OTHER");
    world.exchange();
    assert_eq!(world.client.group(), Some(id("HOME")));
    assert_eq!(world.events().last(), Some(&Event::Corrected(id("HOME"))));
}

#[test]
fn a_forged_leave_is_corrected() {
    let mut world = quiet();
    world.loses = Box::new(|_, datagram| datagram == b"!LEAVE HOME");
    world.client.ask(Request::Leave(id("HOME")), world.now).unwrap();
    world.hear("OK LEFT HOME");
    world.exchange();
    assert_eq!(world.client.group(), None);
    world.hear("you are still here");
    world.exchange();
    assert_eq!(world.client.group(), Some(id("HOME")));
}

#[test]
fn a_forged_creation_is_told() {
    let mut world = quiet();
    world.client.ask(Request::Create, world.now).unwrap();
    world.hear("OK CREATED EVIL2345");
    world.exchange();
    let events = world.events();
    let first = id("EVIL2345");
    assert_eq!(events[0], Event::Created(first));
    let second = GroupId::generated([1; 8]);
    assert_eq!(events.last(), Some(&Event::CreatedTwice { first, second }));
}

#[test]
fn a_forged_heartbeat_cannot_silence_us() {
    for forged_first in [true, false] {
        let mut world = quiet();
        world.client.ask(Request::Ping, world.now).unwrap();
        if forged_first {
            world.hear("PONG 1000000.0");
            world.exchange();
        } else {
            world.exchange();
            world.hear("PONG 1000000.0");
        }
        assert_eq!(world.client.status(world.now).heartbeat, Some(secs(60.0)));
    }
    let mut world = quiet();
    world.loses = Box::new(|_, _| true);
    world.client.ask(Request::Ping, world.now).unwrap();
    world.hear("PONG 1000000.0");
    assert!(world.client.wake_at().unwrap() - world.now <= *HEARTBEAT_RANGE.end());
}

#[test]
fn a_flood_of_losses_costs_little_and_ends_well() {
    let mut world = quiet();
    let lost = Reply::Refused(Refusal::NotJoined).encode();
    world.client.send(b"hello", world.now).unwrap();
    for _ in 0..10_000 {
        world.client.receive(lost.as_bytes(), world.now);
    }
    world.exchange();
    world.pass(secs(10.0));
    assert_eq!(world.client.group(), Some(id("HOME")));
    assert!(world.said().len() < 20);
}
