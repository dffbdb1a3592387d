//! Lines of JSON: exact, harmless, and as documented.

use std::collections::{BTreeMap, BTreeSet};

use chat::{Hint, Person, Request};
use wire::{MessageId, Token};

use super::*;

fn parsed(event: Event) -> Value {
    let line = line(&Note::Event(event), "server");
    assert!(!line.chars().any(is_harmful), "{line}");
    serde_json::from_str(&line).unwrap()
}

#[test]
fn texts_survive_exactly() {
    let text = "a\"\\\n\u{1b}[2J\u{9b}\u{202e}\u{2028}\u{7f} \u{1f44b}";
    let group = Some("HOME".parse().unwrap());
    let value = parsed(Event::Text { group, from: None, bytes: text.into() });
    assert_eq!(
        (&value["type"], &value["group"], &value["text"]),
        (&json!("text"), &json!("HOME"), &json!(text))
    );
    assert!(value["time"].as_u64().unwrap() > 1_700_000_000_000);
    let value = parsed(Event::Text { group: None, from: None, bytes: vec![0xff, 0x0a] });
    assert_eq!((&value["hex"], value.get("text")), (&json!("ff0a"), None));
}

#[test]
fn the_type_comes_first() {
    assert!(line(&Note::Help, "server").starts_with(r#"{"type":"help","time":"#));
}

/// Each kind of event, once.
fn events() -> impl Iterator<Item = Event> {
    let (group, second) = ("ABCD1234".parse().unwrap(), "EFGH5678".parse().unwrap());
    let (id, name) = (MessageId::parse(b"7").unwrap(), || "bob".to_owned());
    let (protocol, transport) = (Protocol::Extended, Transport::Udp);
    [
        Event::Contact { protocol, transport },
        Event::NoContact { refused: true },
        Event::NotExtended,
        Event::Interrupted { unsure: true },
        Event::Resumed { anew: true },
        Event::Text { group: None, from: None, bytes: b"x".to_vec() },
        Event::Missed { from: name(), count: 1 },
        Event::Created(group),
        Event::Joined { group, again: false },
        Event::Left(group),
        Event::Members { group, count: 1 },
        Event::Alive { round_trip: None, heartbeat: Duration::ZERO },
        Event::Refused { request: Request::Who, refusal: wire::Refusal::NotJoined },
        Event::Deferred(Request::Join(group)),
        Event::NoAnswer { request: Request::Who, tries: 3 },
        Event::Lost { group, unsure: true },
        Event::Corrected(group),
        Event::CreatedTwice { first: group, second },
        Event::Silent,
        Event::Unreachable,
        Event::Answers,
        Event::Registered { name: name(), claim: Token::of(0), again: false },
        Event::NameTaken(name()),
        Event::NameMoved(name()),
        Event::Deregistered(name()),
        Event::Mail(1),
        Event::Peers(vec![Person { name: name(), online: true }]),
        Event::Presence { name: name(), news: News::Joined },
        Event::Message { from: name(), id, time: None, bytes: b"x".to_vec() },
        Event::Waiting(None),
        Event::WaitingEnded,
        Event::Punching(name()),
        Event::DirectOpen { name: name(), address: ([192, 0, 2, 2], 4000).into() },
        Event::DirectClosed { name: name(), reason: Closing::Theirs },
    ]
    .into_iter()
}

/// Each kind of line, once.
fn samples() -> Vec<String> {
    let group = "ABCD1234".parse().unwrap();
    let status = Status {
        group: None,
        name: None,
        protocol: None,
        transport: Transport::Udp,
        heartbeat: None,
        next_ping: None,
        round_trip: None,
        waiting: 0,
        direct: None,
        silent: false,
    };
    let id = MessageId::parse(b"7").unwrap();
    let mark = Mark { number: 1, to: "bob".into(), id, fate: Fate::Delivered };
    let said = Note::Said { group: None, bytes: b"x".to_vec() };
    let written = Note::Written { number: 1, to: "bob".into(), id, bytes: b"x".to_vec() };
    let misread = Note::Misread { line: b"{".to_vec(), reason: "x".into() };
    let others = [
        Note::Mark(mark),
        Note::Held(b"x".to_vec()),
        Note::Hint { hint: Hint::NoGroup, line: Some(b"x".to_vec()) },
        Note::Status(status),
        Note::Direct(None),
        Note::Indirect("bob".into()),
        Note::Help,
        misread,
        said,
        written,
    ];
    let lines = events().map(Note::Event).chain(others).map(|note| line(&note, "server"));
    lines.chain([sent_line(group, 1, 1), problem_line("x")]).collect()
}

fn fields(line: &str) -> (String, BTreeSet<String>) {
    let value: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"));
    let fields = value.as_object().unwrap().keys().cloned().collect();
    (value["type"].as_str().unwrap().to_owned(), fields)
}

#[test]
fn what_is_printed_is_what_is_documented() {
    let document = include_str!("../../../../docs/chat.md");
    let (document, _) = document.split_once("## JSON on the input").unwrap();
    let documented: BTreeMap<_, _> =
        document.lines().filter(|line| line.starts_with("{\"type\"")).map(fields).collect();
    let printed: BTreeMap<_, _> = samples().iter().map(|line| fields(line)).collect();
    assert_eq!(printed, documented);
}

#[test]
fn every_event_has_words_of_its_own() {
    for event in events() {
        let (_, words) = crate::app::human::words(&Note::Event(event.clone()), "server");
        let name: String = format!("{event:?}").chars().take_while(char::is_ascii_alphabetic).collect();
        assert!(!words.starts_with(&name) && !words.contains('{'), "{words}");
    }
}
