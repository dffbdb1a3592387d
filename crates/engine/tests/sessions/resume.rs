//! A session that goes on from another address, wherever that is.

use super::*;

/// An extended member of a group in which a base client is, too: its token, the group, and the other one.
fn member(relay: &mut Relay, source: SocketAddr) -> (String, String, SocketAddr) {
    let other = client(50);
    let id = relay.create(other);
    relay.join(other, &id);
    let token = hello(relay, source, " FROM");
    assert_eq!(relay.say(source, &text(&["!JOIN ", &id])), format!("!OK JOINED {id}"));
    (token, id, other)
}

fn new_token(answer: &str, group: &str) -> String {
    let token = answer.strip_prefix(&format!("!OK RESUMED {group} - "));
    token.unwrap_or_else(|| panic!("{answer}")).to_owned()
}

#[test]
fn a_session_moves_with_its_group_to_any_shard() {
    // The same shard, and two others.
    for new in [client(3), client(1), client(2)] {
        let mut relay = relay(3);
        let old = client(0);
        let (token, id, other) = member(&mut relay, old);
        let heard_before = heard(&mut relay, old, b"x");
        assert_eq!(heard_before.keys().collect::<Vec<_>>(), [&other]);
        let token = new_token(&resume(&mut relay, new, &token), &id);
        assert_eq!(
            heard(&mut relay, other, b"x")[&new],
            b"!FROM #2 0000000000 x",
            "its form has come with it"
        );
        assert_eq!(heard(&mut relay, new, b"x").keys().collect::<Vec<_>>(), [&other]);
        assert_eq!(relay.groups.roster(&id.parse().unwrap()).unwrap().len(), 2);
        assert_eq!(relay.directory.sessions(), 1);
        // The old address is a stranger's, and can be used again.
        assert_eq!(relay.say(old, b"x"), "ERR NOT_IN_GROUP JoinFirstUseJOIN");
        assert_eq!(relay.say(old, b"!BEAT"), "!ERR NO_SESSION SendHELLO");
        relay.join(old, &id);
        assert_eq!(heard(&mut relay, old, b"x").len(), 2);
        assert_eq!(relay.clients(), 3);
        // And back again.
        let token = new_token(&resume(&mut relay, client(4), &token), &id);
        assert_ne!(token, "");
        assert_eq!(relay.say(client(4), b"!WHO"), format!("!OK WHO {id} 3"));
    }
}

/// Whatever the old address does first, it has nothing to say any more.
#[test]
fn the_old_address_is_a_strangers_from_then_on() {
    let words = ["x", "!RAW !x", "!PING", "!WHO", "!BEAT", "!LEAVE ", "!JOIN ", "!CREATE"];
    for (word, new) in words.iter().flat_map(|word| [(word, client(3)), (word, client(1))]) {
        let mut relay = relay(3);
        let old = client(0);
        let (token, id, other) = member(&mut relay, old);
        new_token(&resume(&mut relay, new, &token), &id);
        let said = if word.ends_with(' ') { format!("{word}{id}") } else { (*word).to_owned() };
        let answer = relay.say(old, said.as_bytes());
        let stranger = match *word {
            "!JOIN " => format!("OK JOINED {id}"),
            "!LEAVE " => "ERR NOT_IN_GROUP NotInThatGroup".to_owned(),
            "!BEAT" | "!RAW !x" => "!ERR NO_SESSION SendHELLO".to_owned(),
            "!CREATE" => answer.clone(),
            _ => "ERR NOT_IN_GROUP JoinFirstUseJOIN".to_owned(),
        };
        assert_eq!(answer, stranger, "{word}");
        assert!(*word != "!CREATE" || answer.starts_with("OK CREATED "), "{answer}");
        let receivers = heard(&mut relay, other, b"y");
        assert_eq!(receivers.contains_key(&old), *word == "!JOIN ", "{word}");
        assert!(receivers.contains_key(&new), "{word}");
        relay.clients();
    }
}

/// Nobody says anything from the old address: what is left there goes with time, and takes nothing with it.
#[test]
fn what_is_left_of_a_session_is_forgotten() {
    let mut relay = relay(3);
    let (token, id, other) = member(&mut relay, client(0));
    new_token(&resume(&mut relay, client(1), &token), &id);
    for _ in 0..4 {
        relay.pass_quietly(60_000);
        relay.ask(client(1), b"!BEAT");
        relay.ask(other, b"!PING");
    }
    assert_eq!((relay.clients(), relay.directory.sessions()), (2, 1));
    assert_eq!(relay.say(client(1), b"!WHO"), format!("!OK WHO {id} 2"));
}

/// The group is deleted, and another one gets its place, while the old shard still has a view of it.
#[test]
fn a_group_that_is_gone_does_not_confuse_the_old_shard() {
    let mut relay = relay(3);
    let old = client(0);
    let token = hello(&mut relay, old, "");
    let id = relay.create(client(60));
    relay.say(old, &text(&["!JOIN ", &id]));
    assert!(heard(&mut relay, old, b"x").is_empty(), "alone");
    new_token(&resume(&mut relay, client(1), &token), &id);
    relay.say(client(1), &text(&["!LEAVE ", &id]));
    // More than there are locks over them, so that one lies where the old one lay.
    relay.pass_quietly(31_000);
    for number in 0..2000 {
        let id = relay.create(client(1000 + number));
        relay.join(client(1000 + number), &id);
    }
    assert_eq!(relay.say(old, b"x"), "ERR NOT_IN_GROUP JoinFirstUseJOIN");
    relay.clients();
}

/// To and fro as often as it likes: a session is one client, wherever it has been, and the shards it has left know so with their
/// next turn.
#[test]
fn a_session_leaves_nothing_behind() {
    let mut relay = relay(3);
    let mut token = hello(&mut relay, client(0), "");
    for address in 1..1000 {
        token = new_token(&resume(&mut relay, client(address), &token), "-");
        relay.begin_turn(0);
        assert_eq!(relay.clients(), 1);
    }
    relay.pass_quietly(240_000);
    let expired = relay.engines.iter().map(|engine| engine.tally().events[Event::Expire as usize]);
    assert_eq!((relay.clients(), expired.sum::<u64>()), (0, 0), "it was no member");
}

#[test]
fn a_resume_may_be_repeated_for_a_while_and_from_the_new_address_only() {
    let mut relay = relay(2);
    let (token, id, _) = member(&mut relay, client(0));
    let answer = resume(&mut relay, client(1), &token);
    let next = new_token(&answer, &id);
    assert_ne!(next, token);
    assert_eq!(resume(&mut relay, client(1), &token), answer);
    relay.begin_turn(30_000);
    assert_eq!(resume(&mut relay, client(1), &token), answer);
    assert_eq!(resume(&mut relay, client(2), &token), "!ERR BAD_TOKEN", "replayed from elsewhere");
    assert_eq!(resume(&mut relay, client(0), &token), "!ERR BAD_TOKEN", "or from where it was");
    relay.begin_turn(1);
    assert_eq!(resume(&mut relay, client(1), &token), "!ERR BAD_TOKEN", "too late");
    assert_eq!(relay.say(client(1), b"!WHO"), format!("!OK WHO {id} 2"), "and nothing has moved");
    new_token(&resume(&mut relay, client(2), &next), &id);
}

#[test]
fn who_resumes_where_it_is_gets_another_token() {
    let mut relay = relay(1);
    let (token, id, other) = member(&mut relay, client(0));
    let next = new_token(&resume(&mut relay, client(0), &token), &id);
    assert_ne!(next, token);
    assert_eq!((relay.clients(), relay.directory.sessions()), (2, 1));
    assert_eq!(heard(&mut relay, other, b"x").keys().collect::<Vec<_>>(), [&client(0)]);
}

/// The new address was somebody in a group, or had a session of its own: that ends.
#[test]
fn a_session_replaces_what_was_at_its_new_address() {
    for was_extended in [false, true] {
        let mut relay = relay(2);
        let (token, id, other) = member(&mut relay, client(0));
        let new = client(1);
        let own = was_extended.then(|| hello(&mut relay, new, ""));
        let hall = relay.create(client(70));
        relay.ask(new, &text(&["!JOIN ", &hall]));
        new_token(&resume(&mut relay, new, &token), &id);
        relay.begin_turn(0);
        assert_eq!((relay.clients(), relay.directory.sessions()), (2, 1));
        assert!(relay.groups.roster(&hall.parse().unwrap()).unwrap().is_empty());
        assert_eq!(heard(&mut relay, other, b"x").keys().collect::<Vec<_>>(), [&new]);
        if let Some(own) = own {
            assert_eq!(resume(&mut relay, client(5), &own), "!ERR BAD_TOKEN");
        }
    }
}

/// The same group, in which it already is with another address.
#[test]
fn a_session_may_come_to_an_address_that_is_in_its_group() {
    let mut relay = relay(2);
    let (token, id, other) = member(&mut relay, client(0));
    relay.join(client(1), &id);
    new_token(&resume(&mut relay, client(1), &token), &id);
    assert_eq!(heard(&mut relay, other, b"x").keys().collect::<Vec<_>>(), [&client(1)]);
    relay.begin_turn(0);
    assert_eq!(relay.clients(), 2);
}

/// An index by address has to follow, in groups that have one.
#[test]
fn members_of_large_groups_move_too() {
    let cap = engine::Cap::Unlimited;
    let settings = Settings { admission: AdmissionMode::Open, cap, ..Settings::default() };
    let mut relay = Relay::new(4, settings);
    let (mut token, id, other) = member(&mut relay, client(0));
    for number in 100..700 {
        relay.join(client(number), &id);
    }
    for new in [1, 4, 2, 900, 901] {
        token = new_token(&resume(&mut relay, client(new), &token), &id);
        assert_eq!(heard(&mut relay, client(new), b"x").len(), 601);
        assert!(heard(&mut relay, other, b"x").contains_key(&client(new)));
    }
    assert_eq!(relay.say(client(901), &text(&["!LEAVE ", &id])), format!("!OK LEFT {id}"));
    assert_eq!(heard(&mut relay, other, b"x").len(), 600);
}

/// The number and the count of a sender go with its session.
#[test]
fn a_sender_is_the_same_wherever_it_speaks() {
    let mut relay = relay(2);
    let (token, id, _) = member(&mut relay, client(0));
    let listener = client(30);
    hello(&mut relay, listener, " FROM");
    relay.say(listener, &text(&["!JOIN ", &id]));
    assert_eq!(heard(&mut relay, client(0), b"x")[&listener], b"!FROM #1 0000000000 x");
    new_token(&resume(&mut relay, client(1), &token), &id);
    assert_eq!(heard(&mut relay, client(1), b"x")[&listener], b"!FROM #1 0000000001 x");
}

#[test]
fn a_million_wrong_tokens_move_nothing() {
    let mut relay = relay(1);
    let (_, id, other) = member(&mut relay, client(0));
    let thief = client(1);
    let cookie = cookie(&mut relay, thief);
    let mut digits = 0x9E37_79B9_7F4A_7C15_u128;
    for _ in 0..1_000_000 {
        digits = digits.wrapping_mul(0xDA94_2042_E4DD_58B5).wrapping_add(1);
        let token = wire::Token::of(digits).to_string();
        relay.begin_turn(0);
        relay.receive(thief, &text(&["!RESUME ", &token, " ", &cookie]));
        let outbox = &relay.outboxes[0];
        let delivery = outbox.epochs().flatten().next().unwrap();
        let Payload::Composed(range) = &delivery.payload else { panic!("{delivery:?}") };
        assert_eq!(outbox.text(range), b"!ERR BAD_TOKEN");
    }
    assert_eq!(heard(&mut relay, other, b"x").keys().collect::<Vec<_>>(), [&client(0)]);
    assert_eq!(relay.say(client(0), b"!WHO"), format!("!OK WHO {id} 2"));
}
