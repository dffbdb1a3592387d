//! System calls that are denied to a story's processes, as a container runtime does it.

use std::thread;

use nix::libc::{SYS_io_uring_enter, SYS_io_uring_register, SYS_io_uring_setup};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, apply_filter};

/// All calls of io_uring, as container runtimes deny them.
pub const IO_URING: [i64; 3] = [SYS_io_uring_setup, SYS_io_uring_enter, SYS_io_uring_register];

/// Tells a story on a thread whose processes get this error from these calls.
pub fn without(calls: &[i64], errno: i32, story: impl FnOnce() + Send) {
    let rules = calls.iter().map(|&call| (call, Vec::new())).collect();
    let arch = std::env::consts::ARCH.try_into().expect("a known processor");
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, SeccompAction::Errno(errno as u32), arch);
    let program: BpfProgram = filter.and_then(TryInto::try_into).expect("a filter");
    thread::scope(|scope| {
        let thread = scope.spawn(|| {
            apply_filter(&program).expect("a thread may give up calls");
            story();
        });
        if let Err(panic) = thread.join() {
            std::panic::resume_unwind(panic);
        }
    });
}
