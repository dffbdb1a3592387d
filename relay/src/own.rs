//! Which addresses are the relay's own.

use std::fs::File;
use std::io::ErrorKind;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::unix::fs::FileExt;
use std::sync::LazyLock;

use engine::OwnAddresses;

/// Whether a process may bind to any address, IPv4's and IPv6's: opened while the relay starts, because shards open no file.
static SWITCHES: LazyLock<[Option<File>; 2]> = LazyLock::new(|| {
    ["ipv4", "ipv6"].map(|family| File::open(format!("/proc/sys/net/{family}/ip_nonlocal_bind")).ok())
});

/// The addresses at which a relay that is bound so can be reached. Call it before files are given up.
pub fn own_addresses(bound: &[SocketAddr]) -> OwnAddresses {
    LazyLock::force(&SWITCHES);
    let wildcard = bound.iter().any(|address| address.ip().is_unspecified());
    OwnAddresses {
        bound: bound.to_vec(),
        is_local: wildcard.then_some(is_local),
        // Of networks that come later, or have none, the kernel drops them by rp_filter, and refuses to send to them anyway.
        broadcasts: net::broadcast_addresses().unwrap_or_default(),
    }
}

/// True if this machine answers to the address. The kernel is asked by a bind, which succeeds for whatever it delivers
/// locally: addresses of interfaces, and local routes to whole prefixes.
fn is_local(address: SocketAddr) -> bool {
    let mut any_port = address;
    any_port.set_port(0);
    match UdpSocket::bind(any_port) {
        Ok(_) => !binds_anything(address.ip()) || is_listed(address.ip()),
        // Whatever else keeps the kernel from answering (no descriptors) must not let a loop through.
        Err(error) => error.kind() != ErrorKind::AddrNotAvailable,
    }
}

/// True where an operator has allowed binding to addresses that are not there, so that a bind tells nothing.
fn binds_anything(ip: IpAddr) -> bool {
    let switch = SWITCHES[usize::from(ip.is_ipv6())].as_ref();
    let mut value = [0];
    // Of an open file the kernel tells the present value.
    switch.is_some_and(|file| file.read_exact_at(&mut value, 0).is_ok() && value != *b"0")
}

/// The loopback network is this machine's as a whole, although only one address of it is listed.
fn is_listed(ip: IpAddr) -> bool {
    ip.is_loopback() || net::local_addresses().map_or(true, |list| list.contains(&ip))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(bound: &str, source: &str) -> bool {
        let own = own_addresses(&[bound.parse().unwrap()]);
        own.contains(&engine::ClientAddr::new(source.parse().unwrap()).unwrap())
    }

    #[test]
    fn a_fixed_address_is_just_that() {
        assert!(own("127.0.0.1:5000", "127.0.0.1:5000"));
        assert!(!own("127.0.0.1:5000", "127.0.0.1:5001"));
        assert!(!own("127.0.0.1:5000", "127.0.0.2:5000"));
    }

    #[test]
    fn a_wildcard_is_every_local_address() {
        assert!(own("0.0.0.0:5000", "127.0.0.1:5000") && own("0.0.0.0:5000", "127.9.9.9:5000"));
        assert!(own("[::]:5000", "[::1]:5000"));
        assert!(!own("0.0.0.0:5000", "192.0.2.7:5000"), "documentation addresses are nobody's");
        assert!(!own("0.0.0.0:5000", "127.0.0.1:5001"));
    }
}
