//! The receive buffers of a driver, in one piece of memory that never moves.

use std::alloc::{self, Layout};
use std::ptr::NonNull;
use std::slice;

use crate::driver::{Arrival, BufferId};

const PAGE: usize = 4096;
const CACHE_LINE: usize = 64;

/// Zeroed, page-aligned memory that the kernel may write to.
pub(crate) struct Memory {
    start: NonNull<u8>,
    layout: Layout,
}

impl Memory {
    pub(crate) fn new(bytes: usize) -> Memory {
        let layout =
            Layout::from_size_align(bytes.max(1), PAGE).expect("sizes are bounded by the configuration");
        // SAFETY: the layout has at least one byte.
        let start = unsafe { alloc::alloc_zeroed(layout) };
        let start = NonNull::new(start).unwrap_or_else(|| alloc::handle_alloc_error(layout));
        Memory { start, layout }
    }

    pub(crate) fn as_ptr(&self) -> *mut u8 {
        self.start.as_ptr()
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout, and freed only here.
        unsafe { alloc::dealloc(self.start.as_ptr(), self.layout) }
    }
}

/// Buffers of equal size, each either lent to the owner of the driver or at home.
pub(crate) struct Pool {
    memory: Memory,
    stride: usize,
    lent: Box<[bool]>,
}

impl Pool {
    /// `room` bytes for each buffer.
    pub(crate) fn new(buffers: u16, room: usize) -> Pool {
        // An odd number of cache lines, so that the first lines of all buffers do not share a set.
        let lines = room.div_ceil(CACHE_LINE) | 1;
        let stride = lines * CACHE_LINE;
        let memory = Memory::new(stride * usize::from(buffers));
        Pool { memory, stride, lent: vec![false; usize::from(buffers)].into() }
    }

    /// First byte of a buffer.
    pub(crate) fn start(&self, buffer: u16) -> *mut u8 {
        assert!(usize::from(buffer) < self.lent.len(), "no such buffer");
        // SAFETY: the buffer lies in the memory, as just asserted.
        unsafe { self.memory.as_ptr().add(usize::from(buffer) * self.stride) }
    }

    /// Bytes of a buffer that the kernel has filled and will not touch until it is given back.
    pub(crate) fn filled(&self, buffer: u16) -> &[u8] {
        // SAFETY: start() has checked the buffer; its memory is initialised (zeroed at first) and lives as
        // long as self.
        unsafe { slice::from_raw_parts(self.start(buffer), self.stride) }
    }

    /// Bytes of an arrival.
    pub(crate) fn bytes(&self, arrival: &Arrival) -> &[u8] {
        assert!(self.lent[usize::from(arrival.buffer.0)], "the bytes of a buffer that was released");
        let start = usize::from(arrival.offset);
        &self.filled(arrival.buffer.0)[start..start + usize::from(arrival.len)]
    }

    /// Where a part of a lent buffer starts.
    pub(crate) fn part(&self, buffer: BufferId, offset: u16, len: u16) -> *const u8 {
        let (offset, len) = (usize::from(offset), usize::from(len));
        assert!(self.lent[usize::from(buffer.0)], "a part of a buffer that was released");
        assert!(offset + len <= self.stride, "a part outside of its buffer");
        self.start(buffer.0).wrapping_add(offset)
    }

    /// The bytes of a part of a lent buffer.
    pub(crate) fn part_bytes(&self, buffer: BufferId, offset: u16, len: u16) -> &[u8] {
        assert!(self.lent[usize::from(buffer.0)], "a part of a buffer that was released");
        &self.filled(buffer.0)[usize::from(offset)..][..usize::from(len)]
    }

    pub(crate) fn lend(&mut self, buffer: u16) -> BufferId {
        self.lent[usize::from(buffer)] = true;
        BufferId(buffer)
    }

    /// Lends a buffer that begins with these bytes, as many as have room.
    pub(crate) fn lend_with(&mut self, buffer: u16, bytes: &[u8]) -> BufferId {
        let len = bytes.len().min(self.stride);
        // SAFETY: start() has checked the buffer, which is at home, so that nobody reads it; its memory has room for a stride.
        let room = unsafe { slice::from_raw_parts_mut(self.start(buffer), self.stride) };
        room[..len].copy_from_slice(&bytes[..len]);
        self.lend(buffer)
    }

    /// Takes a buffer home.
    pub(crate) fn take_back(&mut self, buffer: BufferId) {
        let lent = &mut self.lent[usize::from(buffer.0)];
        assert!(std::mem::take(lent), "a buffer is released exactly once");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buffers_do_not_overlap() {
        let pool = Pool::new(64, 100);
        let distance = pool.start(1) as usize - pool.start(0) as usize;
        assert_eq!(distance, 192);
        assert_eq!(pool.start(0) as usize % PAGE, 0);
        assert_eq!(pool.filled(63).len(), distance);
    }

    #[test]
    fn a_buffer_is_lent_with_what_has_room() {
        let mut pool = Pool::new(64, 100);
        let buffer = pool.lend_with(7, &[1; 1000]);
        assert_eq!(pool.part_bytes(buffer, 0, 192), [1; 192]);
        assert_eq!(pool.filled(8), [0; 192], "and nothing else is touched");
    }

    #[test]
    #[should_panic(expected = "exactly once")]
    fn a_buffer_is_not_released_twice() {
        let mut pool = Pool::new(64, 100);
        let buffer = pool.lend(7);
        pool.take_back(buffer);
        pool.take_back(buffer);
    }

    #[test]
    #[should_panic(expected = "released")]
    fn a_released_buffer_is_not_sent_from() {
        let pool = Pool::new(64, 100);
        pool.part(BufferId(3), 0, 1);
    }
}
