//! Talks with a relay that is played by hand.

use std::net::SocketAddr;

use client::{Config, Transmit, Transport};
use wire::{MessageId, Token};

use super::*;

mod direct;
mod names;

fn server() -> SocketAddr {
    "192.0.2.1:5000".parse().unwrap()
}

/// What was sent until now.
fn sent(talk: &mut Talk) -> Vec<String> {
    let datagram = |transmit| match transmit {
        Transmit::Send { datagram, .. } => Some(String::from_utf8(datagram).unwrap()),
        Transmit::Open(_) => None,
    };
    std::iter::from_fn(|| talk.client().poll_transmit()).filter_map(datagram).collect()
}

fn answer(talk: &mut Talk, reply: &str, now: Instant) {
    talk.client().receive(server(), reply.as_bytes(), now);
    talk.advance(now);
}

fn notes(talk: &mut Talk) -> Vec<Note> {
    std::iter::from_fn(|| talk.note()).collect()
}

/// Why nothing was done, and for which lines.
fn hints(talk: &mut Talk) -> Vec<(Hint, String)> {
    let hint = |note| match note {
        Note::Hint { hint, line } => Some((hint, String::from_utf8(line.unwrap_or_default()).unwrap())),
        _ => None,
    };
    notes(talk).into_iter().filter_map(hint).collect()
}

/// A talk whose relay has answered HELLO so.
fn greeted(hello: &str, lines: &[&str]) -> (Talk, Instant) {
    let now = Instant::now();
    let config = Config { transports: vec![Transport::Udp], ..Config::new(server()) };
    let mut talk = Talk::new(Client::seeded(config, 1, now), Credentials::in_memory());
    for line in lines {
        talk.line(line.as_bytes().to_vec(), now);
    }
    talk.client().opened(now);
    assert_eq!(sent(&mut talk), ["!HELLO 2"]);
    answer(&mut talk, hello, now);
    (talk, now)
}

fn talk(lines: &[&str]) -> (Talk, Instant) {
    greeted("ERR BAD_CMD UnknownCommand", lines)
}

fn extended(lines: &[&str]) -> (Talk, Instant) {
    let (mut talk, now) = greeted(&format!("!OK HELLO 2 {} 60.0", Token::of(7)), &[]);
    notes(&mut talk);
    for line in lines {
        talk.line(line.as_bytes().to_vec(), now);
    }
    (talk, now)
}

#[test]
fn each_line_waits_for_the_answer_before_it() {
    let (mut talk, now) = talk(&["join home", "hello", "leave", "hello?"]);
    talk.end(now);
    assert_eq!(sent(&mut talk), ["!JOIN HOME AAAAAAAAAAAAAAAA"]);
    assert!(!talk.is_settled(now));
    answer(&mut talk, "OK JOINED HOME", now);
    assert_eq!(sent(&mut talk), ["!PING", "hello", "!LEAVE HOME"]);
    answer(&mut talk, "OK LEFT HOME", now);
    assert!(sent(&mut talk).is_empty() && talk.client().is_finished());
    assert_eq!(hints(&mut talk), [(Hint::NoGroup, "hello?".into())]);
}

#[test]
fn create_and_join_joins_what_was_created() {
    let (mut talk, now) = talk(&["create --join", "hello"]);
    answer(&mut talk, "OK CREATED ABCD1234", now);
    assert_eq!(sent(&mut talk), ["!CREATE AAAAAAAAAAAAAAAA", "!JOIN ABCD1234 AAAAAAAAAAAAAAAA"]);
    answer(&mut talk, "OK JOINED ABCD1234", now);
    assert_eq!(sent(&mut talk).last().unwrap(), "hello");
}

#[test]
fn a_refused_create_joins_nothing_later() {
    let (mut talk, now) = talk(&["create --join", "create"]);
    answer(&mut talk, "ERR CLIENT_LIMIT 3/3", now);
    answer(&mut talk, "OK CREATED ABCD1234", now);
    assert_eq!(sent(&mut talk), ["!CREATE AAAAAAAAAAAAAAAA"; 2]);
}

#[test]
fn quit_forgets_the_rest() {
    let (mut talk, _) = talk(&["quit", "create"]);
    assert!(talk.client().is_finished() && sent(&mut talk).is_empty());
}

#[test]
fn a_text_that_begins_like_a_command_is_none() {
    let (mut base, now) = talk(&["join home"]);
    answer(&mut base, "OK JOINED HOME", now);
    sent(&mut base);
    notes(&mut base);
    base.line(b"/text !JOIN X".to_vec(), now);
    assert_eq!(
        (sent(&mut base), hints(&mut base)),
        (vec![], vec![(Hint::Bang("join GROUP"), "/text !JOIN X".into())])
    );
    let (mut talk, now) = extended(&["join home"]);
    answer(&mut talk, "!OK JOINED HOME", now);
    sent(&mut talk);
    talk.line(b"/text !JOIN X".to_vec(), now);
    assert_eq!(sent(&mut talk), ["!RAW !JOIN X"]);
}

#[test]
fn objects_are_for_who_has_asked_for_them() {
    for takes_objects in [false, true] {
        let (mut talk, now) = extended(&["join home"]);
        if takes_objects {
            talk = talk.with_objects();
        }
        answer(&mut talk, "!OK JOINED HOME", now);
        sent(&mut talk);
        notes(&mut talk);
        let said = |bytes: &[u8]| Note::Said { group: "HOME".parse().ok(), bytes: bytes.to_vec() };
        for line in [&br#"{"type":"text","text":"hi"}"#[..], b" {}", b"{}", b"hello"] {
            talk.line(line.to_vec(), now);
        }
        let heard = notes(&mut talk);
        assert_eq!((&heard[1], &heard[3]), (&said(b" {}"), &said(b"hello")));
        if takes_objects {
            assert_eq!(heard[0], said(b"hi"));
            assert!(matches!(&heard[2], Note::Misread { line, .. } if line == b"{}"), "{heard:?}");
            assert_eq!(sent(&mut talk), ["hi", " {}", "hello"]);
        } else {
            assert_eq!(sent(&mut talk), [r#"{"type":"text","text":"hi"}"#, " {}", "{}", "hello"]);
        }
    }
}

#[test]
fn names_are_not_for_base_relays() {
    let lines = ["/reg anna", "/msg bob hello", "/bridge", "/peers"];
    let (mut talk, _) = talk(&lines);
    assert_eq!(hints(&mut talk), lines.map(|line| (Hint::BaseOnly, line.to_owned())));
    assert!(sent(&mut talk).is_empty());
}

#[test]
fn who_has_asked_for_the_base_protocol_is_not_told_that_the_relay_has_no_other() {
    let now = Instant::now();
    let config = Config { protocol: Some(Protocol::Base), ..Config::new(server()) };
    let mut talk = Talk::new(Client::seeded(config, 1, now), Credentials::in_memory());
    talk.client().opened(now);
    let lines = ["/reg anna", "/msg bob hello", "/peers"];
    for line in lines {
        talk.line(line.as_bytes().to_vec(), now);
    }
    answer(&mut talk, "ERR NOT_IN_GROUP JoinFirstUseJOIN", now);
    assert_eq!(hints(&mut talk), lines.map(|line| (Hint::BaseAsked, line.to_owned())));
}

#[test]
fn messages_are_numbered_and_marked() {
    let (mut talk, now) = extended(&["/reg anna"]);
    answer(&mut talk, &format!("!OK REG anna {}", Token::of(8)), now);
    answer(&mut talk, "!ERR NOT_IN_GROUP JoinFirstUseJOIN", now);
    notes(&mut talk);
    talk.line(b"/msg bob one".to_vec(), now);
    let first = sent(&mut talk).pop().unwrap();
    let id = first.split(' ').nth(2).unwrap().to_owned();
    assert_eq!(first, format!("!SEND bob {id} one"));
    answer(&mut talk, &format!("!STORED bob {id}"), now);
    answer(&mut talk, &format!("!DELIVERED bob {id}"), now);
    let mut notes = notes(&mut talk).into_iter();
    let written = notes.next().unwrap();
    let id = MessageId::parse(id.as_bytes()).unwrap();
    assert_eq!(written, Note::Written { number: 1, to: "bob".into(), id, bytes: b"one".to_vec() });
    let marks: Vec<_> = notes
        .map(|note| match note {
            Note::Mark(mark) => (mark.number, mark.to, mark.fate),
            other => panic!("{other:?}"),
        })
        .collect();
    let bob = || "bob".to_owned();
    use client::Fate::{Delivered, Sent, Stored};
    assert_eq!(marks, [(1, bob(), Sent), (1, bob(), Stored), (1, bob(), Delivered)]);
    assert_eq!(talk.names(), ["bob"]);
}

#[test]
fn the_line_behind_a_name_waits_for_the_lobby() {
    let begin = || {
        let (mut talk, now) = extended(&["/reg anna", "hello"]);
        answer(&mut talk, &format!("!OK REG anna {}", Token::of(8)), now);
        assert_eq!(sent(&mut talk).last().unwrap(), "!WHO");
        assert!(!talk.is_settled(now));
        (talk, now)
    };
    let (mut talk, now) = begin();
    answer(&mut talk, "!OK JOINED LOBBY", now);
    answer(&mut talk, "!OK WHO LOBBY 1", now);
    assert!(sent(&mut talk).contains(&"hello".to_owned()));
    let (mut talk, now) = begin();
    answer(&mut talk, "!ERR NOT_IN_GROUP JoinFirstUseJOIN", now);
    assert_eq!(hints(&mut talk), [(Hint::NoGroup, "hello".into())]);
    assert!(talk.is_settled(now));
}

#[test]
fn the_claim_is_shown_when_the_name_is_wanted_again() {
    let (mut talk, now) = extended(&["/reg Anna"]);
    let claim = Token::of(8);
    answer(&mut talk, &format!("!OK REG Anna {claim}"), now);
    answer(&mut talk, "!ERR NOT_IN_GROUP JoinFirstUseJOIN", now);
    sent(&mut talk);
    talk.line(b"/reg anna".to_vec(), now);
    assert_eq!(sent(&mut talk), [format!("!REG anna {claim}")]);
}

#[test]
fn the_end_of_the_input_waits_for_the_fate_of_messages() {
    let (mut talk, now) = extended(&["/reg anna"]);
    answer(&mut talk, &format!("!OK REG anna {}", Token::of(8)), now);
    answer(&mut talk, "!ERR NOT_IN_GROUP JoinFirstUseJOIN", now);
    talk.line(b"/msg bob one".to_vec(), now);
    talk.end(now);
    assert!(!sent(&mut talk).contains(&"!DEREG".to_owned()));
    answer(&mut talk, "!ERR NO_SUCH_NAME bob", now);
    assert_eq!(sent(&mut talk), ["!DEREG"]);
    answer(&mut talk, "!OK DEREG anna", now);
    assert!(talk.client().is_finished());
}

/// A talk whose relay is not there.
fn alone(lines: &[&str]) -> (Talk, Instant) {
    let now = Instant::now();
    let config = Config { transports: vec![Transport::Udp], ..Config::new(server()) };
    let mut talk = Talk::new(Client::seeded(config, 1, now), Credentials::in_memory()).with_objects();
    for line in lines {
        talk.line(line.as_bytes().to_vec(), now);
    }
    talk.client().opened(now);
    assert!(!talk.client().is_finished());
    talk.client().unreachable(now);
    talk.advance(now);
    (talk, now)
}

fn held(line: &str) -> Note {
    Note::Held(line.as_bytes().to_vec())
}

#[test]
fn the_end_of_the_input_does_not_wait_for_a_relay_that_is_not_there() {
    for lines in [1, 2] {
        let (mut talk, now) = alone(&["join home", "hello"][..lines]);
        talk.end(now);
        assert!(talk.client().is_finished());
        assert_eq!(hints(&mut talk), [(Hint::Unsent(lines), String::new())]);
    }
    assert_eq!(Hint::Unsent(1).to_string(), "1 line was not sent: the relay does not answer");
    assert_eq!(Hint::Unsent(2).to_string(), "2 lines were not sent: the relay does not answer");
}

#[test]
fn quit_waits_for_no_relay_and_tells_what_was_not_sent() {
    for quit in ["quit", " /QUIT ", r#"{"type":"quit"}"#] {
        let (mut talk, now) = alone(&["join home"]);
        talk.line(b"hello".to_vec(), now);
        talk.line(quit.as_bytes().to_vec(), now);
        assert!(talk.client().is_finished());
        assert_eq!(hints(&mut talk), [(Hint::Unsent(2), String::new())], "{quit}");
        let (mut talk, _) = alone(&[quit, "hello"]);
        assert!(talk.client().is_finished());
        assert_eq!(hints(&mut talk), [], "nothing waited before it");
    }
    let (mut talk, _) = alone(&["/text quit", "quit now"]);
    assert!(!talk.client().is_finished());
    assert_eq!(notes(&mut talk)[1..], [held("/text quit"), held("quit now")]);
}

#[test]
fn what_needs_no_relay_is_obeyed_while_none_answers_and_the_rest_keeps_its_order() {
    let (mut talk, now) = alone(&["join home", "status", "one"]);
    let heard = notes(&mut talk);
    assert!(matches!(heard[0], Note::Event(Event::NoContact { .. })), "{heard:?}");
    assert_eq!((&heard[1], &heard[3], heard.len()), (&held("join home"), &held("one"), 4));
    assert!(matches!(&heard[2], Note::Status(status) if status.silent), "{heard:?}");
    for line in ["help", "/mgs bob hi", r#"{"type":"leap"}"#, "/direct", "two"] {
        talk.line(line.as_bytes().to_vec(), now);
    }
    let heard = notes(&mut talk);
    assert_eq!(heard[0], Note::Help);
    assert!(matches!(&heard[1], Note::Hint { hint: Hint::Unknown, line: Some(_) }), "{heard:?}");
    assert!(matches!(&heard[2], Note::Misread { .. }), "{heard:?}");
    assert_eq!(heard[3..], [held("/direct"), held("two")]);

    let now = talk.client().deadline(now).unwrap();
    talk.advance(now);
    talk.client().opened(now);
    sent(&mut talk);
    answer(&mut talk, &format!("!OK HELLO 2 {} 60.0", Token::of(7)), now);
    assert_eq!(sent(&mut talk), ["!JOIN HOME"]);
    answer(&mut talk, "!OK JOINED HOME", now);
    assert_eq!(texts(&mut talk), ["one"]);
    // It was for a peer, and not for everybody.
    assert_eq!(hints(&mut talk), [(Hint::NoPeer, "/direct".into()), elsewhere("HOME", "two")]);
}

/// What was sent to the group.
fn texts(talk: &mut Talk) -> Vec<String> {
    sent(talk).into_iter().filter(|datagram| !datagram.starts_with('!')).collect()
}

fn elsewhere(group: &str, line: &str) -> (Hint, String) {
    let place = group.parse().map_or(Place::Nowhere, Place::Group);
    (Hint::Elsewhere { place, text: line.into() }, line.into())
}

/// A talk in a group, with a name if it is to have one, whose relay is gone.
fn left_alone(named: bool) -> (Talk, Instant) {
    let (mut talk, now) = extended(&["create --join"]);
    answer(&mut talk, "!OK CREATED PRIV", now);
    answer(&mut talk, "!OK JOINED PRIV", now);
    answer(&mut talk, "!OK WATCH", now);
    answer(&mut talk, "!OK PEERS .", now);
    if named {
        talk.line(b"/reg anna".to_vec(), now);
        answer(&mut talk, &format!("!OK REG anna {}", Token::of(8)), now);
        answer(&mut talk, "!OK WATCH", now);
        answer(&mut talk, "!OK PEERS . anna=ONLINE", now);
    }
    talk.client().network_changed(now);
    talk.advance(now);
    sent(&mut talk);
    notes(&mut talk);
    (talk, now)
}

/// The relay is there again, and has forgotten everything. It has a lobby for those who have a name.
fn come_back_anew(talk: &mut Talk, named: bool, now: Instant) {
    talk.client().opened(now);
    answer(talk, "!ERR BAD_TOKEN", now);
    answer(talk, &format!("!OK HELLO 2 {} 60.0", Token::of(9)), now);
    if named {
        answer(talk, &format!("!OK REG anna {}", Token::of(8)), now);
    }
    assert_eq!(sent(talk).last().unwrap(), "!JOIN PRIV");
    answer(talk, "!ERR BAD_ARG NoSuchGroup", now);
    if named {
        assert_eq!(sent(talk), ["!WHO"]);
        answer(talk, "!OK WHO LOBBY 1", now);
    }
}

#[test]
fn a_line_that_waited_goes_where_it_was_typed_for_or_nowhere() {
    for (named, place) in [(true, "LOBBY"), (false, "")] {
        let (mut talk, now) = left_alone(named);
        let prompt = talk.place();
        assert_eq!(prompt, Place::Group("PRIV".parse().unwrap()));
        talk.line_for(b"secret one".to_vec(), prompt, now);
        // The same without a prompt.
        talk.line(b"secret two".to_vec(), now);
        assert_eq!(notes(&mut talk), [held("secret one"), held("secret two")]);
        come_back_anew(&mut talk, named, now);
        assert_eq!(texts(&mut talk), [] as [String; 0]);
        assert_eq!(hints(&mut talk), ["secret one", "secret two"].map(|line| elsewhere(place, line)));
    }
    assert_eq!(elsewhere("LOBBY", "hi\x1b").0.to_string(), "not sent, you are in LOBBY now: hi\\x1b");
    assert_eq!(elsewhere("", "hi").0.to_string(), "not sent, you are in no group now: hi");
}

#[test]
fn a_line_goes_only_to_where_its_prompt_said() {
    let (mut talk, now) = left_alone(true);
    let before = talk.place();
    come_back_anew(&mut talk, true, now);
    answer(&mut talk, "!OK WATCH", now);
    answer(&mut talk, "!OK PEERS . anna=ONLINE", now);
    notes(&mut talk);
    talk.line_for(b"secret".to_vec(), before.clone(), now);
    // Nobody has said that it goes to the lobby where there is no prompt.
    talk.line(b"secret, too".to_vec(), now);
    assert_eq!(hints(&mut talk), ["secret", "secret, too"].map(|line| elsewhere("LOBBY", line)));
    assert_eq!(texts(&mut talk), [] as [String; 0]);
    let prompt = talk.place();
    talk.line_for(b"hello".to_vec(), prompt, now);
    talk.line(b"join LOBBY".to_vec(), now);
    answer(&mut talk, "!OK JOINED LOBBY", now);
    talk.line(b"here I am".to_vec(), now);
    assert_eq!((texts(&mut talk), hints(&mut talk)), (vec!["hello".into(), "here I am".into()], vec![]));
    talk.line_for(b"secret".to_vec(), before, now);
    assert_eq!(hints(&mut talk), [elsewhere("LOBBY", "secret")]);
}

#[test]
fn what_waits_behind_a_move_goes_to_where_that_leads() {
    let lines = ["create --join", "new", "join GONE", "gone", "/leave", "nowhere", "join HOME", "home"];
    let (mut talk, now) = alone(&lines);
    let now = talk.client().deadline(now).unwrap();
    talk.advance(now);
    talk.client().opened(now);
    answer(&mut talk, &format!("!OK HELLO 2 {} 60.0", Token::of(7)), now);
    notes(&mut talk);
    answer(&mut talk, "!OK CREATED NEW1", now);
    answer(&mut talk, "!OK JOINED NEW1", now);
    assert_eq!(texts(&mut talk), ["new"]);
    answer(&mut talk, "!ERR BAD_ARG NoSuchGroup", now);
    assert_eq!(hints(&mut talk), [elsewhere("NEW1", "gone")]);
    answer(&mut talk, "!OK LEFT NEW1", now);
    assert_eq!(hints(&mut talk), [(Hint::NoGroup, "nowhere".into())]);
    answer(&mut talk, "!OK JOINED HOME", now);
    assert_eq!(texts(&mut talk), ["home"]);
}

#[test]
fn while_nobody_answers_further_lines_are_taken_but_not_without_end() {
    let (mut talk, now) = alone(&[]);
    assert!(talk.is_settled(now) && talk.wants_line(now));
    for _ in 0..MAX_WAITING {
        assert!(talk.wants_line(now));
        talk.line(b"hello".to_vec(), now);
        assert!(!talk.is_settled(now));
    }
    assert!(!talk.wants_line(now));
    let (mut talk, now) = extended(&["join home"]);
    assert!(!talk.wants_line(now), "somebody answers, and that is waited for");
    answer(&mut talk, "!OK JOINED HOME", now);
    assert!(talk.wants_line(now));
}
