//! One thread of a relay that stands still, as if it were stuck.

use std::fs;

use nix::libc::c_long;
use nix::sys::ptrace;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use super::{Relay, eventually};

/// A thread of another process that stands still.
pub struct Halted {
    thread: Pid,
    is_whole: bool,
}

impl Halted {
    /// Halts the thread of this name.
    #[track_caller]
    pub fn new(relay: &Relay, name: &str) -> Self {
        let tasks = fs::read_dir(format!("/proc/{}/task", relay.pid())).expect("/proc is there");
        let mut threads = tasks.map(|task| task.expect("a thread's folder").path());
        let is_named = |name_of: &std::path::PathBuf| {
            fs::read_to_string(name_of.join("comm")).is_ok_and(|comm| comm.trim() == name)
        };
        let folder = threads.find(is_named).expect("a thread of this name");
        let thread = Pid::from_raw(folder.file_name().unwrap().to_str().unwrap().parse().unwrap());
        ptrace::seize(thread, ptrace::Options::empty()).expect("a thread can be traced");
        ptrace::interrupt(thread).expect("it can be stopped");
        waitpid(thread, Some(WaitPidFlag::__WALL)).expect("it stops");
        Self { thread, is_whole: thread.as_raw() as u32 == relay.pid() }
    }

    /// Lets it go on until it makes one of these system calls, where it stands still again.
    #[track_caller]
    pub fn until(self, calls: &[c_long]) -> Self {
        ptrace::setoptions(self.thread, ptrace::Options::PTRACE_O_TRACESYSGOOD).expect("an option");
        while !self.is_at(calls) {
            ptrace::syscall(self.thread, None).expect("it goes on to its next call");
            eventually("the thread makes a system call", || {
                let flags = WaitPidFlag::__WALL | WaitPidFlag::WNOHANG;
                let status = waitpid(self.thread, Some(flags)).expect("it is there");
                (status != WaitStatus::StillAlive).then_some(())
            });
        }
        self
    }

    /// True if it stands at the beginning or the end of one of these calls.
    fn is_at(&self, calls: &[c_long]) -> bool {
        let seen = fs::read_to_string(format!("/proc/{}/syscall", self.thread)).expect("/proc is there");
        let number = seen.split_whitespace().next().and_then(|number| number.parse().ok());
        number.is_some_and(|number: c_long| calls.contains(&number))
    }

    /// Lets it go on.
    pub fn go_on(self) {}
}

impl Drop for Halted {
    /// Also where a test fails: a process could not be waited for if a thread of it is still traced, or nobody has seen its end.
    fn drop(&mut self) {
        let ended = ptrace::detach(self.thread, None).is_err();
        if ended && !self.is_whole {
            let _ = waitpid(self.thread, Some(WaitPidFlag::__WALL));
        }
    }
}
