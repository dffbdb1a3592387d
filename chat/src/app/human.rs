//! What happened, in words for people.

use std::time::Duration;

use chat::{Event, HELP, Note, Request, Status, harmless};
use wire::{GroupId, Refusal};

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
        Note::Hint(hint) => (Kind::Problem, hint.to_string()),
        Note::Status(status) => (Kind::Answer, status_words(status, server)),
        Note::Help => (Kind::Answer, format!("what you can type\n{HELP}")),
    }
}

fn event_words(event: &Event, server: &str) -> (Kind, String) {
    match event {
        Event::Text { bytes, .. } => (Kind::Text, harmless(bytes)),
        Event::Created(group) => (Kind::Answer, format!("created {group}")),
        Event::Joined { group, again: false } => (Kind::Answer, format!("joined {group}")),
        Event::Joined { group, again: true } => (Kind::Notice, format!("joined {group} again")),
        Event::Left(group) => (Kind::Answer, format!("left {group}")),
        Event::Members { group, count: 1 } => (Kind::Answer, format!("you are alone in {group}")),
        Event::Members { group, count } => (Kind::Answer, format!("{group} has {count} members, with you")),
        Event::Alive { round_trip, heartbeat } => {
            (Kind::Answer, alive_words(*round_trip, *heartbeat, server))
        }
        Event::Refused { request, refusal } => (Kind::Problem, refusal_words(*request, *refusal)),
        Event::RefusedOtherwise { request, answer } => {
            (Kind::Problem, format!("{server} refused {request}: {}", harmless(answer)))
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
        Event::Silent => (Kind::Problem, format!("{server} does not answer; still trying")),
        Event::Unreachable => (Kind::Problem, format!("nobody listens at {server}; still trying")),
        Event::Answers => (Kind::Notice, format!("{server} answers again")),
    }
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

fn refusal_words(request: Request, refusal: Refusal) -> String {
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
        (request, refusal) => format!("the relay refused {request}: {refusal}"),
    }
}

fn lost_words(group: GroupId, unsure: bool) -> String {
    let unsure = if unsure { "; what you sent last may not have arrived" } else { "" };
    format!("the relay no longer has you in {group}{unsure}")
}

fn status_words(status: &Status, server: &str) -> String {
    let mut words = format!("server {server}");
    if status.silent {
        words += " (does not answer)";
    }
    match status.group {
        Some(group) => words += &format!(", in {group}"),
        None => words += ", in no group",
    }
    if let Some(heartbeat) = status.heartbeat {
        words += &format!(", heartbeat every {} s", heartbeat.as_secs_f64());
    }
    if let Some(next) = status.next_ping {
        words += &format!(", next ping in {:.0} s", next.as_secs_f64());
    }
    words
}
