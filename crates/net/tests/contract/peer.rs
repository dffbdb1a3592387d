//! An ordinary client's socket.

use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsRawFd, RawFd};

use nix::libc;

use crate::candidate::DEADLINE;

/// A client. It receives with a deadline, so that a lost datagram is a failure and never a hang.
pub struct Peer {
    pub socket: UdpSocket,
    pub address: SocketAddr,
}

impl Peer {
    pub fn on(address: &str) -> Peer {
        let socket = UdpSocket::bind(address).unwrap();
        socket.set_read_timeout(Some(DEADLINE)).unwrap();
        let address = socket.local_addr().unwrap();
        let peer = Peer { socket, address };
        peer.set(libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, 16 << 20);
        peer
    }

    pub fn on_loopback() -> Peer {
        Peer::on("127.0.0.1:0")
    }

    pub fn send(&self, bytes: &[u8], to: SocketAddr) {
        assert_eq!(self.socket.send_to(bytes, to).unwrap(), bytes.len());
    }

    pub fn receive(&self) -> Vec<u8> {
        self.receive_from().0
    }

    pub fn receive_from(&self) -> (Vec<u8>, SocketAddr) {
        let mut buffer = vec![0; 65_536];
        let (len, source) = self.socket.recv_from(&mut buffer).expect("a datagram in time");
        buffer.truncate(len);
        (buffer, source)
    }

    /// What has arrived already.
    pub fn drain(&self) -> Vec<Vec<u8>> {
        self.socket.set_nonblocking(true).unwrap();
        let mut all = Vec::new();
        let mut buffer = vec![0; 65_536];
        while let Ok(len) = self.socket.recv(&mut buffer) {
            all.push(buffer[..len].to_vec());
        }
        self.socket.set_nonblocking(false).unwrap();
        all
    }

    /// Receives segmented sends whole.
    pub fn coalesce(&self) {
        self.set(libc::SOL_UDP, libc::UDP_GRO, 1);
    }

    /// Sends in segments of so many bytes.
    pub fn segment(&self, size: usize) {
        self.set(libc::SOL_UDP, libc::UDP_SEGMENT, size as i32);
    }

    /// The error that is to be told next (SO_ERROR), which is then forgotten.
    pub fn error_of(fd: RawFd) -> i32 {
        let (mut error, mut len) = (0_i32, size_of::<i32>() as libc::socklen_t);
        // SAFETY: value and length outlive the call.
        let result = unsafe {
            libc::getsockopt(fd, libc::SOL_SOCKET, libc::SO_ERROR, (&raw mut error).cast(), &raw mut len)
        };
        assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
        error
    }

    pub fn set(&self, level: i32, name: i32, value: i32) {
        // SAFETY: the value outlives the call and its length is right.
        let result = unsafe {
            libc::setsockopt(
                self.socket.as_raw_fd(),
                level,
                name,
                (&raw const value).cast(),
                size_of::<i32>() as u32,
            )
        };
        assert_eq!(result, 0, "{}", std::io::Error::last_os_error());
    }
}
