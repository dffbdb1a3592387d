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
mod heartbeat;
mod message_id;
mod notice;
mod people;
mod refusal;
mod reply;
mod text;
mod token;

pub use cookie::{Cookie, Proof};
pub use decode::{Argument, Command, Fields, Hello, Message, Person, Resume, decode, looks_like_reply};
pub use group_id::{GroupId, InvalidGroupId};
pub use heartbeat::Heartbeat;
pub use message_id::MessageId;
pub use notice::{Entries, News, Notice, Sender};
pub use people::{Ack, Letter, Register};
pub use refusal::{Refusal, Usage};
pub use reply::{Form, Reply};
pub use text::Text;
pub use token::Token;

/// The longest datagram that is not refused, in bytes.
pub const MAX_DATAGRAM: usize = 4096;
