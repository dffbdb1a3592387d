//! What an object on a line of the input means: the same as a typed line, for programs.

use serde::Deserialize;
use wire::{GroupId, Token};

use crate::{Helper, Hint, Input};

/// The type is a helper's word, the fields are what stands behind it.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase", deny_unknown_fields)]
enum Object {
    Text {
        text: Option<String>,
        hex: Option<String>,
    },
    Create {
        #[serde(default)]
        join: bool,
    },
    Join {
        group: String,
    },
    Leave {
        group: Option<String>,
    },
    Who {},
    Ping {},
    Status {},
    Help {},
    #[serde(alias = "exit")]
    Quit {},
    Reg {
        name: String,
        claim: Option<String>,
    },
    Dereg {},
    Peers {},
    Watch {},
    Unwatch {},
    Msg {
        to: String,
        text: Option<String>,
        hex: Option<String>,
    },
    Bridge {
        name: Option<String>,
    },
    Unbridge {},
    Direct {
        text: Option<String>,
        hex: Option<String>,
    },
    Hangup {},
}

/// Reads a line that is an object.
pub fn read(line: &[u8]) -> Input<'static> {
    let object = serde_json::from_slice(line).map_err(|error| error.to_string());
    object.and_then(meaning).unwrap_or_else(Input::Misread)
}

fn meaning(object: Object) -> Result<Input<'static>, String> {
    Ok(Input::Helper(match object {
        Object::Text { text, hex } => {
            let text = bytes(text, hex)?.ok_or("`text` or `hex` is missing")?;
            return Ok(Input::Text(text.into()));
        }
        Object::Create { join } => Helper::Create { join },
        Object::Join { group } => match group.parse() {
            Ok(group) => Helper::Join(group),
            Err(_) => return Ok(Input::Wrong(Hint::BadGroup)),
        },
        Object::Leave { group } => match group.as_deref().map(str::parse::<GroupId>).transpose() {
            Ok(group) => Helper::Leave(group),
            Err(_) => return Ok(Input::Wrong(Hint::BadGroup)),
        },
        Object::Who {} => Helper::Who,
        Object::Ping {} => Helper::Ping,
        Object::Status {} => Helper::Status,
        Object::Help {} => Helper::Help,
        Object::Quit {} => Helper::Quit,
        Object::Reg { name, claim } => {
            let known = claim.as_ref().and_then(|claim| Token::parse(claim.as_bytes()));
            if known.is_none() && claim.is_some() {
                return Ok(Input::Wrong(Hint::BadClaim));
            }
            Helper::Register { name, claim: known }
        }
        Object::Dereg {} => Helper::Deregister,
        Object::Peers {} => Helper::Peers,
        Object::Watch {} => Helper::Watch(true),
        Object::Unwatch {} => Helper::Watch(false),
        Object::Msg { to, text, hex } => {
            let text = bytes(text, hex)?.ok_or("`text` or `hex` is missing")?;
            Helper::Message { to, text }
        }
        Object::Bridge { name } => Helper::Bridge(name),
        Object::Unbridge {} => Helper::Unbridge,
        Object::Direct { text, hex } => Helper::Direct(bytes(text, hex)?),
        Object::Hangup {} => Helper::HangUp,
    }))
}

/// What is to be said, as a text or in hexadecimal.
fn bytes(text: Option<String>, hex: Option<String>) -> Result<Option<Vec<u8>>, String> {
    match (text, hex) {
        (Some(_), Some(_)) => Err("`text` and `hex`: one of them".into()),
        (Some(text), None) => Ok(Some(text.into_bytes())),
        (None, Some(hex)) => from_hex(&hex).ok_or("`hex` has two digits for each byte".to_owned()).map(Some),
        (None, None) => Ok(None),
    }
}

fn from_hex(hex: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let (pairs, rest) = hex.as_bytes().as_chunks::<2>();
    let byte = |&[high, low]: &[u8; 2]| u8::try_from(digit(high)? * 16 + digit(low)?).ok();
    rest.is_empty().then(|| pairs.iter().map(byte).collect()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The forms that the documentation shows, each with the typed line that means the same.
    #[test]
    fn what_is_documented_means_what_is_typed() {
        let document = include_str!("../../docs/chat.md");
        let (_, section) = document.split_once("## JSON on the input").unwrap();
        let forms: Vec<(&str, &str)> = section
            .lines()
            .filter(|line| line.starts_with("| `{"))
            .map(|line| {
                let mut cells = line.split('`').skip(1).step_by(2);
                (cells.next().unwrap(), cells.next().unwrap())
            })
            .collect();
        for (object, line) in &forms {
            assert_eq!(read(object.as_bytes()), crate::parse(line.as_bytes()), "{object}");
        }
        for word in Helper::words() {
            let begins = |(object, _): &&(&str, &str)| object.starts_with(&format!("{{\"type\":\"{word}\""));
            assert!(forms.iter().any(|form| begins(&form)), "{word}");
        }
    }

    #[test]
    fn any_bytes_can_be_said() {
        assert_eq!(read(br#"{"type":"text","hex":"ff0A"}"#), Input::Text(vec![0xff, 0x0a].into()));
        assert_eq!(read(br#"{"type":"text","text":"a\nb"}"#), Input::Text(b"a\nb".into()));
        let Input::Helper(Helper::Message { text, .. }) = read(br#"{"type":"msg","to":"bob","hex":""}"#)
        else {
            panic!()
        };
        assert_eq!(text, b"");
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (line, words) in [
            ("{", "EOF while parsing"),
            ("{}", "missing field `type`"),
            ("{\"type\":\"shout\"}", "unknown variant `shout`, expected one of `text`"),
            ("{\"type\":\"who\",\"text\":\"x\"}", "unknown field `text`"),
            ("{\"type\":\"msg\",\"text\":\"x\"}", "missing field `to`"),
            ("{\"type\":\"msg\",\"to\":\"bob\"}", "`text` or `hex` is missing"),
            ("{\"type\":\"text\",\"text\":\"x\",\"hex\":\"00\"}", "one of them"),
            ("{\"type\":\"text\",\"hex\":\"0\"}", "two digits"),
            ("{\"type\":\"text\",\"hex\":\"+1\"}", "two digits"),
            ("{\"type\":\"text\",\"text\":1}", "invalid type"),
            ("{\"type\":\"quit\"} x", "trailing characters"),
        ] {
            let Input::Misread(reason) = read(line.as_bytes()) else { panic!("{line}") };
            assert!(reason.contains(words), "{line}: {reason}");
        }
        assert_eq!(read(br#"{"type":"join","group":"a b"}"#), Input::Wrong(Hint::BadGroup));
        assert_eq!(read(br#"{"type":"reg","name":"anna","claim":"x"}"#), Input::Wrong(Hint::BadClaim));
    }

    proptest! {
        #[test]
        fn any_line_is_taken(line: Vec<u8>) {
            read(&line);
        }
    }
}
