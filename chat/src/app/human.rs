//! What happened, in words for people.

use std::time::Duration;

use chat::{
    Closing, Event, Fate, HELP, Mark, NAME_RULE, Note, Person, Protocol, Request, Status, Transport, harmless,
};
use wire::{GroupId, News, Refusal};

use super::clock;

/// Which kind of line it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Somebody else's words.
    Text,
    /// What was asked for.
    Answer,
    /// Good to know.
    Notice,
    /// Something did not work.
    Problem,
}

impl Kind {
    /// What its lines begin with, so that nobody's text can look like a notice.
    pub fn sign(self) -> char {
        match self {
            Self::Text => '<',
            Self::Answer | Self::Notice => '*',
            Self::Problem => '!',
        }
    }
}

/// The words for a note, safe to print.
pub fn words(note: &Note, server: &str) -> (Kind, String) {
    match note {
        Note::Event(event) => event_words(event, server),
        Note::Said { bytes, .. } | Note::Written { bytes, .. } => {
            (Kind::Answer, format!("you: {}", harmless(bytes)))
        }
        Note::Mark(mark) => mark_words(mark),
        Note::Held(line) => (Kind::Notice, format!("waits until the relay answers: {}", harmless(line))),
        Note::Hint { hint, .. } => (Kind::Problem, safe(&hint.to_string())),
        Note::Misread { reason, .. } => (Kind::Problem, format!("not understood: {}", safe(reason))),
        Note::Status(status) => (Kind::Answer, status_words(status, server)),
        Note::Direct(peer) => (Kind::Answer, direct_words(peer.as_deref(), None)),
        Note::Indirect(peer) => (Kind::Notice, indirect_words(peer)),
        Note::Help => (Kind::Answer, format!("what you can type\n{HELP}")),
    }
}

fn event_words(event: &Event, server: &str) -> (Kind, String) {
    match event {
        Event::Text { from: None, bytes, .. } => (Kind::Text, harmless(bytes)),
        Event::Text { from: Some(from), bytes, .. } => {
            (Kind::Text, format!("{}: {}", safe(from), harmless(bytes)))
        }
        Event::Message { from, time, bytes, .. } => {
            (Kind::Text, format!("{}{}: {}", safe(from), message_words(*time), harmless(bytes)))
        }
        Event::Created(group) => (Kind::Answer, format!("created {group}")),
        Event::Joined { group, again: false } => (Kind::Answer, format!("joined {group}")),
        Event::Joined { group, again: true } => (Kind::Notice, format!("joined {group} again")),
        Event::Left(group) => (Kind::Answer, format!("left {group}")),
        Event::Members { group, count: 1 } => (Kind::Answer, format!("you are alone in {group}")),
        Event::Members { group, count } => (Kind::Answer, format!("{group} has {count} members, with you")),
        Event::Alive { round_trip, heartbeat } => {
            (Kind::Answer, alive_words(*round_trip, *heartbeat, server))
        }
        Event::Refused { request, refusal } => (Kind::Problem, refusal_words(request, *refusal)),
        Event::Deferred(Request::Register { name, .. }) => {
            (Kind::Notice, format!("the relay cannot give {} back to you now; it is asked again", safe(name)))
        }
        Event::Deferred(request) => {
            (Kind::Notice, safe(&format!("the relay is full, and asked again: {request}")))
        }
        Event::RefusedOtherwise { request, answer } => {
            (Kind::Problem, format!("{server} refused {}: {}", safe(&request.to_string()), harmless(answer)))
        }
        Event::NoAnswer { request: Request::Create, .. } => (
            Kind::Problem,
            format!(
                "no answer from {server}: perhaps a group was made, perhaps not (unused ones are deleted after a while); \
                 `create` tries again"
            ),
        ),
        Event::NoAnswer { request, tries } => {
            (Kind::Problem, format!("no answer from {server} to {request}, asked {tries} times"))
        }
        Event::Lost { group, unsure } => (Kind::Problem, lost_words(*group, *unsure)),
        Event::Corrected(group) => (Kind::Notice, format!("the relay has you in {group}")),
        Event::CreatedTwice { first, second } => (
            Kind::Problem,
            format!(
                "two answers to one `create`: {first} and {second}. Somebody in your group forged one of them: \
                 leave the group and create again"
            ),
        ),
        event => contact_words(event, server).unwrap_or_else(|| people_words(event)),
    }
}

fn contact_words(event: &Event, server: &str) -> Option<(Kind, String)> {
    Some(match event {
        Event::Contact { protocol, transport } => {
            (Kind::Notice, format!("{server} answers by {}, and {}", carrier(*transport), speaks(*protocol)))
        }
        Event::NoContact { refused: true } => {
            (Kind::Problem, format!("nobody listens at {server}; still trying"))
        }
        Event::NoContact { refused: false } => {
            (Kind::Problem, format!("{server} does not answer; still trying"))
        }
        Event::NotExtended => {
            (Kind::Problem, format!("{server} does not speak the extended protocol; still trying"))
        }
        Event::Interrupted { unsure } => {
            let unsure = if *unsure { "; what you said last may not have arrived" } else { "" };
            (Kind::Notice, format!("the way to {server} is lost{unsure}; looking for another"))
        }
        Event::Resumed { anew: false } => (Kind::Notice, "back, and nothing has changed".into()),
        Event::Resumed { anew: true } => {
            (Kind::Notice, "back, in a new session; what was said meanwhile is lost".into())
        }
        Event::Silent => (Kind::Problem, format!("{server} does not answer; still trying")),
        Event::Unreachable => (Kind::Problem, format!("nobody listens at {server}; still trying")),
        Event::Answers => (Kind::Notice, format!("{server} answers again")),
        _ => return None,
    })
}

fn people_words(event: &Event) -> (Kind, String) {
    match event {
        Event::Registered { name, again: false, .. } => (Kind::Answer, format!("you are {}", safe(name))),
        Event::Registered { name, again: true, .. } => {
            (Kind::Notice, format!("you are {} again", safe(name)))
        }
        Event::NameTaken(name) => (
            Kind::Problem,
            format!(
                "{} is somebody else's name: choose another, or prove that it is yours with its claim (`/reg NAME CLAIM`, \
                 `--claim`)",
                safe(name)
            ),
        ),
        Event::NameMoved(name) => (
            Kind::Problem,
            format!(
                "{} is used elsewhere now, so you have no name here: `/reg {0}` takes it back",
                safe(name)
            ),
        ),
        Event::Deregistered(name) => {
            (Kind::Answer, format!("you are {} no longer; messages wait", safe(name)))
        }
        Event::Mail(1) => (Kind::Notice, "1 message waits for you".into()),
        Event::Mail(count) => (Kind::Notice, format!("{count} messages wait for you")),
        Event::Peers(people) => (Kind::Answer, peers_words(people)),
        Event::Presence { name, news } => (Kind::Notice, format!("{} {}", safe(name), news_words(*news))),
        Event::Missed { from, count: 1 } => (Kind::Problem, format!("1 message of {} was lost", safe(from))),
        Event::Missed { from, count } => {
            (Kind::Problem, format!("{count} messages of {} were lost", safe(from)))
        }
        Event::Waiting(None) => (Kind::Answer, "waiting for whoever else types `/bridge` here".into()),
        Event::Waiting(Some(name)) => {
            (Kind::Answer, format!("waiting until {} types `/bridge` with your name", safe(name)))
        }
        Event::WaitingEnded => (Kind::Answer, "not waiting for a direct talk any more".into()),
        Event::Punching(name) => (Kind::Notice, format!("found {}; opening a direct way", safe(name))),
        Event::DirectOpen { name, address } => {
            (Kind::Notice, format!("direct talk with {} at {address}: `/direct TEXT`, `/hangup`", safe(name)))
        }
        Event::DirectClosed { name, reason } => (Kind::Notice, closing_words(&safe(name), *reason)),
        // Whatever else there is has its own words above.
        event => (Kind::Notice, safe(&format!("{event:?}"))),
    }
}

/// Where goes what is typed, for who is in the room of a person; nothing: in the group's, or where there are no rooms.
pub fn direct_words(peer: Option<&str>, room: Option<&str>) -> String {
    let here = room.map(|_| " in the group's room").unwrap_or_default();
    let there = match peer {
        Some(peer) => format!("directly to {}: `/direct` ends that", safe(peer)),
        None => "to your group again".into(),
    };
    let rest = room.map(|room| format!("; what you type here goes to {}", safe(room))).unwrap_or_default();
    format!("what you type{here} goes {there}{rest}")
}

fn indirect_words(peer: &str) -> String {
    format!("what you type goes on to {}, now through the relay: `/direct` for the group", safe(peer))
}

fn mark_words(mark: &Mark) -> (Kind, String) {
    let (number, to) = (mark.number, safe(&mark.to));
    let which = if number == 0 { format!("to {to}") } else { format!("#{number} to {to}") };
    match mark.fate {
        Fate::Sent => (Kind::Answer, format!("{which}: sent")),
        Fate::Delivered => (Kind::Answer, format!("{which}: delivered")),
        Fate::Stored => (Kind::Answer, format!("{which}: stored until {to} is back")),
        Fate::Deferred => (Kind::Notice, format!("{which}: the relay is full; it is sent again later")),
        Fate::NoSuchName => (Kind::Problem, format!("{which}: not sent, nobody is called so")),
        Fate::MailboxFull => (Kind::Problem, format!("{which}: not sent, the mailbox is full")),
        Fate::NotRegistered => {
            (Kind::Problem, format!("{which}: not sent, you have no name any more: `/reg NAME`"))
        }
        Fate::Refused => (
            Kind::Problem,
            format!(
                "{which}: not sent, the relay refuses it: nobody can be called so, or it takes no messages"
            ),
        ),
        Fate::Unknown => (Kind::Problem, format!("{which}: nobody knows whether it arrived")),
    }
}

/// Where it stands in the way, and when it was written if that is a while ago.
fn message_words(time: Option<u64>) -> String {
    match time {
        None => " (directly)".into(),
        Some(time) => match clock::if_old(time) {
            Some(when) => format!(" (to you, {when})"),
            None => " (to you)".into(),
        },
    }
}

fn peers_words(people: &[Person]) -> String {
    let words = people.iter().map(|person| {
        let away = if person.online { "" } else { " (away)" };
        safe(&person.name) + away
    });
    let words: Vec<String> = words.collect();
    if words.is_empty() { "nobody here has a name".into() } else { words.join(", ") }
}

fn news_words(news: News) -> &'static str {
    match news {
        News::Online => "is online",
        News::Offline => "is offline",
        News::Joined => "has joined",
        News::Left => "has left",
    }
}

fn closing_words(name: &str, reason: Closing) -> String {
    match reason {
        Closing::NoWay => format!("no direct way to {name}: messages go through the relay"),
        Closing::Ours => format!("the direct talk with {name} is over"),
        Closing::Theirs => format!("{name} has ended the direct talk"),
        Closing::Silence => format!("the direct way to {name} is lost: messages go through the relay"),
    }
}

/// What carries it, for people.
pub fn carrier(transport: Transport) -> &'static str {
    match transport {
        Transport::Udp => "UDP",
        Transport::Tcp => "TCP",
    }
}

fn speaks(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Extended => "speaks the extended protocol",
        Protocol::Base => "is spoken to in the base protocol only: groups, no names",
    }
}

/// Somebody's words in ours.
pub fn safe(text: &str) -> String {
    harmless(text.as_bytes())
}

fn alive_words(round_trip: Option<Duration>, heartbeat: Duration, server: &str) -> String {
    let heartbeat = heartbeat.as_secs_f64();
    match round_trip {
        Some(time) => {
            let millis = time.as_secs_f64() * 1000.0;
            format!("{server} answered in {millis:.1} ms and suggests a heartbeat every {heartbeat} s")
        }
        None => format!("{server} answered, not at once, and suggests a heartbeat every {heartbeat} s"),
    }
}

fn refusal_words(request: &Request, refusal: Refusal) -> String {
    match (request, refusal) {
        (Request::Join(group), Refusal::NoSuchGroup) => format!("there is no group {group}"),
        (_, Refusal::GroupFull(group)) => format!("{group} is full"),
        (_, Refusal::NotJoined) => "you are in no group".into(),
        (Request::Leave(group), Refusal::NotInThatGroup) => format!("you are not in {group}"),
        (_, Refusal::ClientLimit { used, max }) => {
            format!("you have made {used} of {max} groups; unused ones are deleted after a while")
        }
        (_, Refusal::Retry(_)) => {
            "the relay asks for a proof again and again: somebody behind your address may be trying groups' IDs; try later".into()
        }
        (_, Refusal::ServerFull) => "the relay is full: try later".into(),
        (_, Refusal::BadName) => NAME_RULE.into(),
        (_, Refusal::NotRegistered) => "you have no name: `/reg NAME` first".into(),
        (_, Refusal::NotOverTcp) => {
            "direct talk needs UDP, and the relay is reached by TCP: start chat again (without `--transport tcp`), and it tries UDP \
             first"
                .into()
        }
        (Request::Register { .. } | Request::Peers | Request::Bridge(_), Refusal::UnknownCommand) => {
            "this relay has sessions, but no names".into()
        }
        (request, refusal) => safe(&format!("the relay refused {request}: {refusal}")),
    }
}

fn lost_words(group: GroupId, unsure: bool) -> String {
    let unsure = if unsure { "; what you sent last may not have arrived" } else { "" };
    format!("the relay no longer has you in {group}{unsure}")
}

fn status_words(status: &Status, server: &str) -> String {
    let mut words = format!("server {server}");
    match status.protocol {
        Some(Protocol::Extended) => words += &format!(" (extended, {})", carrier(status.transport)),
        Some(Protocol::Base) => words += &format!(" (base, {})", carrier(status.transport)),
        None => {}
    }
    if status.silent {
        words += " (does not answer)";
    }
    if let Some(name) = &status.name {
        words += &format!(", you are {}", safe(name));
    }
    match status.group {
        Some(group) => words += &format!(", in {group}"),
        None => words += ", in no group",
    }
    if let Some(peer) = &status.direct {
        words += &format!(", direct talk with {}", safe(peer));
    }
    match status.waiting {
        0 => {}
        1 => words += ", 1 message on its way",
        count => words += &format!(", {count} messages on their way"),
    }
    if let Some(heartbeat) = status.heartbeat {
        words += &format!(", heartbeat every {} s", heartbeat.as_secs_f64());
    }
    if let Some(next) = status.next_ping {
        words += &format!(", next ping in {:.0} s", next.as_secs_f64());
    }
    if let Some(time) = status.round_trip {
        words += &format!(", round trip {:.1} ms", time.as_secs_f64() * 1000.0);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_refused_direct_talk_by_tcp_hears_how_to_come_back_to_udp() {
        let refusal = Refusal::NotOverTcp;
        let (_, words) =
            words(&Note::Event(Event::Refused { request: Request::Bridge(None), refusal }), "server");
        assert!(words.contains("start chat again (without `--transport tcp`)"), "{words}");
    }
}
