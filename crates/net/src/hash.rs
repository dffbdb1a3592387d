//! Cheap hashes of addresses, for tables in which a collision costs time and nothing else.

use std::net::{IpAddr, SocketAddr};

// 2^64 / golden ratio, and a multiplier of MurmurHash3's finaliser.
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;
const MIX: u64 = 0xFF51_AFD7_ED55_8CCD;

pub(crate) fn of_ip(ip: IpAddr) -> u64 {
    match ip {
        IpAddr::V4(v4) => mix(u64::from(v4.to_bits())),
        IpAddr::V6(v6) => {
            let bits = v6.to_bits();
            mix(mix((bits >> 64) as u64) ^ bits as u64)
        }
    }
}

pub(crate) fn of_address(address: SocketAddr) -> u64 {
    match address {
        SocketAddr::V4(v4) => mix(u64::from(v4.ip().to_bits()) << 16 | u64::from(v4.port())),
        SocketAddr::V6(v6) => mix(of_ip((*v6.ip()).into()) ^ u64::from(v6.port())),
    }
}

fn mix(word: u64) -> u64 {
    let word = (word ^ GOLDEN).wrapping_mul(MIX);
    (word ^ (word >> 32)).wrapping_mul(GOLDEN)
}
