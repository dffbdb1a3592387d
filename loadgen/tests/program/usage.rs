//! What is typed wrongly is said in the first line, and nothing else happens.

use crate::common::program::{Ended, Program};

/// What is typed, and what the first line says about it.
const MISTAKES: [(&str, &[&str]); 37] = [
    ("run --bogus", &["--bogus"]),
    ("jump", &["jump"]),
    ("run --clients 0", &["'0'", "--clients"]),
    ("run --clients many", &["'many'", "--clients"]),
    ("run --rate nan", &["'nan'", "--rate", "not a number"]),
    ("run --rate -1", &["-1"]),
    ("run --payload 39", &["'39'", "--payload", "40 to 4096"]),
    ("run --payload 9..8", &["'9..8'", "--payload"]),
    ("run --duration 0", &["'0'", "--duration"]),
    ("run --max-loss 200%", &["'200%'", "--max-loss", "0% to 100%"]),
    ("run --senders none", &["'none'", "--senders"]),
    ("run --senders 0", &["'0'", "--senders", "--rate 0"]),
    ("run --heartbeat 99ms", &["'99ms'", "--heartbeat", "once a second"]),
    ("run --group-size 2 --groups 3", &["--group-size", "--groups"]),
    ("run --rate 3 --in-flight 3", &["--rate", "--in-flight"]),
    ("run --groups 20 --clients 10", &["--groups 20", "--clients 10", "a group needs a client"]),
    ("run --silent 100%", &["--silent 100%"]),
    ("run --sockets per-client --backend mmsg", &["--backend", "--sockets per-client"]),
    ("run --cpus x", &["--cpus x", "list of processors"]),
    ("run --target nonsense", &["--target nonsense", "HOST:PORT"]),
    ("run --target 127.0.0.1:0", &["--target 127.0.0.1:0", "port 0"]),
    ("run --churn 51", &["--churn 51", "--clients 100", "nobody would be left"]),
    ("run --profile heartbeat --max-loss 0", &["--max-loss", "--rate 0", "--max-pong-loss"]),
    ("run --group-size 1 --max-p99 5ms", &["--max-p99", "one member", "--max-pong-loss"]),
    ("run --clients 16000000 --groups 1", &["3072000.0 GB", "--group-size", "--senders"]),
    ("run --returns 5s", &["--returns", "--profile people"]),
    ("run --profile game --offline-share 0.1", &["--offline-share", "--profile people"]),
    ("run --profile people --group-size 5", &["--group-size", "--profile people", "leave it out"]),
    ("run --profile people --max-loss 0", &["--max-loss", "--profile people", "lost or doubled"]),
    ("run --profile people --threads 2", &["--threads", "one thread"]),
    ("run --profile people --clients 1", &["--clients 1 ", "2 to 1000000"]),
    ("run --profile chat --moving-share 0.1", &["--moving-share", "--profile people"]),
    ("run --profile people --offline-share 100%", &["--offline-share 100%", "nobody who writes"]),
    ("run --profile people --payload 4096", &["--payload", "4032"]),
    ("run --profile people --rate 1000 --clients 1000 --duration 1m", &["60000000 messages", "30000000"]),
    ("capacity --profile people", &["--profile people", "loadgen run"]),
    ("run --target [::]:5000", &["--target [::]:5000", "no address of one machine"]),
];

#[track_caller]
fn assert_mistaken(ended: &Ended, words: &str, texts: &[&str]) {
    assert_eq!((ended.code, ended.stdout.as_str()), (Some(2), ""), "{words}: {ended:?}");
    let first = &ended.stderr[0];
    assert!(first.starts_with("error: ") || first.starts_with("loadgen: "), "{words}: {first}");
    assert!(texts.iter().all(|text| first.contains(text)), "{words}: {texts:?} not in {first:?}");
}

#[test]
fn the_first_line_says_what_is_wrong() {
    for (words, texts) in MISTAKES {
        assert_mistaken(&Program::new(words).end(), words, texts);
    }
}

#[test]
fn what_only_the_program_can_know_is_one_line() {
    for (words, texts) in MISTAKES.iter().skip(15) {
        Program::new(words).end().failed(2, texts);
    }
}

#[test]
fn help_and_version_are_no_errors() {
    for words in ["--help", "run --help", "capacity --help", "worker --help", "merge --help", "--version"] {
        let ended = Program::new(words).end();
        assert_eq!((ended.code, ended.stderr.len()), (Some(0), 0), "{words}: {ended:?}");
        assert!(ended.stdout.contains("loadgen") || ended.stdout.contains("Usage"), "{words}");
    }
}

#[test]
fn a_worker_for_everybody_needs_a_token() {
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:9600"] {
        Program::new(&format!("worker --listen {address}"))
            .end()
            .failed(2, &["--listen", address, "--token"]);
    }
}
