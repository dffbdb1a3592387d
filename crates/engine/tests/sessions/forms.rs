//! The same payload for base clients, for extended ones, and for those who want to know who speaks.

use super::*;

/// A group of a base client, an extended one, and one that wants to know who speaks, in this order.
fn group(relay: &mut Relay) -> [SocketAddr; 3] {
    let members = [client(1), client(2), client(3)];
    let id = relay.create(client(9));
    hello(relay, members[1], "");
    hello(relay, members[2], " FROM");
    relay.join(members[0], &id);
    for member in &members[1..] {
        assert_eq!(relay.say(*member, &text(&["!JOIN ", &id])), format!("!OK JOINED {id}"));
    }
    members
}

fn texts<const N: usize>(heard: &BTreeMap<SocketAddr, Vec<u8>>, members: [SocketAddr; N]) -> [String; N] {
    assert_eq!(heard.len(), N);
    members.map(|member| String::from_utf8(heard[&member].clone()).unwrap())
}

#[test]
fn each_member_hears_a_payload_in_its_own_form() {
    let mut relay = relay(3);
    let [base, extended, with_sender] = group(&mut relay);
    assert_eq!(
        texts(&heard(&mut relay, base, b"hello"), [extended, with_sender]),
        ["hello", "!FROM #1 0000000000 hello"]
    );
    assert_eq!(
        texts(&heard(&mut relay, extended, b"!RAW hello"), [base, with_sender]),
        ["hello", "!FROM #2 0000000000 hello"]
    );
    assert_eq!(texts(&heard(&mut relay, with_sender, b"!RAW  !x"), [base, extended]), [" !x", " !x"]);
    assert_eq!(
        texts(&heard(&mut relay, extended, b"!RAW !x"), [base, with_sender]),
        ["!x", "!FROM #2 0000000001 !x"]
    );
    assert_eq!(texts(&heard(&mut relay, with_sender, b"!RAW !x"), [base, extended]), ["!x", "!RAW !x"]);
    assert!(heard(&mut relay, extended, b"!RAW ").is_empty(), "an empty one is ignored");
    assert!(heard(&mut relay, extended, b"!RAW").is_empty());
}

/// What one sender says has no gaps for who was there all the time; whoever comes back to a group is somebody else there.
#[test]
fn payloads_are_counted_by_sender_and_membership() {
    let mut relay = relay(1);
    let [base, extended, with_sender] = group(&mut relay);
    for seq in 0..12 {
        let got = heard(&mut relay, base, b"x");
        assert_eq!(got[&with_sender], format!("!FROM #1 {seq:010} x").into_bytes());
    }
    let got = heard(&mut relay, extended, b"x");
    assert_eq!(got[&with_sender], b"!FROM #2 0000000000 x");
    let id = relay.say(base, b"!WHO").split(' ').nth(2).unwrap().to_owned();
    relay.say(base, &text(&["!LEAVE ", &id]));
    relay.join(base, &id);
    let got = heard(&mut relay, base, b"x");
    assert_eq!(got[&with_sender], b"!FROM #3 0000000000 x");
}

/// Who says hello again without the wish gets plain payloads again.
#[test]
fn a_form_can_be_changed_while_one_is_a_member() {
    let mut relay = relay(1);
    let [base, extended, with_sender] = group(&mut relay);
    hello(&mut relay, with_sender, "");
    hello(&mut relay, extended, " FROM");
    assert_eq!(
        texts(&heard(&mut relay, base, b"x"), [extended, with_sender]),
        ["!FROM #1 0000000000 x", "x"]
    );
}

/// As long as no extended client is there, the bytes lie where they came in.
#[test]
fn a_group_of_base_clients_is_served_as_ever() {
    let mut relay = relay(1);
    let [base, extended, with_sender] = group(&mut relay);
    let id = relay.say(base, b"!WHO").split(' ').nth(2).unwrap().to_owned();
    for member in [extended, with_sender] {
        relay.say(member, &text(&["!LEAVE ", &id]));
    }
    relay.join(client(7), &id);
    relay.begin_turn(0);
    relay.receive(base, b"x");
    let delivery = relay.outboxes[0].epochs().flatten().next().unwrap();
    assert_eq!(delivery.payload, Payload::Received(0));
}
