//! Which of an address' sockets a client's datagrams reach: always the same one, whichever address it
//! speaks to.

use std::hash::{BuildHasher, RandomState};
use std::io;
use std::os::fd::RawFd;

use nix::libc::{self, sock_filter, sock_fprog};

use crate::socket::set_option;

/// How clients are spread over the sockets of one address.
#[derive(Debug)]
pub enum Steering {
    /// One socket receives everything.
    Single,
    /// By a hash of the client's address and port alone.
    BySource,
    /// By the kernel's hash of both ends, because the filter was refused: a client that speaks to two
    /// addresses of the relay may reach two shards.
    ByKernel(io::Error),
}

/// Attaches the filter to the group of sockets that share this one's address. Its result is their order of
/// binding.
pub(crate) fn attach(socket: RawFd, shards: usize, key: Key) -> io::Result<()> {
    let mut code = program(shards as u32, key);
    let filter = sock_fprog { len: code.len() as u16, filter: code.as_mut_ptr() };
    set_option(socket, libc::SOL_SOCKET, libc::SO_ATTACH_REUSEPORT_CBPF, &filter)
}

/// Odd multipliers of addresses and ports, different at each start: with known ones an attacker could choose addresses and
/// ports that all reach one shard, and fill that one alone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key {
    address: u32,
    port: u32,
}

impl Key {
    pub fn random() -> Self {
        // Its keys are the operating system's.
        let bits = RandomState::new().hash_one(0u8);
        Self { address: bits as u32 | 1, port: (bits >> 32) as u32 | 1 }
    }
}

// The multipliers of MurmurHash3's finaliser.
const MIX1: u32 = 0x85EB_CA6B;
const MIX2: u32 = 0xC2B2_AE35;
/// Loads from here on are relative to the IP header.
const NET: u32 = libc::SKF_NET_OFF as u32;

const LOAD_WORD: u16 = 0x20; // BPF_LD | BPF_W | BPF_ABS
const LOAD_BYTE: u16 = 0x30; // BPF_LD | BPF_B | BPF_ABS
const LOAD_BYTE_AT_X: u16 = 0x50; // BPF_LD | BPF_B | BPF_IND
const LOAD_PORT: u16 = 0x48; // BPF_LD | BPF_H | BPF_IND
const LOAD: u16 = 0x60; // BPF_LD | BPF_MEM
const SET_X: u16 = 0x01; // BPF_LDX | BPF_IMM
const LOAD_X: u16 = 0x61; // BPF_LDX | BPF_MEM
const STORE: u16 = 0x02; // BPF_ST
const STORE_X: u16 = 0x03; // BPF_STX
const MULTIPLY: u16 = 0x24;
const MODULO: u16 = 0x94;
const AND: u16 = 0x54;
const SHIFT_LEFT: u16 = 0x64;
const SHIFT_RIGHT: u16 = 0x74;
const ADD: u16 = 0x04;
const ADD_X: u16 = 0x0c;
const XOR_X: u16 = 0xac;
const JUMP_IF_EQUAL: u16 = 0x15;
const JUMP: u16 = 0x05;
const TO_X: u16 = 0x07;
const RETURN_A: u16 = 0x16;

/// Scratch memory: the hash of the address, the length of the IP headers, what kind of header comes next.
const HASH: u32 = 0;
const HEADER: u32 = 1;
const NEXT: u32 = 2;

/// IPv6 extension headers that are stepped over, at most; nobody sends as many.
const EXTENSIONS: u32 = 4;

fn program(shards: u32, key: Key) -> Vec<sock_filter> {
    let v6 = hash_v6(key);
    let v4 = hash_v4(key, v6.len() as u32);
    let mut code = vec![op(LOAD_BYTE, NET), op(SHIFT_RIGHT, 4)];
    code.push(sock_filter { code: JUMP_IF_EQUAL, jt: 0, jf: v4.len() as u8, k: 4 });
    code.extend(v4);
    code.extend(v6);
    code.extend(finish(shards, key));
    code
}

fn op(code: u16, k: u32) -> sock_filter {
    sock_filter { code, jt: 0, jf: 0, k }
}

/// Leaves the source address in HASH and the length of the header, options included, in HEADER.
fn hash_v4(key: Key, skip: u32) -> Vec<sock_filter> {
    vec![
        op(LOAD_BYTE, NET),
        op(AND, 0x0f),
        op(SHIFT_LEFT, 2),
        op(STORE, HEADER),
        op(LOAD_WORD, NET + 12),
        op(MULTIPLY, key.address),
        op(STORE, HASH),
        op(JUMP, skip),
    ]
}

/// The same for the four words of an IPv6 source, and for its header with extensions.
fn hash_v6(key: Key) -> Vec<sock_filter> {
    let mut code = vec![op(SET_X, 40), op(STORE_X, HEADER), op(LOAD_BYTE, NET + 6), op(STORE, NEXT)];
    for left in (0..EXTENSIONS).rev() {
        code.extend(step_over_extension(left));
    }
    code.push(op(SET_X, 0));
    for word in 0..4 {
        code.extend([op(LOAD_WORD, NET + 8 + 4 * word), op(XOR_X, 0), op(MULTIPLY, key.address)]);
        code.extend(fold(15));
        code.extend([op(STORE, HASH), op(TO_X, 0)]);
    }
    code
}

/// Adds one extension header's length to HEADER. Where there is none, those that are `left` are skipped.
fn step_over_extension(left: u32) -> Vec<sock_filter> {
    let step = [
        op(LOAD_X, HEADER),
        op(LOAD_BYTE_AT_X, NET),
        op(STORE, NEXT),
        op(LOAD_BYTE_AT_X, NET + 1),
        op(ADD, 1),
        op(SHIFT_LEFT, 3),
        op(ADD_X, 0),
        op(STORE, HEADER),
    ];
    let kinds = [libc::IPPROTO_HOPOPTS, libc::IPPROTO_ROUTING, libc::IPPROTO_DSTOPTS];
    let rest = left * (1 + kinds.len() as u32 + step.len() as u32);
    let mut code = vec![op(LOAD, NEXT)];
    for (at, kind) in kinds.iter().enumerate() {
        let to_step = (kinds.len() - 1 - at) as u8;
        let otherwise = if to_step == 0 { (step.len() as u32 + rest) as u8 } else { 0 };
        code.push(sock_filter { code: JUMP_IF_EQUAL, jt: to_step, jf: otherwise, k: *kind as u32 });
    }
    code.extend(step);
    code
}

/// A ^= A >> shift.
fn fold(shift: u32) -> [sock_filter; 3] {
    [op(TO_X, 0), op(SHIFT_RIGHT, shift), op(XOR_X, 0)]
}

/// Adds the source port, mixes, and reduces to a shard.
fn finish(shards: u32, key: Key) -> Vec<sock_filter> {
    let mut code =
        vec![op(LOAD_X, HEADER), op(LOAD_PORT, NET), op(MULTIPLY, key.port), op(LOAD_X, HASH), op(ADD_X, 0)];
    for (shift, multiplier) in [(15, MIX1), (13, MIX2)] {
        code.extend(fold(shift));
        code.push(op(MULTIPLY, multiplier));
    }
    code.extend(fold(16));
    code.extend([op(MODULO, shards), op(RETURN_A, 0)]);
    code
}
