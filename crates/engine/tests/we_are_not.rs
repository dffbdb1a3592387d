//! Where the original server is broken, and we are not (`docs/protocol.md`, part 2), as far as the engine decides it.

mod common;

use std::net::SocketAddr;

use common::{Answer, Relay, client, text};
use engine::{DropReason, OwnAddresses, Settings};

fn relay() -> Relay {
    Relay::new(1, Settings::default())
}

fn dropped(relay: &Relay, reason: DropReason) -> u64 {
    relay.engines[0].tally().dropped[reason as usize]
}

#[test]
fn source_port_zero_is_nobody() {
    let mut relay = relay();
    for bytes in [&b"!CREATE"[..], b"!PING", b"hello", b"", &[b'x'; 5000]] {
        assert_eq!(relay.ask("192.0.2.7:0".parse().unwrap(), bytes), Answer::Nothing);
    }
    assert_eq!(dropped(&relay, DropReason::SourcePortZero), 5);
    assert_eq!((relay.groups.count(), relay.clients()), (0, 0));
}

#[test]
fn the_relay_does_not_talk_to_itself() {
    let bound = ["192.0.2.1:5000", "[2001:db8::1]:5000"].map(|address| address.parse().unwrap()).to_vec();
    let is_loopback = |address: SocketAddr| address.is_ipv4() && address.ip().is_loopback();
    let own = OwnAddresses { bound, is_local: Some(is_loopback), ..OwnAddresses::default() };
    let mut relay = Relay::with_own_addresses(1, Settings::default(), own);
    let forged = ["192.0.2.1:5000", "[2001:db8::1]:5000", "127.0.0.1:5000", "127.1.2.3:5000"];
    for source in forged {
        for bytes in [&b"!PING"[..], b"hello", b"!CREATE", &[b'x'; 5000]] {
            assert_eq!(relay.ask(source.parse().unwrap(), bytes), Answer::Nothing, "{source}");
        }
    }
    assert_eq!(dropped(&relay, DropReason::OwnAddress), 16);
    for other in ["192.0.2.1:5001", "192.0.2.2:5000", "[2001:db8::2]:5000"] {
        assert!(relay.say(other.parse().unwrap(), b"!CREATE").starts_with("OK CREATED"), "{other}");
    }
}

#[test]
fn what_a_relay_says_makes_no_other_relay_answer() {
    let mut relay = relay();
    let id = relay.create(client(0));
    relay.join(client(0), &id);
    let everything_it_says = [
        relay.say(client(1), b"!CREATE"),
        relay.say(client(0), b"!PING"),
        relay.say(client(0), b"!WHO"),
        relay.say(client(1), b"!WHO"),
        relay.say(client(1), b"?"),
        relay.say(client(1), b"!?"),
        relay.say(client(1), b"!JOIN"),
        relay.say(client(1), b"!JOIN NOWHERE"),
        relay.say(client(1), &[b'x'; 4097]),
        relay.say(client(0), &text(&["!JOIN ", &id])),
        relay.say(client(0), &text(&["!LEAVE ", &id])),
    ];
    for said in &everything_it_says {
        assert!(!said.is_empty());
        assert_eq!(relay.ask(client(9), said.as_bytes()), Answer::Nothing, "{said}");
    }
    assert_eq!(dropped(&relay, DropReason::ReplyFromStranger), everything_it_says.len() as u64);
}

#[test]
fn a_member_may_say_what_a_stranger_may_not() {
    let mut relay = relay();
    let id = relay.create(client(0));
    (0..2).for_each(|number| relay.join(client(number), &id));
    assert_eq!(relay.payload(client(0), b"OK LEFT X"), [client(1)]);
    assert_eq!(dropped(&relay, DropReason::ReplyFromStranger), 0);
}

#[test]
fn ids_are_ascii() {
    let mut relay = relay();
    let groups = [("KSSS".parse().unwrap(), None)];
    relay.groups.declare(&groups, engine::Tick(0));
    // Kelvin sign, long s, sharp s: Unicode would fold them all to K and S.
    for id in ["\u{212a}SSS", "K\u{17f}SS", "KS\u{df}"] {
        assert_eq!(relay.say(client(0), &text(&["!JOIN ", id])), "ERR BAD_ARG NoSuchGroup");
        assert_eq!(relay.say(client(0), &text(&["!LEAVE ", id])), "ERR NOT_IN_GROUP NotInThatGroup");
    }
    assert_eq!(relay.say(client(0), b"!JOIN KS\xffSS"), "ERR BAD_ARG NoSuchGroup");
    assert_eq!(relay.say(client(0), b"!JOIN ksss"), "OK JOINED KSSS");
}

/// Kernels let such a datagram in, and 127.0.0.1 is trusted.
#[test]
fn nobody_is_an_ipv4_host_by_ipv6() {
    let mut relay = relay();
    let [victim, forged]: [SocketAddr; 2] =
        ["127.0.0.1:4000", "[::ffff:127.0.0.1]:4000"].map(|address| address.parse().unwrap());
    let (old, new) = (relay.create(client(0)), relay.create(client(0)));
    relay.join(client(0), &old);
    relay.join(victim, &old);
    let (join, leave) = (text(&["!JOIN ", &new]), text(&["!LEAVE ", &old]));
    let words: [&[u8]; 8] = [b"!CREATE", b"!PING", b"!WHO", b"hello", b"", &[b'x'; 5000], &join, &leave];
    for word in words {
        assert_eq!(relay.ask(forged, word), Answer::Nothing);
    }
    assert_eq!(dropped(&relay, DropReason::ImpossibleSource), words.len() as u64);
    assert_eq!((relay.groups.count(), relay.clients()), (2, 2));
    assert_eq!(relay.payload(client(0), b"still here?"), [victim]);
}
