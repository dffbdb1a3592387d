//! Two who talk: names, presence, messages with marks, and what happens while one is away.

use std::cell::Cell;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::Person;
use crate::support::{Client, Relay, RelayOptions, each_backend};

fn relay(backend: crate::support::Backend) -> Relay {
    RelayOptions::new(backend).with(["--shards", "4", "--lobby", "LOBBY"]).start()
}

/// Milliseconds that the relay's idea of the calendar may be off: it is set some times a second.
const CLOCKS: u64 = 10;

fn unix() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64
}

#[test]
fn a_message_is_marked_as_it_goes() {
    each_backend(|backend| {
        let relay = relay(backend);
        let ((anna, _), (bob, claim)) = (Person::named(&relay, "anna"), Person::named(&relay, "bob"));
        anna.join_lobby();
        let before = unix();
        anna.send("!SEND bob m1 hello");
        let (from, id, time, text) = bob.message();
        assert_eq!((from.as_str(), id.as_str(), text.as_str()), ("anna", "m1", "hello"));
        assert!((before - CLOCKS..=unix() + CLOCKS).contains(&time), "{before} {time}");
        assert_eq!(anna.hear(), "!DELIVERED bob m1");
        bob.send("!DEREG");
        bob.hear_what("!OK DEREG bob");
        let sent = unix();
        assert_eq!(anna.ask("!SEND bob m2 are you there?"), "!STORED bob m2");
        assert_eq!(anna.ask("!SEND bob m2 are you there?"), "!STORED bob m2", "a repeat is known");
        assert_eq!(anna.ask("!SEND nobody m3 x"), "!ERR NO_SUCH_NAME nobody");
        bob.claim("bob", &claim);
        assert_eq!(bob.mail(), 1);
        let (_, id, time, text) = bob.message();
        assert_eq!((id.as_str(), text.as_str()), ("m2", "are you there?"));
        assert!(
            (sent - CLOCKS..=unix() + CLOCKS).contains(&time),
            "the time of the acceptance: {sent} {time}"
        );
        assert_eq!(anna.hear(), "!DELIVERED bob m2");
    });
}

/// Whichever shards serve them.
#[test]
fn everybody_reaches_everybody() {
    each_backend(|backend| {
        let relay = relay(backend);
        let people: Vec<_> = (0..8).map(|at| Person::named(&relay, &format!("p{at}")).0).collect();
        for (at, sender) in people.iter().enumerate() {
            for (to, recipient) in people.iter().enumerate().filter(|(to, _)| *to != at) {
                sender.send(format!("!SEND p{to} from{at} text"));
                assert_eq!(recipient.message().1, format!("from{at}"));
                assert_eq!(sender.hear_what("!DELIVERED"), format!("!DELIVERED p{to} from{at}"));
            }
        }
    });
}

#[test]
fn people_of_a_group_are_seen_by_name() {
    each_backend(|backend| {
        let relay = relay(backend);
        let base = Client::to(relay.address());
        base.join("LOBBY");
        let (anna, _) = Person::named(&relay, "anna");
        anna.join_lobby();
        assert_eq!(anna.ask("!WATCH"), "!OK WATCH");
        let (bob, claim) = Person::named(&relay, "Bob");
        bob.join_lobby();
        assert_eq!(anna.hear(), "!PEER Bob JOINED");
        assert_eq!(anna.ask("!PEERS"), "!OK PEERS . anna=ONLINE Bob=ONLINE");
        bob.send("hello");
        assert_eq!(anna.hear(), "!FROM Bob 0000000000 hello");
        assert_eq!(base.hear(), "hello");
        bob.send("!DEREG");
        assert_eq!(anna.hear(), "!PEER Bob OFFLINE");
        bob.send("still here");
        assert!(anna.hear().starts_with("!FROM #"), "membership stays, without the name");
        let other = Person::to(relay.address());
        assert_eq!(other.ask("!REG bob"), "!ERR NAME_TAKEN bob");
        other.claim("bob", &claim);
    });
}

/// A client whose address has changed goes on where it was, by name and with what was on its way.
#[test]
fn a_name_goes_with_its_session() {
    each_backend(|backend| {
        let relay = relay(backend);
        let ((anna, _), (bob, _)) = (Person::named(&relay, "anna"), Person::named(&relay, "bob"));
        anna.send("!SEND bob m1 on its way");
        let moved = Client::to(relay.address());
        let cookie = moved.ask("!HELLO 2").replace("!RETRY ", "");
        moved.send(format!("!RESUME {} {cookie}", bob.token));
        let moved = Person { client: moved, token: String::new(), has_joined: Cell::new(false) };
        assert!(moved.hear_what("!MSG anna m1 ").ends_with("on its way"));
        moved.send("!ACK anna m1");
        assert_eq!(anna.hear_what("!DELIVERED"), "!DELIVERED bob m1");
        bob.send("!DEREG");
        assert_eq!(bob.hear_what("!ERR"), "!ERR NO_SESSION SendHELLO", "the old address is nobody's");
    });
}

/// In a system that this one follows the twelfth datagram got its sender banned for ever, and an unknown name ended the server.
#[test]
fn nobody_is_banned_and_nothing_ends_for_what_somebody_asks() {
    each_backend(|backend| {
        let relay = relay(backend);
        let (anna, _) = Person::named(&relay, "anna");
        for number in 0..200 {
            anna.send(format!("!SEND nobody{number} m{number} x"));
            assert_eq!(anna.hear_what("!ERR"), format!("!ERR NO_SUCH_NAME nobody{number}"));
        }
        assert_eq!(anna.ask("!BRIDGE nobody"), "!OK BRIDGE WAITING");
        assert_eq!(anna.ask("!BRIDGE anna"), "!OK BRIDGE WAITING", "nobody is bridged with itself");
        assert_eq!(anna.ask("!BEAT"), "!PONG 60.0");
        assert!(anna.receive_within(Duration::from_millis(50)).is_none());
    });
}

/// In systems that this one follows a client said itself where it was: here the address that is seen counts.
#[test]
fn what_somebody_says_of_its_address_is_not_believed() {
    each_backend(|backend| {
        let relay = relay(backend);
        let ((anna, _), (bob, _)) = (Person::named(&relay, "anna"), Person::named(&relay, "bob"));
        anna.join_lobby();
        bob.join_lobby();
        assert_eq!(anna.ask("!REG anna 192.0.2.1:9"), format!("!OK REG anna {}", anna.claim_again("anna")));
        anna.send("!BRIDGE bob");
        assert_eq!(anna.hear_what("!OK BRIDGE"), "!OK BRIDGE WAITING");
        bob.send("!BRIDGE anna");
        let at = bob.hear_what("!PEER_AT");
        let address = anna.address();
        assert!(at.starts_with(&format!("!PEER_AT anna {} {} ", address.ip(), address.port())), "{at}");
    });
}

impl Person {
    /// The claim as its holder is told it again.
    fn claim_again(&self, name: &str) -> String {
        self.send(format!("!REG {name}"));
        self.hear_what("!OK REG").rsplit(' ').next().unwrap_or_default().to_owned()
    }
}
