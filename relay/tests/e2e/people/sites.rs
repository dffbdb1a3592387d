//! However many names somebody has: those who come from elsewhere get through. Loopback is trusted unless it is said otherwise.

use super::Person;
use crate::support::{Client, Relay, RelayOptions, each_backend, eventually};

/// Two networks of a /24 each.
const THERE: &str = "127.0.1.1:0";
const ELSEWHERE: &str = "127.0.2.1:0";

fn named(relay: &Relay, from: &str, name: &str) -> Person {
    let person = Person::of(Client::from(from.parse().unwrap(), relay.address()));
    person.register(name);
    person
}

#[test]
fn nobody_fills_a_mailbox_alone_not_even_over_a_restart() {
    let state = tempfile::tempdir().unwrap();
    each_backend(|backend| {
        let place = state.path().join(backend.name());
        let options = || {
            let flags = ["--trust", "none", "--mailbox-messages", "8", "--data-dir", place.to_str().unwrap()];
            RelayOptions::new(backend).with(flags)
        };
        let relay = options().start();
        let (bob, claim) = Person::named(&relay, "bob");
        assert_eq!(bob.ask("!DEREG"), "!OK DEREG bob");
        for name in ["f1", "f2", "f3", "f4"] {
            assert_eq!(named(&relay, THERE, name).ask("!SEND bob 1 x"), "!STORED bob 1");
        }
        assert_eq!(named(&relay, THERE, "f5").ask("!SEND bob 1 x"), "!ERR MAILBOX_FULL bob");
        drop(relay);
        let relay = options().start();
        assert_eq!(named(&relay, THERE, "f6").ask("!SEND bob 1 x"), "!ERR MAILBOX_FULL bob");
        let anna = named(&relay, ELSEWHERE, "anna");
        assert_eq!(anna.ask("!SEND bob 1 x"), "!STORED bob 1");
        assert_eq!(anna.ask("!SEND bob 2 x"), "!STORED bob 2");
        let bob = Person::to(relay.address());
        bob.claim("bob", &claim);
        assert_eq!(bob.mail(), 6);
        let read: Vec<String> = (0..6).map(|_| bob.message().0).collect();
        assert_eq!(read, ["f1", "f2", "f3", "f4", "anna", "anna"]);
        // What is delivered is its site's no more.
        assert_eq!(bob.ask("!DEREG"), "!OK DEREG bob");
        assert_eq!(named(&relay, THERE, "f7").ask("!SEND bob 1 x"), "!STORED bob 1");
    });
}

#[test]
fn nobody_fills_the_store_alone() {
    each_backend(|backend| {
        let flags = ["--trust", "none", "--data-dir", "none", "--mail-bytes", "64K"];
        let relay = RelayOptions::new(backend).with(flags).start();
        let bob = named(&relay, ELSEWHERE, "bob");
        assert_eq!(bob.ask("!DEREG"), "!OK DEREG bob");
        let flooder = named(&relay, THERE, "f");
        let answers: Vec<String> =
            (0..9).map(|id| flooder.ask(format!("!SEND bob {id} {}", "x".repeat(1000)))).collect();
        assert_eq!(answers.iter().filter(|told| told.starts_with("!STORED")).count(), 7, "{answers:?}");
        assert_eq!(answers[8], "!ERR SERVER_FULL TryLater");
        eventually("it is counted", || {
            (relay.metric("relay_requests_refused_total", "reason=\"site_full\"") == 2.0).then_some(())
        });
        let anna = named(&relay, ELSEWHERE, "anna");
        assert_eq!(anna.ask("!SEND bob 1 x"), "!STORED bob 1");
    });
}

/// All that may wait for who reads slowly is one site's, which goes on and on.
#[test]
fn who_comes_from_elsewhere_gets_into_a_full_queue() {
    each_backend(|backend| {
        let relay = RelayOptions::new(backend).with(["--trust", "none", "--data-dir", "none"]).start();
        let bob = Person::of(Client::to(relay.address()).roomy());
        bob.register("bob");
        let flooders: Vec<Person> =
            (0..8).map(|flooder| named(&relay, THERE, &format!("f{flooder}"))).collect();
        let anna = named(&relay, ELSEWHERE, "anna");
        for id in 0..20 {
            flooders.iter().for_each(|flooder| flooder.send(format!("!SEND bob {id} x")));
        }
        // Each has been heard: what one says is heard in order.
        flooders.iter().for_each(|flooder| {
            flooder.send("!PING");
            flooder.hear_what("!ERR NOT_IN_GROUP");
        });
        anna.send("!SEND bob hi x");
        let senders = (0..100).map(|_| bob.message().0);
        assert!(senders.into_iter().any(|sender| sender == "anna"), "said once, and delivered");
    });
}
