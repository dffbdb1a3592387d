//! Which of an address' sockets a client's datagrams reach: always the same one, whichever address it
//! speaks to.

use std::io;
use std::net::SocketAddr;
use std::os::fd::RawFd;

use nix::libc::{self, sock_filter, sock_fprog};

use crate::cbpf::{
    ADD, ADD_X, AND, JUMP, JUMP_IF_EQUAL, Key, LOAD, LOAD_BYTE, LOAD_BYTE_AT_X, LOAD_HALF_AT_X, LOAD_X,
    MODULO, NET, RETURN_A, SET, SET_X, SHIFT_LEFT, SHIFT_RIGHT, STORE, STORE_X, add_port, hash_of,
    hash_v4_source, hash_v6_source, jump, op,
};
use crate::socket::set_option;

/// How clients are spread over the sockets of one address.
#[derive(Debug)]
pub enum Steering {
    /// One socket receives everything.
    Single,
    /// By a hash of the client's address and port alone. Home counts the sockets in the order in which they were bound.
    BySource(Home),
    /// By the kernel's hash of both ends, because the filter was refused: a client that speaks to two
    /// addresses of the relay may reach two shards.
    ByKernel(io::Error),
}

/// Tells to which shard the filter steers a client. A sender of IPv6 can put more headers in front of its port than the filter
/// steps over, and so reach another shard: see [`Home::of`].
#[derive(Clone, Copy, Debug)]
pub struct Home {
    key: Key,
    shards: u32,
}

impl Home {
    pub(crate) fn new(shards: usize, key: Key) -> Self {
        Self { key, shards: shards as u32 }
    }

    /// The shard that this source's datagrams reach, as long as the filter finds their port.
    pub fn of(&self, source: SocketAddr) -> usize {
        (hash_of(self.key, source) % self.shards) as usize
    }
}

/// Attaches the filter to the group of sockets that share this one's address. Its result is their order of
/// binding.
pub(crate) fn attach(socket: RawFd, shards: usize, key: Key) -> io::Result<()> {
    let mut code = program(shards as u32, key);
    let filter = sock_fprog { len: code.len() as u16, filter: code.as_mut_ptr() };
    set_option(socket, libc::SOL_SOCKET, libc::SO_ATTACH_REUSEPORT_CBPF, &filter)
}

/// Scratch memory: the hash of the address, the length of the IP headers, what kind of header comes next, this one's length.
const HASH: u32 = 0;
const HEADER: u32 = 1;
const NEXT: u32 = 2;
const LENGTH: u32 = 3;

/// IPv6 extension headers that are stepped over, at most; nobody honest sends as many.
const EXTENSIONS: u32 = 4;
/// The length of a fragment header. The kernel takes it off what it puts together, but not off a datagram that is all of its
/// fragments: hosts behind a translator of addresses send such (RFC 6946).
const FRAGMENT: u32 = 8;

fn program(shards: u32, key: Key) -> Vec<sock_filter> {
    let v6 = hash_v6(key);
    let v4 = hash_v4(key, v6.len() as u32);
    let mut code = vec![op(LOAD_BYTE, NET), op(SHIFT_RIGHT, 4)];
    code.push(jump(JUMP_IF_EQUAL, 4, 0, v4.len() as u8));
    code.extend(v4);
    code.extend(v6);
    code.extend(finish(shards, key));
    code
}

/// Leaves the source address in HASH and the length of the header, options included, in HEADER.
fn hash_v4(key: Key, skip: u32) -> Vec<sock_filter> {
    let mut code = vec![op(LOAD_BYTE, NET), op(AND, 0x0f), op(SHIFT_LEFT, 2), op(STORE, HEADER)];
    code.extend(hash_v4_source(key, HASH));
    code.push(op(JUMP, skip));
    code
}

/// The same for the four words of an IPv6 source, and for its header with extensions.
fn hash_v6(key: Key) -> Vec<sock_filter> {
    let mut code = vec![op(SET_X, 40), op(STORE_X, HEADER), op(LOAD_BYTE, NET + 6), op(STORE, NEXT)];
    for left in (0..EXTENSIONS).rev() {
        code.extend(step_over_extension(left));
    }
    code.extend(hash_v6_source(key, HASH));
    code
}

/// Adds one extension header's length to HEADER. Where there is none, those that are `left` are skipped.
fn step_over_extension(left: u32) -> Vec<sock_filter> {
    let fragment = libc::IPPROTO_FRAGMENT as u32;
    let step = [
        op(LOAD_X, HEADER),
        // A fragment header's second byte is no length, and may be anything.
        jump(JUMP_IF_EQUAL, fragment, 0, 2),
        op(SET, FRAGMENT),
        op(JUMP, 3),
        op(LOAD_BYTE_AT_X, NET + 1),
        op(ADD, 1),
        op(SHIFT_LEFT, 3),
        op(STORE, LENGTH),
        op(LOAD_BYTE_AT_X, NET),
        op(STORE, NEXT),
        op(LOAD, LENGTH),
        op(ADD_X, 0),
        op(STORE, HEADER),
    ];
    let kinds = [libc::IPPROTO_HOPOPTS, libc::IPPROTO_ROUTING, libc::IPPROTO_DSTOPTS, fragment as i32];
    let rest = left * (1 + kinds.len() as u32 + step.len() as u32);
    let mut code = vec![op(LOAD, NEXT)];
    for (at, kind) in kinds.iter().enumerate() {
        let to_step = (kinds.len() - 1 - at) as u8;
        let otherwise = if to_step == 0 { (step.len() as u32 + rest) as u8 } else { 0 };
        code.push(jump(JUMP_IF_EQUAL, *kind as u32, to_step, otherwise));
    }
    code.extend(step);
    code
}

/// Adds the source port, mixes, and reduces to a shard.
fn finish(shards: u32, key: Key) -> Vec<sock_filter> {
    let mut code = vec![op(LOAD_X, HEADER), op(LOAD_HALF_AT_X, NET)];
    code.extend(add_port(key, HASH));
    code.extend([op(MODULO, shards), op(RETURN_A, 0)]);
    code
}
