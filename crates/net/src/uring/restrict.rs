//! What a ring may be used for: its operations pass every filter of system calls by, so the ring itself must refuse.

use std::io;

use io_uring::register::Restriction;
use io_uring::{Submitter, opcode, squeue};

/// `IORING_UNREGISTER_FILES` and `IORING_UNREGISTER_PBUF_RING` of `linux/io_uring.h`, by which a driver lets go of its
/// sockets and buffers. Nothing else is registered once the ring is enabled.
const UNREGISTER: [u8; 2] = [3, 23];

/// Every operation that the driver submits.
pub(super) const OPERATIONS: [u8; 5] = [
    opcode::Send::CODE,
    opcode::SendMsg::CODE,
    opcode::RecvMsgMulti::CODE,
    opcode::PollAdd::CODE,
    opcode::AsyncCancel2::CODE,
];

/// On every entry: whatever it acts on is registered, which are the sockets and the waker alone.
pub(super) const REQUIRED: squeue::Flags = squeue::Flags::FIXED_FILE;

/// Lets the ring, which was set up disabled, do what the driver does and nothing else for as long as it exists, and enables
/// it. The calling thread is from then on the only one that may submit.
pub(super) fn enable(submitter: &Submitter<'_>) -> io::Result<()> {
    let flags = REQUIRED | squeue::Flags::BUFFER_SELECT | squeue::Flags::SKIP_SUCCESS;
    let operations = OPERATIONS.map(Restriction::sqe_op);
    let mut all: Vec<Restriction> = UNREGISTER.map(Restriction::register_op).into_iter().collect();
    all.extend(operations);
    all.push(Restriction::sqe_flags_allowed(flags.bits()));
    all.push(Restriction::sqe_flags_required(REQUIRED.bits()));
    submitter.register_restrictions(&mut all)?;
    submitter.register_enable_rings()
}

#[cfg(test)]
mod tests {
    use std::os::fd::AsRawFd;
    use std::time::Duration;

    use io_uring::types::{Fd, Fixed};
    use nix::libc;

    use super::*;
    use crate::uring::ring::Ring;

    /// What the ring answers to an entry.
    fn answer(ring: &mut Ring, entry: &squeue::Entry) -> i32 {
        // SAFETY: the entries of this test point to constants and descriptors that outlive the exchange.
        unsafe { ring.push(entry) }.unwrap();
        ring.exchange(Some(Duration::from_secs(20))).unwrap();
        ring.completion().next().expect("an answer").result()
    }

    #[test]
    fn a_ring_opens_no_file_and_touches_nothing_that_is_not_registered() {
        if !crate::uring::ring::is_expected() {
            return;
        }
        let mut ring = Ring::new(64).unwrap();
        let (socket, _peer) = std::os::unix::net::UnixDatagram::pair().unwrap();
        ring.inner().submitter().register_files(&[socket.as_raw_fd()]).unwrap();
        enable(&ring.inner().submitter()).unwrap();
        let open = opcode::OpenAt::new(Fd(libc::AT_FDCWD), c"/dev/null".as_ptr());
        assert_eq!(answer(&mut ring, &open.build()), -libc::EACCES);
        assert_eq!(answer(&mut ring, &opcode::Nop::new().build().flags(REQUIRED)), -libc::EACCES);
        let any = opcode::Send::new(Fd(socket.as_raw_fd()), c"x".as_ptr().cast(), 1).build();
        assert_eq!(answer(&mut ring, &any), -libc::EACCES);
        let send = opcode::Send::new(Fixed(0), c"x".as_ptr().cast(), 1).build();
        assert_eq!(answer(&mut ring, &send.clone().flags(squeue::Flags::IO_LINK)), -libc::EACCES);
        assert_eq!(answer(&mut ring, &send), 1, "what the driver does it may do");
    }

    #[test]
    fn a_ring_takes_in_no_other_file_and_no_other_restriction() {
        if !crate::uring::ring::is_expected() {
            return;
        }
        let ring = Ring::new(64).unwrap();
        let submitter = ring.inner().submitter();
        submitter.register_files(&[0]).unwrap();
        enable(&submitter).unwrap();
        let refused = |result: io::Result<()>| result.unwrap_err().raw_os_error().unwrap();
        assert_eq!(refused(submitter.register_files(&[0])), libc::EACCES);
        assert_eq!(
            refused(submitter.register_restrictions(&mut [Restriction::sqe_op(opcode::OpenAt::CODE)])),
            libc::EACCES
        );
        submitter.unregister_files().unwrap();
    }
}
