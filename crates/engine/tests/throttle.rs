//! What the unproved addresses of a prefix are answered, and that nobody who is proved has to share it with them.

mod common;

use std::net::{Ipv6Addr, SocketAddr};

use common::{Relay, text};
use engine::{AdmissionMode, DropReason, Settings, Throttled};

/// Answers at once for one prefix, and each second (`limits::REPLIES_OF_PREFIX`).
const AT_ONCE: usize = 400;
const EACH_SECOND: usize = 100;
/// Questions at once for one client, and for a prefix in place of answers, and each tenth of a second.
const QUESTIONS: usize = 10;
const QUESTIONS_OF_PREFIX: (usize, usize) = (1_000, 1_000);
/// Wrong ids at once that a prefix may try, and each second, then each unproved address, each proved client, and all of them behind one address.
const OF_PREFIX: (usize, usize) = (600, 10);
const OF_ADDRESS: usize = 30;
const OF_CLIENT: usize = 3;
const OF_HOST: usize = 300;
const NO_SUCH_GROUP: &str = "ERR BAD_ARG NoSuchGroup";

fn relay() -> Relay {
    Relay::new(1, Settings::default())
}

fn at(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// The clients of a /24, whatever their ports.
fn neighbour(number: usize) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, number as u8], 9000 + number as u16))
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
        let ip = Ipv6Addr::from((0x2001_0db8_u128 << 96) + u128::from(host));
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

/// Questions among the answers to so many JOINs of a client, or of one for each number.
fn questions(relay: &mut Relay, client: impl Fn(u32) -> SocketAddr) -> usize {
    (0..2000).filter(|&number| relay.say(client(number), b"!JOIN X").starts_with("ERR RETRY ")).count()
}

#[test]
fn a_flood_of_joins_leaves_each_client_its_own_questions() {
    let mut relay = relay();
    exhaust(&mut relay, 1000);
    let behind_one_address = |port| SocketAddr::from(([10, 0, 0, 1], port));
    for client in [behind_one_address(1), behind_one_address(2), neighbour(2)] {
        assert_eq!(questions(&mut relay, |_| client), QUESTIONS);
    }
    relay.begin_turn(10_000);
    exhaust(&mut relay, 10_000);
    assert_eq!(questions(&mut relay, |_| neighbour(1)), QUESTIONS, "no more after a rest");
}

#[test]
fn a_prefix_is_asked_so_often_however_many_clients_it_has() {
    let mut relay = relay();
    let crowd = |prefix: u16, number| {
        let ip = Ipv6Addr::new(0x2001, 0xdb8, 0, prefix, 0, 0, 0, number as u16);
        SocketAddr::from((ip, 9))
    };
    let exhaust =
        |relay: &mut Relay, from| (0..1000).for_each(|number| drop(relay.say(crowd(from, number), b"hello")));
    exhaust(&mut relay, 0);
    assert_eq!(questions(&mut relay, |number| crowd(0, number)), QUESTIONS_OF_PREFIX.0);
    relay.begin_turn(50);
    exhaust(&mut relay, 0);
    assert_eq!(questions(&mut relay, |number| crowd(0, number)), QUESTIONS_OF_PREFIX.1 / 2);
    // Who asks in vain keeps its own.
    (0..QUESTIONS).for_each(|_| assert_eq!(relay.say(crowd(0, 5000), b"!JOIN X"), ""));
    relay.begin_turn(50);
    exhaust(&mut relay, 0);
    assert_eq!(questions(&mut relay, |_| crowd(0, 5000)), QUESTIONS);
    exhaust(&mut relay, 1);
    assert_eq!(questions(&mut relay, |number| crowd(1, number)), QUESTIONS_OF_PREFIX.0, "the next /64");
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

/// Tries wrong ids from all over a prefix for some seconds, until it has no more to try, and no host many of them.
fn guess_from_everywhere(relay: &mut Relay) {
    for second in 0..10 {
        relay.begin_turn(1000);
        for number in 0..EACH_SECOND {
            let guesser = neighbour(100 + (second * EACH_SECOND + number) % 150);
            assert_eq!(relay.say(guesser, b"!JOIN WRONG"), NO_SUCH_GROUP);
        }
    }
    relay.begin_turn(1000);
}

/// How many wrong ids one may try before it is asked for a proof.
fn guesses(relay: &mut Relay, client: SocketAddr, wrong: &[u8]) -> usize {
    (0..1000).take_while(|_| relay.say(client, wrong) == NO_SUCH_GROUP).count()
}

/// What an address has to show.
fn proof_of(relay: &mut Relay, client: SocketAddr) -> String {
    cookie(&relay.say(client, b"!JOIN X ?")).to_owned()
}

#[test]
fn who_guesses_learns_no_more_and_its_neighbours_do() {
    let mut relay = relay();
    let id = relay.create(at("127.0.0.1:1"));
    let join = text(&["!JOIN ", &id]);
    guess_from_everywhere(&mut relay);
    assert_eq!(throttled(&relay, Throttled::Guesses), 0);
    assert_eq!(guesses(&mut relay, neighbour(1), b"!JOIN WRONG"), OF_PREFIX.1 + OF_ADDRESS);
    assert_eq!(cookie(&relay.say(neighbour(1), b"!JOIN WRONG")), cookie(&relay.say(neighbour(1), &join)));
    assert_eq!(throttled(&relay, Throttled::Guesses), 3);
    let behind_the_same_address = SocketAddr::new(neighbour(1).ip(), 2);
    cookie(&relay.say(behind_the_same_address, &join));
    relay.join(neighbour(2), &id);
    // Who has made a group knows its id.
    let own = relay.create(neighbour(1));
    relay.join(neighbour(1), &own);
    assert_eq!(relay.admission.unproved(), 1, "and only the neighbour is not proved");
}

#[test]
fn a_proved_guesser_learns_no_more_and_nobody_else_pays_for_it() {
    let mut relay = relay();
    let id = relay.create(at("127.0.0.1:1"));
    let [guesser, honest] = [5, 6].map(|port| SocketAddr::from(([10, 0, 0, 7], port)));
    let shown = [guesser, honest].map(|client| proof_of(&mut relay, client));
    let join = |group: &str, who: usize| text(&["!JOIN ", group, " ", &shown[who]]);
    // A lonely one mistypes for a minute.
    assert_eq!(guesses(&mut relay, guesser, &join("WRONG", 0)), OF_PREFIX.0 + OF_CLIENT);
    cookie(&relay.say(guesser, &join(&id, 0)));
    let own = relay.say(guesser, &text(&["!CREATE ", &shown[0]]));
    let own = own.strip_prefix("OK CREATED ").unwrap();
    assert_eq!(guesses(&mut relay, honest, &join("WRONG", 1)), OF_CLIENT, "its own, if others guess, too");
    relay.begin_turn(30_000);
    guesses(&mut relay, guesser, &join("WRONG", 0));
    assert_eq!(relay.say(honest, &join(&id, 1)), format!("OK JOINED {id}"));
    assert_eq!(relay.say(guesser, &join(own, 0)), format!("OK JOINED {own}"), "which it alone was told of");
    cookie(&relay.say(guesser, &join(&id, 0)));
    relay.begin_turn(30_000);
    assert_eq!(relay.say(guesser, &join(&id, 0)), format!("OK JOINED {id}"));
}

#[test]
fn what_is_guessed_in_a_members_name_is_not_its_own() {
    let mut relay = relay();
    let (id, other) = (relay.create(at("127.0.0.1:1")), relay.create(at("127.0.0.1:1")));
    let member = neighbour(7);
    let shown = proof_of(&mut relay, member);
    let join = |group: &str| text(&["!JOIN ", group, " ", &shown]);
    assert_eq!(relay.say(member, &join(&id)), format!("OK JOINED {id}"));
    // Its neighbours have used up the prefix', as proved clients, too.
    guess_from_everywhere(&mut relay);
    let guesser = neighbour(8);
    let with = text(&["!JOIN WRONG ", &proof_of(&mut relay, guesser)]);
    guesses(&mut relay, guesser, &with);
    assert_eq!(guesses(&mut relay, member, b"!JOIN WRONG"), OF_PREFIX.1 + OF_ADDRESS);
    assert_eq!(relay.say(member, &join(&other)), format!("OK JOINED {other}"));
}

/// The addresses of a /64 cost nothing, and no limit of answers is between a member and its guesses.
#[test]
fn the_members_of_a_64_guess_no_more_without_their_cookies_than_one_of_them() {
    let mut relay = Relay::new(1, Settings { admission: AdmissionMode::Strict, ..Settings::default() });
    let id = relay.create(at("127.0.0.1:1"));
    let of_crowd = |host: u128| SocketAddr::from((Ipv6Addr::from((0x2001_0db8_u128 << 96) + host), 9));
    for host in 0..100 {
        let shown = proof_of(&mut relay, of_crowd(host));
        let join = text(&["!JOIN ", &id, " ", &shown]);
        assert_eq!(relay.say(of_crowd(host), &join), format!("OK JOINED {id}"));
    }
    let tried: usize = (0..100).map(|host| guesses(&mut relay, of_crowd(host), b"!JOIN WRONG")).sum();
    assert_eq!(tried, OF_PREFIX.0 + OF_ADDRESS);
    assert_eq!(throttled(&relay, Throttled::Guesses), 100, "each is asked, and it is counted");
    relay.begin_turn(1000);
    let tried: usize = (0..100).map(|host| guesses(&mut relay, of_crowd(host), b"!JOIN WRONG")).sum();
    assert_eq!(tried, OF_PREFIX.1 + 1);
}

#[test]
fn behind_one_address_a_crowd_of_proved_clients_does_not_guess_on_and_on() {
    let mut relay = relay();
    let id = relay.create(at("127.0.0.1:1"));
    let wrong = |relay: &mut Relay, client| {
        let shown = proof_of(relay, client);
        guesses(relay, client, &text(&["!JOIN WRONG ", &shown]))
    };
    let of_crowd = |port| SocketAddr::from(([10, 0, 0, 7], port));
    assert_eq!(wrong(&mut relay, of_crowd(1)), OF_PREFIX.0 + OF_CLIENT);
    let tried: usize = (2..200).map(|port| wrong(&mut relay, of_crowd(port))).sum();
    assert_eq!(tried, OF_HOST - OF_CLIENT);
    // Another address of the prefix has its own.
    assert_eq!(wrong(&mut relay, neighbour(8)), OF_CLIENT);
    let shown = proof_of(&mut relay, neighbour(9));
    assert_eq!(relay.say(neighbour(9), &text(&["!JOIN ", &id, " ", &shown])), format!("OK JOINED {id}"));
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
