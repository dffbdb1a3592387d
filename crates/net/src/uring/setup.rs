//! Setting a ring up step by step, so that a refusal says which step it was.

use std::io;
use std::os::fd::{AsRawFd, RawFd};

use io_uring::{IoUring, Probe};
use nix::libc;

use crate::config::{SetupError, SetupStep};
use crate::socket::Socket;
use crate::uring::buffers::Buffers;
use crate::uring::restrict;
use crate::uring::ring::Ring;
use crate::waker::Waker;

/// A ring with the needed features, to which sockets, waker and buffers are registered, and which does with them what the
/// driver does and nothing else.
///
/// # Safety
/// The buffers must outlive every receive that is armed on the ring.
pub(super) unsafe fn ring(sockets: &[Socket], waker: &Waker, buffers: &Buffers) -> Result<Ring, SetupError> {
    let ring = Ring::new(buffers.count()).map_err(at(SetupStep::Ring))?;
    check_features(ring.inner()).map_err(at(SetupStep::Features))?;
    let submitter = ring.inner().submitter();
    let files: Vec<RawFd> = sockets.iter().map(Socket::as_raw_fd).chain([waker.as_raw_fd()]).collect();
    submitter.register_files(&files).map_err(at(SetupStep::Files))?;
    // SAFETY: passed on to the caller.
    unsafe { buffers.register(&submitter) }.map_err(at(SetupStep::Buffers))?;
    restrict::enable(&submitter).map_err(at(SetupStep::Restrictions))?;
    Ok(ring)
}

pub(super) fn at(step: SetupStep) -> impl Fn(io::Error) -> SetupError {
    move |source| SetupError { step, source }
}

fn check_features(ring: &IoUring) -> io::Result<()> {
    let parameters = ring.params();
    let mut probe = Probe::new();
    ring.submitter().register_probe(&mut probe)?;
    let complete = parameters.is_feature_nodrop()
        && parameters.is_feature_ext_arg()
        && parameters.is_feature_skip_cqe_on_success()
        && restrict::OPERATIONS.iter().all(|&operation| probe.is_supported(operation));
    if complete { Ok(()) } else { Err(io::Error::from_raw_os_error(libc::EOPNOTSUPP)) }
}
