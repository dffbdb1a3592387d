//! People who talk to each other: names, messages that arrive or wait, news, and a bridge.

use std::net::SocketAddr;
use std::time::Duration;

use crate::support::{Client, eventually};

/// How long an answer takes at most, unless it or its request was lost; then it is asked for again.
const ANSWER: Duration = Duration::from_millis(300);

/// An extended client.
pub struct Person(Client);

impl Person {
    /// Comes to a relay.
    #[track_caller]
    pub fn to(relay: SocketAddr) -> Self {
        let person = Self(Client::to(relay));
        let question = person.ask("!HELLO 2", "!RETRY ");
        person.ask(&question.replace("!RETRY ", "!HELLO 2 "), "!OK HELLO ");
        person
    }

    /// The same, with a name; its claim.
    #[track_caller]
    pub fn named(relay: SocketAddr, name: &str) -> (Self, String) {
        let person = Self::to(relay);
        let answer = person.ask(&format!("!REG {name}"), &format!("!OK REG {name} "));
        let claim = answer.rsplit(' ').next().expect("a claim").to_owned();
        (person, claim)
    }

    /// A name that somebody has who is not there.
    #[track_caller]
    pub fn away(relay: SocketAddr, name: &str) -> String {
        let (person, claim) = Self::named(relay, name);
        person.ask("!DEREG", "!OK DEREG ");
        claim
    }

    /// Asks until an answer comes that begins so; what else it hears is passed over.
    #[track_caller]
    pub fn ask(&self, request: &str, answer: &str) -> String {
        eventually(&format!("{request:.40}: {answer}"), || {
            self.say(request);
            self.hear(answer)
        })
    }

    /// Says something, and waits for nothing.
    pub fn say(&self, what: &str) {
        self.0.send(what);
    }

    /// The next that begins so, if it comes soon.
    pub fn hear(&self, start: &str) -> Option<String> {
        let texts = std::iter::from_fn(|| self.0.receive_within(ANSWER));
        texts.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).find(|text| text.starts_with(start))
    }

    /// Takes what it is sent, and says so, until nothing more comes.
    pub fn read_all(&self) {
        while let Some(message) = self.hear("!MSG ") {
            let mut words = message.split(' ').skip(1);
            let (from, id) = (words.next().expect("a sender"), words.next().expect("an id"));
            self.say(&format!("!ACK {from} {id}"));
        }
    }

    /// Forgets what it has been told.
    pub fn ignore_all(&self) {
        self.0.drain();
    }

    fn port(&self) -> u16 {
        self.0.address().port()
    }
}

/// Everything that people do, once.
#[track_caller]
pub fn talk(relay: SocketAddr) {
    // Names of their own, each time.
    let round = Person::to(relay).port();
    let named = |name: &str| Person::named(relay, &format!("{name}-{round}")).0;
    let [anna, bob, dora] = ["anna", "bob", "dora"].map(named);
    Person::away(relay, &format!("clara-{round}"));
    bob.ask(&format!("!REG anna-{round}"), "!ERR NAME_TAKEN ");

    let group = anna.ask("!CREATE", "!OK CREATED ").replace("!OK CREATED ", "");
    anna.ask(&format!("!JOIN {group}"), "!OK JOINED ");
    anna.ask("!WATCH", "!OK WATCH");
    bob.ask(&format!("!JOIN {group}"), "!OK JOINED ");
    anna.ask("!PEERS", "!OK PEERS ");

    dora.ask("!BRIDGE nobody", "!OK BRIDGE WAITING");
    bob.ask(&format!("!BRIDGE anna-{round}"), "!OK BRIDGE WAITING");
    anna.ask(&format!("!BRIDGE bob-{round}"), "!PEER_AT ");

    let send = |to: &str, id: &str| format!("!SEND {to}-{round} {id} what people say");
    // She never acknowledges.
    anna.say(&send("dora", "1"));
    anna.ask(&send("nobody", "2"), "!ERR NO_SUCH_NAME ");
    anna.ask(&send("clara", "3"), "!STORED ");
    eventually("bob has it", || {
        anna.say(&send("bob", "4"));
        bob.read_all();
        anna.hear("!DELIVERED ")
    });
}
