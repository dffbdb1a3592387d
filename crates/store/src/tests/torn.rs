//! Power is lost at any moment, and of what was written since the last sync any part is found: nothing that was
//! acknowledged is lost, and nothing comes under two numbers.

use std::collections::{BTreeMap, BTreeSet};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::desk::{Bytes, Desk, claim, delete, put};
use super::is_long;
use super::recorder::{Event, Loss, Recorder, image};
use crate::place::Ready;
use crate::{Answer, Bounds, Mail, Request, Store};

/// Images that are looked at in every run, and in a long one.
const IMAGES: usize = 1000;
const MANY_IMAGES: usize = 20_000;

/// Images of one history.
const OF_EACH: usize = 14;

const NAMES: [&str; 4] = ["ann", "bob", "cat", "dan"];

#[test]
fn what_was_acknowledged_survives_a_loss_of_power() {
    let images = if is_long() { MANY_IMAGES } else { IMAGES };
    let mut survivors = 0;
    for seed in 0..images.div_ceil(OF_EACH) as u64 {
        let mut rng = StdRng::seed_from_u64(seed);
        let (made, events) = history(&mut rng);
        for number in 0..OF_EACH {
            let loss = Loss::ALL[number % Loss::ALL.len()];
            let end = rng.random_range(made..=events.len());
            let case =
                format!("seed {seed}, image {number}: {loss:?} after {end} of {} events", events.len());
            let image = image(&events[..end], loss, &mut rng);
            survivors += Promised::by(&events[..end]).check(image, &case);
        }
    }
    assert!(survivors > images, "images with mail in them: {survivors} mails");
}

/// A store that is busy for a while, opened twice. Its making, which has so many events, is not part of what may be torn: a
/// file gets its name when it is a database.
fn history(rng: &mut StdRng) -> (usize, Vec<Event>) {
    let recorder = Recorder::default();
    drop(Desk::on(recorder.source(), Bounds::default()).unwrap());
    let made = recorder.events().len();
    for _ in 0..2 {
        let notes = recorder.clone();
        let ready = Ready { path: "test".into(), source: recorder.source(), lock: None };
        let store = Store::start(
            ready,
            Bounds::default(),
            |_| (),
            move |answers| notes.note(Event::Answered(answers)),
        )
        .unwrap();
        for tag in 0..rng.random_range(1..60) {
            let request = request(rng, &recorder);
            recorder.note(Event::Asked(tag, request.clone()));
            store.ask(tag, request).unwrap();
            if rng.random_ratio(1, 3) {
                // Until all is answered, so that batches differ in size.
                while store.figures().waiting > 0 {
                    std::thread::yield_now();
                }
            }
        }
    }
    (made, recorder.events())
}

fn request(rng: &mut StdRng, recorder: &Recorder) -> Request {
    let mut name = || NAMES[rng.random_range(0..NAMES.len())];
    let (to, from) = (name(), name());
    match rng.random_range(0..10) {
        0..2 => claim(to, None, &format!("claim-{}", rng.random::<u32>()), 1000),
        2..4 => {
            let numbers = Promised::by(&recorder.events()).mails.into_keys().collect::<Vec<_>>();
            let number = numbers.get(rng.random_range(0..numbers.len().max(1)));
            delete(to, number.copied().unwrap_or(0))
        }
        _ => {
            let id = rng.random_range(0..40).to_string();
            let text = vec![rng.random(); rng.random_range(0..6000)];
            put(to, from, &id, rng.random_range(1000..2000), &text)
        }
    }
}

/// What a store has promised, and what it was asked.
#[derive(Default)]
struct Promised {
    claims: BTreeMap<Box<str>, Box<str>>,
    mails: BTreeMap<u64, Request>,
    deleted: BTreeSet<u64>,
    puts: Vec<Request>,
}

impl Promised {
    fn by(events: &[Event]) -> Self {
        let mut promised = Self::default();
        let mut asked = BTreeMap::new();
        for event in events {
            match event {
                Event::Asked(tag, request) => {
                    promised.asked(request);
                    asked.insert(*tag, request);
                }
                Event::Answered(answers) => {
                    answers.iter().for_each(|done| promised.answered(asked[&done.tag], &done.answer));
                }
                _ => {}
            }
        }
        promised
    }

    fn asked(&mut self, request: &Request) {
        match request {
            Request::Delete { number, .. } => drop(self.deleted.insert(*number)),
            Request::Put { .. } => self.puts.push(request.clone()),
            _ => {}
        }
    }

    fn answered(&mut self, request: &Request, answer: &Answer) {
        match (request, answer) {
            (Request::Claim { name, .. }, Answer::Claimed { claim, .. }) => {
                self.claims.insert(name.key.clone(), claim.clone());
            }
            (Request::Put { .. }, Answer::Stored { number }) => {
                self.mails.entry(*number).or_insert_with(|| request.clone());
            }
            _ => {}
        }
    }

    /// Opens what was left; the mails that are in it.
    fn check(&self, image: Vec<u8>, case: &str) -> usize {
        let opened = Desk::on(Bytes::new(image).source(), Bounds::default());
        let mut desk = opened.unwrap_or_else(|error| panic!("{case}: {error}"));
        for (key, own) in &self.claims {
            let answer = desk.ask(claim(key, Some(own), "another", 3000));
            assert!(
                matches!(&answer, Answer::Claimed { claim, .. } if claim == own),
                "{case}: {key} is {answer:?}"
            );
        }
        let kept: BTreeMap<u64, (&str, Mail)> = NAMES
            .iter()
            .flat_map(|to| desk.mails(to).into_iter().map(|mail| (mail.number, (*to, mail))))
            .collect();
        for (number, request) in self.mails.iter().filter(|(number, _)| !self.deleted.contains(number)) {
            assert!(
                kept.get(number).is_some_and(|(to, mail)| is_that(request, to, mail)),
                "{case}: {number} is lost"
            );
            assert_eq!(desk.ask(request.clone()), Answer::Stored { number: *number }, "{case}: a repeat");
        }
        let mut ids = BTreeSet::new();
        for (to, mail) in kept.values() {
            assert!(
                self.puts.iter().any(|request| is_that(request, to, mail)),
                "{case}: nobody sent {mail:?}"
            );
            assert!(ids.insert((to, &mail.from.key, &mail.id)), "{case}: {mail:?} is there twice");
        }
        let highest = self.mails.keys().chain(kept.keys()).max().copied().unwrap_or(0);
        desk.ask(claim("new", None, "N", 3000));
        let Answer::Stored { number } = desk.ask(put("new", "ann", "new", 3000, b"")) else {
            panic!("{case}")
        };
        assert!(number > highest, "{case}: {number} was given before");
        kept.len()
    }
}

fn is_that(request: &Request, to: &str, mail: &Mail) -> bool {
    let Request::Put { to: for_, from, id, bytes, .. } = request else { return false };
    // The time is not compared: a repeat has its own, and the first counts.
    **for_ == *to && *from == mail.from && *id == mail.id && *bytes == mail.bytes
}
