//! What happened, as one JSON object a line. `docs/chat.md` describes the fields.

use std::fmt::Write;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chat::{Closing, Event, Fate, HELP, Mark, Note, Protocol, Status, Transport, harmless, is_harmful};
use serde::Serialize;
use serde_json::{Value, json};
use wire::{GroupId, News};

/// A line for a note, without its end.
pub fn line(note: &Note, server: &str) -> String {
    let (kind, fields) = match note {
        Note::Event(event) => event_fields(event, server),
        Note::Hint { hint, line } => {
            let fields = json!({ "message": hint.to_string() });
            ("hint", line.as_ref().map_or(fields.clone(), |line| with_bytes(fields, line)))
        }
        Note::Misread { line, reason } => ("misread", with_bytes(json!({ "message": reason }), line)),
        Note::Help => ("help", json!({ "message": HELP })),
        Note::Said { group, bytes } => ("said", with_bytes(json!({ "group": text_of(*group) }), bytes)),
        Note::Written { number, to, id, bytes } => {
            ("written", with_bytes(json!({ "number": number, "to": to, "id": id.as_str() }), bytes))
        }
        Note::Mark(mark) => ("fate", mark_fields(mark)),
        Note::Held(line) => ("held", with_bytes(json!({}), line)),
        Note::Direct(peer) => ("direct", json!({ "name": peer })),
        Note::Indirect(peer) => ("indirect", json!({ "name": peer })),
        Note::Status(status) => ("status", status_fields(status, server)),
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
        Event::Text { group, from, bytes } => {
            ("text", with_bytes(json!({ "group": text_of(*group), "from": from }), bytes))
        }
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
        Event::Deferred(request) => ("deferred", json!({ "request": request.to_string() })),
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
        event => contact_fields(event, server),
    }
}

fn contact_fields(event: &Event, server: &str) -> (&'static str, Value) {
    match event {
        Event::Contact { protocol, transport } => (
            "contact",
            json!({
                "server": server,
                "protocol": protocol_word(*protocol),
                "transport": transport_word(*transport),
            }),
        ),
        Event::NoContact { refused } => ("no_contact", json!({ "server": server, "refused": refused })),
        Event::NotExtended => ("not_extended", json!({ "server": server })),
        Event::Interrupted { unsure } => ("interrupted", json!({ "server": server, "unsure": unsure })),
        Event::Resumed { anew } => ("resumed", json!({ "anew": anew })),
        Event::Registered { name, claim, again } => {
            ("registered", json!({ "name": name, "claim": claim.to_string(), "again": again }))
        }
        Event::NameTaken(name) => ("name_taken", json!({ "name": name })),
        Event::NameMoved(name) => ("name_moved", json!({ "name": name })),
        Event::Deregistered(name) => ("deregistered", json!({ "name": name })),
        event => people_fields(event),
    }
}

fn people_fields(event: &Event) -> (&'static str, Value) {
    match event {
        Event::Mail(count) => ("mail", json!({ "count": count })),
        Event::Peers(people) => {
            let people = people.iter().map(|person| json!({ "name": person.name, "online": person.online }));
            ("peers", json!({ "people": people.collect::<Vec<_>>() }))
        }
        Event::Presence { name, news } => ("presence", json!({ "name": name, "news": news_word(*news) })),
        Event::Missed { from, count } => ("missed", json!({ "from": from, "count": count })),
        Event::Message { from, id, time, bytes } => {
            let fields =
                json!({ "from": from, "id": id.as_str(), "written": time, "direct": time.is_none() });
            ("message", with_bytes(fields, bytes))
        }
        Event::Waiting(name) => ("waiting", json!({ "name": name })),
        Event::WaitingEnded => ("waiting_ended", json!({})),
        Event::Punching(name) => ("punching", json!({ "name": name })),
        Event::DirectOpen { name, address } => {
            ("direct_open", json!({ "name": name, "address": address.to_string() }))
        }
        Event::DirectClosed { name, reason } => {
            ("direct_closed", json!({ "name": name, "reason": closing_word(*reason) }))
        }
        Event::Fate { to, id, fate } => {
            ("fate", json!({ "to": to, "id": id.as_str(), "fate": fate_word(*fate) }))
        }
        // All others have their fields above.
        event => ("event", json!({ "message": format!("{event:?}") })),
    }
}

fn mark_fields(mark: &Mark) -> Value {
    json!({ "number": mark.number, "to": mark.to, "id": mark.id.as_str(), "fate": fate_word(mark.fate) })
}

fn status_fields(status: &Status, server: &str) -> Value {
    json!({
        "server": server,
        "protocol": status.protocol.map(protocol_word),
        "transport": transport_word(status.transport),
        "name": status.name,
        "group": text_of(status.group),
        "direct": status.direct,
        "waiting": status.waiting,
        "heartbeat_ms": status.heartbeat.map(millis),
        "next_ping_ms": status.next_ping.map(millis),
        "round_trip_ms": status.round_trip.map(millis),
        "silent": status.silent,
    })
}

/// The word for what has become of a message.
pub fn fate_word(fate: Fate) -> &'static str {
    match fate {
        Fate::Sent => "sent",
        Fate::Delivered => "delivered",
        Fate::Stored => "stored",
        Fate::Deferred => "deferred",
        Fate::NoSuchName => "no_such_name",
        Fate::MailboxFull => "mailbox_full",
        Fate::NotRegistered => "not_registered",
        Fate::Refused => "refused",
        Fate::Unknown => "unknown",
    }
}

fn closing_word(reason: Closing) -> &'static str {
    match reason {
        Closing::NoWay => "no_way",
        Closing::Ours => "ours",
        Closing::Theirs => "theirs",
        Closing::Silence => "silence",
    }
}

fn news_word(news: News) -> &'static str {
    match news {
        News::Online => "online",
        News::Offline => "offline",
        News::Joined => "joined",
        News::Left => "left",
    }
}

fn protocol_word(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Base => "base",
        Protocol::Extended => "extended",
    }
}

fn transport_word(transport: Transport) -> &'static str {
    match transport {
        Transport::Udp => "udp",
        Transport::Tcp => "tcp",
    }
}

/// Text if it is UTF-8, else its bytes in hexadecimal.
fn with_bytes(mut fields: Value, bytes: &[u8]) -> Value {
    match std::str::from_utf8(bytes) {
        Ok(text) => fields["text"] = text.into(),
        Err(_) => {
            let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
            fields["hex"] = hex.into();
        }
    }
    fields
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
mod tests;
