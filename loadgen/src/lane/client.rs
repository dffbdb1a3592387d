//! One simulated client: 40 bytes.

use std::time::Duration;

/// A client of a lane.
#[derive(Clone, Debug)]
pub struct Client {
    /// Its group's number in the lane.
    pub group: u32,
    /// Its place among the senders of its group, or [`Client::NO_SENDER`].
    pub sender: u32,
    /// When its request is repeated, or its time of silence ends: milliseconds since the start of the lane.
    pub deadline: u32,
    /// Where it is.
    pub state: State,
    /// How often its request was sent.
    pub tries: u8,
    /// True if it joins and then says nothing.
    pub silent: bool,
    /// PINGs that have no answer yet.
    pub unanswered: u8,
    /// When its unanswered PING left, in ns since the start of the lane; 0 if there is none.
    pub pinged: u64,
    /// It is to get the payloads from this number on.
    pub from: u64,
    /// It is to get the payloads before this number.
    pub until: u64,
}

/// Where a client is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Not started yet.
    Idle,
    /// Waits until its group exists.
    Waiting,
    /// Has asked for a group.
    Creating,
    /// Has asked to join, and to be asked for a proof of its address if the relay wants any.
    Seeking,
    /// Has asked to join.
    Joining,
    /// A member, and counted as one.
    Joined,
    /// A member that sends nothing more; payloads from now on are not counted for it. It waits for earlier ones.
    Retiring,
    /// Has asked to leave.
    Leaving,
    /// No member, for good.
    Gone,
}

impl Client {
    /// The place of a client that sends no payloads.
    pub const NO_SENDER: u32 = u32::MAX;

    /// A client that has not started.
    pub fn new(group: u32, silent: bool) -> Self {
        Client {
            group,
            sender: Self::NO_SENDER,
            deadline: 0,
            state: State::Idle,
            tries: 0,
            silent,
            unanswered: 0,
            pinged: 0,
            from: u64::MAX,
            until: u64::MAX,
        }
    }

    /// True if the payload of this number is to reach it.
    pub fn expects(&self, number: u64) -> bool {
        (self.from..self.until).contains(&number)
    }
}

/// Milliseconds since the start of the lane; enough for 49 days.
pub fn milliseconds(now: Duration) -> u32 {
    now.as_millis() as u32
}

const _: () = assert!(size_of::<Client>() <= 40);
