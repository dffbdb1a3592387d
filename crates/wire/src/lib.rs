//! What the bytes mean: the relay's text protocol over UDP, without I/O, clock or allocation.
//!
//! **[`decode()`] turns a client's datagram into a [`Message`]; [`Reply`] turns the relay's answers into bytes and back.**
//! The protocol is described in `docs/protocol.md`.
#![no_std]

#[cfg(test)]
extern crate std;

mod cookie;
mod decode;
mod group_id;
mod reply;
mod text;

pub use cookie::{Cookie, Proof};
pub use decode::{Argument, Command, Message, decode, looks_like_reply};
pub use group_id::{GroupId, InvalidGroupId};
pub use reply::{Heartbeat, Refusal, Reply, Usage};
pub use text::Text;

/// The longest datagram that is not refused, in bytes.
pub const MAX_DATAGRAM: usize = 4096;
