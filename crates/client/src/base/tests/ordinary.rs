//! What happens when nothing goes wrong.

use super::world::{World, id, secs};
use crate::Event;
use crate::base::{Busy, MAX_UNCONFIRMED, PATIENCE, Request, SendError, TRIES};
use wire::{Cookie, Heartbeat, Refusal};

#[test]
fn every_request_has_its_answer() {
    let mut world = World::new();
    world.ask(Request::Create);
    let Some(Event::Created(group)) = world.client.event() else { panic!() };
    world.ask(Request::Join(group));
    assert_eq!(world.events(), [Event::Joined { group, again: false }]);
    assert_eq!(world.client.group(), Some(group));
    world.ask(Request::Who);
    assert_eq!(world.events(), [Event::Members { group, count: 2 }]);
    world.ask(Request::Ping);
    assert_eq!(world.events(), [Event::Alive { round_trip: Some(secs(0.0)), heartbeat: secs(60.0) }]);
    world.ask(Request::Leave(group));
    assert_eq!(world.events(), [Event::Left(group)]);
    assert_eq!(world.client.group(), None);
}

#[test]
fn refusals_are_reported_and_change_nothing() {
    let mut world = World::at_home();
    for request in [Request::Join(id("NOWHERE")), Request::Leave(id("OTHER"))] {
        world.ask(request);
        assert!(
            matches!(world.client.event(), Some(Event::Refused { request: asked, .. }) if asked == request.into())
        );
        assert_eq!(world.client.group(), Some(id("HOME")));
    }
    let mut world = World::new();
    for request in [Request::Who, Request::Ping] {
        world.ask(request);
        assert_eq!(world.events(), [Event::Refused { request: request.into(), refusal: Refusal::NotJoined }]);
    }
}

#[test]
fn a_refusal_in_unknown_words_is_reported_too() {
    let mut world = World::new();
    world.client.ask(Request::Join(id("HOME")), world.now).unwrap();
    world.hear("ERR RETRY abcdef");
    let answer = b"ERR RETRY abcdef".to_vec();
    assert_eq!(
        world.events(),
        [Event::RefusedOtherwise { request: Request::Join(id("HOME")).into(), answer }]
    );
    assert!(world.client.is_ready(world.now));
}

#[test]
fn a_question_for_a_proof_is_answered_once() {
    let mut world = World::new();
    world.wants = Some(Cookie::of(7));
    world.ask(Request::Join(id("HOME")));
    assert_eq!(world.events(), [Event::Joined { group: id("HOME"), again: false }]);
    assert_eq!(
        world.said()[..2],
        ["!JOIN HOME AAAAAAAAAAAAAAAA".to_owned(), format!("!JOIN HOME {}", Cookie::of(7))]
    );

    // The question comes twice, because the first JOIN was repeated; then the relay wants something else.
    let mut world = World::new();
    let request = Request::Join(id("HOME"));
    world.client.ask(request, world.now).unwrap();
    for _ in 0..2 {
        world.hear(&format!("ERR RETRY {}", Cookie::of(7)));
    }
    assert_eq!(world.events(), []);
    assert_eq!(std::iter::from_fn(|| world.client.datagram()).count(), 2);
    world.hear(&format!("ERR RETRY {}", Cookie::of(8)));
    assert_eq!(
        world.events(),
        [Event::Refused { request: request.into(), refusal: Refusal::Retry(Cookie::of(8)) }]
    );
    assert_eq!(world.client.datagram(), None);
}

/// As who tries too many groups, or others behind its address.
#[test]
fn who_is_asked_again_and_again_is_told_so() {
    let request = Request::Join(id("HOME"));
    let retry = format!("ERR RETRY {}", Cookie::of(7));
    for (answered, expected) in [
        (3, Event::Refused { request: request.into(), refusal: Refusal::Retry(Cookie::of(7)) }),
        (2, Event::NoAnswer { request: request.into(), tries: 3 }),
    ] {
        let mut world = World::new();
        world.client.ask(request, world.now).unwrap();
        world.hear(&retry);
        for number in 0..TRIES {
            if number < answered {
                world.hear(&retry);
            }
            assert_eq!(world.events(), []);
            world.now += PATIENCE;
            world.client.tick(world.now);
        }
        assert_eq!(world.events(), [expected]);
    }
}

#[test]
fn a_relay_that_knows_no_proofs_is_asked_again_without() {
    let mut world = World::new();
    world.knows_proofs = false;
    world.ask(Request::Join(id("HOME")));
    assert_eq!(world.events(), [Event::Joined { group: id("HOME"), again: false }]);
    assert_eq!(world.said()[..2], ["!JOIN HOME AAAAAAAAAAAAAAAA", "!JOIN HOME"]);
    let request = Request::Join(id("NOWHERE"));
    world.ask(request);
    assert_eq!(world.events(), [Event::Refused { request: request.into(), refusal: Refusal::NoSuchGroup }]);
    assert_eq!(world.said()[..2], ["!JOIN NOWHERE AAAAAAAAAAAAAAAA", "!JOIN NOWHERE"]);

    // Its answers to two questions come late.
    let request = Request::Join(id("OTHER"));
    world.client.ask(request, world.now).unwrap();
    world.client.tick(world.now + PATIENCE);
    for sent in [3, 0] {
        world.hear("ERR BAD_ARG NoSuchGroup");
        assert_eq!(world.events(), []);
        assert_eq!(std::iter::from_fn(|| world.client.datagram()).count(), sent);
    }
    world.hear("OK JOINED OTHER");
    assert_eq!(world.events(), [Event::Joined { group: id("OTHER"), again: false }]);
}

#[test]
fn one_request_at_a_time() {
    let mut world = World::new();
    world.client.ask(Request::Join(id("HOME")), world.now).unwrap();
    assert_eq!(world.client.ask(Request::Who, world.now), Err(Busy));
    assert_eq!(world.client.send(b"early", world.now), Err(SendError::Busy));
}

#[test]
fn what_cannot_be_sent_is_refused_here() {
    let mut world = World::new();
    assert_eq!(world.client.send(b"hello", world.now), Err(SendError::NoGroup));
    let mut world = World::at_home();
    assert_eq!(world.client.send(b"", world.now), Err(SendError::Empty));
    assert_eq!(world.client.send(b"!PING", world.now), Err(SendError::Command));
    assert_eq!(world.client.send(&[b'x'; 4097], world.now), Err(SendError::TooLarge(4097)));
    assert_eq!(world.client.send(&[b'x'; 4096], world.now), Ok(()));
    assert_eq!(world.client.datagram(), Some(vec![b'x'; 4096]));
}

#[test]
fn the_first_ping_follows_the_join() {
    let mut world = World::new();
    world.ask(Request::Join(id("HOME")));
    assert_eq!(world.said(), ["!JOIN HOME AAAAAAAAAAAAAAAA", "!PING"]);
    assert_eq!(world.client.status(world.now).heartbeat, Some(secs(60.0)));
}

#[test]
fn a_member_is_never_idle_for_longer_than_the_heartbeat() {
    for (millis, base) in [(60_000, 60.0), (12_346, 12.346), (500, 1.0), (0, 1.0)] {
        let mut world = World::new();
        world.heartbeat = Heartbeat(millis);
        world.ask(Request::Join(id("HOME")));
        world.sent.clear();
        world.events();
        let mut last = world.now;
        world.pass(secs(base * 50.0));
        assert!(world.sent.len() >= 50 && world.sent.len() <= 63, "{} beats", world.sent.len());
        for (at, text) in &world.sent {
            if text == "!WHO" {
                continue;
            }
            assert_eq!(text, "!PING");
            let idle = *at - last;
            assert!(idle <= secs(base) && idle >= secs(base * 0.9), "{idle:?}");
            last = *at;
        }
        assert!(world.events().is_empty());
    }
}

#[test]
fn who_talks_needs_no_heartbeats_and_who_is_alone_sends_none() {
    let mut world = World::at_home();
    for _ in 0..20 {
        world.say("talk");
        world.pass(secs(50.0));
    }
    assert!(world.sent.iter().all(|(_, text)| text == "talk"), "{:?}", world.sent);
    let mut world = World::new();
    world.pass(secs(1000.0));
    assert!(world.sent.is_empty() && world.client.wake_at().is_none());
}

#[test]
fn a_stream_of_payloads_waits_for_the_relay() {
    let mut world = World::at_home();
    for number in 0..MAX_UNCONFIRMED {
        world.client.send(format!("{number}").as_bytes(), world.now).unwrap();
    }
    assert_eq!(world.client.send(b"more", world.now), Err(SendError::Busy));
    world.exchange();
    assert_eq!(world.said().last().unwrap(), "!PING");
    assert_eq!(world.client.send(b"more", world.now), Ok(()));
}

#[test]
fn goodbye_leaves_and_finishes() {
    let mut world = World::at_home();
    world.client.goodbye(world.now);
    assert!(!world.client.is_finished());
    world.exchange();
    assert!(world.client.is_finished() && world.member.is_none());
    assert_eq!(world.events(), [Event::Left(id("HOME"))]);

    let mut world = World::new();
    world.client.goodbye(world.now);
    assert!(world.client.is_finished() && world.client.datagram().is_none());
}

#[test]
fn goodbye_during_a_join_leaves_as_well() {
    let mut world = World::new();
    world.client.ask(Request::Join(id("HOME")), world.now).unwrap();
    world.client.goodbye(world.now);
    world.exchange();
    assert_eq!(world.said(), ["!JOIN HOME AAAAAAAAAAAAAAAA", "!LEAVE HOME"]);
    assert!(world.client.is_finished() && world.member.is_none());
}

#[test]
fn texts_are_shown_byte_for_byte() {
    let mut world = World::at_home();
    world.client.receive(b"\xff\x1b[2J", world.now);
    assert_eq!(
        world.events(),
        [Event::Text { group: Some(id("HOME")), from: None, bytes: b"\xff\x1b[2J".to_vec() }]
    );
}
