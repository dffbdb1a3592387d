//! The answer to a RESUME, apart from the other replies, which it would make larger.

use core::fmt::Write;

use crate::reply::NOTHING;
use crate::{GroupId, Text, Token};

/// The answer to a RESUME: `!OK RESUMED <group or -> <name or -> <new token>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Resumed {
    /// The group that the client is in.
    pub group: Option<GroupId>,
    /// What the session is known by from now on.
    pub token: Token,
}

impl Resumed {
    const START: &'static str = "!OK RESUMED ";

    /// The datagram to send.
    pub fn encode(&self) -> Text {
        let mut text = Text::new();
        let group = self.group.as_ref().map_or(NOTHING, GroupId::as_str);
        // Cannot fail: `Text` has room for it.
        let _ = write!(text, "{}{group} {NOTHING} {}", Self::START, self.token);
        text
    }

    /// Reads one; `None` for anything else.
    pub fn parse(datagram: &[u8]) -> Option<Self> {
        let mut words = core::str::from_utf8(datagram).ok()?.strip_prefix(Self::START)?.split(' ');
        let mut next = || words.next();
        let group = match next()? {
            NOTHING => None,
            id => Some(id.parse().ok()?),
        };
        next().filter(|name| *name == NOTHING)?;
        let token = Token::parse(next()?.as_bytes())?;
        next().is_none().then_some(Self { group, token })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_resumed_session_is_told_its_group_and_its_token() {
        let token = Token::of(34);
        let letters = std::format!("AB{}", "A".repeat(24));
        for (group, word) in [
            (GroupId::parse(b"LOBBY-1").ok(), "LOBBY-1"),
            (None, "-"),
            (Some(GroupId::parse(&[b'A'; 32]).unwrap()), &"A".repeat(32)),
        ] {
            let text = std::format!("!OK RESUMED {word} - {letters}");
            let resumed = Resumed { group, token };
            assert_eq!(resumed.encode().as_bytes(), text.as_bytes());
            assert_eq!(Resumed::parse(text.as_bytes()), Some(resumed));
            assert_eq!(Resumed::parse(std::format!("{text} x").as_bytes()), None);
        }
        for text in ["!OK RESUMED - -", "!OK RESUMED - NAME AA", "OK RESUMED - - A", "!OK RESUMED ? - A"] {
            assert_eq!(Resumed::parse(text.as_bytes()), None, "{text}");
        }
    }
}
