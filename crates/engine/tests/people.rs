//! Names, messages and the lobby, as sessions of any shard come and go.

mod common;

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use common::{Relay, client};
use engine::{
    Admission, Audience, DropReason, Event, Everybody, Groups, OwnAddresses, Payload, Settings, Shared, Tick,
};
use people::{Desk, Signals};
use store::{Bounds, Busy, Done, Inline, Request};
use wire::Refusal;

/// A store that has answered as soon as it is asked.
struct Drawer(Mutex<(Inline, VecDeque<Done>)>, Arc<Signals>);

impl Desk for Drawer {
    fn ask(&mut self, tag: u64, request: Request) -> Result<(), Busy> {
        let (store, answers) = self.0.get_mut().unwrap();
        answers.extend(store.ask(request).map(|answer| Done { tag, answer }));
        self.1.answer();
        Ok(())
    }

    fn answers(&mut self) -> Vec<Done> {
        self.0.get_mut().unwrap().1.drain(..).collect()
    }
}

struct Hall {
    relay: Relay,
    shared: Shared,
}

impl Hall {
    fn new(settings: Settings) -> Self {
        Self::keeping(Bounds::default(), settings)
    }

    fn keeping(bounds: Bounds, settings: Settings) -> Self {
        let signals = Arc::new(Signals::default());
        let store = Inline::new(bounds).unwrap();
        let drawer = Drawer(Mutex::new((store, VecDeque::new())), Arc::clone(&signals));
        let groups = Arc::new(Groups::new());
        groups.declare(&[("LOBBY".parse().unwrap(), None), ("OTHER".parse().unwrap(), None)], Tick(0));
        let shared = Shared {
            everybody: Arc::new(Everybody::new(Box::new(drawer), signals)),
            ..Shared::new(groups, Arc::new(Admission::seeded(5000, Tick(0))))
        };
        shared.everybody.set_calendar(Tick(0), 1_800_000_000_000);
        let relay = Relay::of(3, settings, OwnAddresses::default(), &shared);
        Self { relay, shared }
    }

    /// A datagram, and what everybody is told before all is quiet again.
    fn say(&mut self, source: SocketAddr, text: &str) -> Vec<(SocketAddr, String)> {
        self.relay.begin_turn(0);
        self.relay.receive(source, text.as_bytes());
        let mut told = self.told();
        told.extend(self.pass(0));
        told
    }

    /// What its sender is told.
    fn ask(&mut self, source: SocketAddr, text: &str) -> Vec<String> {
        let told = self.say(source, text).into_iter();
        told.filter(|(to, _)| *to == source).map(|(_, text)| text).collect()
    }

    /// Time passes for all shards as for a loop that turns when it must.
    fn pass(&mut self, millis: u64) -> Vec<(SocketAddr, String)> {
        let end = self.relay.now + millis;
        let mut told = Vec::new();
        loop {
            let due = self.relay.engines.iter().map(|engine| engine.deadline().0).min().unwrap_or(end);
            let is_over = due > end && self.relay.now == end;
            self.relay.begin_turn(due.clamp(self.relay.now, end) - self.relay.now);
            for (engine, outbox) in self.relay.engines.iter_mut().zip(&mut self.relay.outboxes) {
                engine.turn_people(outbox);
            }
            told.extend(self.told());
            self.relay.engines.iter_mut().for_each(engine::Engine::sweep);
            if is_over {
                return told;
            }
        }
    }

    fn told(&self) -> Vec<(SocketAddr, String)> {
        let mut told = Vec::new();
        for outbox in &self.relay.outboxes {
            for delivery in outbox.epochs().flatten() {
                if let (Payload::Composed(range), Audience::One(member)) =
                    (&delivery.payload, &delivery.audience)
                {
                    let text = String::from_utf8(outbox.text(range).to_vec()).unwrap();
                    told.push((member.client.socket_addr(), text));
                }
            }
        }
        told
    }

    fn hello(&mut self, source: SocketAddr, wish: &str) -> String {
        let cookie = self.ask(source, "!HELLO 2").remove(0).replace("!RETRY ", "");
        let told = self.ask(source, &format!("!HELLO 2 {cookie}{wish}")).remove(0);
        told.split(' ').nth(3).unwrap_or_else(|| panic!("{told}")).to_owned()
    }

    fn register(&mut self, source: SocketAddr, name: &str) -> String {
        let told = self.ask(source, &format!("!REG {name}"));
        told[0].strip_prefix(&format!("!OK REG {name} ")).unwrap_or_else(|| panic!("{told:?}")).to_owned()
    }

    /// Refusals for this reason, by all shards.
    fn refused(&self, label: &str) -> u64 {
        let at = Refusal::LABELS.iter().position(|other| *other == label).expect("a label");
        self.relay.engines.iter().map(|engine| engine.tally().refusals[at]).sum()
    }

    fn resume(&mut self, from: SocketAddr, token: &str) -> Vec<(SocketAddr, String)> {
        let cookie = self.ask(from, &format!("!RESUME {token}")).remove(0).replace("!RETRY ", "");
        self.say(from, &format!("!RESUME {token} {cookie}"))
    }
}

fn settings() -> Settings {
    Settings { lobby: "LOBBY".parse().ok(), ..Settings::default() }
}

#[test]
fn people_of_two_shards_talk() {
    let mut hall = Hall::new(Settings::default());
    let (anna, bob) = (client(1), client(2));
    assert_ne!(hall.relay.shard(anna), hall.relay.shard(bob));
    hall.hello(anna, "");
    hall.hello(bob, "");
    hall.register(anna, "anna");
    hall.register(bob, "bob");
    let told = hall.say(anna, "!SEND bob 1 hello");
    assert_eq!(told, [(bob, "!MSG anna 1 1800000000000 hello".to_owned())]);
    assert_eq!(hall.say(bob, "!ACK anna 1"), [(anna, "!DELIVERED bob 1".to_owned())]);
    hall.say(anna, "!SEND bob 2 x");
    let told = hall.pass(3000);
    assert_eq!(told.iter().filter(|(to, _)| *to == bob).count(), 3, "{told:?}");
    assert_eq!(told.last().unwrap(), &(anna, "!STORED bob 2".to_owned()));
    let told = hall.say(bob, "!BEAT");
    assert_eq!(told[1], (bob, "!MSG anna 2 1800000000000 x".to_owned()), "{told:?}");
}

/// A request can be forged, and its answer is long.
#[test]
fn pages_of_names_come_at_a_rate() {
    let mut hall = Hall::new(Settings::default());
    let trusted = "127.0.0.1:4000".parse().unwrap();
    for source in [client(1), trusted] {
        hall.hello(source, "");
        hall.say(source, "!JOIN OTHER AAAAAAAAAAAAAAAA");
    }
    let pages = |hall: &mut Hall, source| (0..700).map(|_| hall.say(source, "!PEERS").len()).sum::<usize>();
    assert_eq!(pages(&mut hall, client(1)), 512);
    let dropped = |engine: &engine::Engine| engine.tally().dropped[DropReason::ReplyLimit as usize];
    assert_eq!(hall.relay.engines.iter().map(dropped).sum::<u64>(), 188);
    assert_eq!(pages(&mut hall, trusted), 700);
    hall.pass(310);
    assert_eq!(pages(&mut hall, client(1)), 10);
}

/// Nobody has a name without a session, and a base client is told so.
#[test]
fn a_base_client_is_told_to_say_hello() {
    let mut hall = Hall::new(Settings::default());
    assert_eq!(hall.ask(client(1), "!REG anna"), ["!ERR NO_SESSION SendHELLO"]);
}

#[test]
fn a_name_moves_with_its_session_and_is_told() {
    let mut hall = Hall::new(Settings::default());
    let token = hall.hello(client(1), "");
    hall.hello(client(2), "");
    hall.register(client(1), "anna");
    hall.register(client(2), "bob");
    hall.say(client(2), "!SEND anna 1 x");
    let told = hall.resume(client(3), &token);
    let resumed = told.iter().find(|(_, text)| text.starts_with("!OK RESUMED - anna ")).unwrap();
    assert_eq!(resumed.0, client(3));
    assert!(told.contains(&(client(3), "!MSG bob 1 1800000000000 x".to_owned())), "{told:?}");
    assert_eq!(hall.say(client(1), "!ACK bob 1"), [(client(1), "!ERR NO_SESSION SendHELLO".to_owned())]);
    assert_eq!(hall.say(client(3), "!ACK bob 1"), [(client(2), "!DELIVERED anna 1".to_owned())]);
    let told = hall.say(client(2), "!SEND anna 2 y");
    assert_eq!(told, [(client(3), "!MSG bob 2 1800000000000 y".to_owned())]);
}

#[test]
fn a_name_goes_offline_with_its_session() {
    let mut hall = Hall::new(Settings::default());
    hall.hello(client(1), "");
    let claim = hall.register(client(1), "anna");
    hall.hello(client(2), "");
    hall.register(client(2), "bob");
    hall.say(client(1), "!JOIN OTHER AAAAAAAAAAAAAAAA");
    hall.say(client(2), "!JOIN OTHER AAAAAAAAAAAAAAAA");
    assert_eq!(hall.ask(client(2), "!WATCH"), ["!OK WATCH"]);
    let mut told = Vec::new();
    for _ in 0..8 {
        told.extend(hall.pass(30_000));
        hall.say(client(2), "!BEAT");
    }
    assert!(told.contains(&(client(2), "!PEER anna OFFLINE".to_owned())), "{told:?}");
    let expired = hall.relay.engines.iter().map(|engine| engine.tally().events[Event::Expire as usize]);
    assert_eq!(expired.sum::<u64>(), 1, "and so does its membership");
    assert_eq!(hall.ask(client(2), "!PEERS"), ["!OK PEERS . anna=OFFLINE bob=ONLINE"]);
    assert_eq!(hall.ask(client(2), "!SEND anna 1 x"), ["!STORED anna 1"]);
    hall.hello(client(3), "");
    let told = hall.ask(client(3), &format!("!REG anna {claim}"));
    assert_eq!(told[1], "!MAIL 1");
    assert_eq!(hall.shared.everybody.figures().online, 2);
}

#[test]
fn payloads_say_their_senders_names() {
    let mut hall = Hall::new(Settings::default());
    hall.hello(client(1), "");
    hall.hello(client(2), " FROM");
    for number in [1, 2] {
        hall.say(client(number), "!JOIN OTHER AAAAAAAAAAAAAAAA");
    }
    let header = |hall: &mut Hall| {
        hall.relay.begin_turn(0);
        hall.relay.receive(client(1), b"x");
        let outbox = &hall.relay.outboxes[hall.relay.shard(client(1))];
        String::from_utf8(outbox.text(&outbox.forms(0).header).to_vec()).unwrap()
    };
    assert_eq!(header(&mut hall), "!FROM #1 0000000000 ");
    hall.register(client(1), "\u{c9}va");
    assert_eq!(header(&mut hall), "!FROM \u{c9}va 0000000001 ");
    hall.say(client(1), "!DEREG");
    assert_eq!(header(&mut hall), "!FROM #1 0000000002 ");
}

#[test]
fn who_registers_in_no_group_comes_into_the_lobby() {
    let mut hall = Hall::new(settings());
    let token = hall.hello(client(1), "");
    let told = hall.ask(client(1), "!REG anna");
    assert_eq!(told[1], "!OK JOINED LOBBY");
    assert_eq!(hall.ask(client(1), "!WHO"), ["!OK WHO LOBBY 1"]);
    let told = hall.resume(client(5), &token);
    assert!(told[0].1.starts_with("!OK RESUMED LOBBY anna "), "{told:?}");
    hall.hello(client(2), "");
    hall.say(client(2), "!JOIN OTHER AAAAAAAAAAAAAAAA");
    hall.register(client(2), "bob");
    assert_eq!(hall.ask(client(2), "!WHO"), ["!OK WHO OTHER 1"]);
    assert_eq!(hall.ask(client(5), "!PEERS"), ["!OK PEERS . anna=ONLINE"]);
}

#[test]
fn messages_count_for_the_highest_rate() {
    let settings = Settings { max_rate: std::num::NonZeroU32::new(4), ..Settings::default() };
    let mut hall = Hall::new(settings);
    hall.hello(client(1), "");
    hall.register(client(1), "anna");
    hall.pass(1000);
    let told: usize = (0..10).map(|number| hall.say(client(1), &format!("!SEND bob {number} x")).len()).sum();
    assert!((1..5).contains(&told), "{told}");
}

/// A message that comes too soon is dropped, and people have never heard of who sent it, wherever its session goes on, or ends.
#[test]
fn who_was_not_heard_of_may_move_and_end() {
    let settings = Settings { max_rate: std::num::NonZeroU32::new(1), ..Settings::default() };
    let mut hall = Hall::new(settings);
    let token = hall.hello(client(1), "");
    assert_eq!(hall.say(client(1), "!SEND x 1 y"), []);
    let told = hall.resume(client(2), &token);
    assert!(told[0].1.starts_with("!OK RESUMED - - "), "{told:?}");
    hall.say(client(2), "!JOIN OTHER AAAAAAAAAAAAAAAA");
    hall.pass(600_000);
    assert_eq!(hall.relay.clients(), 0);
}

/// Without a desk there is nowhere to keep names.
#[test]
fn a_relay_that_keeps_nothing_says_so() {
    let mut hall = Hall::new(Settings::default());
    hall.shared.everybody = Arc::default();
    hall.relay = Relay::of(1, Settings::default(), OwnAddresses::default(), &hall.shared);
    hall.hello(client(1), "");
    assert_eq!(hall.ask(client(1), "!REG anna"), ["!ERR SERVER_FULL TryLater"]);
    assert_eq!(hall.refused("store_failed"), 1);
}

/// Who is refused hears the same of all of them; the operator does not.
#[test]
fn what_is_full_is_counted_by_what_it_is() {
    let bounds = Bounds { names: 1, ..Bounds::default() };
    let mut hall = Hall::keeping(bounds, Settings::default());
    for number in 1..4 {
        hall.hello(client(number), "");
    }
    hall.register(client(1), "anna");
    for number in 2..4 {
        assert_eq!(hall.ask(client(number), "!REG bob"), ["!ERR SERVER_FULL TryLater"]);
    }
    assert_eq!((hall.refused("names_full"), hall.refused("server_full")), (2, 0));
}
