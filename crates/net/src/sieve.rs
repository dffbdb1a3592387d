//! A socket filter that drops datagrams before they take room in a receive queue, by their first bytes.

use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::{Mutex, PoisonError};

use nix::libc::{self, sock_filter, sock_fprog};

use crate::socket::{Socket, SocketMemory, set_option};

/// What a socket lets pass, decided for each datagram by chance. A datagram without bytes never passes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sieve {
    /// What begins with these two bytes always passes.
    pub spared: [u8; 2],
    /// What else begins with this byte is of the second kind.
    pub first: u8,
    /// How many of [`Sieve::ALL`] datagrams of the second kind pass.
    pub of_second: u32,
    /// How many of [`Sieve::ALL`] datagrams of any other kind pass.
    pub of_rest: u32,
}

impl Sieve {
    /// The whole of which a share is a part.
    pub const ALL: u32 = 1 << 16;

    /// A filter of a UDP socket sees the UDP header, so the payload begins at offset 8.
    fn program(&self) -> [sock_filter; 14] {
        let [one, two] = self.spared.map(u32::from);
        let op = |code, k| sock_filter { code, jt: 0, jf: 0, k };
        let jump = |code, k, jt, jf| sock_filter { code, jt, jf, k };
        let random = (libc::SKF_AD_OFF + SKF_AD_RANDOM) as u32;
        [
            op(LOAD_LENGTH, 0),
            // A load beyond the end would end the program: one byte alone has no second.
            jump(JUMP_IF_NOT_LESS, HEADER + 2, 0, 2),
            op(LOAD_HALF, HEADER),
            jump(JUMP_IF_EQUAL, one << 8 | two, 8, 0),
            op(LOAD_BYTE, HEADER),
            jump(JUMP_IF_EQUAL, self.first.into(), 3, 0),
            op(LOAD_WORD, random),
            op(AND, Sieve::ALL - 1),
            jump(JUMP_IF_NOT_LESS, self.of_rest, 4, 3),
            op(LOAD_WORD, random),
            op(AND, Sieve::ALL - 1),
            jump(JUMP_IF_NOT_LESS, self.of_second, 1, 0),
            op(RETURN, u32::MAX),
            op(RETURN, 0),
        ]
    }
}

const HEADER: u32 = 8;
const SKF_AD_RANDOM: i32 = 56;
const LOAD_WORD: u16 = 0x20; // BPF_LD | BPF_W | BPF_ABS
const LOAD_HALF: u16 = 0x28; // BPF_LD | BPF_H | BPF_ABS
const LOAD_BYTE: u16 = 0x30; // BPF_LD | BPF_B | BPF_ABS
const LOAD_LENGTH: u16 = 0x80; // BPF_LD | BPF_W | BPF_LEN
const AND: u16 = 0x54;
const JUMP_IF_EQUAL: u16 = 0x15;
const JUMP_IF_NOT_LESS: u16 = 0x35;
const RETURN: u16 = 0x06;

/// What a socket's filters have dropped. The kernel counts that together with what a full queue drops, so whatever is
/// dropped while a filter is attached counts as the filter's.
#[derive(Debug, Default)]
pub(crate) struct Ledger(Mutex<Spells>);

#[derive(Debug, Default)]
struct Spells {
    /// Dropped by filters that are no longer attached; wraps, as the kernel's counter does.
    ended: u32,
    /// What the kernel's counter was when the filter was attached that is.
    since: Option<u32>,
}

impl Ledger {
    /// Of these drops, those of filters; `read` gets the kernel's counter, of a moment at which none is attached or
    /// detached.
    pub(crate) fn split<T>(&self, read: impl FnOnce() -> io::Result<(T, u32)>) -> io::Result<(T, u32)> {
        let spells = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (value, drops) = read()?;
        Ok((value, spells.total(drops)))
    }

    fn begin(&self, socket: RawFd, program: &mut [sock_filter]) -> io::Result<()> {
        let mut spells = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let drops = SocketMemory::of(socket)?.drops;
        attach(socket, program)?;
        spells.since.get_or_insert(drops);
        Ok(())
    }

    fn end(&self, socket: RawFd) -> io::Result<()> {
        let mut spells = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        detach(socket)?;
        let drops = SocketMemory::of(socket)?.drops;
        *spells = Spells { ended: spells.total(drops), since: None };
        Ok(())
    }
}

impl Spells {
    fn total(&self, drops: u32) -> u32 {
        self.since.map_or(self.ended, |since| self.ended.wrapping_add(drops.wrapping_sub(since)))
    }
}

/// Gives all sockets this filter in the place of any other, or none.
pub(crate) fn apply(sockets: &[Socket], sieve: Option<&Sieve>) -> io::Result<()> {
    let mut program = sieve.map(Sieve::program);
    sockets.iter().try_for_each(|socket| match &mut program {
        Some(program) => socket.ledger().begin(socket.as_raw_fd(), program),
        None => socket.ledger().end(socket.as_raw_fd()),
    })
}

fn attach(socket: RawFd, program: &mut [sock_filter]) -> io::Result<()> {
    let filter = sock_fprog { len: program.len() as u16, filter: program.as_mut_ptr() };
    set_option(socket, libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, &filter)
}

/// Takes the filter away, if there is one.
pub(crate) fn detach(socket: RawFd) -> io::Result<()> {
    match set_option(socket, libc::SOL_SOCKET, libc::SO_DETACH_FILTER, &0i32) {
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(()),
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;
    use std::os::fd::OwnedFd;

    use super::*;

    const NOTHING_BUT_SPARED: Sieve = Sieve { spared: *b"!P", first: b'!', of_second: 0, of_rest: 0 };

    /// What of these arrives at a socket with this filter, and what it says of its drops.
    fn sifted(sieve: Sieve, sent: &[&[u8]]) -> (Vec<Vec<u8>>, SocketMemory) {
        let own = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = own.local_addr().unwrap();
        own.set_nonblocking(true).unwrap();
        let socket = Socket::new(OwnedFd::from(own.try_clone().unwrap()), address);
        let gauge = socket.gauge();
        apply(std::slice::from_ref(&socket), Some(&sieve)).unwrap();
        let other = UdpSocket::bind("127.0.0.1:0").unwrap();
        for bytes in sent {
            other.send_to(bytes, address).unwrap();
        }
        let mut buffer = [0; 100];
        let heard = std::iter::from_fn(|| own.recv(&mut buffer).ok().map(|len| buffer[..len].to_vec()));
        (heard.collect(), gauge.read().unwrap().unwrap())
    }

    #[test]
    fn commands_pass_and_payloads_do_not() {
        let all: [&[u8]; 8] =
            [b"!PING", b"!P", b"hello", b"!JOIN X", b"!", b"P", b"\x21\x50 and more", b"x!PING"];
        let (heard, memory) = sifted(Sieve { of_second: Sieve::ALL, ..NOTHING_BUT_SPARED }, &all);
        assert_eq!(heard, [&b"!PING"[..], b"!P", b"!JOIN X", b"!", b"!P and more"]);
        assert_eq!((memory.drops, memory.sifted), (0, 3));
    }

    #[test]
    fn heartbeats_pass_when_nothing_else_does() {
        let (heard, memory) = sifted(NOTHING_BUT_SPARED, &[b"!PING", b"!JOIN X", b"", b"!", b"hello", b"!P"]);
        assert_eq!(heard, [&b"!PING"[..], b"!P"]);
        assert_eq!((memory.drops, memory.sifted), (0, 4));
    }

    #[test]
    fn a_share_passes_by_chance() {
        let some = Sieve { of_rest: Sieve::ALL / 4, ..NOTHING_BUT_SPARED };
        let mut sent = vec![&b"hello"[..]; 200];
        sent.extend([&b"!JOIN X"[..]; 50]);
        let (heard, memory) = sifted(some, &sent);
        // 50 on average; that far from it once in 10^9 runs.
        assert!((12..100).contains(&heard.len()), "{}", heard.len());
        assert_eq!(memory.sifted as usize, sent.len() - heard.len());
        let (heard, _) = sifted(Sieve { of_rest: Sieve::ALL, of_second: Sieve::ALL, ..some }, &sent);
        assert_eq!(heard.len(), 250);
    }

    #[test]
    fn what_a_full_queue_drops_is_told_apart_by_when() {
        let own = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = own.local_addr().unwrap();
        let socket = Socket::new(OwnedFd::from(own.try_clone().unwrap()), address);
        socket2::SockRef::from(&own).set_recv_buffer_size(0).unwrap();
        let other = UdpSocket::bind("127.0.0.1:0").unwrap();
        let gauge = socket.gauge();
        let told = || {
            let memory = gauge.read().unwrap().unwrap();
            (memory.drops, memory.sifted)
        };
        let flood = || (0..20).for_each(|_| assert_eq!(other.send_to(&[0; 1000], address).unwrap(), 1000));
        flood();
        let (full, sifted) = told();
        assert!(full > 10 && sifted == 0, "{full}");
        let sockets = [socket];
        for round in 1..=2 {
            apply(&sockets, Some(&NOTHING_BUT_SPARED)).unwrap();
            // In the place of the other: one spell goes on.
            apply(&sockets, Some(&Sieve { of_second: 1, ..NOTHING_BUT_SPARED })).unwrap();
            flood();
            assert_eq!(told(), (full, 20 * round));
            apply(&sockets, None).unwrap();
            assert_eq!(told(), (full, 20 * round));
        }
        apply(&sockets, None).unwrap();
        flood();
        assert_eq!(told(), (full + 20, 40));
    }
}
