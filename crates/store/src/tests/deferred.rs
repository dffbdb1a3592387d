//! Places that are opened when somebody first claims a name.

use std::fs;
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use super::broken::{fill, mount, on_a_small_disk};
use super::desk::{claim, put, word};
use crate::{Answer, Bounds, Done, Event, Place, Request, Store};

struct Desk {
    store: Store,
    answers: Receiver<Vec<Done>>,
    told: Receiver<String>,
}

fn defer(directory: &Path, or_memory: bool) -> Desk {
    let ((done, answers), (tell, told)) = (channel(), channel());
    let say = move |event: Event<'_>| drop(tell.send(word(&event)));
    let place = (Place::Directory(directory.to_owned()), or_memory);
    let store =
        Store::defer(place, Bounds::default(), || (), say, move |batch| drop(done.send(batch))).unwrap();
    Desk { store, answers, told }
}

impl Desk {
    fn ask(&self, request: Request) -> Answer {
        self.store.ask(1, request).unwrap();
        self.answers.recv_timeout(Duration::from_secs(60)).unwrap().remove(0).answer
    }
}

#[test]
fn a_place_is_left_alone_until_somebody_has_a_name() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("state");
    let desk = defer(&directory, true);
    assert_eq!(desk.ask(Request::Sweep { now: 1 }), Answer::Failed);
    assert!(!directory.exists());
    assert!(matches!(desk.ask(claim("bob", None, "B", 1)), Answer::Claimed { .. }));
    assert!(directory.exists());
    assert_eq!(desk.told.recv().unwrap(), "open");
    assert!(matches!(desk.ask(put("bob", "anna", "1", 1, b"x")), Answer::Stored { .. }));
    drop(desk);
    let desk = defer(&directory, true);
    assert_eq!(desk.ask(claim("bob", None, "C", 1)), Answer::Taken, "it is remembered");
}

#[test]
fn what_another_has_is_kept_in_memory_unless_that_place_was_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let other = defer(folder.path(), true);
    other.ask(claim("bob", None, "B", 1));
    let desk = defer(folder.path(), true);
    assert!(matches!(desk.ask(claim("bob", None, "B", 1)), Answer::Claimed { .. }));
    let told = desk.told.recv().unwrap();
    assert!(
        told.starts_with("memory: ") && told.contains("another relay uses this data directory"),
        "{told}"
    );
    let desk = defer(folder.path(), false);
    assert_eq!(desk.ask(claim("bob", None, "B", 1)), Answer::Failed);
    assert!(desk.told.recv().unwrap().starts_with("failed: "));
    assert!(desk.store.trouble().unwrap().contains("another relay"));
    drop(other);
    let patience = || std::iter::repeat_with(|| desk.ask(claim("bob", None, "C", 1)));
    assert_eq!(
        patience().find(|answer| *answer != Answer::Failed),
        Some(Answer::Taken),
        "the next try has it"
    );
    assert_eq!(desk.store.trouble(), None);
}

/// The next answer that is none of a failure.
fn patient(desk: &Desk, fresh: &str) -> Answer {
    let mut answers = std::iter::repeat_with(|| desk.ask(claim("bob", None, fresh, 1)));
    answers.find(|answer| *answer != Answer::Failed).unwrap()
}

/// Whoever came first would have the names of those who are kept.
#[test]
fn what_is_kept_is_not_forgotten_because_it_cannot_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    defer(folder.path(), true).ask(claim("bob", None, "B", 1));
    let whole = fs::read(&path).unwrap();
    let mut damaged = whole.clone();
    damaged[..64].fill(0);
    fs::write(&path, damaged).unwrap();
    let desk = defer(folder.path(), true);
    assert_eq!(desk.ask(claim("bob", None, "C", 1)), Answer::Failed);
    let told = desk.told.recv().unwrap();
    assert!(told.starts_with("failed: ") && told.contains("is damaged"), "{told}");
    assert!(desk.store.trouble().unwrap().contains("is damaged"));
    while desk.store.figures().failures < 2 {
        assert_eq!(desk.ask(claim("bob", None, "C", 1)), Answer::Failed, "however often it is tried");
    }
    drop(desk.store);
    assert_eq!(desk.told.iter().count(), 0, "it is said once");
    fs::write(&path, whole).unwrap();
    assert_eq!(patient(&defer(folder.path(), true), "C"), Answer::Taken);
}

#[test]
fn a_full_disk_is_no_reason_to_forget() {
    on_a_small_disk(|folder| {
        let (directory, ballast) = (folder.join("state"), folder.join("ballast"));
        fs::create_dir(&directory).unwrap();
        fill(&ballast);
        let desk = defer(&directory, true);
        assert_eq!(desk.ask(claim("bob", None, "B", 1)), Answer::Failed);
        let told = desk.told.recv().unwrap();
        assert!(told.starts_with("failed: ") && told.contains("no space is left"), "{told}");
        assert!(desk.store.trouble().is_some());
        fs::remove_file(&ballast).unwrap();
        assert!(matches!(patient(&desk, "B"), Answer::Claimed { is_new: true, .. }));
        assert_eq!((desk.told.recv().unwrap().as_str(), desk.store.trouble()), ("open", None));
    });
}

#[test]
fn where_no_directory_can_be_made_things_are_kept_in_memory_unless_one_is_there() {
    on_a_small_disk(|folder| {
        let old = folder.join("old");
        defer(&old, true).ask(claim("bob", None, "B", 1));
        mount(&["-o", "remount,ro", folder.to_str().unwrap()]);
        let desk = defer(&old, true);
        assert_eq!(desk.ask(claim("bob", None, "C", 1)), Answer::Failed);
        let told = desk.told.recv().unwrap();
        assert!(told.starts_with("failed: ") && told.contains("Read-only"), "{told}");
        let desk = defer(&folder.join("new"), true);
        assert!(matches!(desk.ask(claim("bob", None, "C", 1)), Answer::Claimed { is_new: true, .. }));
        let told = desk.told.recv().unwrap();
        assert!(told.starts_with("memory: ") && told.contains("Read-only"), "{told}");
        // What is to be mounted there may have a store.
        let link = folder.join("state");
        mount(&["-o", "remount,rw", folder.to_str().unwrap()]);
        std::os::unix::fs::symlink(folder.join("absent/state"), &link).unwrap();
        assert_eq!(defer(&link, true).ask(claim("bob", None, "C", 1)), Answer::Failed);
    });
}
