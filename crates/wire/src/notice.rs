//! What the relay tells extended clients about people: written by the relay, read by its clients.

use core::fmt::{self, Write};
use core::net::{IpAddr, SocketAddr};
use core::str::{FromStr, Split};

use crate::heartbeat::put_number;
use crate::{GroupId, MessageId, Token};

/// What stands before news.
const NEWS: &str = "!PEER ";

/// Something told to an extended client that no [`Reply`](crate::Reply) is. Names are as their owners write them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice<'a> {
    /// `!OK REG <name> <claim>`: the name is the client's, and this proves it from now on.
    Registered(&'a str, Token),
    /// `!OK RESUMED <group or -> <name or -> <new token>`: the session goes on at this address. Nobody is called `-`.
    Resumed {
        /// The group that the client is in.
        group: Option<GroupId>,
        /// Its name.
        name: Option<&'a str>,
        /// What the session is known by from now on.
        token: Token,
    },
    /// `!ERR NAME_TAKEN <name>`: it is somebody else's.
    NameTaken(&'a str),
    /// `!ERR NAME_MOVED <name>`: another session of its owner has it now.
    NameMoved(&'a str),
    /// `!OK DEREG <name>`
    Deregistered(&'a str),
    /// `!MAIL <count>`: so many messages wait.
    Mail(u32),
    /// `!OK PEERS <cursor or .> <name>=ONLINE <name>=OFFLINE ...`: a page, and where the next one begins if there is one.
    Peers(Option<&'a str>, Entries<'a>),
    /// `!OK WATCH`
    Watching,
    /// `!OK UNWATCH`
    Unwatching,
    /// `!PEER <name> <news>`, or several of both: what has become of people in the group.
    Peer(Entries<'a>),
    /// `!DELIVERED <name> <id>`: that message has arrived.
    Delivered(&'a str, MessageId),
    /// `!STORED <name> <id>`: that message is kept until it can.
    Stored(&'a str, MessageId),
    /// `!ERR NO_SUCH_NAME <name>`: nobody is called so.
    NoSuchName(&'a str),
    /// `!ERR MAILBOX_FULL <name>`: there is no room for a message to it, or for one more of this sender.
    MailboxFull(&'a str),
    /// `!MSG <from> <id> <unix ms> <bytes>`: a message, and when the relay first had it.
    Message {
        /// Who has sent it.
        from: &'a str,
        /// What the sender calls it.
        id: MessageId,
        /// Milliseconds since 1970.
        time: u64,
        /// Its text.
        bytes: &'a [u8],
    },
    /// `!OK BRIDGE WAITING`: nobody matches yet.
    Waiting,
    /// `!OK UNBRIDGE`
    Unbridged,
    /// `!PEER_AT <name> <ip> <port> <nonce>`: somebody who wants to talk directly, and how both know each other.
    PeerAt(&'a str, SocketAddr, Token),
    /// `!FROM <sender> <seq> <bytes>`: a payload, and who has sent it.
    From(Sender<'a>, u32, &'a [u8]),
    /// `!RAW <bytes>`: a payload that begins with `!`.
    Raw(&'a [u8]),
}

/// Who has sent a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sender<'a> {
    /// Whoever has that name.
    Named(&'a str),
    /// `#<number>`: the member of that number in the group.
    Member(u32),
}

/// What has become of somebody in a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum News {
    /// Has the name again, or for the first time, and is a member.
    Online,
    /// Was a member, and is gone.
    Offline,
    /// Has come into the group.
    Joined,
    /// Has left it.
    Left,
}

/// Names and what is said of each, as they were sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entries<'a> {
    text: &'a str,
    /// Between a name and what is said of it.
    middle: char,
}

impl News {
    const WORDS: [(News, &'static str); 4] = [
        (Self::Online, "ONLINE"),
        (Self::Offline, "OFFLINE"),
        (Self::Joined, "JOINED"),
        (Self::Left, "LEFT"),
    ];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        Self::WORDS[self as usize].1
    }

    fn parse(word: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(_, other)| *other == word).map(|(news, _)| *news)
    }
}

impl<'a> Entries<'a> {
    /// Of a page: `<name>=ONLINE <name>=OFFLINE`, divided by spaces.
    pub fn of_page(text: &'a str) -> Self {
        Self { text, middle: '=' }
    }

    /// Of news: `<name> JOINED <name> LEFT`.
    pub fn of_news(text: &'a str) -> Self {
        Self { text, middle: ' ' }
    }

    /// Each name, and what is said of it. What is not understood is left out.
    pub fn iter(self) -> impl Iterator<Item = (&'a str, News)> {
        let mut words = self.text.split(' ');
        core::iter::from_fn(move || self.next(&mut words)).flatten()
    }

    fn next(self, words: &mut Split<'a, char>) -> Option<Option<(&'a str, News)>> {
        let word = words.next()?;
        let (name, news) = match self.middle {
            '=' => word.rsplit_once('=').unwrap_or((word, "")),
            _ => (word, words.next()?),
        };
        Some(News::parse(news).filter(|_| !name.is_empty()).map(|news| (name, news)))
    }
}

impl<'a> Notice<'a> {
    /// The datagram to send, piece by piece.
    pub fn write_to(&self, to: &mut impl FnMut(&[u8])) {
        let mut text = Pieces(to);
        // It takes anything.
        let _ = self.write_text(&mut text);
        if let Self::Message { bytes, .. } | Self::From(_, _, bytes) | Self::Raw(bytes) = self {
            to(bytes);
        }
    }

    fn write_text(&self, to: &mut impl Write) -> fmt::Result {
        match self {
            Self::Registered(name, claim) => write!(to, "!OK REG {name} {claim}"),
            Self::Resumed { group, name, token } => {
                let group = group.as_ref().map_or(NOTHING, GroupId::as_str);
                write!(to, "!OK RESUMED {group} {} {token}", name.unwrap_or(NOTHING))
            }
            Self::NameTaken(name) => write!(to, "!ERR NAME_TAKEN {name}"),
            Self::NameMoved(name) => write!(to, "!ERR NAME_MOVED {name}"),
            Self::Deregistered(name) => write!(to, "!OK DEREG {name}"),
            Self::Mail(count) => write!(to, "!MAIL {count}"),
            Self::Peers(cursor, Entries { text: "", .. }) => {
                write!(to, "!OK PEERS {}", cursor.unwrap_or(NO_MORE))
            }
            Self::Peers(cursor, page) => write!(to, "!OK PEERS {} {}", cursor.unwrap_or(NO_MORE), page.text),
            Self::Watching => to.write_str("!OK WATCH"),
            Self::Unwatching => to.write_str("!OK UNWATCH"),
            Self::Peer(news) => write!(to, "{NEWS}{}", news.text),
            Self::Delivered(name, id) => write!(to, "!DELIVERED {name} {id}"),
            Self::Stored(name, id) => write!(to, "!STORED {name} {id}"),
            Self::NoSuchName(name) => write!(to, "!ERR NO_SUCH_NAME {name}"),
            Self::MailboxFull(name) => write!(to, "!ERR MAILBOX_FULL {name}"),
            Self::Message { from, id, time, .. } => write!(to, "!MSG {from} {id} {time} "),
            Self::Waiting => to.write_str("!OK BRIDGE WAITING"),
            Self::Unbridged => to.write_str("!OK UNBRIDGE"),
            Self::PeerAt(name, address, nonce) => {
                write!(to, "!PEER_AT {name} {} {} {nonce}", address.ip(), address.port())
            }
            Self::From(sender, seq, _) => {
                write!(to, "!FROM {sender} ")?;
                put_number(to, u64::from(*seq), 10)?;
                to.write_str(" ")
            }
            Self::Raw(_) => to.write_str("!RAW "),
        }
    }

    /// True for a [`Notice::Peer`] as it is written: what nobody has to be told, because it can be asked for.
    pub fn is_news(datagram: &[u8]) -> bool {
        datagram.starts_with(NEWS.as_bytes())
    }

    /// Reads one; `None` for anything else.
    pub fn parse(datagram: &'a [u8]) -> Option<Self> {
        let (head, rest) = split(datagram.strip_prefix(b"!")?);
        match head {
            b"MSG" => return Self::parse_message(rest),
            b"FROM" => return Self::parse_from(rest),
            b"RAW" => return Some(Self::Raw(rest)),
            _ => {}
        }
        let (first, rest) = text(rest)?.split_once(' ').unwrap_or((text(rest)?, ""));
        match (head, first) {
            (b"OK", what) => Self::parse_done(what, rest),
            (b"ERR", code) => Self::parse_error(code, word(rest)?),
            (b"MAIL", count) => none_behind(rest).and(count.parse().ok()).map(Self::Mail),
            (b"PEER", _) => Some(Self::Peer(Entries::of_news(text(&datagram[NEWS.len()..])?))),
            (b"DELIVERED", name) => Some(Self::Delivered(word(name)?, MessageId::parse(rest.as_bytes())?)),
            (b"STORED", name) => Some(Self::Stored(word(name)?, MessageId::parse(rest.as_bytes())?)),
            (b"PEER_AT", name) => Self::parse_peer_at(word(name)?, rest),
            _ => None,
        }
    }

    fn parse_done(what: &'a str, rest: &'a str) -> Option<Self> {
        match what {
            "REG" => {
                let (name, claim) = rest.split_once(' ')?;
                Some(Self::Registered(word(name)?, Token::parse(claim.as_bytes())?))
            }
            "RESUMED" => Self::parse_resumed(rest),
            "DEREG" => word(rest).map(Self::Deregistered),
            "PEERS" => {
                let (cursor, page) = rest.split_once(' ').unwrap_or((rest, ""));
                Some(Self::Peers(word(cursor).filter(|cursor| *cursor != NO_MORE), Entries::of_page(page)))
            }
            "WATCH" => none_behind(rest).map(|()| Self::Watching),
            "UNWATCH" => none_behind(rest).map(|()| Self::Unwatching),
            "UNBRIDGE" => none_behind(rest).map(|()| Self::Unbridged),
            "BRIDGE" => (rest == "WAITING").then_some(Self::Waiting),
            _ => None,
        }
    }

    fn parse_resumed(rest: &'a str) -> Option<Self> {
        let (group, rest) = rest.split_once(' ')?;
        let (name, token) = rest.split_once(' ')?;
        let group = if group == NOTHING { None } else { Some(group.parse().ok()?) };
        let name = word(name)?;
        let name = (name != NOTHING).then_some(name);
        Some(Self::Resumed { group, name, token: Token::parse(token.as_bytes())? })
    }

    fn parse_error(code: &str, name: &'a str) -> Option<Self> {
        match code {
            "NAME_TAKEN" => Some(Self::NameTaken(name)),
            "NAME_MOVED" => Some(Self::NameMoved(name)),
            "NO_SUCH_NAME" => Some(Self::NoSuchName(name)),
            "MAILBOX_FULL" => Some(Self::MailboxFull(name)),
            _ => None,
        }
    }

    fn parse_message(rest: &'a [u8]) -> Option<Self> {
        let (from, rest) = split(rest);
        let (id, rest) = split(rest);
        let (time, bytes) = split(rest);
        Some(Self::Message {
            from: word(text(from)?)?,
            id: MessageId::parse(id)?,
            time: number(time)?,
            bytes,
        })
    }

    fn parse_from(rest: &'a [u8]) -> Option<Self> {
        let (sender, rest) = split(rest);
        let (seq, bytes) = split(rest);
        let sender = match sender {
            [b'#', number_of_member @ ..] => Sender::Member(number(number_of_member)?),
            name => Sender::Named(word(text(name)?)?),
        };
        Some(Self::From(sender, number(seq)?, bytes))
    }

    fn parse_peer_at(name: &'a str, rest: &'a str) -> Option<Self> {
        let (ip, rest) = rest.split_once(' ')?;
        let (port, nonce) = rest.split_once(' ')?;
        let address = SocketAddr::new(ip.parse::<IpAddr>().ok()?, port.parse().ok()?);
        Some(Self::PeerAt(name, address, Token::parse(nonce.as_bytes())?))
    }
}

impl fmt::Display for Sender<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(name) => f.write_str(name),
            Self::Member(number) => write!(f, "#{number}"),
        }
    }
}

/// Stands where there is no group, or no name.
const NOTHING: &str = "-";

/// Stands where there is no further page.
const NO_MORE: &str = ".";

struct Pieces<'a, F>(&'a mut F);

impl<F: FnMut(&[u8])> Write for Pieces<'_, F> {
    fn write_str(&mut self, piece: &str) -> fmt::Result {
        (self.0)(piece.as_bytes());
        Ok(())
    }
}

/// What stands before the first space, and behind it.
fn split(bytes: &[u8]) -> (&[u8], &[u8]) {
    let end = bytes.iter().position(|&byte| byte == b' ').unwrap_or(bytes.len());
    (&bytes[..end], bytes.get(end + 1..).unwrap_or_default())
}

fn text(bytes: &[u8]) -> Option<&str> {
    core::str::from_utf8(bytes).ok()
}

/// The text, if it is one word.
fn word(text: &str) -> Option<&str> {
    (!text.is_empty() && !text.contains(' ')).then_some(text)
}

fn none_behind(rest: &str) -> Option<()> {
    rest.is_empty().then_some(())
}

/// The number, if there are digits only.
fn number<N: FromStr>(digits: &[u8]) -> Option<N> {
    digits.iter().all(u8::is_ascii_digit).then(|| text(digits)?.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    fn bytes_of(notice: Notice<'_>) -> Vec<u8> {
        let mut bytes = Vec::new();
        notice.write_to(&mut |piece| bytes.extend_from_slice(piece));
        bytes
    }

    #[test]
    fn every_notice_has_its_exact_text_and_is_read_as_it_was_written() {
        let (id, token) = (MessageId::parse(b"7").unwrap(), Token::of(34));
        let letters = std::format!("AB{}", "A".repeat(24));
        let address = "192.0.2.1:5000".parse().unwrap();
        let (page, news) = (Entries::of_page("a=ONLINE b=OFFLINE"), Entries::of_news("a JOINED b LEFT"));
        let cases = [
            (Notice::Registered("\u{e9}va", token), std::format!("!OK REG \u{e9}va {letters}")),
            (Notice::Resumed { group: None, name: None, token }, std::format!("!OK RESUMED - - {letters}")),
            (
                Notice::Resumed { group: "LOBBY-1".parse().ok(), name: Some("a"), token },
                std::format!("!OK RESUMED LOBBY-1 a {letters}"),
            ),
            (Notice::NameTaken("a"), "!ERR NAME_TAKEN a".into()),
            (Notice::NameMoved("a"), "!ERR NAME_MOVED a".into()),
            (Notice::Deregistered("a"), "!OK DEREG a".into()),
            (Notice::Mail(3), "!MAIL 3".into()),
            (Notice::Peers(None, page), "!OK PEERS . a=ONLINE b=OFFLINE".into()),
            (Notice::Peers(Some(">b"), page), "!OK PEERS >b a=ONLINE b=OFFLINE".into()),
            (Notice::Peers(None, Entries::of_page("")), "!OK PEERS .".into()),
            (Notice::Watching, "!OK WATCH".into()),
            (Notice::Unwatching, "!OK UNWATCH".into()),
            (Notice::Peer(news), "!PEER a JOINED b LEFT".into()),
            (Notice::Delivered("a", id), "!DELIVERED a 7".into()),
            (Notice::Stored("a", id), "!STORED a 7".into()),
            (Notice::NoSuchName("a"), "!ERR NO_SUCH_NAME a".into()),
            (Notice::MailboxFull("a"), "!ERR MAILBOX_FULL a".into()),
            (Notice::Message { from: "a", id, time: 17, bytes: b" x  y" }, "!MSG a 7 17  x  y".into()),
            (Notice::Message { from: "a", id, time: 17, bytes: b"" }, "!MSG a 7 17 ".into()),
            (Notice::Waiting, "!OK BRIDGE WAITING".into()),
            (Notice::Unbridged, "!OK UNBRIDGE".into()),
            (Notice::PeerAt("a", address, token), std::format!("!PEER_AT a 192.0.2.1 5000 {letters}")),
            (Notice::From(Sender::Named("a"), 7, b"!x y"), "!FROM a 0000000007 !x y".into()),
            (Notice::From(Sender::Member(9), u32::MAX, b""), "!FROM #9 4294967295 ".into()),
            (Notice::Raw(b"!x"), "!RAW !x".into()),
        ];
        for (notice, text) in cases {
            assert_eq!(bytes_of(notice), text.as_bytes());
            assert_eq!(Notice::parse(text.as_bytes()), Some(notice), "{text}");
            assert_eq!(Notice::is_news(text.as_bytes()), matches!(notice, Notice::Peer(_)), "{text}");
        }
    }

    #[test]
    fn names_come_with_what_is_said_of_them() {
        let page = Entries::of_page("a=ONLINE b=c=OFFLINE c=x d");
        assert_eq!(page.iter().collect::<Vec<_>>(), [("a", News::Online), ("b=c", News::Offline)]);
        let news = Entries::of_news("a JOINED b LEFT c x d");
        assert_eq!(news.iter().collect::<Vec<_>>(), [("a", News::Joined), ("b", News::Left)]);
    }

    #[test]
    fn other_texts_are_no_notices() {
        for text in [
            "",
            "!",
            "!OK",
            "!OK REG a",
            "!OK REG a b",
            "!OK WATCH x",
            "!OK BRIDGE",
            "!MAIL",
            "!MAIL -1",
            "!MAIL 1 2",
            "!ERR NAME_TAKEN",
            "!ERR NAME_TAKEN a b",
            "!ERR X a",
            "!MSG a 7",
            "!MSG a 7 x y",
            "!MSG  7 1 y",
            "!FROM a x y",
            "!FROM #x 1 y",
            "!STORED a",
            "!PEER_AT a 1.2.3.4 x A",
            "!OK RESUMED - -",
            "!OK RESUMED ? - AAAAAAAAAAAAAAAAAAAAAAAAAA",
            "OK WATCH",
            "hello",
        ] {
            assert_eq!(Notice::parse(text.as_bytes()), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read(head in "!(OK|ERR|MSG|FROM|PEER|PEER_AT|MAIL|[A-Z]{0,5}) ", rest in proptest::collection::vec(any::<u8>(), 0..60)) {
            let bytes = [head.as_bytes(), &rest].concat();
            if let Some(Notice::Peers(_, entries) | Notice::Peer(entries)) = Notice::parse(&bytes) {
                let _ = entries.iter().count();
            }
        }
    }
}
