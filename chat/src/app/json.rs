//! What happened, as one JSON object a line. The fields are documented in `chat --help`.

use std::fmt::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chat::{Event, HELP, Note, harmless, is_harmful};
use serde::Serialize;
use serde_json::{Value, json};
use wire::GroupId;

/// A line for a note, without its end.
pub fn line(note: &Note, server: &str) -> String {
    let (kind, fields) = match note {
        Note::Event(event) => event_fields(event, server),
        Note::Hint(hint) => ("hint", json!({ "message": hint.to_string() })),
        Note::Help => ("help", json!({ "message": HELP })),
        Note::Status(status) => (
            "status",
            json!({
                "server": server,
                "group": text_of(status.group),
                "heartbeat_ms": status.heartbeat.map(millis),
                "next_ping_ms": status.next_ping.map(millis),
                "silent": status.silent,
            }),
        ),
    };
    object(kind, fields)
}

/// A line that says that `count` payloads were sent and the membership was confirmed afterwards.
pub fn sent_line(group: GroupId, count: u64, members: u32) -> String {
    object("sent", json!({ "group": group.as_str(), "count": count, "members": members }))
}

/// A line for trouble outside of the protocol.
pub fn problem_line(message: &str) -> String {
    object("problem", json!({ "message": message }))
}

#[derive(Serialize)]
struct Object<'a> {
    r#type: &'a str,
    time: u64,
    #[serde(flatten)]
    fields: Value,
}

fn object(kind: &str, fields: Value) -> String {
    let time = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, millis_whole);
    let object = Object { r#type: kind, time, fields };
    // Strings and numbers always become JSON.
    escape(&serde_json::to_string(&object).unwrap_or_default())
}

/// JSON escapes only what its parsers need; a terminal needs more. All of it stands within strings.
fn escape(json: &str) -> String {
    let mut line = String::with_capacity(json.len());
    for letter in json.chars() {
        if is_harmful(letter) {
            // Every harmful character fits in four digits; writing to a string cannot fail.
            let _ = write!(line, "\\u{:04x}", u32::from(letter));
        } else {
            line.push(letter);
        }
    }
    line
}

fn event_fields(event: &Event, server: &str) -> (&'static str, Value) {
    match event {
        Event::Text { group, bytes } => ("text", text_fields(*group, bytes)),
        Event::Created(group) => ("created", json!({ "group": group.as_str() })),
        Event::Joined { group, again } => ("joined", json!({ "group": group.as_str(), "again": again })),
        Event::Left(group) => ("left", json!({ "group": group.as_str() })),
        Event::Members { group, count } => ("members", json!({ "group": group.as_str(), "count": count })),
        Event::Alive { round_trip, heartbeat } => {
            ("pong", json!({ "round_trip_ms": round_trip.map(millis), "heartbeat_ms": millis(*heartbeat) }))
        }
        Event::Refused { request, refusal } => (
            "refused",
            json!({
                "request": request.to_string(),
                "answer": wire::Reply::Refused(*refusal).to_string(),
            }),
        ),
        Event::RefusedOtherwise { request, answer } => {
            ("refused", json!({ "request": request.to_string(), "answer": harmless(answer) }))
        }
        Event::NoAnswer { request, tries } => {
            ("no_answer", json!({ "request": request.to_string(), "tries": tries }))
        }
        Event::Lost { group, unsure } => ("lost", json!({ "group": group.as_str(), "unsure": unsure })),
        Event::Corrected(group) => ("corrected", json!({ "group": group.as_str() })),
        Event::CreatedTwice { first, second } => {
            ("created_twice", json!({ "first": first.as_str(), "second": second.as_str() }))
        }
        Event::Silent => ("silent", json!({ "server": server })),
        Event::Unreachable => ("unreachable", json!({ "server": server })),
        Event::Answers => ("answers", json!({ "server": server })),
    }
}

fn text_fields(group: Option<GroupId>, bytes: &[u8]) -> Value {
    match std::str::from_utf8(bytes) {
        Ok(text) => json!({ "group": text_of(group), "text": text }),
        Err(_) => {
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            json!({ "group": text_of(group), "hex": hex })
        }
    }
}

fn text_of(group: Option<GroupId>) -> Option<String> {
    group.map(|group| group.to_string())
}

fn millis(time: Duration) -> f64 {
    (time.as_secs_f64() * 1_000_000.0).round() / 1000.0
}

fn millis_whole(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(event: Event) -> Value {
        let line = line(&Note::Event(event), "server");
        assert!(!line.chars().any(is_harmful), "{line}");
        serde_json::from_str(&line).unwrap()
    }

    #[test]
    fn texts_survive_exactly() {
        let text = "a\"\\\n\u{1b}[2J\u{9b}\u{202e}\u{2028}\u{7f} 👋";
        let value = parsed(Event::Text { group: Some("HOME".parse().unwrap()), bytes: text.into() });
        assert_eq!(
            (&value["type"], &value["group"], &value["text"]),
            (&json!("text"), &json!("HOME"), &json!(text))
        );
        assert!(value["time"].as_u64().unwrap() > 1_700_000_000_000);
        let value = parsed(Event::Text { group: None, bytes: vec![0xff, 0x0a] });
        assert_eq!((&value["hex"], value.get("text")), (&json!("ff0a"), None));
    }

    #[test]
    fn the_type_comes_first() {
        assert!(line(&Note::Help, "server").starts_with(r#"{"type":"help","time":"#));
    }
}
