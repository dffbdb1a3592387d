//! A disk that is full, or fails, costs what is asked meanwhile, and nothing else.

use std::io;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use redb::StorageBackend;

use super::desk::{Bytes, Desk, claim, delete, put, read};
use crate::medium::{Medium, Source};
use crate::{Answer, Bounds, Place, Request};

/// Bytes that can be told to fail.
#[derive(Clone, Debug, Default)]
struct Flaky {
    bytes: Bytes,
    fault: Arc<Mutex<Option<Fault>>>,
}

#[derive(Clone, Copy, Debug)]
enum Fault {
    Write(io::ErrorKind),
    Sync,
    /// Even reading does.
    Gone,
    /// Reading brings something else.
    Junk,
}

impl Flaky {
    fn source(&self) -> Source {
        let flaky = self.clone();
        Box::new(move || Ok(Medium::new(flaky.clone())))
    }

    fn set(&self, fault: Option<Fault>) {
        *self.fault.lock().unwrap() = fault;
    }

    fn writing(&self) -> io::Result<()> {
        match *self.fault.lock().unwrap() {
            Some(Fault::Write(kind)) => Err(kind.into()),
            Some(Fault::Gone) => Err(io::ErrorKind::Other.into()),
            _ => Ok(()),
        }
    }
}

impl StorageBackend for Flaky {
    fn len(&self) -> io::Result<u64> {
        self.bytes.len()
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        match *self.fault.lock().unwrap() {
            Some(Fault::Gone) => Err(io::ErrorKind::Other.into()),
            Some(Fault::Junk) => {
                out.fill(0xa5);
                Ok(())
            }
            _ => self.bytes.read(offset, out),
        }
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.writing()?;
        self.bytes.set_len(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        match *self.fault.lock().unwrap() {
            Some(Fault::Sync | Fault::Gone) => Err(io::ErrorKind::Other.into()),
            _ => self.bytes.sync_data(),
        }
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.writing()?;
        self.bytes.write(offset, data)
    }
}

#[test]
fn a_failure_of_the_disk_costs_what_was_asked_meanwhile() {
    let faults = [
        (Fault::Write(io::ErrorKind::StorageFull), "no space is left on the disk; free some"),
        (Fault::Write(io::ErrorKind::QuotaExceeded), "no space is left on the disk; free some"),
        (Fault::Sync, "the disk failed"),
        (Fault::Gone, "the disk failed"),
    ];
    for (fault, says) in faults {
        let flaky = Flaky::default();
        let mut desk = Desk::on(flaky.source(), Bounds::default()).unwrap();
        desk.ask(claim("bob", None, "B", 1));
        let first = desk.ask(put("bob", "eve", "1", 1, b"one"));
        let Answer::Stored { number } = desk.ask(put("bob", "eve", "0", 1, b"delivered")) else { panic!() };
        desk.post(delete("bob", number));
        assert_eq!(desk.mails("bob").len(), 1);
        assert_eq!(desk.store.trouble(), None);
        flaky.set(Some(fault));
        assert_eq!(desk.ask(put("bob", "eve", "2", 1, b"two")), Answer::Failed);
        let trouble = desk.store.trouble().expect("it says why");
        assert!(trouble.contains(says), "{trouble}");
        assert_eq!(
            desk.ask(put("bob", "eve", "1", 1, b"one")),
            Answer::Failed,
            "nobody knows what is on the disk"
        );
        flaky.set(None);
        goes_on(&mut desk, &first);
        assert!(desk.mails("bob").iter().all(|mail| mail.number != number), "what was delivered comes back");
    }
}

/// A full disk lets the file be opened and read all the time.
#[test]
fn trouble_lasts_until_something_is_written_however_often_the_file_is_opened() {
    on_a_small_disk(|folder| {
        let ballast = folder.join("ballast");
        let mut desk = Desk::open(&Place::Directory(folder.join("data")), Bounds::default()).unwrap();
        desk.ask(claim("bob", None, "B", 1));
        fill(&ballast);
        let large = vec![0; 200 << 10];
        for failures in 1..=3 {
            while desk.store.figures().failures < failures {
                assert_eq!(desk.ask(put("bob", "eve", "1", 1, &large)), Answer::Failed);
                assert!(desk.store.trouble().is_some());
            }
            while desk.ask(read("bob", 0, 1)) == Answer::Failed {
                assert_eq!(desk.store.figures().failures, failures, "it can be opened");
                assert!(desk.store.trouble().is_some());
            }
            assert!(desk.store.trouble().is_some(), "it has only been read");
        }
        std::fs::remove_file(&ballast).unwrap();
        while desk.ask(put("bob", "eve", "1", 1, &large)) == Answer::Failed {
            std::thread::yield_now();
        }
        assert_eq!(desk.store.trouble(), None);
        let told = desk.told();
        assert!(told[0].starts_with("failed: ") && told[1..] == ["recovered"], "{told:?}");
    });
}

/// Somebody always wants something written, and fails.
#[test]
fn a_full_disk_can_be_read_while_others_try_to_write() {
    on_a_small_disk(|folder| {
        let mut desk = Desk::open(&Place::Directory(folder.join("data")), Bounds::default()).unwrap();
        desk.ask(claim("bob", None, "B", 1));
        let Answer::Stored { number } = desk.ask(put("bob", "eve", "0", 1, b"x")) else { panic!() };
        let stored = desk.mails("bob");
        fill(&folder.join("ballast"));
        let large = vec![0; 200 << 10];
        // Its owner comes for it, too, after so long that it would be written down.
        let (mut read_at_once, mut claimed_at_once, later) = (0, 0, 10 * 24 * 3600 * 1000);
        while desk.store.figures().failures < 3 {
            assert_eq!(desk.ask(put("bob", "eve", "1", 1, &large)), Answer::Failed);
            if let Answer::Mails(mails) = desk.ask(read("bob", 0, 9)) {
                assert_eq!(mails, stored);
                read_at_once += 1;
            }
            if let Answer::Claimed { mails: 1, is_new: false, .. } =
                desk.ask(claim("bob", Some("B"), "X", later))
            {
                claimed_at_once += 1;
            }
            assert_eq!(desk.ask(claim("eve", None, "E", later)), Answer::Failed);
        }
        // Each failure closes the file, which is opened again a second after it was: else for all of that time nothing could be read.
        assert!(read_at_once > 2 && claimed_at_once > 2, "{read_at_once}, {claimed_at_once}");
        desk.post(delete("bob", number));
        assert!(desk.store.trouble().is_some());
    });
}

/// What the store had heard of it was not on the disk.
#[test]
fn a_name_in_use_is_not_forgotten_for_a_failure_of_the_disk() {
    const HOUR: u64 = 3_600_000;
    let bounds = Bounds { name_ttl: Duration::from_millis(8 * HOUR), ..Bounds::default() };
    let flaky = Flaky::default();
    let mut desk = Desk::on(flaky.source(), bounds).unwrap();
    desk.ask(claim("bob", None, "B", 0));
    desk.post(Request::Seen { name: "bob".into(), now: HOUR });
    flaky.set(Some(Fault::Write(io::ErrorKind::StorageFull)));
    assert_eq!(desk.ask(claim("eve", None, "E", HOUR)), Answer::Failed);
    flaky.set(None);
    let swept = |names| Answer::Swept { names, mails: 0, more: false };
    let mut answers = std::iter::repeat_with(|| desk.ask(Request::Sweep { now: 8 * HOUR }));
    assert_eq!(answers.find(|answer| *answer != Answer::Failed), Some(swept(0)));
    desk.post(Request::Seen { name: "bob".into(), now: HOUR });
    assert_eq!(desk.ask(Request::Sweep { now: 8 * HOUR }), swept(0), "it has been heard of again");
    assert_eq!(desk.ask(Request::Sweep { now: 9 * HOUR }), swept(1));
}

#[test]
fn a_full_disk_costs_what_was_asked_meanwhile() {
    on_a_small_disk(|folder| {
        let ballast = folder.join("ballast");
        let place = Place::Directory(folder.join("data"));
        let mut desk = Desk::open(&place, Bounds::default()).unwrap();
        desk.ask(claim("bob", None, "B", 1));
        let first = desk.ask(put("bob", "eve", "1", 1, b"one"));
        fill(&ballast);
        let large = vec![0; 64 << 10];
        let answers: Vec<_> =
            (0..4).map(|sender| desk.ask(put("bob", &format!("s{sender}"), "1", 1, &large))).collect();
        assert!(answers.contains(&Answer::Failed), "{answers:?}");
        let trouble = desk.store.trouble().expect("it says why");
        assert!(trouble.contains("no space is left on the disk; free some"), "{trouble}");
        std::fs::remove_file(&ballast).unwrap();
        goes_on(&mut desk, &first);
        drop(desk);
        fill(&ballast);
        std::fs::remove_dir_all(folder.join("data")).unwrap();
        fill(&folder.join("more"));
        let error = Desk::open(&place, Bounds::default()).err().expect("there is no room");
        assert!(error.to_string().contains("no space is left on the disk; free some"), "{error}");
    });
}

#[test]
fn a_disk_that_reads_something_else_ends_nothing() {
    let flaky = Flaky::default();
    let mut desk = Desk::on(flaky.source(), Bounds { bytes_per_name: 1 << 30, ..Bounds::default() }).unwrap();
    desk.ask(claim("bob", None, "B", 1));
    let first = desk.ask(put("bob", "eve", "1", 1, b"one"));
    // More than the database has memory for.
    let large = vec![7; 500_000];
    for sender in 0..50 {
        desk.ask(put("bob", &format!("s{sender}"), "1", 1, &large));
    }
    flaky.set(Some(Fault::Junk));
    let answers: Vec<_> = (0..60).map(|after| desk.ask(read("bob", after, 1))).collect();
    assert!(answers.contains(&Answer::Failed), "{answers:?}");
    flaky.set(None);
    goes_on(&mut desk, &first);
}

/// Asks until it works again, and looks whether all is there.
fn goes_on(desk: &mut Desk, first: &Answer) {
    let number = loop {
        match desk.ask(put("bob", "eve", "3", 1, b"three")) {
            Answer::Failed => std::thread::yield_now(),
            Answer::Stored { number } => break number,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(desk.store.trouble(), None);
    assert!(desk.store.figures().failures > 0);
    assert_eq!(desk.ask(put("bob", "eve", "1", 1, b"one")), *first);
    let mails = desk.mails("bob");
    assert_eq!(mails.last().map(|mail| (mail.number, &*mail.bytes)), Some((number, &b"three"[..])));
    assert_eq!(desk.ask(put("bob", "eve", "3", 1, b"three")), Answer::Stored { number });
}

/// Runs a test in a file system of two megabytes, which vanishes with its thread.
pub fn on_a_small_disk(test: impl FnOnce(&Path) + Send) {
    let test = || {
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS).expect("mounting takes root");
        let folder = tempfile::tempdir().unwrap();
        mount(&["--make-rprivate", "/"]);
        let path = folder.path().to_str().unwrap();
        mount(&["-t", "tmpfs", "-o", "size=2m", "none", path]);
        test(folder.path());
        assert!(Command::new("umount").args(["--lazy", path]).status().unwrap().success());
    };
    std::thread::scope(|scope| {
        if let Err(panic) = scope.spawn(test).join() {
            std::panic::resume_unwind(panic);
        }
    });
}

pub fn mount(args: &[&str]) {
    assert!(Command::new("mount").args(args).status().unwrap().success(), "mount {args:?}");
}

/// Takes all room that is left.
pub fn fill(path: &Path) {
    let mut file = std::fs::File::create(path).unwrap();
    let full = io::copy(&mut io::repeat(1), &mut file).unwrap_err();
    assert_eq!(full.kind(), io::ErrorKind::StorageFull);
}
