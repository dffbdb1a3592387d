//! Who has to prove what, and who is believed.

use engine::{DropReason, LocalAddr, OwnAddresses};

use super::*;

#[test]
fn strict_asks_everybody_who_joins_but_the_one_who_was_told_the_id() {
    let mut relay = relay(AdmissionMode::Strict);
    let id = relay.create(client(0));
    let join = text(&["!JOIN ", &id]);
    let first = relay.say(client(1), &join);
    assert_eq!(relay.say(client(1), b"!JOIN NOWHERE"), first, "and nobody learns which groups there are");
    relay.join(client(0), &id);
    for divider in [" ", "."] {
        let with = text(&["!JOIN ", &id, divider, cookie(&first)]);
        assert_eq!(relay.say(client(1), &with), format!("OK JOINED {id}"));
        assert_ne!(
            relay.say(client(2), &with),
            format!("OK JOINED {id}"),
            "a cookie is good for one address"
        );
    }
    assert_eq!(relay.admission.unproved(), 0);
    // Who is proved stays so while it is a member.
    let other = relay.create(client(1));
    relay.join(client(1), &other);
    // The creator who comes late could have been told the id by others.
    assert!(relay.say(client(1), &text(&["!LEAVE ", &other])).starts_with("OK LEFT"));
    cookie(&relay.say(client(1), &text(&["!JOIN ", &other])));
}

#[test]
fn a_cookie_is_good_for_an_epoch_and_the_next() {
    let epoch = COOKIE_EPOCH.as_millis() as u64;
    let mut relay = relay(AdmissionMode::Strict);
    let id = relay.create(client(0));
    relay.begin_turn(7 * epoch);
    let told = relay.say(client(1), &text(&["!JOIN ", &id]));
    let with = text(&["!JOIN ", &id, " ", cookie(&told)]);
    relay.begin_turn(2 * epoch);
    let renewed = relay.say(client(1), &with);
    assert_ne!(cookie(&renewed), cookie(&told));
    relay.begin_turn(epoch);
    let with = text(&["!JOIN ", &id, " ", cookie(&renewed)]);
    assert_eq!(relay.say(client(1), &with), format!("OK JOINED {id}"));
}

#[test]
fn in_peace_a_cookie_is_told_to_who_shows_something_and_nobody_else() {
    let mut relay = relay(AdmissionMode::Auto);
    let id = relay.create(client(0));
    [0, 1].into_iter().for_each(|number| relay.join(client(number), &id));
    assert_eq!(relay.admission.unproved(), 1, "the creator is proved");
    let told = relay.say(client(1), &text(&["!JOIN ", &id, " PLEASE"]));
    let with = text(&["!JOIN ", &id, " ", cookie(&told)]);
    assert_eq!(relay.say(client(1), &with), format!("OK JOINED {id}"));
    assert_eq!((relay.admission.unproved(), relay.clients()), (0, 2));
}

#[test]
fn open_asks_nobody_and_trust_is_as_good_as_a_proof() {
    let mut open = relay(AdmissionMode::Open);
    let id = open.create(client(0));
    open.join(client(1), &id);
    assert_eq!(open.say(client(2), &text(&["!JOIN ", &id, " B"])), "ERR BAD_ARG NoSuchGroup");
    let trust = Prefixes::new(["2001:db8::/32".parse().unwrap()]);
    let mut strict = Relay::new(1, Settings { trust, ..settings(AdmissionMode::Strict) });
    let id = strict.create(client(0));
    [1, 0].into_iter().for_each(|number| strict.join(client(number), &id));
    assert_eq!(strict.say(client(2), &text(&["!JOIN ", &id, " B"])), "ERR BAD_ARG NoSuchGroup");
    assert_eq!(strict.admission.unproved(), 0);
}

#[test]
fn a_member_whose_prefix_becomes_trusted_is_proved_by_its_next_heartbeat() {
    let mut relay = relay(AdmissionMode::Auto);
    let mut gate = relay.engines[0].gate();
    let id = relay.create(client(0));
    (0..3).for_each(|number| relay.join(client(number), &id));
    let trust = Prefixes::new([client(1).ip().into()]);
    relay.engines[0].reload(Arc::new(Settings { trust, ..settings(AdmissionMode::Strict) }));
    assert!(hear(&mut relay, &mut gate, client(0), b"nobody").is_empty());
    [1, 2].into_iter().for_each(|number| assert_eq!(relay.say(client(number), b"!PING"), "PONG 10.0"));
    assert_eq!(hear(&mut relay, &mut gate, client(0), b"one"), [client(1)]);
    assert_eq!(relay.admission.unproved(), 1);
}

fn prove(relay: &mut Relay, client: SocketAddr, id: &str) {
    let asked = relay.say(client, &text(&["!JOIN ", id]));
    let with = text(&["!JOIN ", id, " ", cookie(&asked)]);
    assert_eq!(relay.say(client, &with), format!("OK JOINED {id}"));
}

#[test]
fn who_is_no_longer_trusted_is_no_longer_proved() {
    let trusting = |texts: &[&str]| {
        let trust = Prefixes::new(texts.iter().map(|text| text.parse().unwrap()));
        Arc::new(Settings { trust, ..settings(AdmissionMode::Strict) })
    };
    let [talker, kept, left, shown] =
        ["127.0.0.1:9009", "10.1.0.1:9009", "10.2.0.1:9009", "10.3.0.1:9009"].map(|at| at.parse().unwrap());
    let mut relay = relay(AdmissionMode::Strict);
    relay.engines[0].reload(trusting(&["127.0.0.0/8", "10.1.0.0/16", "10.2.0.0/16"]));
    let id = relay.create(talker);
    [talker, kept, left].iter().for_each(|client| relay.join(*client, &id));
    prove(&mut relay, shown, &id);
    let mut gate = relay.engines[0].gate();
    let everybody = hear(&mut relay, &mut gate, talker, b"to all");
    assert_eq!(everybody, [kept, left, shown]);
    // Twice, before anybody could be looked at.
    relay.engines[0].reload(trusting(&["127.0.0.0/8", "10.1.0.0/16"]));
    relay.engines[0].reload(trusting(&["127.0.0.0/8", "10.0.0.0/15"]));
    relay.sweep();
    assert_eq!(hear(&mut relay, &mut gate, talker, b"to some"), [kept, shown]);
    assert_eq!((relay.admission.unproved(), relay.clients()), (1, 4));
    assert!(relay.say(left, b"!PING").starts_with("PONG"), "it is a member yet");
    assert_eq!(hear(&mut relay, &mut gate, talker, b"to some"), [kept, shown]);
    // It can prove itself, as anybody.
    prove(&mut relay, left, &id);
    assert_eq!(hear(&mut relay, &mut gate, talker, b"to all"), everybody);
    assert_eq!(relay.admission.unproved(), 0);
}

#[test]
fn after_a_reload_to_strict_unproved_members_get_nothing_until_they_are_proved() {
    let mut relay = relay(AdmissionMode::Open);
    let mut gate = relay.engines[0].gate();
    let id = relay.create(client(0));
    (0..3).for_each(|number| relay.join(client(number), &id));
    assert_eq!(hear(&mut relay, &mut gate, client(0), b"all").len(), 2);
    relay.engines[0].reload(Arc::new(settings(AdmissionMode::Strict)));
    assert!(hear(&mut relay, &mut gate, client(0), b"nobody").is_empty());
    assert_eq!(gate.dropped()[CopyDrop::Unproved as usize], 2);
    let told = relay.say(client(1), &text(&["!JOIN ", &id]));
    assert!(relay.say(client(1), &text(&["!JOIN ", &id, " ", cookie(&told)])).starts_with("OK JOINED"));
    assert_eq!(hear(&mut relay, &mut gate, client(0), b"one"), [client(1)]);
    relay.engines[0].reload(Arc::new(settings(AdmissionMode::Open)));
    assert_eq!(hear(&mut relay, &mut gate, client(0), b"all").len(), 2);
}

#[test]
fn what_is_made_without_a_proof_does_not_use_up_the_quota_of_who_has_one() {
    let mut relay = relay(AdmissionMode::Auto);
    (0..3).for_each(|_| drop(relay.create(client(1))));
    // Others may have made them.
    let told = relay.say(client(1), b"!CREATE AAAAAAAAAAAAAAAA");
    for unknowing in [&b"!CREATE"[..], b"!CREATE anything"] {
        assert_eq!(relay.say(client(1), unknowing), "ERR CLIENT_LIMIT 3/3", "as the base protocol has it");
    }
    let with = text(&["!CREATE ", cookie(&told)]);
    (0..3).for_each(|_| assert!(relay.say(client(1), &with).starts_with("OK CREATED")));
    assert_eq!(relay.say(client(1), &with), "ERR CLIENT_LIMIT 3/3");
    relay.engines[0].reload(Arc::new(settings(AdmissionMode::Strict)));
    cookie(&relay.say(client(1), b"!CREATE"));
}

/// Echo, or another relay, would answer what it hears, for ever.
#[test]
fn a_service_is_no_member_without_a_proof_and_in_peace_everybody_else_is() {
    let bound = vec!["127.0.0.1:5000".parse().unwrap()];
    let own = OwnAddresses { bound, ..OwnAddresses::default() };
    let mut relay = Relay::with_own_addresses(1, settings(AdmissionMode::Auto), own);
    let id = relay.create("127.0.0.1:9".parse().unwrap());
    let join = text(&["!JOIN ", &id]);
    for service in ["10.1.0.1:7", "10.1.0.1:1023", "10.1.0.1:5000", "[2001:db8::1]:5000"] {
        let service = service.parse().unwrap();
        let told = relay.say(service, &join);
        let with = text(&["!JOIN ", &id, " ", cookie(&told)]);
        assert_eq!(relay.say(service, &with), format!("OK JOINED {id}"), "which a client can give");
    }
    for other in ["10.1.0.1:1024", "10.1.0.1:5001", "127.0.0.1:7"] {
        relay.join(other.parse().unwrap(), &id);
    }
}

/// Where the kernel lets loopback addresses in from outside, who forges one would be trusted.
#[test]
fn loopback_is_trusted_only_where_loopback_is_reached() {
    let [joined, asked, dropped] = ["OK JOINED LOBBY", "ERR RETRY ", ""];
    for (bound, reached, expected) in [
        ("192.0.2.1:5000", "", dropped),
        ("[2001:db8::1]:5000", "", dropped),
        ("127.0.0.1:5000", "", joined),
        ("[::1]:5000", "", joined),
        ("0.0.0.0:5000", "127.3.3.3", joined),
        ("0.0.0.0:5000", "192.0.2.1", dropped),
        // By another interface, and before the kernel was asked by which.
        ("0.0.0.0:5000", "0.0.0.0", dropped),
        ("0.0.0.0:5000", "", asked),
    ] {
        let own = OwnAddresses { bound: vec![bound.parse().unwrap()], ..OwnAddresses::default() };
        let mut relay = Relay::with_own_addresses(1, settings(AdmissionMode::Strict), own);
        relay.groups.declare(&[("LOBBY".parse().unwrap(), None)], Tick(0));
        let local = LocalAddr::new(0, reached.parse().ok());
        for source in ["127.0.0.1:9", "127.0.0.5:9", "[::1]:9"] {
            let text = match relay.ask_at(local, source.parse().unwrap(), b"!JOIN LOBBY") {
                Answer::Reply { text, .. } => text,
                _ => String::new(),
            };
            let is_expected = text.starts_with(expected) && text.is_empty() == expected.is_empty();
            assert!(is_expected, "{source} at {bound} {reached}: {text}");
        }
        let counted = relay.engines[0].tally().dropped[DropReason::ImpossibleSource as usize];
        assert_eq!(counted, if expected == dropped { 3 } else { 0 });
    }
}
