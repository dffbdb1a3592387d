//! Lost datagrams, lost memberships and a relay that goes away.

use super::world::{Losses, Way, World, id, secs};
use crate::Event;
use crate::base::{PATIENCE, REJOIN_PAUSE, Request, TRIES};
use wire::Refusal;

fn lose_first(count: u32, way: Way) -> Losses {
    let mut left = count;
    Box::new(move |at, _| {
        let lost = at == way && left > 0;
        left -= u32::from(lost);
        lost
    })
}

#[test]
fn lost_datagrams_are_repeated() {
    for way in [Way::ToRelay, Way::ToClient] {
        for request in [Request::Join(id("OTHER")), Request::Leave(id("HOME")), Request::Who, Request::Ping] {
            let mut world = World::at_home();
            world.loses = lose_first(TRIES - 1, way);
            world.ask(request);
            assert!(world.events().is_empty());
            world.pass(PATIENCE * TRIES);
            let events = world.events();
            assert_eq!(events.len(), 1, "{request}: {events:?}");
            let expected = world.member;
            assert_eq!(world.client.group(), expected, "{request}");
        }
    }
}

#[test]
fn answers_to_repetitions_are_no_texts() {
    let mut world = World::at_home();
    world.loses = lose_first(2, Way::ToClient);
    world.ask(Request::Who);
    world.pass(PATIENCE * 3);
    for _ in 0..2 {
        world.hear("OK WHO HOME 2");
    }
    assert_eq!(world.events(), [Event::Members { group: id("HOME"), count: 2 }]);
    world.hear("OK WHO HOME 2");
    assert!(matches!(world.events()[..], [Event::Text { .. }]), "nobody asked a fourth time");
}

#[test]
fn silence_is_reported_after_three_tries() {
    let mut world = World::at_home();
    world.loses = Box::new(|_, _| true);
    world.ask(Request::Who);
    world.pass(PATIENCE * TRIES);
    assert_eq!(world.said(), ["!WHO"; 3]);
    assert_eq!(world.events(), [Event::NoAnswer { request: Request::Who.into(), tries: 3 }]);
    world.pass(secs(600.0));
    assert!(world.events().is_empty(), "told once");
    world.loses = Box::new(|_, _| false);
    world.pass(secs(60.0));
    assert_eq!(world.events(), [Event::Answers]);
}

#[test]
fn a_create_is_never_repeated() {
    let mut world = World::new();
    world.loses = Box::new(|way, _| way == Way::ToClient);
    world.ask(Request::Create);
    world.pass(secs(60.0));
    assert_eq!(world.said(), ["!CREATE AAAAAAAAAAAAAAAA"]);
    assert_eq!(world.events(), [Event::NoAnswer { request: Request::Create.into(), tries: 1 }]);
}

#[test]
fn a_late_create_is_still_told() {
    let mut world = World::new();
    world.loses = Box::new(|_, _| true);
    world.ask(Request::Create);
    world.pass(secs(4.0));
    world.events();
    world.hear("OK CREATED ABCD1234");
    assert_eq!(world.events(), [Event::Answers, Event::Created(id("ABCD1234"))]);
}

#[test]
fn a_late_join_is_found_out() {
    let mut world = World::new();
    world.loses = Box::new(|way, _| way == Way::ToClient);
    world.ask(Request::Join(id("HOME")));
    world.pass(PATIENCE * TRIES);
    assert_eq!(world.client.group(), None);
    world.events();
    world.loses = Box::new(|_, _| false);
    world.hear("OK JOINED HOME");
    world.exchange();
    assert_eq!(world.events(), [Event::Answers, Event::Corrected(id("HOME"))]);
    assert_eq!(world.client.group(), Some(id("HOME")));
}

#[test]
fn a_text_to_someone_in_no_group_leads_to_the_truth() {
    let mut world = World::new();
    world.member = Some(id("HOME"));
    world.hear("hello there");
    world.exchange();
    assert_eq!(world.events()[1..], [Event::Corrected(id("HOME"))]);
    world.member = None;
    world.ask(Request::Leave(id("HOME")));
    world.events();
    world.hear("a straggler");
    world.exchange();
    assert_eq!(world.events().len(), 1);
    assert_eq!(world.client.group(), None);
}

#[test]
fn a_lost_membership_is_found_by_a_payload_and_mended() {
    let mut world = World::at_home();
    world.member = None;
    world.client.send(b"one", world.now).unwrap();
    world.client.send(b"two", world.now).unwrap();
    world.exchange();
    let group = id("HOME");
    assert_eq!(world.events(), [Event::Lost { group, unsure: true }, Event::Joined { group, again: true }]);
    assert_eq!(world.said(), ["one", "two", "!WHO", "!JOIN HOME AAAAAAAAAAAAAAAA", "!PING"]);
    assert_eq!(world.member, Some(group));
}

#[test]
fn a_lost_membership_is_found_by_a_heartbeat_and_mended() {
    let mut world = World::at_home();
    world.member = None;
    world.pass(secs(60.0));
    let group = id("HOME");
    assert_eq!(world.events(), [Event::Lost { group, unsure: false }, Event::Joined { group, again: true }]);
}

#[test]
fn a_group_that_is_gone_is_given_up() {
    let mut world = World::at_home();
    world.member = None;
    world.groups.clear();
    world.say("anybody?");
    let refusal = Refusal::NoSuchGroup;
    let refused = Event::Refused { request: Request::Join(id("HOME")).into(), refusal };
    assert_eq!(world.events(), [Event::Lost { group: id("HOME"), unsure: true }, refused]);
    world.sent.clear();
    world.pass(secs(600.0));
    assert!(world.sent.is_empty() && world.client.home().is_none());
}

#[test]
fn a_relay_that_comes_back_finds_us_again() {
    let mut world = World::at_home();
    world.member = None;
    world.loses = Box::new(|_, _| true);
    world.pass(secs(300.0));
    assert_eq!(world.events(), [Event::Silent]);
    world.loses = Box::new(|_, _| false);
    world.pass(secs(60.0));
    let group = id("HOME");
    let back = [Event::Answers, Event::Lost { group, unsure: false }, Event::Joined { group, again: true }];
    assert_eq!(world.events(), back);
}

#[test]
fn rejoining_is_tried_until_the_relay_answers() {
    let mut world = World::at_home();
    world.member = None;
    world.loses = Box::new(|_, datagram| datagram.starts_with(b"!JOIN"));
    world.say("hello?");
    world.pass(secs(60.0));
    assert_eq!(world.client.home(), Some(id("HOME")));
    world.loses = Box::new(|_, _| false);
    world.pass(REJOIN_PAUSE + PATIENCE * TRIES);
    assert_eq!(world.client.group(), Some(id("HOME")));
}

#[test]
fn thrown_out_again_and_again_it_rejoins_at_a_bounded_rate() {
    let mut world = World::at_home();
    let end = world.now + secs(60.0);
    while world.now < end {
        world.member = None;
        if world.client.is_ready(world.now) {
            let _ = world.client.send(b"hello", world.now);
        }
        world.exchange();
        world.pass(secs(0.1));
    }
    let joins = world.said().iter().filter(|text| text.starts_with("!JOIN")).count();
    assert!((10..=14).contains(&joins), "{joins} joins in a minute");
}

#[test]
fn an_unreachable_relay_is_told_once() {
    let mut world = World::at_home();
    world.client.unreachable();
    world.client.unreachable();
    assert_eq!(world.events(), [Event::Unreachable]);
    world.hear("hello");
    assert_eq!(world.events()[0], Event::Answers);
}

#[test]
fn goodbye_does_not_wait_long() {
    let mut world = World::at_home();
    world.loses = Box::new(|_, _| true);
    world.client.goodbye(world.now);
    world.exchange();
    world.pass(secs(0.6));
    assert!(world.client.is_finished());
    assert_eq!(world.said(), ["!LEAVE HOME"; 2]);
}
