//! A thread of a relay that makes system calls which it never would, as an intruder in it would make them.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;

use nix::libc::{c_long, user_regs_struct};
use nix::sys::ptrace;
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;

use super::eventually;

/// The instruction by which x86-64 makes a system call.
const SYSCALL: [u8; 2] = [0x0f, 0x05];
/// Below the stack's end, beyond what a compiler may keep there.
const SCRATCH: u64 = 2048;

/// A thread that was stopped in a system call; it goes on with that call when it is dropped.
pub struct Puppet {
    thread: Pid,
    before: user_regs_struct,
    memory: File,
}

impl Puppet {
    /// Takes hold of a thread by its number.
    #[track_caller]
    pub fn take(thread: i32) -> Self {
        let memory = OpenOptions::new().read(true).write(true).open(format!("/proc/{thread}/mem"));
        let memory = memory.expect("the memory of a process that may be traced");
        let thread = Pid::from_raw(thread);
        let before = eventually("the thread waits in a system call", || {
            ptrace::seize(thread, ptrace::Options::empty()).expect("a thread can be traced");
            ptrace::interrupt(thread).expect("it can be stopped");
            waitpid(thread, Some(WaitPidFlag::__WALL)).expect("it stops");
            let registers = ptrace::getregs(thread).expect("its registers");
            let mut instruction = [0; 2];
            let waits = memory.read_exact_at(&mut instruction, registers.rip - 2).is_ok()
                && instruction == SYSCALL
                && registers.orig_rax as i64 >= 0;
            if !waits {
                ptrace::detach(thread, None).expect("it goes on");
            }
            waits.then_some(registers)
        });
        Self { thread, before, memory }
    }

    /// What the kernel answers to this call of the thread.
    #[track_caller]
    pub fn call(&self, number: c_long, arguments: [u64; 6]) -> i64 {
        let [rdi, rsi, rdx, r10, r8, r9] = arguments;
        let registers = user_regs_struct {
            rip: self.before.rip - 2,
            rax: number as u64,
            // What it was stopped in is not to be begun again yet.
            orig_rax: u64::MAX,
            rdi,
            rsi,
            rdx,
            r10,
            r8,
            r9,
            ..self.before
        };
        ptrace::setregs(self.thread, registers).expect("its registers");
        ptrace::step(self.thread, None).expect("it makes the call");
        waitpid(self.thread, Some(WaitPidFlag::__WALL)).expect("it stops behind it");
        ptrace::getregs(self.thread).expect("its registers").rax as i64
    }

    /// The address of a copy of these bytes in the thread's memory, until the next copy.
    #[track_caller]
    pub fn copy(&self, bytes: &[u8]) -> u64 {
        let address = (self.before.rsp - SCRATCH) & !0xf;
        self.write(address, bytes);
        address
    }

    /// Writes to the process's memory.
    #[track_caller]
    pub fn write(&self, address: u64, bytes: &[u8]) {
        self.memory.write_all_at(bytes, address).expect("its memory");
    }

    /// Four bytes of the process's memory.
    #[track_caller]
    pub fn read(&self, address: u64) -> u32 {
        let mut bytes = [0; 4];
        self.memory.read_exact_at(&mut bytes, address).expect("its memory");
        u32::from_ne_bytes(bytes)
    }
}

impl Drop for Puppet {
    fn drop(&mut self) {
        let _ = ptrace::setregs(self.thread, self.before);
        let _ = ptrace::detach(self.thread, None);
    }
}
