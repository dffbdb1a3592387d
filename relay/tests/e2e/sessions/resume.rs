//! A client whose address changes.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::{cookie, hello, join};
use crate::support::{Client, Relay, RelayOptions, each_backend};

/// The answer to a RESUME: the group, and the new token.
fn resumed(answer: &str) -> (String, String) {
    let mut words = answer.strip_prefix("!OK RESUMED ").unwrap_or_else(|| panic!("{answer}")).split(' ');
    let [group, name, token] = [(); 3].map(|()| words.next().unwrap_or_default().to_owned());
    assert_eq!((name.as_str(), words.next()), ("-", None), "{answer}");
    (group, token)
}

/// From address to address, wherever they hash to; the group goes on with the newest one, and with that only.
#[test]
fn a_session_follows_its_client_from_shard_to_shard() {
    each_backend(|backend| {
        let relay = RelayOptions::new(backend).with(["--shards", "4"]).start();
        let other = Client::to(relay.address());
        let group = other.create();
        other.join(&group);
        let mut client = Client::to(relay.address());
        let mut token = hello(&client, " FROM");
        join(&client, &group);
        for step in 0..12 {
            let new = Client::to(relay.address());
            let shown = cookie(&new);
            let (in_group, next) = resumed(&new.ask(format!("!RESUME {token} {shown}")));
            assert_eq!(in_group, group);
            other.send(format!("to {step}"));
            assert_eq!(new.hear(), format!("!FROM #1 {step:010} to {step}"));
            new.send(format!("from {step}"));
            assert_eq!(other.hear(), format!("from {step}"));
            assert_eq!(
                client.ask("late"),
                "ERR NOT_IN_GROUP JoinFirstUseJOIN",
                "and nothing else was sent there"
            );
            // The used token, from somewhere else.
            let thief = Client::to(relay.address());
            let shown = cookie(&thief);
            assert_eq!(thief.ask(format!("!RESUME {token} {shown}")), "!ERR BAD_TOKEN");
            (client, token) = (new, next);
        }
        assert_eq!(other.ask("!WHO"), format!("OK WHO {group} 2"));
        assert_eq!(relay.metric("relay_sessions", ""), 1.0);
    });
}

/// Ends what others say, also if the story fails.
struct Crowd<'a>(&'a AtomicBool);

impl Drop for Crowd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// While others speak as fast as they can: one question for a cookie, one RESUME.
#[test]
fn two_round_trips_are_enough_under_load() {
    each_backend(|backend| {
        let relay = Relay::start(backend);
        let crowd: Vec<Client> = (0..8).map(|_| Client::to(relay.address())).collect();
        let group = crowd[0].create();
        crowd.iter().for_each(|client| client.join(&group));
        let client = Client::to(relay.address());
        let mut token = hello(&client, "");
        assert_eq!(client.ask("!BEAT"), "!PONG 60.0");
        let done = AtomicBool::new(false);
        thread::scope(|scope| {
            for speaker in &crowd {
                scope.spawn(|| {
                    while !done.load(Ordering::Relaxed) {
                        speaker.try_send([b'x'; 200]);
                        speaker.drain();
                    }
                });
            }
            let _crowd = Crowd(&done);
            for _ in 0..20 {
                let new = Client::to(relay.address());
                let shown = cookie(&new);
                let (in_group, next) = resumed(&new.ask(format!("!RESUME {token} {shown}")));
                assert_eq!(in_group, "-");
                token = next;
            }
        });
    });
}
