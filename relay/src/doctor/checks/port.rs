//! Is the port free, and may this user have it? Nothing is bound to it: /proc tells.

use std::net::SocketAddr;

use super::holder::{self, Holder, Kind};
use crate::doctor::finding::{Finding, How};
use crate::doctor::look::{self, Seen};
use crate::doctor::patient::Patient;
use crate::port::Protocol;

const NAME: &str = "port";
/// Where the kernel does not say otherwise.
const UNPRIVILEGED: u64 = 1024;

/// What was found.
struct Facts {
    port: u16,
    /// Of the first address that somebody uses.
    holder: Seen<Option<Holder>>,
    unprivileged_from: u64,
    privileged: bool,
}

pub fn check(patient: &Patient<'_>) -> Vec<Finding> {
    let port = patient.setup.port;
    if port == 0 {
        return vec![Finding::ok(NAME, "the kernel chooses a free one")];
    }
    vec![judge(&Facts {
        port,
        holder: holder(patient),
        unprivileged_from: unprivileged_from(),
        privileged: patient.privileges.bind_low_ports(),
    })]
}

/// Of the first address that somebody uses.
pub fn holder(patient: &Patient<'_>) -> Seen<Option<Holder>> {
    for host in &patient.setup.hosts {
        let holder = holder::of(Protocol::Udp, SocketAddr::new(*host, patient.setup.port))?;
        if holder.is_some() {
            return Ok(holder);
        }
    }
    Ok(None)
}

/// Ports below it take a privilege.
pub fn unprivileged_from() -> u64 {
    look::number("/proc/sys/net/ipv4/ip_unprivileged_port_start").unwrap_or(UNPRIVILEGED)
}

fn judge(facts: &Facts) -> Finding {
    let port = facts.port;
    match &facts.holder {
        Ok(Some(holder)) => return in_use(holder),
        Ok(None) => {}
        Err(why) => return Finding::unknown(NAME, why.to_string()),
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

fn in_use(holder: &Holder) -> Finding {
    const SECOND: &str = "A second relay on this port would end at once, with exit code 2.";
    let finding = match holder.kind {
        Kind::Relay | Kind::HiddenRelay => Finding::info(NAME, holder.found()).why(SECOND),
        Kind::Manager => Finding::info(NAME, holder.found())
            .why("The relay serves from it when systemd starts it; one that is started otherwise ends at once, with exit code 2."),
        Kind::Hidden => Finding::problem(NAME, holder.found())
            .why("If it is not the relay's, the relay does not start; run this as root to know."),
        Kind::Other => Finding::problem(NAME, holder.found()).why("The relay does not start."),
    };
    holder
        .remedy(finding)
        .value("in_use_by", holder.processes())
        .fix(How::Relay, format!("--port {}", holder.address.port().wrapping_add(1).max(1024)))
}

#[cfg(test)]
mod tests {
    use super::super::holder::tests::holder;
    use super::*;
    use crate::doctor::finding::Verdict;
    use crate::doctor::look::Unseen;

    fn facts(holder: Option<Holder>) -> Facts {
        Facts { port: 5000, holder: Ok(holder), unprivileged_from: 1024, privileged: false }
    }

    #[test]
    fn who_has_the_port() {
        assert_eq!(judge(&facts(None)).verdict, Verdict::Ok);
        let judge_seen = |seen: &[(&str, i32)]| judge(&facts(Some(holder(seen, &[]))));
        let other = judge_seen(&[("nc", 7)]);
        assert_eq!((other.verdict, other.fixes[0].command.as_str()), (Verdict::Problem, "kill 7"));
        assert_eq!(other.fixes[1].command, "--port 5001");
        assert_eq!(judge_seen(&[("relay", 7)]).verdict, Verdict::Info);
        assert_eq!(judge_seen(&[("systemd", 1)]).verdict, Verdict::Info);
        assert_eq!(judge_seen(&[("systemd", 1), ("relay", 7)]).verdict, Verdict::Info);
        let unseen = judge_seen(&[]);
        assert_eq!(unseen.verdict, Verdict::Problem);
        assert!(unseen.found.contains("may not see, perhaps the relay itself"), "{unseen:?}");
        assert_eq!(judge(&facts(Some(holder(&[], &[("relay", 7)])))).verdict, Verdict::Info);
        let hidden = Facts { holder: Err(Unseen("why".into())), ..facts(None) };
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
