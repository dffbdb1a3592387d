//! Every bound of a driver that its owner must keep, or may build on, with its reason.

use std::ops::RangeInclusive;

use crate::batch::Batch;

/// Sockets of one [`Uring`](crate::Uring) or [`Mmsg`](crate::Mmsg), at most: the ready ones are kept in a bit mask.
pub const MAX_SOCKETS: usize = u64::BITS as usize;

/// Sockets of one [`Epoll`](crate::Epoll), at most: all that a [`SocketIndex`](crate::SocketIndex) can name.
pub const MAX_EPOLL_SOCKETS: usize = u16::MAX as usize + 1;

/// Receive buffers of one driver, a power of two. The largest number is the kernel's for a provided buffer ring.
pub const BUFFERS: RangeInclusive<u16> = 64..=32_768;

/// Datagrams of one run, at most: UDP_MAX_SEGMENTS of kernels before 6.9 (128 from there on).
pub const RUN_DATAGRAMS: usize = 64;

/// Bytes of one run, and of one datagram, at most. The largest UDP payload over IPv4: 65,535 less the IP and UDP
/// headers.
pub const RUN_BYTES: usize = 65_507;

/// Words of 32 bits in a set of [`Sources`](crate::Sources), a power of two: a filter that looks them up is some 850 instructions
/// long, and two of them, the old and the new, fit into what older kernels grant a socket (20,480 bytes). Of others, one in
/// 1,500 is taken for one of a hundred sources, one in 23 for one of a thousand.
pub const SOURCE_WORDS: usize = 256;

const _: () =
    assert!(MAX_SOCKETS <= u8::MAX as usize + 1, "who has so few sockets may keep their index in a u8");
const _: () = assert!(RUN_DATAGRAMS <= Batch::CAPACITY, "an empty batch has room for any run");
