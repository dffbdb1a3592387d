//! Who has given the name up, or has lost it, sends nothing without one.

use super::*;

#[test]
fn who_has_given_the_name_up_is_warned_and_sends_nothing() {
    let (mut talk, now) = extended(&["join home", "/reg anna"]);
    answer(&mut talk, "!OK JOINED HOME", now);
    answer(&mut talk, &format!("!OK REG anna {}", Token::of(8)), now);
    answer(&mut talk, "!OK WATCH", now);
    answer(&mut talk, "!OK PEERS . anna=ONLINE", now);
    talk.line(b"/dereg".to_vec(), now);
    answer(&mut talk, "!OK DEREG anna", now);
    sent(&mut talk);
    notes(&mut talk);
    talk.line(b"hello".to_vec(), now);
    talk.line(b"/msg bob hello".to_vec(), now);
    assert_eq!(
        hints(&mut talk),
        ["hello", "/msg bob hello"].map(|line| (Hint::Deregistered, line.to_owned()))
    );
    assert_eq!(sent(&mut talk), [] as [String; 0]);
}

#[test]
fn who_was_refused_a_name_is_warned_and_sends_nothing() {
    for refusal in
        ["!ERR NAME_TAKEN anna", "!ERR SERVER_FULL TryLater", "!ERR BAD_NAME", "!ERR BAD_CMD UnknownCommand"]
    {
        let (mut talk, now) = extended(&["/reg anna", "join home", "hello", "/text who"]);
        answer(&mut talk, refusal, now);
        answer(&mut talk, "!OK JOINED HOME", now);
        assert_eq!(texts(&mut talk), [] as [String; 0], "{refusal}");
        let expected = ["hello", "/text who"].map(|line| (Hint::Deregistered, line.to_owned()));
        assert_eq!(hints(&mut talk), expected, "{refusal}");
        talk.line(b"/reg bella".to_vec(), now);
        for reply in ["!OK WATCH", "!OK PEERS .", &format!("!OK REG bella {}", Token::of(8))] {
            answer(&mut talk, reply, now);
        }
        talk.line(b"hello".to_vec(), now);
        assert_eq!(texts(&mut talk), ["hello"], "{refusal}");
        // Who is refused another name has this one.
        talk.line(b"/reg carla".to_vec(), now);
        for reply in ["!OK WATCH", "!OK PEERS . bella=ONLINE", "!ERR NAME_TAKEN carla"] {
            answer(&mut talk, reply, now);
        }
        talk.line(b"still here".to_vec(), now);
        assert_eq!(texts(&mut talk), ["still here"], "{refusal}");
    }
}

#[test]
fn who_has_lost_the_name_to_somebody_else_is_warned_and_who_never_asked_for_one_is_not() {
    for (named, said) in [(true, &[][..]), (false, &["hello"])] {
        let (mut talk, now) = left_alone(named);
        talk.client().opened(now);
        answer(&mut talk, "!ERR BAD_TOKEN", now);
        answer(&mut talk, &format!("!OK HELLO 2 {} 60.0", Token::of(9)), now);
        if named {
            answer(&mut talk, "!ERR NAME_TAKEN anna", now);
        }
        answer(&mut talk, "!OK JOINED PRIV", now);
        talk.line(b"hello".to_vec(), now);
        assert_eq!(texts(&mut talk), said);
        assert_eq!(hints(&mut talk).len(), usize::from(named));
    }
}
