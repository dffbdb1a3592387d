//! Any bytes, as the relay's decoder and as its clients' parser of replies read them.

use wire::{
    Argument, Command, Cookie, GroupId, MAX_DATAGRAM, Message, Proof, Reply, Usage, decode, looks_like_reply,
};

/// Panics where the decoder differs from the protocol's words.
pub fn check(bytes: &[u8]) {
    let is_sane = (1..=MAX_DATAGRAM).contains(&bytes.len());
    match decode(bytes) {
        Message::Empty => assert!(bytes.is_empty()),
        Message::TooLarge => assert!(bytes.len() > MAX_DATAGRAM),
        Message::Payload(payload) => assert!(payload == bytes && is_sane && bytes[0] != b'!'),
        Message::Command(command) => {
            assert!(is_sane && bytes[0] == b'!');
            check_command(&command, &bytes[1..]);
        }
    }
    check_reply(bytes);
}

fn check_command(command: &Command<'_>, text: &[u8]) {
    let mut halves = text.splitn(2, |&byte| byte == b' ');
    let token = halves.next().unwrap_or_default();
    let argument = strip(halves.next().unwrap_or_default());
    match *command {
        Command::Create(read) => assert!(token == b"CREATE" && is_cookie(read.cookie(), argument)),
        Command::Ping => assert_eq!(token, b"PING"),
        Command::Who => assert_eq!(token, b"WHO"),
        Command::Join(read) => {
            assert_eq!(token, b"JOIN");
            check_group(read.group(Usage::Join), argument, Usage::Join);
            check_proof(read, argument);
        }
        Command::Leave(read) => {
            assert_eq!(token, b"LEAVE");
            check_group(read.group(Usage::Leave), argument, Usage::Leave);
        }
        Command::Unknown => {
            assert!(![&b"CREATE"[..], b"PING", b"WHO", b"JOIN", b"LEAVE"].contains(&token));
        }
    }
}

fn check_group(read: Result<Option<GroupId>, Usage>, text: &[u8], usage: Usage) {
    match read {
        Err(answered) => assert!(text.is_empty() && answered == usage),
        Ok(None) => assert!(!text.is_empty() && !is_name(text)),
        Ok(Some(id)) => assert!(is_name(text) && id.as_str().as_bytes().eq_ignore_ascii_case(text)),
    }
}

/// The first word up to white space or a point is the group, what is left the proof.
fn check_proof(read: Argument<'_>, text: &[u8]) {
    let divides = |byte: &u8| is_white(*byte) || *byte == b'.';
    let mut words = text.splitn(2, divides);
    let group = words.next().unwrap_or_default();
    let Ok((id, proof)) = read.group_and_proof() else { return assert!(text.is_empty()) };
    assert_eq!(id.is_some(), is_name(group));
    assert!(id.is_none_or(|id| id.as_str().as_bytes().eq_ignore_ascii_case(group)));
    let Some(rest) = words.next() else { return assert_eq!(proof, Proof::None) };
    let rest = &rest[rest.iter().take_while(|byte| divides(byte)).count()..];
    match proof {
        Proof::None => panic!("there are more words than one"),
        Proof::Cookie(cookie) => assert!(is_cookie(Some(cookie), rest)),
        Proof::Other => assert!(is_cookie(None, rest)),
    }
}

/// The text is read as this cookie, or as none.
fn is_cookie(read: Option<Cookie>, text: &[u8]) -> bool {
    let is_letter = |byte: &u8| matches!(byte.to_ascii_uppercase(), b'A'..=b'N' | b'P'..=b'Z' | b'1'..=b'9');
    let is_one = text.len() == 16 && text.iter().all(is_letter);
    match read {
        Some(cookie) => is_one && cookie.as_str().as_bytes().eq_ignore_ascii_case(text),
        None => !is_one,
    }
}

fn is_name(text: &[u8]) -> bool {
    let is_letter = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_' || *byte == b'-';
    (1..=32).contains(&text.len()) && text.iter().all(is_letter)
}

fn strip(text: &[u8]) -> &[u8] {
    let start = text.iter().take_while(|byte| is_white(**byte)).count();
    let end = text[start..].iter().rev().take_while(|byte| is_white(**byte)).count();
    &text[start..text.len() - end]
}

fn is_white(byte: u8) -> bool {
    b" \t\n\r\x0b\x0c".contains(&byte)
}

/// What is read as a reply is written and read again as the same, and nobody answers it.
fn check_reply(bytes: &[u8]) {
    if let Some(reply) = Reply::parse(bytes) {
        assert!(looks_like_reply(bytes), "the relay would answer a reply");
        assert_eq!(Reply::parse(reply.encode().as_bytes()), Some(reply));
    }
}
