//! Where names and mail are kept, and what is said where they cannot be.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use super::Person;
use crate::support::{Backend, RelayOptions, each_backend, eventually};

fn at(backend: Backend, state: &str) -> RelayOptions {
    RelayOptions::new(backend).env("RELAY_DATA_DIR", "").env("XDG_STATE_HOME", state)
}

#[test]
fn two_relays_of_one_user_do_not_mix_their_names() {
    let state = tempfile::tempdir().unwrap();
    let state = state.path().to_str().unwrap();
    each_backend(|backend| {
        let first = at(backend, state).start();
        let second = at(backend, state).start();
        let _ = Person::to(first.address()).register(backend.name());
        first.wait_for_log("names and mail are kept on disk");
        let (anna, claim) = Person::named(&second, backend.name());
        let warning = second.wait_for_log("kept in memory only");
        assert!(
            warning.contains("WARN") && warning.contains("another relay uses this data directory"),
            "{warning}"
        );
        drop(anna);
        Person::to(second.address()).claim(backend.name(), &claim);
    });
}

#[test]
fn a_place_that_was_asked_for_is_the_only_one() {
    let state = tempfile::tempdir().unwrap();
    let place = state.path().join("mail");
    let place = place.to_str().unwrap();
    let first = RelayOptions::new(Backend::Uring).with(["--data-dir", place]).start();
    let second = RelayOptions::new(Backend::Mmsg).with(["--data-dir", place]).start();
    let (_, claim) = Person::named(&first, "anna");
    let anna = Person::to(second.address());
    assert_eq!(anna.ask("!REG anna"), "!ERR SERVER_FULL TryLater");
    let error = second.wait_for_log("nobody can register");
    assert!(error.contains("ERROR") && error.contains("give each relay its own"), "{error}");
    drop(first);
    let told = eventually("it is tried again", || {
        Some(anna.ask(format!("!REG anna {claim}"))).filter(|told| told != "!ERR SERVER_FULL TryLater")
    });
    assert_eq!(told, format!("!OK REG anna {claim}"));
}

#[test]
fn a_place_that_cannot_be_made_is_an_error_that_says_so() {
    let state = tempfile::tempdir().unwrap();
    let file = state.path().join("file");
    fs::write(&file, "").unwrap();
    let place = file.join("mail");
    let (status, _, error) =
        RelayOptions::new(Backend::Mmsg).with(["--data-dir", place.to_str().unwrap()]).run();
    assert_eq!(status.code(), Some(2));
    assert!(error.contains("--data-dir") && error.contains("choose another directory"), "{error}");
    // Not asked for, it is a warning when somebody wants a name.
    let relay = at(Backend::Mmsg, file.to_str().unwrap()).start();
    let (_anna, _) = Person::named(&relay, "anna");
    relay.wait_for_log("kept in memory only");
}

/// A place that nobody asked for has what was kept nevertheless.
#[test]
fn names_in_a_damaged_file_are_nobody_elses() {
    let state = tempfile::tempdir().unwrap();
    each_backend(|backend| {
        let service = state.path().join(backend.name());
        let options = || at(backend, "").env("STATE_DIRECTORY", service.to_str().unwrap());
        let relay = options().start();
        let (_, claim) = Person::named(&relay, "anna");
        drop(relay);
        let path = service.join("store.redb");
        let whole = fs::read(&path).unwrap();
        let mut damaged = whole.clone();
        damaged[..64].fill(0);
        fs::write(&path, damaged).unwrap();
        let relay = options().start();
        let anna = Person::to(relay.address());
        assert_eq!(anna.ask("!REG anna"), "!ERR SERVER_FULL TryLater");
        let error = relay.wait_for_log("nobody can register");
        assert!(error.contains("ERROR") && error.contains("is damaged"), "{error}");
        assert_eq!(relay.metric("relay_store_in_trouble", ""), 1.0);
        eventually("it is tried again", || {
            assert_eq!(anna.ask("!REG anna"), "!ERR SERVER_FULL TryLater");
            (relay.metric("relay_store_failures_total", "") > 1.0).then_some(())
        });
        let (_, status) = relay.http("/status.json");
        assert!(status.contains("Names and mail cannot be kept: "), "{status}");
        let errors = relay.log().into_iter().filter(|line| line.contains("nobody can register"));
        assert_eq!(errors.count(), 1, "it is said once");
        drop(relay);
        fs::write(&path, whole).unwrap();
        Person::to(options().start().address()).claim("anna", &claim);
    });
}

#[test]
fn in_memory_is_said_and_leaves_nothing() {
    let state = tempfile::tempdir().unwrap();
    let options = at(Backend::Uring, state.path().to_str().unwrap()).with(["--data-dir", "none"]);
    let relay = options.start();
    let (_anna, _) = Person::named(&relay, "anna");
    relay.wait_for_log("kept in memory only, and lost when the relay stops; set --data-dir");
    assert_eq!(fs::read_dir(state.path()).unwrap().count(), 0);
}

/// All of the sandbox, and still the store opens, writes and syncs; and what it keeps is its owner's alone.
#[test]
fn a_confined_relay_keeps_mail() {
    let state = tempfile::tempdir().unwrap();
    each_backend(|backend| {
        let place = state.path().join(backend.name());
        let options = || {
            let flags = ["--sandbox", "require", "--data-dir", place.to_str().unwrap()];
            RelayOptions::new(backend).with(flags)
        };
        let relay = options().start();
        let (anna, claim) = Person::named(&relay, "anna");
        assert_eq!(anna.ask("!DEREG"), "!OK DEREG anna");
        let (bob, _) = Person::named(&relay, "bob");
        assert_eq!(bob.ask("!SEND anna 1 x"), "!STORED anna 1");
        let mode = |name: &str| fs::metadata(place.join(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!([mode("."), mode("store.redb")], [0o700, 0o600]);
        drop(relay);
        let relay = options().start();
        let anna = Person::to(relay.address());
        anna.claim("anna", &claim);
        assert_eq!(anna.mail(), 1);
        assert_eq!(anna.message().3, "x");
    });
}
