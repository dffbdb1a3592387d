//! Binding where a relay was killed: its ring holds the port for a while, although no process has it any more.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Instant;

use net::{BindError, BindErrorKind, Binding, SocketOptions};
use procfs::ProcResult;
use procfs::net::{TcpState, UdpNetEntry, tcp, tcp6, udp, udp6};
use procfs::process::{FDTarget, Process, all_processes};

use crate::limits::ORPHANED_PORT_PATIENCE;

/// Binds all addresses, and waits longer for a port that nobody has than for one that another process uses.
///
/// # Errors
/// The address that could not be bound.
pub fn bind(addresses: &[SocketAddr], shards: usize, options: SocketOptions) -> Result<Binding, BindError> {
    let start = Instant::now();
    let mut looks = 0;
    loop {
        let error = match net::bind(addresses, shards, options) {
            Err(error) if error.kind == BindErrorKind::InUse => error,
            result => return result,
        };
        if start.elapsed() > ORPHANED_PORT_PATIENCE || !is_orphaned(error.address).unwrap_or(false) {
            return Err(error);
        }
        // /proc is no snapshot: sockets that come and go can hide one from a look, hardly from two.
        looks += 1;
        if looks == 2 {
            tracing::warn!(address = %error.address, "the kernel has not let go of a killed relay's port yet; waiting");
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

/// Of what protocol a socket is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// The clients'.
    Udp,
    /// The scrapes'; only sockets that listen are in the way.
    Tcp,
}

/// Who has an address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Users {
    /// Those who have a socket that is in the way.
    pub seen: Vec<User>,
    /// Where nobody is seen: those of the sockets' owners whose sockets this user may not see.
    pub hidden: Vec<User>,
}

/// Who has a socket that is in the way of this address; nothing if there is none.
///
/// # Errors
/// /proc cannot be read.
pub fn users(protocol: Protocol, address: SocketAddr) -> ProcResult<Option<Users>> {
    let sockets = in_the_way(protocol, address)?;
    if sockets.is_empty() {
        return Ok(None);
    }
    let named =
        |process: &Process| process.stat().ok().map(|stat| User { name: stat.comm, process: process.pid });
    let mut users = Users::default();
    for process in all_processes()?.flatten() {
        match process.fd() {
            Ok(mut open) => {
                let has_one = open.any(|fd| {
                    fd.is_ok_and(
                        |fd| matches!(fd.target, FDTarget::Socket(inode) if sockets.contains_key(&inode)),
                    )
                });
                users.seen.extend(has_one.then(|| named(&process)).flatten());
            }
            Err(_) => {
                let owner = process.status().map_or(0, |status| status.euid);
                let may = sockets.values().any(|uid| *uid == owner);
                users.hidden.extend(may.then(|| named(&process)).flatten());
            }
        }
    }
    if !users.seen.is_empty() {
        users.hidden.clear();
    }
    Ok(Some(users))
}

/// The inodes of the sockets, and whose they are.
fn in_the_way(protocol: Protocol, address: SocketAddr) -> ProcResult<BTreeMap<u64, u32>> {
    let all: Vec<(SocketAddr, u64, u32)> = match protocol {
        Protocol::Udp => udp()?
            .into_iter()
            .chain(udp6()?)
            .map(|entry| (entry.local_address, entry.inode, entry.uid))
            .collect(),
        Protocol::Tcp => tcp()?
            .into_iter()
            .chain(tcp6()?)
            .filter(|entry| entry.state == TcpState::Listen)
            .map(|entry| (entry.local_address, entry.inode, entry.uid))
            .collect(),
    };
    let sockets = all.into_iter().filter(|(there, ..)| overlap(*there, address));
    Ok(sockets.map(|(_, inode, uid)| (inode, uid)).collect())
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
