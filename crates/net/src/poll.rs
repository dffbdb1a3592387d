//! Waiting for descriptors.

use std::time::Duration;
use std::{io, ptr};

use nix::errno::Errno;
use nix::libc::{self, pollfd};

use crate::config::LONGEST_WAIT;

/// An entry that waits for something to read.
pub(crate) fn readable(fd: i32) -> pollfd {
    pollfd { fd, events: libc::POLLIN, revents: 0 }
}

/// Waits until one of them is ready, a signal comes, or the time is over.
pub(crate) fn poll(entries: &mut [pollfd], wait: Option<Duration>) -> io::Result<()> {
    let limit = wait.map(timespec);
    let limit = limit.as_ref().map_or(ptr::null(), ptr::from_ref);
    // SAFETY: the list and the time outlive the call.
    let ready = unsafe { libc::ppoll(entries.as_mut_ptr(), entries.len() as _, limit, ptr::null()) };
    match Errno::result(ready) {
        Ok(_) => Ok(()),
        Err(Errno::EINTR) => {
            entries.iter_mut().for_each(|entry| entry.revents = 0);
            Ok(())
        }
        Err(errno) => Err(errno.into()),
    }
}

fn timespec(wait: Duration) -> libc::timespec {
    let wait = wait.min(LONGEST_WAIT);
    libc::timespec { tv_sec: wait.as_secs() as libc::time_t, tv_nsec: wait.subsec_nanos().into() }
}
