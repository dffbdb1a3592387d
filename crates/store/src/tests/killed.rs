//! A process that stores is killed again and again, in the middle of its work.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::desk::{Desk, claim, delete, put};
use super::is_long;
use crate::{Answer, Bounds, Done, Place, Store};

/// Kills in every run, and in a long one.
const KILLS: u32 = 10;
const MANY_KILLS: u32 = 1000;

/// Answers until a kill, at most.
const ANSWERS: usize = 600;

/// Requests that wait for answers, so that a kill meets all states of a batch.
const WAITING: u64 = 64;

const VICTIM: &str = "STORE_TEST_VICTIM";
const ROUND: &str = "STORE_TEST_ROUND";

fn bounds() -> Bounds {
    Bounds { mails_per_name: 10_000, bytes_per_name: 1 << 30, ..Bounds::default() }
}

/// Runs itself again, as the process that is killed.
#[test]
fn what_was_acknowledged_survives_kills() {
    if let Some(directory) = std::env::var_os(VICTIM) {
        return store_until_killed(Path::new(&directory));
    }
    let folder = tempfile::tempdir().unwrap();
    let mut rng = StdRng::seed_from_u64(11);
    let (mut stored, mut deleted) = (BTreeMap::new(), BTreeMap::new());
    for round in 0..if is_long() { MANY_KILLS } else { KILLS } {
        let news = kill_one(folder.path(), round, rng.random_range(1..ANSWERS));
        assert!(!news.is_empty());
        stored.extend(news);
        let mut desk = Desk::open(&Place::Directory(folder.path().to_owned()), bounds()).unwrap();
        let mails = desk.mails("bob");
        let kept: BTreeMap<_, _> = mails.iter().map(|mail| (mail.id.to_string(), mail.number)).collect();
        assert_eq!(kept.len(), mails.len(), "round {round}: one id under two numbers");
        for mail in &mails {
            assert_eq!(*mail.bytes, *text(&mail.id), "round {round}");
            assert!(!deleted.contains_key(&*mail.id), "round {round}: {} came back", mail.id);
        }
        for (id, number) in &stored {
            assert_eq!(kept.get(id), Some(number), "round {round}: {id}");
            let again = desk.ask(put("bob", "eve", id, 2, &text(id)));
            assert_eq!(again, Answer::Stored { number: *number }, "round {round}: {id}");
        }
        // What was stored but not acknowledged counts from now on: only the kill has swallowed the answer.
        for (id, number) in kept.into_iter().filter(|_| rng.random()) {
            desk.post(delete("bob", number));
            stored.remove(&id);
            deleted.insert(id, number);
        }
    }
}

/// What it acknowledged, id and number.
fn kill_one(directory: &Path, round: u32, after: usize) -> Vec<(String, u64)> {
    let name = std::thread::current().name().expect("the test's name").to_owned();
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", &name, "--nocapture"])
        .env(VICTIM, directory)
        .env(ROUND, round.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut news = Vec::new();
    for line in BufReader::new(victim.stdout.take().unwrap()).lines().map(Result::unwrap) {
        // The last line may have been cut by the kill.
        if let Some(["stored", id, number, "."]) = line.split(' ').collect::<Vec<_>>().first_chunk() {
            news.push(((*id).to_owned(), number.parse().unwrap()));
        }
        if news.len() == after {
            victim.kill().unwrap();
        }
    }
    victim.wait().unwrap();
    news
}

fn store_until_killed(directory: &Path) {
    let round = std::env::var(ROUND).unwrap();
    let id = move |tag: u64| format!("{round}-{tag}");
    let acknowledged = id.clone();
    let done = move |answers: Vec<Done>| {
        let mut lines = Vec::new();
        for Done { tag, answer } in answers {
            if let Answer::Stored { number } = answer {
                writeln!(lines, "stored {} {number} .", acknowledged(tag)).unwrap();
            }
        }
        std::io::stdout().write_all(&lines).unwrap();
    };
    let store = Store::open(&Place::Directory(directory.to_owned()), bounds(), done).unwrap();
    println!();
    store.ask(0, claim("bob", None, "B", 1)).unwrap();
    for tag in 1..ANSWERS as u64 + WAITING {
        store.ask(tag, put("bob", "eve", &id(tag), 1, &text(&id(tag)))).unwrap();
        while store.figures().waiting > WAITING {
            std::thread::yield_now();
        }
    }
    // Until it is killed, or its parent is gone.
    std::io::stdin().read_line(&mut String::new()).unwrap();
}

fn text(id: &str) -> Vec<u8> {
    id.bytes().cycle().take(200).collect()
}
