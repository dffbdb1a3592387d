//! What the relay says, and what it changes.

use std::time::{Duration, Instant};

use wire::{Entries, GroupId, Heartbeat, MessageId, News, Notice, Refusal, Reply, Token};

use super::ask::{Asked, Cause, Said};
use super::{Request, Session};
use crate::event::{Event, Fate};
use crate::people::fold;

impl Session {
    /// Takes a datagram from the relay.
    pub(crate) fn receive(&mut self, datagram: &[u8], now: Instant) {
        match datagram {
            [] => {}
            [b'!', ..] => {
                let is_refusal = self.is_live() && datagram.starts_with(b"!ERR ");
                if let Some(asked) = self.asked.as_mut().filter(|_| is_refusal) {
                    asked.note_refusal(datagram);
                }
                if let Some(said) = Said::parse(datagram) {
                    self.hear(said, now);
                }
            }
            b"ERR BAD_CMD UnknownCommand" => self.is_unknown(),
            // Every payload says who has sent it, so this is a relay that knows no session: it has started anew.
            other if self.is_live() && Reply::parse(other).is_some() => self.doubt(now),
            payload if self.is_live() => {
                let bytes = payload.to_vec();
                self.out.event(Event::Text { group: self.group, from: None, bytes });
            }
            _ => {}
        }
        self.tick(now);
    }

    fn hear(&mut self, said: Said<'_>, now: Instant) {
        match said {
            Said::Notice(Notice::From(sender, seq, bytes)) => {
                let from = sender.to_string();
                let heard = self.order.take(&from, seq, bytes, now);
                return self.tell(&from, heard);
            }
            Said::Notice(Notice::Raw(bytes)) => {
                return self.out.event(Event::Text { group: self.group, from: None, bytes: bytes.to_vec() });
            }
            Said::Reply(Reply::Refused(Refusal::ServerFull)) if self.is_live() && self.put_off(now) => return,
            Said::Reply(Reply::Refused(Refusal::BadName)) if self.is_live() && self.misnamed(now) => return,
            _ => {}
        }
        let is_live = self.is_live();
        let asked = self.asked.take_if(|asked| is_live && asked.is_answered_by(said));
        if asked.is_some() {
            self.rest(now);
        }
        match said {
            Said::Reply(Reply::Refused(refusal)) => self.refused(refusal, asked, now),
            Said::Reply(reply) => self.answered(reply, asked, now),
            Said::Notice(notice) => self.noticed(notice, asked, now),
        }
    }

    fn answered(&mut self, reply: Reply, asked: Option<Asked>, now: Instant) {
        let cause = asked.as_ref().map(|asked| asked.cause);
        match reply {
            Reply::Hello(token, heartbeat) => self.greeted(token, heartbeat, now),
            Reply::Created(group) => self.out.event(Event::Created(group)),
            Reply::Joined(group) => self.joined(group, cause),
            Reply::Left(group) => {
                self.leave(group);
                if asked.is_some() {
                    self.out.event(Event::Left(group));
                }
            }
            Reply::Pong(heartbeat) => self.alive(heartbeat, asked, now),
            Reply::Who(group, count) => {
                if self.group != Some(group) && asked.is_some() {
                    self.adopt(group);
                    // A name may bring its owner into the lobby.
                    self.out.event(Event::Joined { group, again: false });
                }
                if cause == Some(Cause::Person) {
                    self.out.event(Event::Members { group, count });
                }
            }
            Reply::Refused(_) => {}
        }
    }

    fn joined(&mut self, group: GroupId, cause: Option<Cause>) {
        // The answer to a repeat of what was answered before.
        if cause.is_none() && self.group == Some(group) {
            return;
        }
        self.adopt(group);
        self.forget_delays();
        self.out.event(Event::Joined { group, again: cause == Some(Cause::Again) });
    }

    fn alive(&mut self, heartbeat: Heartbeat, asked: Option<Asked>, now: Instant) {
        self.heartbeat = heartbeat;
        let Some(asked) = asked else { return };
        self.unconfirmed = 0;
        // After a repetition nobody knows which of the two was answered.
        let round_trip = (asked.sent == 1).then(|| now - asked.last_sent);
        self.round_trip = round_trip.or(self.round_trip);
        self.rest(now);
        if asked.cause == Cause::Person {
            self.out.event(Event::Alive { round_trip, heartbeat: Duration::from_millis(heartbeat.0) });
        }
    }

    fn refused(&mut self, refusal: Refusal, asked: Option<Asked>, now: Instant) {
        match (refusal, asked) {
            (Refusal::Prove(cookie), _) => self.prove(cookie, now),
            (Refusal::NoSession, asked) => {
                self.asked = self.asked.take().or(asked);
                self.go_on_here(now);
            }
            (Refusal::BadToken, _) => self.begin_anew(now),
            (Refusal::Retry(cookie), Some(mut asked)) => {
                if asked.prove(cookie, now) {
                    self.transmit(asked.encode());
                    self.asked = Some(asked);
                } else {
                    self.asked_in_vain(refusal, asked);
                }
            }
            (Refusal::ServerFull, Some(Asked { request, cause: Cause::Again, .. })) => {
                self.come_later(request, now);
            }
            (refusal, Some(asked)) => self.asked_in_vain(refusal, asked),
            (Refusal::NotJoined, None) => self.lose_group(),
            (Refusal::NotRegistered, None) => self.miss_name(self.letters.only_sent_once()),
            (Refusal::UnknownCommand | Refusal::MissingArgument(_) | Refusal::TooLarge, None) => {
                self.letters_refused(Fate::Refused);
            }
            _ => {}
        }
    }

    fn asked_in_vain(&mut self, refusal: Refusal, asked: Asked) {
        match (&asked.request, refusal) {
            (Request::Leave(group), _) => self.leave(*group),
            (Request::Join(group), _) if asked.cause == Cause::Again => {
                self.home = self.home.filter(|home| home != group);
            }
            (Request::Deregister, Refusal::NotRegistered) => self.give_name_up(),
            (Request::Bridge(_), Refusal::NotRegistered) => self.miss_name(None),
            (Request::Who, Refusal::NotJoined) if asked.group == self.group => self.lose_group(),
            // Another copy of it may have been granted, and so have cost the name that is had: asks for that one.
            (Request::Register { name, .. }, Refusal::ServerFull)
                if asked.sent > 1 && !self.is_called(name) =>
            {
                self.queue.extend(self.own_again());
            }
            _ => {}
        }
        if matches!(asked.cause, Cause::Person | Cause::Again) {
            self.out.event(Event::Refused { request: asked.request, refusal });
        }
    }

    /// It had no other answer than this one, in words that the protocol has not for it, and repeating it further helps nobody.
    pub(super) fn refused_otherwise(&mut self, asked: Asked, answer: Vec<u8>, now: Instant) {
        self.rest(now);
        if let Asked { request: Request::Join(group), cause: Cause::Again, .. } = &asked {
            self.home = self.home.filter(|home| home != group);
        }
        if matches!(asked.cause, Cause::Person | Cause::Again) {
            self.out.event(Event::RefusedOtherwise { request: asked.request, answer });
        }
    }

    fn noticed(&mut self, notice: Notice<'_>, asked: Option<Asked>, now: Instant) {
        match notice {
            Notice::Resumed { group, name, token } => self.resumed(group, name, token, now),
            Notice::Registered(name, claim) => self.registered(name, claim, asked.as_ref()),
            Notice::NameTaken(name) if asked.is_some() => {
                // For any other name than its own: the relay leaves it the one that it has.
                if self.is_called(name) {
                    self.give_name_up();
                }
                self.out.event(Event::NameTaken(name.to_owned()));
            }
            Notice::NameMoved(name) => {
                self.give_name_up();
                self.out.event(Event::NameMoved(name.to_owned()));
            }
            Notice::Deregistered(name) => {
                self.give_name_up();
                if asked.is_some() {
                    self.out.event(Event::Deregistered(name.to_owned()));
                }
            }
            Notice::Mail(count) => self.out.event(Event::Mail(count)),
            Notice::Peers(cursor, entries) => self.list(cursor, entries, asked, now),
            Notice::Peer(news) => self.news(news),
            Notice::Delivered(_, id) => self.delivered(id),
            Notice::Stored(_, id) => self.stored(id),
            Notice::NoSuchName(name) => self.letter_refused(name, Fate::NoSuchName, now),
            Notice::MailboxFull(name) => self.letter_refused(name, Fate::MailboxFull, now),
            Notice::Message { from, id, time, bytes } => self.take_message(from, id, time, bytes),
            Notice::Waiting => self.waits(asked, now),
            Notice::PeerAt(name, address, nonce) => {
                if asked.is_some() {
                    self.direct.wait(now);
                }
                self.meet(name, address, nonce, now);
            }
            Notice::Unbridged if asked.is_some() => {
                self.direct.stop_waiting();
                self.out.event(Event::WaitingEnded);
            }
            Notice::NameTaken(_) | Notice::Unbridged | Notice::Watching | Notice::Unwatching => {}
            Notice::From(..) | Notice::Raw(_) => {}
        }
    }

    fn registered(&mut self, name: &str, claim: Token, asked: Option<&Asked>) {
        let Some(asked) = asked else { return };
        self.name = Some(name.to_owned());
        self.called = Some(fold(name));
        self.own = Some((name.to_owned(), claim));
        self.forget_delays();
        let again = asked.cause == Cause::Again;
        self.out.event(Event::Registered { name: name.to_owned(), claim, again });
        if self.group.is_none() {
            // The relay answers this behind its lobby, if it has one.
            self.queue.push_back((Request::Who, Cause::Lobby));
        } else {
            self.look_around();
        }
    }

    fn waits(&mut self, asked: Option<Asked>, now: Instant) {
        if let Some(Asked { request: Request::Bridge(name), .. }) = asked {
            self.direct.wait(now);
            self.out.event(Event::Waiting(name));
        }
    }

    fn list(&mut self, cursor: Option<&str>, entries: Entries<'_>, asked: Option<Asked>, now: Instant) {
        let Some(mut asked) = asked else { return };
        if asked.is_first_page() {
            self.people.begin();
        }
        for (name, news) in entries.iter() {
            self.people.list(name, news);
        }
        if let Some(cursor) = cursor
            && asked.turn_page(cursor, now)
        {
            self.transmit(asked.encode());
            self.asked = Some(asked);
            return;
        }
        self.people.end();
        if asked.cause == Cause::Person {
            self.out.event(Event::Peers(self.people.iter().cloned().collect()));
        }
    }

    fn news(&mut self, entries: Entries<'_>) {
        for (name, news) in entries.iter() {
            let is_new = self.people.hear(name, news);
            if matches!(news, News::Left | News::Offline) {
                self.order.forget_one(name);
            }
            if is_new && !self.is_own(name, news) {
                self.out.event(Event::Presence { name: name.to_owned(), news });
            }
        }
    }

    /// News of ourselves are none. Once the name was given up, somebody else of its owner's may come with it.
    fn is_own(&self, name: &str, news: News) -> bool {
        let may_be = self.name.is_some() || news == News::Offline;
        may_be && self.called.as_ref() == Some(&fold(name))
    }

    fn adopt(&mut self, group: GroupId) {
        self.group = Some(group);
        self.home = Some(group);
        self.unconfirmed = 0;
        self.order.forget();
        self.people.forget();
        self.look_around();
    }

    /// Asks who is there, and to be told who comes and goes.
    pub(super) fn look_around(&mut self) {
        if self.config.watches {
            self.ask_own(Request::Watch);
            self.ask_own(Request::Peers);
        }
    }

    fn leave(&mut self, group: GroupId) {
        self.home = self.home.filter(|home| *home != group);
        if self.group == Some(group) {
            self.group = None;
            self.unconfirmed = 0;
            self.people.forget();
            self.order.forget();
        }
    }

    /// The relay no longer has us in the group: comes back.
    fn lose_group(&mut self) {
        let Some(group) = self.group.take() else { return };
        let unsure = std::mem::take(&mut self.unconfirmed) > 0;
        self.people.forget();
        self.order.forget();
        self.out.event(Event::Lost { group, unsure });
        if !self.leaving {
            self.queue.push_back((Request::Join(group), Cause::Again));
        }
    }

    /// Whether this is the name to have.
    pub(crate) fn is_called(&self, name: &str) -> bool {
        self.own.as_ref().is_some_and(|(own, _)| fold(own) == fold(name))
    }

    /// The relay knows of no name, perhaps in answer to this message: another session has it, and the news of that were lost.
    fn miss_name(&mut self, refused: Option<MessageId>) {
        let Some(name) = self.name.take() else { return };
        self.end_letters(refused, Fate::NotRegistered);
        self.give_name_up();
        if !self.leaving {
            self.out.event(Event::NameMoved(name));
        }
    }

    fn give_name_up(&mut self) {
        (self.name, self.own) = (None, None);
        self.end_letters(None, Fate::NotRegistered);
    }
}
