//! What happens to connections, in the words that their owner hears.

use std::net::SocketAddr;
use std::ops::Range;

/// Which connection. None is ever taken for an earlier one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId {
    pub(super) slot: u32,
    pub(super) serial: u32,
}

/// Where a message lies; [`Streams::bytes`](super::Streams::bytes) has it until the next exchange.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    pub(super) at: Range<u32>,
}

/// Something that happened in this turn. A connection's events come in order, from `Opened` to `Closed`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Somebody is connected.
    Opened {
        /// From now on.
        connection: ConnectionId,
        /// The peer's address.
        source: SocketAddr,
        /// The address that it reached.
        local: SocketAddr,
    },
    /// One message of 1 to [`LARGEST_MESSAGE`](super::limits::LARGEST_MESSAGE) bytes.
    Message {
        /// Who sent it.
        connection: ConnectionId,
        /// Where it lies.
        message: Message,
    },
    /// A message was longer, and is skipped.
    TooLarge {
        /// Who sent it.
        connection: ConnectionId,
    },
    /// The connection is over. What was sent before still goes to a peer that only has nothing more to say. There is no such event
    /// for one that the owner has closed.
    Closed {
        /// It means nobody any more.
        connection: ConnectionId,
        /// Why.
        why: Ending,
    },
}

/// Why a connection ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ending {
    /// The peer has nothing more to say.
    Peer,
    /// The peer broke it off (ECONNRESET, EPIPE).
    Reset,
    /// The peer cannot be reached any more (ETIMEDOUT, EHOSTUNREACH and the like).
    Vanished,
    /// No whole message came in time.
    Silent,
    /// It has said nothing for too long.
    Idle,
    /// Its address is not welcome any more.
    Denied,
    /// It left its control messages unread for too long.
    Deaf,
    /// More control messages were meant for it than a queue may hold.
    Overrun,
    /// The owner closed it.
    Asked,
    /// The kernel had something else against it.
    Failed,
}

impl Ending {
    /// All of them, in the order of [`Ending::index`].
    pub const ALL: [Ending; 10] = [
        Self::Peer,
        Self::Reset,
        Self::Vanished,
        Self::Silent,
        Self::Idle,
        Self::Denied,
        Self::Deaf,
        Self::Overrun,
        Self::Asked,
        Self::Failed,
    ];

    /// Position in [`Ending::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }

    /// Its name as a metric's label.
    pub fn label(self) -> &'static str {
        match self {
            Self::Peer => "peer",
            Self::Reset => "reset",
            Self::Vanished => "vanished",
            Self::Silent => "silent",
            Self::Idle => "idle",
            Self::Denied => "denied",
            Self::Deaf => "deaf",
            Self::Overrun => "overrun",
            Self::Asked => "asked",
            Self::Failed => "failed",
        }
    }
}

/// Why somebody who connected was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NoRoom {
    /// There are as many connections as there may be.
    InAll,
    /// Its address has as many as it may have.
    Address,
    /// Its prefix has as many as it may have: its /24 or /64, or its /48 of IPv6.
    Prefix,
    /// The process or the system has no descriptor left, or no memory for it.
    Descriptors,
    /// Its address is not welcome.
    Denied,
}

impl NoRoom {
    /// All of them, in the order of [`NoRoom::index`].
    pub const ALL: [NoRoom; 5] = [Self::InAll, Self::Address, Self::Prefix, Self::Descriptors, Self::Denied];

    /// Position in [`NoRoom::ALL`].
    pub fn index(self) -> usize {
        self as usize
    }

    /// Its name as a metric's label.
    pub fn label(self) -> &'static str {
        match self {
            Self::InAll => "in_all",
            Self::Address => "address",
            Self::Prefix => "prefix",
            Self::Descriptors => "descriptors",
            Self::Denied => "denied",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_where_its_index_says_and_has_its_own_name() {
        assert!(Ending::ALL.iter().enumerate().all(|(at, why)| why.index() == at));
        assert!(NoRoom::ALL.iter().enumerate().all(|(at, why)| why.index() == at));
        let mut names: Vec<_> =
            Ending::ALL.map(Ending::label).into_iter().chain(NoRoom::ALL.map(NoRoom::label)).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len() + 1, Ending::ALL.len() + NoRoom::ALL.len(), "who is denied may have been in");
    }
}
