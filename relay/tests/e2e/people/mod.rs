//! People of the real relay: names, presence, messages, mail, and where to meet.

mod examples;
mod kept;
mod lossy;
mod nat;
mod places;
mod talk;
mod talker;

use std::net::SocketAddr;
use std::ops::Deref;

use crate::support::{Client, PATIENCE, Relay};

/// An extended client that hears who speaks.
struct Person {
    client: Client,
    token: String,
}

impl Person {
    fn to(relay: SocketAddr) -> Self {
        Self::of(Client::to(relay))
    }

    fn of(client: Client) -> Self {
        let cookie = client.ask("!HELLO 2").replace("!RETRY ", "");
        let answer = client.ask(format!("!HELLO 2 {cookie} FROM"));
        let token = answer.split(' ').nth(3).unwrap_or_else(|| panic!("{answer}")).to_owned();
        Self { client, token }
    }

    /// One with a name, and its claim.
    fn named(relay: &Relay, name: &str) -> (Self, String) {
        let person = Self::to(relay.address());
        let claim = person.register(name);
        (person, claim)
    }

    /// Registers a name that is free; its claim.
    #[track_caller]
    fn register(&self, name: &str) -> String {
        let answer = self.ask(format!("!REG {name}"));
        let claim = answer.strip_prefix(&format!("!OK REG {name} "));
        claim.unwrap_or_else(|| panic!("{answer}")).to_owned()
    }

    /// Registers a name with its claim.
    #[track_caller]
    fn claim(&self, name: &str, claim: &str) {
        assert_eq!(self.ask(format!("!REG {name} {claim}")), format!("!OK REG {name} {claim}"));
    }

    /// How much mail waits, as it is told.
    #[track_caller]
    fn mail(&self) -> usize {
        let told = self.hear_what("!MAIL ");
        told["!MAIL ".len()..].parse().unwrap_or_else(|_| panic!("{told}"))
    }

    /// The next message: sender, id, time and text. Heartbeats and repeats of what is acknowledged are passed by.
    #[track_caller]
    fn message(&self) -> (String, String, u64, String) {
        let message = self.hear_what("!MSG ");
        let mut words = message.splitn(5, ' ').skip(1).map(str::to_owned);
        let mut next = || words.next().unwrap_or_default();
        let (from, id, time, text) = (next(), next(), next(), next());
        self.send(format!("!ACK {from} {id}"));
        (from, id, time.parse().unwrap(), text)
    }

    /// The next text that begins so, whatever comes before.
    #[track_caller]
    fn hear_what(&self, start: &str) -> String {
        let mut passed = Vec::new();
        loop {
            let Some(text) = self.receive_within(PATIENCE) else { panic!("no {start}, but {passed:?}") };
            let text = String::from_utf8(text).unwrap();
            if text.starts_with(start) {
                return text;
            }
            passed.push(text);
        }
    }
}

impl Deref for Person {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}
