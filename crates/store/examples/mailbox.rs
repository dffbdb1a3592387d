//! What the store can do on this disk, and what the disk can do at all.
//!
//! `cargo run --release -p store --example mailbox -- DIRECTORY` prints a line of `key=value` pairs for each measurement:
//! mails of 200 bytes stored with 1, 8, 64 and 1024 senders, each of whom sends the next when the last is on the disk, beside
//! the syncs of the disk without any store just before; then a million mails, `kill -9`, opening again, and deleting them all.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use store::{Answer, Bounds, Done, Mail, Name, Place, Request, Store};

/// How long each rate is measured.
const MEASURED: Duration = Duration::from_secs(3);

/// Recipients, and as many who send to them.
const NAMES: u64 = 10_000;

/// Recipients who take their mail at the same time.
const AT_ONCE: u64 = 64;

/// The bytes of a mail.
const TEXT: usize = 200;

/// Mails that are there when the store is killed.
const MANY: u64 = 1_000_000;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [directory] => measure(Path::new(directory)),
        [directory, "fill"] => fill(Path::new(directory)),
        _ => panic!("say which directory may be written to"),
    }
}

fn measure(directory: &Path) {
    fs::create_dir_all(directory).expect("the directory can be made");
    let folder = directory.join("mailbox-bench");
    for senders in [1, 8, 64, 1024] {
        // A disk that others use, too, is another one in each minute.
        let syncs = syncs(&directory.join("mailbox-syncs"));
        rate(&folder, senders, syncs);
    }
    let written = filled_by_another(&folder);
    let size = size(&folder);
    let start = Instant::now();
    let mut post = Post::open(&folder);
    let opened = start.elapsed();
    let figures = post.store.figures();
    assert_eq!(figures.mails, MANY, "nothing acknowledged is lost");
    let memory = memory("RssAnon:");
    println!(
        "what=killed mails={MANY} {written} file_mb={} open_s={:.2} opened_mb={memory}",
        size >> 20,
        opened.as_secs_f64()
    );
    let start = Instant::now();
    post.delete_all();
    drop(post);
    let took = start.elapsed();
    let emptied = self::size(&folder);
    drop(Post::open(&folder));
    println!(
        "what=deleted mails={MANY} seconds={:.1} file_mb={} reopened_mb={:.1}",
        took.as_secs_f64(),
        emptied >> 20,
        self::size(&folder) as f64 / f64::from(1 << 20)
    );
    fs::remove_dir_all(&folder).expect("the directory can be removed");
}

/// Syncs a second of a file that is there already, each after a write of one page.
fn syncs(path: &Path) -> f64 {
    const PAGE: usize = 4096;
    const PAGES: u64 = 4096;
    let file = File::create(path).expect("a file");
    let page = [1; PAGE];
    let write = |number: u64| file.write_all_at(&page, number % PAGES * PAGE as u64).expect("room");
    (0..PAGES).for_each(write);
    file.sync_all().expect("a disk");
    let (start, mut syncs) = (Instant::now(), 0);
    while start.elapsed() < MEASURED {
        write(syncs);
        file.sync_data().expect("a disk");
        syncs += 1;
    }
    fs::remove_file(path).expect("the file can be removed");
    syncs as f64 / start.elapsed().as_secs_f64()
}

fn rate(folder: &Path, senders: u64, syncs: f64) {
    let _none = fs::remove_dir_all(folder);
    let mut post = Post::open(folder);
    post.register();
    let before = post.store.figures();
    let start = Instant::now();
    let mut sent = 0;
    while sent < senders {
        post.send(&mut sent);
    }
    while start.elapsed() < MEASURED {
        for _ in 0..post.answers() {
            post.send(&mut sent);
        }
    }
    let (took, after) = (start.elapsed().as_secs_f64(), post.store.figures());
    let (mails, commits) = (after.stored - before.stored, after.commits - before.commits);
    let us = post.store.commit_us();
    println!(
        "what=rate senders={senders} mails_per_s={:.0} commits_per_s={:.0} syncs_per_s={syncs:.0} p50_us={} p99_us={}",
        mails as f64 / took,
        commits as f64 / took,
        us.value_at_quantile(0.5),
        us.value_at_quantile(0.99)
    );
}

/// Lets a process store a million mails and kills it; what it says of itself.
fn filled_by_another(folder: &Path) -> String {
    let _none = fs::remove_dir_all(folder);
    let mut other = Command::new(std::env::current_exe().expect("the program has a path"))
        .arg(folder)
        .arg("fill")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the program can be run");
    let mut line = String::new();
    BufReader::new(other.stdout.take().expect("its output")).read_line(&mut line).expect("a line");
    other.kill().expect("it runs");
    other.wait().expect("it ends");
    line.trim().to_owned()
}

fn fill(folder: &Path) {
    let mut post = Post::open(folder);
    post.register();
    let start = Instant::now();
    let (mut sent, mut answered) = (0, 0);
    while answered < MANY {
        while sent < MANY && sent - answered < 4096 {
            post.send(&mut sent);
        }
        answered += post.answers();
    }
    println!("fill_s={:.1} filled_mb={}", start.elapsed().as_secs_f64(), memory("RssAnon:"));
    // Until it is killed.
    std::io::stdin().read_line(&mut String::new()).expect("its parent");
}

/// A store, and its answers.
struct Post {
    store: Store,
    done: Receiver<Vec<Done>>,
}

impl Post {
    fn open(folder: &Path) -> Self {
        let (sender, done) = channel();
        let place = Place::Directory(folder.to_owned());
        let bounds = Bounds { bytes: 1 << 30, ..Bounds::default() };
        let store = Store::open(&place, bounds, move |answers| drop(sender.send(answers)));
        Self { store: store.expect("a store"), done }
    }

    fn register(&mut self) {
        for number in 0..NAMES {
            let name = Name { key: key(number), shown: key(number) };
            let request = Request::Claim {
                name,
                claim: None,
                fresh: Some("ABCDEFGHIJKLMNOPQRSTUVWXYZ".into()),
                now: 1,
            };
            self.store.ask(number, request).expect("room");
        }
        let mut left = NAMES;
        while left > 0 {
            left -= self.answers();
        }
    }

    /// Recipients in an order without any order.
    fn send(&mut self, sent: &mut u64) {
        let to = key(sent.wrapping_mul(0x9E37_79B9_7F4A_7C15) % NAMES);
        let from = Name { key: key(*sent % NAMES), shown: key(*sent % NAMES) };
        let id = format!("{sent:020}").into();
        let request =
            Request::Put { to, from, site: None, id, now: 1, bytes: vec![*sent as u8; TEXT].into() };
        self.store.ask(*sent, request).expect("room");
        *sent += 1;
    }

    /// Waits for answers; how many.
    fn answers(&mut self) -> u64 {
        let answers = self.done.recv().expect("the store answers");
        let is_good = |done: &Done| matches!(done.answer, Answer::Stored { .. } | Answer::Claimed { .. });
        assert!(answers.iter().all(is_good), "{:?}", answers.iter().find(|done| !is_good(done)));
        answers.len() as u64
    }

    /// As recipients do, so many of them at a time: read some, delete them, read the next.
    fn delete_all(&mut self) {
        (0..AT_ONCE).for_each(|number| self.read(number));
        let (mut next, mut ended) = (AT_ONCE, 0);
        while ended < NAMES {
            for Done { tag, answer } in self.done.recv().expect("the store answers") {
                let Answer::Mails(mails) = answer else { panic!("{answer:?}") };
                self.delete(tag, &mails);
                if !mails.is_empty() {
                    self.read(tag);
                } else {
                    ended += 1;
                    (next..NAMES).take(1).for_each(|number| self.read(number));
                    next += 1;
                }
            }
        }
    }

    fn read(&self, number: u64) {
        let request = Request::Read { name: key(number), after: 0, count: store::limits::READ_MAILS };
        self.store.ask(number, request).expect("room");
    }

    fn delete(&self, number: u64, mails: &[Mail]) {
        for mail in mails {
            self.store.ask(0, Request::Delete { name: key(number), number: mail.number }).expect("room");
        }
    }
}

fn key(number: u64) -> Box<str> {
    format!("name{number:05}").into()
}

fn size(folder: &Path) -> u64 {
    fs::metadata(folder.join("store.redb")).expect("the file").blocks() * 512
}

/// Megabytes.
fn memory(of: &str) -> u64 {
    let text = fs::read_to_string("/proc/self/status").expect("a process");
    let line = text.lines().find_map(|line| line.strip_prefix(of)).expect("that line");
    line.trim().split(' ').next().and_then(|kib| kib.parse::<u64>().ok()).expect("a number") / 1024
}
