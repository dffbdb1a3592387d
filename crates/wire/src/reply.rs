//! What the relay answers: written by the relay, read by its clients.

use core::fmt::{self, Write};

use crate::heartbeat::put_number;
use crate::{Cookie, GroupId, Heartbeat, Hello, Text, Token};

const HELLO_USAGE: &str = "Usage:!HELLO 2 <COOKIE> [FROM]";
const REG_USAGE: &str = "Usage:!REG <NAME> [CLAIM]";
const SEND_USAGE: &str = "Usage:!SEND <NAME> <ID> <BYTES>";

/// One answer of the relay. One datagram causes at most one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// `OK CREATED <id>`
    Created(GroupId),
    /// `OK JOINED <id>`
    Joined(GroupId),
    /// `OK LEFT <id>`
    Left(GroupId),
    /// `PONG <seconds>`
    Pong(Heartbeat),
    /// `OK WHO <id> <count>`
    Who(GroupId, u32),
    /// `!OK HELLO 2 <token> <heartbeat>`
    Hello(Token, Heartbeat),
    /// `ERR <code> <detail>`, or `!RETRY <cookie>`
    Refused(Refusal),
}

/// How a client wants to be spoken to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Form {
    /// As the base protocol has it.
    #[default]
    Base,
    /// Whatever the relay itself says begins with `!`, and nothing else does.
    Extended,
    /// The same, and payloads say who has sent them.
    WithSender,
}

/// Why the relay says no.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The datagram has more than 4096 bytes.
    TooLarge,
    /// The command is not known.
    UnknownCommand,
    /// The command needs a group id.
    MissingArgument(Usage),
    /// There is no group of that id.
    NoSuchGroup,
    /// The group has as many members as it may have.
    GroupFull(GroupId),
    /// The sender is in no group.
    NotJoined,
    /// The sender is not in the group that it wants to leave.
    NotInThatGroup,
    /// The sender has made as many groups as it may.
    ClientLimit {
        /// Its live groups.
        used: u32,
        /// How many it may have.
        max: u32,
    },
    /// The relay has as many clients or groups as it may have. Who is told so cannot tell it from the next four.
    ServerFull,
    /// There are as many names as there may be.
    NamesFull,
    /// As much as may be kept of messages is kept.
    MailFull,
    /// Those who come from where the sender does have as many new names, or as much of the kept messages, as they may.
    SiteFull,
    /// Nothing can be kept now: the disk fails, or has too much to do.
    StoreFailed,
    /// The sender has to show that it receives what is sent to its address, by asking again with this cookie.
    Retry(Cookie),
    /// The same, to a HELLO or a RESUME.
    Prove(Cookie),
    /// The relay speaks another version of the extended protocol: [`Hello::VERSION`].
    Version,
    /// The command is one of extended clients, and the sender is none.
    NoSession,
    /// There is no session of that token.
    BadToken,
    /// A name has to have 1 to 32 characters: letters, digits, `_`, `-`, `.`.
    BadName,
    /// The command needs a name, and the sender has none.
    NotRegistered,
    /// Only whoever is reached by UDP can do that.
    NotOverTcp,
}

/// The commands that need an argument.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Usage {
    /// `!JOIN <GROUPID>`
    Join,
    /// `!LEAVE <GROUPID>`
    Leave,
    /// `!HELLO 2 <COOKIE> [FROM]`
    Hello,
    /// `!REG <NAME> [CLAIM]`
    Reg,
    /// `!SEND <NAME> <ID> <BYTES>`
    Send,
}

impl Reply {
    /// The datagram to send to a base client.
    pub fn encode(&self) -> Text {
        self.encode_for(Form::Base)
    }

    /// The datagram to send to a client of this form. What is no part of the base protocol begins with `!` always.
    pub fn encode_for(&self, form: Form) -> Text {
        let mut text = Text::new();
        // Neither can fail: `Text` has room for the longest reply.
        if form != Form::Base || self.is_extended() {
            let _ = text.write_str("!");
        }
        let _ = self.write_to(&mut text);
        text
    }

    /// True for what only the extended protocol has.
    fn is_extended(&self) -> bool {
        match self {
            Self::Created(_) | Self::Joined(_) | Self::Left(_) | Self::Pong(_) | Self::Who(..) => false,
            Self::Hello(..) => true,
            Self::Refused(refusal) => refusal.is_extended(),
        }
    }

    /// Writes the text piece by piece: with formats it takes three times as many instructions.
    fn write_to(&self, to: &mut impl Write) -> fmt::Result {
        match self {
            Self::Created(id) => put(to, ["OK CREATED ", id.as_str()]),
            Self::Joined(id) => put(to, ["OK JOINED ", id.as_str()]),
            Self::Left(id) => put(to, ["OK LEFT ", id.as_str()]),
            Self::Pong(heartbeat) => {
                to.write_str("PONG ")?;
                heartbeat.write_to(to)
            }
            Self::Who(id, count) => {
                put(to, ["OK WHO ", id.as_str(), " "])?;
                put_number(to, u64::from(*count), 1)
            }
            Self::Hello(token, heartbeat) => {
                write!(to, "OK HELLO {} {token} ", Hello::VERSION)?;
                heartbeat.write_to(to)
            }
            Self::Refused(Refusal::Prove(cookie)) => put(to, ["RETRY ", cookie.as_str()]),
            Self::Refused(refusal) if refusal.is_bare() => put(to, ["ERR ", Refusal::CODES[refusal.index()]]),
            Self::Refused(refusal) => {
                put(to, ["ERR ", Refusal::CODES[refusal.index()], " "])?;
                refusal.write_to(to)
            }
        }
    }

    /// Reads an answer to an extended client, or to one that wants to become one; `None` for anything that is none.
    pub fn parse_extended(datagram: &[u8]) -> Option<Self> {
        let text = datagram.strip_prefix(b"!")?;
        Self::parse_own(core::str::from_utf8(text).ok()?).or_else(|| Self::parse(text))
    }

    /// Reads what only the extended protocol has.
    fn parse_own(text: &str) -> Option<Self> {
        let mut words = text.split(' ');
        let mut next = || words.next();
        let token = |word: &str| Token::parse(word.as_bytes());
        let reply = match (next()?, next()?) {
            ("RETRY", cookie) => Self::Refused(Refusal::Prove(Cookie::parse(cookie.as_bytes())?)),
            ("OK", "HELLO") => {
                next().filter(|version| *version == "2")?;
                Self::Hello(token(next()?)?, Heartbeat::parse(next()?)?)
            }
            ("ERR", "VERSION") => {
                next().filter(|word| *word == "2").map(|_| Self::Refused(Refusal::Version))?
            }
            ("ERR", "NO_SESSION") => next().map(|_| Self::Refused(Refusal::NoSession))?,
            ("ERR", "BAD_TOKEN") => Self::Refused(Refusal::BadToken),
            ("ERR", "BAD_NAME") => Self::Refused(Refusal::BadName),
            ("ERR", "NOT_REGISTERED") => Self::Refused(Refusal::NotRegistered),
            ("ERR", "UDP_ONLY") => Self::Refused(Refusal::NotOverTcp),
            ("ERR", "BAD_ARG") => return Self::parse_usage(text.strip_prefix("ERR BAD_ARG ")?),
            _ => return None,
        };
        words.next().is_none().then_some(reply)
    }

    fn parse_usage(text: &str) -> Option<Self> {
        let usage = match text {
            HELLO_USAGE => Usage::Hello,
            REG_USAGE => Usage::Reg,
            SEND_USAGE => Usage::Send,
            _ => return None,
        };
        Some(Self::Refused(Refusal::MissingArgument(usage)))
    }

    /// Reads an answer to a base client; `None` for anything that is none of this protocol's.
    pub fn parse(datagram: &[u8]) -> Option<Self> {
        let text = core::str::from_utf8(datagram).ok()?;
        let mut words = text.split(' ');
        let mut next = || words.next();
        let reply = match (next()?, next()?) {
            ("PONG", seconds) => Self::Pong(Heartbeat::parse(seconds)?),
            ("OK", "CREATED") => Self::Created(next()?.parse().ok()?),
            ("OK", "JOINED") => Self::Joined(next()?.parse().ok()?),
            ("OK", "LEFT") => Self::Left(next()?.parse().ok()?),
            ("OK", "WHO") => Self::Who(next()?.parse().ok()?, next()?.parse().ok()?),
            ("ERR", code) => Self::Refused(Refusal::parse(code, text.get(code.len() + 5..)?)?),
            _ => return None,
        };
        (matches!(reply, Self::Refused(_)) || words.next().is_none()).then_some(reply)
    }
}

impl Refusal {
    /// The codes of all refusals, as their senders are told them.
    pub const CODES: [&'static str; 18] = [
        "TOO_LARGE",
        "BAD_CMD",
        "BAD_ARG",
        "GROUP_FULL",
        "NOT_IN_GROUP",
        "CLIENT_LIMIT",
        "SERVER_FULL",
        "RETRY",
        "VERSION",
        "NO_SESSION",
        "BAD_TOKEN",
        "BAD_NAME",
        "NOT_REGISTERED",
        "UDP_ONLY",
        "SERVER_FULL",
        "SERVER_FULL",
        "SERVER_FULL",
        "SERVER_FULL",
    ];

    /// Metric labels of all refusals: their codes, and what is full where the code does not say it.
    pub const LABELS: [&'static str; Self::CODES.len()] = [
        "too_large",
        "bad_cmd",
        "bad_arg",
        "group_full",
        "not_in_group",
        "client_limit",
        "server_full",
        "retry",
        "version",
        "no_session",
        "bad_token",
        "bad_name",
        "not_registered",
        "udp_only",
        "names_full",
        "mail_full",
        "site_full",
        "store_failed",
    ];

    /// Position of its code in [`Refusal::CODES`], and of its label in [`Refusal::LABELS`].
    pub fn index(self) -> usize {
        match self {
            Self::TooLarge => 0,
            Self::UnknownCommand => 1,
            Self::MissingArgument(_) | Self::NoSuchGroup => 2,
            Self::GroupFull(_) => 3,
            Self::NotJoined | Self::NotInThatGroup => 4,
            Self::ClientLimit { .. } => 5,
            Self::ServerFull => 6,
            Self::Retry(_) | Self::Prove(_) => 7,
            Self::Version => 8,
            Self::NoSession => 9,
            Self::BadToken => 10,
            Self::BadName => 11,
            Self::NotRegistered => 12,
            Self::NotOverTcp => 13,
            Self::NamesFull => 14,
            Self::MailFull => 15,
            Self::SiteFull => 16,
            Self::StoreFailed => 17,
        }
    }

    fn is_extended(self) -> bool {
        use Refusal::{BadToken, MissingArgument, NoSession, Prove, Version};
        let is_argument = |usage| matches!(usage, Usage::Hello | Usage::Reg | Usage::Send);
        matches!(self, Prove(_) | Version | NoSession | BadToken)
            || self.is_bare()
            || matches!(self, MissingArgument(usage) if is_argument(usage))
    }

    /// True for what has nothing behind its code.
    fn is_bare(self) -> bool {
        matches!(self, Self::BadToken | Self::BadName | Self::NotRegistered | Self::NotOverTcp)
    }

    /// Writes the detail behind the code.
    fn write_to(&self, to: &mut impl Write) -> fmt::Result {
        to.write_str(match self {
            Self::TooLarge => "PayloadTooLarge",
            Self::UnknownCommand => "UnknownCommand",
            Self::MissingArgument(Usage::Join) => "Usage:!JOIN <GROUPID>",
            Self::MissingArgument(Usage::Leave) => "Usage:!LEAVE <GROUPID>",
            Self::MissingArgument(Usage::Hello) => HELLO_USAGE,
            Self::MissingArgument(Usage::Reg) => REG_USAGE,
            Self::MissingArgument(Usage::Send) => SEND_USAGE,
            Self::NoSuchGroup => "NoSuchGroup",
            Self::GroupFull(id) => id.as_str(),
            Self::NotJoined => "JoinFirstUseJOIN",
            Self::NotInThatGroup => "NotInThatGroup",
            Self::ClientLimit { used, max } => return write!(to, "{used}/{max}"),
            Self::ServerFull | Self::NamesFull | Self::MailFull | Self::SiteFull | Self::StoreFailed => {
                "TryLater"
            }
            Self::Retry(cookie) | Self::Prove(cookie) => cookie.as_str(),
            Self::Version => return put_number(to, u64::from(Hello::VERSION), 1),
            Self::NoSession => "SendHELLO",
            Self::BadToken | Self::BadName | Self::NotRegistered | Self::NotOverTcp => "",
        })
    }

    fn parse(code: &str, detail: &str) -> Option<Self> {
        Some(match (code, detail) {
            ("TOO_LARGE", _) => Self::TooLarge,
            ("BAD_CMD", _) => Self::UnknownCommand,
            ("BAD_ARG", "Usage:!JOIN <GROUPID>") => Self::MissingArgument(Usage::Join),
            ("BAD_ARG", "Usage:!LEAVE <GROUPID>") => Self::MissingArgument(Usage::Leave),
            ("BAD_ARG", "NoSuchGroup") => Self::NoSuchGroup,
            ("GROUP_FULL", id) => Self::GroupFull(id.parse().ok()?),
            ("NOT_IN_GROUP", "NotInThatGroup") => Self::NotInThatGroup,
            ("NOT_IN_GROUP", _) => Self::NotJoined,
            ("CLIENT_LIMIT", numbers) => {
                let (used, max) = numbers.split_once('/')?;
                Self::ClientLimit { used: used.parse().ok()?, max: max.parse().ok()? }
            }
            ("SERVER_FULL", _) => Self::ServerFull,
            ("RETRY", cookie) => Self::Retry(Cookie::parse(cookie.as_bytes())?),
            _ => return None,
        })
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_to(f)
    }
}

/// The detail behind the code.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_to(f)
    }
}

fn put<const N: usize>(to: &mut impl Write, pieces: [&str; N]) -> fmt::Result {
    pieces.into_iter().try_for_each(|piece| to.write_str(piece))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::string::ToString;

    fn id(text: &str) -> GroupId {
        text.parse().unwrap()
    }

    #[test]
    fn every_reply_has_its_exact_text() {
        let cases = [
            (Reply::Created(id("ABCD1234")), "OK CREATED ABCD1234"),
            (Reply::Joined(id("LOBBY-1")), "OK JOINED LOBBY-1"),
            (Reply::Left(id("ABCD1234")), "OK LEFT ABCD1234"),
            (Reply::Pong(Heartbeat(60_000)), "PONG 60.0"),
            (Reply::Who(id("ABCD1234"), 3), "OK WHO ABCD1234 3"),
            (Reply::Refused(Refusal::TooLarge), "ERR TOO_LARGE PayloadTooLarge"),
            (Reply::Refused(Refusal::UnknownCommand), "ERR BAD_CMD UnknownCommand"),
            (Reply::Refused(Refusal::MissingArgument(Usage::Join)), "ERR BAD_ARG Usage:!JOIN <GROUPID>"),
            (Reply::Refused(Refusal::MissingArgument(Usage::Leave)), "ERR BAD_ARG Usage:!LEAVE <GROUPID>"),
            (Reply::Refused(Refusal::NoSuchGroup), "ERR BAD_ARG NoSuchGroup"),
            (Reply::Refused(Refusal::GroupFull(id("A"))), "ERR GROUP_FULL A"),
            (Reply::Refused(Refusal::NotJoined), "ERR NOT_IN_GROUP JoinFirstUseJOIN"),
            (Reply::Refused(Refusal::NotInThatGroup), "ERR NOT_IN_GROUP NotInThatGroup"),
            (Reply::Refused(Refusal::ClientLimit { used: 3, max: 3 }), "ERR CLIENT_LIMIT 3/3"),
            (Reply::Refused(Refusal::ServerFull), "ERR SERVER_FULL TryLater"),
            (Reply::Refused(Refusal::Retry(Cookie::of(33))), "ERR RETRY 9AAAAAAAAAAAAAAA"),
        ];
        for (reply, text) in cases {
            assert_eq!(reply.to_string(), text);
            assert_eq!(reply.encode().as_bytes(), text.as_bytes());
            assert_eq!(Reply::parse(text.as_bytes()), Some(reply));
            if let Reply::Refused(refusal) = reply {
                assert_eq!(std::format!("ERR {} {refusal}", Refusal::CODES[refusal.index()]), text);
            }
        }
    }

    #[test]
    fn whatever_is_full_the_text_is_one_and_the_labels_are_not() {
        for full in [Refusal::NamesFull, Refusal::MailFull, Refusal::SiteFull, Refusal::StoreFailed] {
            let text = Reply::Refused(full).encode_for(Form::Extended);
            assert_eq!(text.as_bytes(), b"!ERR SERVER_FULL TryLater");
            let read = Reply::parse_extended(text.as_bytes());
            assert_eq!(read, Some(Reply::Refused(Refusal::ServerFull)));
        }
        let labels: std::collections::BTreeSet<_> = Refusal::LABELS.into_iter().collect();
        assert_eq!(labels.len(), Refusal::LABELS.len());
        for (code, label) in Refusal::CODES.iter().zip(Refusal::LABELS) {
            assert!(*code == "SERVER_FULL" || code.to_ascii_lowercase() == label, "{code} {label}");
        }
    }

    #[test]
    fn extended_clients_are_told_with_an_exclamation_mark() {
        let (token, cookie) = (Token::of(34), Cookie::of(33));
        let letters = std::format!("AB{}", "A".repeat(24));
        let cases = [
            (Reply::Hello(token, Heartbeat(60_000)), std::format!("!OK HELLO 2 {letters} 60.0")),
            (Reply::Refused(Refusal::Prove(cookie)), std::format!("!RETRY {cookie}")),
            (Reply::Refused(Refusal::Version), "!ERR VERSION 2".into()),
            (Reply::Refused(Refusal::NoSession), "!ERR NO_SESSION SendHELLO".into()),
            (Reply::Refused(Refusal::BadToken), "!ERR BAD_TOKEN".into()),
            (Reply::Refused(Refusal::BadName), "!ERR BAD_NAME".into()),
            (Reply::Refused(Refusal::NotRegistered), "!ERR NOT_REGISTERED".into()),
            (Reply::Refused(Refusal::NotOverTcp), "!ERR UDP_ONLY".into()),
            (
                Reply::Refused(Refusal::MissingArgument(Usage::Reg)),
                "!ERR BAD_ARG Usage:!REG <NAME> [CLAIM]".into(),
            ),
            (
                Reply::Refused(Refusal::MissingArgument(Usage::Send)),
                "!ERR BAD_ARG Usage:!SEND <NAME> <ID> <BYTES>".into(),
            ),
            (
                Reply::Refused(Refusal::MissingArgument(Usage::Hello)),
                "!ERR BAD_ARG Usage:!HELLO 2 <COOKIE> [FROM]".into(),
            ),
        ];
        for (reply, text) in cases {
            for form in [Form::Base, Form::Extended, Form::WithSender] {
                assert_eq!(reply.encode_for(form).as_bytes(), text.as_bytes());
            }
            assert_eq!(Reply::parse_extended(text.as_bytes()), Some(reply), "{text}");
            assert_eq!(Reply::parse(text.as_bytes()), None, "{text}");
            assert_eq!(Reply::parse(&text.as_bytes()[1..]), None, "{text}");
            let longer = std::format!("{text} x");
            assert_eq!(Reply::parse_extended(longer.as_bytes()), None, "{longer}");
        }
        for reply in [Reply::Pong(Heartbeat(500)), Reply::Joined(id("A")), Reply::Refused(Refusal::NotJoined)]
        {
            let text = reply.encode_for(Form::Extended);
            assert_eq!(text.as_bytes(), std::format!("!{reply}").as_bytes());
            assert_eq!(Reply::parse_extended(text.as_bytes()), Some(reply));
            assert_eq!(Reply::parse_extended(reply.encode().as_bytes()), None);
        }
    }

    #[test]
    fn the_longest_reply_fits() {
        let longest = Reply::Refused(Refusal::ClientLimit { used: u32::MAX, max: u32::MAX });
        assert_eq!(longest.encode().as_bytes(), longest.to_string().as_bytes());
        let who = Reply::Who(GroupId::parse(&[b'A'; 32]).unwrap(), u32::MAX);
        assert_eq!(who.encode().as_bytes(), who.to_string().as_bytes());
        let pong = Reply::Pong(Heartbeat(u64::MAX));
        assert_eq!(pong.encode().as_bytes(), pong.to_string().as_bytes());
        let hello = Reply::Hello(Token::of(0), Heartbeat(u64::MAX));
        assert_eq!(hello.encode().as_bytes(), std::format!("!{hello}").as_bytes());
    }

    #[test]
    fn other_texts_are_no_replies() {
        for text in [
            &b""[..],
            b"OK",
            b"OK JOINED",
            b"OK JOINED X Y",
            b"PONG x",
            b"PONG -1",
            b"PONG nan",
            b"hello",
            b"ERR X Y",
            b"ERR RETRY ABC",
            b"ERR",
            b"\xff",
        ] {
            assert_eq!(Reply::parse(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn parses_any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..80)) {
            let _ = Reply::parse(&bytes);
            let _ = Reply::parse_extended(&bytes);
        }

        #[test]
        fn parses_any_reply_like_text(text in "(OK|ERR|PONG) (JOINED|LEFT|WHO|CREATED|BAD_ARG|CLIENT_LIMIT|[ -~]{0,9}) ?[ -~]{0,40}") {
            let _ = Reply::parse(text.as_bytes());
        }
    }
}
