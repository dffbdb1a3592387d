//! Which of an address' sockets a client's datagrams reach: always the same one, whichever address it
//! speaks to.

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
pub(crate) fn attach(socket: RawFd, shards: usize) -> io::Result<()> {
    let mut code = program(shards as u32);
    let filter = sock_fprog { len: code.len() as u16, filter: code.as_mut_ptr() };
    set_option(socket, libc::SOL_SOCKET, libc::SO_ATTACH_REUSEPORT_CBPF, &filter)
}

// Multipliers with well-mixed bits: 2^32 / golden ratio, and the two of MurmurHash3's finaliser.
const GOLDEN: u32 = 0x9E37_79B1;
const MIX1: u32 = 0x85EB_CA6B;
const MIX2: u32 = 0xC2B2_AE35;
/// Loads from here on are relative to the IP header.
const NET: u32 = libc::SKF_NET_OFF as u32;

const LOAD_WORD: u16 = 0x20; // BPF_LD | BPF_W | BPF_ABS
const LOAD_BYTE: u16 = 0x30; // BPF_LD | BPF_B | BPF_ABS
const LOAD_PORT: u16 = 0x48; // BPF_LD | BPF_H | BPF_IND
const SET_X: u16 = 0x01; // BPF_LDX | BPF_IMM
const LOAD_X: u16 = 0x61; // BPF_LDX | BPF_MEM
const STORE: u16 = 0x02; // BPF_ST
const STORE_X: u16 = 0x03; // BPF_STX
const MULTIPLY: u16 = 0x24;
const MODULO: u16 = 0x94;
const AND: u16 = 0x54;
const SHIFT_LEFT: u16 = 0x64;
const SHIFT_RIGHT: u16 = 0x74;
const ADD_X: u16 = 0x0c;
const XOR_X: u16 = 0xac;
const JUMP_IF_EQUAL: u16 = 0x15;
const JUMP: u16 = 0x05;
const TO_X: u16 = 0x07;
const RETURN_A: u16 = 0x16;

/// Scratch memory: the hash of the address, the length of the IP header.
const HASH: u32 = 0;
const HEADER: u32 = 1;

fn program(shards: u32) -> Vec<sock_filter> {
    let v6 = hash_v6();
    let v4 = hash_v4(v6.len() as u32);
    let mut code = vec![op(LOAD_BYTE, NET), op(SHIFT_RIGHT, 4)];
    code.push(sock_filter { code: JUMP_IF_EQUAL, jt: 0, jf: v4.len() as u8, k: 4 });
    code.extend(v4);
    code.extend(v6);
    code.extend(finish(shards));
    code
}

fn op(code: u16, k: u32) -> sock_filter {
    sock_filter { code, jt: 0, jf: 0, k }
}

/// Leaves the source address in HASH and the length of the header, options included, in HEADER.
fn hash_v4(skip: u32) -> Vec<sock_filter> {
    vec![
        op(LOAD_BYTE, NET),
        op(AND, 0x0f),
        op(SHIFT_LEFT, 2),
        op(STORE, HEADER),
        op(LOAD_WORD, NET + 12),
        op(MULTIPLY, GOLDEN),
        op(STORE, HASH),
        op(JUMP, skip),
    ]
}

/// The same for the four words of an IPv6 source; extension headers are as rare as they are unwelcome here.
fn hash_v6() -> Vec<sock_filter> {
    let mut code = vec![op(SET_X, 40), op(STORE_X, HEADER), op(SET_X, 0)];
    for word in 0..4 {
        code.extend([op(LOAD_WORD, NET + 8 + 4 * word), op(XOR_X, 0), op(MULTIPLY, GOLDEN)]);
        code.extend(fold(15));
        code.extend([op(STORE, HASH), op(TO_X, 0)]);
    }
    code
}

/// A ^= A >> shift.
fn fold(shift: u32) -> [sock_filter; 3] {
    [op(TO_X, 0), op(SHIFT_RIGHT, shift), op(XOR_X, 0)]
}

/// Adds the source port, mixes, and reduces to a shard.
fn finish(shards: u32) -> Vec<sock_filter> {
    let mut code = vec![op(LOAD_X, HEADER), op(LOAD_PORT, NET), op(LOAD_X, HASH), op(ADD_X, 0)];
    for (shift, multiplier) in [(15, MIX1), (13, MIX2)] {
        code.extend(fold(shift));
        code.push(op(MULTIPLY, multiplier));
    }
    code.extend(fold(16));
    code.extend([op(MODULO, shards), op(RETURN_A, 0)]);
    code
}
