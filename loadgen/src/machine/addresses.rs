//! Which addresses a network namespace has, from the routing tables in its /proc: local routes to whole prefixes count.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// In the flags of a route: packets for it are delivered here.
const RTF_LOCAL: u32 = 0x8000_0000;

/// The prefixes that are local to the namespace of this process; none where they cannot be read.
pub fn local(pid: i32) -> Vec<IpNet> {
    let read = |table: &str| fs::read_to_string(format!("/proc/{pid}/net/{table}")).unwrap_or_default();
    let four = local_v4(&read("fib_trie")).into_iter().map(IpNet::V4);
    four.chain(read("ipv6_route").lines().filter_map(local_v6).map(IpNet::V6)).collect()
}

/// True if one of the prefixes has this address.
pub fn have(prefixes: &[IpNet], address: IpAddr) -> bool {
    prefixes.iter().any(|prefix| prefix.contains(&address))
}

/// A leaf of the tree is `|-- ADDRESS`, and below it `/LENGTH SCOPE TYPE` for each of its routes.
fn local_v4(tree: &str) -> Vec<Ipv4Net> {
    let (mut leaf, mut found) = (None, Vec::new());
    for line in tree.lines().map(str::trim) {
        if let Some(address) = line.strip_prefix("|-- ") {
            leaf = address.parse::<Ipv4Addr>().ok();
        } else if line.ends_with(" LOCAL") {
            let length = line.strip_prefix('/').and_then(|rest| rest.split(' ').next()?.parse().ok());
            found.extend(leaf.zip(length).and_then(|(address, length)| Ipv4Net::new(address, length).ok()));
        }
    }
    found
}

/// A line is destination, its length, source, its length, next hop, metric, two counters, flags and device, in hex.
fn local_v6(line: &str) -> Option<Ipv6Net> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [destination, length, .., flags, _] = words[..] else { return None };
    let is_local = u32::from_str_radix(flags, 16).ok()? & RTF_LOCAL != 0;
    let address = Ipv6Addr::from_bits(u128::from_str_radix(destination, 16).ok()?);
    let prefix = Ipv6Net::new(address, u8::from_str_radix(length, 16).ok()?).ok()?;
    is_local.then_some(prefix)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TREE: &str = "\
Main:
  +-- 0.0.0.0/0 3 0 5
     |-- 0.0.0.0
        /0 universe UNICAST
     +-- 10.1.0.0/16 2 0 2
        |-- 10.1.0.0
           /16 link UNICAST
Local:
  +-- 0.0.0.0/0 3 0 5
     |-- 10.1.0.7
        /32 host LOCAL
     |-- 10.1.255.255
        /32 link BROADCAST
     +-- 127.0.0.0/8 2 0 2
        |-- 127.0.0.0
           /8 host LOCAL
";

    #[test]
    fn local_routes_and_no_others() {
        let prefixes: Vec<IpNet> = local_v4(TREE).into_iter().map(IpNet::V4).collect();
        let have = |address: &str| have(&prefixes, address.parse().unwrap());
        assert!(have("10.1.0.7") && have("127.5.6.7"));
        assert!(!have("10.1.0.8") && !have("10.1.255.255") && !have("::1") && !have("8.8.8.8"));
    }

    #[test]
    fn local_routes_of_ipv6() {
        let one = "00000000000000000000000000000001 80 00000000000000000000000000000000 00 \
                   00000000000000000000000000000000 00000000 00000002 00000000 80200001       lo";
        assert_eq!(local_v6(one), Some("::1/128".parse().unwrap()));
        assert_eq!(local_v6(&one.replace("80200001", "00000001")), None);
        assert_eq!(local_v6("garbage"), None);
        assert_eq!(local_v6(&one.replace(" 80 ", " ff ")), None);
    }

    #[test]
    fn this_process_has_loopback() {
        let prefixes = local(std::process::id() as i32);
        assert!(have(&prefixes, "127.0.0.1".parse().unwrap()), "{prefixes:?}");
        assert!(!have(&prefixes, "192.0.2.1".parse().unwrap()), "{prefixes:?}");
    }
}
