//! SEND, MSG and ACK: who writes to whom, one message at a time, until each has its outcome.

use std::time::Duration;

use rand::RngExt;
use wire::{MessageId, Notice};

use super::accounts::{Seen, Told};
use super::agenda::Task;
use super::crowd::Crowd;
use super::limits::{BATCH, REST};
use super::person::{State, pause};
use crate::outcome::LATE;
use crate::payload::Stamp;
use crate::plan::Arrivals;

/// Texts are counted, from the first on.
const EPOCH: u16 = 1;

impl Crowd {
    /// Writes the messages that are due.
    pub(super) fn write_more(&mut self, now: Duration) {
        while self.out.len() < BATCH
            && let Some(stream) = &mut self.stream
            && let Some(intended) = stream.next().filter(|due| *due <= now)
        {
            let (people, turn) = (self.people.len() as u32, stream.advance(&mut self.rng));
            let from = match self.plan.arrivals() {
                Arrivals::Constant => (turn % u64::from(people)) as u32,
                Arrivals::Poisson => self.rng.random_range(0..people),
            };
            if self.people[from as usize].state == State::Here {
                self.write(from, intended, now);
            }
        }
    }

    fn write(&mut self, from: u32, intended: Duration, now: Duration) {
        let others = self.people.len() as u32 - 1;
        let to = (from + 1 + self.rng.random_range(0..others)) % (others + 1);
        let late = now.saturating_sub(intended);
        self.times.lateness.record(late);
        self.deeds.late_sends += u64::from(late > LATE);
        let size = self.plan.plan.payload.draw(&mut self.rng);
        let index = self.accounts.write(from, to, size, intended);
        if self.accounts.first(from, to).is_some_and(|(first, _)| first == index) {
            self.come_first(index, now);
        }
    }

    /// A message is the first of its line.
    fn come_first(&mut self, index: u32, now: Duration) {
        let Some(from) = self.accounts.get(index).map(|message| message.from) else { return };
        self.people[from as usize].sent.push(index);
        self.send(index, now);
    }

    /// A person is there again: whatever of it has no outcome is sent.
    pub(super) fn go_on(&mut self, person: u32, now: Duration) {
        let sent = self.people[person as usize].sent.clone();
        sent.into_iter().for_each(|index| self.send(index, now));
    }

    /// A message may be sent again, if that is still what is wanted.
    pub(super) fn send_again(&mut self, index: u32, at: Duration, now: Duration) {
        let is_wanted =
            |message: &super::accounts::Message| message.told == Told::Nothing && message.due == at;
        if self.accounts.get(index).is_some_and(is_wanted) {
            self.send(index, now);
        }
    }

    /// Sends the first message of a line, as soon as its sender may.
    fn send(&mut self, index: u32, now: Duration) {
        let Some(message) = self.accounts.get(index) else { return };
        let (from, to, size) = (message.from, message.to, message.size);
        if self.people[from as usize].state != State::Here {
            return;
        }
        let rest = self.accounts.first(from, to).map_or(Duration::ZERO, |(_, rest)| rest);
        if now < rest {
            self.accounts.postpone(index, rest);
            return self.agenda.add(rest, Task::Send(index));
        }
        let stamp = Stamp {
            epoch: EPOCH,
            run: self.names.run(),
            sender: from,
            sequence: message.number,
            intended: message.intended,
            number: index.into(),
            place: 0,
        };
        let (name, id) = (self.names.name(to), self.names.id(index));
        let sender = &mut self.people[from as usize];
        sender.spoke = now;
        let text = self.filler.payload(&stamp, size.into());
        self.out.put(sender.place, &[b"!SEND ", name.as_bytes(), b" ", id.as_bytes(), b" ", text]);
        let mut due = now;
        self.accounts.send(index, |tries| {
            due += pause(tries);
            due
        });
        self.agenda.add(due, Task::Send(index));
    }

    /// A sender hears of one of its messages.
    pub(super) fn told(&mut self, person: u32, notice: Notice<'_>, now: Duration) {
        let (name, id, told) = match notice {
            Notice::Delivered(name, id) => (name, Some(id), Told::Delivered),
            Notice::Stored(name, id) => (name, Some(id), Told::Stored),
            Notice::NoSuchName(name) => (name, None, Told::NoSuchName),
            Notice::MailboxFull(name) => (name, None, Told::MailboxFull),
            _ => return,
        };
        let Some(to) = self.names.person(name) else {
            self.deeds.unexpected += 1;
            return;
        };
        // A refusal names no message: only one can be on its way to that name.
        let index = match id {
            Some(id) => self.names.message(&id),
            None => self.accounts.first(person, to).map(|(first, _)| first),
        };
        let known = index.and_then(|index| Some((index, self.accounts.get(index)?)));
        let is_own = |message: &super::accounts::Message| {
            message.from == person && message.to == to && message.tries > 0
        };
        match known.filter(|(_, message)| is_own(message)).map(|(index, _)| index) {
            Some(index) => self.has_outcome(index, told, now),
            // The answer to a repeat of one that has been refused already.
            None if id.is_none() => {}
            None => self.deeds.unexpected += 1,
        }
    }

    fn has_outcome(&mut self, index: u32, told: Told, now: Duration) {
        if !self.accounts.tell(index, told) {
            return;
        }
        let Some(message) = self.accounts.get(index) else { return };
        let (from, to, tries) = (message.from, message.to, message.tries);
        let took = now.saturating_sub(message.intended);
        let [sender, recipient] =
            [from, to].map(|person| self.people[person as usize].since <= message.intended);
        match told {
            Told::Delivered if sender && recipient => self.times.delivered.record(took),
            Told::Stored if sender => self.times.stored.record(took),
            Told::NoSuchName | Told::MailboxFull if tries > 1 => self.accounts.rest(from, to, now + REST),
            _ => {}
        }
        self.progressed = now;
        self.people[from as usize].sent.retain(|other| *other != index);
        if let Some((next, _)) = self.accounts.first(from, to) {
            self.come_first(next, now);
        }
    }

    /// A message has reached somebody, who acknowledges whatever it is.
    pub(super) fn message_came(
        &mut self,
        person: u32,
        from: &str,
        id: MessageId,
        text: &[u8],
        now: Duration,
    ) {
        if !self.people[person as usize].is_listening() {
            self.deeds.unheard += 1;
            return;
        }
        self.say(person, &[b"!ACK ", from.as_bytes(), b" ", id.as_str().as_bytes()], now);
        self.heard = now;
        let Some(sender) = self.names.person(from) else {
            self.deeds.unexpected += 1;
            return;
        };
        let stamp = Stamp::read(text).filter(|stamp| stamp.run == self.names.run());
        let Some(index) = stamp.and_then(|stamp| u32::try_from(stamp.number).ok()) else {
            return self.accounts.corrupt();
        };
        let is_senders = self.accounts.get(index).is_some_and(|message| message.from == sender);
        let is_labelled = is_senders && self.names.message(&id) == Some(index);
        if self.accounts.see(index, person, is_labelled) == Seen::New {
            self.progressed = now;
            self.has_mail(person, index, now);
        }
    }

    /// The first mail after a return says how long people wait for it.
    fn has_mail(&mut self, person: u32, index: u32, now: Duration) {
        let it = &mut self.people[person as usize];
        let Some((returned, message)) = it.returned.zip(self.accounts.get(index)) else { return };
        if message.told == Told::Stored && message.intended < returned {
            it.returned = None;
            self.times.first_mail.record(now.saturating_sub(returned));
        }
    }
}
