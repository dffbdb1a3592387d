//! Every alert fires for real, once, and goes when its cause has gone.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;

use super::causes::{self, Scene};
use super::mail;
use super::overload;
use super::watch::{Watch, rules};
use crate::support::Cable;

/// A relay in trouble of its own: its scene, and the rules that fire about it, by name and severity.
type Story = (fn(&Scene), &'static [&'static str]);

/// They are told at the same time, and no other alert fires.
const QUIET: [Story; 17] = [
    (causes::all_is_well, &[]),
    (causes::killed, &["RelayDown critical"]),
    (causes::killed_again_and_again, &["RelayRestartLoop critical"]),
    (causes::a_shard_that_stands_still, &["RelayShardStalled critical"]),
    (causes::without_io_uring, &["RelayFallbackBackend info"]),
    (causes::without_landlock, &["RelayUnconfined info"]),
    (causes::full, &["RelayFull critical", "RelayNearLimit warning"]),
    (causes::clients_that_vanish, &["RelayClientsVanished critical"]),
    (causes::a_route_that_refuses, &["RelayCopiesDropped warning", "RelayCopiesDropped critical"]),
    (causes::forged_members, &["RelayGuarded warning"]),
    (causes::guesses, &["RelayGuessing warning"]),
    (causes::bursts_that_do_not_fit, &["RelayKernelDrops warning", "RelayKernelDrops critical"]),
    (causes::bursts_on_many_addresses, &["RelayNoBuffers warning"]),
    (mail::names_that_run_out, &["RelayNearLimit warning"]),
    (mail::mail_that_nobody_fetches, &["RelayMailNearFull warning"]),
    (mail::a_full_disk, &["RelayStoreInTrouble critical"]),
    (mail::a_slow_disk, &["RelayMailCommitsSlow warning"]),
];

/// It takes all that the machine has.
const LOUD: Story = (
    overload::more_than_a_shard_can_do,
    &[
        "RelayLatency warning",
        "RelayNotReady critical",
        "RelayReceiveQueueFull warning",
        "RelayShardImbalance warning",
        "RelayShardSaturated warning",
    ],
);

/// Nobody is there before a story begins or after its end; a scrape may meet a burst; a busy machine forwards late.
const BY_CHANCE: [&str; 3] = ["RelayDown critical", "RelayReceiveQueueFull warning", "RelayLatency warning"];

const FIRST_PORT: u16 = 9501;

#[test]
fn every_alert_fires_for_real_and_goes_with_its_cause() {
    Cable::lay(|cable| {
        let ports = FIRST_PORT..=FIRST_PORT + QUIET.len() as u16;
        let watch = Watch::over(ports.clone());
        let scene = |port| Scene { watch: &watch, cable, port };

        thread::scope(|scope| {
            for (port, (story, _)) in ports.clone().zip(&QUIET) {
                scope.spawn(move || story(&scene(port)));
            }
        });
        for (port, (_, expected)) in ports.clone().zip(&QUIET) {
            let mut fired = watch.ever_fired(port);
            fired.retain(|alert| expected.contains(&alert.as_str()) || !BY_CHANCE.contains(&alert.as_str()));
            assert_eq!(fired, set_of(expected), "about the relay at {port}");
        }
        ask_what_the_runbook_asks(&watch);
        let last = *ports.end();
        LOUD.0(&scene(last));
        let fired = watch.ever_fired(last);
        assert!(fired.is_superset(&set_of(LOUD.1)), "{fired:?}");
    });
}

/// What the runbook asks, Prometheus answers; the names in it are the business of `cargo xtask tidy`.
fn ask_what_the_runbook_asks(watch: &Watch) {
    let runbook = fs::read_to_string(rules().with_file_name("../docs/operations.md")).expect("the runbook");
    let queries = runbook.split("promtool query instant $P '").skip(1);
    let asked =
        queries.filter_map(|rest| rest.split('\'').next()).map(|query| watch.prometheus.vector(query));
    assert!(asked.filter(|answer| !answer.is_empty()).count() > 10, "the runbook asks nothing");
}

fn set_of(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(ToString::to_string).collect()
}

/// Every rule is in one of the stories above.
#[test]
fn there_is_no_alert_without_a_story() {
    let text = fs::read_to_string(rules()).expect("the rules");
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let behind = |line: &&str, start: &str| line.strip_prefix(start).map(str::to_owned);
    let alerts = lines.iter().filter_map(|line| behind(line, "- alert: "));
    let severities = lines.iter().filter_map(|line| behind(line, "severity: "));
    let rules: BTreeSet<String> =
        alerts.zip(severities).map(|(alert, severity)| format!("{alert} {severity}")).collect();
    let told = QUIET.iter().chain([&LOUD]).flat_map(|(_, alerts)| set_of(alerts)).collect();
    assert_eq!(rules, told);
}

/// The files of promtool's tests.
const TESTS: [&str; 2] = ["alerts_test.yml", "alerts_thresholds_test.yml"];

#[test]
fn promtool_checks_and_tests_the_rules() {
    let folder = rules();
    let folder = folder.parent().expect("a folder");
    promtool(folder, &["check", "rules", "--lint=all", "--lint-fatal", "alerts.yml"]).expect("rules");
    for tests in TESTS {
        promtool(folder, &["test", "rules", tests]).expect(tests);
    }
}

/// Who tests the tests: rules with half or twice a number do not pass.
#[test]
fn each_number_of_the_rules_is_tested() {
    let text = fs::read_to_string(rules()).expect("the rules");
    let changed = changed(&text);
    assert!(changed.len() > 40, "only {} numbers", changed.len() / 2);
    let halves = changed.chunks(changed.len().div_ceil(2));
    let survivors: Vec<&str> = thread::scope(|scope| {
        let threads: Vec<_> = halves.map(|half| scope.spawn(|| survivors(half))).collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("the tests run")).collect()
    });
    assert!(survivors.is_empty(), "nobody notices {survivors:#?}");
}

/// What was changed, of those rules with which the tests of their alert pass.
fn survivors(changed: &[Changed]) -> Vec<&str> {
    let folder = tempfile::tempdir().expect("a folder");
    let tests = fs::read_to_string(rules().with_file_name(TESTS[1])).expect("the tests");
    let mut cases = tests.split("  - name: ");
    let head = cases.next().expect("a head");
    let cases: Vec<&str> = cases.collect();
    let passes = |changed: &&Changed| {
        let own = cases.iter().filter(|case| case.contains(&format!("alertname=\"{}\"", changed.alert)));
        let tests: String = own.map(|case| format!("  - name: {case}")).collect();
        for (name, text) in [("alerts.yml", &changed.rules), (TESTS[1], &format!("{head}{tests}"))] {
            fs::write(folder.path().join(name), text).expect("a file");
        }
        promtool(folder.path(), &["test", "rules", TESTS[1]]).is_ok()
    };
    changed.iter().filter(passes).map(|changed| changed.what.as_str()).collect()
}

/// Rules with one other number.
struct Changed {
    alert: String,
    what: String,
    rules: String,
}

/// The rules with half and with twice of each threshold, factor and time to wait, one at a time.
fn changed(rules: &str) -> Vec<Changed> {
    let lines: Vec<&str> = rules.lines().collect();
    let mut alert = "";
    let mut changed = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        alert = line.trim().strip_prefix("- alert: ").unwrap_or(alert);
        if line.trim_start().starts_with(['#', 's', 'd']) {
            continue;
        }
        let words: Vec<&str> = line.split(' ').collect();
        for (at, word) in words.iter().enumerate() {
            let before = at.checked_sub(1).map_or("", |at| words[at]);
            let is_number = matches!(before, ">" | ">=" | "for:") || words.get(at + 1) == Some(&"*");
            let (number, unit) = match word.strip_suffix('m') {
                Some(minutes) => (minutes.parse().map(|minutes: f64| 60.0 * minutes), "s"),
                None => (word.parse(), ""),
            };
            let Some(number) = number.ok().filter(|number| is_number && *number > 0.0) else { continue };
            for factor in [0.5, 2.0] {
                let other = format!("{}{unit}", factor * number);
                let mut words = words.clone();
                words[at] = &other;
                let line = words.join(" ");
                let mut lines = lines.clone();
                lines[index] = &line;
                changed.push(Changed {
                    alert: alert.to_owned(),
                    what: format!("{alert}: {other} for {word}"),
                    rules: lines.join("\n") + "\n",
                });
            }
        }
    }
    changed
}

/// Runs it in this folder; what it says if it fails.
fn promtool(folder: &Path, arguments: &[&str]) -> Result<(), String> {
    let output = Command::new("promtool").args(arguments).current_dir(folder).output();
    let output = output.expect("promtool runs: it is in the Debian package prometheus");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    output.status.success().then_some(()).ok_or(said)
}
