//! A request to the relay: its bytes, the replies that answer it, and its repetitions.

use std::fmt;
use std::time::{Duration, Instant};

use wire::{Cookie, GroupId, Refusal, Reply, Usage};

use crate::Event;

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

/// What a request shows to the relay, so that it believes in this client's address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Showing {
    /// Nothing. So many answers may still come to what was asked for before, of a relay that took the question for a part of
    /// the group's name.
    Nothing { strays: u32 },
    /// Only that it would like to be asked.
    Question,
    /// What the relay wants to see.
    Cookie(Cookie),
}

/// What to do about an answer that is not the last.
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
    /// How often it was sent, not counting that it was sent again with another proof.
    pub(super) tries: u32,
    /// How often it was sent in all.
    pub(super) sent: u32,
    pub(super) deadline: Instant,
    proof: Showing,
    /// How often the relay asked for the cookie that it was shown.
    doubted: u32,
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
                Reply::Refused(R::NoSuchGroup | R::ServerFull | R::MissingArgument(Usage::Join)),
            )
            | (Self::Create | Self::Join(_), Reply::Refused(R::Retry(_)))
            | (Self::Leave(_), Reply::Refused(R::NotInThatGroup | R::MissingArgument(Usage::Leave)))
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
        let proof = match request {
            Request::Create | Request::Join(_) => Showing::Question,
            _ => Showing::Nothing { strays: 0 },
        };
        Self { request, cause, tries, sent: 1, deadline, proof, doubted: 0, last_sent, max_tries, patience }
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let text = match self.proof {
            Showing::Cookie(cookie) => format!("!{} {cookie}", self.request),
            Showing::Question => format!("!{} {}", self.request, Cookie::ASK),
            Showing::Nothing { .. } => format!("!{}", self.request),
        };
        text.into_bytes()
    }

    /// What an answer that asks for a proof means: the request is to be sent again with the cookie; once only, because a
    /// cookie that is not believed is no use.
    pub(super) fn prove(&mut self, cookie: Cookie, now: Instant) -> Next {
        match self.proof {
            // The answer to a try of before, or to this one: who guesses too much is asked for it whatever it shows.
            Showing::Cookie(known) if known == cookie => {
                self.doubted += 1;
                Next::Wait
            }
            Showing::Cookie(_) => Next::Refused,
            _ => self.show(Showing::Cookie(cookie), now),
        }
    }

    /// What it means that there is no such group: perhaps only that the relay knows no proofs, such as the original server.
    pub(super) fn is_unknown(&mut self, now: Instant) -> Next {
        match &mut self.proof {
            Showing::Question => {
                let strays = self.tries - 1;
                self.show(Showing::Nothing { strays }, now)
            }
            Showing::Nothing { strays } if *strays > 0 => {
                *strays -= 1;
                Next::Wait
            }
            _ => Next::Refused,
        }
    }

    fn show(&mut self, proof: Showing, now: Instant) -> Next {
        self.proof = proof;
        self.sent += 1;
        self.last_sent = now;
        self.deadline = now + self.patience;
        Next::Again
    }

    /// Counts one more try, if there is one.
    pub(super) fn repeat(&mut self, now: Instant) -> bool {
        let again = self.tries < self.max_tries;
        if again {
            self.tries += 1;
            self.sent += 1;
            self.last_sent = now;
            self.deadline = now + self.patience;
        }
        again
    }

    /// What the relay has against it, if every try with the cookie was answered with the question for just that one.
    pub(super) fn refusal(&self) -> Option<Refusal> {
        match self.proof {
            Showing::Cookie(cookie) if self.doubted >= self.tries => Some(Refusal::Retry(cookie)),
            _ => None,
        }
    }

    pub(super) fn no_answer(&self) -> Event {
        Event::NoAnswer { request: self.request.into(), tries: self.tries }
    }

    pub(super) fn last_sent(&self) -> Instant {
        self.last_sent
    }
}
