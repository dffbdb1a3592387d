//! Several reports become one.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use crate::common::program::Program;
use crate::common::relay::{Faults, LossyRelay};
use crate::common::report::Seen;

/// The report of a run, in a file.
fn run(relay: &LossyRelay, folder: &Path, name: &str, words: &str) -> PathBuf {
    let path = folder.join(name);
    let load = "--group-size 5 --rate 10 --duration 1s --ramp 0";
    Program::run(relay.address(), &format!("{load} {words}")).word("--json").word(&path).end();
    path
}

#[test]
fn sums_are_added_and_the_worst_verdict_counts() {
    let folder = tempfile::tempdir().unwrap();
    let relay = LossyRelay::with(Faults { drop: 0.1, duplicate: 0.1, ..Faults::default() });
    let [one, other] = thread::scope(|scope| {
        let other = scope.spawn(|| {
            run(
                &relay,
                folder.path(),
                "other.json",
                "--clients 20 --max-loss 0 --seed 2 --source-prefix 127.3.0.0/16",
            )
        });
        [run(&relay, folder.path(), "one.json", "--clients 10"), other.join().unwrap()]
    });
    let merged = folder.path().join("merged.json");
    let program = Program::new("merge").word(&one).word(&other).word("--json").word(&merged);
    let ended = program.end();
    Program::new("merge").word(&one).word(&one).end().failed(1, &["there twice"]);
    let nonsense = folder.path().join("nonsense.json");
    let text =
        fs::read_to_string(&one).unwrap().replace("\"reordered\": ", "\"reordered\": 1844674407370955");
    fs::write(&nonsense, text).unwrap();
    let refused = Program::new("merge").word(&nonsense).word(&other).end();
    refused.failed(1, &["nonsense.json", "is not a report of a run", "reordered"]);

    let [one, other, merged] =
        [one, other, merged].map(|path| Seen::read(&fs::read_to_string(path).unwrap()));
    for key in
        ["/clients", "/groups", "/sent", "/expected", "/received", "/lost", "/duplicated", "/pongs/sent"]
    {
        assert_eq!(merged.number(key), one.number(key) + other.number(key), "{key}");
    }
    assert_eq!(merged.number("/sent"), relay.truth().payloads);
    assert_eq!(merged.number("/lost"), relay.truth().dropped);
    let part =
        |seen: &Seen| ["met", "missed", "invalid"].iter().position(|name| seen.text("/verdict") == *name);
    assert_eq!(part(&merged), part(&one).max(part(&other)));
    assert!(matches!(ended.code, Some(98 | 99)), "{ended:?}");
    let slowest = |seen: &Seen| seen.0["latency_us"]["max"].as_f64().unwrap();
    assert_eq!(slowest(&merged), slowest(&one).max(slowest(&other)));
    assert!(ended.stdout.contains(&merged.number("/sent").to_string()), "{}", ended.stdout);
}

#[test]
fn what_is_no_report_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let future = file("future.json", r#"{"schema": "loadgen-report/999"}"#);
    Program::new("merge")
        .word(&future)
        .end()
        .failed(1, &["future.json", "loadgen-report/999", "loadgen-report/1"]);
    let other = file("other.json", "{}");
    let line = Program::new("merge").word(&other).end();
    let line = line.failed(1, &["other.json", "is not a report", "schema"]);
    assert_eq!(line.matches("missing field").count(), 1, "it is said once: {line}");
    let missing = folder.path().join("missing.json");
    Program::new("merge").word(&missing).end().failed(1, &["cannot read", "missing.json", "No such file"]);
}

#[test]
fn reports_of_different_relays_do_not_belong_together() {
    let folder = tempfile::tempdir().unwrap();
    let relays = [(); 2].map(|()| LossyRelay::with(Faults::default()));
    let [one, other] = relays
        .each_ref()
        .map(|relay| run(relay, folder.path(), &format!("{}.json", relay.address().port()), "--clients 5"));
    let texts = relays.map(|relay| relay.address().to_string());
    let ended = Program::new("merge").word(one).word(other).end();
    ended.failed(1, &["different targets", &texts[0], &texts[1]]);
}
