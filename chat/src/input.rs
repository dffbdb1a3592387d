//! What a typed line means: a helper, or a text for the group.

use std::borrow::Cow;

use wire::{GroupId, Token};

use crate::Hint;

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

With names, if the relay has them (it says so at the start):
/reg NAME [CLAIM]  have a name, yours by the claim that is kept for you
/dereg             have no name any more; messages wait for you
/peers             who is in your group
/watch, /unwatch   hear who comes and goes, or no longer
/msg NAME TEXT     a message for one: delivered, or stored until NAME is back
/bridge [NAME]     wait for NAME, or for whoever waits in your group, to talk
                   directly
/unbridge          wait no more
/direct TEXT       say it to the peer of your direct talk; alone: all that you
                   type (with --tui: in the group's room), or no longer;
                   through the relay if the direct way ends
/hangup            end the direct talk

Any other line is sent to your group as it is. A line counts as a helper when
its first word is one of the upper list, in upper or lower case, and nothing
follows that the helper does not take: `who` is a helper, `who is there?` is
sent. With a slash it is always the helper: `/join GROUP`. What looks like a
helper and is none is not sent: `/mgs bob hi`, or `msg bob hi` (it lacks its
slash).
To send any line as it is, put /text before it: `/text who`.
Tab completes helpers and names. A message has at most 4096 bytes.
Messages from others begin with `<`, what the relay and this client say with
`*`, problems with `!`.";

/// What a line means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input<'a> {
    /// Nothing.
    Blank,
    /// Something that this client does.
    Helper(Helper),
    /// A payload for the group.
    Text(Cow<'a, [u8]>),
    /// Not sent, with a hint instead.
    Wrong(Hint),
    /// No object that is known, and why.
    Misread(String),
}

/// Something that this client does for the person who types.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// Has a name.
    Register {
        /// Which.
        name: String,
        /// Proves that it is one's own, if no other claim is kept for it.
        claim: Option<Token>,
    },
    /// Has no name any more.
    Deregister,
    /// Lists the people of the group.
    Peers,
    /// Hears who comes and goes, or no longer.
    Watch(bool),
    /// Sends a message to one person.
    Message {
        /// To whom.
        to: String,
        /// Its text.
        text: Vec<u8>,
    },
    /// Waits for a peer to talk to directly.
    Bridge(Option<String>),
    /// Waits no more.
    Unbridge,
    /// Says something directly; nothing: everything from now on, or no longer.
    Direct(Option<Vec<u8>>),
    /// Ends the direct talk.
    HangUp,
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

const USAGES: [(&str, &str); 20] = [
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
    ("reg", "/reg NAME [CLAIM]"),
    ("dereg", "/dereg"),
    ("peers", "/peers"),
    ("watch", "/watch"),
    ("unwatch", "/unwatch"),
    ("msg", "/msg NAME TEXT"),
    ("bridge", "/bridge [NAME]"),
    ("unbridge", "/unbridge"),
    ("direct", "/direct [TEXT]"),
    ("hangup", "/hangup"),
];

/// So many of them need no slash.
const BARE: usize = 9;

impl Helper {
    /// The words that begin a line with a helper.
    pub fn words() -> impl Iterator<Item = &'static str> {
        USAGES.iter().map(|(word, _)| *word)
    }

    /// What could stand in the place of the last word before the cursor, and where that word begins: helpers at the beginning,
    /// names behind those that take one, groups behind `join`.
    pub fn complete(typed: &str, names: &[String], groups: &[String]) -> (usize, Vec<String>) {
        let start = typed.rfind(' ').map_or(0, |space| space + 1);
        let (first, last) = (typed.split(' ').next().unwrap_or_default(), &typed[start..]);
        if start > 0 {
            let known = match first.trim_start_matches('/') {
                "msg" | "bridge" if typed[..start].trim_end() == first => names,
                "join" | "leave" if typed[..start].trim_end() == first => groups,
                _ => return (start, Vec::new()),
            };
            let fits = |word: &&String| word.to_lowercase().starts_with(&last.to_lowercase());
            return (start, known.iter().filter(fits).cloned().collect());
        }
        let slash = usize::from(typed.starts_with('/'));
        let fits = |(place, word): &(usize, &str)| {
            word.starts_with(&typed[slash..]) && (slash == 1 || *place < BARE)
        };
        let words = Self::words().enumerate().filter(fits);
        (slash, words.map(|(_, word)| word.to_owned()).collect())
    }
}

/// Reads a line, without its line end.
pub fn parse(line: &[u8]) -> Input<'_> {
    match line.trim_ascii_start() {
        [] => Input::Blank,
        [b'!', command @ ..] if line[0] == b'!' => Input::Wrong(Hint::Bang(instead_of(command))),
        [b'/', rest @ ..] => slashed(rest).unwrap_or(Input::Text(line.into())),
        words => bare(words).unwrap_or(Input::Text(line.into())),
    }
}

/// The helper whose usage begins like this command of the protocol, for who types those.
pub(crate) fn instead_of(command: &[u8]) -> &'static str {
    known(split(command).0).map_or("help", |(_, usage)| usage)
}

/// With a slash, a helper's word is always the helper, and a word that is no path is a helper mistyped.
fn slashed(rest: &[u8]) -> Option<Input<'_>> {
    let (word, arguments) = split(rest);
    let Some((name, usage)) = known(word) else { return mistyped(rest).map(Input::Wrong) };
    let wrong = Input::Wrong(Hint::Usage(usage));
    // Everything behind the one space, as it is.
    let text = rest.get(word.len() + 1..).unwrap_or_default();
    Some(match name {
        "text" if text.is_empty() => wrong,
        "text" => Input::Text(text.into()),
        "direct" => Input::Helper(Helper::Direct((!text.is_empty()).then(|| text.to_vec()))),
        "msg" => message(text).map_or(wrong, Input::Helper),
        _ => helper(name, &arguments).or_else(|| personal(name, &arguments)).unwrap_or(wrong),
    })
}

/// Why what stands behind a slash is not for everybody's eyes, unless it is a path (`/etc/passwd`, `//`) or has no letters.
fn mistyped(rest: &[u8]) -> Option<Hint> {
    let (word, _) = split(rest);
    if word.is_empty() {
        return known(split(rest.trim_ascii_start()).0).map(|(_, usage)| Hint::Usage(usage));
    }
    let has_letters = String::from_utf8_lossy(word).chars().any(char::is_alphabetic);
    (has_letters && !word.contains(&b'/')).then_some(Hint::Unknown)
}

/// Without a slash, too many words make it a text; `join` alone is rather a mistake, and so is what lacks its slash.
fn bare(line: &[u8]) -> Option<Input<'_>> {
    let (word, arguments) = split(line);
    match known(word)? {
        ("join", usage) if arguments.is_empty() => Some(Input::Wrong(Hint::Usage(usage))),
        (name, usage) if lacks_slash(name, &arguments) => Some(Input::Wrong(Hint::NoSlash(usage))),
        (name, _) => helper(name, &arguments),
    }
}

/// Whether it has the shape of a helper that needs a slash: a secret may stand in it, also in a claim that is no claim.
/// What `/text` takes is for the same eyes anyway.
fn lacks_slash(name: &str, arguments: &[&[u8]]) -> bool {
    match name {
        "msg" => arguments.len() >= 2,
        "reg" => (1..=2).contains(&arguments.len()),
        "dereg" | "peers" | "watch" | "unwatch" | "unbridge" | "hangup" => arguments.is_empty(),
        "bridge" => arguments.len() <= 1,
        "direct" => true,
        _ => false,
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

/// What has to do with people, and is a helper only with a slash: much of it could begin a sentence.
fn personal(name: &str, arguments: &[&[u8]]) -> Option<Input<'static>> {
    let named = |name: &&[u8]| std::str::from_utf8(name).ok().map(str::to_owned);
    Some(Input::Helper(match (name, arguments) {
        ("reg", [name]) => Helper::Register { name: named(name)?, claim: None },
        ("reg", [name, claim]) => match Token::parse(claim) {
            Some(claim) => Helper::Register { name: named(name)?, claim: Some(claim) },
            None => return Some(Input::Wrong(Hint::BadClaim)),
        },
        ("dereg", []) => Helper::Deregister,
        ("peers", []) => Helper::Peers,
        ("watch", []) => Helper::Watch(true),
        ("unwatch", []) => Helper::Watch(false),
        ("bridge", []) => Helper::Bridge(None),
        ("bridge", [name]) => Helper::Bridge(Some(named(name)?)),
        ("unbridge", []) => Helper::Unbridge,
        ("hangup", []) => Helper::HangUp,
        _ => return None,
    }))
}

/// A name, and everything behind the one space behind it.
fn message(rest: &[u8]) -> Option<Helper> {
    let rest = rest.trim_ascii_start();
    let end = rest.iter().position(|&byte| byte == b' ')?;
    let to = std::str::from_utf8(&rest[..end]).ok()?.to_owned();
    let text = rest[end + 1..].to_vec();
    (!text.is_empty()).then_some(Helper::Message { to, text })
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
            ("/reg anna", Helper::Register { name: "anna".into(), claim: None }),
            (
                "/reg anna AAAAAAAAAAAAAAAAAAAAAAAAAA",
                Helper::Register { name: "anna".into(), claim: Some(Token::of(0)) },
            ),
            ("/dereg", Helper::Deregister),
            ("/peers", Helper::Peers),
            ("/watch", Helper::Watch(true)),
            ("/unwatch", Helper::Watch(false)),
            ("/msg bob  two  words", Helper::Message { to: "bob".into(), text: b" two  words".to_vec() }),
            ("/bridge", Helper::Bridge(None)),
            ("/bridge bob", Helper::Bridge(Some("bob".into()))),
            ("/unbridge", Helper::Unbridge),
            ("/direct", Helper::Direct(None)),
            ("/direct !hello", Helper::Direct(Some(b"!hello".to_vec()))),
            ("/hangup", Helper::HangUp),
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
            // Not the shape of the helper.
            "msg",
            "msg bob",
            "reg",
            "reg anna at the desk, please",
            "peers are equals",
            "watch this",
            "bridge over troubled water",
            "msgs bob hello",
            "joinX",
            "/etc/passwd",
            "/usr/bin is full",
            "/msg/bob",
            "/42",
            "/ or",
            " !x",
            "  indented  ",
            "/",
            "//",
        ] {
            assert_eq!(parse(line.as_bytes()), Input::Text(line.as_bytes().into()), "{line}");
        }
        assert_eq!(parse(b"/text who"), Input::Text(b"who".into()));
        assert_eq!(parse(b"/text  /join X"), Input::Text(b" /join X".into()));
    }

    #[test]
    fn hints() {
        for (line, hint) in [
            ("!JOIN X", Hint::Bang("join GROUP")),
            ("!what", Hint::Bang("help")),
            ("!", Hint::Bang("help")),
            ("/text", Hint::Usage("/text MESSAGE")),
            ("join", Hint::Usage("join GROUP")),
            ("/join us for lunch", Hint::Usage("join GROUP")),
            ("/who is there", Hint::Usage("who")),
            ("join straße", Hint::BadGroup),
            ("/msg bob", Hint::Usage("/msg NAME TEXT")),
            ("/reg", Hint::Usage("/reg NAME [CLAIM]")),
            ("/reg anna x", Hint::BadClaim),
            // Mistyped: not for everybody.
            ("/mgs bob the password is x", Hint::Unknown),
            (" /MSGbob the password is x", Hint::Unknown),
            ("/msg\u{a0}bob the password is x", Hint::Unknown),
            ("/\u{43c}\u{441}\u{433} bob", Hint::Unknown),
            ("/ msg bob the password is x", Hint::Usage("/msg NAME TEXT")),
            ("msg bob the password is x", Hint::NoSlash("/msg NAME TEXT")),
            ("  Msg bob x", Hint::NoSlash("/msg NAME TEXT")),
            ("reg anna", Hint::NoSlash("/reg NAME [CLAIM]")),
            ("reg anna AAAAAAAAAAAAAAAAAAAAAAAAAA", Hint::NoSlash("/reg NAME [CLAIM]")),
            ("reg anna AAAAAAAAAAAAAAAAAAAAAAAAA", Hint::NoSlash("/reg NAME [CLAIM]")),
            ("dereg", Hint::NoSlash("/dereg")),
            ("peers", Hint::NoSlash("/peers")),
            ("watch", Hint::NoSlash("/watch")),
            ("unwatch", Hint::NoSlash("/unwatch")),
            ("bridge", Hint::NoSlash("/bridge [NAME]")),
            ("bridge bob", Hint::NoSlash("/bridge [NAME]")),
            ("unbridge", Hint::NoSlash("/unbridge")),
            ("direct", Hint::NoSlash("/direct [TEXT]")),
            ("direct the password is x", Hint::NoSlash("/direct [TEXT]")),
            ("hangup", Hint::NoSlash("/hangup")),
        ] {
            assert_eq!(parse(line.as_bytes()), Input::Wrong(hint), "{line}");
        }
        assert_eq!(parse(b" \t "), Input::Blank);
    }

    #[test]
    fn the_help_fits_a_terminal() {
        for line in HELP.lines() {
            assert!(line.chars().count() <= 78, "{line}");
        }
    }

    #[test]
    fn completion() {
        let (names, groups) = (["anna".to_owned(), "Bob".into()], ["HOME".to_owned()]);
        for (typed, start, words) in [
            ("st", 0, &["status"][..]),
            ("/m", 1, &["msg"]),
            ("m", 0, &[]),
            ("/msg b", 5, &["Bob"]),
            ("/msg ", 5, &["anna", "Bob"]),
            ("/msg bob a", 9, &[]),
            ("join h", 5, &["HOME"]),
            ("hello a", 6, &[]),
        ] {
            let words = words.iter().map(|word| (*word).to_owned()).collect();
            assert_eq!(Helper::complete(typed, &names, &groups), (start, words), "{typed}");
        }
    }

    proptest! {
        #[test]
        fn no_line_becomes_a_command(line: Vec<u8>) {
            // Behind `/text` anything may stand: the client makes no command of it, whatever the relay speaks.
            let is_escaped = line.trim_ascii_start().get(..5).is_some_and(|word| word.eq_ignore_ascii_case(b"/text"));
            if let Input::Text(text) = parse(&line) && !is_escaped {
                prop_assert!(text.first().is_some_and(|&byte| byte != b'!'));
            }
        }

        #[test]
        fn text_keeps_every_byte(line in proptest::collection::vec(any::<u8>(), 1..50)) {
            let escaped = [b"/text ".as_slice(), &line].concat();
            prop_assert_eq!(parse(&escaped), Input::Text(line.into()));
        }
    }
}
