//! Whose datagrams are taken, how many payloads of one client, and which sources are nobody's.

mod common;

use std::net::SocketAddr;
use std::num::NonZeroU32;

use common::{Answer, Relay, text};
use engine::limits::EJECT_CLIENTS_PER_TURN;
use engine::{Access, Cap, DropReason, Event, LocalAddr, OwnAddresses, Prefixes, Settings};

fn prefixes(texts: &[&str]) -> Prefixes {
    Prefixes::new(texts.iter().map(|text| text.parse().unwrap()))
}

fn denying(texts: &[&str]) -> Settings {
    let access = Access { deny: prefixes(texts), ..Access::default() };
    Settings { cap: Cap::Unlimited, access, ..Settings::default() }
}

fn dropped(relay: &Relay, reason: DropReason) -> u64 {
    relay.engines[0].tally().dropped[reason as usize]
}

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// Everything that a stranger could be answered.
const WORDS: [&[u8]; 8] =
    [b"!CREATE", b"!JOIN X", b"!LEAVE X", b"!PING", b"!WHO", b"!?", b"hello", &[b'x'; 5000]];

#[test]
fn the_denied_hear_nothing() {
    let access =
        Access { allow: prefixes(&["10.0.0.0/8", "2001:db8::/32"]), deny: prefixes(&["10.1.0.0/16"]) };
    let mut relay = Relay::new(1, Settings { access, ..Settings::default() });
    let denied = ["10.1.0.1:5", "127.0.0.1:5", "[::1]:5", "[2001:db9::1]:5"].map(at);
    for source in denied {
        for word in WORDS {
            assert_eq!(relay.ask(source, word), Answer::Nothing, "{source}");
        }
    }
    assert_eq!(dropped(&relay, DropReason::Denied), (denied.len() * WORDS.len()) as u64);
    assert_eq!(relay.groups.count(), 0);
    for source in ["10.2.0.1:5", "[2001:db8::1]:5"].map(at) {
        for word in WORDS {
            assert!(!relay.say(source, word).is_empty(), "{source}");
        }
    }
}

#[test]
fn who_is_no_longer_allowed_is_ended_a_part_each_turn_and_nobody_else() {
    const EACH: u32 = 2 * EJECT_CLIENTS_PER_TURN as u32;
    let mut relay = Relay::new(1, denying(&[]));
    let id = relay.create(at("10.0.0.1:1"));
    let good = |number: u32| SocketAddr::from(([10, 0, (number >> 8) as u8, number as u8], 9000));
    let bad = |number: u32| SocketAddr::from(([10, 1, (number >> 8) as u8, number as u8], 9000));
    for number in 0..EACH {
        relay.join(good(number), &id);
        relay.join(bad(number), &id);
    }
    relay.engines[0].reload(denying(&["10.1.0.0/16"]).into());
    assert!(relay.engines[0].deadline() <= engine::Tick(relay.now), "it does not wait to be asked");
    let mut left = 2 * EACH;
    while relay.clients() > EACH as usize {
        relay.begin_turn(0);
        relay.engines[0].sweep();
        let now = relay.clients() as u32;
        assert!((1..=EJECT_CLIENTS_PER_TURN as u32).contains(&(left - now)), "{left} then {now}");
        left = now;
    }
    relay.sweep();
    assert_eq!(relay.clients(), EACH as usize);
    assert_eq!(relay.engines[0].tally().events[Event::Eject as usize], u64::from(EACH));
    assert_eq!(relay.payload(good(0), b"hello").len(), EACH as usize - 1);
    assert_eq!(relay.ask(bad(0), b"hello"), Answer::Nothing);
    assert_eq!(relay.ask(bad(0), &text(&["!JOIN ", &id])), Answer::Nothing);
    // The same settings again have nothing to look for.
    relay.engines[0].reload(denying(&["10.1.0.0/16"]).into());
    assert!(relay.engines[0].deadline() > engine::Tick(relay.now));
}

/// Whoever reaches another shard than its own with a part of what it sends would be two clients.
#[test]
fn nobody_becomes_a_client_of_a_shard_that_is_not_its_own() {
    let mut relay = Relay::new(1, Settings::default());
    let [here, elsewhere, old] = [at("10.0.0.1:9001"), at("10.0.0.1:9002"), at("10.0.0.2:9002")];
    let (id, other) = (relay.create(here), relay.create(here));
    relay.join(old, &id);
    relay.engines[0].keep_to_shard(|source| usize::from(source.port() == 9002));
    relay.join(here, &id);
    assert_eq!(relay.ask(elsewhere, &text(&["!JOIN ", &id])), Answer::Nothing);
    assert_eq!(relay.ask(elsewhere, b"!JOIN NOWHERE"), Answer::Nothing);
    assert_eq!(dropped(&relay, DropReason::WrongShard), 2);
    assert_eq!(relay.payload(here, b"hello"), [old]);
    // All else is answered as ever.
    let not_joined = "ERR NOT_IN_GROUP JoinFirstUseJOIN";
    for word in ["!PING", "!WHO", "hello"] {
        assert_eq!(relay.say(elsewhere, word.as_bytes()), not_joined);
    }
    relay.create(elsewhere);
    // Who is here may move.
    relay.join(old, &other);
    assert_eq!((relay.clients(), dropped(&relay, DropReason::WrongShard)), (2, 2));
}

#[test]
fn a_source_that_no_host_has_is_dropped() {
    let own = OwnAddresses { broadcasts: vec![[10, 0, 255, 255].into()], ..OwnAddresses::default() };
    let mut relay = Relay::with_own_addresses(1, Settings::default(), own);
    let forged = [
        "0.0.0.0:5",
        "0.1.2.3:5",
        "224.0.0.1:5",
        "239.255.255.255:5",
        "255.255.255.255:5",
        "10.0.255.255:5",
        "[::]:5",
        "[ff02::1]:5",
        "[::ffff:224.0.0.1]:5",
        "[::ffff:0.0.0.0]:5",
        "[::ffff:127.0.0.1]:5",
        "[::ffff:10.0.0.1]:5",
    ]
    .map(at);
    for source in forged {
        for word in WORDS {
            assert_eq!(relay.ask(source, word), Answer::Nothing, "{source}");
        }
    }
    assert_eq!(dropped(&relay, DropReason::ImpossibleSource), (forged.len() * WORDS.len()) as u64);
    for other in
        ["1.0.0.0:5", "223.255.255.255:5", "240.0.0.1:5", "10.0.255.254:5", "[::1]:5", "[fe80::1]:5"].map(at)
    {
        assert!(relay.say(other, b"!CREATE").starts_with("OK CREATED "), "{other}");
    }
}

/// Every shard has one like it.
#[test]
fn what_was_sent_to_many_is_dropped_whoever_sends_it() {
    let own = OwnAddresses {
        bound: vec!["0.0.0.0:5000".parse().unwrap()],
        broadcasts: vec![[10, 0, 255, 255].into()],
        ..OwnAddresses::default()
    };
    let mut relay = Relay::with_own_addresses(1, Settings::default(), own);
    let [member, friend, stranger] = [1, 2, 3].map(|host| SocketAddr::from(([10, 0, 0, host], 9000)));
    let id = relay.create(member);
    [member, friend].iter().for_each(|client| relay.join(*client, &id));
    let join = text(&["!JOIN ", &id]);
    let reached = |ip: &str| LocalAddr::new(0, Some(ip.parse().unwrap()));
    let mut sent = 0;
    for many in ["255.255.255.255", "ff02::1"] {
        for client in [member, stranger] {
            for word in WORDS.into_iter().chain([&join[..]]) {
                assert_eq!(relay.ask_at(reached(many), client, word), Answer::Nothing, "{many}");
                sent += 1;
            }
        }
    }
    // Of what came before it was asked to tell, the kernel says no more than the address.
    assert_eq!(relay.ask_at(reached("10.0.255.255"), stranger, &join), Answer::Nothing);
    assert_eq!(dropped(&relay, DropReason::Broadcast), sent + 1);
    assert_eq!((relay.clients(), relay.payload(member, b"hello")), (2, vec![friend]));
    assert_ne!(relay.ask_at(reached("10.0.255.254"), stranger, &join), Answer::Nothing);
    assert_eq!(relay.clients(), 3);
}

#[test]
fn payloads_beyond_the_rate_are_dropped_and_nothing_else() {
    let rate = |rate| Settings { max_rate: NonZeroU32::new(rate), ..Settings::default() };
    let mut relay = Relay::new(1, rate(100));
    let [hasty, calm] = [at("10.0.0.1:9001"), at("10.0.0.1:9002")];
    let id = relay.create(hasty);
    [hasty, calm].iter().for_each(|client| relay.join(*client, &id));
    let heard =
        |relay: &mut Relay, tries: u32| (0..tries).filter(|_| !relay.payload(hasty, b"x").is_empty()).count();
    relay.begin_turn(1000);
    assert_eq!(heard(&mut relay, 100), 26, "a quarter of a second's, and the one that is due");
    assert_eq!(dropped(&relay, DropReason::MaxRate), 74);
    assert_eq!(relay.payload(calm, b"x"), [hasty], "another port is another client");
    assert!(relay.say(hasty, b"!PING").starts_with("PONG"), "commands are not payloads");
    relay.begin_turn(100);
    assert_eq!(heard(&mut relay, 100), 10);
    // Dropped payloads are a sign of life.
    for _ in 0..20 {
        relay.pass_quietly(30_000);
        heard(&mut relay, 30);
    }
    relay.engines[0].reload(Settings::default().into());
    assert_eq!((relay.clients(), heard(&mut relay, 100)), (1, 0), "the calm one has gone");
    relay.join(calm, &id);
    assert_eq!(heard(&mut relay, 100), 100, "off again");
}

/// Or whoever leaves and joins again after each burst would send as fast as it can.
#[test]
fn a_new_session_has_no_burst() {
    let mut relay = Relay::new(1, Settings { max_rate: NonZeroU32::new(10), ..Settings::default() });
    let [hasty, other] = [at("127.0.0.1:1"), at("127.0.0.1:2")];
    let id = relay.create(other);
    [hasty, other].iter().for_each(|client| relay.join(*client, &id));
    let mut heard = 0;
    for _ in 0..1000 {
        relay.begin_turn(10);
        heard += (0..4).filter(|_| !relay.payload(hasty, b"x").is_empty()).count();
        assert_eq!(relay.say(hasty, &text(&["!LEAVE ", &id])), format!("OK LEFT {id}"));
        relay.join(hasty, &id);
    }
    assert_eq!(heard, 0, "ten seconds in which it stayed nowhere for as long as a payload takes");
    relay.begin_turn(100);
    assert_eq!(relay.payload(hasty, b"x"), [other]);
}

#[test]
fn ids_are_as_long_as_configured() {
    let length = |gid_length| Settings { gid_length, ..Settings::default() };
    let mut relay = Relay::new(1, length(32));
    let client = at("10.0.0.1:9001");
    let id = relay.create(client);
    assert_eq!(id.len(), 32);
    relay.join(client, &id);
    relay.engines[0].reload(length(8).into());
    assert_eq!(relay.create(client).len(), 8);
    assert_eq!(relay.say(client, b"!WHO"), format!("OK WHO {id} 1"));
}
