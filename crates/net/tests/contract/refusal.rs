//! Where io_uring is refused, the ring driver says why and gives the sockets back.

use std::io;
use std::thread;
use std::time::Duration;

use net::{Driver, DriverConfig, Mmsg, SetupStep, SocketOptions, Uring, bind};
use nix::libc::{self, sock_filter, sock_fprog};

use crate::candidate::receive;
use crate::peer::Peer;

#[test]
fn a_refused_ring_leaves_its_sockets_to_the_other_driver() {
    for (call, step) in [
        (libc::SYS_io_uring_setup, SetupStep::Ring),
        (libc::SYS_io_uring_register, SetupStep::Features),
        (libc::SYS_io_uring_enter, SetupStep::Receive),
    ] {
        for (errno, advice) in [(libc::EPERM, "kernel.io_uring_disabled"), (libc::ENOSYS, "seccomp")] {
            thread::spawn(move || refused(call, errno, step, advice)).join().unwrap();
        }
    }
}

fn refused(call: i64, errno: i32, step: SetupStep, advice: &str) {
    forbid(call as u32, errno as u32);
    let binding = bind(&["127.0.0.1:0".parse().unwrap()], 1, SocketOptions::default()).unwrap();
    let sockets = binding.shards.into_iter().next().unwrap();
    let failure = Uring::new(sockets, &DriverConfig::default()).err().unwrap();
    assert_eq!((failure.error.step, failure.error.source.raw_os_error()), (step, Some(errno)));
    assert!(failure.error.advice().contains(advice), "{}", failure.error.advice());

    let mut driver = Mmsg::new(failure.sockets, &DriverConfig::default()).unwrap();
    Peer::on_loopback().send(b"hello", binding.addresses[0]);
    let arrivals = receive(&mut driver, 1);
    assert_eq!(driver.bytes(&arrivals[0]), b"hello");
    driver.exchange(&mut Vec::new(), Some(Duration::ZERO)).unwrap();
}

/// Makes one system call fail for the calling thread.
fn forbid(call: u32, errno: u32) {
    let op = |code, jt, jf, k| sock_filter { code, jt, jf, k };
    let mut code = [
        op(0x20, 0, 0, 0),    // load the number of the call
        op(0x15, 0, 1, call), // if it is this one
        op(0x06, 0, 0, libc::SECCOMP_RET_ERRNO | errno),
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
