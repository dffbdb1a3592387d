//! Which sockets have something to receive.

use std::io;
use std::os::fd::AsRawFd;
use std::ptr;
use std::time::Duration;

use nix::errno::Errno;
use nix::libc::{self, epoll_event};
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};

use crate::config::LONGEST_WAIT;
use crate::socket::Socket;
use crate::waker::Waker;

/// What is registered for the waker in place of a socket's index.
const WAKER: u64 = u64::MAX;

/// `struct __kernel_timespec`.
#[repr(C)]
struct Timespec {
    seconds: i64,
    nanoseconds: i64,
}

/// The kernel's list of ready sockets, and those that it named last.
pub(super) struct Ready {
    epoll: Epoll,
    named: Box<[epoll_event]>,
}

/// Who is ready.
pub(super) enum Waiting {
    /// The socket of this index, and whether an error waits there.
    Socket {
        index: usize,
        told: bool,
    },
    Waker,
}

impl Ready {
    /// Sockets that one call names, at most; 3 KB of them.
    pub(super) const MOST: usize = 256;

    /// All sockets, level-triggered: one that was not read to its end is named again.
    pub(super) fn new(sockets: &[Socket], waker: &Waker) -> io::Result<Ready> {
        let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
        epoll.add(waker, EpollEvent::new(EpollFlags::EPOLLIN, WAKER))?;
        for (socket, index) in sockets.iter().zip(0..) {
            epoll.add(socket, EpollEvent::new(EpollFlags::EPOLLIN, index))?;
        }
        Ok(Ready { epoll, named: vec![epoll_event { events: 0, u64: 0 }; Ready::MOST].into() })
    }

    /// Waits until somebody is ready, at most that long; returns how many are, up to `most`.
    pub(super) fn wait(&mut self, most: usize, wait: Option<Duration>) -> io::Result<usize> {
        let named = &mut self.named[..most];
        let limit = wait
            .map(|wait| wait.min(LONGEST_WAIT))
            .map(|wait| Timespec { seconds: wait.as_secs() as i64, nanoseconds: wait.subsec_nanos().into() });
        let limit = limit.as_ref().map_or(ptr::null(), ptr::from_ref);
        // The C library's function is younger than the kernel's.
        // SAFETY: the list and the time outlive the call, and the kernel writes no more than `most` entries.
        let count = unsafe {
            libc::syscall(
                libc::SYS_epoll_pwait2,
                self.epoll.0.as_raw_fd(),
                named.as_mut_ptr(),
                named.len() as i32,
                limit,
                ptr::null::<libc::sigset_t>(),
                0_usize,
            )
        };
        match Errno::result(count) {
            Ok(count) => Ok(count as usize),
            Err(Errno::EINTR) => Ok(0),
            Err(errno) => Err(errno.into()),
        }
    }

    /// One of those that the last call named.
    pub(super) fn get(&self, at: usize) -> Waiting {
        let epoll_event { events, u64: named } = self.named[at];
        match named {
            WAKER => Waiting::Waker,
            index => Waiting::Socket { index: index as usize, told: events & libc::EPOLLERR as u32 != 0 },
        }
    }
}
