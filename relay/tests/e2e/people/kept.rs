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

/// Kills in a row before the mail is read.
const KILLS: usize = 6;

/// How often all that is done: 1,008 kills of writers by `cargo xtask test --long`, which sets `RELAY_LONG`.
fn reckonings() -> usize {
    if std::env::var_os("RELAY_LONG").is_some() { 168 } else { 2 }
}

/// What is told of an own place.
struct Told {
    place: String,
    random: StdRng,
    claims: BTreeMap<String, String>,
    /// What was answered STORED: sender and id.
    sent: Vec<(String, String)>,
    /// What has been read, by sender, in order and once.
    read: BTreeMap<String, Vec<String>>,
}

impl Told {
    fn start(&self, backend: Backend) -> Relay {
        // Room for all that is written between two readings, so that the writers never have to wait.
        let flags = ["--data-dir", &self.place, "--mailbox-messages", "10000"];
        RelayOptions::new(backend).with(flags).start()
    }

    /// Four write to somebody who is away until the relay is killed in the midst of it.
    fn write(&mut self, round: usize) {
        let backend = if round.is_multiple_of(2) { Backend::Uring } else { Backend::Mmsg };
        let relay = self.start(backend);
        let mut talkers: Vec<_> =
            (0..4).map(|own| Talker::new(Client::to(relay.address()).roomy(), own, &self.claims)).collect();
        if round == 0 {
            let sink = Person::to(relay.address());
            self.claims.insert("sink".to_owned(), sink.register("sink"));
            assert_eq!(sink.ask("!DEREG"), "!OK DEREG sink");
        }
        let time = Duration::from_millis(self.random.random_range(150..400));
        self.sent.extend(Talker::write_to_until_killed(&mut talkers, "sink", round, &relay, time));
        self.claims.extend(talkers.into_iter().map(Talker::claim));
    }

    /// Reads a part of what waits, or all; the relay is killed then. What was acknowledged before a kill may come again.
    fn read(&mut self, backend: Backend, is_all: bool) {
        let relay = self.start(backend);
        let sink = Person::to(relay.address());
        sink.claim("sink", &self.claims["sink"]);
        let waiting = sink.mail();
        let part = if is_all { waiting } else { self.random.random_range(1..waiting) };
        for _ in 0..part {
            let (from, id, ..) = sink.message();
            let ids = self.read.entry(from.clone()).or_default();
            if ids.last().is_none_or(|last| *last < id) {
                ids.push(id);
            } else {
                assert!(ids.binary_search(&id).is_ok(), "{from} {id} comes late");
            }
        }
        relay.signal("KILL");
    }

    /// All that was said to be stored has been read.
    fn reckon(&mut self) {
        for (from, id) in self.sent.drain(..) {
            assert!(self.read[&from].binary_search(&id).is_ok(), "{from} {id} is lost");
        }
    }
}

/// Killed again and again while people write to one who is away, and while that one reads: what was answered STORED comes, in
/// order, and what comes again is known by its id.
#[test]
fn nothing_acknowledged_is_lost_and_nothing_comes_twice() {
    let place = tempfile::tempdir().unwrap();
    let mut told = Told {
        place: place.path().to_str().unwrap().to_owned(),
        random: StdRng::seed_from_u64(12),
        claims: BTreeMap::new(),
        sent: Vec::new(),
        read: BTreeMap::new(),
    };
    for reckoning in 0..reckonings() {
        (0..KILLS).for_each(|kill| told.write(reckoning * KILLS + kill));
        let count = told.sent.len();
        assert!(count > 100, "{count}");
        told.read(Backend::Uring, false);
        told.read(Backend::Mmsg, true);
        told.reckon();
        eprintln!("{} kills, {count} messages stored since the last reading", (reckoning + 1) * (KILLS + 2));
    }
}
