//! Reading a client's datagram. Borrows, never allocates, and takes any bytes.

use crate::{Cookie, GroupId, MAX_DATAGRAM, Proof, Token, Usage};

/// What a datagram says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message<'a> {
    /// No bytes: ignored.
    Empty,
    /// More than [`MAX_DATAGRAM`] bytes: refused before anything else is looked at.
    TooLarge,
    /// It began with `!`.
    Command(Command<'a>),
    /// Anything else: for the other members of the sender's group.
    Payload(&'a [u8]),
}

/// A command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command<'a> {
    /// `!CREATE`, with a cookie or anything else behind it: make a group.
    Create(Argument<'a>),
    /// `!JOIN <id>`, with a cookie behind it or not: become a member.
    Join(Argument<'a>),
    /// `!LEAVE <id>`: stop being a member.
    Leave(Argument<'a>),
    /// `!PING`: stay a member.
    Ping,
    /// `!WHO`: count the members.
    Who,
    /// `!HELLO 2 [<cookie> [FROM]]`: become an extended client.
    Hello(Fields<'a>),
    /// `!BEAT`: stay one.
    Beat,
    /// `!RESUME <token> <cookie>`: go on from another address.
    Resume(Fields<'a>),
    /// `!RAW <bytes>`: a payload, whatever it begins with.
    Raw(&'a [u8]),
    /// What only people say who have a name, or want one.
    Person(Person<'a>),
    /// Anything else that began with `!`.
    Unknown,
}

/// A command about names, messages and addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Person<'a> {
    /// `!REG <name> [claim]`: have a name.
    Reg(Fields<'a>),
    /// `!DEREG`: have none any more.
    Dereg,
    /// `!PEERS [cursor]`: who is in the group.
    Peers(Fields<'a>),
    /// `!WATCH`: hear who comes and goes.
    Watch,
    /// `!UNWATCH`: hear no more of it.
    Unwatch,
    /// `!SEND <name> <id> <bytes>`: a message for one.
    Send(Fields<'a>),
    /// `!ACK <from> <id>`, `!ACK PEER_AT <nonce>`: it has arrived.
    Ack(Fields<'a>),
    /// `!BRIDGE [name]`: wait for a peer to talk to directly.
    Bridge(Fields<'a>),
    /// `!UNBRIDGE`: wait no more.
    Unbridge,
}

/// What stands behind a command's first space, as it is. It is read when it is wanted: what most datagrams are not must not
/// make them larger.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fields<'a>(pub(crate) &'a [u8]);

/// What a HELLO says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hello {
    /// No version, or more behind the cookie than `FROM`.
    Malformed,
    /// Another version than [`Hello::VERSION`].
    OtherVersion,
    /// This version.
    Known {
        /// The cookie; `None` also for a text that can be none.
        cookie: Option<Cookie>,
        /// Payloads are to say who has sent them.
        from: bool,
    },
}

/// What a RESUME shows; `None` also for texts that can be none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resume {
    /// The token of the session.
    pub token: Option<Token>,
    /// The cookie of the new address.
    pub cookie: Option<Cookie>,
}

/// What stands behind a command's first space, without surrounding white space.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Argument<'a>(&'a [u8]);

/// Reads one datagram. Give it at least one byte more than [`MAX_DATAGRAM`] of a longer one.
#[inline]
pub fn decode(datagram: &[u8]) -> Message<'_> {
    match datagram {
        [] => Message::Empty,
        long if long.len() > MAX_DATAGRAM => Message::TooLarge,
        [b'!', command @ ..] => Message::Command(decode_command(command)),
        payload => Message::Payload(payload),
    }
}

/// True for a datagram that reads like one of the relay's own replies, to a base client or to an extended one.
///
/// Such a datagram from somebody who is in no group is never answered, or two relays could answer each other for ever.
pub fn looks_like_reply(datagram: &[u8]) -> bool {
    let text = datagram.strip_prefix(b"!").unwrap_or(datagram);
    [&b"OK "[..], b"ERR ", b"PONG "].iter().any(|start| text.starts_with(start))
        || datagram.starts_with(b"!RETRY ")
}

fn decode_command(text: &[u8]) -> Command<'_> {
    let end = text.iter().position(|&byte| byte == b' ').unwrap_or(text.len());
    let argument = || Argument::trimmed(&text[end..]);
    let rest = || text.get(end + 1..).unwrap_or_default();
    match &text[..end] {
        b"CREATE" => Command::Create(argument()),
        b"JOIN" => Command::Join(argument()),
        b"LEAVE" => Command::Leave(argument()),
        b"PING" => Command::Ping,
        b"WHO" => Command::Who,
        b"HELLO" => Command::Hello(Fields(rest())),
        b"BEAT" => Command::Beat,
        b"RESUME" => Command::Resume(Fields(rest())),
        b"RAW" => Command::Raw(rest()),
        token => decode_person(token, rest()).map_or(Command::Unknown, Command::Person),
    }
}

/// Out of line: the others are looked for first.
#[cold]
fn decode_person<'a>(token: &[u8], rest: &'a [u8]) -> Option<Person<'a>> {
    Some(match token {
        b"REG" => Person::Reg(Fields(rest)),
        b"DEREG" => Person::Dereg,
        b"PEERS" => Person::Peers(Fields(rest)),
        b"WATCH" => Person::Watch,
        b"UNWATCH" => Person::Unwatch,
        b"SEND" => Person::Send(Fields(rest)),
        b"ACK" => Person::Ack(Fields(rest)),
        b"BRIDGE" => Person::Bridge(Fields(rest)),
        b"UNBRIDGE" => Person::Unbridge,
        _ => return None,
    })
}

impl Hello {
    /// The version of the extended protocol.
    pub const VERSION: u32 = 2;
}

impl Fields<'_> {
    /// Reads those of a HELLO.
    pub fn hello(self) -> Hello {
        let mut fields = self.0.split(|&byte| byte == b' ');
        let mut next = || fields.next();
        match (next(), next(), next(), next()) {
            (None | Some(b""), ..) | (.., Some(_)) => Hello::Malformed,
            // Who is connected needs no cookie, and nobody's cookie reads like this.
            (Some(b"2"), Some(b"FROM"), None, _) => Hello::Known { cookie: None, from: true },
            (Some(b"2"), cookie, from @ (None | Some(b"FROM")), _) => {
                Hello::Known { cookie: cookie.and_then(Cookie::parse), from: from.is_some() }
            }
            (Some(b"2"), ..) => Hello::Malformed,
            _ => Hello::OtherVersion,
        }
    }

    /// Reads those of a RESUME.
    pub fn resume(self) -> Resume {
        let mut fields = self.0.splitn(2, |&byte| byte == b' ');
        let token = fields.next().and_then(Token::parse);
        Resume { token, cookie: fields.next().and_then(Cookie::parse) }
    }
}

impl<'a> Argument<'a> {
    fn trimmed(text: &'a [u8]) -> Self {
        let start = text.iter().position(|byte| !is_space(*byte)).unwrap_or(text.len());
        let end = text.iter().rposition(|byte| !is_space(*byte)).map_or(start, |last| last + 1);
        Self(&text[start..end])
    }

    /// The group that it names: `Ok(None)` for a text that can name no group.
    ///
    /// # Errors
    /// The usage to answer with, if nothing was given.
    pub fn group(self, usage: Usage) -> Result<Option<GroupId>, Usage> {
        if self.0.is_empty() { Err(usage) } else { Ok(GroupId::parse(self.0).ok()) }
    }

    /// The group that a JOIN names, as [`Argument::group`] has it, and what stands behind it: divided by white space or a
    /// point, because the original client takes one word only.
    ///
    /// # Errors
    /// The usage to answer with, if nothing was given.
    pub fn group_and_proof(self) -> Result<(Option<GroupId>, Proof), Usage> {
        if self.0.is_empty() {
            return Err(Usage::Join);
        }
        let end = self.0.iter().position(|&byte| is_divider(byte)).unwrap_or(self.0.len());
        let (group, rest) = self.0.split_at(end);
        let start = rest.iter().position(|&byte| !is_divider(byte)).unwrap_or(rest.len());
        let proof = match rest {
            [] => Proof::None,
            _ => Cookie::parse(&rest[start..]).map_or(Proof::Other, Proof::Cookie),
        };
        Ok((GroupId::parse(group).ok(), proof))
    }

    /// The cookie that it is, if it is one.
    pub fn cookie(self) -> Option<Cookie> {
        Cookie::parse(self.0)
    }
}

/// One of the six bytes that the original's `strip` takes off ASCII text; `is_ascii_whitespace` leaves the vertical tab.
fn is_space(byte: u8) -> bool {
    matches!(byte, b'\t'..=b'\r' | b' ')
}

fn is_divider(byte: u8) -> bool {
    is_space(byte) || byte == b'.'
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn command(text: &[u8]) -> Command<'_> {
        match decode(text) {
            Message::Command(command) => command,
            other => panic!("{other:?} is no command"),
        }
    }

    fn id(text: &str) -> Option<GroupId> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn length_is_checked_first() {
        assert_eq!(decode(b""), Message::Empty);
        assert_eq!(decode(&[b'!'; 4097]), Message::TooLarge);
        assert_eq!(decode(&[b'x'; 4096]), Message::Payload(&[b'x'; 4096]));
    }

    #[test]
    fn unknown_tokens() {
        for text in
            [&b"!"[..], b"! JOIN X", b"!join X", b"!PING\n", b"!JOIN\tX", b"!JOINABCD", b"!\xff", b"!!PING"]
        {
            assert_eq!(command(text), Command::Unknown, "{text:?}");
        }
    }

    #[test]
    fn arguments_are_stripped_and_folded() {
        for text in [&b"!JOIN abcd1234"[..], b"!JOIN   ABCD1234\r\n", b"!JOIN \t\x0b\x0cAbcd1234 "] {
            let Command::Join(argument) = command(text) else { panic!("{text:?}") };
            assert_eq!(argument.group(Usage::Join), Ok(id("ABCD1234")), "{text:?}");
        }
    }

    #[test]
    fn empty_arguments_are_told_apart_from_impossible_ones() {
        for text in [&b"!LEAVE"[..], b"!LEAVE ", b"!LEAVE \t\n"] {
            let Command::Leave(argument) = command(text) else { panic!("{text:?}") };
            assert_eq!(argument.group(Usage::Leave), Err(Usage::Leave), "{text:?}");
        }
        for text in [&b"!JOIN A B"[..], b"!JOIN \xff", "!JOIN ABCDEFG\u{17f}".as_bytes(), b"!JOIN A\0"] {
            let Command::Join(argument) = command(text) else { panic!("{text:?}") };
            assert_eq!(argument.group(Usage::Join), Ok(None), "{text:?}");
        }
    }

    #[test]
    fn some_commands_ignore_their_argument() {
        assert!(matches!(command(b"!CREATE junk"), Command::Create(_)));
        assert_eq!(command(b"!PING now please"), Command::Ping);
        assert_eq!(command(b"!WHO \xff"), Command::Who);
    }

    #[test]
    fn a_cookie_stands_behind_a_group_or_alone() {
        let cookie = Cookie::of(7);
        let join = |text: &str| match command(text.as_bytes()) {
            Command::Join(argument) => argument.group_and_proof(),
            other => panic!("{other:?}"),
        };
        for divider in [" ", ".", "  ", "\t", " . "] {
            assert_eq!(
                join(&std::format!("!JOIN a{divider}{cookie} ")),
                Ok((id("A"), Proof::Cookie(cookie)))
            );
        }
        assert_eq!(join("!JOIN A"), Ok((id("A"), Proof::None)));
        for text in ["!JOIN A B", "!JOIN A.", "!JOIN A.B C", "!JOIN A ."] {
            assert_eq!(join(text), Ok((id("A"), Proof::Other)), "{text}");
        }
        assert_eq!(join(&std::format!("!JOIN .{cookie}")), Ok((None, Proof::Cookie(cookie))));
        assert_eq!(join("!JOIN "), Err(Usage::Join));
        let text = std::format!("!CREATE {cookie}");
        let Command::Create(argument) = command(text.as_bytes()) else { panic!("{text}") };
        assert_eq!(argument.cookie(), Some(cookie));
    }

    #[test]
    fn a_hello_tells_its_version_a_cookie_and_a_wish() {
        let cookie = Cookie::of(7);
        let hello = |text: &str| match command(text.as_bytes()) {
            Command::Hello(fields) => fields.hello(),
            other => panic!("{other:?}"),
        };
        let known = |cookie, from| Hello::Known { cookie, from };
        assert_eq!(hello("!HELLO 2"), known(None, false));
        assert_eq!(hello(&std::format!("!HELLO 2 {cookie}")), known(Some(cookie), false));
        assert_eq!(hello(&std::format!("!HELLO 2 {cookie} FROM")), known(Some(cookie), true));
        assert_eq!(hello("!HELLO 2 FROM"), known(None, true));
        for text in ["!HELLO 2 ", "!HELLO 2 AAAA", "!HELLO 2 from"] {
            assert_eq!(hello(text), known(None, false), "{text}");
        }
        for text in ["!HELLO 1", "!HELLO 22", "!HELLO x y", "!HELLO 2\n"] {
            assert_eq!(hello(text), Hello::OtherVersion, "{text}");
        }
        for text in ["!HELLO", "!HELLO ", "!HELLO  2", "!HELLO 2 A B", "!HELLO 2 A FROM ", "!HELLO 2 A from"]
        {
            assert_eq!(hello(text), Hello::Malformed, "{text}");
        }
    }

    #[test]
    fn a_resume_shows_a_token_and_a_cookie() {
        let (token, cookie) = (Token::of(8), Cookie::of(7));
        let resume = |text: &str| match command(text.as_bytes()) {
            Command::Resume(fields) => {
                let Resume { token, cookie } = fields.resume();
                (token, cookie)
            }
            other => panic!("{other:?}"),
        };
        assert_eq!(resume(&std::format!("!RESUME {token} {cookie}")), (Some(token), Some(cookie)));
        assert_eq!(resume(&std::format!("!RESUME {token}")), (Some(token), None));
        assert_eq!(resume(&std::format!("!RESUME {cookie} {token}")), (None, None));
        assert_eq!(resume(&std::format!("!RESUME  {cookie}")), (None, Some(cookie)));
        assert_eq!(resume("!RESUME"), (None, None));
    }

    #[test]
    fn raw_takes_all_that_is_behind_one_space() {
        for (text, bytes) in
            [(&b"!RAW !x"[..], &b"!x"[..]), (b"!RAW  x \n", b" x \n"), (b"!RAW ", b""), (b"!RAW", b"")]
        {
            assert_eq!(command(text), Command::Raw(bytes), "{text:?}");
        }
        assert_eq!(command(b"!BEAT now"), Command::Beat);
    }

    #[test]
    fn replies_are_recognised() {
        for text in [
            &b"OK JOINED X"[..],
            b"ERR ",
            b"PONG 60.0",
            b"!OK HELLO",
            b"!ERR VERSION 2",
            b"!PONG 1.0",
            b"!RETRY A",
        ] {
            assert!(looks_like_reply(text), "{text:?}");
        }
        for text in [&b"OKAY"[..], b"ok then", b"PONG", b"!OKAY", b"RETRY A", b"!!OK ", b"!RETRY", b""] {
            assert!(!looks_like_reply(text), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn takes_any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..5000)) {
            match decode(&bytes) {
                Message::Empty => prop_assert!(bytes.is_empty()),
                Message::TooLarge => prop_assert!(bytes.len() > MAX_DATAGRAM),
                Message::Command(_) => prop_assert_eq!(bytes[0], b'!'),
                Message::Payload(payload) => prop_assert!(payload == bytes && bytes[0] != b'!'),
            }
        }

        #[test]
        fn takes_any_command(token in "(CREATE|JOIN|LEAVE|PING|WHO|HELLO|RESUME|RAW|REG|SEND|ACK|PEERS|BRIDGE|[A-Z]{0,7})", rest in proptest::collection::vec(any::<u8>(), 0..60)) {
            let mut bytes = std::format!("!{token}").into_bytes();
            bytes.extend_from_slice(&rest);
            if let Message::Command(Command::Join(argument) | Command::Leave(argument)) = decode(&bytes) {
                let _ = argument.group(Usage::Join);
                let _ = argument.group_and_proof();
            }
        }
    }
}
