//! Which way the relay is spoken to.

use super::world::World;
use crate::{Event, Protocol, Request, RequestError, Transport};

#[test]
fn a_relay_that_does_not_know_hello_is_a_base_one() {
    let mut world = World::new(1);
    world.relay.is_original = true;
    let anna = world.enter();
    world.pass(1.0);
    let contact = Event::Contact { protocol: Protocol::Base, transport: Transport::Udp };
    assert_eq!(world.events(anna), [contact]);
    let (now, request) = (world.now, Request::Deregister);
    assert_eq!(world.client(anna).request(request, now), Err(RequestError::BaseOnly));
}

#[test]
fn a_relay_that_has_to_be_extended_and_is_not_is_told() {
    let mut world = World::new(1);
    world.relay.is_original = true;
    let anna = world.enter_with(Some(Protocol::Extended));
    world.pass(60.0);
    assert_eq!(world.events(anna), [Event::NotExtended]);
    world.relay.is_original = false;
    world.pass(60.0);
    let contact = Event::Contact { protocol: Protocol::Extended, transport: Transport::Udp };
    assert_eq!(world.events(anna), [contact]);
}

#[test]
fn a_relay_that_is_not_reached_by_udp_is_reached_by_tcp() {
    let mut world = World::new(1);
    (world.has_udp, world.has_tcp) = (false, true);
    let anna = world.enter();
    world.pass(5.0);
    let contact = Event::Contact { protocol: Protocol::Extended, transport: Transport::Tcp };
    assert_eq!(world.events(anna), [contact]);
    assert_eq!(world.clients[anna].opened, [Transport::Udp, Transport::Tcp]);
}

#[test]
fn nobody_there_is_told_once_and_tried_on() {
    let mut world = World::new(1);
    world.has_udp = false;
    let anna = world.enter();
    world.pass(60.0);
    assert_eq!(world.events(anna), [Event::NoContact { refused: true }]);
    assert!(world.client(anna).is_out_of_contact());
    world.has_udp = true;
    world.pass(30.0);
    assert!(matches!(world.events(anna)[..], [Event::Contact { .. }]));
}

#[test]
fn a_base_client_that_has_to_be_one_says_no_hello() {
    let mut world = World::new(1);
    let anna = world.enter_with(Some(Protocol::Base));
    world.pass(1.0);
    assert!(matches!(world.events(anna)[..], [Event::Contact { protocol: Protocol::Base, .. }]));
    assert_eq!(world.relay.received, ["!PING"]);
}

#[test]
fn a_way_that_ends_is_looked_for_by_all_transports() {
    let mut world = World::of(&["anna"], 1);
    (world.has_udp, world.has_tcp) = (false, true);
    world.pass(60.0);
    let contact = Event::Contact { protocol: Protocol::Extended, transport: Transport::Tcp };
    // There is contact, in another way: nothing to worry about.
    let resumed = Event::Resumed { anew: false };
    assert_eq!(world.events(0), [Event::Interrupted { unsure: false }, contact, resumed]);
    assert_eq!(world.clients[0].client.name(), Some("anna"));
    world.has_tcp = false;
    let now = world.now;
    world.client(0).closed(now);
    world.pass(10.0);
    let events = world.events(0);
    assert_eq!(events, [Event::Interrupted { unsure: false }, Event::NoContact { refused: false }]);
}

#[test]
fn a_relay_that_becomes_an_original_one_is_followed() {
    let mut world = World::of(&["anna"], 1);
    world.relay.restart();
    world.relay.is_original = true;
    world.pass(60.0);
    let now = world.now;
    let _ = world.client(0).request(Request::Who, now);
    world.pass(60.0);
    let events = world.events(0);
    let contact = Event::Contact { protocol: Protocol::Base, transport: Transport::Udp };
    assert!(events.contains(&contact), "{events:?}");
    assert!(world.relay.received.iter().any(|text| text.starts_with("!JOIN HOME")));
}
