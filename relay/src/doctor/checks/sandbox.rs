//! Can the relay give up what it does not need, and if not, who keeps it from that? A thread of its own gives it up.

use std::thread;

use crate::config::SandboxMode;
use crate::doctor::finding::{Finding, How};
use crate::doctor::patient::Patient;
use crate::sandbox::{Confinement, Files, Sandbox};

const NAME: &str = "sandbox";

pub fn check(patient: &Patient<'_>) -> Vec<Finding> {
    let mode = patient.setup.sandbox;
    if mode == SandboxMode::Off {
        let found = "switched off: whoever finds a hole in the relay has all that its user has";
        return vec![Finding::info(NAME, found).fix(How::Relay, "--sandbox on")];
    }
    let trial = move || {
        let mut sandbox = Sandbox::enter(mode, Files::default(), []);
        sandbox.settle();
        sandbox.note_store(net::own_descriptors([]));
        sandbox.seal_thread()
    };
    vec![
        thread::spawn(trial)
            .join()
            .map_or_else(|_| Finding::unknown(NAME, "the trial ended early"), |now| judge(&now)),
    ]
}

fn judge(now: &Confinement) -> Finding {
    if now.lacks.is_empty() {
        let version = now.landlock.unwrap_or_default();
        let found = format!("no privileges, files behind Landlock {version}, system calls filtered");
        return Finding::ok(NAME, found).value("landlock", version);
    }
    let found = now.lacks.join("; ");
    let finding = match now.mode {
        SandboxMode::Require => Finding::problem(NAME, found)
            .why("The relay does not start, because all of the sandbox was asked for.")
            .fix(How::Relay, "--sandbox on"),
        _ => Finding::info(NAME, found)
            .why("Whoever finds a hole in the relay gets more than datagrams from it."),
    };
    let finding = finding.value("lacks", now.lacks.clone());
    const CALLS: &str = "SystemCallFilter=capset seccomp close_range landlock_create_ruleset landlock_add_rule landlock_restrict_self";
    finding.fix(How::Systemd, CALLS).fix(
        How::Container,
        "--security-opt seccomp=deploy/container/relay-seccomp.json (it admits what the relay gives things up by)",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Verdict;

    fn lacking(mode: SandboxMode, lacks: &[&str]) -> Confinement {
        let lacks = lacks.iter().map(ToString::to_string).collect();
        Confinement { mode, landlock: Some(6), system_calls: true, no_privileges: true, lacks }
    }

    #[test]
    fn what_lacks_is_bad_if_it_was_demanded() {
        let verdict = |mode, lacks| judge(&lacking(mode, lacks)).verdict;
        assert_eq!(verdict(SandboxMode::Require, &[]), Verdict::Ok);
        assert_eq!(verdict(SandboxMode::On, &["landlock: none"]), Verdict::Info);
        assert_eq!(verdict(SandboxMode::Require, &["landlock: none"]), Verdict::Problem);
    }
}
