//! The TCP side in a process that runs short of descriptors, and what thousands of connections leave behind. A program of its
//! own: it changes the limit of open files, and counts what is open.

#![allow(unsafe_code)]

#[path = "tcp/side.rs"]
mod side;

use std::fs;
use std::sync::{Mutex, MutexGuard};
use std::time::Duration;

use net::tcp::limits::ACCEPT_PAUSE;
use net::tcp::{Bounds, Kind, NoRoom};
use nix::libc;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

use side::{Client, Side, until};

/// One test at a time.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn open_files() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Lets the process have so many descriptors more, and no limit again in the end.
struct Shortage(u64);

impl Shortage {
    fn of(more: usize) -> Shortage {
        let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        let last = (0..).map(|fd: usize| fd).filter(|fd| !is_open(*fd)).nth(more).unwrap();
        setrlimit(Resource::RLIMIT_NOFILE, last as u64, hard).unwrap();
        Shortage(soft)
    }
}

fn is_open(fd: usize) -> bool {
    fs::symlink_metadata(format!("/proc/self/fd/{fd}")).is_ok()
}

impl Drop for Shortage {
    fn drop(&mut self) {
        let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        setrlimit(Resource::RLIMIT_NOFILE, self.0, hard).unwrap();
    }
}

/// Who comes when there is no descriptor left hears so at once; the others are served on.
#[test]
fn without_descriptors_newcomers_are_refused() {
    let _alone = alone();
    let mut side = Side::new(Bounds::default());
    let (mut client, connection) = side.client();
    let mut newcomers: Vec<_> = (0..10).map(|_| Client::connect(side.address, None, 0)).collect();
    let shortage = Shortage::of(3);
    side.turn_until(|side| side.figures().refused[NoRoom::Descriptors.index()] == 7);
    assert_eq!(side.figures().accepted, 4);
    for newcomer in &mut newcomers[3..] {
        assert!(newcomer.is_reset());
    }
    client.say(b"still here");
    assert_eq!(side.hear(), (connection, b"still here".to_vec()));
    assert!(side.send(connection, Kind::Control, &[b"so are we"]));
    side.turn();
    assert_eq!(client.listen().unwrap(), b"so are we");
    drop(shortage);
    side.client();
}

/// Not even the spare descriptor can be had back: nobody is accepted for a while, and nothing is tried.
#[test]
fn without_a_spare_descriptor_nobody_is_asked_in_for_a_while() {
    let _alone = alone();
    let mut side = Side::new(Bounds::default());
    let first: Vec<_> = (0..2).map(|_| Client::connect(side.address, None, 0)).collect();
    let shortage = Shortage::of(0);
    // The limit is lower than the spare one's number: it is closed, and is none that can be had again.
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, 3, hard).unwrap();
    side.turn();
    let before = side.figures();
    side.turn();
    assert_eq!(side.figures().calls - before.calls, 1, "it only waits");
    side.pass(ACCEPT_PAUSE);
    side.turn();
    assert!(side.figures().calls - before.calls > 2, "it tries again");
    drop(shortage);
    side.pass(ACCEPT_PAUSE);
    side.turn_until(|side| side.figures().accepted == 2);
    drop(first);
}

/// Five times two thousand, of which some are in the middle of something.
#[test]
fn ten_thousand_connections_leave_nothing_behind() {
    const WAVE: usize = 2000;
    let _alone = alone();
    net::raise_descriptor_limit().unwrap();
    let bounds = Bounds { per_address: WAVE, per_prefix: WAVE, ..Bounds::default() };
    let mut side = Side::new(bounds);
    let mut open = Vec::new();
    let mut in_use = Vec::new();
    for _ in 0..5 {
        let mut clients = Vec::new();
        while clients.len() < WAVE {
            clients.push(Client::connect(side.address, None, 0));
            // A backlog holds as many as the kernel says, which may be few.
            if clients.len() % 100 == 0 {
                let accepted = side.figures().closed.iter().sum::<u64>() + clients.len() as u64;
                side.turn_until(|side| side.figures().accepted == accepted);
            }
        }
        for (at, client) in clients.iter_mut().enumerate() {
            match at % 3 {
                0 => client.say(b"hello"),
                1 => std::io::Write::write_all(&mut client.stream, b"\x0f\xffunfinished").unwrap(),
                _ => {}
            }
        }
        let heard = side.figures().messages_in;
        until(|| {
            side.turn_for(Duration::from_millis(10));
            for (from, text) in std::mem::take(&mut side.heard) {
                assert!(side.send(from, Kind::Payload, &[&text]));
            }
            side.figures().messages_in == heard + WAVE.div_ceil(3) as u64
        });
        drop(clients);
        side.turn_until(|side| side.streams.is_empty());
        open.push(open_files());
        in_use.push(bytes_in_use());
    }
    assert_eq!(side.figures().accepted, 5 * WAVE as u64);
    assert_eq!((side.figures().queued_bytes, side.figures().messages_queued), (0, 0));
    assert!(open.iter().all(|count| *count == open[0]), "{open:?}");
    // Some of two thousand connections would take more if they were not forgotten.
    let grown = in_use[4].saturating_sub(in_use[1]);
    assert!(grown < 20 << 10, "{in_use:?}");
}

/// Bytes that the C library has handed out; none under a sanitizer, which has an allocator of its own.
fn bytes_in_use() -> usize {
    // SAFETY: it takes nothing, and only reads the allocator's own figures under its locks.
    let figures = unsafe { libc::mallinfo2() };
    figures.uordblks + figures.hblkhd
}
