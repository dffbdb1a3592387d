//! Does the network card spread datagrams over the processors, and does it take segmented sends?

use std::fs;
use std::net::IpAddr;

use net::{Interface, ReceiveHash};

use crate::doctor::finding::{Finding, How, count};
use crate::doctor::link::Link;
use crate::doctor::look;
use crate::doctor::patient::Patient;

const NAME: &str = "network-card";
/// With fewer processors one queue is no narrow place: one processor receives, the other serves.
const MANY: usize = 4;

/// What was found about one interface.
struct Facts {
    name: String,
    link: Link,
    cpus: usize,
    queues: Option<u64>,
    /// That the card has.
    most: u64,
    /// True if other processors than the interrupted one handle what arrives.
    steered: bool,
    /// For each family that it serves: its name for `ethtool`, and the hash if the driver tells.
    hashes: Vec<(&'static str, Option<ReceiveHash>)>,
    /// It writes checksums.
    sums_up: Option<bool>,
}

pub fn check(patient: &Patient<'_>) -> Vec<Finding> {
    patient.interfaces.iter().flat_map(|interface| judge(&look(interface, patient.cpus.len()))).collect()
}

fn look(interface: &Interface, cpus: usize) -> Facts {
    let folder = format!("/sys/class/net/{}", interface.name);
    // The file system may be another namespace's.
    let own =
        look::number(&format!("{folder}/ifindex")).is_ok_and(|index| index == u64::from(interface.index));
    let queues: Vec<_> = fs::read_dir(format!("{folder}/queues"))
        .into_iter()
        .flatten()
        .flatten()
        .filter(|queue| own && queue.file_name().to_string_lossy().starts_with("rx-"))
        .map(|queue| queue.path())
        .collect();
    let steers = |mask: String| mask.chars().any(|c| !matches!(c, '0' | ','));
    let steered =
        queues.iter().any(|queue| look::text(&queue.join("rps_cpus").to_string_lossy()).is_ok_and(steers));
    let counted = (!queues.is_empty()).then_some(queues.len() as u64);
    let told = interface.receive_queues().ok();
    let families = [("udp4", false), ("udp6", true)];
    let served = families.into_iter().filter(|(_, v6)| interface.addresses.iter().any(|ip| is_of(ip, *v6)));
    Facts {
        name: interface.name.clone(),
        link: Link::of(interface),
        cpus,
        queues: told.map(|(used, _)| u64::from(used)).filter(|queues| *queues > 0).or(counted),
        most: told.map_or(1, |(_, most)| most.into()),
        steered,
        hashes: served.map(|(name, v6)| (name, interface.receive_hash(v6).ok())).collect(),
        sums_up: interface.sums_up().ok(),
    }
}

fn is_of(ip: &IpAddr, v6: bool) -> bool {
    match ip {
        IpAddr::V4(_) => !v6,
        IpAddr::V6(ip) => v6 && !ip.is_unicast_link_local(),
    }
}

fn judge(facts: &Facts) -> Vec<Finding> {
    if let Some(finding) = linked(&facts.link) {
        return vec![finding.of(&facts.name)];
    }
    let mut findings = vec![spread(facts).of(&facts.name)];
    if facts.sums_up == Some(false) {
        findings.push(
            Finding::warning(NAME, "does not write checksums")
                .of(&facts.name)
                .why("Then segmented sends are refused, or cut by the processor: each copy costs the whole path.")
                .fix(How::Now, format!("ethtool -K {} tx on", facts.name)),
        );
    }
    findings
}

/// Of what is no card.
fn linked(link: &Link) -> Option<Finding> {
    Some(match link {
        Link::Card => return None,
        Link::Elsewhere => {
            Finding::info(NAME, "a virtual link to another namespace: the card itself is seen on the host")
                .why("What a card does with datagrams is decided, and can be changed, where it is.")
                .fix(How::Advice, "run `relay doctor --host 0.0.0.0,::` on the host, too")
        }
        Link::Pair(other) => {
            Finding::ok(NAME, format!("no card, but one of a pair; the other, {other}, is in this namespace"))
        }
        Link::Upon(lower) => Finding::info(NAME, format!("no card itself: it lies on {lower}"))
            .why("What a card does with datagrams is decided, and can be changed, there.")
            .fix(How::Now, format!("ethtool -l {lower}; ethtool -n {lower} rx-flow-hash udp4")),
    })
}

fn spread(facts: &Facts) -> Finding {
    let name = &facts.name;
    let Some(queues) = facts.queues else {
        return Finding::unknown(NAME, "its driver does not tell how many receive queues it has");
    };
    let by_address: Vec<&str> = facts
        .hashes
        .iter()
        .filter(|(_, hash)| hash.is_some_and(|hash| !hash.ports))
        .map(|(family, _)| *family)
        .collect();
    let told = facts.hashes.iter().any(|(_, hash)| hash.is_some());
    let found = count(queues, "receive queue");
    let finding = if queues == 1 && facts.cpus > 1 && !facts.steered {
        let found = format!("{found} for {}", count(facts.cpus as u64, "processor"));
        let verdict = if facts.cpus >= MANY { Finding::warning } else { Finding::info };
        let finding = verdict(NAME, found)
            .why("One processor takes everything from the card, for all shards, and is full first.");
        widen(finding, facts)
    } else if queues > 1 && !by_address.is_empty() {
        let finding = Finding::warning(NAME, format!("{found}, chosen by addresses alone ({})", by_address.join(", ")))
            .why("All clients behind one address (a network's NAT, a load balancer, a test machine) share one queue and one processor.");
        by_address.iter().fold(finding, |finding, family| {
            let rule = format!("ethtool -N {name} rx-flow-hash {family} sdfn");
            let persistent = at_boot(name, &rule);
            finding.fix(How::Now, rule).fix(How::Persistent, persistent)
        })
    } else {
        let hash = match (queues, told) {
            (1, _) if facts.steered => ", steered to several processors",
            (1, _) => "",
            (_, true) => ", chosen by addresses and ports",
            (_, false) => "; its driver does not tell how they are chosen",
        };
        Finding::ok(NAME, format!("{found}{hash}"))
    };
    finding.value("queues", queues).value("steered", facts.steered)
}

/// More queues if the card has them, else the kernel passes on what the one queue brings.
fn widen(finding: Finding, facts: &Facts) -> Finding {
    let name = &facts.name;
    if facts.most > 1 {
        let rule = format!("ethtool -L {name} combined {}", facts.most.min(facts.cpus as u64));
        let persistent = at_boot(name, &rule);
        return finding.fix(How::Now, rule).fix(How::Persistent, persistent);
    }
    let mask = mask(facts.cpus);
    let file = format!("/sys/class/net/{name}/queues/rx-0/rps_cpus");
    finding
        .fix(How::Now, format!("echo {mask} > {file}"))
        .fix(How::Persistent, format!("echo 'w {file} - - - - {mask}' > /etc/tmpfiles.d/relay-rps.conf"))
}

/// Does it again whenever the interface comes.
fn at_boot(interface: &str, command: &str) -> String {
    let rule =
        format!("ACTION==\"add\", SUBSYSTEM==\"net\", KERNEL==\"{interface}\", RUN+=\"/usr/sbin/{command}\"");
    format!("echo '{rule}' >> /etc/udev/rules.d/90-relay.rules")
}

/// All processors but those beyond 63, in the form of the kernel's masks: groups of 32 bits.
fn mask(cpus: usize) -> String {
    let bits = if cpus >= 64 { u64::MAX } else { (1 << cpus) - 1 };
    if bits >> 32 == 0 { format!("{bits:x}") } else { format!("{:x},{:08x}", bits >> 32, bits as u32) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Verdict;

    fn facts(cpus: usize, queues: u64, ports: bool) -> Facts {
        Facts {
            name: "eth0".into(),
            link: Link::Card,
            cpus,
            queues: Some(queues),
            most: queues,
            steered: false,
            hashes: vec![("udp4", Some(ReceiveHash { addresses: true, ports })), ("udp6", None)],
            sums_up: Some(true),
        }
    }

    #[test]
    fn ports_should_choose_the_queue() {
        assert_eq!(spread(&facts(8, 8, true)).verdict, Verdict::Ok);
        let narrow = spread(&facts(8, 8, false));
        assert_eq!(narrow.verdict, Verdict::Warning);
        assert_eq!(narrow.fixes[0].command, "ethtool -N eth0 rx-flow-hash udp4 sdfn");
        assert_eq!(narrow.fixes.len(), 2, "udp6 does not tell");
        let silent = Facts { hashes: vec![("udp4", None)], ..facts(8, 8, true) };
        assert!(spread(&silent).found.contains("does not tell"));
    }

    #[test]
    fn one_queue_is_narrow_where_processors_are_many() {
        assert_eq!(spread(&facts(1, 1, false)).verdict, Verdict::Ok);
        assert_eq!(spread(&facts(2, 1, false)).verdict, Verdict::Info);
        let one = spread(&facts(8, 1, false));
        assert_eq!(one.fixes[0].command, "echo ff > /sys/class/net/eth0/queues/rx-0/rps_cpus");
        assert_eq!(one.verdict, Verdict::Warning);
        let more = spread(&Facts { most: 4, ..facts(8, 1, false) });
        assert_eq!(more.fixes[0].command, "ethtool -L eth0 combined 4");
        assert_eq!(spread(&Facts { steered: true, ..facts(8, 1, false) }).verdict, Verdict::Ok);
        assert_eq!(spread(&Facts { queues: None, ..facts(8, 1, false) }).verdict, Verdict::Unknown);
    }

    #[test]
    fn a_virtual_link_is_no_card() {
        let findings = judge(&Facts { link: Link::Elsewhere, ..facts(8, 1, false) });
        assert_eq!((findings.len(), findings[0].verdict), (1, Verdict::Info));
        assert!(findings[0].found.contains("on the host"), "{findings:?}");
        let pair = judge(&Facts { link: Link::Pair("vb".into()), ..facts(8, 1, false) });
        assert_eq!((pair.len(), pair[0].verdict), (1, Verdict::Ok));
        assert!(!pair[0].found.contains("another namespace"), "{pair:?}");
        let vlan = judge(&Facts { link: Link::Upon("eth0".into()), ..facts(8, 1, false) });
        assert_eq!(vlan[0].found, "no card itself: it lies on eth0");
    }

    #[test]
    fn segmented_sends_need_checksums() {
        assert_eq!(judge(&facts(8, 8, true)).len(), 1);
        let findings = judge(&Facts { sums_up: Some(false), ..facts(8, 8, true) });
        assert_eq!(findings[1].fixes[0].command, "ethtool -K eth0 tx on");
    }

    #[test]
    fn masks_are_written_as_the_kernel_reads_them() {
        assert_eq!(
            [1, 2, 32, 40, 64, 96].map(mask),
            ["1", "3", "ffffffff", "ff,ffffffff", "ffffffff,ffffffff", "ffffffff,ffffffff"]
        );
    }
}
