//! The relay that anyone would write first: a blocking `recvmsg`, a `sendmsg` to each other member, and nothing else.
//!
//! It is the yardstick of the forwarding delay in docs/performance.md. It knows one group and as much of the base
//! protocol as the load generator needs; nobody expires, nothing is batched, counted or allocated per datagram, and
//! the loop calls libc as a program in C would.

// It talks to the kernel without the library, which it is a measure of.
#![allow(unsafe_code)]

use std::io;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::process::ExitCode;
use std::{mem, ptr};

use clap::Parser;
use nix::libc::{self, c_void, iovec, msghdr, sockaddr_in};
use socket2::SockRef;

/// Any id will do where there is one group.
const GROUP: &str = "BAREBARE";

/// One byte more than the longest message of the base protocol.
const LARGEST: usize = 4097;

/// As much as the relay asks for, so that neither of them loses what the other would not.
const SOCKET_BUFFER: usize = 8 << 20;

/// Serves one group on loopback, as simply as can be; prints its address.
#[derive(Parser)]
struct Options {
    /// UDP port; 0 lets the kernel choose.
    #[arg(long, default_value_t = 0)]
    port: u16,
}

fn main() -> ExitCode {
    match serve(Options::parse().port) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("bare: {error}");
            ExitCode::FAILURE
        }
    }
}

fn serve(port: u16) -> io::Result<()> {
    let socket = UdpSocket::bind(("127.0.0.1", port))?;
    SockRef::from(&socket).set_recv_buffer_size(SOCKET_BUFFER)?;
    SockRef::from(&socket).set_send_buffer_size(SOCKET_BUFFER)?;
    println!("{}", socket.local_addr()?);
    let mut members: Vec<sockaddr_in> = Vec::new();
    let mut buffer = [0; LARGEST];
    loop {
        let (len, source) = receive(&socket, &mut buffer)?;
        match &mut buffer[..len] {
            [b'!', ..] => {
                let reply = answer(&buffer[1..len], source, &mut members);
                send(&socket, reply.as_bytes(), &source);
            }
            payload => {
                for member in members.iter().filter(|member| !is_same(member, &source)) {
                    send(&socket, payload, member);
                }
            }
        }
    }
}

fn answer(command: &[u8], source: sockaddr_in, members: &mut Vec<sockaddr_in>) -> String {
    let is_member = members.iter().any(|member| is_same(member, &source));
    match command.split(|byte| *byte == b' ').next() {
        Some(b"CREATE") => format!("OK CREATED {GROUP}"),
        Some(b"JOIN") => {
            if !is_member {
                members.push(source);
            }
            format!("OK JOINED {GROUP}")
        }
        Some(b"LEAVE") => {
            members.retain(|member| !is_same(member, &source));
            format!("OK LEFT {GROUP}")
        }
        Some(b"PING") if is_member => "PONG 60.0".to_owned(),
        Some(b"PING") => "ERR NOT_IN_GROUP JoinFirstUseJOIN".to_owned(),
        _ => "ERR BAD_CMD UnknownCommand".to_owned(),
    }
}

fn is_same(one: &sockaddr_in, other: &sockaddr_in) -> bool {
    one.sin_port == other.sin_port && one.sin_addr.s_addr == other.sin_addr.s_addr
}

fn receive(socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<(usize, sockaddr_in)> {
    // SAFETY: all zeros are a valid address.
    let mut source: sockaddr_in = unsafe { mem::zeroed() };
    let mut part = iovec { iov_base: buffer.as_mut_ptr().cast::<c_void>(), iov_len: buffer.len() };
    let mut message = message(&mut part, ptr::from_mut(&mut source));
    // SAFETY: the header names the buffer and the address, both of which outlive the call.
    let len = unsafe { libc::recvmsg(socket.as_raw_fd(), &raw mut message, 0) };
    let len = usize::try_from(len).map_err(|_| io::Error::last_os_error())?;
    Ok((len, source))
}

/// What the kernel does not take is lost.
fn send(socket: &UdpSocket, bytes: &[u8], destination: &sockaddr_in) {
    let mut part = iovec { iov_base: bytes.as_ptr().cast_mut().cast::<c_void>(), iov_len: bytes.len() };
    let message = message(&mut part, ptr::from_ref(destination).cast_mut());
    // SAFETY: the header names the bytes and the address, both of which outlive the call; the kernel only reads them.
    unsafe { libc::sendmsg(socket.as_raw_fd(), &raw const message, 0) };
}

fn message(part: &mut iovec, name: *mut sockaddr_in) -> msghdr {
    // SAFETY: null pointers and zero lengths are an empty header.
    let mut header: msghdr = unsafe { mem::zeroed() };
    header.msg_name = name.cast::<c_void>();
    header.msg_namelen = size_of::<sockaddr_in>() as u32;
    header.msg_iov = part;
    header.msg_iovlen = 1;
    header
}
