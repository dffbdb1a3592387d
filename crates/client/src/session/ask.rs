//! A request of an extended session: its bytes, and what answers it.

use std::time::{Duration, Instant};

use wire::{Cookie, GroupId, Notice, Refusal, Reply, Usage};

use crate::Request;
use crate::limits::{GOODBYE_PATIENCE, GOODBYE_TRIES, MAX_PAGES, PATIENCE, TRIES};
use crate::people::fold;

/// Why a request is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// Somebody asked for it.
    Person,
    /// The client itself wants to know; nobody waits.
    Own,
    /// Whether a name that was had in no group has brought its owner into the lobby: what is asked next depends on it.
    Lobby,
    /// To come back after the session or the membership was lost.
    Again,
    /// To leave politely.
    Goodbye,
}

/// What the relay says: one of the two.
#[derive(Clone, Copy, Debug)]
pub(super) enum Said<'a> {
    Reply(Reply),
    Notice(Notice<'a>),
}

/// A request on its way.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) request: Request,
    pub(super) cause: Cause,
    /// The group in which it was asked.
    pub(super) group: Option<GroupId>,
    pub(super) sent: u32,
    pub(super) last_sent: Instant,
    pub(super) deadline: Instant,
    /// What the relay wants to see.
    cookie: Option<Cookie>,
    /// Where the next page of PEERS begins.
    cursor: Option<String>,
    pages: u32,
    /// What the relay has refused last while this waited, whatever it meant; and at which try of this.
    refusal: Option<(u32, Vec<u8>)>,
}

impl<'a> Said<'a> {
    pub(super) fn parse(datagram: &'a [u8]) -> Option<Self> {
        let reply = || Reply::parse_extended(datagram).map(Self::Reply);
        Notice::parse(datagram).map(Self::Notice).or_else(reply)
    }
}

impl Asked {
    pub(super) fn new(request: Request, cause: Cause, group: Option<GroupId>, now: Instant) -> Self {
        let mut asked = Self {
            request,
            cause,
            group,
            sent: 1,
            last_sent: now,
            deadline: now,
            cookie: None,
            cursor: None,
            pages: 0,
            refusal: None,
        };
        asked.deadline = now + asked.patience();
        asked
    }

    pub(super) fn encode(&self) -> Vec<u8> {
        let text = match (&self.request, &self.cookie) {
            (Request::Create, Some(cookie)) => format!("!CREATE {cookie}"),
            (Request::Join(group), Some(cookie)) => format!("!JOIN {group} {cookie}"),
            (Request::Register { name, claim: Some(claim) }, _) => format!("!REG {name} {claim}"),
            (Request::Ping, _) => "!BEAT".into(),
            (Request::Peers, _) => match &self.cursor {
                Some(cursor) => format!("!PEERS {cursor}"),
                None => "!PEERS".into(),
            },
            (request, _) => format!("!{request}"),
        };
        text.into_bytes()
    }

    /// Counts one more try, if there is one.
    pub(super) fn repeat(&mut self, now: Instant) -> bool {
        let tries = match (&self.request, self.cause) {
            // A second CREATE would make a second group.
            (Request::Create, _) => 1,
            (_, Cause::Goodbye) => GOODBYE_TRIES,
            _ => TRIES,
        };
        let again = self.sent < tries;
        if again {
            self.sent += 1;
            self.last_sent = now;
            self.deadline = now + self.patience();
        }
        again
    }

    /// Begins anew, as after a way was lost.
    pub(super) fn restart(&mut self, now: Instant) {
        self.refusal = None;
        self.sent = 1;
        self.last_sent = now;
        self.deadline = now + self.patience();
    }

    /// The relay has refused something, perhaps this.
    pub(super) fn note_refusal(&mut self, answer: &[u8]) {
        self.refusal = Some((self.sent, answer.to_vec()));
    }

    /// What met its last try in the place of an answer: no silence, so the way is not to blame.
    pub(super) fn last_refusal(&mut self) -> Option<Vec<u8>> {
        self.refusal.take().filter(|(sent, _)| *sent == self.sent).map(|(_, answer)| answer)
    }

    /// The relay wants to see a cookie: whether to send again with it.
    pub(super) fn prove(&mut self, cookie: Cookie, now: Instant) -> bool {
        let is_new = self.cookie.is_none();
        if is_new {
            self.cookie = Some(cookie);
            self.restart(now);
        }
        is_new
    }

    /// Goes on with the next page: whether to send again.
    pub(super) fn turn_page(&mut self, cursor: &str, now: Instant) -> bool {
        let is_next = self.pages < MAX_PAGES && self.cursor.as_deref() != Some(cursor);
        if is_next {
            self.cursor = Some(cursor.to_owned());
            self.pages += 1;
            self.restart(now);
        }
        is_next
    }

    pub(super) fn is_first_page(&self) -> bool {
        self.pages == 0
    }

    fn patience(&self) -> Duration {
        match (&self.request, self.cause) {
            (Request::Create, _) => PATIENCE * TRIES,
            (_, Cause::Goodbye) => GOODBYE_PATIENCE,
            _ => PATIENCE,
        }
    }

    pub(super) fn is_answered_by(&self, said: Said<'_>) -> bool {
        match said {
            Said::Reply(Reply::Refused(refusal)) => self.is_refused_by(refusal),
            Said::Reply(reply) => match (&self.request, reply) {
                (Request::Create, Reply::Created(_))
                | (Request::Ping, Reply::Pong(_))
                | (Request::Who, Reply::Who(..)) => true,
                (Request::Join(asked), Reply::Joined(group))
                | (Request::Leave(asked), Reply::Left(group)) => *asked == group,
                _ => false,
            },
            Said::Notice(notice) => match (&self.request, notice) {
                (
                    Request::Register { name: asked, .. },
                    Notice::Registered(name, _) | Notice::NameTaken(name),
                ) => fold(asked) == fold(name),
                (Request::Deregister, Notice::Deregistered(_))
                | (Request::Peers, Notice::Peers(..))
                | (Request::Watch, Notice::Watching)
                | (Request::Unwatch, Notice::Unwatching)
                | (Request::Bridge(_), Notice::Waiting | Notice::PeerAt(..))
                | (Request::Unbridge, Notice::Unbridged) => true,
                _ => false,
            },
        }
    }

    pub(super) fn is_refused_by(&self, refusal: Refusal) -> bool {
        use Refusal as R;
        match (&self.request, refusal) {
            (Request::Create, R::ClientLimit { .. } | R::ServerFull | R::Retry(_))
            | (
                Request::Join(_),
                R::NoSuchGroup | R::ServerFull | R::Retry(_) | R::MissingArgument(Usage::Join),
            )
            | (Request::Leave(_), R::NotInThatGroup | R::MissingArgument(Usage::Leave))
            | (Request::Register { .. }, R::BadName | R::ServerFull | R::MissingArgument(Usage::Reg))
            | (Request::Bridge(Some(_)), R::BadName)
            | (
                Request::Deregister | Request::Bridge(_) | Request::Unbridge,
                R::NotRegistered | R::NotOverTcp,
            )
            | (Request::Who | Request::Peers | Request::Watch | Request::Unwatch, R::NotJoined)
            | (Request::Peers | Request::Watch | Request::Unwatch, R::NotRegistered) => true,
            (Request::Join(asked), R::GroupFull(group)) => *asked == group,
            (request, R::UnknownCommand) => is_of_people(request),
            _ => false,
        }
    }
}

/// Whether a relay may serve sessions and know nothing of it.
fn is_of_people(request: &Request) -> bool {
    !matches!(request, Request::Create | Request::Join(_) | Request::Leave(_) | Request::Ping | Request::Who)
}

/// The group that a request is about.
pub(super) fn group_of(request: &Request) -> Option<GroupId> {
    match request {
        Request::Join(group) | Request::Leave(group) => Some(*group),
        _ => None,
    }
}
