//! A conversation: typed lines in, things to show out.

use std::collections::VecDeque;
use std::time::Instant;

use wire::GroupId;

use crate::{Client, Event, Helper, Hint, Input, Request, SendError, Status, parse};

/// Something to show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// From the client.
    Event(Event),
    /// A line was not sent.
    Hint(Hint),
    /// What `status` found.
    Status(Status),
    /// `help` was asked for.
    Help,
}

/// A [`Client`] that is led by lines. Each line waits until the one before it is answered.
#[derive(Debug)]
pub struct Talk {
    client: Client,
    lines: VecDeque<Vec<u8>>,
    /// The `CREATE` on its way is to be followed by a `JOIN`.
    join_created: bool,
    to_join: Option<GroupId>,
    ended: bool,
    notes: VecDeque<Note>,
}

impl Talk {
    /// Leads this client.
    pub fn new(client: Client) -> Self {
        Self {
            client,
            lines: VecDeque::new(),
            join_created: false,
            to_join: None,
            ended: false,
            notes: VecDeque::new(),
        }
    }

    /// Takes a line, without its line end.
    pub fn line(&mut self, line: Vec<u8>, now: Instant) {
        self.lines.push_back(line);
        self.advance(now);
    }

    /// No more lines come: says goodbye once the last one is answered.
    pub fn end(&mut self, now: Instant) {
        self.ended = true;
        self.advance(now);
    }

    /// Says goodbye without waiting for anything else.
    pub fn hang_up(&mut self, now: Instant) {
        self.lines.clear();
        self.client.goodbye(now);
    }

    /// Whether everything that was typed is answered.
    pub fn is_settled(&self, now: Instant) -> bool {
        self.lines.is_empty() && self.to_join.is_none() && self.client.is_ready(now)
    }

    /// The client that is led. Call [`Talk::advance`] after you gave it something.
    pub fn client(&mut self) -> &mut Client {
        &mut self.client
    }

    /// Goes on as far as the answers allow. Call it after whatever happened.
    pub fn advance(&mut self, now: Instant) {
        self.client.tick(now);
        self.collect();
        while self.client.is_ready(now) {
            if let Some(group) = self.to_join.take() {
                let _ = self.client.ask(Request::Join(group), now);
            } else if let Some(line) = self.lines.pop_front() {
                self.obey(&line, now);
            } else if self.ended {
                self.client.goodbye(now);
            } else {
                break;
            }
        }
        self.collect();
    }

    /// The next thing to show.
    pub fn note(&mut self) -> Option<Note> {
        self.notes.pop_front()
    }

    fn collect(&mut self) {
        while let Some(event) = self.client.event() {
            match &event {
                Event::Created(group) if self.join_created => self.to_join = Some(*group),
                _ => {}
            }
            if matches!(
                event,
                Event::Created(_)
                    | Event::Refused { request: Request::Create, .. }
                    | Event::RefusedOtherwise { request: Request::Create, .. }
                    | Event::NoAnswer { request: Request::Create, .. }
            ) {
                self.join_created = false;
            }
            self.notes.push_back(Note::Event(event));
        }
    }

    fn obey(&mut self, line: &[u8], now: Instant) {
        match parse(line) {
            Input::Blank => {}
            Input::Helper(helper) => self.help(helper, now),
            Input::Text(text) => self.say(text, now),
            Input::Wrong(hint) => self.notes.push_back(Note::Hint(hint)),
        }
    }

    fn help(&mut self, helper: Helper, now: Instant) {
        let request = match helper {
            Helper::Create { join } => {
                self.join_created = join;
                Request::Create
            }
            Helper::Join(group) => Request::Join(group),
            Helper::Leave(group) => match group.or(self.client.home()) {
                Some(group) => Request::Leave(group),
                None => return self.notes.push_back(Note::Hint(Hint::NoGroup)),
            },
            Helper::Who => Request::Who,
            Helper::Ping => Request::Ping,
            Helper::Status => return self.notes.push_back(Note::Status(self.client.status(now))),
            Helper::Help => return self.notes.push_back(Note::Help),
            Helper::Quit => return self.hang_up(now),
        };
        // Lines are obeyed only when the client is ready.
        let _ = self.client.ask(request, now);
    }

    fn say(&mut self, text: &[u8], now: Instant) {
        let hint = match self.client.send(text, now) {
            Ok(()) | Err(SendError::Busy | SendError::Empty) => return,
            Err(SendError::NoGroup) => Hint::NoGroup,
            Err(SendError::TooLarge(len)) => Hint::TooLarge(len),
            Err(SendError::Command) => Hint::Bang("help"),
        };
        self.notes.push_back(Note::Hint(hint));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was sent until now.
    fn sent(talk: &mut Talk) -> Vec<String> {
        std::iter::from_fn(|| talk.client().datagram())
            .map(|datagram| String::from_utf8(datagram).unwrap())
            .collect()
    }

    fn answer(talk: &mut Talk, reply: &str, now: Instant) {
        talk.client().receive(reply.as_bytes(), now);
        talk.advance(now);
    }

    fn talk(lines: &[&str]) -> (Talk, Instant) {
        let now = Instant::now();
        let mut talk = Talk::new(Client::new(1, now));
        for line in lines {
            talk.line(line.as_bytes().to_vec(), now);
        }
        (talk, now)
    }

    #[test]
    fn each_line_waits_for_the_answer_before_it() {
        let (mut talk, now) = talk(&["join home", "hello", "leave", "hello?"]);
        talk.end(now);
        assert_eq!(sent(&mut talk), ["!JOIN HOME AAAAAAAAAAAAAAAA"]);
        assert!(!talk.is_settled(now));
        answer(&mut talk, "OK JOINED HOME", now);
        assert_eq!(sent(&mut talk), ["!PING", "hello", "!LEAVE HOME"]);
        answer(&mut talk, "OK LEFT HOME", now);
        assert!(sent(&mut talk).is_empty() && talk.client().is_finished());
        assert_eq!(std::iter::from_fn(|| talk.note()).last(), Some(Note::Hint(Hint::NoGroup)));
    }

    #[test]
    fn create_and_join_joins_what_was_created() {
        let (mut talk, now) = talk(&["create --join", "hello"]);
        answer(&mut talk, "OK CREATED ABCD1234", now);
        assert_eq!(sent(&mut talk), ["!CREATE AAAAAAAAAAAAAAAA", "!JOIN ABCD1234 AAAAAAAAAAAAAAAA"]);
        answer(&mut talk, "OK JOINED ABCD1234", now);
        assert_eq!(sent(&mut talk).last().unwrap(), "hello");
    }

    #[test]
    fn a_refused_create_joins_nothing_later() {
        let (mut talk, now) = talk(&["create --join", "create"]);
        answer(&mut talk, "ERR CLIENT_LIMIT 3/3", now);
        answer(&mut talk, "OK CREATED ABCD1234", now);
        assert_eq!(sent(&mut talk), ["!CREATE AAAAAAAAAAAAAAAA"; 2]);
    }

    #[test]
    fn quit_forgets_the_rest() {
        let (mut talk, _) = talk(&["quit", "create"]);
        assert!(talk.client().is_finished() && sent(&mut talk).is_empty());
    }
}
