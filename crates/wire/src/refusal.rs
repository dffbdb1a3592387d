//! Why the relay says no: the code that its clients are told, and the label under which it is counted.

use core::fmt::{self, Write};

use crate::heartbeat::put_number;
use crate::{Cookie, GroupId, Hello};

const HELLO_USAGE: &str = "Usage:!HELLO 2 <COOKIE> [FROM]";
const REG_USAGE: &str = "Usage:!REG <NAME> [CLAIM]";
const SEND_USAGE: &str = "Usage:!SEND <NAME> <ID> <BYTES>";

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

    pub(crate) fn is_extended(self) -> bool {
        use Refusal::{BadToken, MissingArgument, NoSession, Prove, Version};
        let is_argument = |usage| matches!(usage, Usage::Hello | Usage::Reg | Usage::Send);
        matches!(self, Prove(_) | Version | NoSession | BadToken)
            || self.is_bare()
            || matches!(self, MissingArgument(usage) if is_argument(usage))
    }

    /// True for what has nothing behind its code.
    pub(crate) fn is_bare(self) -> bool {
        matches!(self, Self::BadToken | Self::BadName | Self::NotRegistered | Self::NotOverTcp)
    }

    /// Writes the detail behind the code.
    pub(crate) fn write_to(&self, to: &mut impl Write) -> fmt::Result {
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

    pub(crate) fn parse(code: &str, detail: &str) -> Option<Self> {
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

impl Usage {
    /// Reads the usage of a command that only extended clients have.
    pub(crate) fn parse_own(text: &str) -> Option<Self> {
        match text {
            HELLO_USAGE => Some(Self::Hello),
            REG_USAGE => Some(Self::Reg),
            SEND_USAGE => Some(Self::Send),
            _ => None,
        }
    }
}

/// The detail behind the code.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_to(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Form, Reply};

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
}
