//! How many connections come from where.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::bounds::Bounds;
use super::event::NoRoom;

/// Connections by address and by prefix; an address or a prefix without any takes no memory. The hash is keyed at random.
#[derive(Default)]
pub(super) struct Census {
    addresses: HashMap<IpAddr, u32>,
    prefixes: HashMap<IpAddr, u32>,
    all: usize,
}

impl Census {
    /// Counts one more, unless there is no room for it.
    pub(super) fn enter(&mut self, source: IpAddr, bounds: &Bounds) -> Result<(), NoRoom> {
        let prefix = prefix_of(source);
        let has = |count: Option<&u32>, most: usize| count.copied().unwrap_or(0) as usize >= most;
        if self.all >= bounds.connections {
            Err(NoRoom::InAll)
        } else if has(self.addresses.get(&source), bounds.per_address) {
            Err(NoRoom::Address)
        } else if has(self.prefixes.get(&prefix), bounds.per_prefix) {
            Err(NoRoom::Prefix)
        } else {
            self.all += 1;
            *self.addresses.entry(source).or_default() += 1;
            *self.prefixes.entry(prefix).or_default() += 1;
            Ok(())
        }
    }

    /// Counts one less.
    pub(super) fn leave(&mut self, source: IpAddr) {
        self.all -= 1;
        take_one(&mut self.addresses, source);
        take_one(&mut self.prefixes, prefix_of(source));
    }
}

fn take_one(counts: &mut HashMap<IpAddr, u32>, key: IpAddr) {
    if let Some(count) = counts.get_mut(&key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(&key);
        }
    }
}

/// The /24 or the /64.
fn prefix_of(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(v4) => Ipv4Addr::from_bits(v4.to_bits() & !0xff).into(),
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64).into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_bound_holds_and_leaves_nothing_behind() {
        let bounds = Bounds { connections: 6, per_address: 2, per_prefix: 3, ..Bounds::default() };
        let mut census = Census::default();
        let mut enter = |address: &str| census.enter(address.parse().unwrap(), &bounds);
        assert_eq!([enter("10.0.0.1"), enter("10.0.0.1")], [Ok(()); 2]);
        assert_eq!(enter("10.0.0.1"), Err(NoRoom::Address));
        assert_eq!(enter("10.0.0.255"), Ok(()));
        assert_eq!(enter("10.0.0.7"), Err(NoRoom::Prefix));
        assert_eq!([enter("2001:db8::1"), enter("2001:db8::2"), enter("2001:db8:0:0:1::1")], [Ok(()); 3]);
        assert_eq!(enter("2001:db8:0:1::1"), Err(NoRoom::InAll));
        let inside =
            ["10.0.0.1", "10.0.0.1", "10.0.0.255", "2001:db8::1", "2001:db8::2", "2001:db8:0:0:1::1"];
        inside.iter().for_each(|address| census.leave(address.parse().unwrap()));
        assert_eq!((census.all, census.addresses.len(), census.prefixes.len()), (0, 0, 0));
    }

    #[test]
    fn a_prefix_of_ipv6_ends_after_64_bits() {
        assert_eq!(
            prefix_of("2001:db8:1:2:3:4:5:6".parse().unwrap()),
            "2001:db8:1:2::".parse::<IpAddr>().unwrap()
        );
        assert_eq!(prefix_of("192.0.2.77".parse().unwrap()), "192.0.2.0".parse::<IpAddr>().unwrap());
    }
}
