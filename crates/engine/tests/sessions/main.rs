//! Extended clients: how they become some, what they hear, and how they go on from another address.

#[path = "../common/mod.rs"]
mod common;
mod forms;
mod random;
mod resume;
mod streams;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use common::{Answer, Relay, client, text};
use engine::{AdmissionMode, Audience, Ceilings, DropReason, Event, Payload, Settings};
use wire::Form;

/// A relay of so many shards that asks nobody who does not want to be asked.
fn relay(shards: usize) -> Relay {
    Relay::new(shards, Settings { admission: AdmissionMode::Open, ..Settings::default() })
}

/// The cookie that an address is told.
fn cookie(relay: &mut Relay, source: SocketAddr) -> String {
    let answer = relay.say(source, b"!HELLO 2");
    answer.strip_prefix("!RETRY ").unwrap_or_else(|| panic!("{answer}")).to_owned()
}

/// Says hello with a cookie, and something behind it; returns the token.
fn hello(relay: &mut Relay, source: SocketAddr, wish: &str) -> String {
    let cookie = cookie(relay, source);
    let answer = relay.say(source, &text(&["!HELLO 2 ", &cookie, wish]));
    let token = answer.strip_prefix("!OK HELLO 2 ").and_then(|rest| rest.strip_suffix(" 60.0"));
    token.unwrap_or_else(|| panic!("{answer}")).to_owned()
}

/// Goes on from another address; returns the answer.
fn resume(relay: &mut Relay, source: SocketAddr, token: &str) -> String {
    let cookie = cookie(relay, source);
    relay.say(source, &text(&["!RESUME ", token, " ", &cookie]))
}

/// What each receiver of a payload gets, whatever its form.
fn heard(relay: &mut Relay, source: SocketAddr, bytes: &[u8]) -> BTreeMap<SocketAddr, Vec<u8>> {
    relay.begin_turn(0);
    relay.receive(source, bytes);
    let outbox = &relay.outboxes[relay.shard(source)];
    let deliveries: Vec<_> = outbox.epochs().flatten().collect();
    let mut heard = BTreeMap::new();
    for delivery in deliveries {
        let Audience::Others { roster, sender } = &delivery.audience else { panic!("{delivery:?}") };
        let members = outbox.listed(*roster).roster.members().enumerate();
        for (_, member) in members.filter(|(position, _)| *position != *sender as usize) {
            let got = match (&delivery.payload, member.form) {
                (Payload::Received(_), _) => bytes.to_vec(),
                (Payload::Formed(number), Form::Base) => {
                    bytes[usize::from(outbox.forms(*number).start)..].to_vec()
                }
                (Payload::Formed(number), Form::Extended) => {
                    bytes[usize::from(outbox.forms(*number).extended)..].to_vec()
                }
                (Payload::Formed(number), Form::WithSender) => {
                    let forms = outbox.forms(*number);
                    [outbox.text(&forms.header), &bytes[usize::from(forms.start)..]].concat()
                }
                other => panic!("{other:?}"),
            };
            assert_eq!(heard.insert(member.client.socket_addr(), got), None, "twice");
        }
    }
    heard
}

#[test]
fn nobody_is_believed_without_the_right_cookie() {
    for mode in [AdmissionMode::Open, AdmissionMode::Auto, AdmissionMode::Strict] {
        let mut relay = Relay::new(2, Settings { admission: mode, ..Settings::default() });
        // Trusted or not.
        for source in [client(1), "127.0.0.1:4000".parse().unwrap()] {
            let first = cookie(&mut relay, source);
            let others = cookie(&mut relay, client(2));
            for shown in ["", " ", " A", " AAAAAAAAAAAAAAAA", &format!(" {others}")] {
                let answer = relay.say(source, &text(&["!HELLO 2", shown]));
                assert_eq!(answer, format!("!RETRY {first}"), "{mode:?} {source} {shown}");
            }
            assert_eq!(relay.say(source, b"!RESUME X Y"), format!("!RETRY {first}"));
            assert_eq!((relay.clients(), relay.directory.sessions()), (0, 0), "and nothing is kept");
        }
    }
}

#[test]
fn a_cookie_has_its_time() {
    let mut relay = relay(1);
    let old = cookie(&mut relay, client(1));
    relay.begin_turn(60_001);
    assert!(relay.say(client(1), &text(&["!HELLO 2 ", &old])).starts_with("!RETRY "));
}

#[test]
fn a_hello_may_be_repeated_and_gets_the_same_token() {
    let mut relay = relay(2);
    let token = hello(&mut relay, client(1), "");
    assert_eq!(token.len(), 26);
    assert_eq!(hello(&mut relay, client(1), ""), token);
    assert_eq!(hello(&mut relay, client(1), " FROM"), token, "whatever it wishes for now");
    assert_ne!(hello(&mut relay, client(2), ""), token);
    assert_eq!((relay.clients(), relay.directory.sessions()), (2, 2));
}

#[test]
fn other_versions_and_other_words_are_answered_as_such() {
    let mut relay = relay(1);
    assert_eq!(relay.say(client(1), b"!HELLO 3"), "!ERR VERSION 2");
    assert_eq!(relay.say(client(1), b"!HELLO"), "!ERR BAD_ARG Usage:!HELLO 2 <COOKIE> [FROM]");
    for command in ["!BEAT", "!RAW x", "!REG anna", "!SEND anna 1 x", "!DEREG"] {
        assert_eq!(relay.say(client(1), command.as_bytes()), "!ERR NO_SESSION SendHELLO");
    }
    let id = relay.create(client(1));
    relay.join(client(1), &id);
    assert_eq!(relay.say(client(1), b"!BEAT"), "!ERR NO_SESSION SendHELLO", "a base client is in a group");
    assert_eq!(relay.say(client(1), b"!NONSENSE x"), "ERR BAD_CMD UnknownCommand");
}

#[test]
fn what_reads_like_an_answer_of_the_relay_is_not_answered() {
    let mut relay = relay(1);
    for words in ["!OK HELLO", "!ERR VERSION 2", "!PONG 60.0", "!RETRY AAAAAAAAAAAAAAAA"] {
        assert_eq!(relay.ask(client(1), words.as_bytes()), Answer::Nothing, "{words}");
    }
    assert_eq!(relay.engines[0].tally().dropped[DropReason::ReplyFromStranger as usize], 4);
}

#[test]
fn an_extended_client_is_told_everything_with_an_exclamation_mark() {
    let mut relay = relay(1);
    hello(&mut relay, client(1), "");
    let say = |relay: &mut Relay, words: &str| relay.say(client(1), words.as_bytes());
    assert_eq!(say(&mut relay, "!BEAT"), "!PONG 60.0");
    assert_eq!(say(&mut relay, "!PING"), "!ERR NOT_IN_GROUP JoinFirstUseJOIN");
    assert_eq!(say(&mut relay, "hello?"), "!ERR NOT_IN_GROUP JoinFirstUseJOIN");
    assert_eq!(say(&mut relay, "!RAW !x"), "!ERR NOT_IN_GROUP JoinFirstUseJOIN");
    assert_eq!(say(&mut relay, "!JOIN NOWHERE"), "!ERR BAD_ARG NoSuchGroup");
    let created = say(&mut relay, "!CREATE");
    let id = created.strip_prefix("!OK CREATED ").unwrap();
    assert_eq!(say(&mut relay, &format!("!JOIN {id}")), format!("!OK JOINED {id}"));
    assert_eq!(say(&mut relay, "!PING"), "!PONG 60.0");
    assert_eq!(say(&mut relay, "!WHO"), format!("!OK WHO {id} 1"));
    assert_eq!(say(&mut relay, &format!("!LEAVE {id}")), format!("!OK LEFT {id}"));
    assert_eq!(say(&mut relay, "!BEAT"), "!PONG 60.0", "and it is still one");
    assert_eq!(say(&mut relay, "!NONSENSE"), "!ERR BAD_CMD UnknownCommand");
    assert_eq!(relay.clients(), 1);
}

#[test]
fn a_member_stays_one_when_it_says_hello() {
    let mut relay = Relay::new(1, Settings::default());
    let id = relay.create(client(1));
    relay.join(client(2), &id);
    assert_eq!(relay.admission.unproved(), 1);
    let token = hello(&mut relay, client(2), "");
    assert_eq!(relay.admission.unproved(), 0, "it has shown where it is");
    assert_eq!(relay.say(client(2), b"!WHO"), format!("!OK WHO {id} 1"));
    assert_eq!(relay.clients(), 1);
    assert_eq!(resume(&mut relay, client(9), &token), {
        let now = relay.say(client(9), b"!WHO");
        assert_eq!(now, format!("!OK WHO {id} 1"));
        let again = resume(&mut relay, client(9), &token);
        assert!(again.starts_with(&format!("!OK RESUMED {id} - ")), "{again}");
        again
    });
}

/// Silent for three heartbeats, as members are; any datagram counts.
#[test]
fn a_session_lives_on_with_any_datagram_and_ends_without() {
    let mut relay = relay(2);
    let idle = hello(&mut relay, client(1), "");
    hello(&mut relay, client(2), "");
    let id = relay.create(client(8));
    for word in ["!BEAT", "!WHO", "!NONSENSE", "payload", "!RAW ", &format!("!JOIN {id}"), "!WHO"] {
        relay.pass_quietly(150_000);
        relay.ask(client(2), word.as_bytes());
    }
    assert_eq!((relay.clients(), relay.directory.sessions()), (1, 1));
    assert_eq!(relay.say(client(1), b"!BEAT"), "!ERR NO_SESSION SendHELLO");
    assert_eq!(resume(&mut relay, client(3), &idle), "!ERR BAD_TOKEN");
    relay.pass_quietly(181_000 + 30_000);
    assert_eq!((relay.clients(), relay.directory.sessions()), (0, 0));
    assert!(relay.groups.roster(&id.parse().unwrap()).is_none_or(|roster| roster.is_empty()));
}

#[test]
fn extended_clients_count_as_clients_do() {
    let ceilings = Ceilings { clients: 2, ..Ceilings::default() };
    let mut relay = Relay::new(2, Settings { ceilings, ..Settings::default() });
    hello(&mut relay, client(1), "");
    let id = relay.create(client(3));
    relay.join(client(2), &id);
    // The unproved member that has not been silent for a heartbeat goes for who is proved.
    hello(&mut relay, client(4), "");
    assert_eq!(relay.clients(), 2);
    let cookie = cookie(&mut relay, client(6));
    assert_eq!(relay.say(client(6), &text(&["!HELLO 2 ", &cookie])), "!ERR SERVER_FULL TryLater");
    assert_eq!((relay.clients(), relay.directory.sessions()), (2, 2));
}

#[test]
fn the_question_is_no_longer_than_three_times_the_request() {
    let mut relay = Relay::new(1, Settings { admission: AdmissionMode::Strict, ..Settings::default() });
    for (number, request) in ["!HELLO 2", "!HELLO", "!HELLO 9", "!RESUME", "!BEAT", "!RAW"].iter().enumerate()
    {
        let answer = relay.say(client(number as u32), request.as_bytes());
        let with_headers = |len: usize| len + 28;
        assert!(with_headers(answer.len()) <= 3 * with_headers(request.len()), "{request}: {answer}");
    }
}
