//! Where io_uring is refused, the ring driver says why and gives the sockets back.

use std::thread;
use std::time::Duration;

use net::{Driver, DriverConfig, Mmsg, SetupStep, SocketOptions, Uring, bind};
use nix::libc;

use crate::candidate::{receive, uring_is_expected};
use crate::forbid::{Call, forbid};
use crate::peer::Peer;

#[test]
fn a_refused_ring_leaves_its_sockets_to_the_other_driver() {
    // The later steps can only be refused where the first is not.
    if !uring_is_expected() {
        return;
    }
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
    forbid(&Call { number: call, argument: None }, errno);
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
