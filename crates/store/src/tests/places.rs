//! Directories that can be used, and what is said of those that cannot.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::broken::{mount, on_a_small_disk};
use super::desk::{Bytes, Desk, claim, delete, put};
use crate::disk::{FACTS, KNOWN_FORMAT};
use crate::limits::{COMPACT_BYTES, COMPACT_SHARE};
use crate::{Answer, Bounds, Error, Place};

fn open(directory: &Path) -> Result<Desk, Error> {
    Desk::open(&Place::Directory(directory.to_owned()), Bounds::default())
}

/// What is said instead of opening it.
fn refusal(directory: &Path) -> Error {
    open(directory).err().expect("it cannot be opened")
}

/// A directory with so many mails for bob.
fn filled(directory: &Path, mails: usize) {
    let mut desk = open(directory).unwrap();
    desk.ask(claim("bob", None, "B", 1));
    for number in 0..mails {
        let answer =
            desk.ask(put("bob", &format!("s{}", number % 8), &number.to_string(), 1, &[number as u8; 300]));
        assert!(matches!(answer, Answer::Stored { .. }), "{answer:?}");
    }
}

#[test]
fn a_directory_is_made_for_its_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let directory = folder.path().join("state/relay");
    filled(&directory, 3);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&directory), 0o700);
    assert_eq!(["lock", "store.redb"].map(|name| mode(&directory.join(name))), [0o600; 2]);
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 2);
    assert_eq!(open(&directory).unwrap().mails("bob").len(), 3);
}

#[test]
fn a_directory_has_one_user() {
    let folder = tempfile::tempdir().unwrap();
    let first = open(folder.path()).unwrap();
    let error = refusal(folder.path());
    assert!(matches!(error, Error::Taken(_)), "{error}");
    assert!(
        error
            .to_string()
            .ends_with("another relay uses this data directory; stop it, or give each relay its own")
    );
    drop(first);
    open(folder.path()).unwrap();
}

/// What is written into such a file ends with the process, so nobody is told that it is stored.
#[test]
fn a_file_that_is_removed_or_replaced_is_written_no_more() {
    let is_removed = |path: &Path| fs::remove_file(path).unwrap();
    let is_replaced = |path: &Path| {
        fs::copy(path, path.with_extension("copy")).unwrap();
        fs::rename(path.with_extension("copy"), path).unwrap();
    };
    for (change, stays) in [(&is_removed as &dyn Fn(&Path), 0), (&is_replaced, 3)] {
        let folder = tempfile::tempdir().unwrap();
        filled(folder.path(), 3);
        let mut desk = open(folder.path()).unwrap();
        change(&folder.path().join("store.redb"));
        while desk.store.figures().failures < 3 {
            assert_eq!(desk.ask(put("bob", "eve", "late", 1, b"late")), Answer::Failed);
            assert_eq!(desk.ask(claim("eve", None, "E", 1)), Answer::Failed);
        }
        let trouble = desk.store.trouble().expect("it says why");
        assert!(trouble.contains("store.redb was removed or replaced"), "{trouble}");
        let told = desk.told();
        assert!(told.len() == 1 && told[0].starts_with("failed: "), "{told:?}");
        drop(desk);
        assert_eq!(open(folder.path()).unwrap().mails("bob").len(), stays);
    }
}

#[test]
fn memory_is_ones_own() {
    let mut desks = [(); 2].map(|()| Desk::open(&Place::Memory, Bounds::default()).unwrap());
    let answers = desks.each_mut().map(|desk| desk.ask(claim("bob", None, "B", 1)));
    assert!(answers.iter().all(|answer| matches!(answer, Answer::Claimed { .. })));
}

#[test]
fn a_half_made_file_is_made_anew() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("store.redb.new"), [7; 100_000]).unwrap();
    filled(folder.path(), 3);
    assert!(!folder.path().join("store.redb.new").exists());
}

#[test]
fn what_cannot_be_written_is_told() {
    on_a_small_disk(|folder| {
        filled(&folder.join("old"), 1);
        mount(&["-o", "remount,ro", folder.to_str().unwrap()]);
        for name in ["old", "new"] {
            let error = refusal(&folder.join(name));
            assert!(matches!(error, Error::Directory { .. }), "{error}");
            assert!(error.to_string().contains("Read-only file system"), "{error}");
            assert!(
                error.to_string().contains("let the relay's user write there, or choose another"),
                "{error}"
            );
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    for path in [&file, &file.join("below")] {
        assert!(matches!(refusal(path), Error::Directory { .. }));
    }
}

#[test]
fn a_file_with_little_in_it_is_made_smaller() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::Directory(folder.path().to_owned());
    let bounds = Bounds { bytes_per_name: 1 << 30, ..Bounds::default() };
    let size = || fs::metadata(folder.path().join("store.redb")).unwrap().len();
    let mut desk = Desk::open(&place, bounds).unwrap();
    desk.ask(claim("bob", None, "B", 1));
    let large = vec![1; 1 << 20];
    for id in 0..40 {
        let answer = desk.ask(put("bob", &format!("s{id}"), "1", 1, &large));
        assert!(matches!(answer, Answer::Stored { .. }), "{answer:?}");
    }
    // What is left lies at the end, so the file cannot just be cut.
    for mail in &desk.mails("bob")[..38] {
        desk.post(delete("bob", mail.number));
    }
    drop(desk);
    assert!(size() > COMPACT_BYTES);
    let mut desk = Desk::open(&place, bounds).unwrap();
    assert_eq!(desk.mails("bob").len(), 2);
    assert!(size() < COMPACT_BYTES / COMPACT_SHARE, "{}", size());
}

#[test]
fn a_file_of_another_version_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path(), 1);
    let path = folder.path().join("store.redb");
    for other in [KNOWN_FORMAT - 1, KNOWN_FORMAT + 1] {
        let database = redb::Database::open(&path).unwrap();
        let transaction = database.begin_write().unwrap();
        transaction.open_table(FACTS).unwrap().insert("format", other).unwrap();
        transaction.commit().unwrap();
        drop(database);
        let error = refusal(folder.path());
        assert!(matches!(error, Error::OtherVersion { format, .. } if format == other), "{error}");
    }
}

#[test]
fn a_damaged_file_is_told_and_never_believed() {
    let folder = tempfile::tempdir().unwrap();
    filled(folder.path(), 200);
    let path = folder.path().join("store.redb");
    let whole = fs::read(&path).unwrap();
    let good = open(folder.path()).unwrap().mails("bob");
    assert_eq!(good.len(), 200);
    let mut rng = StdRng::seed_from_u64(3);
    let mut told = 0;
    for case in 0..100 {
        let mut bytes = whole.clone();
        let place = rng.random_range(0..bytes.len());
        match case {
            0 => bytes = b"something else altogether\n".repeat(1000),
            1 => bytes[..4096].fill(0),
            2..10 => bytes.truncate(place),
            10..60 => bytes[place] ^= 1 << rng.random_range(0..8),
            _ => bytes[place..(place + 4096).min(whole.len())].fill(rng.random()),
        }
        match Desk::on(Bytes::new(bytes).source(), Bounds::default()) {
            // The part of the file was not in use.
            Ok(mut desk) => assert_eq!(desk.mails("bob"), good, "case {case}"),
            Err(Error::Damaged { .. }) => told += 1,
            Err(other) => panic!("case {case}: {other}"),
        }
    }
    assert!(told > 20, "{told} of 100");
    // Nothing at all is no new beginning.
    for other in [&b"something else altogether\n"[..], b""] {
        fs::write(&path, other).unwrap();
        let error = refusal(folder.path()).to_string();
        assert!(error.contains("move it away to begin anew, without names and mail"), "{error}");
    }
}
