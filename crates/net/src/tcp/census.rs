//! How many connections come from where.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::bounds::Bounds;
use super::event::NoRoom;

/// Connections by address and by the prefixes that it lies in; what has none takes no memory. The hash is keyed at random.
#[derive(Default)]
pub(super) struct Census {
    counts: HashMap<Prefix, u32>,
    all: usize,
}

/// The first so many bits of an address; the others are zero.
type Prefix = (IpAddr, u8);

impl Census {
    /// Counts one more, unless there is no room for it.
    pub(super) fn enter(&mut self, source: IpAddr, bounds: &Bounds) -> Result<(), NoRoom> {
        if self.all >= bounds.connections {
            return Err(NoRoom::InAll);
        }
        for prefix in prefixes_of(source) {
            let (most, refusal) = bound_of(prefix, bounds);
            if self.counts.get(&prefix).copied().unwrap_or(0) as usize >= most {
                return Err(refusal);
            }
        }
        self.all += 1;
        prefixes_of(source).for_each(|prefix| *self.counts.entry(prefix).or_default() += 1);
        Ok(())
    }

    /// Counts one less.
    pub(super) fn leave(&mut self, source: IpAddr) {
        self.all -= 1;
        for prefix in prefixes_of(source) {
            if let Some(count) = self.counts.get_mut(&prefix) {
                *count -= 1;
                if *count == 0 {
                    self.counts.remove(&prefix);
                }
            }
        }
    }
}

/// Those that have a bound: the address, its /24 or /64, and its /48 of IPv6.
fn prefixes_of(address: IpAddr) -> impl Iterator<Item = Prefix> {
    let lengths: &[u8] = if address.is_ipv4() { &[32, 24] } else { &[128, 64, 48] };
    lengths.iter().map(move |&bits| (first_bits(address, bits), bits))
}

fn first_bits(address: IpAddr, bits: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => Ipv4Addr::from_bits(v4.to_bits() & !(u32::MAX.unbounded_shr(bits.into()))).into(),
        IpAddr::V6(v6) => Ipv6Addr::from_bits(v6.to_bits() & !(u128::MAX.unbounded_shr(bits.into()))).into(),
    }
}

fn bound_of((_, bits): Prefix, bounds: &Bounds) -> (usize, NoRoom) {
    match bits {
        32 | 128 => (bounds.per_address, NoRoom::Address),
        48 => (bounds.per_site, NoRoom::Prefix),
        _ => (bounds.per_prefix, NoRoom::Prefix),
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
        assert_eq!((census.all, census.counts.len()), (0, 0));
    }

    /// Whoever has one address of a /48 can have an address in each of its /64.
    #[test]
    fn a_site_of_ipv6_has_a_part_however_many_prefixes_it_has() {
        let bounds = Bounds { per_address: 2, per_prefix: 2, per_site: 5, ..Bounds::default() };
        let mut census = Census::default();
        let mut enter = |address: String| census.enter(address.parse().unwrap(), &bounds);
        let inside = |prefix: usize| format!("2001:db8:1:{prefix:x}::1");
        assert!((0..5).all(|prefix| enter(inside(prefix)).is_ok()));
        assert_eq!(enter(inside(0xffff)), Err(NoRoom::Prefix));
        assert_eq!(enter("2001:db8:2::1".to_owned()), Ok(()));
        assert!((0..20).all(|prefix| enter(format!("10.0.{prefix}.1")).is_ok()), "IPv4 has no sites");
        (0..5).for_each(|prefix| census.leave(inside(prefix).parse().unwrap()));
        assert_eq!(census.enter(inside(0xffff).parse().unwrap(), &bounds), Ok(()));
    }

    #[test]
    fn nobody_fills_the_relay_from_one_site() {
        let bounds = Bounds::default();
        let mut census = Census::default();
        let let_in = (0..16 * 4 * 256_u128)
            .filter(|number| {
                let (prefix, host) = (number / 1024, number / 256 % 4);
                let source = Ipv6Addr::from_bits(0x2001_0db8 << 96 | prefix << 64 | host);
                census.enter(source.into(), &bounds).is_ok()
            })
            .count();
        assert_eq!(let_in, bounds.connections / 4);
        assert_eq!(census.enter("2001:db8:1::1".parse().unwrap(), &bounds), Ok(()));
    }

    #[test]
    fn prefixes_end_after_their_bits() {
        let of = |address: &str| -> Vec<String> {
            prefixes_of(address.parse().unwrap()).map(|(first, bits)| format!("{first}/{bits}")).collect()
        };
        let v6 = ["2001:db8:1:2:3:4:5:6/128", "2001:db8:1:2::/64", "2001:db8:1::/48"];
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), v6);
        assert_eq!(of("192.0.2.77"), ["192.0.2.77/32", "192.0.2.0/24"]);
    }
}
