//! Where goes what is typed while one talks to a person directly.

use super::*;

fn peer() -> SocketAddr {
    "192.0.2.2:4000".parse().unwrap()
}

/// Anna in a group, who has typed `/direct` in a direct talk with bob.
fn directly_to_bob() -> (Talk, Instant) {
    let (mut talk, now) = extended(&["join home"]);
    for reply in ["!OK JOINED HOME", "!OK WATCH", "!OK PEERS ."] {
        answer(&mut talk, reply, now);
    }
    talk.line(b"/reg anna".to_vec(), now);
    for reply in [&format!("!OK REG anna {}", Token::of(8)), "!OK WATCH", "!OK PEERS . anna=ONLINE"] {
        answer(&mut talk, reply, now);
    }
    talk.line(b"/bridge bob".to_vec(), now);
    answer(&mut talk, &format!("!PEER_AT bob 192.0.2.2 4000 {}", Token::of(9)), now);
    from_bob(&mut talk, "PUNCH", now);
    talk.line(b"/direct".to_vec(), now);
    assert_eq!(talk.place(), bob());
    sent(&mut talk);
    notes(&mut talk);
    (talk, now)
}

fn from_bob(talk: &mut Talk, word: &str, now: Instant) {
    talk.client().receive(peer(), format!("!{word} {}", Token::of(9)).as_bytes(), now);
    talk.advance(now);
}

fn bob() -> Place {
    Place::Person("bob".into())
}

fn is_indirect(note: &Note) -> bool {
    *note == Note::Indirect("bob".into())
}

#[test]
fn what_is_typed_for_a_person_goes_to_them_through_the_relay_when_the_direct_way_ends() {
    let (mut talk, now) = directly_to_bob();
    let prompt = talk.place();
    talk.line_for(b"one".to_vec(), prompt.clone(), now);
    assert!(sent(&mut talk)[0].starts_with("!D "), "directly");
    from_bob(&mut talk, "BYE", now);
    talk.line_for(b"two".to_vec(), prompt.clone(), now);
    let through_the_relay = |talk: &mut Talk, text: &str| {
        let sent = sent(talk);
        sent.iter().any(|datagram| datagram.starts_with("!SEND bob ") && datagram.ends_with(text))
            && sent.iter().all(|datagram| datagram.starts_with('!'))
    };
    assert!(through_the_relay(&mut talk, " one"));
    let heard = notes(&mut talk);
    assert_eq!(heard.iter().filter(|note| is_indirect(note)).count(), 1, "{heard:?}");
    assert!(heard.iter().any(|note| matches!(note, Note::Written { bytes, .. } if bytes == b"two")));
    // Whoever is there no more is told of, and nobody else hears it.
    answer(&mut talk, "!ERR NO_SUCH_NAME bob", now);
    assert!(talk.place() == bob() && through_the_relay(&mut talk, " two"));
    talk.line(b"/direct".to_vec(), now);
    talk.line_for(b"three".to_vec(), prompt, now);
    assert_eq!(hints(&mut talk), [elsewhere("HOME", "three")]);
    talk.line(b"four".to_vec(), now);
    assert_eq!(texts(&mut talk), ["four"]);
}

#[test]
fn a_person_who_has_no_name_any_more_says_nothing_to_anybody() {
    let (mut talk, now) = directly_to_bob();
    answer(&mut talk, "!ERR NAME_MOVED anna", now);
    notes(&mut talk);
    talk.line_for(b"secret".to_vec(), bob(), now);
    assert_eq!(hints(&mut talk), [(Hint::Deregistered, "secret".into())]);
    assert_eq!(texts(&mut talk), [] as [String; 0]);
}

#[test]
fn another_group_ends_what_goes_to_a_person() {
    for (line, reply, group) in
        [("join other", "!OK JOINED OTHER", "OTHER"), ("leave", "!OK LEFT HOME", ""), ("who", "", "bob")]
    {
        let (mut talk, now) = directly_to_bob();
        talk.line(line.as_bytes().to_vec(), now);
        answer(&mut talk, reply, now);
        assert_eq!(talk.place().to_string(), group);
        assert_eq!(notes(&mut talk).contains(&Note::Direct(None)), group != "bob");
    }
    // Not one that the client has come into by itself.
    let (mut talk, now) = directly_to_bob();
    answer(&mut talk, "!ERR NOT_IN_GROUP JoinFirstUseJOIN", now);
    answer(&mut talk, "!OK JOINED HOME", now);
    assert_eq!((talk.client().group().is_some(), talk.place()), (true, bob()));
}
