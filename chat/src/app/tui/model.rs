//! What the full screen shows: the group and people one writes with, each with its lines.

use std::collections::VecDeque;

use chat::{Event, Fate, Input, Mark, Note, fold, parse};

use crate::app::human::{Kind, direct_words, safe, words};

/// Lines of one room that are kept.
const MAX_LINES: usize = 2000;
/// Rooms at most; further people are shown in the first one.
const MAX_ROOMS: usize = 200;

/// The rooms; the first is the group's.
#[derive(Debug)]
pub struct Model {
    pub rooms: Vec<Room>,
    pub current: usize,
    server: String,
}

/// One conversation.
#[derive(Debug, Default)]
pub struct Room {
    /// With whom; nothing: the group.
    pub peer: Option<String>,
    pub lines: VecDeque<Line>,
    pub unread: usize,
    /// Lines above the end at which one looks.
    pub scrolled: usize,
}

/// One line, safe to print.
#[derive(Debug, PartialEq, Eq)]
pub struct Line {
    pub time: String,
    pub kind: Kind,
    pub text: String,
    /// The number of a message that we sent, and its fate once that is told.
    pub mark: Option<(u64, Option<Fate>)>,
}

impl Model {
    pub fn new(server: String) -> Self {
        Self { rooms: vec![Room::default()], current: 0, server }
    }

    /// Shows a note.
    pub fn show(&mut self, note: &Note, time: &str) {
        let (kind, text) = words(note, &self.server);
        match note {
            Note::Event(Event::Message { from, .. }) => {
                let room = self.room_of(from);
                self.push(room, kind, text, None, time);
            }
            Note::Event(Event::Text { .. } | Event::Missed { .. }) => self.push(0, kind, text, None, time),
            Note::Said { .. } => self.push(0, kind, text, None, time),
            Note::Written { number, to, .. } => {
                let room = self.room_of(to);
                self.push(room, kind, text, Some((*number, None)), time);
            }
            // Everybody's room goes on being theirs.
            Note::Direct(peer) => {
                let room = self.rooms[self.current].peer.as_deref();
                self.say(kind, &direct_words(peer.as_deref(), room), time);
            }
            Note::Mark(mark) => self.mark(mark, kind, text, time),
            Note::Event(Event::Peers(_) | Event::Presence { .. }) => self.push(0, kind, text, None, time),
            Note::Help => unfolded(&text).iter().for_each(|line| self.say(kind, line, time)),
            _ => self.say(kind, &text, time),
        }
    }

    /// Says something of our own where one looks.
    pub fn say(&mut self, kind: Kind, text: &str, time: &str) {
        for text in text.lines() {
            self.push(self.current, kind, text.to_owned(), None, time);
        }
    }

    /// What is to be done with a line typed here.
    pub fn typed(&self, line: String) -> String {
        match (parse(line.as_bytes()), &self.rooms[self.current].peer) {
            (Input::Text(text), Some(peer)) => format!("/msg {peer} {}", String::from_utf8_lossy(&text)),
            _ => line,
        }
    }

    /// Looks at another room.
    pub fn turn(&mut self, forward: bool) {
        let count = self.rooms.len();
        self.current = (self.current + if forward { 1 } else { count - 1 }) % count;
        let room = &mut self.rooms[self.current];
        (room.unread, room.scrolled) = (0, 0);
    }

    /// Looks so many lines further up, or down.
    pub fn scroll(&mut self, lines: isize) {
        let room = &mut self.rooms[self.current];
        room.scrolled = room.scrolled.saturating_add_signed(lines).min(room.lines.len().saturating_sub(1));
        if room.scrolled == 0 {
            room.unread = 0;
        }
    }

    fn mark(&mut self, mark: &Mark, kind: Kind, text: String, time: &str) {
        let room = self.room_of(&mark.to);
        if room != self.current && kind == Kind::Problem {
            // Whoever has written from here is not to miss it.
            self.say(kind, &text, time);
        }
        let is_it = |line: &&mut Line| line.mark.is_some_and(|(number, _)| number == mark.number);
        match self.rooms[room].lines.iter_mut().rev().find(is_it) {
            Some(line) => line.mark = Some((mark.number, Some(mark.fate))),
            None => self.push(room, Kind::Notice, text, None, time),
        }
    }

    fn push(&mut self, room: usize, kind: Kind, text: String, mark: Option<(u64, Option<Fate>)>, time: &str) {
        let is_elsewhere = room != self.current;
        let room = &mut self.rooms[room];
        let is_unseen = is_elsewhere || room.scrolled > 0;
        room.lines.push_back(Line { time: time.to_owned(), kind, text, mark });
        if room.lines.len() > MAX_LINES {
            room.lines.pop_front();
        }
        if room.scrolled > 0 {
            room.scrolled += 1;
        }
        room.unread += usize::from(is_unseen && kind == Kind::Text);
    }

    fn room_of(&mut self, name: &str) -> usize {
        let key = fold(name);
        let is_theirs = |room: &Room| room.peer.as_ref().is_some_and(|peer| fold(peer) == key);
        match self.rooms.iter().position(is_theirs) {
            Some(room) => room,
            None if self.rooms.len() >= MAX_ROOMS => 0,
            None => {
                self.rooms.push(Room { peer: Some(safe(name)), ..Room::default() });
                self.rooms.len() - 1
            }
        }
    }
}

/// The help, which is set for a page, in lines for a room of any width: `create: make a group`, and each paragraph in one.
fn unfolded(text: &str) -> Vec<String> {
    let (mut lines, mut is_open): (Vec<String>, bool) = (Vec::new(), false);
    for line in text.lines().filter(|line| !line.is_empty()) {
        match (line.split_once("  "), lines.last_mut()) {
            (Some(("", more)), Some(last)) => *last = format!("{last} {}", more.trim_start()),
            (None, Some(last)) if is_open => *last = format!("{last} {line}"),
            (Some((what, more)), _) => lines.push(format!("{what}: {}", more.trim_start())),
            (None, _) => lines.push(line.to_owned()),
        }
        is_open = !line.contains("  ") && !line.ends_with(['.', ':', ')']) && lines.len() > 1;
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use wire::MessageId;

    fn message(from: &str, text: &str) -> Note {
        let (from, id, bytes) = (from.to_owned(), MessageId::parse(b"1").unwrap(), text.into());
        Note::Event(Event::Message { from, id, time: None, bytes })
    }

    fn written(to: &str, number: u64, text: &str) -> Note {
        let id = MessageId::parse(b"1").unwrap();
        Note::Written { number, to: to.into(), id, bytes: text.into() }
    }

    fn mark(to: &str, number: u64, fate: Fate) -> Note {
        Note::Mark(Mark { number, to: to.into(), id: MessageId::parse(b"1").unwrap(), fate })
    }

    #[test]
    fn who_writes_gets_a_room_and_what_is_not_seen_is_counted() {
        let mut model = Model::new("server".into());
        model.show(&message("bob", "one"), "");
        model.show(&message("Bob", "two \x1b"), "");
        assert_eq!((model.rooms.len(), model.rooms[1].unread), (2, 2));
        assert_eq!(model.rooms[1].lines[1].text, "Bob (directly): two \\x1b");
        model.turn(true);
        assert_eq!((model.current, model.rooms[1].unread), (1, 0));
        let text = Event::Text { group: None, from: Some("eve".into()), bytes: b"hi".to_vec() };
        model.show(&Note::Event(text), "");
        assert_eq!(model.rooms[0].unread, 1);
        model.turn(false);
        assert_eq!((model.current, model.rooms[0].unread), (0, 0));
    }

    #[test]
    fn what_is_typed_in_a_room_goes_to_its_person_and_bears_its_fate() {
        let mut model = Model::new("server".into());
        assert_eq!(model.typed("hello all".into()), "hello all");
        model.show(&Note::Said { group: None, bytes: b"hello all".to_vec() }, "");
        assert_eq!(model.rooms[0].lines[0].text, "you: hello all");
        model.show(&message("bob", "one"), "");
        model.turn(true);
        assert_eq!(model.typed("hello bob".into()), "/msg bob hello bob");
        assert_eq!(model.typed("/who".into()), "/who");
        // The second one waits for the first one's fate, and both are to be seen.
        model.show(&written("bob", 1, "hello bob"), "");
        model.show(&written("bob", 2, "and more"), "");
        model.show(&mark("bob", 1, Fate::Sent), "");
        model.show(&Note::Hint { hint: chat::Hint::NoGroup, line: None }, "");
        model.show(&mark("bob", 1, Fate::Delivered), "");
        let marks: Vec<_> =
            model.rooms[1].lines.iter().filter_map(|line| Some((line.text.as_str(), line.mark?))).collect();
        assert_eq!(marks, [("you: hello bob", (1, Some(Fate::Delivered))), ("you: and more", (2, None))]);
    }

    #[test]
    fn direct_talk_changes_where_goes_what_is_typed_to_the_group_and_says_so() {
        let mut model = Model::new("server".into());
        let last = |model: &Model| model.rooms[model.current].lines.back().unwrap().text.clone();
        let (begun, over) = (Note::Direct(Some("tobias".into())), Note::Direct(None));
        model.show(&begun, "");
        assert_eq!(last(&model), "what you type goes directly to tobias: `/direct` ends that");
        model.show(&over, "");
        assert_eq!(last(&model), "what you type goes to your group again");
        model.show(&message("anna", "hi"), "");
        model.turn(true);
        let group = "what you type in the group's room goes";
        model.show(&begun, "");
        let here = "what you type here goes to anna";
        assert_eq!(last(&model), format!("{group} directly to tobias: `/direct` ends that; {here}"));
        assert_eq!(model.typed("hello".into()), "/msg anna hello");
        model.show(&over, "");
        assert_eq!(last(&model), format!("{group} to your group again; {here}"));
        assert_eq!(model.typed("hello".into()), "/msg anna hello");
    }

    #[test]
    fn what_cannot_be_sent_from_another_room_is_said_there_too() {
        let mut model = Model::new("server".into());
        model.show(&written("bbo", 1, "one"), "");
        model.show(&mark("bbo", 1, Fate::Sent), "");
        model.show(&mark("bbo", 1, Fate::NoSuchName), "");
        assert_eq!(model.rooms[0].lines[0].text, "#1 to bbo: not sent, nobody is called so");
        assert_eq!(model.rooms[1].lines.back().unwrap().mark, Some((1, Some(Fate::NoSuchName))));
    }

    #[test]
    fn lines_are_bounded() {
        let mut model = Model::new("server".into());
        (0..MAX_LINES + 5).for_each(|_| model.say(Kind::Notice, "x", ""));
        assert_eq!(model.rooms[0].lines.len(), MAX_LINES);
        model.scroll(5);
        model.say(Kind::Notice, "y", "");
        assert_eq!(model.rooms[0].scrolled, 6);
        model.scroll(-100);
        assert_eq!(model.rooms[0].scrolled, 0);
    }

    #[test]
    fn the_help_is_set_for_any_width() {
        let mut model = Model::new("relay".to_owned());
        model.show(&Note::Help, "09:00");
        let lines: Vec<&str> = model.rooms[0].lines.iter().map(|line| &*line.text).collect();
        assert_eq!(lines[..2], ["what you can type", "create: make a group (it has no members yet)"]);
        assert!(lines.contains(
            &"/bridge [NAME]: wait for NAME, or for whoever waits in your group, to talk directly"
        ));
        let prose = lines.iter().find(|line| line.starts_with("Any other line")).unwrap();
        assert!(prose.ends_with("(it lacks its slash)."), "{prose}");
        assert!(lines.iter().all(|line| !line.contains("  ")), "{lines:#?}");
        assert!(
            lines.last().unwrap().starts_with("Messages from others")
                && lines.last().unwrap().ends_with("`!`.")
        );
    }
}
