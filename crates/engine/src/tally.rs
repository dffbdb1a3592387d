//! What the engine counts: plain numbers of one shard, published by whoever turns it.

use wire::{Command, Person, Refusal};

use crate::Histogram;

/// A shard's counters since it started.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Commands received, by [`CommandKind`].
    pub commands: [u64; CommandKind::LABELS.len()],
    /// Requests refused, by [`Refusal::index`].
    pub refusals: [u64; Refusal::CODES.len()],
    /// Datagrams dropped in silence, by [`DropReason`].
    pub dropped: [u64; DropReason::LABELS.len()],
    /// What happened to groups and members, by [`Event`].
    pub events: [u64; Event::LABELS.len()],
    /// Requests answered with a question for a proof, by [`Throttled`].
    pub throttled: [u64; Throttled::LABELS.len()],
    /// Replies meant to be sent.
    pub replies: u64,
    /// Payloads accepted (`count`), by the number of members that each was meant for (`sum`). Up to 2^20.
    pub fanout: Histogram<21>,
}

/// Commands as they are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CommandKind {
    /// `!CREATE`
    Create,
    /// `!JOIN`
    Join,
    /// `!LEAVE`
    Leave,
    /// `!PING`
    Ping,
    /// `!WHO`
    Who,
    /// `!HELLO`
    Hello,
    /// `!BEAT`
    Beat,
    /// `!RESUME`
    Resume,
    /// `!REG`
    Reg,
    /// `!DEREG`
    Dereg,
    /// `!PEERS`
    Peers,
    /// `!WATCH`
    Watch,
    /// `!UNWATCH`
    Unwatch,
    /// `!SEND`
    Send,
    /// `!ACK`
    Ack,
    /// `!BRIDGE`
    Bridge,
    /// `!UNBRIDGE`
    Unbridge,
    /// Any other.
    Unknown,
}

/// Why a datagram is dropped without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DropReason {
    /// It has no bytes.
    Empty,
    /// Its source is one of the relay's own addresses: answering would loop.
    OwnAddress,
    /// Its source port is 0: nobody can be answered there.
    SourcePortZero,
    /// It reads like a reply and its sender is in no group: answering could loop.
    ReplyFromStranger,
    /// No host has its source: multicast, broadcast, unspecified, v4-mapped by IPv6, or loopback where none is reached. Answering
    /// would reach somebody else.
    ImpossibleSource,
    /// Its source is not in `--allow`, or is in `--deny`.
    Denied,
    /// It is a payload beyond `--max-rate`.
    MaxRate,
    /// The unproved addresses of its prefix have had all the answers that they get.
    ReplyLimit,
    /// It is a JOIN that came to a shard which its sender's datagrams do not come to: more headers than anybody honest sends have
    /// hidden the port from the kernel's filter.
    WrongShard,
    /// It was sent to many, a broadcast or a multicast, and so came to every shard: each would answer, and take its sender in.
    Broadcast,
}

/// Why a request is answered with a question for a proof although the sender would not have to prove anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Throttled {
    /// The unproved addresses of its prefix have had all the answers that they get.
    Replies,
    /// Its prefix, or a proved sender itself, has tried too many group ids that do not exist.
    Guesses,
}

/// What happens to groups and members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A group was made.
    Create,
    /// A client became a member.
    Join,
    /// A member left, or moved to another group.
    Leave,
    /// A member was swept for its silence.
    Expire,
    /// An empty group was deleted.
    Delete,
    /// A member was removed because its address is not allowed any more.
    Eject,
    /// An unproved member was removed to make room for another.
    EvictMember,
    /// An empty group was deleted to make room for another, first those that nobody joined and nobody proved has made.
    EvictGroup,
}

impl CommandKind {
    /// Metric labels, in the order of the variants.
    pub const LABELS: [&'static str; 18] = [
        "create", "join", "leave", "ping", "who", "hello", "beat", "resume", "reg", "dereg", "peers",
        "watch", "unwatch", "send", "ack", "bridge", "unbridge", "unknown",
    ];

    pub(crate) fn of(command: &Command<'_>) -> Self {
        match command {
            Command::Create(_) => Self::Create,
            Command::Join(_) => Self::Join,
            Command::Leave(_) => Self::Leave,
            Command::Ping => Self::Ping,
            Command::Who => Self::Who,
            Command::Hello(_) => Self::Hello,
            Command::Beat => Self::Beat,
            Command::Resume(_) => Self::Resume,
            Command::Person(person) => Self::of_person(person),
            // A payload in a command's clothes is not counted.
            Command::Raw(_) | Command::Unknown => Self::Unknown,
        }
    }

    fn of_person(command: &Person<'_>) -> Self {
        match command {
            Person::Reg(_) => Self::Reg,
            Person::Dereg => Self::Dereg,
            Person::Peers(_) => Self::Peers,
            Person::Watch => Self::Watch,
            Person::Unwatch => Self::Unwatch,
            Person::Send(_) => Self::Send,
            Person::Ack(_) => Self::Ack,
            Person::Bridge(_) => Self::Bridge,
            Person::Unbridge => Self::Unbridge,
        }
    }
}

impl DropReason {
    /// Metric labels, in the order of the variants.
    pub const LABELS: [&'static str; 10] = [
        "empty",
        "own_address",
        "source_port_zero",
        "reply_from_stranger",
        "impossible_source",
        "denied",
        "max_rate",
        "reply_limit",
        "wrong_shard",
        "broadcast",
    ];
}

impl Throttled {
    /// Metric labels, in the order of the variants.
    pub const LABELS: [&'static str; 2] = ["replies", "guesses"];
}

impl Event {
    /// Metric labels, in the order of the variants.
    pub const LABELS: [&'static str; 8] =
        ["create", "join", "leave", "expire", "delete", "eject", "evict_member", "evict_group"];
}

impl Tally {
    pub(crate) fn count(&mut self, event: Event) {
        self.events[event as usize] += 1;
    }

    pub(crate) fn drop(&mut self, reason: DropReason) {
        self.dropped[reason as usize] += 1;
    }
}
