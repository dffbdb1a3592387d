//! Clients that follow the rules, over a network that does not: each message arrives once, and those of a pair in order.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use wire::Notice;

use super::world::{At, World};

const PEOPLE: usize = 5;
const MESSAGES: u32 = 12;

/// One who sends one message at a time to each, acknowledges what it is sent, and sometimes goes away.
#[derive(Default)]
struct Client {
    is_here: bool,
    claim: Option<String>,
    at: u16,
    /// By recipient: what is to be sent, and whether the first of it has its outcome.
    out: BTreeMap<usize, VecDeque<u32>>,
    seen: BTreeSet<(String, String)>,
    /// What it has read, by sender.
    read: BTreeMap<String, Vec<u32>>,
}

struct Trial {
    world: World,
    random: StdRng,
    clients: Vec<Client>,
    loss: f64,
}

impl Trial {
    fn new(seed: u64, loss: f64) -> Self {
        let mut clients: Vec<Client> = (0..PEOPLE).map(|_| Client::default()).collect();
        for (own, client) in clients.iter_mut().enumerate() {
            client.at = own as u16;
            let others = (0..PEOPLE).filter(|other| *other != own);
            client.out = others.map(|other| (other, (0..MESSAGES).collect())).collect();
        }
        Self { world: World::new(PEOPLE), random: StdRng::seed_from_u64(seed), clients, loss }
    }

    fn say(&mut self, who: usize, text: &str) {
        for _ in 0..self.copies() {
            self.world.say_from(who, At(self.clients[who].at), text);
        }
    }

    fn copies(&mut self) -> usize {
        match self.random.random::<f64>() {
            chance if chance < self.loss => 0,
            chance if chance < self.loss + 0.2 => 2,
            _ => 1,
        }
    }

    fn step(&mut self, is_calm: bool) {
        for who in 0..PEOPLE {
            self.act(who, is_calm);
        }
        if self.random.random_bool(0.1) {
            let is_slow = self.random.random_bool(0.5) && !is_calm;
            self.world.slow(is_slow);
        }
        let heard = self.world.pass(100);
        self.world.assert_counted();
        for (to, text) in heard {
            for _ in 0..self.copies() {
                self.hear(to, &text);
            }
        }
    }

    fn act(&mut self, who: usize, is_calm: bool) {
        let is_here = self.clients[who].is_here;
        if !is_here && (is_calm || self.random.random_bool(0.2)) {
            let claim = self.clients[who].claim.clone().unwrap_or_default();
            return self.say(who, format!("!REG p{who} {claim}").trim_end());
        }
        if !is_here {
            return;
        }
        match self.random.random_range(0..200) {
            0 if !is_calm => {
                self.world.leave(who);
                // What was said to it before is said to nobody.
                self.clients[who].at += 10;
                self.clients[who].is_here = false;
                return;
            }
            1 if !is_calm => {
                self.clients[who].at += 10;
                self.world.move_to(who, At(self.clients[who].at));
            }
            3 => {
                let group = self.random.random_bool(0.7).then_some("x");
                self.world.enter(who, group);
                self.say(who, "!WATCH");
            }
            2 if !is_calm => {
                // Whether it is heard or not: it registers again.
                self.say(who, "!DEREG");
                self.clients[who].is_here = false;
            }
            _ => self.world.hear(who),
        }
        let due: Vec<_> =
            self.clients[who].out.iter().filter_map(|(to, out)| Some((*to, *out.front()?))).collect();
        for (to, number) in due {
            if self.random.random_bool(0.3) {
                self.say(who, &format!("!SEND p{to} n{number} text {number}"));
            }
        }
    }

    fn hear(&mut self, to: u16, text: &str) {
        let who = usize::from(to) % 10;
        let client = &mut self.clients[who];
        if client.at != to {
            return;
        }
        match Notice::parse(text.as_bytes()) {
            Some(Notice::Registered(_, claim)) => {
                client.is_here = true;
                client.claim = Some(claim.to_string());
            }
            Some(Notice::Delivered(name, id) | Notice::Stored(name, id)) => {
                let out = client.out.get_mut(&name[1..].parse().unwrap()).unwrap();
                if out.front().is_some_and(|number| format!("n{number}") == id.as_str()) {
                    out.pop_front();
                }
            }
            Some(Notice::Message { from, id, bytes, .. }) => {
                let (from, number) = (from.to_owned(), id.as_str()[1..].parse().unwrap());
                assert_eq!(bytes, format!("text {number}").as_bytes());
                if client.is_here && client.seen.insert((from.clone(), id.to_string())) {
                    client.read.entry(from.clone()).or_default().push(number);
                }
                if client.is_here {
                    self.say(who, &format!("!ACK {from} {id}"));
                }
            }
            None if text == "!ERR NOT_REGISTERED" => client.is_here = false,
            _ => {}
        }
    }

    fn is_over(&self) -> bool {
        self.clients.iter().all(|client| {
            client.is_here
                && client.read.values().map(Vec::len).sum::<usize>() == (PEOPLE - 1) * MESSAGES as usize
        })
    }
}

fn run(seed: u64, loss: f64) {
    let mut trial = Trial::new(seed, loss);
    (0..300).for_each(|_| trial.step(false));
    let mut steps = 0;
    while !trial.is_over() {
        trial.step(true);
        steps += 1;
        let read: Vec<_> = trial.clients.iter().map(|client| &client.read).collect();
        assert!(steps < 5000, "seed {seed}: {read:?}");
    }
    for (who, client) in trial.clients.iter().enumerate() {
        for (from, read) in &client.read {
            assert_eq!(*read, (0..MESSAGES).collect::<Vec<_>>(), "seed {seed}: of {from} to p{who}");
        }
    }
    (0..200).for_each(|_| trial.step(true));
    let mails = trial.world.drawer.lock().unwrap().store.figures().mails;
    assert_eq!(
        (mails, trial.world.people.figures().under_way),
        (0, 0),
        "seed {seed}: all of it is acknowledged"
    );
}

#[test]
fn every_message_arrives_once_and_in_order() {
    (0..60).for_each(|seed| run(seed, 0.3));
}

#[test]
fn without_loss_too() {
    (1000..1020).for_each(|seed| run(seed, 0.0));
}
