//! Makes a system call fail for the calling thread, as a sandbox would.

use std::io;

use nix::libc::{self, sock_filter, sock_fprog};

/// A system call, told apart by one of its arguments if need be (its position and value).
pub struct Call {
    pub number: i64,
    pub argument: Option<(u32, u32)>,
}

/// From here on the call fails with this error, in this thread and those that it starts.
pub fn forbid(call: &Call, errno: i32) {
    let op = |code, jt, jf, k| sock_filter { code, jt, jf, k };
    // seccomp_data: the number at 0, the arguments from 16 on in eight bytes each.
    let (position, value) = call.argument.map_or((0, call.number as u32), |(at, value)| (16 + 8 * at, value));
    let mut code = [
        op(0x20, 0, 0, 0),
        op(0x15, 0, 3, call.number as u32),
        op(0x20, 0, 0, position),
        op(0x15, 0, 1, value),
        op(0x06, 0, 0, libc::SECCOMP_RET_ERRNO | errno as u32),
        op(0x06, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = sock_fprog { len: code.len() as u16, filter: code.as_mut_ptr() };
    // SAFETY: the program outlives the calls, which concern this thread alone.
    let result = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
        libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const program)
    };
    assert_eq!(result, 0, "{}", io::Error::last_os_error());
}
