//! What a client reports to whoever runs it.

use std::net::SocketAddr;
use std::time::Duration;

use wire::{GroupId, MessageId, News, Refusal, Token};

use crate::people::Person;
use crate::{Request, Transport};

/// Something that happened. Names and bytes are other people's: show them through [`crate::harmless()`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The relay answers, in this way. Comes again when the way changes.
    Contact {
        /// What it speaks.
        protocol: Protocol,
        /// What carries it.
        transport: Transport,
    },
    /// Nobody answers in any way that may be used; it is tried on. Told once, until [`Event::Contact`].
    NoContact {
        /// The operating system said that nobody listens there.
        refused: bool,
    },
    /// Something answers, but does not speak what was asked for.
    NotExtended,
    /// The way to the relay is lost, or the relay has forgotten the session: the client comes back by itself. Told once,
    /// until [`Event::Resumed`].
    Interrupted {
        /// Something was sent to the group since the relay was last heard to be there, and may not have arrived.
        unsure: bool,
    },
    /// The client is back.
    Resumed {
        /// As somebody new, because its session had ended: it asks for its name and its group by itself.
        anew: bool,
    },
    /// Another member of the group sent this.
    Text {
        /// The group that the client believed to be in.
        group: Option<GroupId>,
        /// Who: a name, or `#` and a number; nothing if the relay does not tell.
        from: Option<String>,
        /// The payload, byte for byte.
        bytes: Vec<u8>,
    },
    /// So many payloads of this sender to the group were lost.
    Missed {
        /// Who has sent them.
        from: String,
        /// How many.
        count: u32,
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
    /// The relay is full, and cannot give back now what the client had before the session or the membership ended. It is asked again
    /// after a while, and again. Told once.
    Deferred(Request),
    /// The relay said no, in words that this client does not know.
    RefusedOtherwise {
        /// What was asked.
        request: Request,
        /// The whole answer.
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
    /// Two different answers to one `CREATE` in the base protocol: a member of the group forged one of them.
    CreatedTwice {
        /// The first answer.
        first: GroupId,
        /// The second answer.
        second: GroupId,
    },
    /// The relay does not answer a base client's own requests. Told once, until [`Event::Answers`].
    Silent,
    /// The operating system says that nobody listens there. Told once, until [`Event::Answers`].
    Unreachable,
    /// Something arrived from the relay again.
    Answers,
    /// The name is the client's. Keep the claim: with it the name can be had again, from anywhere. This may never come although
    /// the relay has given the name away: see [`Request::Register`] for what to do before.
    Registered {
        /// As it was registered.
        name: String,
        /// Proves that it is one's own. A secret.
        claim: Token,
        /// The client did it by itself, after its session had ended.
        again: bool,
    },
    /// The name is somebody else's. The client keeps the one that it has; it has none any more if that was this one.
    NameTaken(String),
    /// Another session of the same owner has the name now, as the relay says, or shows by knowing of no name; this client has none any
    /// more.
    NameMoved(String),
    /// The client has no name any more.
    Deregistered(String),
    /// So many messages wait; they follow.
    Mail(u32),
    /// The people of the group, as asked for.
    Peers(Vec<Person>),
    /// Something has become of somebody else in the group.
    Presence {
        /// Who.
        name: String,
        /// What.
        news: News,
    },
    /// What has become of a message that was sent.
    Fate {
        /// To whom.
        to: String,
        /// What [`crate::Client::message`] has called it.
        id: MessageId,
        /// What has become of it.
        fate: Fate,
    },
    /// A message for this client alone. Comes once, however often it was sent.
    Message {
        /// Who has sent it.
        from: String,
        /// What the sender calls it.
        id: MessageId,
        /// When the relay first had it, in milliseconds since 1970; nothing for a direct one.
        time: Option<u64>,
        /// Its text.
        bytes: Vec<u8>,
    },
    /// The relay waits with us for a peer.
    Waiting(Option<String>),
    /// Nobody came, or it was asked to wait no more.
    WaitingEnded,
    /// A peer is found, and the way to it is being opened.
    Punching(String),
    /// The direct way is open: messages to that person take it.
    DirectOpen {
        /// Who.
        name: String,
        /// Where.
        address: SocketAddr,
    },
    /// The direct way is closed, or could not be opened: messages to that person go through the relay.
    DirectClosed {
        /// Who.
        name: String,
        /// Why.
        reason: Closing,
    },
}

/// What has become of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// On its way for the first time.
    Sent,
    /// The recipient has it.
    Delivered,
    /// The relay keeps it for a recipient who is away.
    Stored,
    /// The relay has no room for it now, whoever it is for; it is sent again, and what becomes of it is told later.
    Deferred,
    /// Nobody is called so.
    NoSuchName,
    /// There is no room for it.
    MailboxFull,
    /// It was not sent: one has to have a name to send messages, and the relay knows of none.
    NotRegistered,
    /// The relay cannot do it, or says that nobody can be called so.
    Refused,
    /// It may have arrived: before anybody knew, the client was ended, or had no name any more.
    Unknown,
}

/// Why a direct talk ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closing {
    /// No way through.
    NoWay,
    /// We hung up.
    Ours,
    /// The peer hung up.
    Theirs,
    /// The peer fell silent, or our own network changed.
    Silence,
}

/// What a relay speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// Groups.
    Base,
    /// Sessions, names and messages, too.
    Extended,
}

/// What a client knows without asking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The membership that the relay last acknowledged.
    pub group: Option<GroupId>,
    /// The client's name.
    pub name: Option<String>,
    /// What the relay speaks, once it has answered.
    pub protocol: Option<Protocol>,
    /// What carries it.
    pub transport: Transport,
    /// The interval that the relay last suggested.
    pub heartbeat: Option<Duration>,
    /// Time until the next heartbeat, if there is one.
    pub next_ping: Option<Duration>,
    /// How long the last answer took.
    pub round_trip: Option<Duration>,
    /// Messages on their way or waiting for their turn.
    pub waiting: usize,
    /// Who is talked to directly.
    pub direct: Option<String>,
    /// The last requests stayed without an answer.
    pub silent: bool,
}

impl Fate {
    /// Whether nothing more will be told of the message.
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Sent | Self::Stored | Self::Deferred)
    }
}
