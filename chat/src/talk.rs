//! A conversation: typed lines in, things to show out.

use std::collections::{BTreeSet, VecDeque};
use std::time::Instant;

use client::{Client, Event, MessageError, Protocol, Request, RequestError, SendError, is_name};
use wire::GroupId;

use crate::arguments::Arguments;
use crate::input::instead_of;
use crate::marks::Marks;
use crate::{Credentials, Helper, Hint, Input, Note, Place, object, parse};

/// Messages that may wait for their fate before further lines wait, too; and lines that may wait for the relay before further
/// ones are read.
const MAX_WAITING: usize = 32;
/// Names and groups that are known for completion, at most.
const MAX_WORDS: usize = 1000;

/// A line that waits for its turn, and where it is to go if it is a text.
#[derive(Debug)]
struct Line {
    bytes: Vec<u8>,
    place: Place,
    /// It stands for an argument of the program.
    is_argument: bool,
}

/// What is asked that changes where texts go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Move {
    To(GroupId),
    /// To have a name, in no group: the relay may bring its owner into the lobby.
    Named,
    Out,
}

/// A [`Client`] that is led by lines. Each line waits until the one before it is answered, except that the fates of messages
/// to people are not waited for. While nobody answers, what needs no answer waits for none.
#[derive(Debug)]
pub struct Talk {
    client: Client,
    credentials: Credentials,
    /// Lines that begin with `{` are objects.
    takes_objects: bool,
    lines: VecDeque<Line>,
    /// So many of them, the first ones, have been told to wait for the relay.
    held: usize,
    /// The line that is being obeyed.
    obeyed: Option<Vec<u8>>,
    arguments: Arguments,
    /// Where it was last wished that texts go.
    meant: Place,
    /// What a line asks for.
    moving: Option<Move>,
    /// The `CREATE` on its way is to be followed by a `JOIN`.
    join_created: bool,
    to_join: Option<GroupId>,
    marks: Marks,
    /// A name was asked for: who has none since then says nothing.
    wants_name: bool,
    /// Whom everything goes to that is typed, directly as long as there is a way.
    direct: Option<String>,
    names: BTreeSet<String>,
    groups: BTreeSet<String>,
    ended: bool,
    notes: VecDeque<Note>,
}

impl Talk {
    /// Leads this client.
    pub fn new(client: Client, credentials: Credentials) -> Self {
        Self {
            client,
            credentials,
            takes_objects: false,
            lines: VecDeque::new(),
            held: 0,
            obeyed: None,
            arguments: Arguments::default(),
            meant: Place::Nowhere,
            moving: None,
            join_created: false,
            to_join: None,
            marks: Marks::default(),
            wants_name: false,
            direct: None,
            names: BTreeSet::new(),
            groups: BTreeSet::new(),
            ended: false,
            notes: VecDeque::new(),
        }
    }

    /// The same, but a line that begins with `{` is an object.
    pub fn with_objects(mut self) -> Self {
        self.takes_objects = true;
        self
    }

    /// Takes a line, without its line end. Without a prompt a text goes only to where the lines before it lead, not to where
    /// the client has come by itself.
    pub fn line(&mut self, line: Vec<u8>, now: Instant) {
        self.line_for(line, self.meant.clone(), now);
    }

    /// The same for a line that was typed at a prompt that said this: if it is a text, it goes there or is not sent.
    pub fn line_for(&mut self, bytes: Vec<u8>, prompt: Place, now: Instant) {
        let place = self.lines.iter().fold(prompt, |place, line| place.behind(&self.read(&line.bytes)));
        self.lines.push_back(Line { bytes, place, is_argument: false });
        self.advance(now);
    }

    /// Takes a line that stands for an argument of the program, before all others.
    pub fn argument(&mut self, line: &str, now: Instant) {
        let place = Place::Nowhere;
        self.lines.push_back(Line { bytes: line.into(), place, is_argument: true });
        self.advance(now);
    }

    /// Whether what an argument asked for was refused, and not had later.
    pub fn is_refused(&self) -> bool {
        self.arguments.are_refused()
    }

    /// Where a text goes that is typed.
    pub fn place(&self) -> Place {
        self.direct.clone().map_or_else(|| Place::of(&self.client), Place::Person)
    }

    /// No more lines come: says goodbye once the last one is answered, and the fate of each message is known.
    pub fn end(&mut self, now: Instant) {
        self.ended = true;
        self.advance(now);
    }

    /// Says goodbye without waiting for anything else.
    pub fn hang_up(&mut self, now: Instant) {
        self.lines.clear();
        self.held = 0;
        self.client.goodbye(now);
        self.collect();
    }

    /// Whether everything that was typed is answered.
    pub fn is_settled(&self, now: Instant) -> bool {
        let is_calm = self.client.waiting() < MAX_WAITING;
        let is_alone = self.client.is_out_of_contact() && self.client.is_idle();
        self.lines.is_empty() && self.to_join.is_none() && is_calm && (is_alone || self.client.is_ready(now))
    }

    /// Whether another line may come: everything before it is answered, or nobody answers, and it may be one that needs nobody.
    pub fn wants_line(&self, now: Instant) -> bool {
        self.is_settled(now) || (self.client.is_out_of_contact() && self.lines.len() < MAX_WAITING)
    }

    /// The client that is led. Call [`Talk::advance`] after you gave it something.
    pub fn client(&mut self) -> &mut Client {
        &mut self.client
    }

    /// Whom everything goes to that is typed, unless to the group.
    pub fn direct(&self) -> Option<&str> {
        self.direct.as_deref()
    }

    /// Names that have been heard of, for completion.
    pub fn names(&self) -> Vec<String> {
        let people = self.client.people().map(|person| person.name.clone());
        let all: BTreeSet<String> = people.chain(self.names.iter().cloned()).collect();
        all.into_iter().collect()
    }

    /// Groups that have been heard of, for completion.
    pub fn groups(&self) -> Vec<String> {
        self.groups.iter().cloned().collect()
    }

    /// Goes on as far as the answers allow. Call it after whatever happened.
    pub fn advance(&mut self, now: Instant) {
        self.client.tick(now);
        self.collect();
        while self.client.is_ready(now) {
            if let Some(group) = self.to_join.take() {
                self.moving = Some(Move::To(group));
                let _ = self.client.request(Request::Join(group), now);
            } else if let Some(line) = self.lines.pop_front() {
                self.held = self.held.saturating_sub(1);
                self.obey(&line, now);
            } else if self.ended && self.client.waiting() == 0 {
                self.client.goodbye(now);
            } else {
                break;
            }
        }
        if self.client.is_out_of_contact() {
            self.make_do(now);
        }
        if self.ended && self.client.is_out_of_contact() {
            self.quit(now);
        }
        self.collect();
    }

    /// The next thing to show.
    pub fn note(&mut self) -> Option<Note> {
        self.notes.pop_front()
    }

    fn collect(&mut self) {
        while let Some(event) = self.client.poll_event() {
            self.consider(&event);
            let is_gone = matches!(event, Event::DirectClosed { .. });
            self.notes.push_back(match event {
                Event::Fate { to, id, fate } => Note::Mark(self.marks.mark(to, id, fate)),
                event => Note::Event(event),
            });
            if let Some(peer) = self.direct.clone().filter(|_| is_gone) {
                self.notes.push_back(Note::Indirect(peer));
            }
        }
    }

    fn consider(&mut self, event: &Event) {
        let kept = self.credentials.consider(event);
        self.complain(kept);
        self.arguments.consider(event);
        match event {
            Event::Created(group) => {
                if std::mem::take(&mut self.join_created) {
                    self.to_join = Some(*group);
                }
                remember(&mut self.groups, group.as_str());
            }
            Event::Refused { request: Request::Create, .. }
            | Event::RefusedOtherwise { request: Request::Create, .. }
            | Event::NoAnswer { request: Request::Create, .. } => self.join_created = false,
            Event::Joined { group, .. } => {
                remember(&mut self.groups, group.as_str());
                if matches!(self.moving, Some(Move::Named)) || self.moving == Some(Move::To(*group)) {
                    self.arrive();
                }
            }
            Event::Left(_) if self.moving == Some(Move::Out) => self.arrive(),
            Event::Message { from, .. } => remember(&mut self.names, from),
            _ => {}
        }
    }

    /// Nobody answers: obeys what needs no answer, and tells that the rest waits.
    fn make_do(&mut self, now: Instant) {
        let mut fresh = self.lines.split_off(self.held);
        while !self.client.is_finished()
            && let Some(line) = fresh.pop_front()
        {
            if self.needs_relay(&line.bytes) {
                self.notes.push_back(Note::Held(line.bytes.clone()));
                self.lines.push_back(line);
            } else {
                self.obey(&line, now);
            }
        }
        self.held = self.lines.len();
    }

    fn needs_relay(&self, line: &[u8]) -> bool {
        match self.read(line) {
            Input::Helper(Helper::Status | Helper::Help | Helper::Quit) => false,
            // What waits before them depends on whether there is a peer, and on what goes to it.
            Input::Helper(Helper::Direct(None) | Helper::HangUp) => !self.lines.is_empty(),
            Input::Helper(_) | Input::Text(_) => true,
            Input::Blank | Input::Wrong(_) | Input::Misread(_) => false,
        }
    }

    fn read<'a>(&self, line: &'a [u8]) -> Input<'a> {
        let is_object = self.takes_objects && line.first() == Some(&b'{');
        if is_object { object::read(line) } else { parse(line) }
    }

    fn obey(&mut self, line: &Line, now: Instant) {
        self.obeyed = Some(line.bytes.clone());
        self.arguments.are_asked = line.is_argument;
        self.moving = None;
        self.do_as_told(line, now);
        self.obeyed = None;
    }

    fn do_as_told(&mut self, Line { bytes: line, place, .. }: &Line, now: Instant) {
        let here = self.place();
        match self.read(line) {
            Input::Blank => {}
            Input::Helper(helper) => self.help(helper, now),
            Input::Text(_) if !place.admits(&here) => {
                self.hint(Hint::Elsewhere { place: here, text: line.clone() });
            }
            Input::Text(text) => match self.direct.clone() {
                Some(peer) => self.write(&peer, &text, now),
                None => self.say(&text, now),
            },
            Input::Wrong(hint) => self.hint(hint),
            Input::Misread(reason) => self.notes.push_back(Note::Misread { line: line.to_vec(), reason }),
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
                None => return self.hint(Hint::NoGroup),
            },
            Helper::Who => Request::Who,
            Helper::Ping => Request::Ping,
            Helper::Register { name, claim: None } => return self.register(&name, now),
            Helper::Register { name, claim } => Request::Register { name, claim },
            Helper::Deregister => Request::Deregister,
            Helper::Peers => Request::Peers,
            Helper::Watch(true) => Request::Watch,
            Helper::Watch(false) => Request::Unwatch,
            Helper::Bridge(name) => Request::Bridge(name),
            Helper::Unbridge => Request::Unbridge,
            helper => return self.help_alone(helper, now),
        };
        self.moving = match request {
            Request::Join(group) => Some(Move::To(group)),
            Request::Leave(_) => Some(Move::Out),
            Request::Register { .. } if self.client.protocol() == Some(Protocol::Extended) => {
                self.wants_name = true;
                self.may_come_into_the_lobby()
            }
            _ => None,
        };
        // Lines are obeyed only when the client is ready.
        match self.client.request(request, now) {
            Err(RequestError::BaseOnly) => self.hint_at_base(),
            Err(RequestError::BadName) => self.hint(Hint::BadName),
            Err(RequestError::OwnName) => self.hint(Hint::OwnName),
            Ok(()) | Err(RequestError::Busy) => {}
        }
    }

    /// Asks for a name under the claim that is known, or one that is noted down before.
    fn register(&mut self, name: &str, now: Instant) {
        if self.client.protocol() == Some(Protocol::Base) {
            return self.hint_at_base();
        }
        if !is_name(name) {
            return self.hint(Hint::BadName);
        }
        self.wants_name = true;
        self.moving = self.may_come_into_the_lobby();
        // The client is ready, and nothing else is wrong with what it is asked.
        let asked = self.credentials.register(name).map(|request| self.client.request(request, now));
        self.complain(asked.map(drop));
    }

    fn may_come_into_the_lobby(&self) -> Option<Move> {
        self.client.home().is_none().then_some(Move::Named)
    }

    /// Everything goes to this peer that is typed, or to the group.
    fn turn_to(&mut self, peer: Option<String>) {
        self.direct.clone_from(&peer);
        self.notes.push_back(Note::Direct(peer));
        self.aim();
    }

    /// In another group, or in none, as was asked.
    fn arrive(&mut self) {
        match self.direct.take_if(|_| self.moving != Some(Move::Named)) {
            Some(_) => self.turn_to(None),
            None => self.aim(),
        }
    }

    /// What was asked has changed where texts go: also those that wait behind it.
    fn aim(&mut self) {
        self.moving = None;
        self.meant = self.place();
        let mut place = self.meant.clone();
        for line in std::mem::take(&mut self.lines) {
            let next = place.clone().behind(&self.read(&line.bytes));
            self.lines.push_back(Line { place: std::mem::replace(&mut place, next), ..line });
        }
    }

    fn complain(&mut self, kept: anyhow::Result<()>) {
        if let Err(error) = kept {
            self.hint(Hint::Claim(format!("{error:#}")));
        }
    }

    /// What is no request.
    fn help_alone(&mut self, helper: Helper, now: Instant) {
        match helper {
            Helper::Message { to, text } => self.write(&to, &text, now),
            Helper::Direct(Some(text)) => self.say_directly(&text, now),
            Helper::Direct(None) => match (self.direct.take(), self.client.direct_peer()) {
                (None, None) => self.hint(Hint::NoPeer),
                (Some(_), _) => self.turn_to(None),
                (None, Some(peer)) => self.turn_to(Some(peer.to_owned())),
            },
            Helper::HangUp => {
                if !self.client.hang_up(now) {
                    self.hint(Hint::NoPeer);
                }
            }
            Helper::Status => self.notes.push_back(Note::Status(self.client.status(now))),
            Helper::Help => self.notes.push_back(Note::Help),
            _ => self.quit(now),
        }
    }

    /// Says goodbye without waiting for a relay that does not answer, and how many lines have waited for it.
    fn quit(&mut self, now: Instant) {
        if self.client.is_out_of_contact() && !self.lines.is_empty() {
            self.notes.push_back(Note::Hint { hint: Hint::Unsent(self.lines.len()), line: None });
        }
        self.hang_up(now);
    }

    fn say(&mut self, text: &[u8], now: Instant) {
        if self.wants_name && self.client.name().is_none() {
            return self.hint(Hint::Deregistered);
        }
        let hint = match self.client.send(text, now) {
            Ok(()) => {
                let (group, bytes) = (self.client.group(), text.to_vec());
                return self.notes.push_back(Note::Said { group, bytes });
            }
            Err(SendError::Busy) => return,
            Err(SendError::Empty) => Hint::Message(MessageError::Empty),
            Err(SendError::NoGroup) => Hint::NoGroup,
            Err(SendError::TooLarge(len)) => Hint::TooLarge(len),
            Err(SendError::Command) => Hint::Bang(instead_of(text.get(1..).unwrap_or_default())),
        };
        self.hint(hint);
    }

    fn say_directly(&mut self, text: &[u8], now: Instant) {
        match self.client.direct_peer().map(str::to_owned) {
            Some(peer) => self.write(&peer, text, now),
            None => self.hint(Hint::NoPeer),
        }
    }

    fn write(&mut self, to: &str, text: &[u8], now: Instant) {
        match self.client.message(to, text, now) {
            Ok(id) => {
                let number = self.marks.begin(id);
                remember(&mut self.names, to);
                let (to, bytes) = (to.to_owned(), text.to_vec());
                self.notes.push_back(Note::Written { number, to, id, bytes });
            }
            Err(_) if self.client.protocol() == Some(Protocol::Base) => self.hint_at_base(),
            Err(MessageError::NotRegistered) => self.hint(Hint::Deregistered),
            Err(error) => self.hint(Hint::Message(error)),
        }
    }

    /// There are no people in the base protocol.
    fn hint_at_base(&mut self) {
        self.hint(if self.client.is_told_protocol() { Hint::BaseAsked } else { Hint::BaseOnly });
    }

    fn hint(&mut self, hint: Hint) {
        if self.obeyed.is_some() {
            self.arguments.hint();
        }
        self.notes.push_back(Note::Hint { hint, line: self.obeyed.clone() });
    }
}

fn remember(words: &mut BTreeSet<String>, word: &str) {
    if words.len() < MAX_WORDS {
        words.insert(word.to_owned());
    }
}

#[cfg(test)]
mod tests;
