//! A socket filter that drops datagrams before they take room in a receive queue, by their first bytes.

use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::{Mutex, PoisonError};

use nix::libc::{self, sock_filter, sock_fprog};

use crate::cbpf::{
    AND, JUMP, JUMP_IF_EQUAL, JUMP_IF_NOT_LESS, Key, LOAD, LOAD_BYTE, LOAD_HALF, LOAD_LENGTH, LOAD_WORD, NET,
    RANDOM, RETURN, SET, SHIFT_RIGHT, SHIFT_RIGHT_BY_X, STORE, TO_X, add_port, hash_of, hash_v4_source,
    hash_v6_source, jump, op,
};
use crate::limits::SOURCE_WORDS;
use crate::socket::{Socket, SocketMemory, set_option};

/// What a socket lets pass, decided for each datagram by chance. A datagram without bytes never passes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sieve {
    /// What begins with one of these and has one byte more always passes.
    pub spared: [[u8; 4]; 2],
    /// What else begins with this byte is of the second kind.
    pub first: u8,
    /// How many of [`Sieve::ALL`] datagrams of the second kind pass.
    pub of_second: u32,
    /// How many of [`Sieve::ALL`] datagrams of any other kind pass.
    pub of_rest: u32,
    /// Whose datagrams of any other kind pass less often still.
    pub loud: Option<Loud>,
}

/// Sources, and how many of [`Sieve::ALL`] of their datagrams pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loud {
    /// Who.
    pub sources: Sources,
    /// How many.
    pub share: u32,
}

/// Addresses, as a Bloom filter in blocks of a word: a few others are taken for one of them, and other ones in each set.
#[derive(Clone, PartialEq, Eq)]
pub struct Sources {
    key: Key,
    words: Box<[u32; SOURCE_WORDS]>,
}

impl Sieve {
    /// The whole of which a share is a part.
    pub const ALL: u32 = 1 << 16;

    /// A filter of a UDP socket sees the UDP header, so the payload begins at offset 8.
    fn program(&self) -> Vec<sock_filter> {
        let mut code = vec![
            op(LOAD_LENGTH, 0),
            jump(JUMP_IF_EQUAL, HEADER, 13, 0),
            // A load beyond the end would end the program.
            jump(JUMP_IF_NOT_LESS, HEADER + size_of_val(&self.spared[0]) as u32 + 1, 0, 3),
            op(LOAD_WORD, HEADER),
            jump(JUMP_IF_EQUAL, u32::from_be_bytes(self.spared[0]), 9, 0),
            jump(JUMP_IF_EQUAL, u32::from_be_bytes(self.spared[1]), 8, 0),
            op(LOAD_BYTE, HEADER),
            jump(JUMP_IF_EQUAL, self.first.into(), 3, 0),
            op(LOAD_WORD, RANDOM),
            op(AND, Sieve::ALL - 1),
            jump(JUMP_IF_NOT_LESS, self.of_rest, 4, 5),
            op(LOAD_WORD, RANDOM),
            op(AND, Sieve::ALL - 1),
            jump(JUMP_IF_NOT_LESS, self.of_second, 1, 0),
            op(RETURN, u32::MAX),
            op(RETURN, 0),
        ];
        match &self.loud {
            Some(loud) => code.extend(loud.program()),
            None => code.push(op(RETURN, u32::MAX)),
        }
        code
    }
}

impl Loud {
    /// Finds the source's hash, its word, and its bits in that.
    fn program(&self) -> Vec<sock_filter> {
        let key = self.sources.key;
        let v6 = hash_v6_source(key, HASH);
        let mut v4 = hash_v4_source(key, HASH).to_vec();
        v4.push(op(JUMP, v6.len() as u32));
        let mut code =
            vec![op(LOAD_BYTE, NET), op(SHIFT_RIGHT, 4), jump(JUMP_IF_EQUAL, 4, 0, v4.len() as u8)];
        code.extend(v4);
        code.extend(v6);
        code.push(op(LOAD_HALF, 0));
        code.extend(add_port(key, HASH));
        code.extend([op(STORE, HASH), op(SHIFT_RIGHT, WORD_SHIFT)]);
        code.extend(search(0, &self.sources.words[..], 0));
        code.push(op(STORE, WORD));
        for (number, shift) in BITS.into_iter().enumerate() {
            code.extend([op(LOAD, HASH), op(SHIFT_RIGHT, shift), op(AND, 31), op(TO_X, 0)]);
            code.extend([op(LOAD, WORD), op(SHIFT_RIGHT_BY_X, 0), op(AND, 1)]);
            // Over the other bits and the decision by chance.
            let rest = 8 * (BITS.len() - 1 - number) + 3;
            code.push(jump(JUMP_IF_EQUAL, 0, rest as u8, 0));
        }
        code.extend([
            op(LOAD_WORD, RANDOM),
            op(AND, Sieve::ALL - 1),
            jump(JUMP_IF_NOT_LESS, self.share, 1, 0),
            op(RETURN, u32::MAX),
            op(RETURN, 0),
        ]);
        code
    }
}

/// Replaces the number of a word, from `first` on, by the word, and goes on behind the `rest` that follows.
fn search(first: u32, words: &[u32], rest: u32) -> Vec<sock_filter> {
    if let [word, others @ ..] = words
        && others.iter().all(|other| other == word)
    {
        return vec![op(SET, *word), op(JUMP, rest)];
    }
    let (low, high) = words.split_at(words.len() / 2);
    let middle = first + low.len() as u32;
    let high = search(middle, high, rest);
    let low = search(first, low, rest + high.len() as u32);
    // Conditional jumps reach no further than 255.
    let mut code = match u8::try_from(low.len()) {
        Ok(len) => vec![jump(JUMP_IF_NOT_LESS, middle, len, 0)],
        Err(_) => vec![jump(JUMP_IF_NOT_LESS, middle, 0, 1), op(JUMP, low.len() as u32)],
    };
    code.extend(low);
    code.extend(high);
    code
}

impl Sources {
    /// These.
    pub fn of(sources: impl IntoIterator<Item = SocketAddr>) -> Self {
        let mut own = Self { key: Key::random(), words: Box::new([0; SOURCE_WORDS]) };
        for source in sources {
            let (word, bits) = own.place(source);
            own.words[word] |= bits;
        }
        own
    }

    /// True for one of them, and for some others.
    pub fn contains(&self, source: SocketAddr) -> bool {
        let (word, bits) = self.place(source);
        self.words[word] & bits == bits
    }

    fn place(&self, source: SocketAddr) -> (usize, u32) {
        let hash = hash_of(self.key, source);
        (
            (hash >> WORD_SHIFT) as usize,
            BITS.into_iter().fold(0, |bits, shift| bits | 1 << (hash >> shift & 31)),
        )
    }
}

impl std::fmt::Debug for Sources {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let bits: u32 = self.words.iter().map(|word| word.count_ones()).sum();
        write!(f, "Sources({bits} bits)")
    }
}

const HEADER: u32 = 8;

/// Scratch memory: the hash of the source, and its word.
const HASH: u32 = 0;
const WORD: u32 = 1;

/// Where in a hash the number of the word is, and where those of its bits are.
const WORD_SHIFT: u32 = 32 - SOURCE_WORDS.trailing_zeros();
const BITS: [u32; 3] = [0, 5, 10];
const _: () = assert!(SOURCE_WORDS.is_power_of_two() && WORD_SHIFT >= 15, "no bit of a hash is used twice");

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

/// Gives it this filter in the place of any other.
pub(crate) fn attach(socket: RawFd, program: &mut [sock_filter]) -> io::Result<()> {
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

    const NOTHING_BUT_SPARED: Sieve =
        Sieve { spared: [*b"!PIN", *b"!BEA"], first: b'!', of_second: 0, of_rest: 0, loud: None };

    /// What of these arrives at a socket with this filter, and what it says of its drops.
    fn sifted(sieve: &Sieve, sent: &[&[u8]]) -> (Vec<Vec<u8>>, SocketMemory) {
        let own = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = own.local_addr().unwrap();
        own.set_nonblocking(true).unwrap();
        let socket = Socket::new(OwnedFd::from(own.try_clone().unwrap()), address);
        let gauge = socket.gauge();
        apply(std::slice::from_ref(&socket), Some(sieve)).unwrap();
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
        let all: [&[u8]; 9] =
            [b"!PING", b"!P", b"hello", b"!JOIN X", b"!", b"P", b"\x21\x50 and more", b"x!PING", b"xPING"];
        let (heard, memory) = sifted(&Sieve { of_second: Sieve::ALL, ..NOTHING_BUT_SPARED }, &all);
        assert_eq!(heard, [&b"!PING"[..], b"!P", b"!JOIN X", b"!", b"!P and more"]);
        assert_eq!((memory.drops, memory.sifted), (0, 4));
    }

    #[test]
    fn heartbeats_pass_when_nothing_else_does() {
        let all: [&[u8]; 11] = [
            b"!PING",
            b"!JOIN X",
            b"",
            b"!",
            b"hello",
            b"!P",
            b"!PIN",
            b"!ping",
            b"!PING now",
            b"!BEAT",
            b"!BEA",
        ];
        let (heard, memory) = sifted(&NOTHING_BUT_SPARED, &all);
        assert_eq!(heard, [&b"!PING"[..], b"!PING now", b"!BEAT"]);
        assert_eq!((memory.drops, memory.sifted), (0, 8));
    }

    #[test]
    fn who_is_loud_is_heard_less() {
        for host in ["127.0.0.1:0", "[::1]:0"] {
            let own = UdpSocket::bind(host).unwrap();
            own.set_nonblocking(true).unwrap();
            let address = own.local_addr().unwrap();
            let socket = Socket::new(OwnedFd::from(own.try_clone().unwrap()), address);
            let clients: Vec<UdpSocket> = (0..200).map(|_| UdpSocket::bind(host).unwrap()).collect();
            let of = |client: &UdpSocket| client.local_addr().unwrap();
            let sources = Sources::of(clients[..150].iter().map(of));
            let loud = Some(Loud { sources: sources.clone(), share: 0 });
            let sieve = Sieve { of_second: Sieve::ALL, of_rest: Sieve::ALL, loud, ..NOTHING_BUT_SPARED };
            apply(std::slice::from_ref(&socket), Some(&sieve)).unwrap();
            let mut buffer = [0; 100];
            for client in &clients {
                for text in ["hello", "!PING", "!WHO"] {
                    client.send_to(text.as_bytes(), address).unwrap();
                }
                let heard: Vec<u8> =
                    std::iter::from_fn(|| own.recv(&mut buffer).ok().map(|_| buffer[1])).collect();
                let all: &[u8] = if sources.contains(of(client)) { b"PW" } else { b"ePW" };
                assert_eq!(heard, all, "{host}");
            }
            let quiet = clients[150..].iter().filter(|client| !sources.contains(of(client)));
            // One in 700 is taken for one of them.
            assert!(quiet.count() > 40 && clients[..150].iter().all(|client| sources.contains(of(client))));
        }
    }

    #[test]
    fn a_set_of_everybody_and_of_nobody_fits_into_a_filter() {
        let of = |words| Loud {
            sources: Sources { key: Key::random(), words: Box::new(words) },
            share: Sieve::ALL / 2,
        };
        let random = std::array::from_fn(|word| {
            hash_of(Key { address: 3, port: 5 }, SocketAddr::from(([1, 2, 3, 4], word as u16)))
        });
        for loud in [of([0; SOURCE_WORDS]), of([u32::MAX; SOURCE_WORDS]), of(random)] {
            let len = Sieve { loud: Some(loud.clone()), ..NOTHING_BUT_SPARED }.program().len();
            // Twice in 20,480 bytes, which is what older kernels grant a socket; 8 bytes an instruction.
            assert!(len * 8 * 2 < 20_480, "{len}");
            sifted(&Sieve { loud: Some(loud), of_rest: Sieve::ALL, ..NOTHING_BUT_SPARED }, &[b"hello"]);
        }
    }

    #[test]
    fn a_share_passes_by_chance() {
        let some = Sieve { of_rest: Sieve::ALL / 4, ..NOTHING_BUT_SPARED };
        let mut sent = vec![&b"hello"[..]; 200];
        sent.extend([&b"!JOIN X"[..]; 50]);
        let (heard, memory) = sifted(&some, &sent);
        // 50 on average; that far from it once in 10^9 runs.
        assert!((12..100).contains(&heard.len()), "{}", heard.len());
        assert_eq!(memory.sifted as usize, sent.len() - heard.len());
        let (heard, _) = sifted(&Sieve { of_rest: Sieve::ALL, of_second: Sieve::ALL, ..some }, &sent);
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
