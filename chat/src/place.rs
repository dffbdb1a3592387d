//! Where a text goes that is typed.

use std::fmt;

use client::{Client, harmless};
use wire::GroupId;

use crate::{Helper, Input};

/// Where a text goes that is typed. As it stands before the `>` of a prompt.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Place {
    /// In no group.
    #[default]
    Nowhere,
    /// To everybody in this group.
    Group(GroupId),
    /// To this person.
    Person(String),
    /// Where the lines before it lead, which nobody knows before they are obeyed.
    Unknown,
}

impl Place {
    /// Where this client is.
    pub(crate) fn of(client: &Client) -> Self {
        client.group().map_or(Self::Nowhere, Self::Group)
    }

    /// Where a text goes that was typed behind a line that went to here, once that line is obeyed.
    pub(crate) fn behind(self, line: &Input<'_>) -> Self {
        match (line, self) {
            (Input::Helper(Helper::Join(group)), _) => Self::Group(*group),
            // A name may bring its owner into the lobby.
            (Input::Helper(Helper::Register { .. }), Self::Nowhere)
            | (Input::Helper(Helper::Create { join: true } | Helper::Direct(None)), _) => Self::Unknown,
            (Input::Helper(Helper::Leave(None)), _) => Self::Nowhere,
            (Input::Helper(Helper::Leave(left)), Self::Group(group)) if *left == Some(group) => Self::Nowhere,
            (_, place) => place,
        }
    }

    /// Whether what was typed for here may go to where the client is now.
    pub(crate) fn admits(&self, now: &Self) -> bool {
        // To be in no group has a hint of its own.
        self == now || (*self == Self::Unknown && *now == Self::Nowhere)
    }

    /// In a sentence.
    pub(crate) fn words(&self) -> String {
        match self {
            Self::Nowhere | Self::Unknown => "you are in no group now".into(),
            Self::Group(group) => format!("you are in {group} now"),
            Self::Person(name) => format!("what you type goes to {} now", harmless(name.as_bytes())),
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nowhere | Self::Unknown => Ok(()),
            Self::Group(group) => write!(f, "{group}"),
            Self::Person(name) => f.write_str(&harmless(name.as_bytes())),
        }
    }
}
