//! The ring through which receive buffers are handed to the kernel.

use std::io;
use std::mem::size_of;
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::Submitter;
use io_uring::types::BufRingEntry;

use crate::driver::BufferId;
use crate::pool::{Memory, Pool};

/// The only group of buffers.
pub(super) const GROUP: u16 = 0;

/// Buffers that the kernel may fill, and those that wait to be handed to it.
pub(super) struct Buffers {
    ring: Memory,
    pool: Pool,
    /// Bytes that the kernel may write to each.
    room: u32,
    mask: u16,
    tail: u16,
    /// Released, and perhaps still read by a send that is queued.
    released: Vec<u16>,
    /// Buffers that the kernel holds.
    provided: usize,
}

impl Buffers {
    /// Each buffer has room for a header and a datagram.
    pub(super) fn new(count: u16, headroom: usize, max_datagram: u16) -> Buffers {
        let room = headroom + usize::from(max_datagram);
        Buffers {
            ring: Memory::new(usize::from(count) * size_of::<BufRingEntry>()),
            pool: Pool::new(count, room),
            room: room as u32,
            mask: count - 1,
            tail: 0,
            released: (0..count).collect(),
            provided: 0,
        }
    }

    /// # Safety
    /// The buffers must outlive the registration: no receive may be armed when they are dropped.
    pub(super) unsafe fn register(&self, submitter: &Submitter<'_>) -> io::Result<()> {
        // SAFETY: the memory holds mask + 1 entries; the caller vouches for its life.
        unsafe { submitter.register_buf_ring_with_flags(self.ring.as_ptr() as u64, self.mask + 1, GROUP, 0) }
    }

    /// Hands every released buffer to the kernel.
    pub(super) fn provide(&mut self) {
        if self.released.is_empty() {
            return;
        }
        let entries = self.ring.as_ptr().cast::<BufRingEntry>();
        for &buffer in &self.released {
            // SAFETY: the index is masked to the ring's entries, which are zeroed at first and which the
            // kernel reads only below the tail that is published last; at most mask + 1 buffers exist, so
            // no unread entry is overwritten.
            let entry = unsafe { &mut *entries.add(usize::from(self.tail & self.mask)) };
            entry.set_addr(self.pool.start(buffer) as u64);
            entry.set_len(self.room);
            entry.set_bid(buffer);
            self.tail = self.tail.wrapping_add(1);
        }
        self.provided += self.released.len();
        self.released.clear();
        // SAFETY: the tail is a field of the first entry that the kernel reads atomically and nobody else
        // writes.
        unsafe {
            let tail = BufRingEntry::tail(entries).cast_mut();
            AtomicU16::from_ptr(tail).store(self.tail, Ordering::Release);
        }
    }

    /// The kernel has filled a buffer.
    pub(super) fn filled(&mut self) {
        self.provided -= 1;
    }

    /// A buffer that never reached the owner is free again.
    pub(super) fn discard(&mut self, buffer: u16) {
        self.released.push(buffer);
    }

    pub(super) fn release(&mut self, buffer: BufferId) {
        self.pool.take_back(buffer);
        self.released.push(buffer.0);
    }

    /// Number of all buffers.
    pub(super) fn count(&self) -> u16 {
        self.mask + 1
    }

    /// Number of buffers that the kernel can fill now.
    pub(super) fn provided(&self) -> usize {
        self.provided
    }

    /// Number of buffers that are free or will be with the next [`Buffers::provide`].
    pub(super) fn free(&self) -> usize {
        self.provided + self.released.len()
    }

    pub(super) fn pool(&self) -> &Pool {
        &self.pool
    }

    pub(super) fn pool_mut(&mut self) -> &mut Pool {
        &mut self.pool
    }
}
