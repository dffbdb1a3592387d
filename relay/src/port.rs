//! Binding where a relay was killed: its ring holds the port for a while, although no process has it any more.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Instant;

use net::{BindError, BindErrorKind, Binding, SocketOptions};
use procfs::ProcResult;
use procfs::net::{UdpNetEntry, udp, udp6};
use procfs::process::{FDTarget, Process, all_processes};

use crate::limits::ORPHANED_PORT_PATIENCE;

/// Binds all addresses, and waits longer for a port that nobody has than for one that another process uses.
///
/// # Errors
/// The address that could not be bound.
pub fn bind(addresses: &[SocketAddr], shards: usize, options: SocketOptions) -> Result<Binding, BindError> {
    let start = Instant::now();
    let mut told = false;
    loop {
        let error = match net::bind(addresses, shards, options) {
            Err(error) if error.kind == BindErrorKind::InUse => error,
            result => return result,
        };
        if start.elapsed() > ORPHANED_PORT_PATIENCE || !is_orphaned(error.address).unwrap_or(false) {
            return Err(error);
        }
        if !told {
            tracing::warn!(address = %error.address, "the kernel has not let go of a killed relay's port yet; waiting");
            told = true;
        }
    }
}

/// A process that has a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Its name, as the kernel has it.
    pub name: String,
    /// Its number.
    pub process: i32,
}

/// Who has a socket that is in the way of this address; nothing if there is none, nobody if this user may not know.
pub fn users(address: SocketAddr) -> ProcResult<Option<Vec<User>>> {
    let in_the_way = |entry: &UdpNetEntry| overlap(entry.local_address, address);
    let inodes: BTreeSet<u64> =
        udp()?.into_iter().chain(udp6()?).filter(in_the_way).map(|entry| entry.inode).collect();
    if inodes.is_empty() {
        return Ok(None);
    }
    let user = |process: Process| {
        let mut sockets = process.fd().ok()?.flatten();
        sockets.find(|fd| matches!(fd.target, FDTarget::Socket(inode) if inodes.contains(&inode)))?;
        Some(User { name: process.stat().ok()?.comm, process: process.pid })
    };
    Ok(Some(all_processes()?.flatten().filter_map(user).collect()))
}

/// True if no process has a socket that is in the way. Of other users' sockets only root can know.
fn is_orphaned(address: SocketAddr) -> ProcResult<bool> {
    let in_the_way: Vec<UdpNetEntry> =
        udp()?.into_iter().chain(udp6()?).filter(|entry| overlap(entry.local_address, address)).collect();
    let user = Process::myself()?.uid()?;
    if in_the_way.iter().any(|entry| user != 0 && entry.uid != user) {
        return Ok(false);
    }
    let inodes: BTreeSet<u64> = in_the_way.iter().map(|entry| entry.inode).collect();
    let has_one = |process: Process| {
        // It may end while it is looked at. What a process of this user hides, as one with a privilege does, may be it.
        let Ok(descriptors) = process.fd() else {
            return process.status().is_ok_and(|status| status.euid == user);
        };
        descriptors
            .flatten()
            .any(|fd| matches!(fd.target, FDTarget::Socket(inode) if inodes.contains(&inode)))
    };
    Ok(!all_processes()?.flatten().any(has_one))
}

/// True if a socket at `there` may keep one from being bound to `here`. A wildcard of IPv6 may serve IPv4 too.
fn overlap(there: SocketAddr, here: SocketAddr) -> bool {
    let same_family = there.is_ipv4() == here.is_ipv4();
    let wildcard = there.ip().is_unspecified() && (same_family || there.is_ipv6());
    let same = there.ip() == here.ip() || (same_family && here.ip().is_unspecified());
    there.port() == here.port() && (wildcard || same)
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::*;

    #[test]
    fn what_is_in_the_way() {
        let overlap = |there: &str, here: &str| overlap(there.parse().unwrap(), here.parse().unwrap());
        assert!(overlap("127.0.0.1:5", "127.0.0.1:5") && overlap("0.0.0.0:5", "127.0.0.1:5"));
        assert!(overlap("127.0.0.1:5", "0.0.0.0:5") && overlap("[::1]:5", "[::]:5"));
        assert!(overlap("[::]:5", "127.0.0.1:5") && overlap("[::]:5", "0.0.0.0:5"));
        assert!(!overlap("127.0.0.1:5", "127.0.0.1:6") && !overlap("127.0.0.1:5", "127.0.0.2:5"));
        assert!(!overlap("[::1]:5", "127.0.0.1:5") && !overlap("127.0.0.1:5", "[::]:5"));
    }

    #[test]
    fn a_socket_of_a_process_is_no_orphan() {
        for host in ["127.0.0.1:0", "[::1]:0"] {
            let socket = UdpSocket::bind(host).unwrap();
            assert!(!is_orphaned(socket.local_addr().unwrap()).unwrap(), "{host}");
        }
    }
}
