//! What this kernel's UDP sockets can do, found out by asking one that is never bound.

use std::io;
use std::net::Ipv4Addr;
use std::os::fd::AsRawFd;

use nix::libc;

use crate::bind::{SocketOptions, open};
use crate::socket::{get_option, set_option};

/// What a kernel can do, or what it answers instead.
#[derive(Debug)]
pub struct Abilities {
    /// Several datagrams to one receiver in one send (UDP_SEGMENT, Linux 4.18).
    pub segmentation: io::Result<()>,
    /// Several datagrams of one sender in one receive (UDP_GRO, Linux 5.0).
    pub coalescing: io::Result<()>,
    /// The local address that a datagram reached, and to answer from (IP_PKTINFO).
    pub local_address: io::Result<()>,
    /// Drops of the outgoing queue are told (IP_RECVERR).
    pub queue_drops: io::Result<()>,
    /// The state of a socket's queues (SO_MEMINFO, Linux 4.12).
    pub memory: io::Result<()>,
}

/// Tries each on a socket of its own, which no datagram can reach.
///
/// # Errors
/// No socket can be had.
pub fn abilities() -> io::Result<Abilities> {
    let small = SocketOptions { receive_buffer: 4096, send_buffer: 4096, ..SocketOptions::default() };
    let socket = open((Ipv4Addr::LOCALHOST, 0).into(), small)?;
    let set = |level, name, value: i32| set_option(socket.as_raw_fd(), level, name, &value);
    Ok(Abilities {
        segmentation: set(libc::SOL_UDP, libc::UDP_SEGMENT, 1400),
        coalescing: set(libc::SOL_UDP, libc::UDP_GRO, 1),
        local_address: set(libc::IPPROTO_IP, libc::IP_PKTINFO, 1),
        queue_drops: set(libc::IPPROTO_IP, libc::IP_RECVERR, 1),
        memory: get_option::<[u32; 9]>(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_MEMINFO).map(drop),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_that_runs_these_tests_can_do_it_all() {
        let Abilities { segmentation, coalescing, local_address, queue_drops, memory } = abilities().unwrap();
        for ability in [segmentation, coalescing, local_address, queue_drops, memory] {
            ability.unwrap();
        }
    }
}
