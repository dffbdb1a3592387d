//! A TCP listener that can never become a client.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use nix::libc;

use crate::cbpf::{AND, JUMP_IF_EQUAL, LOAD_BYTE, RETURN, jump, op};
use crate::sieve::attach;
use crate::socket::{get_option, set_option};

/// Where the flags are in a TCP header, which is what a filter of a TCP socket sees first.
const FLAGS: u32 = 13;
/// What answers somebody who connects, and nobody else: SYN and ACK.
const WELCOME: u32 = 0x12;

/// Makes the kernel drop whatever answers a connection of this listener's, or of one that it accepted, for good: whoever takes it
/// out of its state and connects it waits in vain. One that is locked already stays so.
///
/// # Errors
/// What `setsockopt` answers: EPERM on newer kernels (seen with 6.18) to who is not privileged.
pub fn only_listen(listener: BorrowedFd<'_>) -> io::Result<()> {
    let mut program = [
        op(LOAD_BYTE, FLAGS),
        op(AND, WELCOME),
        jump(JUMP_IF_EQUAL, WELCOME, 0, 1),
        op(RETURN, 0),
        op(RETURN, u32::MAX),
    ];
    let fd = listener.as_raw_fd();
    if get_option::<i32>(fd, libc::SOL_SOCKET, libc::SO_LOCK_FILTER)? != 0 {
        return Ok(());
    }
    attach(fd, &mut program)?;
    set_option(fd, libc::SOL_SOCKET, libc::SO_LOCK_FILTER, &1_i32)
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Read, Write};
    use std::net::{Shutdown, TcpListener, TcpStream};
    use std::os::fd::AsFd;
    use std::time::Duration;

    use socket2::SockRef;

    use super::*;
    use crate::sieve::detach;

    /// Somebody else, to whom this listener is connected as an intruder would do it.
    fn reached_for(listener: &TcpListener, at: &str) -> TcpListener {
        let other = TcpListener::bind(at).unwrap();
        SockRef::from(&other).set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let socket = SockRef::from(listener);
        socket.shutdown(Shutdown::Both).unwrap();
        socket.set_nonblocking(true).unwrap();
        let error = socket.connect(&other.local_addr().unwrap().into()).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EINPROGRESS));
        other
    }

    #[test]
    fn it_accepts_and_does_not_connect() {
        for at in ["127.0.0.1:0", "[::1]:0"] {
            let listener = TcpListener::bind(at).unwrap();
            (0..2).for_each(|_| only_listen(listener.as_fd()).unwrap());
            let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            let (mut accepted, _) = listener.accept().unwrap();
            client.write_all(b"question").unwrap();
            accepted.write_all(b"answer").unwrap();
            let (mut question, mut answer) = ([0; 8], [0; 6]);
            accepted.read_exact(&mut question).unwrap();
            client.read_exact(&mut answer).unwrap();
            assert_eq!((&question, &answer), (b"question", b"answer"));
            let refusal = detach(listener.as_raw_fd()).unwrap_err();
            assert_eq!(refusal.raw_os_error(), Some(libc::EPERM), "it is for good");
            let other = reached_for(&listener, at);
            let later = TcpStream::connect(other.local_addr().unwrap()).unwrap();
            assert_eq!(other.accept().unwrap().1, later.local_addr().unwrap());
            other.set_nonblocking(true).unwrap();
            assert_eq!(other.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
            // Any other listener does it.
            let free = TcpListener::bind(at).unwrap();
            let reached = reached_for(&free, at);
            assert_eq!(reached.accept().unwrap().1, free.local_addr().unwrap());
        }
    }
}
