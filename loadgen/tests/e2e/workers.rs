//! One plan, done by workers on other machines: what they see together is one report.

use std::collections::BTreeSet;

use loadgen::report::json::from_json;

use crate::assert_reconciled;
use crate::common::eventually;
use crate::common::process::{Backend, Relay, RelayOptions, each_backend};
use crate::common::program::{Program, Running};
use crate::star::{MIDDLE, Star, address};

const TOKEN: &str = "open-sesame";

/// A worker on each arm, and where they listen.
fn workers(star: &Star) -> ([Running; 2], String) {
    let workers = [0, 1].map(|arm| {
        let words = format!("worker --listen {}:9600 --token {TOKEN}", address(arm));
        let worker = star.on(arm, || Program::new(&words).start());
        worker.wait_for("waits for plans");
        worker
    });
    (workers, [0, 1].map(|arm| format!("{}:9600", address(arm))).join(","))
}

fn relay(backend: Backend) -> Relay {
    RelayOptions::new(backend).with(["--host", MIDDLE]).start()
}

fn run(relay: &Relay, addresses: &str, words: &str) -> Program {
    Program::run(relay.address(), &format!("--workers {addresses} --token {TOKEN} {words}"))
}

#[test]
fn what_two_machines_see_is_one_report() {
    each_backend(|backend| {
        Star::build(|star| {
            let (relay, (workers, addresses)) = (relay(backend), workers(star));
            let load = "--clients 42 --groups 7 --rate 10 --churn 5 --duration 2s --ramp 500ms --json -";
            let ended = run(&relay, &addresses, load).end();
            let seen = ended.report();
            assert_reconciled(&seen, &relay);
            assert_eq!((seen.number("/clients"), seen.number("/groups")), (42, 7));
            assert_eq!(
                (seen.number("/details/setup/workers"), seen.text("/details/setup/sockets")),
                (2, "per_client")
            );
            // Histograms and pieces of both, whole.
            let outcome = from_json(&ended.stdout).unwrap().outcome;
            assert_eq!(outcome.latency.count(), seen.number("/received"));
            assert_eq!(outcome.lateness.count(), seen.number("/sent"));
            assert_eq!(outcome.series.iter().map(|slot| slot.sent).sum::<u64>(), seen.number("/sent"));
            assert!(
                outcome.own.len() as u64 == seen.number("/details/setup/threads") && outcome.own.len() >= 2
            );
            let relay_knows = relay.metric("relay_group_events_total", "event=\"create\"");
            assert_eq!(relay_knows, 7.0);
            workers.into_iter().for_each(Running::kill);
        });
    });
}

/// The first worker's clients are 10.30.0.1 to .31, the second's .32 to .62.
#[test]
fn workers_share_a_prefix() {
    Star::build(|star| {
        let (relay, (workers, addresses)) = (relay(Backend::Uring), workers(star));
        for (arm, part) in ["10.30.0.0/27", "10.30.0.32/27"].iter().enumerate() {
            crate::common::namespace::ip(&format!("route add {part} via {}", address(arm)));
            star.on(arm, || crate::common::namespace::ip("route add local 10.30.0.0/24 dev lo"));
        }
        let load = "--clients 62 --groups 2 --rate 2 --duration 2s --ramp 500ms --source-prefix 10.30.0.0/24";
        let seen = run(&relay, &addresses, load).report();
        assert_reconciled(&seen, &relay);
        assert_eq!((seen.text("/details/setup/sockets"), seen.members()), ("shared", 62));
        workers.into_iter().for_each(Running::kill);
    });
}

#[test]
fn a_worker_that_dies_is_named() {
    Star::build(|star| {
        let (relay, (workers, addresses)) = (relay(Backend::Uring), workers(star));
        let load = "--clients 20 --groups 4 --rate 10 --ramp 0 --duration 1h --json -";
        let running = run(&relay, &addresses, load).start();
        eventually("payloads", || (crate::fanned_out(&relay).1 > 100).then_some(()));
        let [first, second] = workers;
        second.kill();
        running.end().failed(1, &["worker", &format!("{}:9600", address(1))]);
        // The other one is free for the next plan.
        first.wait_for("the plan of");
        let seen =
            run(&relay, &format!("{}:9600", address(0)), "--clients 4 --groups 1 --ramp 0 --duration 1s")
                .report();
        assert_eq!(seen.members(), 4);
        first.kill();
    });
}

#[test]
fn refusals_of_workers_are_one_line() {
    Star::build(|star| {
        let (relay, (workers, addresses)) = (relay(Backend::Mmsg), workers(star));
        let one = format!("{}:9600", address(0));
        let wrong =
            |token: &str| Program::run(relay.address(), &format!("--groups 2 --workers {one} {token}")).end();
        for token in ["--token wrong", "", "--token open-sesam", "--token open-sesame!"] {
            wrong(token).failed(1, &["worker", &one, "--token"]);
        }
        let few = run(&relay, &addresses, "--clients 5 --groups 1").end();
        few.failed(1, &["2 workers for 1 groups", "--groups"]);

        let long = run(&relay, &addresses, "--clients 4 --groups 2 --ramp 0 --duration 1h --json -").start();
        eventually("payloads", || (crate::fanned_out(&relay).1 > 0).then_some(()));
        run(&relay, &one, "--clients 4 --groups 2").end().failed(1, &["worker", &one, "busy"]);
        long.signal(nix::sys::signal::Signal::SIGINT);
        let seen = long.end().report();
        assert!(seen.number("/lost") == 0 && seen.number("/sent") > 0, "{:?}", seen.0);
        workers.into_iter().for_each(Running::kill);
    });
}

#[test]
fn a_relay_that_only_workers_miss_is_named_by_them() {
    Star::build(|star| {
        let (workers, addresses) = workers(star);
        let ended = Program::new(&format!(
            "run --target {MIDDLE}:5999 --workers {addresses} --token {TOKEN} --groups 2"
        ));
        let ended = ended.end();
        let line = ended.failed(1, &["worker", "nothing listens", &format!("{MIDDLE}:5999")]);
        let named: BTreeSet<usize> = (0..2).filter(|arm| line.contains(&address(*arm))).collect();
        assert_eq!(named.len(), 1, "{line}");
        workers.into_iter().for_each(Running::kill);
    });
}
