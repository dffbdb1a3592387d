//! A request to the relay: its bytes, the replies that answer it, and its repetitions.

use std::fmt;
use std::time::{Duration, Instant};

use wire::{Cookie, GroupId, Refusal, Reply, Usage};

/// What can be asked of the relay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// Make a group.
    Create,
    /// Become a member, and leave the group one is in.
    Join(GroupId),
    /// Stop being a member.
    Leave(GroupId),
    /// Stay a member, and learn the suggested heartbeat.
    Ping,
    /// Count the members.
    Who,
}

/// Why a request is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// Somebody asked for it.
    Person,
    /// To stay a member.
    Heartbeat,
    /// To let the relay keep up with a stream of payloads.
    Flow,
    /// To find out whether a change of membership is true.
    Verify,
    /// To come back after a lost membership.
    Rejoin,
    /// To leave politely.
    Goodbye,
}

/// What to do about an answer that asks for a proof.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    Again,
    Wait,
    Refused,
}

/// A request on its way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) request: Request,
    pub(super) cause: Cause,
    /// How often it was sent.
    pub(super) tries: u32,
    pub(super) deadline: Instant,
    /// What the relay wants to see, to believe in this client's address.
    cookie: Option<Cookie>,
    last_sent: Instant,
    max_tries: u32,
    patience: Duration,
}

impl Request {
    /// Whether the relay counts it as a sign of life.
    pub(super) fn is_activity(self) -> bool {
        matches!(self, Self::Join(_) | Self::Ping)
    }

    pub(super) fn is_answered_by(self, reply: Reply) -> bool {
        use Refusal as R;
        match (self, reply) {
            (Self::Join(asked), Reply::Joined(id) | Reply::Refused(R::GroupFull(id)))
            | (Self::Leave(asked), Reply::Left(id)) => asked == id,
            (Self::Create, Reply::Created(_) | Reply::Refused(R::ClientLimit { .. } | R::ServerFull))
            | (
                Self::Join(_),
                Reply::Refused(R::NoSuchGroup | R::ServerFull | R::MissingGroup(Usage::Join)),
            )
            | (Self::Create | Self::Join(_), Reply::Refused(R::Retry(_)))
            | (Self::Leave(_), Reply::Refused(R::NotInThatGroup | R::MissingGroup(Usage::Leave)))
            | (Self::Ping, Reply::Pong(_) | Reply::Refused(R::NotJoined))
            | (Self::Who, Reply::Who(..) | Reply::Refused(R::NotJoined)) => true,
            _ => false,
        }
    }
}

/// The command, without its `!`.
impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Create => f.write_str("CREATE"),
            Self::Join(id) => write!(f, "JOIN {id}"),
            Self::Leave(id) => write!(f, "LEAVE {id}"),
            Self::Ping => f.write_str("PING"),
            Self::Who => f.write_str("WHO"),
        }
    }
}

impl Cause {
    /// Whether payloads and requests need not wait for its answer.
    pub(super) fn is_background(self) -> bool {
        matches!(self, Self::Heartbeat | Self::Verify)
    }

    /// Whether nobody waits for its answer.
    pub(super) fn is_silent(self) -> bool {
        matches!(self, Self::Heartbeat | Self::Verify | Self::Rejoin)
    }
}

impl Asked {
    pub(super) fn new(
        request: Request,
        cause: Cause,
        max_tries: u32,
        patience: Duration,
        now: Instant,
    ) -> Self {
        let (tries, deadline, last_sent) = (1, now + patience, now);
        Self { request, cause, tries, deadline, cookie: None, last_sent, max_tries, patience }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        match self.cookie {
            Some(cookie) => format!("!{} {cookie}", self.request).into_bytes(),
            None => format!("!{}", self.request).into_bytes(),
        }
    }

    /// What an answer that asks for a proof means: the request is to be sent again with the cookie; once only, because a
    /// cookie that is not believed is no use.
    pub(super) fn prove(&mut self, cookie: Cookie, now: Instant) -> Next {
        match self.cookie {
            None => {
                self.cookie = Some(cookie);
                self.last_sent = now;
                self.deadline = now + self.patience;
                Next::Again
            }
            // The answer to a try of before.
            Some(known) if known == cookie => Next::Wait,
            Some(_) => Next::Refused,
        }
    }

    /// Counts one more try, if there is one.
    pub(super) fn repeat(&mut self, now: Instant) -> bool {
        let again = self.tries < self.max_tries;
        if again {
            self.tries += 1;
            self.last_sent = now;
            self.deadline = now + self.patience;
        }
        again
    }

    pub(super) fn last_sent(&self) -> Instant {
        self.last_sent
    }
}
