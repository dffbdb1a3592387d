//! People of the real relay: names, presence, messages, mail, and where to meet.

mod early;
mod examples;
mod kept;
mod lossy;
mod nat;
mod places;
mod sites;
mod talk;
mod talker;

use std::cell::Cell;
use std::net::SocketAddr;
use std::ops::Deref;

use crate::support::{Client, PATIENCE, Relay};

/// An extended client that hears who speaks.
pub struct Person {
    client: Client,
    token: String,
    /// It has been told of the lobby.
    has_joined: Cell<bool>,
}

impl Person {
    pub fn to(relay: SocketAddr) -> Self {
        Self::of(Client::to(relay))
    }

    fn of(client: Client) -> Self {
        let cookie = client.ask("!HELLO 2").replace("!RETRY ", "");
        let answer = client.ask(format!("!HELLO 2 {cookie} FROM"));
        let token = answer.split(' ').nth(3).unwrap_or_else(|| panic!("{answer}")).to_owned();
        Self { client, token, has_joined: Cell::new(false) }
    }

    /// One with a name, and its claim.
    pub fn named(relay: &Relay, name: &str) -> (Self, String) {
        let person = Self::to(relay.address());
        let claim = person.register(name);
        (person, claim)
    }

    /// Registers a name that is free; its claim.
    #[track_caller]
    fn register(&self, name: &str) -> String {
        self.send(format!("!REG {name}"));
        let mut answer = self.hear();
        // Another shard may be faster with the lobby.
        if answer.starts_with("!OK JOINED") {
            self.has_joined.set(true);
            answer = self.hear();
        }
        let claim = answer.strip_prefix(&format!("!OK REG {name} "));
        claim.unwrap_or_else(|| panic!("{answer}")).to_owned()
    }

    /// Waits for the lobby.
    #[track_caller]
    fn join_lobby(&self) {
        if !self.has_joined.get() {
            assert_eq!(self.hear(), "!OK JOINED LOBBY");
        }
    }

    /// Registers a name with its claim.
    #[track_caller]
    pub fn claim(&self, name: &str, claim: &str) {
        self.send(format!("!REG {name} {claim}"));
        assert_eq!(self.hear_what("!OK REG"), format!("!OK REG {name} {claim}"));
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
