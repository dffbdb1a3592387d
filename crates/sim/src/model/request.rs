//! Reading a datagram as the protocol has it, byte by byte and without the relay's own decoder.

use wire::GroupId;

/// What a datagram asks for. The argument of a command is `None` if empty, and `Some(None)` if it can be no group's id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// No bytes.
    Nothing,
    /// More than 4096 bytes.
    TooLarge,
    /// For the others in the group.
    Payload,
    /// `!CREATE`
    Create,
    /// `!JOIN`, and what may be a cookie.
    Join(Option<Option<GroupId>>, Option<[u8; 16]>),
    /// `!LEAVE`
    Leave(Option<Option<GroupId>>),
    /// `!PING`
    Ping,
    /// `!WHO`
    Who,
    /// Any other command.
    Unknown,
}

/// Reads a datagram.
pub fn parse(bytes: &[u8]) -> Request {
    if bytes.is_empty() {
        return Request::Nothing;
    }
    if bytes.len() > 4096 {
        return Request::TooLarge;
    }
    if bytes[0] != b'!' {
        return Request::Payload;
    }
    let mut words = bytes[1..].splitn(2, |byte| *byte == b' ');
    let (command, argument) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    match command {
        b"CREATE" => Request::Create,
        b"JOIN" => join(argument),
        b"LEAVE" => Request::Leave(group(argument)),
        b"PING" => Request::Ping,
        b"WHO" => Request::Who,
        _ => Request::Unknown,
    }
}

/// Only a client that was asked for a proof shows one; any other second word makes an id that no group has.
fn join(argument: &[u8]) -> Request {
    let text = trimmed(argument);
    let end = text.iter().position(|byte| matches!(byte, 9..=13 | b' ' | b'.')).unwrap_or(text.len());
    let is_letter = |byte: &u8| matches!(byte.to_ascii_uppercase(), b'1'..=b'9' | b'A'..=b'N' | b'P'..=b'Z');
    match <[u8; 16]>::try_from(text.get(end + 1..).unwrap_or_default()) {
        Ok(cookie) if cookie.iter().all(is_letter) => Request::Join(group(&text[..end]), Some(cookie)),
        _ => Request::Join(group(argument), None),
    }
}

fn group(argument: &[u8]) -> Option<Option<GroupId>> {
    let id = trimmed(argument);
    (!id.is_empty()).then(|| GroupId::parse(id).ok())
}

fn trimmed(argument: &[u8]) -> &[u8] {
    let is_ink = |byte: &u8| !matches!(byte, 9..=13 | 32);
    let Some(first) = argument.iter().position(is_ink) else { return &[] };
    let last = argument.iter().rposition(is_ink).unwrap_or(first);
    &argument[first..=last]
}

impl Request {
    /// True if it is counted as a command.
    pub fn is_command(self) -> bool {
        !matches!(self, Self::Nothing | Self::TooLarge | Self::Payload)
    }

    /// Its place among the counted commands.
    pub fn kind(self) -> usize {
        use engine::CommandKind;
        (match self {
            Self::Create => CommandKind::Create,
            Self::Join(..) => CommandKind::Join,
            Self::Leave(_) => CommandKind::Leave,
            Self::Ping => CommandKind::Ping,
            Self::Who => CommandKind::Who,
            _ => CommandKind::Unknown,
        }) as usize
    }
}
