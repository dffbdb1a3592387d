//! Does something between the clients and the relay hide their addresses?

use std::path::Path;

use procfs::process::{Process, all_processes};

use crate::doctor::finding::{Finding, How};
use crate::doctor::link::Link;
use crate::doctor::look::{self, Seen, Unseen};
use crate::doctor::patient::Patient;

const NAME: &str = "proxy";
/// What podman puts into its containers.
const PODMAN: &str = "/run/.containerenv";
const WHY: &str = "A userland proxy makes all clients one address: replies reach the wrong one, and who limits by address limits everybody.";

/// What was found.
struct Facts {
    port: u16,
    /// What says that this is a container.
    container: Option<&'static str>,
    kubernetes: bool,
    /// Interfaces whose other end lies in another namespace, as a bridge's do.
    behind_bridge: Vec<String>,
    /// Processes that forward the port on this machine.
    proxies: Seen<Vec<i32>>,
}

pub fn check(patient: &Patient<'_>) -> Vec<Finding> {
    let bridged = patient.interfaces.iter().filter(|interface| Link::is_bridged(interface));
    let port = patient.setup.port;
    vec![judge(&Facts {
        port,
        container: container(),
        kubernetes: std::env::var_os("KUBERNETES_SERVICE_HOST").is_some(),
        behind_bridge: bridged.map(|interface| interface.name.clone()).collect(),
        proxies: proxies(port),
    })]
}

fn container() -> Option<&'static str> {
    if Path::new("/.dockerenv").exists() {
        return Some("/.dockerenv");
    }
    if Path::new(PODMAN).exists() {
        return Some(PODMAN);
    }
    let groups = look::text("/proc/1/cgroup").unwrap_or_default();
    ["docker", "kubepods", "containerd", "libpod", "lxc"].into_iter().find(|name| groups.contains(name))
}

/// Of other users' processes only root can know.
fn proxies(port: u16) -> Seen<Vec<i32>> {
    // A /proc that is not mounted has no processes, and not even this one.
    let processes = Process::myself()
        .and_then(|_| all_processes())
        .map_err(|error| Unseen(format!("cannot look for docker-proxy in /proc: {error}")))?;
    let forwards = |process: &Process| process.cmdline().is_ok_and(|words| forwards(&words, port));
    Ok(processes.flatten().filter(forwards).map(|process| process.pid).collect())
}

/// `docker-proxy -proto udp -host-ip 0.0.0.0 -host-port 5000 ...`.
fn forwards(words: &[String], port: u16) -> bool {
    let after = |flag: &str| words.iter().position(|word| word == flag).and_then(|at| words.get(at + 1));
    words.first().is_some_and(|program| program.ends_with("docker-proxy"))
        && after("-proto").is_some_and(|proto| proto == "udp")
        && after("-host-port").is_some_and(|own| *own == port.to_string())
}

fn judge(facts: &Facts) -> Finding {
    let publish = "--network host (in place of --publish)";
    let proxies = facts.proxies.as_deref().unwrap_or_default();
    let finding = if !proxies.is_empty() {
        let list: Vec<String> = proxies.iter().map(ToString::to_string).collect();
        Finding::warning(
            NAME,
            format!("docker-proxy (process {}) forwards UDP port {}", list.join(", "), facts.port),
        )
        .why(WHY)
        .fix(How::Container, publish)
        .fix(
            How::Persistent,
            "\"userland-proxy\": false in /etc/docker/daemon.json, then systemctl restart docker",
        )
    } else if facts.kubernetes {
        Finding::info(NAME, "in a Kubernetes pod: a Service may replace the clients' addresses by a node's")
            .why(WHY)
            .fix(How::Advice, "hostNetwork: true in the pod, or externalTrafficPolicy: Local in the Service")
    } else if let (Some(sign), [first, ..]) = (facts.container, &facts.behind_bridge[..]) {
        let finding = Finding::warning(NAME, format!("in a container ({sign}) behind a bridge ({first}): a published port may be a userland proxy's"))
            .why(WHY)
            .fix(How::Container, publish);
        // Podman has no daemon to tell.
        if sign == PODMAN {
            finding
        } else {
            finding.fix(
                How::Persistent,
                "on the host: \"userland-proxy\": false in /etc/docker/daemon.json, then systemctl restart docker",
            )
        }
    } else if let Err(why) = &facts.proxies {
        Finding::unknown(NAME, why.to_string())
    } else if let Some(sign) = facts.container {
        Finding::ok(NAME, format!("in a container ({sign}), with the host's network or with loopback alone"))
    } else {
        Finding::ok(NAME, "not in a container, and no docker-proxy has the port")
    };
    finding.value("container", facts.container).value("proxies", proxies)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Verdict;

    #[test]
    fn only_the_proxy_of_this_port_counts() {
        let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        let proxy =
            words("/usr/bin/docker-proxy -proto udp -host-ip :: -host-port 5000 -container-port 5000");
        assert!(forwards(&proxy, 5000) && !forwards(&proxy, 500));
        assert!(!forwards(&words("/usr/bin/docker-proxy -proto tcp -host-port 5000"), 5000));
        assert!(
            !forwards(&words("vi docker-proxy -proto udp -host-port 5000"), 5000) && !forwards(&[], 5000)
        );
    }

    #[test]
    fn where_addresses_are_lost() {
        let facts = |container, bridge: &[&str]| Facts {
            port: 5000,
            container,
            kubernetes: false,
            behind_bridge: bridge.iter().map(ToString::to_string).collect(),
            proxies: Ok(Vec::new()),
        };
        assert_eq!(judge(&facts(None, &["eth0"])).verdict, Verdict::Ok);
        assert_eq!(judge(&facts(Some("/.dockerenv"), &[])).verdict, Verdict::Ok);
        assert_eq!(judge(&facts(Some("/.dockerenv"), &["eth0"])).verdict, Verdict::Warning);
        assert_eq!(judge(&facts(Some("/.dockerenv"), &["eth0"])).fixes.len(), 2);
        assert_eq!(judge(&facts(Some(PODMAN), &["eth0"])).fixes.len(), 1, "it has no docker");
        assert_eq!(judge(&Facts { proxies: Ok(vec![7]), ..facts(None, &[]) }).verdict, Verdict::Warning);
        let hidden = Facts { proxies: Err(Unseen("why".into())), ..facts(None, &[]) };
        assert_eq!(judge(&hidden).verdict, Verdict::Unknown);
        assert_eq!(
            judge(&Facts { kubernetes: true, ..facts(Some("kubepods"), &["eth0"]) }).verdict,
            Verdict::Info
        );
    }
}
