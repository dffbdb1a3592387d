//! Sessions: found, kept, lost and found again.

use super::network::STORM;
use super::world::{World, addresses};
use crate::{Config, Event, Fate, MessageError, Protocol, Request, RequestError, Transport};
use wire::{GroupId, News, Refusal};

fn home() -> GroupId {
    "HOME".parse().unwrap()
}

#[test]
fn a_session_begins_and_its_requests_are_answered() {
    let mut world = World::new(1);
    let anna = world.enter();
    world.pass(1.0);
    let contact = Event::Contact { protocol: Protocol::Extended, transport: Transport::Udp };
    assert_eq!(world.events(anna), [contact]);
    world.ask(anna, Request::Join(home()));
    world.pass(1.0);
    assert_eq!(world.events(anna), [Event::Joined { group: home(), again: false }]);
    world.ask(anna, Request::Who);
    world.pass(1.0);
    assert_eq!(world.events(anna), [Event::Members { group: home(), count: 1 }]);
    world.ask(anna, Request::Ping);
    world.pass(1.0);
    assert!(matches!(world.events(anna)[..], [Event::Alive { round_trip: Some(_), .. }]));
    world.ask(anna, Request::Join("NOWHERE".parse().unwrap()));
    world.pass(1.0);
    assert!(
        matches!(world.events(anna)[..], [Event::Refused { refusal: Refusal::NoSuchGroup, .. }]),
        "and the group stays"
    );
    assert_eq!(world.client(anna).group(), Some(home()));
    world.ask(anna, Request::Leave(home()));
    world.pass(1.0);
    assert_eq!(world.events(anna), [Event::Left(home())]);
}

#[test]
fn a_name_is_kept_by_its_claim() {
    let mut world = World::of(&["anna"], 1);
    let other = world.enter();
    world.pass(1.0);
    world.events(other);
    world.ask(other, Request::Register { name: "anna".into(), claim: None });
    world.pass(1.0);
    assert_eq!(world.events(other), [Event::NameTaken("anna".into())]);

    world.ask(0, Request::Register { name: "anna".into(), claim: None });
    world.pass(1.0);
    let events = world.events(0);
    let Some(Event::Registered { claim, .. }) = events.first() else { panic!("{events:?}") };
    world.ask(other, Request::Register { name: "anna".into(), claim: Some(*claim) });
    world.pass(1.0);
    assert!(matches!(&world.events(other)[..], [Event::Registered { name, .. }] if name == "anna"));
    assert_eq!(world.events(0), [Event::NameMoved("anna".into())]);
    assert_eq!(world.client(0).name(), None);
    assert!(world.clients[0].client.message("bob", b"x", world.now).is_err());
}

#[test]
fn what_can_be_no_name_is_not_asked_for() {
    let mut world = World::of(&["anna"], 1);
    let now = world.now;
    world.relay.received.clear();
    for name in ["", "two words", "a\nb", "@bob", "b!b", "bob:", "-", &"x".repeat(33)] {
        for request in
            [Request::Register { name: name.into(), claim: None }, Request::Bridge(Some(name.into()))]
        {
            assert_eq!(world.client(0).request(request, now), Err(RequestError::BadName), "{name}");
        }
        assert_eq!(world.client(0).message(name, b"x", now), Err(MessageError::BadName), "{name}");
    }
    world.pass(1.0);
    assert_eq!(world.relay.received, [""; 0]);
}

#[test]
fn nobody_is_asked_for_as_his_own_peer() {
    let mut world = World::of(&["anna"], 1);
    world.relay.received.clear();
    let now = world.now;
    let asked = world.client(0).request(Request::Bridge(Some("Anna".into())), now);
    world.pass(1.0);
    assert_eq!((asked, &world.relay.received[..]), (Err(RequestError::OwnName), &[][..]));
}

#[test]
fn a_peer_with_a_name_that_is_none_is_refused_at_once() {
    let mut world = World::of(&["anna"], 1);
    let request = Request::Bridge(Some("\u{bd}".into()));
    world.ask(0, request.clone());
    world.pass(0.5);
    assert_eq!(world.events(0), [Event::Refused { request, refusal: Refusal::BadName }]);
}

/// Whatever a relay says to a request, the way to it is not lost as long as it says anything.
#[test]
fn a_request_that_the_relay_refuses_in_any_words_ends() {
    for answer in ["!ERR OF_ANOTHER_KIND", "!ERR NOT_IN_GROUP NotInThatGroup", "!ERR NO_SUCH_NAME bob"] {
        let mut world = World::of(&["anna", "bob"], 1);
        world.relay.oddity = Some(answer);
        let request = Request::Bridge(Some("bob".into()));
        world.ask(0, request.clone());
        world.pass(5.0);
        let answer = answer.as_bytes().to_vec();
        assert_eq!(world.events(0), [Event::RefusedOtherwise { request, answer }]);
        let now = world.now;
        assert!(world.client(0).is_ready(now));
        // What the client asks for by itself is nobody's business, and ends, too.
        world.client(0).receive(super::relay::address(), b"!OK JOINED OTHER", now);
        world.pass(8.0);
        assert_eq!(world.events(0).len(), 1, "joined");
        assert!(world.client(0).is_idle() && !world.client(0).is_out_of_contact());
    }
}

#[test]
fn a_refusal_of_something_else_leaves_a_request_waiting() {
    let mut world = World::of(&["anna"], 1);
    world.cut.push(world.clients[0].address.unwrap());
    world.ask(0, Request::Who);
    let now = world.now;
    world.client(0).receive(super::relay::address(), b"!ERR OF_ANOTHER_KIND", now);
    world.pass(10.0);
    let events = world.events(0);
    assert!(events.contains(&Event::Members { group: home(), count: 1 }), "{events:?}");
}

#[test]
fn who_is_there_is_listed_page_by_page() {
    let mut world = World::of(&["anna", "bob", "carl", "dora", "eve"], 1);
    world.ask(0, Request::Peers);
    world.pass(1.0);
    let events = world.events(0);
    let [Event::Peers(people)] = &events[..] else { panic!("{events:?}") };
    let names: Vec<&str> = people.iter().map(|person| person.name.as_str()).collect();
    assert_eq!(names, ["anna", "bob", "carl", "dora", "eve"]);
    let known: Vec<String> = world.client(4).people().map(|person| person.name.clone()).collect();
    assert_eq!(known.len(), 5);
}

#[test]
fn who_has_no_name_sees_who_is_there_and_who_comes() {
    let mut world = World::of(&["anna", "bob"], 1);
    let stranger = world.enter();
    world.pass(1.0);
    world.relay.received.clear();
    world.ask(stranger, Request::Join(home()));
    world.pass(1.0);
    let people = |world: &mut World| -> Vec<String> {
        world.client(stranger).people().map(|person| person.name.clone()).collect()
    };
    assert_eq!(people(&mut world), ["anna", "bob"]);
    let asked = |world: &mut World, request: &str| world.relay.received.iter().any(|text| text == request);
    assert!(asked(&mut world, "!WATCH"));
    world.events(stranger);
    let now = world.now;
    world.client(stranger).receive(super::relay::address(), b"!PEER eve JOINED", now);
    world.pass(0.1);
    assert_eq!(world.events(stranger), [Event::Presence { name: "eve".into(), news: News::Joined }]);
    // After another way was found, as well: what was told meanwhile is lost.
    world.relay.received.clear();
    world.client(stranger).network_changed(now);
    world.pass(1.0);
    assert!(asked(&mut world, "!PEERS"));
    assert_eq!(people(&mut world), ["anna", "bob"]);
    // Who does not want to know it does not ask.
    let script = world.enter_as(Config { watches: false, ..Config::new(super::relay::address()) });
    world.pass(1.0);
    world.relay.received.clear();
    world.ask(script, Request::Join(home()));
    world.pass(1.0);
    assert!(!asked(&mut world, "!WATCH") && !asked(&mut world, "!PEERS"));
}

#[test]
fn news_of_people_are_told() {
    let mut world = World::of(&["anna"], 1);
    let (address, now) = (super::relay::address(), world.now);
    world.client(0).receive(address, b"!PEER bob JOINED eve LEFT", now);
    world.pass(0.1);
    let news = |name: &str, news| Event::Presence { name: name.into(), news };
    assert_eq!(world.events(0), [news("bob", News::Joined), news("eve", News::Left)]);
    // What becomes of oneself is no news, until the name is somebody else's.
    world.client(0).receive(address, b"!PEER Anna JOINED", now);
    world.ask(0, Request::Deregister);
    world.pass(0.1);
    world.client(0).receive(address, b"!PEER anna OFFLINE", now);
    world.client(0).receive(address, b"!PEER anna ONLINE", now);
    world.pass(0.1);
    assert_eq!(world.events(0), [Event::Deregistered("anna".into()), news("anna", News::Online)]);
}

#[test]
fn only_what_changes_is_news() {
    let mut world = World::of(&["anna"], 1);
    let (address, now) = (super::relay::address(), world.now);
    let news = |name: &str, news| Event::Presence { name: name.into(), news };
    // Who has a name for a moment only, as scripts do, was away before, too.
    for (said, told) in [
        ("otto OFFLINE", None),
        ("Otto OFFLINE", None),
        ("otto ONLINE", Some(news("otto", News::Online))),
        ("otto ONLINE", None),
        ("otto OFFLINE", Some(news("otto", News::Offline))),
        ("otto OFFLINE", None),
        ("otto JOINED", Some(news("otto", News::Joined))),
        ("otto ONLINE", None),
        ("otto LEFT", Some(news("otto", News::Left))),
        ("otto OFFLINE", None),
    ] {
        world.client(0).receive(address, format!("!PEER {said}").as_bytes(), now);
        world.pass(0.1);
        assert_eq!(world.events(0), Vec::from_iter(told), "{said}");
    }
}

#[test]
fn payloads_say_who_speaks_and_what_was_lost() {
    let mut world = World::of(&["anna", "bob"], 1);
    let say = |world: &mut World, text: &[u8]| {
        let now = world.now;
        world.client(1).send(text, now).unwrap();
        world.pass(0.5);
    };
    say(&mut world, b"one");
    say(&mut world, b"!two");
    let address = world.clients[0].address.unwrap();
    world.cut.push(address);
    say(&mut world, b"lost");
    say(&mut world, b"lost, too");
    world.cut.clear();
    say(&mut world, b"three");
    let text =
        |bytes: &[u8]| Event::Text { group: Some(home()), from: Some("bob".into()), bytes: bytes.to_vec() };
    let missed = Event::Missed { from: "bob".into(), count: 2 };
    assert_eq!(world.events(0), [text(b"one"), text(b"!two"), missed, text(b"three")]);
}

#[test]
fn a_dead_way_is_noticed_and_another_port_goes_on() {
    let mut world = World::of(&["anna", "bob"], 1);
    let old = world.clients[0].address.unwrap();
    world.cut.push(old);
    world.pass(30.0);
    let events = world.events(0);
    assert_eq!(events[0], Event::Interrupted { unsure: false });
    assert!(events.contains(&Event::Resumed { anew: false }), "{events:?}");
    let client = &world.clients[0].client;
    assert_eq!((client.group(), client.name()), (Some(home()), Some("anna")));
    assert_ne!(world.clients[0].address, Some(old));
    assert_eq!(addresses(&world)["anna"], world.clients[0].address.unwrap());
}

#[test]
fn a_hint_that_nobody_listens_is_looked_into() {
    let mut world = World::of(&["anna"], 1);
    let now = world.now;
    world.client(0).unreachable(now);
    world.pass(5.0);
    assert_eq!(world.events(0), [], "a forged one changes nothing");
    world.cut.push(world.clients[0].address.unwrap());
    let now = world.now;
    world.client(0).unreachable(now);
    world.pass(4.0);
    assert_eq!(world.events(0)[0], Event::Interrupted { unsure: false });
}

#[test]
fn a_changed_network_resumes_at_once() {
    let mut world = World::of(&["anna"], 1);
    let now = world.now;
    world.client(0).network_changed(now);
    world.pass(1.0);
    assert_eq!(world.events(0)[0], Event::Interrupted { unsure: false });
    assert_eq!(world.clients[0].client.name(), Some("anna"));
    assert!(world.client(0).is_ready(now));
}

#[test]
fn a_session_goes_on_although_a_router_has_changed_its_address() {
    let mut world = World::of(&["anna"], 1);
    // As the relay sees it; the socket is the same.
    world.clients[0].address = Some("198.51.100.8:9".parse().unwrap());
    world.ask(0, Request::Who);
    world.pass(3.0);
    let events = world.events(0);
    assert_eq!(events[0], Event::Interrupted { unsure: false });
    assert!(events.contains(&Event::Resumed { anew: false }), "{events:?}");
    assert_eq!(events.last(), Some(&Event::Members { group: home(), count: 1 }));
    assert_eq!(world.clients[0].opened, [Transport::Udp]);
    assert_eq!((world.clients[0].client.name(), world.relay.sessions.len()), (Some("anna"), 1));
}

#[test]
fn who_says_something_hears_soon_that_the_way_is_dead() {
    let mut world = World::of(&["anna"], 1);
    let now = world.now;
    world.client(0).send(b"hello", now).unwrap();
    world.pass(10.0);
    assert_eq!(world.events(0), [], "the relay answers");
    world.cut.push(world.clients[0].address.unwrap());
    let now = world.now;
    world.client(0).send(b"lost", now).unwrap();
    // Much less than a heartbeat.
    world.pass(10.0);
    assert_eq!(world.events(0)[0], Event::Interrupted { unsure: true });
}

#[test]
fn a_message_without_an_answer_leads_to_a_look_at_the_way() {
    let mut world = World::of(&["anna"], 1);
    world.cut.push(world.clients[0].address.unwrap());
    let now = world.now;
    world.client(0).message("anna", b"to myself", now).unwrap();
    world.pass(10.0);
    let events = world.events(0);
    assert!(events.contains(&Event::Interrupted { unsure: false }), "{events:?}");
    assert!(
        matches!(events.last(), Some(Event::Message { .. } | Event::Fate { fate: Fate::Delivered, .. })),
        "{events:?}"
    );
}

#[test]
fn a_network_that_is_back_is_tried_at_once() {
    let mut world = World::of(&["anna"], 1);
    let stranger = world.enter();
    world.has_udp = false;
    world.ask(0, Request::Who);
    // Long enough for the longest pause.
    world.pass(120.0);
    assert!(world.client(0).is_out_of_contact() && world.client(stranger).is_out_of_contact());
    world.has_udp = true;
    let now = world.now;
    for member in [0, stranger] {
        world.events(member);
        world.client(member).network_changed(now);
    }
    world.pass(0.5);
    assert!(matches!(world.events(stranger)[..], [Event::Contact { .. }]));
    assert!(world.events(0).contains(&Event::Resumed { anew: false }));
}

#[test]
fn a_relay_that_forgot_the_session_gets_the_name_and_the_group_again() {
    let mut world = World::of(&["anna"], 1);
    world.relay.restart();
    world.pass(30.0);
    let events = world.events(0);
    assert!(events.contains(&Event::Resumed { anew: true }), "{events:?}");
    assert!(events.iter().any(|event| matches!(event, Event::Registered { again: true, .. })), "{events:?}");
    assert!(events.contains(&Event::Joined { group: home(), again: true }), "{events:?}");
}

#[test]
fn a_token_that_is_used_up_begins_anew() {
    let mut world = World::of(&["anna"], 1);
    world.relay.restart();
    let now = world.now;
    world.client(0).network_changed(now);
    world.pass(3.0);
    assert!(world.events(0).contains(&Event::Resumed { anew: true }));
    assert_eq!(
        (world.clients[0].client.group(), world.clients[0].client.name()),
        (Some(home()), Some("anna"))
    );
}

#[test]
fn what_was_asked_when_the_way_was_lost_is_answered_after_it() {
    let mut world = World::of(&["anna"], 1);
    world.cut.push(world.clients[0].address.unwrap());
    world.ask(0, Request::Who);
    let now = world.now;
    world.client(0).message("anna", b"to myself", now).unwrap();
    world.pass(10.0);
    let events = world.events(0);
    assert!(events.contains(&Event::Members { group: home(), count: 1 }), "{events:?}");
    let delivered = |event: &Event| matches!(event, Event::Fate { fate: Fate::Delivered, .. });
    assert!(events.iter().any(delivered), "{events:?}");
}

#[test]
fn who_leaves_is_offline_and_out_of_the_group() {
    let mut world = World::of(&["anna"], 1);
    let now = world.now;
    world.client(0).goodbye(now);
    world.pass(1.0);
    assert!(world.client(0).is_finished());
    assert!(addresses(&world).is_empty());
    assert!(world.relay.sessions.values().all(|session| session.group.is_none()));
}

#[test]
fn a_storm_ends_with_the_truth() {
    for seed in 0..20 {
        let mut world = World::of(&["anna", "bob"], seed);
        world.network.weather = STORM;
        for round in 0..30 {
            let member = world.network.pick(2) as usize;
            let request = match world.network.pick(5) {
                0 => Request::Join("OTHER".parse().unwrap()),
                1 => Request::Join(home()),
                2 => Request::Who,
                3 => Request::Peers,
                _ => Request::Ping,
            };
            let now = world.now;
            let _ = world.client(member).request(request, now);
            if round == 15 {
                world.relay.restart();
            }
            if world.network.pick(10) == 0 {
                world.client(member).network_changed(now);
            }
            world.pass(2.0);
        }
        world.network.weather = super::network::FAIR;
        world.pass(120.0);
        for (member, name) in ["anna", "bob"].into_iter().enumerate() {
            let now = world.now;
            assert!(world.client(member).is_ready(now), "seed {seed}: {:?}", world.clients[member].client);
            let client = &world.clients[member].client;
            let session = &world.relay.sessions[&world.clients[member].address.unwrap()];
            assert_eq!((client.name(), client.group()), (Some(name), session.group), "seed {seed}");
            assert_eq!(session.name.as_deref(), Some(name), "seed {seed}");
        }
    }
}

/// What is typed is what first hears of it, long before a heartbeat.
#[test]
fn a_relay_that_has_started_anew_is_noticed_at_the_first_payload() {
    let mut world = World::of(&["anna"], 1);
    world.ask(0, Request::Join(home()));
    world.pass(1.0);
    world.events(0);
    world.relay.restart();
    let now = world.now;
    world.client(0).send(b"hello", now).unwrap();
    world.pass(3.0);
    let events = world.events(0);
    assert!(!events.iter().any(|event| matches!(event, Event::Text { .. })), "{events:?}");
    assert!(events.contains(&Event::Interrupted { unsure: true }), "{events:?}");
    assert!(events.contains(&Event::Joined { group: home(), again: true }), "{events:?}");
}
