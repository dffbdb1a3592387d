//! What a talk has to show.

use client::{Event, Status};
use wire::{GroupId, MessageId};

use crate::{Hint, Mark};

/// Something to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// From the client.
    Event(Event),
    /// A text has left for the group.
    Said {
        /// Which.
        group: Option<GroupId>,
        /// The text.
        bytes: Vec<u8>,
    },
    /// A message to one person is taken, and on its way.
    Written {
        /// As in its marks.
        number: u64,
        /// To whom.
        to: String,
        /// What the protocol calls it.
        id: MessageId,
        /// The text.
        bytes: Vec<u8>,
    },
    /// What has become of a message.
    Mark(Mark),
    /// Nobody answers: this line waits until the relay does.
    Held(Vec<u8>),
    /// A line was not sent.
    Hint {
        /// Why.
        hint: Hint,
        /// The line as it was typed, if it is about one.
        line: Option<Vec<u8>>,
    },
    /// An object was not understood.
    Misread {
        /// The line that it stands on.
        line: Vec<u8>,
        /// What is wrong.
        reason: String,
    },
    /// What `status` found.
    Status(Status),
    /// Everything that is typed goes to this peer directly; nothing: to the group again.
    Direct(Option<String>),
    /// The direct way to this person is gone: everything that is typed goes on to them, through the relay.
    Indirect(String),
    /// `help` was asked for.
    Help,
}
