//! What goes wrong with names and mail in production, each made to go wrong here, and mended.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::thread;
use std::time::Duration;

use nix::libc::{SYS_fdatasync, SYS_fsync};
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sched::{CloneFlags, unshare};
use tempfile::TempDir;

use super::causes::{CRITICAL, Scene, WARNING};
use super::people::Person;
use crate::support::{Halted, eventually};

/// What fits on the small disk, in bytes: a new database, and little more.
const DISK: usize = 4 << 20;

/// A disk of a few MiB, for the thread that made it and what it starts.
struct SmallDisk(TempDir);

pub fn names_that_run_out(scene: &Scene) {
    let relay = scene.relay(&["--data-dir=none", "--max-names=10"]);
    for number in 0..9 {
        Person::named(relay.address(), &format!("somebody-{number}"));
    }
    scene.fires("RelayNearLimit", ("limit", "names"), || {});
    drop(relay);
    // In memory: they are all forgotten.
    let _relay = scene.relay(&["--data-dir=none", "--max-names=10"]);
    scene.is_content(|| {});
}

pub fn mail_that_nobody_fetches(scene: &Scene) {
    let relay = scene.relay(&["--data-dir=none", "--mail-bytes=4096"]);
    let claim = Person::away(relay.address(), "bob");
    let (anna, _) = Person::named(relay.address(), "anna");
    let mut number = 0;
    eventually("no more is taken", || {
        number += 1;
        anna.say(&format!("!SEND bob {number} {}", "x".repeat(100)));
        anna.hear("!").filter(|answer| answer == "!ERR SERVER_FULL TryLater")
    });
    scene.fires("RelayMailNearFull", WARNING, || {});
    let bob = Person::to(relay.address());
    bob.ask(&format!("!REG bob {claim}"), "!OK REG bob ");
    scene.is_content(|| bob.read_all());
}

pub fn a_full_disk(scene: &Scene) {
    let disk = SmallDisk::new();
    let place = disk.0.path().join("state").display().to_string();
    let relay = scene.relay(&["--data-dir", &place, "--mailbox-bytes=64M", "--mailbox-messages=10000"]);
    Person::away(relay.address(), "bob");
    let (anna, _) = Person::named(relay.address(), "anna");
    let filler = disk.0.path().join("filler");
    fill(&filler);
    let mut number = 0;
    let mut leave_mail = || {
        (0..20).for_each(|_| {
            number += 1;
            anna.say(&format!("!SEND bob {number} {}", "x".repeat(3900)));
        });
        anna.ignore_all();
    };
    scene.fires("RelayStoreInTrouble", CRITICAL, &mut leave_mail);
    fs::remove_file(filler).expect("it was there");
    scene.is_content(leave_mail);
}

impl SmallDisk {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        mount_disk(folder.path());
        Self(folder)
    }
}

impl Drop for SmallDisk {
    /// So that the folder can be removed.
    fn drop(&mut self) {
        let _ = umount2(self.0.path(), MntFlags::MNT_DETACH);
    }
}

fn mount_disk(place: &Path) {
    unshare(CloneFlags::CLONE_NEWNS).expect("the suite makes namespaces, which takes root");
    let none = None::<&str>;
    mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).expect("mounts of its own");
    let size = format!("size={DISK}");
    mount(Some("disk"), place, Some("tmpfs"), MsFlags::empty(), Some(&*size)).expect("a small disk");
}

/// Writes until nothing more fits.
fn fill(path: &Path) {
    let mut file = File::create(path).expect("a file");
    let blocks = (0..2 * DISK / 4096).take_while(|_| file.write_all(&[0; 4096]).is_ok());
    assert!(blocks.count() < 2 * DISK / 4096, "the disk is not small");
}

/// The store's thread stands still again and again where it waits for the disk, as if others kept that busy.
pub fn a_slow_disk(scene: &Scene) {
    let folder = tempfile::tempdir().expect("a folder");
    let relay = scene.relay(&["--data-dir", &folder.path().display().to_string()]);
    let (anna, _) = Person::named(relay.address(), "anna");
    let mut number = 0;
    let mut register = || {
        (0..20).for_each(|_| {
            number += 1;
            anna.say(&format!("!REG anna-{number}"));
        });
        anna.ignore_all();
    };
    scene.fires("RelayMailCommitsSlow", WARNING, || {
        let halted = Halted::new(&relay, "store");
        register();
        let halted = halted.until(&[SYS_fsync, SYS_fdatasync]);
        // So slow is the disk; nothing is waited for.
        thread::sleep(Duration::from_millis(600));
        halted.go_on();
    });
    scene.is_content(|| {});
}
