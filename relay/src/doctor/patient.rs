//! The relay that would run here: what it was asked for, and what it would find.

use std::io;
use std::net::IpAddr;

use net::{Interface, SocketOptions};
use procfs::process::Process;

use crate::config::Setup;

/// The relay that would run here.
pub struct Patient<'a> {
    /// What it would run with.
    pub setup: &'a Setup,
    /// Its shards.
    pub shards: usize,
    /// The processors that it may use.
    pub cpus: Vec<usize>,
    /// What it may do.
    pub privileges: Privileges,
    /// The interfaces, other than loopback, that clients reach it by.
    pub interfaces: Vec<Interface>,
}

impl<'a> Patient<'a> {
    /// # Errors
    /// Processors or interfaces could not be listed.
    pub fn new(setup: &'a Setup) -> io::Result<Self> {
        let interfaces =
            net::interfaces()?.into_iter().filter(|interface| serves(&setup.hosts, interface)).collect();
        let privileges = Privileges::of_this_process();
        Ok(Self { setup, shards: setup.shards.here(), cpus: net::available_cpus()?, privileges, interfaces })
    }

    /// True if nobody outside this machine can reach it.
    pub fn is_local_only(&self) -> bool {
        self.setup.hosts.iter().all(IpAddr::is_loopback)
    }

    /// What it asks of each socket.
    pub fn options(&self) -> SocketOptions {
        SocketOptions {
            receive_buffer: self.setup.receive_buffer,
            send_buffer: self.setup.send_buffer,
            report_queue_drops: true,
            ..SocketOptions::default()
        }
    }

    /// Its sockets.
    pub fn sockets(&self) -> usize {
        self.shards * self.setup.hosts.len()
    }
}

/// True if an address to serve on is reached by this interface.
fn serves(hosts: &[IpAddr], interface: &Interface) -> bool {
    let reaches = |own: &IpAddr| {
        hosts.iter().any(|host| {
            host == own || host.is_unspecified() && host.is_ipv4() == own.is_ipv4() && !is_link_local(own)
        })
    };
    interface.is_up && !interface.is_loopback && interface.addresses.iter().any(reaches)
}

fn is_link_local(ip: &IpAddr) -> bool {
    matches!(ip, IpAddr::V6(v6) if v6.is_unicast_link_local())
}

/// Effective user and capabilities.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Privileges {
    /// The user.
    pub user: u32,
    /// Nothing if /proc does not tell: then root has all, and others have none.
    capabilities: Option<u64>,
}

impl Privileges {
    const NET_BIND_SERVICE: u32 = 10;
    const NET_ADMIN: u32 = 12;
    const SYS_ADMIN: u32 = 21;

    fn of_this_process() -> Self {
        let status = Process::myself().and_then(|own| own.status());
        Self { user: net::effective_user(), capabilities: status.ok().map(|status| status.capeff) }
    }

    /// CAP_NET_ADMIN: buffers beyond the limits.
    pub fn net_admin(self) -> bool {
        self.has(Self::NET_ADMIN)
    }

    /// CAP_NET_BIND_SERVICE: low ports.
    pub fn bind_low_ports(self) -> bool {
        self.has(Self::NET_BIND_SERVICE)
    }

    /// CAP_SYS_ADMIN: io_uring where it is restricted.
    pub fn sys_admin(self) -> bool {
        self.has(Self::SYS_ADMIN)
    }

    fn has(self, capability: u32) -> bool {
        self.capabilities.map_or(self.user == 0, |all| all >> capability & 1 == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_serves() {
        let interface = |addresses: &[&str]| Interface {
            name: "eth0".into(),
            index: 2,
            is_loopback: false,
            is_up: true,
            addresses: addresses.iter().map(|address| address.parse().unwrap()).collect(),
        };
        let serves = |hosts: &[&str], addresses: &[&str]| {
            let hosts: Vec<IpAddr> = hosts.iter().map(|host| host.parse().unwrap()).collect();
            serves(&hosts, &interface(addresses))
        };
        assert!(serves(&["0.0.0.0"], &["10.0.0.1"]) && serves(&["10.0.0.1"], &["10.0.0.1"]));
        assert!(serves(&["0.0.0.0", "::"], &["2001:db8::1"]));
        assert!(!serves(&["0.0.0.0"], &["2001:db8::1"]) && !serves(&["10.0.0.2"], &["10.0.0.1"]));
        assert!(!serves(&["::"], &["fe80::1"]) && !serves(&["127.0.0.1"], &["10.0.0.1"]));
        let down = Interface { is_up: false, ..interface(&["10.0.0.1"]) };
        assert!(!super::serves(&["0.0.0.0".parse().unwrap()], &down));
    }

    #[test]
    fn capabilities_are_bits() {
        let some = Privileges { user: 5, capabilities: Some(1 << 12) };
        assert!(some.net_admin() && !some.bind_low_ports() && !some.sys_admin());
        let hidden = |user| Privileges { user, capabilities: None };
        assert!(hidden(0).bind_low_ports() && !hidden(5).bind_low_ports());
        assert_eq!(Privileges::of_this_process().user, net::effective_user());
    }
}
