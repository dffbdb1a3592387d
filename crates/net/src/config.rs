//! Sizes of a driver, and why it could not be set up.

use std::io;
use std::time::Duration;

use crate::driver::Run;
use crate::limits::BUFFERS;
use crate::socket::Socket;

/// Sizes of a driver. With the defaults it takes less than 4 MB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DriverConfig {
    /// Receive buffers: a power of two in [`BUFFERS`].
    pub buffers: u16,
    /// Readable bytes of an arrival, at least 1. Longer ones are cut. No datagram over IPv4 is longer than
    /// [`Run::MAX_BYTES`], and no coalesced arrival than `u16::MAX`.
    pub max_datagram: u16,
    /// Arrivals that one exchange hands over at most, 1 to `buffers`.
    pub arrivals_per_exchange: u16,
    /// Datagrams that one turn may send, at least [`Run::MAX_DATAGRAMS`].
    pub turn_budget: u32,
}

impl Default for DriverConfig {
    fn default() -> Self {
        DriverConfig {
            // docs/performance.md: buffer rings of 256 to 1024 are equally fast, 4096 is colder.
            buffers: 512,
            // The protocol's largest datagram is 4096 bytes; one more, so that longer ones are seen to be
            // longer.
            max_datagram: 4097,
            // docs/performance.md: let the drain per turn grow from 64 to 256 under load.
            arrivals_per_exchange: 256,
            // docs/performance.md: eight thousand deliveries take under 10 ms.
            turn_budget: 8192,
        }
    }
}

impl DriverConfig {
    fn fault(&self) -> Option<&'static str> {
        if !self.buffers.is_power_of_two() || !BUFFERS.contains(&self.buffers) {
            Some("the number of buffers must be a power of two from 64 to 32768")
        } else if self.max_datagram == 0 {
            Some("the largest datagram must have 1 to 65535 bytes")
        } else if self.arrivals_per_exchange == 0 || self.arrivals_per_exchange > self.buffers {
            Some("the arrivals per exchange must be from 1 to the number of buffers")
        } else if (self.turn_budget as usize) < Run::MAX_DATAGRAMS {
            Some("the turn's budget must be 64 datagrams or more")
        } else {
            None
        }
    }
}

/// As long as the kernel can count on every architecture; a longer wait is cut.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(i32::MAX as u64);

pub(crate) fn check(sockets: &[Socket], most: usize, config: &DriverConfig) -> Result<(), SetupError> {
    let fault = if sockets.is_empty() || sockets.len() > most {
        Some(format!("this driver serves 1 to {most} sockets"))
    } else {
        config.fault().map(str::to_owned)
    };
    match fault {
        Some(fault) => Err(SetupError {
            step: SetupStep::Config,
            source: io::Error::new(io::ErrorKind::InvalidInput, fault),
        }),
        None => Ok(()),
    }
}

/// Why a driver could not be set up.
#[derive(Debug, thiserror::Error)]
#[error("{step}: {source}")]
pub struct SetupError {
    /// Where it stopped.
    pub step: SetupStep,
    /// What the kernel said.
    pub source: io::Error,
}

/// The steps of a driver's set-up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SetupStep {
    /// The sizes or the number of sockets are out of bounds.
    #[error("configuration")]
    Config,
    /// The eventfd of the waker.
    #[error("eventfd")]
    Waker,
    /// `epoll_create1`, and a socket's place in it.
    #[error("epoll")]
    Epoll,
    /// `io_uring_setup` and its mappings.
    #[error("io_uring_setup")]
    Ring,
    /// The kernel lacks a feature or an operation that the driver needs.
    #[error("io_uring features")]
    Features,
    /// Registering the sockets.
    #[error("io_uring registered files")]
    Files,
    /// Registering the ring of receive buffers.
    #[error("io_uring buffer ring")]
    Buffers,
    /// Restricting the ring to what the driver does, and enabling it.
    #[error("io_uring restrictions")]
    Restrictions,
    /// The first multishot receive.
    #[error("io_uring multishot receive")]
    Receive,
}

impl SetupError {
    /// What an operator can do about it.
    pub fn advice(&self) -> &'static str {
        match (self.step, self.source.raw_os_error()) {
            (SetupStep::Config, _) => "change the configuration",
            (SetupStep::Epoll, Some(nix::libc::ENOSPC)) => "raise sysctl fs.epoll.max_user_watches",
            (_, Some(nix::libc::EPERM | nix::libc::EACCES)) => {
                "io_uring is forbidden: see sysctl kernel.io_uring_disabled and kernel.io_uring_group"
            }
            (_, Some(nix::libc::ENOSYS)) => {
                "io_uring is missing from this kernel or blocked by a seccomp profile; containers need one that allows it"
            }
            (_, Some(nix::libc::ENOMEM)) => "raise the limit of locked memory (ulimit -l, LimitMEMLOCK=)",
            (_, Some(nix::libc::EMFILE | nix::libc::ENFILE)) => "raise the limit of open files (ulimit -n)",
            _ => "the io_uring driver needs Linux 6.1 or later",
        }
    }
}

/// A set-up that failed, with the sockets given back for another driver.
#[derive(Debug, thiserror::Error)]
#[error("{error}")]
pub struct SetupFailure {
    /// Why.
    #[source]
    pub error: SetupError,
    /// The sockets, as they were.
    pub sockets: Vec<Socket>,
}
