//! What a typed line means: a helper, or a text for the group.

use wire::GroupId;

/// What the `help` helper shows.
pub const HELP: &str = "\
create             make a group (it has no members yet)
create --join      make a group and join it
join GROUP         join a group; you leave the one you are in
leave              leave your group
who                how many members your group has
ping               ask whether the relay answers
status             what this client knows without asking
help               this page
quit, exit         leave and end (so does Ctrl-D)

Any other line is sent to your group as it is. A line counts as a helper when its first word is one, upper or
lower case, and no more words follow than the helper takes: `who` is a helper, `who is there?` is sent.
With a slash it is always the helper: `/join GROUP`. To send any line as it is, put /text before it: `/text who`.
A message cannot begin with `!`, and has at most 4096 bytes.
Messages from others begin with `<`, what the relay and this client say with `*`, problems with `!`.";

/// What a line means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input<'a> {
    /// Nothing.
    Blank,
    /// Something that this client does.
    Helper(Helper),
    /// A payload for the group.
    Text(&'a [u8]),
    /// Not sent, with a hint instead.
    Wrong(Hint),
}

/// Something that this client does for the person who types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Helper {
    /// Makes a group.
    Create {
        /// And joins it.
        join: bool,
    },
    /// Joins a group.
    Join(GroupId),
    /// Leaves this group, or the one that the client is in.
    Leave(Option<GroupId>),
    /// Counts the members.
    Who,
    /// Asks for a sign of life.
    Ping,
    /// Shows what the client knows.
    Status,
    /// Shows [`HELP`].
    Help,
    /// Leaves and ends.
    Quit,
}

/// Why a line was not sent, and what to do instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Hint {
    /// A command of the protocol.
    #[error("a line cannot begin with `!`: type `{0}` instead")]
    Bang(&'static str),
    /// A helper with the wrong arguments.
    #[error("usage: {0}")]
    Usage(&'static str),
    /// Not a group id.
    #[error("a group id has 1 to 32 characters of A-Z, 0-9, _ and -")]
    BadGroup,
    /// Nobody to send it to.
    #[error("you are in no group, nothing was sent: type `join GROUP`, or `create --join` for a new one")]
    NoGroup,
    /// Too long.
    #[error("not sent: {0} bytes are more than the 4096 that one message may have")]
    TooLarge(usize),
}

const USAGES: [(&str, &str); 10] = [
    ("create", "create [--join]"),
    ("join", "join GROUP"),
    ("leave", "leave [GROUP]"),
    ("who", "who"),
    ("ping", "ping"),
    ("status", "status"),
    ("help", "help"),
    ("quit", "quit"),
    ("exit", "exit"),
    ("text", "/text MESSAGE"),
];

impl Helper {
    /// The words that begin a line with a helper.
    pub fn words() -> impl Iterator<Item = &'static str> {
        USAGES.iter().map(|(word, _)| *word)
    }
}

/// Reads a line, without its line end.
pub fn parse(line: &[u8]) -> Input<'_> {
    match line.trim_ascii_start() {
        [] => Input::Blank,
        [b'!', command @ ..] if line[0] == b'!' => Input::Wrong(Hint::Bang(instead_of(command))),
        [b'/', rest @ ..] => slashed(rest).unwrap_or(Input::Text(line)),
        words => bare(words).unwrap_or(Input::Text(line)),
    }
}

/// With a slash, a helper's word is always the helper.
fn slashed(rest: &[u8]) -> Option<Input<'_>> {
    let (word, arguments) = split(rest);
    let (name, usage) = known(word)?;
    if name == "text" {
        let text = rest.get(word.len() + 1..).unwrap_or_default();
        return Some(match text {
            [] => Input::Wrong(Hint::Usage(usage)),
            [b'!', command @ ..] => Input::Wrong(Hint::Bang(instead_of(command))),
            text => Input::Text(text),
        });
    }
    Some(helper(name, &arguments).unwrap_or(Input::Wrong(Hint::Usage(usage))))
}

/// Without a slash, too many words make it a text; `join` alone is rather a mistake.
fn bare(line: &[u8]) -> Option<Input<'_>> {
    let (word, arguments) = split(line);
    match known(word)? {
        ("text", _) => None,
        ("join", usage) if arguments.is_empty() => Some(Input::Wrong(Hint::Usage(usage))),
        (name, _) => helper(name, &arguments),
    }
}

fn helper(name: &str, arguments: &[&[u8]]) -> Option<Input<'static>> {
    Some(Input::Helper(match (name, arguments) {
        ("create", []) => Helper::Create { join: false },
        ("create", [b"--join"]) => Helper::Create { join: true },
        ("leave", []) => Helper::Leave(None),
        ("join" | "leave", [group]) => match GroupId::parse(group) {
            Ok(group) if name == "join" => Helper::Join(group),
            Ok(group) => Helper::Leave(Some(group)),
            Err(_) => return Some(Input::Wrong(Hint::BadGroup)),
        },
        ("who", []) => Helper::Who,
        ("ping", []) => Helper::Ping,
        ("status", []) => Helper::Status,
        ("help", []) => Helper::Help,
        ("quit" | "exit", []) => Helper::Quit,
        _ => return None,
    }))
}

fn instead_of(command: &[u8]) -> &'static str {
    known(split(command).0).map_or("help", |(_, usage)| usage)
}

fn known(word: &[u8]) -> Option<(&'static str, &'static str)> {
    USAGES.into_iter().find(|(name, _)| word.eq_ignore_ascii_case(name.as_bytes()))
}

fn split(line: &[u8]) -> (&[u8], Vec<&[u8]>) {
    let first = line.split(u8::is_ascii_whitespace).next().unwrap_or_default();
    let rest = &line[first.len()..];
    (first, rest.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn id(text: &str) -> GroupId {
        text.parse().unwrap()
    }

    #[test]
    fn helpers() {
        for (line, helper) in [
            ("create", Helper::Create { join: false }),
            ("create --join", Helper::Create { join: true }),
            ("  JOIN   abcd1234 ", Helper::Join(id("ABCD1234"))),
            ("/join lobby-1", Helper::Join(id("LOBBY-1"))),
            ("leave", Helper::Leave(None)),
            ("leave X", Helper::Leave(Some(id("X")))),
            ("who", Helper::Who),
            ("/Ping", Helper::Ping),
            ("status", Helper::Status),
            ("help", Helper::Help),
            ("quit", Helper::Quit),
            ("exit", Helper::Quit),
        ] {
            assert_eq!(parse(line.as_bytes()), Input::Helper(helper), "{line}");
        }
    }

    #[test]
    fn texts() {
        for line in [
            "hello",
            "join us for lunch",
            "who is there?",
            "leave me alone",
            "text",
            "text me",
            "joinX",
            "/etc/passwd",
            " !x",
            "  indented  ",
            "//",
        ] {
            assert_eq!(parse(line.as_bytes()), Input::Text(line.as_bytes()), "{line}");
        }
        assert_eq!(parse(b"/text who"), Input::Text(b"who"));
        assert_eq!(parse(b"/text  /join X"), Input::Text(b" /join X"));
    }

    #[test]
    fn hints() {
        for (line, hint) in [
            ("!JOIN X", Hint::Bang("join GROUP")),
            ("!what", Hint::Bang("help")),
            ("!", Hint::Bang("help")),
            ("/text !JOIN X", Hint::Bang("join GROUP")),
            ("/text", Hint::Usage("/text MESSAGE")),
            ("join", Hint::Usage("join GROUP")),
            ("/join us for lunch", Hint::Usage("join GROUP")),
            ("/who is there", Hint::Usage("who")),
            ("join straße", Hint::BadGroup),
        ] {
            assert_eq!(parse(line.as_bytes()), Input::Wrong(hint), "{line}");
        }
        assert_eq!(parse(b" \t "), Input::Blank);
    }

    proptest! {
        #[test]
        fn no_line_becomes_a_command(line: Vec<u8>) {
            if let Input::Text(text) = parse(&line) {
                prop_assert!(text.first().is_some_and(|&byte| byte != b'!'));
            }
        }

        #[test]
        fn text_keeps_every_byte(line in proptest::collection::vec(any::<u8>().prop_filter("", |byte| *byte != b'!'), 1..50)) {
            let escaped = [b"/text ".as_slice(), &line].concat();
            prop_assert_eq!(parse(&escaped), Input::Text(&line));
        }
    }
}
