//! Any bytes, as the relay's decoder and as its clients' parser of replies read them.

use wire::{
    Ack, Argument, Command, Cookie, Form, GroupId, Hello, MAX_DATAGRAM, Message, MessageId, Notice, Person,
    Proof, Reply, Resume, Token, Usage, decode, looks_like_reply,
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
    let (token, rest) = split(text);
    let argument = strip(rest);
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
        Command::Hello(fields) => {
            assert_eq!(token, b"HELLO");
            check_hello(fields.hello(), rest);
        }
        Command::Beat => assert_eq!(token, b"BEAT"),
        Command::Resume(fields) => {
            let Resume { token: read, cookie } = fields.resume();
            let (first, second) = split(rest);
            assert!(token == b"RESUME" && is_token(read, first) && is_cookie(cookie, second));
        }
        Command::Raw(payload) => assert!(token == b"RAW" && payload == rest),
        Command::Person(command) => check_person(&command, token, rest),
        Command::Unknown => {
            let known = "CREATE PING WHO JOIN LEAVE HELLO BEAT RESUME RAW REG DEREG PEERS WATCH UNWATCH SEND ACK BRIDGE UNBRIDGE";
            assert!(!known.split(' ').any(|known| known.as_bytes() == token));
        }
    }
}

/// What is before the first space, and what is behind it.
fn split(text: &[u8]) -> (&[u8], &[u8]) {
    let end = text.iter().take_while(|&&byte| byte != b' ').count();
    (&text[..end], text.get(end + 1..).unwrap_or_default())
}

/// Fields that are divided by one space each: the version, a cookie, and a wish.
fn check_hello(read: Hello, text: &[u8]) {
    let spaces = text.iter().filter(|&&byte| byte == b' ').count();
    let (version, rest) = split(text);
    let (cookie, wish) = split(rest);
    let has_two = version == b"2";
    match read {
        Hello::Malformed => {
            assert!(version.is_empty() || spaces > 2 || has_two && spaces == 2 && wish != b"FROM");
        }
        Hello::OtherVersion => assert!(!version.is_empty() && !has_two && spaces <= 2),
        Hello::Known { cookie: shown, from } => {
            assert!(has_two && spaces <= 2 && from == (spaces == 2) && (!from || wish == b"FROM"));
            assert!(is_cookie(shown, cookie));
        }
    }
}

/// The text is read as this token, or as none.
fn is_token(read: Option<Token>, text: &[u8]) -> bool {
    match read {
        Some(token) => token.to_string().as_bytes().eq_ignore_ascii_case(text),
        // Any 26 letters are a number, but not every one has 128 bits.
        None => text.len() != Token::LEN || Token::parse(text).is_none(),
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

fn check_person(command: &Person<'_>, token: &[u8], rest: &[u8]) {
    let expected: &[u8] =
        match *command {
            Person::Reg(fields) => {
                if let Some(read) = fields.register() {
                    let (name, claim) = split(rest);
                    assert!(read.name == name && is_token(read.claim, claim));
                }
                b"REG"
            }
            Person::Send(fields) => {
                let (name, behind) = split(rest);
                let (id, bytes) = split(behind);
                let read = fields.letter();
                assert_eq!(read.is_some(), !name.is_empty() && MessageId::parse(id).is_some());
                assert!(read.is_none_or(
                    |read| (read.name, read.id.as_str().as_bytes(), read.bytes) == (name, id, bytes)
                ));
                b"SEND"
            }
            Person::Ack(fields) => {
                let (from, behind) = split(rest);
                match fields.ack() {
                    Some(Ack::Message { from: read, id }) => {
                        assert!(read == from && id.as_str().as_bytes() == behind);
                    }
                    Some(Ack::PeerAt(nonce)) => assert!(from == b"PEER_AT" && is_token(Some(nonce), behind)),
                    None => assert_eq!(MessageId::parse(behind), None),
                }
                b"ACK"
            }
            Person::Dereg => b"DEREG",
            Person::Peers(_) => b"PEERS",
            Person::Watch => b"WATCH",
            Person::Unwatch => b"UNWATCH",
            Person::Bridge(_) => b"BRIDGE",
            Person::Unbridge => b"UNBRIDGE",
        };
    assert_eq!(token, expected);
}

/// What is read as a reply is written and read again as the same, and nobody answers it.
fn check_reply(bytes: &[u8]) {
    if let Some(notice) = Notice::parse(bytes) {
        let mut written = Vec::new();
        notice.write_to(&mut |piece| written.extend_from_slice(piece));
        assert_eq!(Notice::parse(&written), Some(notice));
    }
    if let Some(reply) = Reply::parse_extended(bytes) {
        assert!(looks_like_reply(bytes), "the relay would answer a reply");
        assert_eq!(Reply::parse_extended(reply.encode_for(Form::Extended).as_bytes()), Some(reply));
    }
    if let Some(reply) = Reply::parse(bytes) {
        assert!(looks_like_reply(bytes), "the relay would answer a reply");
        assert_eq!(Reply::parse(reply.encode().as_bytes()), Some(reply));
    }
}
