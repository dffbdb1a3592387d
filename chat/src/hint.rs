//! Why a line was not sent, and what to do instead.

use client::{MessageError, NAME_RULE, harmless};

use crate::Place;

/// Why a line was not sent, and what to do instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Hint {
    /// A command of the protocol.
    #[error("a line cannot begin with `!`: type `{0}` instead")]
    Bang(&'static str),
    /// A helper with the wrong arguments.
    #[error("usage: {0}")]
    Usage(&'static str),
    /// A helper that needs a slash, without it.
    #[error("nothing was sent: type `{0}`, or put /text before the line to send it as it is")]
    NoSlash(&'static str),
    /// A slash, and no helper's word.
    #[error(
        "nothing was sent: there is no such helper (`help` lists them); /text before the line sends it as it is"
    )]
    Unknown,
    /// Not a group id.
    #[error("a group id has 1 to 32 characters of A-Z, 0-9, _ and -")]
    BadGroup,
    /// Not a name.
    #[error("{}", NAME_RULE)]
    BadName,
    /// Nobody talks to himself directly.
    #[error("that is your own name: type `/bridge NAME` with the other's, and let NAME type it with yours")]
    OwnName,
    /// Not a claim.
    #[error("that is no claim: it has 26 letters and digits, as `chat reg` prints it")]
    BadClaim,
    /// Nobody to send it to.
    #[error("you are in no group, nothing was sent: type `join GROUP`, or `create --join` for a new one")]
    NoGroup,
    /// Typed for another place than where it would go.
    #[error("not sent, {}: {}", place.words(), harmless(text))]
    Elsewhere {
        /// Where it would go.
        place: Place,
        /// The line.
        text: Vec<u8>,
    },
    /// A name was asked for, and was refused, given up, or taken over.
    #[error("you are not registered, nothing was sent: type `/reg NAME`")]
    Deregistered,
    /// Too long.
    #[error("not sent: {0} bytes are more than the 4096 that one message may have")]
    TooLarge(usize),
    /// A message to one person was not taken.
    #[error("not sent: {0}")]
    Message(MessageError),
    /// What proves a name cannot be kept.
    #[error("{0}")]
    Claim(String),
    /// What has to do with people, where `--protocol base` was said.
    #[error(
        "`--protocol base` has no names, messages or direct talk: leave it away, and chat uses what the relay speaks"
    )]
    BaseAsked,
    /// The relay has no names.
    #[error("this relay has no names, messages or direct talk: it speaks the base protocol only")]
    BaseOnly,
    /// Nobody to talk to directly.
    #[error(
        "there is no direct talk, nothing was sent: type `/bridge NAME`, and let NAME do the same with yours"
    )]
    NoPeer,
    /// The talk ended while the relay did not answer.
    #[error("{} not sent: the relay does not answer", lines_were(*.0))]
    Unsent(usize),
}

fn lines_were(count: usize) -> String {
    if count == 1 { "1 line was".into() } else { format!("{count} lines were") }
}
