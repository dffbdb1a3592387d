//! Does the kernel grant the socket buffers that the relay asks for?

use std::net::{Ipv4Addr, SocketAddr};

use crate::doctor::finding::{Finding, How, size};
use crate::doctor::look::{self, Seen, Unseen};
use crate::doctor::patient::Patient;

/// What was found about one direction.
struct Facts {
    name: &'static str,
    /// The kernel's setting.
    setting: &'static str,
    why: &'static str,
    asked: u64,
    granted: Seen<u64>,
    limit: Seen<u64>,
    net_admin: bool,
}

pub fn check(patient: &Patient<'_>) -> Vec<Finding> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let binding = net::bind(&[address], 1, patient.options());
    let granted = binding
        .map(|binding| (binding.receive_buffer as u64, binding.send_buffer as u64))
        .map_err(|error| Unseen(format!("no socket can be had: {error}")));
    let facts = |name, setting: &'static str, why, asked: usize, granted| Facts {
        name,
        setting,
        why,
        asked: asked as u64,
        granted,
        limit: look::number(&format!("/proc/sys/{}", setting.replace('.', "/"))),
        net_admin: patient.privileges.net_admin(),
    };
    vec![
        judge(&facts(
            "receive-buffer",
            "net.core.rmem_max",
            "A burst that does not fit is dropped by the kernel, even while the processors are idle (relay_kernel_receive_dropped_total).",
            patient.setup.receive_buffer,
            granted.clone().map(|(receive, _)| receive),
        )),
        judge(&facts(
            "send-buffer",
            "net.core.wmem_max",
            "What a slow link does not take at once is dropped sooner (relay_dropped_copies_total, send_buffer_full).",
            patient.setup.send_buffer,
            granted.map(|(_, send)| send),
        )),
    ]
}

fn judge(facts: &Facts) -> Finding {
    let granted = match &facts.granted {
        Ok(granted) => *granted,
        Err(why) => return Finding::unknown(facts.name, why.to_string()),
    };
    let asked = facts.asked;
    let limit = facts.limit.as_ref().ok().copied();
    let low = limit.filter(|limit| *limit < asked);
    let finding = if granted < asked.min(net::MAX_BUFFER as u64) {
        let limit = low.map_or(String::new(), |limit| format!(" ({} is {limit})", facts.setting));
        let found = format!("{} granted of {} asked for{limit}", size(granted), size(asked));
        return values(Finding::warning(facts.name, found).why(facts.why), facts, granted)
            .fix(How::Systemd, "AmbientCapabilities=CAP_NET_ADMIN")
            .fix(
                How::Container,
                "--cap-add NET_ADMIN (if it runs as root there; else the sysctl, on the host)",
            );
    } else if let Some(limit) = low.filter(|_| facts.net_admin) {
        let found = format!(
            "{} granted to this user, who has CAP_NET_ADMIN; others get {} at most",
            size(asked),
            size(limit)
        );
        Finding::info(facts.name, found)
            .why(format!("Matters if the relay runs as another user. {}", facts.why))
    } else {
        Finding::ok(facts.name, format!("{} granted", size(granted)))
    };
    values(finding, facts, granted)
}

fn values(finding: Finding, facts: &Facts, granted: u64) -> Finding {
    let limit = facts.limit.as_ref().ok().copied();
    finding
        .value("asked_bytes", facts.asked)
        .value("granted_bytes", granted)
        .value("limit_bytes", limit)
        .sysctl(facts.setting, facts.asked.max(limit.unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Verdict;

    fn facts(granted: u64, limit: Seen<u64>) -> Facts {
        Facts {
            name: "receive-buffer",
            setting: "net.core.rmem_max",
            why: "why",
            asked: 8 << 20,
            granted: Ok(granted),
            limit,
            net_admin: false,
        }
    }

    #[test]
    fn what_is_not_granted_is_a_warning() {
        let low = judge(&facts(212_992, Ok(212_992)));
        assert_eq!(low.verdict, Verdict::Warning);
        assert_eq!(low.found, "208 KiB granted of 8 MiB asked for (net.core.rmem_max is 212992)");
        assert_eq!(low.fixes[0].command, "sysctl -w net.core.rmem_max=8388608");
        let hidden = judge(&facts(212_992, Err(Unseen("not there".into()))));
        assert_eq!(hidden.found, "208 KiB granted of 8 MiB asked for");
    }

    #[test]
    fn what_only_a_privilege_grants_is_told() {
        assert_eq!(judge(&facts(8 << 20, Ok(16 << 20))).verdict, Verdict::Ok);
        let privileged = judge(&Facts { net_admin: true, ..facts(8 << 20, Ok(212_992)) });
        assert_eq!(privileged.verdict, Verdict::Info);
        assert!(privileged.found.contains("others get 208 KiB"), "{privileged:?}");
        let none = judge(&Facts { granted: Err(Unseen("why".into())), ..facts(0, Ok(0)) });
        assert_eq!(none.verdict, Verdict::Unknown);
    }
}
