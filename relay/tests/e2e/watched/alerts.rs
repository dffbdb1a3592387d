//! Every alert fires for real, once, and goes when its cause has gone.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;
use std::thread;

use super::causes::{self, Scene};
use super::overload;
use super::watch::{Watch, rules};
use crate::support::Cable;

/// A relay in trouble of its own: its scene, and the alerts that fire about it.
type Story = (fn(&Scene), &'static [&'static str]);

/// They are told at the same time, and no other alert fires.
const QUIET: [Story; 9] = [
    (causes::all_is_well, &[]),
    (causes::killed, &["RelayDown"]),
    (causes::killed_again_and_again, &["RelayRestartLoop"]),
    (causes::without_io_uring, &["RelayFallbackBackend"]),
    (causes::full, &["RelayFull", "RelayNearLimit"]),
    (causes::clients_that_vanish, &["RelayClientsVanished"]),
    (causes::a_route_that_refuses, &["RelayCopiesDropped"]),
    (causes::bursts_that_do_not_fit, &["RelayKernelDrops"]),
    (causes::bursts_on_many_addresses, &["RelayNoBuffers"]),
];

/// It takes all that the machine has.
const LOUD: Story = (
    overload::more_than_a_shard_can_do,
    &["RelayLatency", "RelayNotReady", "RelayReceiveQueueFull", "RelayShardImbalance", "RelayShardSaturated"],
);

/// Nobody is there before a story begins or after its end; a scrape may meet a burst; a busy machine forwards late.
const BY_CHANCE: [&str; 3] = ["RelayDown", "RelayReceiveQueueFull", "RelayLatency"];

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
    let alerts: BTreeSet<&str> =
        text.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    let told = QUIET.iter().chain([&LOUD]).flat_map(|(_, alerts)| alerts.iter().copied()).collect();
    assert_eq!(alerts, told);
}

#[test]
fn promtool_checks_and_tests_the_rules() {
    let folder = rules();
    let folder = folder.parent().expect("a folder");
    for arguments in [
        &["check", "rules", "--lint=all", "--lint-fatal", "alerts.yml"][..],
        &["test", "rules", "alerts_test.yml"],
    ] {
        let output = Command::new("promtool").args(arguments).current_dir(folder).output();
        let output = output.expect("promtool runs: it is in the Debian package prometheus");
        let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
        assert!(output.status.success(), "{arguments:?}: {said}");
    }
}
