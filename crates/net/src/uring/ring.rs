//! The io_uring itself: entries in, completions out.

use std::io;
use std::time::Duration;

use io_uring::types::{SubmitArgs, Timespec};
use io_uring::{EnterFlags, IoUring, cqueue, squeue};
use nix::libc;

use crate::batch::Batch;
use crate::config::LONGEST_WAIT;
use crate::limits::MAX_SOCKETS;

/// docs/performance.md: a submission queue of 256 and a completion queue of at least 4096.
const SUBMISSIONS: u32 = 256;
const COMPLETIONS: u32 = 4096;
/// Submissions in a row that the kernel may take nothing of, for want of memory, before the ring is given up.
const PATIENCE: u32 = 1000;

/// One ring of one thread.
pub(super) struct Ring {
    ring: IoUring,
    enters: u64,
    overflows: u64,
}

impl Ring {
    /// A ring for a driver with so many receive buffers, disabled until [`enable`](super::restrict::enable).
    pub(super) fn new(buffers: u16) -> io::Result<Ring> {
        let ring = IoUring::builder()
            .setup_single_issuer()
            .setup_defer_taskrun()
            // Says without a system call whether the kernel has more to hand over.
            .setup_taskrun_flag()
            .setup_submit_all()
            .setup_clamp()
            // Nothing can be submitted before it is said what may be.
            .setup_r_disabled()
            .setup_cqsize(completions(buffers))
            .build(SUBMISSIONS)?;
        Ok(Ring { ring, enters: 0, overflows: 0 })
    }

    pub(super) fn inner(&self) -> &IoUring {
        &self.ring
    }

    /// Number of `io_uring_enter` calls.
    pub(super) fn enters(&self) -> u64 {
        self.enters
    }

    /// Number of exchanges that found completions waiting in the kernel because the queue was full. The
    /// kernel's own counter is of completions lost, which IORING_FEAT_NODROP rules out.
    pub(super) fn overflows(&self) -> u64 {
        self.overflows
    }

    /// Queues an entry; submits the queue first if it is full.
    ///
    /// # Safety
    /// What the entry points to must be valid until it has completed.
    pub(super) unsafe fn push(&mut self, entry: &squeue::Entry) -> io::Result<()> {
        // SAFETY: the caller vouches for the entry.
        while unsafe { self.ring.submission().push(entry) }.is_err() {
            self.submit()?;
        }
        Ok(())
    }

    /// Submits what is queued. Receives make no progress, as their work runs only when events are asked for.
    pub(super) fn submit(&mut self) -> io::Result<()> {
        let mut refusals = 0;
        loop {
            let queued = self.ring.submission().len();
            if queued == 0 {
                return Ok(());
            }
            match self.enter(queued, 0, EnterFlags::empty(), None) {
                Ok(()) => refusals = 0,
                Err(error) if is_passing(&error) && refusals < PATIENCE => refusals += 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// Submits what is queued, lets receives progress, and waits for a completion at most that long.
    pub(super) fn exchange(&mut self, wait: Option<Duration>) -> io::Result<()> {
        self.overflows += u64::from(self.ring.submission().cq_overflow());
        let time = wait.map(|wait| Timespec::from(wait.min(LONGEST_WAIT)));
        let want = usize::from(wait != Some(Duration::ZERO));
        loop {
            let queued = self.ring.submission().len();
            if queued == 0 && want == 0 && !self.has_more() {
                return Ok(());
            }
            match self.enter(queued, want, EnterFlags::GETEVENTS, time.as_ref().filter(|_| want > 0)) {
                // The kernel returns without waiting when it took only a part.
                Ok(()) if !self.ring.submission().is_empty() => self.submit()?,
                Ok(()) => return Ok(()),
                // The wait is over, or was interrupted.
                Err(error) if is_end_of_wait(&error) => return Ok(()),
                Err(error) if is_passing(&error) && queued > 0 => self.submit()?,
                Err(error) if is_passing(&error) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
    }

    /// True if the kernel has more to hand over than it has put into the completion queue.
    pub(super) fn has_more(&mut self) -> bool {
        let queue = self.ring.submission();
        queue.taskrun() || queue.cq_overflow()
    }

    pub(super) fn completion(&mut self) -> cqueue::CompletionQueue<'_> {
        self.ring.completion()
    }

    fn enter(
        &mut self,
        submit: usize,
        want: usize,
        flags: EnterFlags,
        wait: Option<&Timespec>,
    ) -> io::Result<()> {
        self.enters += 1;
        let mut args = SubmitArgs::new();
        if let Some(time) = wait {
            args = args.timespec(time);
        }
        let flags = (flags | EnterFlags::EXT_ARG).bits();
        // SAFETY: push() was promised that entries are valid; the arguments outlive the call.
        unsafe { self.ring.submitter().enter(submit as u32, want as u32, flags, Some(&args)) }.map(drop)
    }
}

/// Room for all that can complete between two looks at the queue: the refusal of a send that waited in the
/// kernel would be taken for that of a later one.
fn completions(buffers: u16) -> u32 {
    let receives = usize::from(buffers) + MAX_SOCKETS;
    let sends_and_others = 2 * Batch::CAPACITY;
    ((receives + sends_and_others) as u32).next_power_of_two().max(COMPLETIONS)
}

fn is_end_of_wait(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::ETIME | libc::EINTR))
}

/// The kernel is short of memory or of room for completions.
fn is_passing(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EAGAIN | libc::EBUSY | libc::EINTR))
}

/// False where the kernel is known to have no rings.
#[cfg(test)]
pub(super) fn is_expected() -> bool {
    std::env::var_os("RELAY_TEST_NO_URING").is_none_or(|value| value != "1")
}

#[cfg(test)]
mod tests {
    use io_uring::opcode;

    use super::*;
    use crate::limits::BUFFERS;

    #[test]
    fn every_buffer_has_room_for_its_completion() {
        let buffers = *BUFFERS.end();
        assert!(completions(buffers) > u32::from(buffers));
        if is_expected() {
            let granted = Ring::new(buffers).unwrap().ring.params().cq_entries();
            assert_eq!(granted, completions(buffers), "the kernel has cut it");
        }
    }

    #[test]
    fn completions_wait_in_the_kernel_and_are_counted() {
        if !is_expected() {
            return;
        }
        let mut ring = Ring::new(64).unwrap();
        ring.inner().submitter().register_enable_rings().unwrap();
        let all = COMPLETIONS as usize + 100;
        for _ in 0..all {
            // SAFETY: the entry points to nothing.
            unsafe { ring.push(&opcode::Nop::new().build()) }.unwrap();
        }
        ring.submit().unwrap();
        assert_eq!(ring.overflows(), 0);
        let mut seen = ring.completion().count();
        assert_eq!(seen, COMPLETIONS as usize);
        while seen < all {
            ring.exchange(Some(Duration::ZERO)).unwrap();
            seen += ring.completion().count();
        }
        assert_eq!((seen, ring.overflows()), (all, 1));
    }
}
