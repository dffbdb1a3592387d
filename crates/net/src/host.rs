//! What this machine offers: its addresses, its processors and its descriptors.

use std::io;
use std::net::{IpAddr, Ipv4Addr};
use std::num::NonZeroUsize;
use std::thread;

use nix::ifaddrs::{InterfaceAddress, getifaddrs};
use nix::net::if_::InterfaceFlags;
use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::socket::SockaddrStorage;
use nix::unistd::Pid;

/// Every address of every interface, sorted, each once.
///
/// # Errors
/// What `getifaddrs` answers.
pub fn local_addresses() -> io::Result<Vec<IpAddr>> {
    let mut addresses: Vec<IpAddr> =
        getifaddrs()?.filter_map(|interface| interface.address.as_ref().and_then(ip_of)).collect();
    addresses.sort_unstable();
    addresses.dedup();
    Ok(addresses)
}

/// The broadcast address of every network that an interface is in.
///
/// # Errors
/// What `getifaddrs` answers.
pub fn broadcast_addresses() -> io::Result<Vec<Ipv4Addr>> {
    let is_broadcast = |entry: &InterfaceAddress| entry.flags.contains(InterfaceFlags::IFF_BROADCAST);
    Ok(getifaddrs()?.filter(is_broadcast).filter_map(|entry| broadcast_of(&entry)).collect())
}

/// Where a network was given none, the C library puts the interface's own address in its place, or the peer's of a
/// point-to-point address, which is a host like any other.
fn broadcast_of(entry: &InterfaceAddress) -> Option<Ipv4Addr> {
    let v4 = |address: &Option<SockaddrStorage>| Some(address.as_ref()?.as_sockaddr_in()?.ip());
    let (own, mask, broadcast) = (v4(&entry.address)?, v4(&entry.netmask)?, v4(&entry.broadcast)?);
    let is_peer = mask.to_bits() == u32::MAX;
    (broadcast != own && !is_peer).then_some(broadcast)
}

pub(crate) fn ip_of(address: &SockaddrStorage) -> Option<IpAddr> {
    let v4 = address.as_sockaddr_in().map(|v4| IpAddr::V4(v4.ip()));
    v4.or_else(|| address.as_sockaddr_in6().map(|v6| IpAddr::V6(v6.ip())))
}

/// The processors that this thread may run on, in ascending order.
///
/// # Errors
/// What `sched_getaffinity` answers.
pub fn available_cpus() -> io::Result<Vec<usize>> {
    let set = sched_getaffinity(Pid::from_raw(0))?;
    Ok((0..CpuSet::count()).filter(|&cpu| set.is_set(cpu).unwrap_or(false)).collect())
}

/// How many threads can run at once: the processors that this process may use, cut to the quota of its control
/// group; at least 1.
pub fn parallelism() -> usize {
    thread::available_parallelism().map_or(1, NonZeroUsize::get)
}

/// Keeps the calling thread on one processor.
///
/// # Errors
/// What `sched_setaffinity` answers: EINVAL if the processor does not exist or may not be used.
pub fn pin_current_thread(cpu: usize) -> io::Result<()> {
    let mut set = CpuSet::new();
    set.set(cpu)?;
    Ok(sched_setaffinity(Pid::from_raw(0), &set)?)
}

/// The effective user.
pub fn effective_user() -> u32 {
    // SAFETY: it takes nothing, and always succeeds.
    unsafe { nix::libc::geteuid() }
}

/// Raises this process's limit of open files as far as it may without a privilege: the soft limit to the hard
/// one. Returns the soft limit before and after.
///
/// # Errors
/// What `getrlimit` or `setrlimit` answers.
pub fn raise_descriptor_limit() -> io::Result<(u64, u64)> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    if soft < hard {
        setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    }
    Ok((soft, hard))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_a_local_address() {
        assert!(local_addresses().unwrap().contains(&"127.0.0.1".parse().unwrap()));
    }

    #[test]
    fn there_is_no_more_parallelism_than_processors() {
        assert!((1..=available_cpus().unwrap().len()).contains(&parallelism()));
    }

    #[test]
    fn the_descriptor_limit_goes_up_to_the_hard_one() {
        let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
        setrlimit(Resource::RLIMIT_NOFILE, hard - 1, hard).unwrap();
        assert_eq!(raise_descriptor_limit().unwrap(), (hard - 1, hard));
        assert_eq!(raise_descriptor_limit().unwrap(), (hard, hard));
        assert_eq!(getrlimit(Resource::RLIMIT_NOFILE).unwrap(), (hard, hard));
    }

    #[test]
    fn a_pinned_thread_has_one_cpu() {
        thread::spawn(|| {
            let cpu = *available_cpus().unwrap().last().unwrap();
            pin_current_thread(cpu).unwrap();
            assert_eq!(available_cpus().unwrap(), [cpu]);
            assert_eq!(parallelism(), 1);
            assert!(pin_current_thread(1 << 20).is_err());
        })
        .join()
        .unwrap();
    }
}
