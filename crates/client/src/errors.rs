//! Why something was not taken.

use crate::request::NAME_RULE;

/// Why nothing was asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Another request waits for its answer, or the relay is being looked for: ask again later.
    #[error("another request waits for its answer")]
    Busy,
    /// The relay has no names, messages or presence.
    #[error("this relay has no names: it speaks the base protocol only")]
    BaseOnly,
    /// Nobody can be called so.
    #[error("{}", NAME_RULE)]
    BadName,
    /// Nobody talks to himself directly.
    #[error("that is your own name")]
    OwnName,
}

/// Why a message was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// The relay has no names, or is still being looked for.
    #[error("this relay has no names: it speaks the base protocol only")]
    BaseOnly,
    /// The relay is still being looked for.
    #[error("the relay has not answered yet")]
    NoContact,
    /// The sender has no name.
    #[error("you have no name: register one first")]
    NotRegistered,
    /// Nobody can be called so.
    #[error("{}", NAME_RULE)]
    BadName,
    /// Nothing to send.
    #[error("an empty message is not sent")]
    Empty,
    /// With its head it does not fit a datagram.
    #[error("{len} bytes are more than the {room} that a message to that name may have")]
    TooLarge {
        /// Bytes given.
        len: usize,
        /// Bytes that fit.
        room: usize,
    },
    /// Too many messages wait already.
    #[error("too many messages wait for an answer")]
    Full,
    /// The client is saying goodbye.
    #[error("the client is leaving")]
    Leaving,
}
