//! What was seen of a crowd in one measurement.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::sums::Sums;
use crate::hdr::Durations;
use crate::outcome::Own;

/// What was seen.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Outcome {
    /// The measurement, without joining and without the wait for the last messages.
    pub duration: Duration,
    /// From its end until each message had its outcome and everybody had their mail.
    pub drain: Duration,
    /// What has become of the messages.
    pub sums: Sums,
    /// What people did.
    pub deeds: Deeds,
    /// How long things took.
    pub times: Times,
    /// The generator's thread.
    pub own: Own,
    /// True when it was ended before its time.
    pub interrupted: bool,
}

/// What people did besides messages, and what happened to them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deeds {
    /// Names that were registered for the first time.
    pub registered: u64,
    /// Times that somebody went offline by DEREG.
    pub deregistered: u64,
    /// Times that somebody just fell silent.
    pub fell_silent: u64,
    /// Times that somebody came back with its claim.
    pub returned: u64,
    /// Times that a session went on at another address.
    #[serde(default)]
    pub moved: u64,
    /// Sessions that the relay did not know any more although their owners had kept the heartbeat.
    pub sessions_lost: u64,
    /// Times that a name that was proved by its claim got another one.
    pub claims_changed: u64,
    /// Times that the relay took a claim for a wrong one that it had given itself.
    pub claims_refused: u64,
    /// Requests that were repeated because no answer had come.
    pub asked_again: u64,
    /// BEATs sent.
    pub beats: u64,
    /// PONGs received.
    pub pongs: u64,
    /// Messages that were still stored for people who had been there for a while, when these were made to say something.
    pub prompted: u64,
    /// Times that the relay had no room for a message, whoever it was for; it was sent again.
    pub no_room: u64,
    /// Datagrams at people who were away, or had another address by then, which nobody has heard.
    pub unheard: u64,
    /// Datagrams from the relay that nobody had asked for, and that mean nothing.
    pub unexpected: u64,
    /// Messages that were written more than a millisecond after their time.
    pub late_sends: u64,
    /// Datagrams that the kernel did not take.
    pub send_failures: u64,
    /// Datagrams dropped in the generator's own receive queues.
    pub own_drops: u64,
}

/// How long things took. Where the sender was offline meanwhile, nothing is recorded; nor of a delivery, where the recipient was.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Times {
    /// From when a message was to leave until its sender was told that it has arrived, where it was not stored first.
    pub delivered: Durations,
    /// From when a message was to leave until its sender was told that it is stored.
    pub stored: Durations,
    /// From a person's first HELLO on its return until its first mail.
    pub first_mail: Durations,
    /// From when a message was to leave until it was written.
    pub lateness: Durations,
}
