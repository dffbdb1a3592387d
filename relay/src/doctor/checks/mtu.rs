//! How large a payload may be before the kernel cuts it into fragments.

use crate::doctor::finding::{Finding, How};
use crate::doctor::patient::Patient;

const NAME: &str = "mtu";
/// Of IP and UDP headers, with IPv6.
const HEADERS: u32 = 48;
/// The least that IPv6 allows, and what every path of the internet may be expected to carry.
const LEAST: u32 = 1280;
const ETHERNET: u32 = 1500;

pub fn check(patient: &Patient<'_>) -> Vec<Finding> {
    let judge = |interface: &net::Interface| match interface.mtu() {
        Ok(mtu) => judge(&interface.name, mtu),
        Err(error) => Finding::unknown(NAME, format!("cannot ask for it: {error}")).of(&interface.name),
    };
    let mut findings: Vec<Finding> = patient.interfaces.iter().map(judge).collect();
    let mtus: Vec<(String, u32)> = patient
        .interfaces
        .iter()
        .filter_map(|interface| Some((interface.name.clone(), interface.mtu().ok()?)))
        .collect();
    findings.extend(mismatch(&mtus));
    findings
}

fn judge(interface: &str, mtu: u32) -> Finding {
    let payload = mtu.saturating_sub(HEADERS);
    let found = format!("{mtu} bytes: payloads up to {payload} travel whole");
    let finding = if mtu < LEAST {
        Finding::warning(NAME, found)
            .why("IPv6 does not work at all below 1280, and larger payloads are cut into fragments, of which one lost loses all.")
            .fix(How::Now, format!("ip link set dev {interface} mtu {ETHERNET}"))
            .fix(How::Persistent, format!("MTUBytes={ETHERNET} in the [Link] section of /etc/systemd/network/10-{interface}.link"))
    } else if mtu < ETHERNET {
        Finding::info(NAME, found)
            .why("Usual in tunnels and overlay networks. Larger payloads are cut into fragments, of which one lost loses all.")
            .fix(How::Advice, format!("let clients keep their payloads at {payload} bytes or below"))
    } else if mtu > ETHERNET {
        Finding::info(NAME, found)
            .why("Receivers behind smaller links get large payloads late or not at all where ICMP is filtered.")
            .fix(How::Advice, format!("let clients keep their payloads at {} bytes or below, unless all of them are on this network", ETHERNET - HEADERS))
    } else {
        Finding::ok(NAME, found)
    };
    finding.of(interface).value("bytes", mtu)
}

/// Clients on one interface send what those on another receive only in fragments.
fn mismatch(mtus: &[(String, u32)]) -> Option<Finding> {
    let (large, most) = mtus.iter().max_by_key(|(_, mtu)| *mtu)?;
    let (small, least) = mtus.iter().min_by_key(|(_, mtu)| *mtu)?;
    (most != least).then(|| {
        Finding::info(NAME, format!("{large} carries {most} bytes and {small} {least}"))
            .why("What clients on the one send whole reaches those on the other in fragments.")
            .fix(
                How::Advice,
                format!(
                    "let clients keep their payloads at {} bytes or below",
                    least.saturating_sub(HEADERS)
                ),
            )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Verdict;

    #[test]
    fn as_an_ethernet() {
        let verdict = |mtu| judge("eth0", mtu).verdict;
        assert_eq!(
            [576, 1279, 1280, 1450, 1500, 9000].map(verdict),
            [Verdict::Warning, Verdict::Warning, Verdict::Info, Verdict::Info, Verdict::Ok, Verdict::Info]
        );
        assert_eq!(judge("eth0", 1000).fixes[0].command, "ip link set dev eth0 mtu 1500");
    }

    #[test]
    fn interfaces_that_differ() {
        let mtus = |values: &[u32]| values.iter().map(|mtu| (format!("eth{mtu}"), *mtu)).collect::<Vec<_>>();
        assert_eq!(mismatch(&mtus(&[])), None);
        assert_eq!(mismatch(&mtus(&[1500, 1500])), None);
        assert_eq!(
            mismatch(&mtus(&[1500, 9000])).unwrap().found,
            "eth9000 carries 9000 bytes and eth1500 1500"
        );
    }
}
