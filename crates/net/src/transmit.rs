//! Sends a list of messages, of which some may be refused.

use std::os::fd::RawFd;

use nix::errno::Errno;
use nix::libc::{self, mmsghdr, msghdr};

/// What a list of sends took.
#[derive(Clone, Copy, Default)]
pub(crate) struct Calls {
    /// Number of system calls.
    pub(crate) all: u64,
    /// True if one stopped before its end: the message that it stopped at was refused, if only at first.
    pub(crate) stopped: bool,
}

/// Sends every message in order. One that the kernel refuses is told to `refused` before the next is sent, and
/// skipped.
///
/// # Safety
/// Every pointer in the headers must be valid for its length.
pub(crate) unsafe fn send_all(
    fd: RawFd,
    headers: &mut [mmsghdr],
    mut refused: impl FnMut(usize, &msghdr, Errno),
) -> Calls {
    let mut calls = Calls::default();
    let mut next = 0;
    while next < headers.len() {
        calls.all += 1;
        // SAFETY: the caller vouches for the pointers.
        match unsafe { send_some(fd, &mut headers[next..]) } {
            // The kernel stops at the first refusal, and says why when it is asked again.
            Ok(sent) => {
                next += sent;
                calls.stopped |= next < headers.len();
            }
            Err(Errno::EINTR) => {}
            Err(errno) => {
                refused(next, &headers[next].msg_hdr, errno);
                next += 1;
            }
        }
    }
    calls
}

/// Sends as many as the kernel takes at once; returns how many.
///
/// # Safety
/// As for [`send_all`].
unsafe fn send_some(fd: RawFd, headers: &mut [mmsghdr]) -> Result<usize, Errno> {
    if let [only] = headers {
        // SAFETY: the caller vouches for the pointers.
        return unsafe { send_one(fd, &only.msg_hdr) }.map(|()| 1);
    }
    // SAFETY: the caller vouches for the pointers; the kernel writes only msg_len of each header.
    let sent = unsafe { libc::sendmmsg(fd, headers.as_mut_ptr(), headers.len() as u32, libc::MSG_DONTWAIT) };
    Errno::result(sent).map(|sent| sent as usize)
}

/// A list of one, by the cheapest call that serves.
///
/// # Safety
/// Every pointer in the header must be valid for its length.
pub(crate) unsafe fn send_one(fd: RawFd, header: &msghdr) -> Result<(), Errno> {
    let plain = header.msg_iovlen == 1 && header.msg_controllen == 0;
    // SAFETY: the caller vouches for the pointers; a header of one part points to it.
    let sent = unsafe {
        if plain {
            let part = *header.msg_iov;
            let (name, len) = (header.msg_name.cast(), header.msg_namelen);
            libc::sendto(fd, part.iov_base, part.iov_len, libc::MSG_DONTWAIT, name, len)
        } else {
            libc::sendmsg(fd, header, libc::MSG_DONTWAIT)
        }
    };
    Errno::result(sent).map(drop)
}
