//! Does this machine have the addresses to serve on, and can clients reach them?

use std::net::{IpAddr, SocketAddr};

use net::{BindErrorKind, SocketOptions};

use crate::doctor::finding::{Finding, How};
use crate::doctor::patient::Patient;

const NAME: &str = "addresses";

/// What was found.
struct Facts {
    hosts: Vec<IpAddr>,
    /// That could not be bound with a port of the kernel's choice.
    refused: Vec<(IpAddr, BindErrorKind)>,
    loopback_is_down: bool,
    local_only: bool,
    interfaces: Vec<String>,
}

pub fn check(patient: &Patient<'_>) -> Vec<Finding> {
    // A port of the kernel's choice, so that a relay that serves is not met.
    let refused = |host: &IpAddr| {
        let error = net::bind(&[SocketAddr::new(*host, 0)], 1, SocketOptions::default()).err()?;
        Some((*host, error.kind))
    };
    vec![judge(&Facts {
        hosts: patient.setup.hosts.clone(),
        loopback_is_down: loopback_is_down(),
        refused: patient.setup.hosts.iter().filter_map(refused).collect(),
        local_only: patient.is_local_only(),
        interfaces: patient.interfaces.iter().map(|interface| interface.name.clone()).collect(),
    })]
}

/// As in a network namespace where nobody has brought it up.
pub fn loopback_is_down() -> bool {
    let is_up = |all: Vec<net::Interface>| all.iter().any(|one| one.is_loopback && one.is_up);
    !net::interfaces().map_or(true, is_up)
}

fn judge(facts: &Facts) -> Finding {
    let hosts: Vec<String> = facts.hosts.iter().map(ToString::to_string).collect();
    let inner = facts.hosts.iter().find(|host| host.is_loopback());
    let finding = if let (Some(host), true) = (inner, facts.loopback_is_down) {
        Finding::problem(NAME, format!("nothing can reach {host}: loopback is down"))
            .why("The relay may start, but no datagram comes to it or leaves it.")
            .fix(How::Now, "ip link set dev lo up")
    } else if let Some((host, kind)) = facts.refused.first() {
        let finding = Finding::problem(NAME, format!("{host} cannot be bound: {kind}"))
            .why("The relay does not start.");
        match kind {
            BindErrorKind::NotAvailable | BindErrorKind::Many => finding
                .fix(How::Relay, "--host ADDRESS (`ip address` lists this machine's; 0.0.0.0,:: serves all)"),
            BindErrorKind::Descriptors => {
                finding.fix(How::Advice, "raise the limit of open files, as told above (open-files)")
            }
            BindErrorKind::Ports => {
                finding.fix(How::Now, "sysctl net.ipv4.ip_local_port_range; ss -un | wc -l")
            }
            _ => finding.fix(
                How::Advice,
                "let this user open, set and bind sockets: a seccomp profile or a security module forbids it",
            ),
        }
    } else if facts.local_only {
        Finding::info(NAME, format!("{}: only programs on this machine can reach it", hosts.join(", ")))
            .why("Say the address that it will serve on, and network cards, MTU and routes are looked at, too.")
            .fix(How::Relay, "--host 0.0.0.0,::")
    } else if facts.interfaces.is_empty() {
        Finding::warning(NAME, format!("{}: no interface but loopback has such an address", hosts.join(", ")))
            .why("Nobody outside this machine, or this container, can reach the relay.")
            .fix(How::Advice, "bring an interface up and give it an address (`ip address` lists them)")
    } else {
        Finding::ok(NAME, format!("{} by {}", hosts.join(", "), facts.interfaces.join(", ")))
    };
    finding.value("interfaces", facts.interfaces.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Verdict;

    #[test]
    fn who_can_reach_it() {
        let facts = |host: &str, interfaces: &[&str]| Facts {
            hosts: vec![host.parse().unwrap()],
            refused: Vec::new(),
            loopback_is_down: false,
            local_only: host.starts_with("127."),
            interfaces: interfaces.iter().map(ToString::to_string).collect(),
        };
        assert_eq!(judge(&facts("127.0.0.1", &[])).verdict, Verdict::Info);
        assert_eq!(judge(&facts("0.0.0.0", &["eth0"])).found, "0.0.0.0 by eth0");
        assert_eq!(judge(&facts("0.0.0.0", &[])).verdict, Verdict::Warning);
        let host = "192.0.2.7".parse().unwrap();
        let refused = vec![(host, BindErrorKind::NotAvailable)];
        let problem = judge(&Facts { refused, ..facts("192.0.2.7", &[]) });
        assert_eq!(problem.verdict, Verdict::Problem);
        assert!(problem.found.contains("does not have this address"), "{problem:?}");
    }
    #[test]
    fn loopback_must_be_up_for_whom_it_serves() {
        let facts = |host: &str| Facts {
            hosts: vec![host.parse().unwrap()],
            refused: Vec::new(),
            loopback_is_down: true,
            local_only: host != "0.0.0.0",
            interfaces: vec!["eth0".into()],
        };
        let down = judge(&facts("127.0.0.1"));
        assert_eq!(
            (down.verdict, down.fixes[0].command.as_str()),
            (Verdict::Problem, "ip link set dev lo up")
        );
        assert_eq!(judge(&facts("0.0.0.0")).verdict, Verdict::Ok);
    }

    #[test]
    fn the_fix_depends_on_what_is_refused() {
        let fix = |kind| {
            let facts = Facts {
                hosts: vec!["127.0.0.1".parse().unwrap()],
                refused: vec![("127.0.0.1".parse().unwrap(), kind)],
                loopback_is_down: false,
                local_only: true,
                interfaces: Vec::new(),
            };
            judge(&facts).fixes[0].command.clone()
        };
        assert!(fix(BindErrorKind::Forbidden).contains("seccomp"));
        assert!(fix(BindErrorKind::Descriptors).contains("open-files"));
        assert!(fix(BindErrorKind::NotAvailable).contains("--host"));
    }
}
