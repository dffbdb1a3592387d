//! Where the report goes: standard output, files, both, or nowhere.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use crate::common::eventually;
use crate::common::process::program;
use crate::common::program::Program;
use crate::common::relay::{LossyRelay, Options, Truth};
use crate::common::report::Seen;

const LOAD: &str = "--clients 10 --group-size 5 --rate 10 --duration 1s --ramp 0";

const DOCUMENT: &str = include_str!("../../../docs/loadgen.md");

fn relay() -> LossyRelay {
    LossyRelay::start(Options::default())
}

/// The keys of the summary in the document.
fn documented() -> BTreeSet<String> {
    let section = DOCUMENT.split("### All keys\n").nth(1).unwrap().split("\n### ").next().unwrap();
    let key = |line: &str| Some(line.strip_prefix("| `")?.split_once('`')?.0.to_owned());
    section.lines().filter_map(key).filter(|key| !key.contains('.')).collect()
}

#[test]
fn json_on_standard_output_is_alone_there_and_as_documented() {
    let seen = Program::run(relay().address(), LOAD).report();
    let keys: BTreeSet<String> = seen.0.as_object().unwrap().keys().cloned().collect();
    assert_eq!(keys, documented());
    assert!(keys.contains("details"));
    assert_eq!(seen.text("/schema"), "loadgen-report/1");
}

#[test]
fn files_are_written_beside_the_text() {
    let (relay, folder) = (relay(), tempfile::tempdir().unwrap());
    let [json, html] = ["report.json", "report.html"].map(|name| folder.path().join(name));
    let program = Program::run(relay.address(), LOAD).word("--json").word(&json);
    let ended = program.word("--html").word(&html).end();
    let seen = Seen::read(&fs::read_to_string(json).unwrap());
    assert_eq!(
        (seen.number("/sent"), seen.number("/received")),
        (relay.truth().payloads, relay.truth().copies)
    );
    let received = seen.number("/received").to_string();
    assert!(ended.stderr.is_empty() && ended.stdout.contains(&received), "{ended:?}");
    let page = fs::read_to_string(html).unwrap();
    assert!(page.contains("<html") && page.contains("</html>"), "{page:.300}");
}

#[test]
fn what_cannot_be_written_is_said_before_anybody_joins() {
    let (relay, folder) = (relay(), tempfile::tempdir().unwrap());
    let missing = folder.path().join("missing").join("report");
    for (flag, path) in
        [("--json", missing.as_path()), ("--html", missing.as_path()), ("--json", folder.path())]
    {
        let ended = Program::run(relay.address(), LOAD).word(flag).word(path).end();
        ended.failed(1, &["cannot write", &path.display().to_string()]);
    }
    assert_eq!(relay.truth(), Truth::default(), "nobody has sent anything");
    assert_eq!(relay.joins(), 0, "nobody has joined");
}

#[test]
fn a_run_that_fails_leaves_files_as_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let [json, html] = ["report.json", "report.html"].map(|name| folder.path().join(name));
    fs::write(&html, "before").unwrap();
    let nobody = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let program = Program::run(nobody, LOAD).word("--json").word(&json).word("--html").word(&html);
    program.end().failed(1, &["nothing listens"]);
    assert!(!json.exists() && fs::read_to_string(html).unwrap() == "before");
}

#[test]
fn whoever_reads_no_further_does_no_harm() {
    for words in ["", "--json -", "--plain"] {
        let relay = relay();
        let mut child = Command::new(program("loadgen"))
            .args(["run", "--target", &relay.address().to_string(), "--relay-metrics", "off"])
            .args(LOAD.split(' ').chain(words.split_whitespace()))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(matches!(output.status.code(), Some(0 | 98)), "{words}: {output:?}");
        assert!(!line.is_empty() && output.stderr.is_empty(), "{words}: {line} {output:?}");
        eventually("everybody has left", || (relay.members() == 0).then_some(()));
        assert!(relay.joins() == 10 && relay.truth().payloads > 0, "{words}: the run goes on to its end");
    }
}

#[test]
fn progress_is_plain_lines_where_nobody_watches() {
    let ended = Program::run(relay().address(), LOAD).end();
    assert!(ended.stderr.is_empty() && !ended.stdout.contains('\u{1b}'), "{ended:?}");
    assert!(ended.stdout.lines().count() > 3, "{ended:?}");
}
