//! Does the kernel drop what arrives by another interface than an answer would leave by?

use std::net::IpAddr;

use crate::doctor::finding::{Finding, count};
use crate::doctor::look::{self, Seen};
use crate::doctor::patient::Patient;

const NAME: &str = "rp_filter";
/// Drops what its source is not reached by this very interface.
const STRICT: u64 = 1;

pub fn check(patient: &Patient<'_>) -> Vec<Finding> {
    let setting = |name: &str| look::number(&format!("/proc/sys/net/ipv4/conf/{name}/rp_filter"));
    let has_v4 = |interface: &&net::Interface| interface.addresses.iter().any(IpAddr::is_ipv4);
    // The kernel takes the greater of the two.
    let filters = patient.interfaces.iter().filter(has_v4).map(|interface| {
        let filter = setting("all").and_then(|all| Ok(setting(&interface.name)?.max(all)));
        (interface.name.clone(), filter)
    });
    vec![judge(&filters.collect::<Vec<_>>())]
}

/// Of each interface that serves IPv4.
fn judge(filters: &[(String, Seen<u64>)]) -> Finding {
    let strict: Vec<&str> =
        filters.iter().filter(|(_, filter)| *filter == Ok(STRICT)).map(|(name, _)| name.as_str()).collect();
    if filters.len() < 2 {
        return Finding::ok(NAME, "at most one interface serves IPv4: nothing can arrive by the wrong one");
    }
    if let (true, Some(Err(why))) =
        (strict.is_empty(), filters.iter().map(|(_, filter)| filter).find(|filter| filter.is_err()))
    {
        return Finding::unknown(NAME, why.to_string());
    }
    if strict.is_empty() {
        return Finding::ok(NAME, "not strict on any interface");
    }
    Finding::warning(NAME, format!("strict on {}, with {} that serve", strict.join(", "), count(filters.len() as u64, "interface")))
        .value("strict", strict)
        .why("What a client sends by one interface is dropped in silence if the route back to it leaves by another.")
        .sysctl("net.ipv4.conf.all.rp_filter", 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Verdict;

    #[test]
    fn strict_hurts_only_with_several_interfaces() {
        let filters = |values: &[u64]| {
            values.iter().enumerate().map(|(at, value)| (format!("eth{at}"), Ok(*value))).collect::<Vec<_>>()
        };
        assert_eq!(judge(&filters(&[])).verdict, Verdict::Ok);
        assert_eq!(judge(&filters(&[1])).verdict, Verdict::Ok);
        assert_eq!(judge(&filters(&[2, 0])).verdict, Verdict::Ok);
        let hidden: Vec<(String, Seen<u64>)> =
            vec![("eth0".into(), Ok(0)), ("eth1".into(), Err(look::Unseen("why".into())))];
        assert_eq!(judge(&hidden).verdict, Verdict::Unknown);
        let strict = judge(&filters(&[0, 1]));
        assert_eq!(
            (strict.verdict, strict.found.as_str()),
            (Verdict::Warning, "strict on eth1, with 2 interfaces that serve")
        );
    }
}
