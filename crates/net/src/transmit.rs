//! `sendmmsg` for a list of messages, of which some may be refused.

use std::os::fd::RawFd;

use nix::errno::Errno;
use nix::libc::{self, mmsghdr};

/// Sends every message in order; those that the kernel refuses are skipped and told to `refused`.
/// Returns the number of system calls.
///
/// # Safety
/// Every pointer in the headers must be valid for its length.
pub(crate) unsafe fn send_all(
    fd: RawFd,
    headers: &mut [mmsghdr],
    mut refused: impl FnMut(usize, Errno),
) -> u64 {
    let mut calls = 0;
    let mut next = 0;
    while next < headers.len() {
        let rest = &mut headers[next..];
        calls += 1;
        // SAFETY: the caller vouches for the pointers; the kernel writes only msg_len of each header.
        let sent = unsafe { libc::sendmmsg(fd, rest.as_mut_ptr(), rest.len() as u32, libc::MSG_DONTWAIT) };
        match Errno::result(sent) {
            // The kernel stops at the first refusal, and says why when it is asked again.
            Ok(sent) => next += sent as usize,
            Err(Errno::EINTR) => {}
            Err(errno) => {
                refused(next, errno);
                next += 1;
            }
        }
    }
    calls
}
