//! What the unproved addresses of a prefix are answered, and that nobody who is proved has to share it with them.

mod common;

use std::net::SocketAddr;

use common::{Relay, text};
use engine::{AdmissionMode, DropReason, Settings, Throttled};

/// Answers at once for one prefix, and each second (`limits::REPLIES_OF_PREFIX`).
const AT_ONCE: usize = 400;
const EACH_SECOND: usize = 100;
/// Wrong ids that a prefix may try at once, and a proved address.
const GUESSES: usize = 60;
const OWN_GUESSES: usize = 30;

fn relay() -> Relay {
    Relay::new(1, Settings::default())
}

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// The clients of a /24, whatever their ports.
fn neighbour(number: usize) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, number as u8], 1000 + number as u16))
}

fn ignored(relay: &Relay) -> u64 {
    relay.engines[0].tally().dropped[DropReason::ReplyLimit as usize]
}

fn throttled(relay: &Relay, why: Throttled) -> u64 {
    relay.engines[0].tally().throttled[why as usize]
}

/// Asks for answers that nobody needs until there are none; returns how many there were.
fn exhaust(relay: &mut Relay, tries: usize) -> usize {
    (0..tries).filter(|&number| !relay.say(neighbour(number), b"hello").is_empty()).count()
}

fn cookie(answer: &str) -> &str {
    answer.strip_prefix("ERR RETRY ").unwrap_or_else(|| panic!("{answer}"))
}

#[test]
fn a_prefix_is_answered_so_often_and_no_other_pays_for_it() {
    let mut relay = relay();
    assert_eq!(exhaust(&mut relay, 1000), AT_ONCE);
    assert_eq!(ignored(&relay), 1000 - AT_ONCE as u64);
    relay.begin_turn(1000);
    assert_eq!(exhaust(&mut relay, 1000), EACH_SECOND);
    assert!(!relay.say(at("10.0.1.0:9"), b"hello").is_empty(), "the next prefix");
    for host in 0..1000u64 {
        let ip = std::net::Ipv6Addr::from((0x2001_0db8_u128 << 96) + u128::from(host));
        relay.say(SocketAddr::from((ip, 9)), b"hello");
    }
    assert_eq!(relay.say(at("[2001:db8::ffff]:9"), b"hello"), "", "a /64 is one host's");
    assert!(!relay.say(at("[2001:db8:0:1::]:9"), b"hello").is_empty());
}

#[test]
fn a_neighbour_of_a_flood_proves_itself_and_is_never_limited_again() {
    let mut relay = relay();
    let id = relay.create(at("127.0.0.1:1"));
    let (victim, join) = (neighbour(7), text(&["!JOIN ", &id]));
    exhaust(&mut relay, 1000);
    // Nothing is done without an answer.
    assert_eq!(relay.say(victim, b"!WHO"), "");
    let retry = relay.say(victim, &join);
    assert_eq!((throttled(&relay, Throttled::Replies), relay.clients()), (1, 0));
    let with_cookie = text(&["!JOIN ", &id, " ", cookie(&retry)]);
    assert_eq!(relay.say(victim, &with_cookie), format!("OK JOINED {id}"));
    for _ in 0..1000 {
        for question in [&b"!WHO"[..], b"!PING", b"!?", &join] {
            assert!(!relay.say(victim, question).is_empty(), "{question:?}");
        }
    }
    let retry = relay.say(neighbour(8), b"!CREATE");
    assert!(relay.say(neighbour(8), &text(&["!CREATE ", cookie(&retry)])).starts_with("OK CREATED "));
}

#[test]
fn a_flood_of_joins_leaves_each_address_its_own_questions() {
    let mut relay = relay();
    exhaust(&mut relay, 1000);
    let questions = |relay: &mut Relay, number| {
        (0..1000).filter(|_| relay.say(neighbour(number), b"!JOIN X").starts_with("ERR RETRY ")).count()
    };
    assert_eq!((questions(&mut relay, 1), questions(&mut relay, 2)), (10, 10));
    relay.begin_turn(10_000);
    exhaust(&mut relay, 10_000);
    assert_eq!(questions(&mut relay, 1), 10, "no more after a rest");
}

#[test]
fn members_are_owed_their_pong() {
    let mut relay = relay();
    let id = relay.create(at("127.0.0.1:1"));
    relay.join(neighbour(1), &id);
    exhaust(&mut relay, 1000);
    for _ in 0..1000 {
        assert_eq!(relay.say(neighbour(1), b"!PING"), "PONG 60.0");
        assert_eq!(relay.say(neighbour(1), b"!WHO"), format!("OK WHO {id} 1"));
    }
    assert_eq!(relay.say(neighbour(1), b"!?"), "", "but nothing else");
}

#[test]
fn who_guesses_learns_no_more() {
    let mut relay = relay();
    let id = relay.create(at("127.0.0.1:1"));
    let join = text(&["!JOIN ", &id]);
    for guess in 0..GUESSES {
        let wrong = text(&["!JOIN WRONG", &guess.to_string()]);
        assert_eq!(relay.say(neighbour(guess), &wrong), "ERR BAD_ARG NoSuchGroup");
    }
    let retry = relay.say(neighbour(1), &join);
    assert_eq!(relay.say(neighbour(2), b"!JOIN WRONG").split(' ').nth(1), Some("RETRY"), "{retry}");
    assert_eq!(throttled(&relay, Throttled::Guesses), 2);
    assert!(relay.say(at("10.0.1.1:9"), &join).starts_with("OK JOINED"), "the next prefix");
    // A proof helps, and makes it the guesser's own affair.
    let shown = |group: &str| text(&["!JOIN ", group, " ", cookie(&retry)]);
    for _ in 0..OWN_GUESSES {
        assert_eq!(relay.say(neighbour(1), &shown("WRONG")), "ERR BAD_ARG NoSuchGroup");
    }
    assert!(relay.say(neighbour(1), &shown(&id)).starts_with("ERR RETRY "));
    relay.begin_turn(1000);
    assert_eq!(relay.say(neighbour(1), &shown(&id)), format!("OK JOINED {id}"));
}

#[test]
fn nobody_is_limited_where_nobody_has_to_prove_anything() {
    let mut relay = Relay::new(1, Settings { admission: AdmissionMode::Open, ..Settings::default() });
    assert_eq!(exhaust(&mut relay, 1000), 1000);
    let mut relay = self::relay();
    for _ in 0..1000 {
        assert_eq!(relay.say(at("127.0.0.1:1"), b"!JOIN WRONG"), "ERR BAD_ARG NoSuchGroup");
    }
}
