//! Wakes a waiting driver from any thread.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, RawFd};
use std::sync::Arc;

use nix::sys::eventfd::{EfdFlags, EventFd};

/// A handle that ends the wait of one driver; clones wake the same driver.
///
/// A wake-up is never lost: the exchange that is under way, or else the next one, returns without waiting.
#[derive(Clone, Debug)]
pub struct Waker {
    event: Arc<EventFd>,
}

impl Waker {
    /// A waker of its own eventfd.
    ///
    /// # Errors
    /// The limit of open files, mostly.
    pub fn new() -> io::Result<Waker> {
        let event = EventFd::from_flags(EfdFlags::EFD_CLOEXEC | EfdFlags::EFD_NONBLOCK)?;
        Ok(Waker { event: Arc::new(event) })
    }

    /// Ends the driver's wait.
    pub fn wake(&self) {
        // It fails only when the counter is saturated, and then the driver is woken anyway.
        let _ = self.event.write(1);
    }

    /// Forgets every wake-up so far.
    pub(crate) fn drain(&self) {
        let _ = self.event.read();
    }
}

impl AsFd for Waker {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.event.as_fd()
    }
}

impl AsRawFd for Waker {
    fn as_raw_fd(&self) -> RawFd {
        self.event.as_raw_fd()
    }
}
