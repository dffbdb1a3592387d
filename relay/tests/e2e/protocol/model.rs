//! Forty clients do random things on two shards; a model of a few lines says what each of them must hear.

use std::collections::BTreeMap;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::{NO_SUCH_GROUP, NOT_IN_THAT_GROUP, NOT_JOINED};
use crate::support::{Client, Relay, RelayOptions, each_backend, eventually, stay_here};

const CLIENTS: usize = 40;
const STEPS: usize = 3000;
const CAP: usize = 8;

/// What the relay should know, and what each client should have heard.
struct Model {
    groups: Vec<String>,
    created: Vec<usize>,
    joined: Vec<Option<usize>>,
    heard: Vec<Vec<Vec<u8>>>,
}

impl Model {
    fn members(&self, group: usize) -> usize {
        self.joined.iter().filter(|joined| **joined == Some(group)).count()
    }

    fn join(&mut self, client: usize, group: Option<usize>) -> String {
        let Some(group) = group else { return NO_SUCH_GROUP.to_owned() };
        let id = &self.groups[group];
        if self.joined[client] != Some(group) && self.members(group) == CAP {
            return format!("ERR GROUP_FULL {id}");
        }
        self.joined[client] = Some(group);
        format!("OK JOINED {id}")
    }

    fn leave(&mut self, client: usize, group: Option<usize>) -> String {
        if group.is_none() || self.joined[client] != group {
            return NOT_IN_THAT_GROUP.to_owned();
        }
        self.joined[client] = None;
        format!("OK LEFT {}", self.groups[group.unwrap()])
    }

    fn who(&self, client: usize) -> String {
        self.joined[client].map_or(NOT_JOINED.to_owned(), |group| {
            format!("OK WHO {} {}", self.groups[group], self.members(group))
        })
    }

    /// The answer, if there is one.
    fn payload(&mut self, client: usize, payload: &[u8]) -> Option<String> {
        let Some(group) = self.joined[client] else { return Some(NOT_JOINED.to_owned()) };
        for other in (0..CLIENTS).filter(|&other| other != client) {
            if self.joined[other] == Some(group) {
                self.heard[other].push(payload.to_owned());
            }
        }
        None
    }
}

/// Clients, and the payloads that they heard while they waited for answers.
struct Stage {
    clients: Vec<Client>,
    heard: Vec<Vec<Vec<u8>>>,
}

impl Stage {
    /// The answer to what was just sent. Payloads begin with a `.` here.
    fn answer(&mut self, client: usize) -> String {
        loop {
            let datagram = self.clients[client].receive();
            if datagram[0] != b'.' {
                return String::from_utf8(datagram).unwrap();
            }
            self.heard[client].push(datagram);
        }
    }
}

/// Some group, or one that does not exist; and how somebody may write its id.
fn some_group(model: &Model, random: &mut StdRng) -> (Option<usize>, String) {
    let group = Some(random.random_range(0..=model.groups.len())).filter(|&group| group < model.groups.len());
    let id = group.map_or("NOSUCHGROUP", |group| &model.groups[group]);
    let written = match random.random_range(0..3) {
        0 => id.to_owned(),
        1 => id.to_ascii_lowercase(),
        _ => format!("  {id}\t"),
    };
    (group, written)
}

fn step(number: usize, model: &mut Model, stage: &mut Stage, random: &mut StdRng) {
    let client = random.random_range(0..CLIENTS);
    let (group, id) = some_group(model, random);
    let (request, expected) = match random.random_range(0..20) {
        0..6 => (format!("!JOIN {id}"), model.join(client, group)),
        6..8 => (format!("!LEAVE {id}"), model.leave(client, group)),
        8 => ("!WHO".to_owned(), model.who(client)),
        9 => {
            let answer = if model.joined[client].is_some() { "PONG 60.0" } else { NOT_JOINED };
            ("!PING".to_owned(), answer.to_owned())
        }
        10 if model.created[client] < 3 => return create(client, model, stage),
        10 => ("!CREATE".to_owned(), "ERR CLIENT_LIMIT 3/3".to_owned()),
        _ => return burst(number, client, model, stage, random),
    };
    stage.clients[client].send(&request);
    assert_eq!(stage.answer(client), expected, "step {number}: client {client}: {request}");
}

fn create(client: usize, model: &mut Model, stage: &mut Stage) {
    stage.clients[client].send("!CREATE");
    let answer = stage.answer(client);
    model.groups.push(answer.strip_prefix("OK CREATED ").expect("a group").to_owned());
    model.created[client] += 1;
}

/// Some payloads, and a question, so that they have been received before anything else happens.
fn burst(number: usize, client: usize, model: &mut Model, stage: &mut Stage, random: &mut StdRng) {
    for part in 0..random.random_range(1..6) {
        let mut payload = format!(".{number} {client} {part} ").into_bytes();
        payload.resize(payload.len() + random.random_range(0..600), b'x');
        stage.clients[client].send(&payload);
        if let Some(answer) = model.payload(client, &payload) {
            assert_eq!(stage.answer(client), answer, "step {number}");
        }
    }
    stage.clients[client].send("!WHO");
    assert_eq!(stage.answer(client), model.who(client), "step {number}");
}

fn check_metrics(relay: &Relay, model: &Model) {
    let members = model.joined.iter().flatten().count() as f64;
    eventually("the members of both shards", || {
        let shards = [0, 1].map(|shard| relay.metric("relay_clients", &format!("shard=\"{shard}\"")));
        (shards[0] + shards[1] == members && shards[0] > 0.0 && shards[1] > 0.0).then_some(())
    });
    assert_eq!(relay.metric("relay_members", ""), members);
    assert_eq!(relay.metric("relay_groups", ""), model.groups.len() as f64);
    assert_eq!(relay.metric("relay_dropped_copies_total", ""), 0.0);
}

#[test]
fn forty_clients_hear_what_the_model_says() {
    each_backend(|backend| {
        for seed in [1, 2, 3] {
            eprintln!("seed {seed}");
            let relay = RelayOptions::new(backend).with(["--cap", &CAP.to_string(), "--pin"]).start();
            stay_here();
            let mut random = StdRng::seed_from_u64(seed);
            let clients = (0..CLIENTS).map(|_| Client::to(relay.address()).roomy()).collect();
            let mut stage = Stage { clients, heard: vec![Vec::new(); CLIENTS] };
            let mut model = Model {
                groups: Vec::new(),
                created: vec![0; CLIENTS],
                joined: vec![None; CLIENTS],
                heard: vec![Vec::new(); CLIENTS],
            };
            (0..4).for_each(|client| create(client, &mut model, &mut stage));
            (0..STEPS).for_each(|number| step(number, &mut model, &mut stage, &mut random));
            check_metrics(&relay, &model);
            for (client, expected) in model.heard.iter().enumerate() {
                while stage.heard[client].len() < expected.len() {
                    let datagram = stage.clients[client].receive();
                    stage.heard[client].push(datagram);
                }
                assert_eq!(shown(&stage.heard[client]), shown(expected), "client {client}");
                stage.clients[client].assert_heard_all();
            }
        }
    });
}

/// Numbers and sizes of payloads, in order for each sender; two shards have no order between their senders.
fn shown(payloads: &[Vec<u8>]) -> BTreeMap<String, Vec<String>> {
    let mut senders = BTreeMap::<String, Vec<String>>::new();
    for payload in payloads {
        let head = String::from_utf8_lossy(payload);
        let words: Vec<&str> = head.split(' ').collect();
        let shown = format!("{} part {}, {} bytes", words[0], words[2], payload.len());
        senders.entry(words[1].to_owned()).or_default().push(shown);
    }
    senders
}
