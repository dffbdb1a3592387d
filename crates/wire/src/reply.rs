//! What the relay answers: written by the relay, read by its clients.

use core::fmt::{self, Write};

use crate::heartbeat::put_number;
use crate::{Cookie, GroupId, Heartbeat, Hello, Refusal, Text, Token, Usage};

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
            ("ERR", "BAD_ARG") => {
                return Usage::parse_own(text.strip_prefix("ERR BAD_ARG ")?)
                    .map(|usage| Self::Refused(Refusal::MissingArgument(usage)));
            }
            _ => return None,
        };
        words.next().is_none().then_some(reply)
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

impl fmt::Display for Reply {
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
