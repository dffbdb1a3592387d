//! What base clients hear who say words of the extended protocol.

use crate::oracle::Verdict;

/// What only extended clients may ask for, of whom there are none here.
pub fn no_session() -> Verdict {
    Verdict::Reply("!ERR NO_SESSION SendHELLO".to_owned())
}

/// Nobody here says hello with what it was told.
pub fn hello(argument: &[u8]) -> Verdict {
    let fields: Vec<&[u8]> = argument.split(|&byte| byte == b' ').collect();
    match fields[..] {
        [b""] | [b"", ..] | [_, _, _, _, ..] => {
            Verdict::Reply("!ERR BAD_ARG Usage:!HELLO 2 <COOKIE> [FROM]".to_owned())
        }
        [b"2"] | [b"2", _] | [b"2", _, b"FROM"] => Verdict::AskedByHello,
        [b"2", ..] => Verdict::Reply("!ERR BAD_ARG Usage:!HELLO 2 <COOKIE> [FROM]".to_owned()),
        _ => Verdict::Reply("!ERR VERSION 2".to_owned()),
    }
}

/// A text of which the `!` is off.
pub fn starts_like_reply(text: &[u8]) -> bool {
    [&b"OK "[..], b"ERR ", b"PONG ", b"RETRY "].iter().any(|start| text.starts_with(start))
}
