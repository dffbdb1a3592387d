//! Is the port free, and may this user have it? Nothing is bound to it: /proc tells.

use std::net::SocketAddr;

use crate::doctor::finding::{Finding, How};
use crate::doctor::look::{self, Seen, Unseen};
use crate::doctor::patient::Patient;
use crate::port::{self, User};

const NAME: &str = "port";
/// Where the kernel does not say otherwise.
const UNPRIVILEGED: u64 = 1024;

/// What was found.
struct Facts {
    port: u16,
    /// Of the first address that somebody uses.
    users: Seen<Option<(SocketAddr, Vec<User>)>>,
    own: Option<String>,
    unprivileged_from: u64,
    privileged: bool,
}

pub fn check(patient: &Patient<'_>) -> Vec<Finding> {
    let port = patient.setup.port;
    if port == 0 {
        return vec![Finding::ok(NAME, "the kernel chooses a free one")];
    }
    let users = || {
        for host in &patient.setup.hosts {
            let address = SocketAddr::new(*host, port);
            if let Some(users) = port::users(address)? {
                return Ok(Some((address, users)));
            }
        }
        Ok(None)
    };
    let users =
        users().map_err(|error: procfs::ProcError| Unseen(format!("cannot read /proc/net/udp: {error}")));
    vec![judge(&Facts {
        port,
        users,
        own: own_name(),
        unprivileged_from: look::number("/proc/sys/net/ipv4/ip_unprivileged_port_start")
            .unwrap_or(UNPRIVILEGED),
        privileged: patient.privileges.bind_low_ports(),
    })]
}

/// What a relay is called: as this program.
fn own_name() -> Option<String> {
    look::text("/proc/self/comm").ok()
}

fn judge(facts: &Facts) -> Finding {
    let port = facts.port;
    let users = match &facts.users {
        Ok(users) => users,
        Err(why) => return Finding::unknown(NAME, why.to_string()),
    };
    if let Some((address, users)) = users {
        return in_use(*address, users, facts.own.as_deref());
    }
    if u64::from(port) < facts.unprivileged_from && !facts.privileged {
        let found =
            format!("{port} is below {}, and this user has no CAP_NET_BIND_SERVICE", facts.unprivileged_from);
        return Finding::problem(NAME, found)
            .why("The relay does not start.")
            .fix(How::Systemd, "AmbientCapabilities=CAP_NET_BIND_SERVICE")
            .fix(How::Container, "--cap-add NET_BIND_SERVICE")
            .sysctl("net.ipv4.ip_unprivileged_port_start", port)
            .fix(How::Relay, "--port 5000");
    }
    Finding::ok(NAME, format!("{port} is free"))
}

fn in_use(address: SocketAddr, users: &[User], own: Option<&str>) -> Finding {
    let names: Vec<String> =
        users.iter().map(|user| format!("{} (process {})", user.name, user.process)).collect();
    let processes: Vec<i32> = users.iter().map(|user| user.process).collect();
    let is_relay = !users.is_empty() && users.iter().all(|user| Some(user.name.as_str()) == own);
    let finding = if is_relay {
        Finding::info(NAME, format!("{} serves on {address} already; it was left alone", names.join(", ")))
            .why("A second relay on this port would end at once, with exit code 2.")
    } else if users.is_empty() {
        Finding::problem(NAME, format!("{address} is in use by a process that this user may not see"))
            .why("The relay does not start.")
            .fix(How::Now, format!("sudo ss -ulpn 'sport = :{}'", address.port()))
    } else {
        Finding::problem(NAME, format!("{address} is in use by {}", names.join(", ")))
            .why("The relay does not start.")
            .fix(
                How::Now,
                format!(
                    "stop it: kill {}",
                    processes.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
                ),
            )
    };
    finding
        .value("in_use_by", processes)
        .fix(How::Relay, format!("--port {}", address.port().wrapping_add(1).max(1024)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Verdict;

    fn facts(users: Option<&[(&str, i32)]>) -> Facts {
        let user = |(name, process): &(&str, i32)| User { name: (*name).to_owned(), process: *process };
        let users = users.map(|users| ("127.0.0.1:5000".parse().unwrap(), users.iter().map(user).collect()));
        Facts {
            port: 5000,
            users: Ok(users),
            own: Some("relay".into()),
            unprivileged_from: 1024,
            privileged: false,
        }
    }

    #[test]
    fn who_has_the_port() {
        assert_eq!(judge(&facts(None)).verdict, Verdict::Ok);
        let other = judge(&facts(Some(&[("nc", 7)])));
        assert_eq!((other.verdict, other.fixes[0].command.as_str()), (Verdict::Problem, "stop it: kill 7"));
        assert_eq!(other.fixes[1].command, "--port 5001");
        assert_eq!(judge(&facts(Some(&[("relay", 7)]))).verdict, Verdict::Info);
        assert!(judge(&facts(Some(&[]))).found.contains("may not see"));
        let hidden = Facts { users: Err(Unseen("why".into())), ..facts(None) };
        assert_eq!(judge(&hidden).verdict, Verdict::Unknown);
    }

    #[test]
    fn low_ports_take_a_privilege() {
        let low = |privileged| judge(&Facts { port: 80, privileged, ..facts(None) }).verdict;
        assert_eq!((low(false), low(true)), (Verdict::Problem, Verdict::Ok));
        let lowered = Facts { port: 80, unprivileged_from: 80, ..facts(None) };
        assert_eq!(judge(&lowered).verdict, Verdict::Ok);
    }
}
