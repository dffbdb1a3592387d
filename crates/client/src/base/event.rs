//! What a client reports to whoever runs it.

use std::time::Duration;

use wire::{GroupId, Refusal};

use super::Request;

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Another member of the group sent this: foreign bytes, print them through [`crate::harmless()`].
    Text {
        /// The group that the client believed to be in.
        group: Option<GroupId>,
        /// The payload, byte for byte.
        bytes: Vec<u8>,
    },
    /// The relay made a group.
    Created(GroupId),
    /// The client is a member now.
    Joined {
        /// Of this group.
        group: GroupId,
        /// The client did it by itself after it had lost its membership.
        again: bool,
    },
    /// The client is no member of this group any more, as it wished.
    Left(GroupId),
    /// The group has so many members.
    Members {
        /// The client's group.
        group: GroupId,
        /// The client included.
        count: u32,
    },
    /// A ping that was asked for is answered.
    Alive {
        /// Unknown if the ping had to be repeated.
        round_trip: Option<Duration>,
        /// The interval that the relay suggests.
        heartbeat: Duration,
    },
    /// The relay said no.
    Refused {
        /// What was asked.
        request: Request,
        /// Its reason.
        refusal: Refusal,
    },
    /// The relay said no, in words that this client does not know.
    RefusedOtherwise {
        /// What was asked.
        request: Request,
        /// The whole answer: foreign bytes.
        answer: Vec<u8>,
    },
    /// A request that was asked for stayed without an answer.
    NoAnswer {
        /// What was asked.
        request: Request,
        /// How often.
        tries: u32,
    },
    /// The relay no longer has the client in this group; joining it again is tried.
    Lost {
        /// The group.
        group: GroupId,
        /// Something was sent since the membership was last confirmed.
        unsure: bool,
    },
    /// The relay has the client in another group than it believed; it believes that now.
    Corrected(GroupId),
    /// Two different answers to one `CREATE`: a member of the group forged one of them.
    CreatedTwice {
        /// The first answer.
        first: GroupId,
        /// The second answer.
        second: GroupId,
    },
    /// The relay does not answer the client's own requests. Told once, until [`Event::Answers`].
    Silent,
    /// The operating system says that nobody listens there. Told once, until [`Event::Answers`].
    Unreachable,
    /// Something arrived from the relay again.
    Answers,
}

/// What a client knows without asking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// The membership that the relay last acknowledged.
    pub group: Option<GroupId>,
    /// The interval that the relay last suggested.
    pub heartbeat: Option<Duration>,
    /// Time until the next heartbeat, for a member.
    pub next_ping: Option<Duration>,
    /// The last requests stayed without an answer.
    pub silent: bool,
}
