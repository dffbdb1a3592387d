//! Under the system-call filter of the systemd unit the relay does all that it does elsewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::thread;

use seccompiler::{BpfProgram, TargetArch, apply_filter, compile_from_json};

use crate::support::{RelayOptions, each_backend};

use super::tools::{ConfigFile, main_job};

const PROFILE: &str = include_str!("../../../../deploy/container/relay-seccomp.json");
const UNIT: &str = include_str!("../../../../deploy/systemd/relay.service");

/// The members of a group of calls, as the systemd of this machine has it.
fn members(group: &str) -> BTreeSet<String> {
    let output = Command::new("systemd-analyze").args(["--no-pager", "syscall-filter", group]).output();
    let text = String::from_utf8(output.expect("systemd-analyze runs").stdout).expect("text");
    let words = text.lines().skip(1).map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let members: BTreeSet<String> = words.flat_map(expand).collect();
    assert!(!members.is_empty(), "{group} has no calls");
    members
}

fn expand(word: &str) -> BTreeSet<String> {
    if word.starts_with('@') { members(word) } else { BTreeSet::from([word.to_owned()]) }
}

/// The calls that the unit admits: each line adds, or takes away behind a tilde.
fn admitted() -> BTreeSet<String> {
    let mut calls = BTreeSet::new();
    for line in UNIT.lines().filter_map(|line| line.strip_prefix("SystemCallFilter=")) {
        let taken = line.strip_prefix('~');
        let words: BTreeSet<String> = taken.unwrap_or(line).split(' ').flat_map(expand).collect();
        match taken {
            Some(_) => calls.retain(|call| !words.contains(call)),
            None => calls.extend(words),
        }
    }
    calls
}

/// A filter that kills at any other call, of those that this processor has.
fn filter(calls: &BTreeSet<String>) -> BpfProgram {
    let arch: TargetArch = std::env::consts::ARCH.try_into().expect("a known processor");
    let compile = |names: &[&String]| {
        let rules: Vec<_> = names.iter().map(|name| serde_json::json!({ "syscall": name })).collect();
        let filter = serde_json::json!({ "mismatch_action": "kill_process", "match_action": "allow", "filter": rules });
        let json = BTreeMap::from([("relay", filter)]);
        compile_from_json(serde_json::to_string(&json).unwrap().as_bytes(), arch)
    };
    let known: Vec<&String> = calls.iter().filter(|name| compile(&[name]).is_ok()).collect();
    assert!(known.len() > 200, "{known:?}");
    compile(&known).expect("a filter").remove("relay").expect("the only one")
}

/// From the start over a reload to the end.
fn a_life(options: RelayOptions) {
    let file = ConfigFile::new("cap = 30");
    let mut relay = options.with(["--config", &file.name(), "--pin"]).start();
    main_job(relay.address());
    file.write("cap = 40");
    relay.signal("HUP");
    relay.wait_for_log("was reloaded");
    assert_eq!(relay.metric("relay_ready", ""), 1.0);
    relay.signal("TERM");
    assert!(relay.wait().success());
    let log = relay.log();
    assert!(log.iter().all(|line| line.contains("INFO") || line.contains("buffer is smaller")), "{log:#?}");
}

#[test]
fn unit_and_container_admit_what_the_relays_own_filter_does() {
    let profile: serde_json::Value = serde_json::from_str(PROFILE).expect("JSON");
    let rules = profile["syscalls"].as_array().expect("rules").iter();
    let names = rules.flat_map(|rule| rule["names"].as_array().expect("names").iter());
    let profile: BTreeSet<String> = names.map(|name| name.as_str().expect("a name").to_owned()).collect();
    let own = relay::sandbox::calls::names();
    assert!(own.len() > 50, "{own:?}");
    let starting = ["capset", "landlock_add_rule", "landlock_create_ruleset", "landlock_restrict_self"];
    for (what, calls) in [("the unit", admitted()), ("the container's profile", profile)] {
        let lacks: Vec<_> = own.iter().chain(&starting).filter(|name| !calls.contains(**name)).collect();
        assert!(lacks.is_empty(), "{what} lacks {lacks:?}");
    }
}

#[test]
fn the_units_filter_admits_whatever_the_relay_does() {
    let program = filter(&admitted());
    thread::scope(|scope| {
        // The calls of this thread and of what it starts.
        let confined = scope.spawn(|| {
            apply_filter(&program).expect("a thread may give up calls");
            each_backend(|backend| a_life(RelayOptions::new(backend)));
        });
        if let Err(panic) = confined.join() {
            std::panic::resume_unwind(panic);
        }
    });
}
