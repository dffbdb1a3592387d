//! What was said to be stored is there, whenever the relay is killed.

use std::collections::BTreeMap;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::Person;
use super::talker::Talker;
use crate::support::{Backend, Client, Relay, RelayOptions, each_backend};

fn start(backend: Backend, place: &str) -> Relay {
    RelayOptions::new(backend).with(["--data-dir", place]).start()
}

#[test]
fn names_claims_and_mail_survive_a_kill() {
    let place = tempfile::tempdir().unwrap();
    each_backend(|backend| {
        let place = place.path().join(backend.name());
        let place = place.to_str().unwrap();
        let relay = start(backend, place);
        let ((anna, _), (bob, claim)) = (Person::named(&relay, "anna"), Person::named(&relay, "bob"));
        assert_eq!(bob.ask("!DEREG"), "!OK DEREG bob");
        for number in 0..20 {
            assert_eq!(
                anna.ask(format!("!SEND bob {number} text {number}")),
                format!("!STORED bob {number}")
            );
        }
        relay.signal("KILL");
        drop(relay);
        let relay = start(backend, place);
        let bob = Person::to(relay.address());
        assert_eq!(bob.ask("!REG bob"), "!ERR NAME_TAKEN bob");
        bob.claim("bob", &claim);
        assert_eq!(bob.mail(), 20);
        for number in 0..20 {
            assert_eq!(bob.message().3, format!("text {number}"), "oldest first");
        }
    });
}

/// Killed again and again while people write to others who are away: what was answered STORED comes, once, and in order.
#[test]
fn nothing_acknowledged_is_lost_and_nothing_comes_twice() {
    let place = tempfile::tempdir().unwrap();
    let place = place.path().to_str().unwrap();
    let mut random = StdRng::seed_from_u64(12);
    let mut claims = BTreeMap::new();
    let mut sent = Vec::new();
    for round in 0..12 {
        let backend = if round % 2 == 0 { Backend::Uring } else { Backend::Mmsg };
        let relay = start(backend, place);
        let mut talkers: Vec<_> =
            (0..4).map(|own| Talker::new(Client::to(relay.address()).roomy(), own, &claims)).collect();
        if round == 0 {
            let sink = Person::to(relay.address());
            claims.insert("sink".to_owned(), sink.register("sink"));
            assert_eq!(sink.ask("!DEREG"), "!OK DEREG sink");
        }
        let time = Duration::from_millis(random.random_range(150..400));
        sent.extend(Talker::write_to_until_killed(&mut talkers, "sink", round, &relay, time));
        claims.extend(talkers.into_iter().map(Talker::claim));
    }
    assert!(sent.len() > 100, "{}", sent.len());
    let relay = start(Backend::Uring, place);
    let sink = Person::to(relay.address());
    sink.claim("sink", &claims["sink"]);
    let waiting = sink.mail();
    assert!(waiting >= sent.len(), "{waiting} of {}", sent.len());
    let mut read = BTreeMap::<String, Vec<String>>::new();
    for _ in 0..waiting {
        let (from, id, ..) = sink.message();
        read.entry(from).or_default().push(id);
    }
    for ids in read.values() {
        let mut once = ids.clone();
        once.sort_unstable();
        once.dedup();
        assert_eq!((once.len(), &once), (ids.len(), ids), "once, and in order");
    }
    for (from, id) in sent {
        assert!(read[&from].contains(&id), "{from} {id} is lost");
    }
}
