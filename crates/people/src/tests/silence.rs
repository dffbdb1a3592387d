//! What becomes of messages that cannot arrive, of those behind them, and how much is sent to who acknowledges nothing.

use std::collections::BTreeMap;

use super::world::{At, World};
use crate::limits::{AGAIN_MS, TRIES, WINDOW};

/// More than a path takes that drops fragments.
const LARGE: usize = 3000;
const PATH: usize = 1472;

/// One who beats every second, and acknowledges what arrives; the senders come after it.
struct Scene {
    world: World,
    /// What it gets at all.
    path: usize,
    /// How often each message was sent to it, by sender and id.
    sent: BTreeMap<(String, String), usize>,
    /// What it has got, in this order.
    got: Vec<(String, String)>,
    /// What the senders were told.
    told: BTreeMap<(u16, String), usize>,
}

impl Scene {
    /// Bob, and so many senders.
    fn new(senders: usize) -> Self {
        let mut world = World::new(senders + 1);
        world.register(0, "bob");
        (1..=senders).for_each(|sender| drop(world.register(sender, &format!("s{sender}"))));
        let (sent, told) = (BTreeMap::new(), BTreeMap::new());
        Self { world, path: PATH, sent, got: Vec::new(), told }
    }

    fn send(&mut self, sender: usize, id: &str, size: usize) {
        let told = self.world.say(sender, &format!("!SEND bob {id} {}", "x".repeat(size)));
        self.hear(told);
    }

    /// Bob acknowledges what it gets at once, and the senders take note.
    fn hear(&mut self, mut heard: Vec<(u16, String)>) {
        while !heard.is_empty() {
            for (to, text) in std::mem::take(&mut heard) {
                let Some(message) = text.strip_prefix("!MSG ") else {
                    *self.told.entry((to, text)).or_default() += 1;
                    continue;
                };
                let mut words = message.split(' ').map(str::to_owned);
                let name = (words.next().unwrap(), words.next().unwrap());
                *self.sent.entry(name.clone()).or_default() += 1;
                if text.len() <= self.path {
                    heard.extend(self.world.say(0, &format!("!ACK {} {}", name.0, name.1)));
                    if !self.got.contains(&name) {
                        self.got.push(name);
                    }
                }
            }
        }
    }

    /// So many seconds, in each of which bob says something.
    fn beat(&mut self, seconds: usize) {
        for _ in 0..seconds {
            self.world.hear(0);
            let heard = self.world.pass(1000);
            self.hear(heard);
            self.world.assert_counted();
        }
    }

    /// Seconds until bob has got something.
    fn until_got(&mut self, from: &str, id: &str) -> usize {
        let name = (from.to_owned(), id.to_owned());
        (0..2000)
            .find(|_| {
                self.got.contains(&name) || {
                    self.beat(1);
                    false
                }
            })
            .expect("it arrives")
    }
}

#[test]
fn what_cannot_arrive_keeps_nothing_else_back() {
    let mut scene = Scene::new(WINDOW + 1);
    (1..=WINDOW).for_each(|sender| scene.send(sender, "large", LARGE));
    // It has to stay behind the large one.
    scene.send(1, "next", 1);
    scene.send(WINDOW + 1, "hello", 5);
    let first = scene.until_got("s9", "hello");
    assert!(first <= 10, "{first} s");
    // So it is whenever it is sent, though all who are before it have their turn again.
    for number in 0..20 {
        scene.beat(number);
        scene.send(WINDOW + 1, &number.to_string(), 1);
        let seconds = scene.until_got("s9", &number.to_string());
        assert!(seconds <= 34, "{seconds} s for {number}");
    }
    assert!(scene.got.iter().all(|(from, _)| from == "s9"), "{:?}", scene.got);
    // Everything arrives when it can, in the order of each pair, and is told once.
    scene.path = usize::MAX;
    for sender in 1..=WINDOW {
        scene.until_got(&format!("s{sender}"), "large");
    }
    scene.until_got("s1", "next");
    let of = |from: &str| -> Vec<&str> {
        let own = scene.got.iter().filter(|(other, _)| other == from);
        own.map(|(_, id)| id.as_str()).collect()
    };
    assert_eq!(of("s1"), ["large", "next"]);
    let numbers: Vec<_> = (0..20).map(|number| number.to_string()).collect();
    assert_eq!(of("s9")[1..], numbers);
    assert_eq!(scene.world.drawer.lock().unwrap().store.figures().mails, 0);
    assert_eq!(scene.world.people.figures().under_way, 0);
    let outcomes = scene.told.iter().filter(|((_, text), _)| text.starts_with("!DELIVERED "));
    assert_eq!(outcomes.count(), WINDOW + 2 + 20, "each is told its sender");
    assert!(scene.told.values().all(|times| *times == 1), "once: {:?}", scene.told);
    // It goes directly again.
    let stored = scene.told.len();
    scene.send(WINDOW + 1, "last", 1);
    assert_eq!(scene.told.len(), stored + 1, "{:?}", scene.told);
}

/// A turn of all who are passed over takes as many rounds as they are, and comes to an end.
#[test]
fn many_who_cannot_arrive_have_their_turns_and_end_them() {
    let mut scene = Scene::new(4 * WINDOW + 1);
    (1..=4 * WINDOW).for_each(|sender| scene.send(sender, "large", LARGE));
    scene.send(4 * WINDOW + 1, "hello", 5);
    let rounds = 4 * WINDOW - WINDOW;
    let seconds = scene.until_got(&format!("s{}", 4 * WINDOW + 1), "hello");
    assert!(seconds <= 10 + 40 * rounds, "{seconds} s");
}

/// Messages that nobody acknowledges are sent less and less often.
#[test]
fn who_acknowledges_nothing_is_sent_less_and_less() {
    let mut scene = Scene::new(WINDOW);
    (1..=WINDOW).for_each(|sender| scene.send(sender, "large", LARGE));
    scene.beat(60);
    let in_a_minute: usize = scene.sent.values().sum();
    scene.beat(600);
    let later = scene.sent.values().sum::<usize>() - in_a_minute;
    let probe = TRIES + 1;
    assert!(in_a_minute <= (WINDOW + 6) * probe, "{in_a_minute}");
    assert!(later <= 600 / 32 * probe + probe, "{later}");
    assert!(later >= 600 / 40 * TRIES, "{later}: it is tried on and on");
    assert!(scene.sent.values().all(|times| *times > probe), "in turn: {:?}", scene.sent);
}

/// A shard that has much to do turns when it can.
#[test]
fn turns_that_come_late_end_no_rounds() {
    const STEP: u64 = 37;
    let mut scene = Scene::new(1);
    scene.send(1, "large", LARGE);
    let mut sent = 0;
    for number in 0..600_000 / STEP {
        scene.world.now += STEP;
        scene.world.turn();
        if number % 27 == 0 {
            scene.world.hear(0);
        }
        sent += scene.world.heard().iter().filter(|(to, text)| *to == 0 && text.starts_with("!MSG ")).count();
    }
    assert!(sent >= 600 / 40 * TRIES, "{sent}: it is tried on and on");
}

/// Whoever acknowledges late has said that it is there: its mail goes on at once, whoever was passed over.
#[test]
fn a_late_acknowledgement_of_what_was_passed_over_counts() {
    let mut scene = Scene::new(WINDOW);
    (1..=WINDOW).for_each(|sender| scene.send(sender, "large", LARGE));
    scene.beat(30);
    scene.told.clear();
    let heard = scene.world.say(0, "!ACK s3 large");
    assert_eq!(heard[0], (3, "!DELIVERED bob large".to_owned()));
    assert_eq!(scene.world.drawer.lock().unwrap().store.figures().mails, WINDOW as u64 - 1);
    let next = |(to, text): &(u16, String)| *to == 0 && text.starts_with("!MSG s");
    assert!(heard.len() <= 2 && heard[1..].iter().all(next), "{}", heard.len());
    assert_eq!(scene.world.say(0, "!ACK s3 large"), [], "and that was all of it");
}

/// Another path may take what the last one did not; but who goes to and fro is not sent all of it each time.
#[test]
fn who_moves_is_sent_everything_there() {
    let mut scene = Scene::new(WINDOW);
    (1..=WINDOW).for_each(|sender| scene.send(sender, "large", LARGE));
    scene.beat(60);
    let mut sent = |at: u16, millis: u64| {
        scene.world.move_to(0, At(at));
        let told = scene.world.pass(millis);
        told.iter().filter(|(to, text)| *to == at && text.starts_with("!MSG ")).count()
    };
    assert_eq!(sent(501, 0), WINDOW);
    assert_eq!(sent(502, AGAIN_MS - 1), 0);
    assert_eq!(sent(503, 1), 1);
    assert_eq!(sent(504, 10_000), TRIES * WINDOW, "and nothing more, as nobody says anything there");
}

/// Bytes that session 0 is told of messages in a minute, in which every half second something is said in its name.
fn forged(say: impl Fn(&mut World, usize, &str)) -> usize {
    let mut world = World::new(WINDOW + 2);
    let claim = world.register(0, "vic");
    world.leave(0);
    for sender in 1..=WINDOW {
        world.register(sender, &format!("s{sender}"));
        world.say(sender, &format!("!SEND vic 1 {}", "x".repeat(4000)));
    }
    world.say_from(0, At(0), &format!("!REG vic {claim}"));
    let mut bytes = 0;
    for number in 0..60_000 / AGAIN_MS as usize {
        say(&mut world, number, &claim);
        let told = world.pass(AGAIN_MS);
        let told = told.iter().filter(|(to, text)| *to == 0 && text.starts_with("!MSG "));
        bytes += told.map(|(_, text)| text.len()).sum::<usize>();
    }
    bytes
}

/// As `limits.rs` has it: whoever has an address that somebody else's session had is sent at most half a megabyte in a minute,
/// whatever is said in its name.
#[test]
fn nobody_is_flooded_with_what_is_not_acknowledged() {
    let most = 512 * 1024;
    let bytes = [
        forged(|world, _, _| world.say_from(0, At(0), "!REG vic")),
        forged(|world, number, _| {
            if number % 8 == 0 {
                world.hear(0);
            }
        }),
        forged(|world, number, _| {
            world.say_from(0, At(0), ["!REG vic", "!REG Vic"][number % 2]);
        }),
        forged(|world, number, claim| {
            let text = if number % 2 == 0 { "!DEREG".to_owned() } else { format!("!REG vic {claim}") };
            world.say_from(0, At(0), &text);
        }),
        forged(|world, number, claim| {
            let session = [WINDOW + 1, 0][number % 2];
            world.say_from(session, At(session as u16), &format!("!REG vic {claim}"));
        }),
    ];
    assert!(bytes.iter().all(|bytes| (8 * 4000..most).contains(bytes)), "{bytes:?}");
}
