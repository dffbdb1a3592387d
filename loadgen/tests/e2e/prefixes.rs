//! Clients of shared sockets that have addresses of a prefix, which is routed to this machine.

use crate::assert_reconciled;
use crate::common::namespace::{add_ipv6, alone, ip};
use crate::common::process::{Relay, RelayOptions, each_backend};
use crate::common::program::Program;

const LOAD: &str = "--clients 60 --group-size 12 --rate 10 --payload mix --duration 1s --sockets shared";

/// Runs on both of the generator's backends.
#[track_caller]
fn run(relay: impl Fn() -> Relay, prefix: &str) {
    for backend in ["uring", "mmsg"] {
        let relay = relay();
        let words = format!("{LOAD} --source-prefix {prefix} --backend {backend}");
        let seen = Program::run(relay.address(), &words).report();
        assert_eq!(seen.text("/details/setup/backend"), backend);
        assert_eq!((seen.text("/details/setup/sockets"), seen.members()), ("shared", 60));
        assert_reconciled(&seen, &relay);
    }
}

#[test]
fn ipv4() {
    alone(|| {
        ip("addr add 10.9.0.1/32 dev lo");
        ip("route add local 10.77.0.0/16 dev lo");
        each_backend(|backend| {
            run(|| RelayOptions::new(backend).with(["--host", "10.9.0.1"]).start(), "10.77.0.0/16");
        });
    });
}

/// Clients that are asked for a proof give it, and lose nothing by it.
#[test]
fn strict_admission() {
    alone(|| {
        ip("addr add 10.9.0.1/32 dev lo");
        ip("route add local 10.77.0.0/16 dev lo");
        let relay = || RelayOptions::plain().with(["--host", "10.9.0.1", "--admission", "strict"]).start();
        run(relay, "10.77.0.0/16");
        let words = "--clients 40 --group-size 8 --rate 10 --duration 1s --churn 20 --sockets shared --source-prefix 10.77.0.0/16";
        let relay = relay();
        let seen = Program::run(relay.address(), words).report();
        assert_reconciled(&seen, &relay);
        assert!(relay.metric("relay_requests_refused_total", "reason=\"retry\"") > 30.0);
        assert_eq!(relay.metric("relay_unproved_members", ""), 0.0);
    });
}

/// Clients that prove themselves unasked get what members get; those who do not make the relay take them for forged.
#[test]
fn more_than_unproved_members_may_have() {
    alone(|| {
        ip("addr add 10.9.0.1/32 dev lo");
        ip("route add local 10.77.0.0/16 dev lo");
        // Nobody is alarmed in the first two heartbeats.
        let flags = ["--host", "10.9.0.1", "--unproved-egress", "100000", "--heartbeat", "0.5"];
        let words = "--clients 60 --group-size 12 --rate 20 --payload 300 --warm-up 2s --duration 1s --sockets shared --source-prefix 10.77.0.0/16";
        let run = |more: &str| {
            let relay = RelayOptions::plain().with(flags).start();
            (Program::run(relay.address(), &format!("{words} {more}")).report(), relay)
        };
        let (seen, relay) = run("");
        assert_eq!((seen.number("/lost"), seen.total("refusals"), seen.members()), (0, 0, 60));
        assert_eq!(relay.metric("relay_admission_changes_total", "to=\"guarded\""), 0.0);
        assert_eq!(relay.metric("relay_dropped_copies_total", "unproved"), 0.0);
        drop(relay);
        let (seen, relay) = run("--unproved");
        assert!(seen.number("/lost") > 1000, "{}", seen.number("/lost"));
        assert!(relay.metric("relay_admission_changes_total", "to=\"guarded\"") >= 1.0);
        assert!(relay.metric("relay_dropped_copies_total", "unproved") > 1000.0);
    });
}

#[test]
fn ipv6() {
    alone(|| {
        add_ipv6("fd09::1/128", "lo");
        ip("-6 route add local fd77::/64 dev lo");
        each_backend(|backend| {
            run(|| RelayOptions::new(backend).with(["--host", "fd09::1"]).start(), "fd77::/64");
        });
    });
}

#[test]
fn a_prefix_that_nobody_has_is_one_line() {
    alone(|| {
        let relay = RelayOptions::plain().start();
        let words = "--clients 4 --groups 1 --source-prefix 192.0.2.0/24 --json -";
        let ended = Program::run(relay.address(), words).end();
        ended.failed(1, &["only 0 of 4 clients joined", "--source-prefix", "routed to this machine"]);
    });
}
