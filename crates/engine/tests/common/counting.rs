//! The system's allocator with counters, for the test that declares this module.
#![allow(dead_code)] // Each test crate uses a part of it.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The system's allocator, counted.
struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

thread_local! {
    /// Allocations of this thread: the test harness allocates on its own.
    static CALLS: Cell<usize> = const { Cell::new(0) };
}

impl Counting {
    fn add(bytes: usize) {
        CALLS.set(CALLS.get() + 1);
        PEAK.fetch_max(LIVE.fetch_add(bytes, Relaxed) + bytes, Relaxed);
    }
}

#[allow(unsafe_code)] // A global allocator cannot be written without.
// SAFETY: every call goes to the system's allocator as it came; the counters on the side touch no allocated memory.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Self::add(layout.size());
        // SAFETY: the caller keeps `alloc`'s contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller keeps `dealloc`'s contract, and all memory came from `System`.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Old and new may exist at the same time.
        Self::add(size);
        // SAFETY: the caller keeps `realloc`'s contract, and all memory came from `System`.
        let moved = unsafe { System.realloc(memory, layout, size) };
        LIVE.fetch_sub(layout.size(), Relaxed);
        moved
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The counters are of the whole process, so one test runs at a time.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

pub fn alone() -> MutexGuard<'static, ()> {
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Bytes allocated now and at the peak since the last reset, and how often this thread allocated.
#[derive(Clone, Copy)]
pub struct Heap {
    pub live: usize,
    pub peak: usize,
    pub calls: usize,
}

pub fn heap() -> Heap {
    Heap { live: LIVE.load(Relaxed), peak: PEAK.load(Relaxed), calls: CALLS.get() }
}

pub fn reset_peak() {
    PEAK.store(LIVE.load(Relaxed), Relaxed);
}

/// Resident bytes of this process.
pub fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}
