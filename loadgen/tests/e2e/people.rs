//! People with names, who write to each other and come back for their mail.

use crate::common::process::{Backend, Relay, RelayOptions, each_backend};
use crate::common::program::Program;
use crate::common::report::Seen;

/// A relay that keeps names and mail in memory.
fn relay(backend: Backend) -> Relay {
    RelayOptions::new(backend).with(["--data-dir", "none"]).start()
}

fn run(relay: &Relay, words: &str) -> Seen {
    Program::run(relay.address(), &format!("--profile people {words}")).report()
}

fn sum(seen: &Seen, key: &str) -> u64 {
    seen.number(&format!("/details/outcome/sums/{key}"))
}

fn deed(seen: &Seen, key: &str) -> u64 {
    seen.number(&format!("/details/outcome/deeds/{key}"))
}

/// Each message was delivered, once, in order, and as it was sent.
#[track_caller]
fn assert_accounted(seen: &Seen) {
    assert!(seen.number("/sent") > 0, "{:?}", seen.0);
    assert_eq!(seen.number("/sent"), seen.number("/delivered"), "{:?}", seen.0["details"]["outcome"]["sums"]);
    for key in ["/lost", "/unanswered", "/refused", "/doubled", "/out_of_order"] {
        assert_eq!(seen.number(key), 0, "{key}");
    }
    for key in ["unsent", "corrupted", "misdelivered"] {
        assert_eq!(sum(seen, key), 0, "{key}");
    }
    assert_eq!(sum(seen, "shown"), seen.number("/sent"));
    for key in ["sessions_lost", "claims_changed", "claims_refused", "unexpected"] {
        assert_eq!(deed(seen, key), 0, "{key}");
    }
}

#[test]
fn who_is_there_gets_everything_at_once() {
    each_backend(|backend| {
        let relay = relay(backend);
        let seen = run(&relay, "--clients 300 --rate 5 --offline-share 0 --duration 3s");
        assert_accounted(&seen);
        assert_eq!((deed(&seen, "registered"), deed(&seen, "returned")), (300, 0));
    });
}

#[test]
fn who_comes_back_gets_what_was_stored() {
    each_backend(|backend| {
        let relay = relay(backend);
        let seen = run(&relay, "--clients 300 --rate 2 --offline-share 0.3 --returns 1s --duration 6s");
        assert_accounted(&seen);
        assert!(seen.number("/delivered_from_mail") > 0);
        assert!(deed(&seen, "deregistered") > 0 && deed(&seen, "fell_silent") > 0);
        assert_eq!(deed(&seen, "returned"), deed(&seen, "deregistered") + deed(&seen, "fell_silent"));
        assert!(seen.0["first_mail_us"]["p50"].is_number() && seen.0["stored_us"]["p50"].is_number());
    });
}

/// From one address to the next, and from one shard to the next, while everybody writes to everybody.
#[test]
fn who_changes_its_address_misses_nothing() {
    each_backend(|backend| {
        let relay = relay(backend);
        let load =
            "--clients 200 --rate 5 --offline-share 0.1 --returns 500ms --moving-share 0.3 --duration 4s";
        let seen = run(&relay, load);
        assert_accounted(&seen);
        assert!(deed(&seen, "moved") > 100, "{:?}", seen.0["details"]["outcome"]["deeds"]);
        assert_eq!(deed(&seen, "registered"), 200);
    });
}

#[test]
fn a_full_mailbox_is_told_and_counted() {
    let relay =
        RelayOptions::new(Backend::Mmsg).with(["--data-dir", "none", "--mailbox-messages", "4"]).start();
    let seen = run(&relay, "--clients 10 --rate 20 --offline-share 0.5 --returns 3s --duration 4s");
    assert!(sum(&seen, "mailbox_full") > 0);
    assert_eq!(seen.number("/refused"), sum(&seen, "mailbox_full"));
    assert_eq!(seen.number("/sent"), seen.number("/delivered") + seen.number("/refused"));
    assert_eq!((seen.number("/lost"), seen.number("/doubled"), seen.number("/out_of_order")), (0, 0, 0));
}

#[test]
fn sessions_live_on_their_heartbeats() {
    let relay = RelayOptions::new(Backend::Uring)
        .with(["--data-dir", "none", "--heartbeat", "1s", "--sweep", "100ms"])
        .start();
    let seen = run(&relay, "--clients 50 --rate 0.2 --offline-share 0.1 --returns 2s --duration 6s");
    assert_accounted(&seen);
    assert!(deed(&seen, "beats") > 0 && deed(&seen, "pongs") > 0);
}

#[test]
fn two_runs_have_names_of_their_own() {
    let relay = relay(Backend::Uring);
    std::thread::scope(|scope| {
        let runs = ["127.65.0.0/16", "127.66.0.0/16"].map(|prefix| {
            let (relay, words) = (&relay, format!("--clients 40 --duration 2s --source-prefix {prefix}"));
            scope.spawn(move || run(relay, &words))
        });
        runs.into_iter().for_each(|run| assert_accounted(&run.join().unwrap()));
    });
}

#[test]
fn a_socket_for_each_does_the_same() {
    let relay = relay(Backend::Uring);
    let seen = run(&relay, "--clients 60 --rate 5 --sockets per-client --returns 1s --duration 3s");
    assert_eq!(seen.text("/details/setup/backend"), "epoll");
    assert_accounted(&seen);
}

#[test]
fn the_end_is_told_by_the_exit_code() {
    let relay = relay(Backend::Uring);
    let html = tempfile::NamedTempFile::new().unwrap();
    let words =
        "--profile people --clients 20 --rate 2 --offline-share 0 --duration 1s --max-latency 1us --html";
    let ended = Program::run(relay.address(), words).word(html.path()).end();
    assert!(matches!(ended.code, Some(98 | 99)), "{ended:?}");
    assert!(ended.stdout.contains("--max-latency") && ended.stdout.contains("MISSED"), "{ended:?}");
    let page = std::fs::read_to_string(html.path()).unwrap();
    assert!(page.contains("Delivered p50") && page.contains("Out of order"));
}
