//! What people ask for, what they are told, and how they come into the lobby.

use std::sync::Arc;

use people::{Caller, SessionId, Site, Turn};
use wire::{Form, Person as Request, Refusal, Reply};

use crate::everybody::{Pen, Room};
use crate::groups::Door;
use crate::limits::{PAGE_MS, PAGES_AT_ONCE};
use crate::sessions::Person;
use crate::tally::{DropReason, Event};
use crate::{Cap, Engine, Member, Outbox, Tick};

use super::sender::Sender;

impl Engine {
    /// Says what the calendar says at this moment, in milliseconds since 1970; again now and then, because calendars are put right.
    pub fn set_calendar(&self, now: Tick, unix_ms: u64) {
        self.everybody.set_calendar(now, unix_ms);
    }

    /// Does what is due among people, and what their desk has answered. Call it in each turn, before datagrams.
    #[inline]
    pub fn turn_people(&mut self, outbox: &mut Outbox) {
        if self.people_due.is_some_and(|due| due <= self.now) || self.is_called() {
            self.serve_people(outbox);
        }
    }

    /// True if people have something for this shard to do, whatever the time: it had better not wait.
    #[inline]
    pub fn is_called(&self) -> bool {
        self.everybody.signals().is_called()
    }

    #[cold]
    fn serve_people(&mut self, outbox: &mut Outbox) {
        self.with_people(outbox, people::People::turn);
        let arrivals = self.everybody.lock().arrivals(self.shard);
        for member in arrivals {
            self.enter_lobby(&member, outbox);
        }
    }

    /// Hands something to the people of all shards, and sees to when they want to be called again.
    fn with_people<R>(
        &mut self,
        outbox: &mut Outbox,
        ask: impl FnOnce(&mut people::People<Member, Room>, &mut Turn<'_, Member>) -> R,
    ) -> R {
        let everybody = Arc::clone(&self.everybody);
        let mut people = everybody.lock();
        let mut pen = Pen { outbox, tally: &mut self.tally };
        let mut turn = Turn { now: everybody.now(self.now), shard: self.shard, post: &mut pen };
        let answer = ask(&mut people, &mut turn);
        self.people_due = people.due(self.shard).map(Tick);
        answer
    }

    /// What an extended client asks for as a person, while its session's entry is held.
    pub(super) fn ask_people(
        &mut self,
        request: &Request<'_>,
        key: usize,
        from: &Sender<'_>,
        outbox: &mut Outbox,
    ) -> Result<(), Refusal> {
        if matches!(request, Request::Send(_)) && !self.may_speak(key) {
            self.tally.drop(DropReason::MaxRate);
            return Ok(());
        }
        if matches!(request, Request::Peers(_)) && !from.is_trusted && !self.may_list(key) {
            self.tally.drop(DropReason::ReplyLimit);
            return Ok(());
        }
        let fresh = self.entropy.token().number();
        let group = self.room_of(key);
        let (shard, address) = (self.shard, from.as_member(true));
        let site = Site::of(from.client.ip(), from.is_trusted);
        let Some(person) = self.people.get_mut(&(key as u32)) else { return Ok(()) };
        person.is_known = true;
        let (session, badge) = (person.id, Arc::clone(&person.badge));
        let caller = Caller { session, address, group, shard, badge, site };
        self.with_people(outbox, |people, turn| people.request(request, caller, fresh, turn))
    }

    fn may_speak(&mut self, key: usize) -> bool {
        let Some(pace) = &self.pace else { return true };
        pace.admits(&mut self.sessions.get_mut(key).paced, self.now)
    }

    /// A page may be thirty times what asks for it, which can be forged in a session's name.
    fn may_list(&mut self, key: usize) -> bool {
        let Some(person) = self.people.get_mut(&(key as u32)) else { return true };
        let due = person.listed.0.max(self.now.0);
        let may = due < self.now.0 + PAGES_AT_ONCE * PAGE_MS;
        if may {
            person.listed = Tick(due + PAGE_MS);
        }
        may
    }

    /// A session's group may have changed: who knows people there hears of it.
    pub(super) fn tell_group(&mut self, key: usize, outbox: &mut Outbox) {
        if let Some(id) = self.known(key).map(|person| person.id) {
            let group = self.room_of(key);
            self.with_people(outbox, |people, turn| people.enter(id, group, turn));
        }
    }

    /// A session goes on at this address.
    pub(super) fn tell_move(&mut self, id: SessionId, address: Member, outbox: &mut Outbox) {
        self.with_people(outbox, |people, turn| people.move_to(id, address, turn));
    }

    /// A session has ended.
    pub(super) fn tell_end(&mut self, person: &Person) {
        if person.is_known {
            let now = self.everybody.now(self.now);
            let mut people = self.everybody.lock();
            people.leave(person.id, (self.shard, now));
            self.people_due = people.due(self.shard).map(Tick);
        }
    }

    /// Somebody speaks: mail comes to who was silent. Only who is awaited itself takes the lock for that.
    #[inline]
    pub(super) fn tell_heard(&mut self, key: usize, outbox: &mut Outbox) {
        if self.everybody.signals().is_anybody_awaited() {
            self.tell_heard_now(key, outbox);
        }
    }

    #[cold]
    fn tell_heard_now(&mut self, key: usize, outbox: &mut Outbox) {
        let awaited = self.known(key).filter(|person| person.badge.is_awaited());
        if let Some(id) = awaited.map(|person| person.id) {
            self.with_people(outbox, |people, turn| people.hear(id, turn));
        }
    }

    /// Who it is to people, if they have heard of it.
    pub(super) fn known(&self, key: usize) -> Option<&Person> {
        self.people.get(&(key as u32)).filter(|person| person.is_known)
    }

    fn room_of(&self, key: usize) -> Option<Room> {
        self.sessions.get(key).group().map(|view| Room(Arc::clone(self.views.handle(view))))
    }

    /// Who has registered in no group comes into the lobby, if it is still there and in none.
    fn enter_lobby(&mut self, member: &Member, outbox: &mut Outbox) {
        let (Some(id), Some(key)) = (self.settings.lobby, self.sessions.find(&member.client)) else { return };
        let Some(token) = self.people.get(&(key as u32)).map(|person| person.token) else { return };
        let directory = Arc::clone(&self.directory);
        let Some(mut held) = directory.hold(token) else { return };
        let (Some(seat), None) = (held.seat(), self.sessions.get(key).group()) else { return };
        let member = Member { form: self.sessions.get(key).form, ..*member };
        let door = Door { cap: Cap::Unlimited, admit: true, needs_proof: false };
        let Ok(joined) = self.groups.join(&id, member, door) else { return };
        seat.group = Some(Arc::clone(&joined.handle));
        self.move_session(key, joined, outbox);
        self.tally.count(Event::Join);
        self.tell_group(key, outbox);
        self.tally.replies += 1;
        outbox.reply(member, Reply::Joined(id).encode_for(Form::Extended).as_bytes());
    }
}
