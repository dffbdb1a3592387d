//! Words of classic BPF, the language of socket filters, and sentences that more than one of them has.

use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, SocketAddr};

use nix::libc::{self, sock_filter};

pub const LOAD_WORD: u16 = 0x20; // BPF_LD | BPF_W | BPF_ABS
pub const LOAD_HALF: u16 = 0x28; // BPF_LD | BPF_H | BPF_ABS
pub const LOAD_BYTE: u16 = 0x30; // BPF_LD | BPF_B | BPF_ABS
pub const LOAD_HALF_AT_X: u16 = 0x48; // BPF_LD | BPF_H | BPF_IND
pub const LOAD_BYTE_AT_X: u16 = 0x50; // BPF_LD | BPF_B | BPF_IND
pub const LOAD_LENGTH: u16 = 0x80; // BPF_LD | BPF_W | BPF_LEN
pub const SET: u16 = 0x00; // BPF_LD | BPF_IMM
pub const SET_X: u16 = 0x01; // BPF_LDX | BPF_IMM
pub const LOAD: u16 = 0x60; // BPF_LD | BPF_MEM
pub const LOAD_X: u16 = 0x61; // BPF_LDX | BPF_MEM
pub const STORE: u16 = 0x02; // BPF_ST
pub const STORE_X: u16 = 0x03; // BPF_STX
pub const TO_X: u16 = 0x07; // BPF_MISC | BPF_TAX
pub const ADD: u16 = 0x04;
pub const ADD_X: u16 = 0x0c;
pub const MULTIPLY: u16 = 0x24;
pub const AND: u16 = 0x54;
pub const SHIFT_LEFT: u16 = 0x64;
pub const SHIFT_RIGHT: u16 = 0x74;
pub const SHIFT_RIGHT_BY_X: u16 = 0x7c;
pub const MODULO: u16 = 0x94;
pub const XOR_X: u16 = 0xac;
pub const JUMP: u16 = 0x05;
pub const JUMP_IF_EQUAL: u16 = 0x15;
pub const JUMP_IF_NOT_LESS: u16 = 0x35;
pub const RETURN: u16 = 0x06;
pub const RETURN_A: u16 = 0x16;

/// Loads from here on are relative to the IP header.
pub const NET: u32 = libc::SKF_NET_OFF as u32;

/// A load from here is a random word.
pub const RANDOM: u32 = (libc::SKF_AD_OFF + SKF_AD_RANDOM) as u32;
const SKF_AD_RANDOM: i32 = 56;

// The multipliers of MurmurHash3's finaliser.
const MIX: [(u32, u32); 2] = [(15, 0x85EB_CA6B), (13, 0xC2B2_AE35)];

pub fn op(code: u16, k: u32) -> sock_filter {
    sock_filter { code, jt: 0, jf: 0, k }
}

pub fn jump(code: u16, k: u32, jt: u8, jf: u8) -> sock_filter {
    sock_filter { code, jt, jf, k }
}

/// Odd multipliers of addresses and ports, different at each use: with known ones an attacker could choose addresses and
/// ports that hash alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    pub address: u32,
    pub port: u32,
}

impl Key {
    pub fn random() -> Self {
        // Its keys are the operating system's.
        let bits = RandomState::new().hash_one(0u8);
        Self { address: bits as u32 | 1, port: (bits >> 32) as u32 | 1 }
    }
}

/// A ^= A >> shift.
pub fn fold(shift: u32) -> [sock_filter; 3] {
    [op(TO_X, 0), op(SHIFT_RIGHT, shift), op(XOR_X, 0)]
}

/// Stores the hash of an IPv6 source in `at`.
pub fn hash_v6_source(key: Key, at: u32) -> Vec<sock_filter> {
    let mut code = vec![op(SET_X, 0)];
    for word in 0..4 {
        code.extend([op(LOAD_WORD, NET + 8 + 4 * word), op(XOR_X, 0), op(MULTIPLY, key.address)]);
        code.extend(fold(15));
        code.extend([op(STORE, at), op(TO_X, 0)]);
    }
    code
}

/// Stores the hash of an IPv4 source in `at`.
pub fn hash_v4_source(key: Key, at: u32) -> [sock_filter; 3] {
    [op(LOAD_WORD, NET + 12), op(MULTIPLY, key.address), op(STORE, at)]
}

/// Makes of a source's hash, stored in `at`, and of its port, which is in A, the hash of both, in A.
pub fn add_port(key: Key, at: u32) -> Vec<sock_filter> {
    let mut code = vec![op(MULTIPLY, key.port), op(LOAD_X, at), op(ADD_X, 0)];
    for (shift, multiplier) in MIX {
        code.extend(fold(shift));
        code.push(op(MULTIPLY, multiplier));
    }
    code.extend(fold(16));
    code
}

/// The same hash, outside of a filter.
pub fn hash_of(key: Key, source: SocketAddr) -> u32 {
    let folded = |hash: u32, shift: u32| hash ^ (hash >> shift);
    let address =
        match source.ip() {
            IpAddr::V4(ip) => ip.to_bits().wrapping_mul(key.address),
            IpAddr::V6(ip) => ip.octets().as_chunks().0.iter().fold(0, |hash, word| {
                folded((u32::from_be_bytes(*word) ^ hash).wrapping_mul(key.address), 15)
            }),
        };
    let hash = u32::from(source.port()).wrapping_mul(key.port).wrapping_add(address);
    folded(
        MIX.iter().fold(hash, |hash, (shift, multiplier)| folded(hash, *shift).wrapping_mul(*multiplier)),
        16,
    )
}
