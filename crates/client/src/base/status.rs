//! What a base client knows.

use std::time::Duration;

use wire::GroupId;

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
