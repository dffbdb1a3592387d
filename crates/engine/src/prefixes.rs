//! Sets of address prefixes, and who may speak to the relay at all.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// A set of prefixes: as it was given, and as sorted disjoint ranges to search. The families are apart: `::/0` holds no
/// IPv4 address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prefixes {
    given: Vec<IpNet>,
    v4: Vec<(Ipv4Addr, Ipv4Addr)>,
    v6: Vec<(Ipv6Addr, Ipv6Addr)>,
}

/// Whose datagrams are taken at all. Members are looked at when they join, and again when this changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// Only who is in one of these,
    pub allow: Prefixes,
    /// and in none of these.
    pub deny: Prefixes,
}

impl Prefixes {
    /// A set; v4-mapped prefixes are IPv4.
    pub fn new(given: impl IntoIterator<Item = IpNet>) -> Self {
        let given: Vec<IpNet> = given.into_iter().map(canonical).collect();
        let v4 = given.iter().filter_map(|net| if let IpNet::V4(v4) = net { Some(*v4) } else { None });
        let v6 = given.iter().filter_map(|net| if let IpNet::V6(v6) = net { Some(*v6) } else { None });
        Self {
            v4: Ipv4Net::aggregate(&v4.collect())
                .iter()
                .map(|net| (net.network(), net.broadcast()))
                .collect(),
            v6: Ipv6Net::aggregate(&v6.collect())
                .iter()
                .map(|net| (net.network(), net.broadcast()))
                .collect(),
            given,
        }
    }

    /// Every address.
    pub fn all() -> Self {
        Self::new([Ipv4Net::default().into(), Ipv6Net::default().into()])
    }

    /// 127.0.0.0/8 and ::1: nobody elsewhere can send from there. What kernels let in with such a source nevertheless is dropped
    /// ([`OwnAddresses::is_no_loopback`](crate::OwnAddresses::is_no_loopback)), and so is the v4-mapped form, which they let in by IPv6
    /// ([`ClientAddr`](crate::ClientAddr)).
    pub fn loopback() -> Self {
        let v4 = Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 8);
        Self::new([v4.into(), IpAddr::from(Ipv6Addr::LOCALHOST).into()])
    }

    /// The prefixes as they were given.
    pub fn given(&self) -> &[IpNet] {
        &self.given
    }

    /// True if one of them holds the address.
    pub fn contains(&self, ip: IpAddr) -> bool {
        match ip.to_canonical() {
            IpAddr::V4(v4) => is_within(&self.v4, &v4),
            IpAddr::V6(v6) => is_within(&self.v6, &v6),
        }
    }
}

impl Access {
    /// True if datagrams from this address are taken.
    pub fn admits(&self, ip: IpAddr) -> bool {
        self.allow.contains(ip) && !self.deny.contains(ip)
    }
}

impl Default for Access {
    fn default() -> Self {
        Self { allow: Prefixes::all(), deny: Prefixes::default() }
    }
}

fn canonical(net: IpNet) -> IpNet {
    let mapped = match net {
        IpNet::V6(v6) => v6.addr().to_ipv4_mapped().zip(v6.prefix_len().checked_sub(96)),
        IpNet::V4(_) => None,
    };
    mapped.and_then(|(ip, length)| Ipv4Net::new(ip, length).ok()).map_or(net, IpNet::V4)
}

fn is_within<T: Ord>(ranges: &[(T, T)], ip: &T) -> bool {
    let after = ranges.partition_point(|(first, _)| first <= ip);
    after > 0 && *ip <= ranges[after - 1].1
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::*;
    use crate::seeded;
    use proptest::prelude::*;

    fn set(text: &str) -> Prefixes {
        Prefixes::new(text.split(' ').filter(|net| !net.is_empty()).map(|net| net.parse().unwrap()))
    }

    fn has(text: &str, ip: &str) -> bool {
        set(text).contains(ip.parse().unwrap())
    }

    #[test]
    fn families_are_apart() {
        assert!(has("::/0", "2001:db8::1") && !has("::/0", "10.0.0.1") && !has("::/0", "::ffff:10.0.0.1"));
        assert!(has("0.0.0.0/0", "::ffff:10.0.0.1") && !has("0.0.0.0/0", "::1"));
        assert!(has("::ffff:10.0.0.0/104", "10.9.9.9") && !has("::ffff:10.0.0.0/104", "11.0.0.0"));
        assert!(Prefixes::all().contains([1, 2, 3, 4].into()) && !set("").contains([1, 2, 3, 4].into()));
    }

    #[test]
    fn loopback_is_both_families_and_no_more() {
        let has = |ip: &str| Prefixes::loopback().contains(ip.parse().unwrap());
        assert!(has("127.0.0.0") && has("127.255.255.255") && has("::1") && has("::ffff:127.0.0.1"));
        assert!(!has("126.255.255.255") && !has("128.0.0.0") && !has("::") && !has("::2"));
    }

    #[test]
    fn what_is_given_is_kept_as_it_was_but_for_its_family() {
        let nets = ["10.0.0.0/8", "10.1.0.0/16", "2001:db8::/32"].map(|net| net.parse().unwrap());
        assert_eq!(Prefixes::new(nets).given(), nets);
        assert_eq!(set("::ffff:10.0.0.0/104").given(), ["10.0.0.0/8".parse::<IpNet>().unwrap()]);
    }

    #[test]
    fn deny_wins() {
        let access = Access { allow: set("10.0.0.0/8 2001:db8::/32"), deny: set("10.1.0.0/16") };
        let admits = |ip: &str| access.admits(ip.parse().unwrap());
        assert!(admits("10.0.255.255") && admits("10.2.0.0") && admits("2001:db8::1"));
        assert!(!admits("10.1.0.0") && !admits("10.1.255.255") && !admits("11.0.0.0") && !admits("::1"));
    }

    proptest! {
        #![proptest_config(seeded::config())]

        /// Few bits, so that prefixes meet, hold each other and are adjacent.
        #[test]
        fn a_set_holds_what_one_of_its_prefixes_holds(nets in proptest::collection::vec((0u32..256, 24u8..=32), 0..12), probes in proptest::collection::vec(0u32..300, 1..40)) {
            let nets: Vec<IpNet> = nets.into_iter().map(|(ip, length)| Ipv4Net::new(ip.into(), length).unwrap().trunc().into()).collect();
            let wide = |net: &IpNet| match net {
                IpNet::V4(v4) => IpNet::from(Ipv6Net::new(Ipv6Addr::from(u128::from(u32::from(v4.addr()))), v4.prefix_len() + 96).unwrap()),
                IpNet::V6(_) => *net,
            };
            let (narrow, wide) = (Prefixes::new(nets.clone()), Prefixes::new(nets.iter().map(wide)));
            for probe in probes {
                let ip = Ipv4Addr::from(probe);
                let expected = nets.iter().any(|net| net.contains(&IpAddr::from(ip)));
                prop_assert_eq!(narrow.contains(ip.into()), expected);
                prop_assert_eq!(wide.contains(Ipv6Addr::from(u128::from(probe)).into()), expected);
            }
        }
    }
}
