//! What can be asked of a relay.

use std::fmt;

use unicode_normalization::UnicodeNormalization;
use wire::{GroupId, Token};

use crate::base;
use crate::limits::MAX_NAME;

/// What can be asked of a relay. What stands behind [`Request::Who`] only an extended relay can do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Make a group.
    Create,
    /// Become a member, and leave the group one is in.
    Join(GroupId),
    /// Stop being a member.
    Leave(GroupId),
    /// Give a sign of life, and learn the suggested heartbeat.
    Ping,
    /// Count the members.
    Who,
    /// Have a name. A free one takes the claim that is shown: choose it with [`choose_claim`](crate::choose_claim) and note it
    /// down before you ask, or the name is lost if the answer is. Take it out again if the name is refused.
    Register {
        /// The name.
        name: String,
        /// What proves that it is one's own, or shall. Without it the relay chooses, and its answer alone tells.
        claim: Option<Token>,
    },
    /// Have no name any more: messages wait for its owner.
    Deregister,
    /// List the people of the group.
    Peers,
    /// Hear who comes and goes.
    Watch,
    /// Hear no more of it.
    Unwatch,
    /// Wait for somebody to talk to directly: for this person, or for whoever waits in the same group.
    Bridge(Option<String>),
    /// Wait no more.
    Unbridge,
}

impl Request {
    /// Whether its name, if there is one, can be one.
    pub(crate) fn is_sound(&self) -> bool {
        match self {
            Self::Register { name, .. } | Self::Bridge(Some(name)) => is_name(name),
            _ => true,
        }
    }

    /// The same for a base client, if it can ask for it.
    pub(crate) fn base(&self) -> Option<base::Request> {
        match *self {
            Self::Create => Some(base::Request::Create),
            Self::Join(group) => Some(base::Request::Join(group)),
            Self::Leave(group) => Some(base::Request::Leave(group)),
            Self::Ping => Some(base::Request::Ping),
            Self::Who => Some(base::Request::Who),
            _ => None,
        }
    }
}

impl From<base::Request> for Request {
    fn from(request: base::Request) -> Self {
        match request {
            base::Request::Create => Self::Create,
            base::Request::Join(group) => Self::Join(group),
            base::Request::Leave(group) => Self::Leave(group),
            base::Request::Ping => Self::Ping,
            base::Request::Who => Self::Who,
        }
    }
}

/// The command for people to read, without its `!` and without the claim, which is a secret.
impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Create => f.write_str("CREATE"),
            Self::Join(group) => write!(f, "JOIN {group}"),
            Self::Leave(group) => write!(f, "LEAVE {group}"),
            Self::Ping => f.write_str("PING"),
            Self::Who => f.write_str("WHO"),
            Self::Register { name, .. } => write!(f, "REG {name}"),
            Self::Deregister => f.write_str("DEREG"),
            Self::Peers => f.write_str("PEERS"),
            Self::Watch => f.write_str("WATCH"),
            Self::Unwatch => f.write_str("UNWATCH"),
            Self::Bridge(None) => f.write_str("BRIDGE"),
            Self::Bridge(Some(name)) => write!(f, "BRIDGE {name}"),
            Self::Unbridge => f.write_str("UNBRIDGE"),
        }
    }
}

/// What a name is, in words.
pub const NAME_RULE: &str = "a name has 1 to 32 letters, digits, `_`, `-` and `.`, and is no single `-`";

/// Whether somebody may be called so. Which signs beyond ASCII are letters or digits only the relay knows.
pub fn is_name(name: &str) -> bool {
    let is_good = |letter: char| match letter {
        '_' | '-' | '.' => true,
        _ if letter.is_ascii() => letter.is_ascii_alphanumeric(),
        _ => !letter.is_whitespace() && !letter.is_control(),
    };
    (1..=MAX_NAME).contains(&name.nfc().count()) && name.nfc().all(is_good) && name != "-"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_letters_digits_and_three_signs() {
        let long = ["x".repeat(32), "e\u{301}".repeat(32)];
        for good in
            ["a", "-a", "--", ".", "_", "a.b-c_9", "Gr\u{fc}\u{df}e", "\u{5c71}\u{7530}", &long[0], &long[1]]
        {
            assert!(is_name(good), "{good}");
        }
        let bad = [
            "", "-", "@bob", "bob:", "b!b", "!b", "#1", "a b", "a=b", "a\n", "a\u{a0}b", "\u{37e}", "a\u{85}",
        ];
        for bad in bad.into_iter().chain([&*"x".repeat(33)]) {
            assert!(!is_name(bad), "{bad:?}");
        }
    }
}
