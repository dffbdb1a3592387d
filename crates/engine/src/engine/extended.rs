//! What extended clients may ask for: sessions that are proved, that stay without a group, and that move with their clients.

use std::sync::Arc;

use people::{Badge, SessionId};
use wire::{Command, Form, Hello, Message, Notice, Proof, Refusal, Reply, Resume, Token, Usage};

use crate::directory::{Held, Seat};
use crate::group::Handle;
use crate::limits::RESUME_AGAIN;
use crate::pace::Pace;
use crate::sessions::{NOWHERE, Person, Session};
use crate::tally::{CommandKind, DropReason, Event};
use crate::voice::Voice;
use crate::{ClientAddr, Datagram, Engine, Forms, GroupKey, Member, Outbox};

use super::sender::Sender;

/// What stands before a payload that may begin with `!`.
const RAW: &[u8] = b"!RAW ";

/// A group, and the position in its roster.
type Place = (Arc<Handle>, u32);

impl Engine {
    /// An extended client's session lives on with any datagram. False if another shard, or another address, has it by now:
    /// then the client is a stranger here.
    pub(super) fn hear_from(&mut self, from: &Sender<'_>, outbox: &mut Outbox) -> bool {
        let Some(key) = from.session else { return true };
        let is_here = self.token_of(key).is_some_and(|token| self.directory.hold(token).is_some());
        if is_here {
            self.sessions.get_mut(key).active = self.now;
            self.tell_heard(key, outbox);
        } else {
            self.end_moved(key);
        }
        is_here
    }

    /// Does what an extended client has asked for, while nobody else decides about its session.
    pub(super) fn serve(&mut self, command: &Command<'_>, from: &Sender<'_>, outbox: &mut Outbox) {
        let token = from.session.and_then(|key| self.token_of(key));
        let (Some(key), Some(token)) = (from.session, token) else { return };
        let directory = Arc::clone(&self.directory);
        let Some(mut held) = directory.hold(token) else {
            // It has gone since the datagram was looked at.
            self.end_moved(key);
            return self.hear_again(*from.client, from.datagram, outbox);
        };
        if let Command::Resume(fields) = command {
            // Two entries are never held at once.
            drop(held);
            self.tally.commands[CommandKind::Resume as usize] += 1;
            return self.resume(fields.resume(), from, outbox);
        }
        if let Command::Person(request) = command {
            self.tally.commands[CommandKind::of(command) as usize] += 1;
            let asked = self.ask_people(request, key, from, outbox);
            // Not by what was dropped before people heard of it.
            if let Some(seat) = held.seat() {
                seat.is_known = self.known(key).is_some();
            }
            drop(held);
            if let Err(refusal) = asked {
                self.tell(Err(refusal), (from, from.form), outbox);
            }
            return;
        }
        let before = self.sessions.get(key).view;
        let answer = self.command(command, from, outbox);
        if let Some(seat) = held.seat() {
            let session = self.sessions.get(key);
            seat.form = session.form;
            seat.group = session.group().map(|view| Arc::clone(self.views.handle(view)));
            seat.voice = self.voices.get(&(key as u32)).cloned();
        }
        if self.sessions.get(key).view != before {
            self.tell_group(key, outbox);
        }
        drop(held);
        self.tell(answer, (from, from.form), outbox);
    }

    /// What somebody else has asked for who wants to be an extended client.
    pub(super) fn greet(&mut self, command: &Command<'_>, from: &Sender<'_>, outbox: &mut Outbox) {
        self.tally.commands[CommandKind::of(command) as usize] += 1;
        let answer = match command {
            Command::Resume(fields) => return self.resume(fields.resume(), from, outbox),
            Command::Hello(fields) => self.hello(fields.hello(), from, outbox),
            _ => Err(Refusal::NoSession),
        };
        self.tell(answer, (from, Form::Extended), outbox);
    }

    /// HELLO: the client has shown its address, and is an extended one from now on. What it was in it stays.
    pub(super) fn hello(
        &mut self,
        hello: Hello,
        from: &Sender<'_>,
        outbox: &mut Outbox,
    ) -> Result<Reply, Refusal> {
        let (cookie, wants_senders) = match hello {
            Hello::Malformed => return Err(Refusal::MissingArgument(Usage::Hello)),
            Hello::OtherVersion => return Err(Refusal::Version),
            Hello::Known { cookie, from } => (cookie, from),
        };
        if !self.shows_proof(from, cookie.map_or(Proof::None, Proof::Cookie)) {
            return Err(Refusal::Prove(self.admission.cookie(from.client, self.now)));
        }
        let form = if wants_senders { Form::WithSender } else { Form::Extended };
        let key = match from.session {
            Some(key) => key,
            None => self.welcome(from, outbox)?,
        };
        let token = match self.token_of(key) {
            Some(token) => token,
            None => self.seat(key, form, (self.everybody.new_session(), Arc::default(), false)),
        };
        self.speak_as(key, form, (from, outbox));
        Ok(Reply::Hello(token, self.heartbeat()))
    }

    /// RAW: a payload that may begin with `!`.
    pub(super) fn raw(&mut self, payload: &[u8], from: &Sender<'_>, outbox: &mut Outbox) {
        let refusal = match from.member {
            _ if from.form == Form::Base => Refusal::NoSession,
            _ if payload.is_empty() => return self.tally.drop(DropReason::Empty),
            Some(key) => return self.payload(payload, from.datagram, key, outbox),
            None => Refusal::NotJoined,
        };
        self.tell(Err(refusal), (from, Form::Extended), outbox);
    }

    /// RESUME: a session goes on at this address, with its group; the old address is nobody's from now on.
    fn resume(&mut self, resume: Resume, from: &Sender<'_>, outbox: &mut Outbox) {
        match self.try_resume(resume, from, outbox) {
            Err(refusal) => self.tell(Err(refusal), (from, Form::Extended), outbox),
            Ok(key) => {
                let group = self.sessions.get(key).group().map(|view| self.views.id(view));
                let Some(person) = self.people.get(&(key as u32)) else { return };
                let (name, token) = (person.badge.name(), person.token);
                self.tally.replies += 1;
                outbox.tell_all(
                    &[from.as_member(true)],
                    Notice::Resumed { group, name: name.as_deref(), token },
                );
            }
        }
    }

    fn try_resume(
        &mut self,
        Resume { token, cookie }: Resume,
        from: &Sender<'_>,
        outbox: &mut Outbox,
    ) -> Result<usize, Refusal> {
        if !self.shows_proof(from, cookie.map_or(Proof::None, Proof::Cookie)) {
            return Err(Refusal::Prove(self.admission.cookie(from.client, self.now)));
        }
        let token = token.ok_or(Refusal::BadToken)?;
        if let Some(key) = from.session.filter(|&key| self.has_resumed(key, &token)) {
            // Perhaps by another connection than the first time.
            self.sessions.get_mut(key).gone = false;
            return Ok(key);
        }
        let own = from.session.filter(|&key| self.token_of(key) != Some(token));
        let (seat, place) = self.take_seat(token, own, from, outbox).ok_or(Refusal::BadToken)?;
        let key = match from.session {
            // It has never been anywhere else.
            Some(key) if own.is_none() => {
                self.people.remove(&(key as u32));
                key
            }
            _ => {
                if let Some(key) = own {
                    self.expiry.wheel.remove(key);
                    self.end_session(key);
                }
                self.take_over(&seat, place, from)
            }
        };
        let Seat { id, badge, is_known, .. } = &seat;
        self.seat(key, seat.form, (*id, Arc::clone(badge), *is_known));
        self.sessions.get_mut(key).gone = false;
        if !Arc::ptr_eq(&seat.departed, &self.departed) {
            seat.departed.push(seat.client, token);
        } else if seat.client != *from.client {
            // Payloads of the old address are sent before the new one's: the group's view is the same.
            self.forget(&seat.client, token);
        }
        if let Some(person) = self.people.get_mut(&(key as u32)) {
            person.before = Some((token, self.now));
        }
        Ok(key)
    }

    /// True if this is the session that had this token until just now.
    fn has_resumed(&self, key: usize, token: &Token) -> bool {
        let before = self.people.get(&(key as u32)).and_then(|person| person.before);
        before.is_some_and(|(before, at)| before == *token && self.now.since(at) <= RESUME_AGAIN)
    }

    /// Takes a session out of the directory, and its membership to this address, of which what was a member here is none any
    /// more. While the entry is held, so that the old shard does not take the old address in again meanwhile.
    fn take_seat(
        &mut self,
        token: Token,
        own: Option<usize>,
        from: &Sender<'_>,
        outbox: &mut Outbox,
    ) -> Option<(Seat, Option<Place>)> {
        let directory = Arc::clone(&self.directory);
        let mut held = directory.hold(token)?;
        let seat = held.seat()?.clone();
        if let Some(key) = own {
            self.seal_if_member(key, outbox);
            self.exit_group(key);
        }
        let member =
            Member { client: *from.client, local: from.datagram.local, proved: true, form: seat.form };
        let moved = |handle: &Arc<Handle>| self.groups.readdress(handle, &seat.client, member);
        let place = seat.group.as_ref().and_then(|handle| Some((Arc::clone(handle), moved(handle)?)));
        if seat.is_known {
            self.tell_move(seat.id, member, outbox);
        }
        held.remove();
        Some((seat, place))
    }

    /// A session that was another address' until now.
    fn take_over(&mut self, seat: &Seat, place: Option<Place>, from: &Sender<'_>) -> usize {
        let key = self.add_session(self.newcomer(from, seat.form));
        if let Some((handle, position)) = place {
            let session = self.sessions.get_mut(key);
            (session.view, session.position) = (self.views.enter(handle), position);
            if let Some(voice) = &seat.voice {
                self.voices.insert(key as u32, Arc::clone(voice));
            }
        }
        key
    }

    /// A proved session of a client that is in no group.
    fn newcomer(&self, from: &Sender<'_>, form: Form) -> Session {
        let (client, now) = (*from.client, self.now);
        let paced = self.pace.as_ref().map_or(Pace::from_now(now), |pace| pace.spent(now));
        let (view, position) = (NOWHERE, 0);
        let (proved, silent, gone) = (true, false, false);
        Session { client, active: now, joined: now, view, position, paced, proved, silent, gone, form }
    }

    /// Room for one more client, and a session for it.
    fn welcome(&mut self, from: &Sender<'_>, outbox: &mut Outbox) -> Result<usize, Refusal> {
        if !self.reserve(outbox) {
            return Err(Refusal::ServerFull);
        }
        Ok(self.add_session(self.newcomer(from, Form::Extended)))
    }

    /// Gives a session a token, under which the directory knows it.
    fn seat(
        &mut self,
        key: usize,
        form: Form,
        (id, badge, is_known): (SessionId, Arc<Badge>, bool),
    ) -> Token {
        let token = self.entropy.token();
        let session = self.sessions.get(key);
        let group = session.group().map(|view| Arc::clone(self.views.handle(view)));
        let voice = self.voices.get(&(key as u32)).cloned();
        if let Some(voice) = &voice {
            voice.wear(&badge);
        }
        let (client, departed) = (session.client, Arc::clone(&self.departed));
        let seat = Seat { client, form, group, departed, voice, id, badge: Arc::clone(&badge), is_known };
        self.directory.put(token, seat);
        self.people.insert(key as u32, Person { token, id, badge, is_known, listed: self.now, before: None });
        token
    }

    /// The answer to what is rarely asked.
    fn tell(&mut self, answer: Result<Reply, Refusal>, (to, form): (&Sender<'_>, Form), outbox: &mut Outbox) {
        self.answer(answer, (to, form), outbox);
    }

    /// A client that has shown its address wants to be spoken to like this.
    fn speak_as(&mut self, key: usize, form: Form, (from, outbox): (&Sender<'_>, &mut Outbox)) {
        self.prove(key);
        let session = self.sessions.get(key);
        if session.form != form && session.group().is_some() {
            // What it has not been sent yet is in another form: it comes before the answer.
            self.seal(key, outbox);
        }
        let session = self.sessions.get_mut(key);
        session.form = form;
        session.active = self.now;
        if let Some(view) = session.group() {
            let member = Member { form, ..from.as_member(true) };
            self.groups.update(self.views.handle(view), member, session.position);
        }
    }

    fn token_of(&self, key: usize) -> Option<Token> {
        self.people.get(&(key as u32)).map(|person| person.token)
    }

    pub(super) fn seal_if_member(&mut self, key: usize, outbox: &mut Outbox) {
        if self.sessions.get(key).group().is_some() {
            self.seal(key, outbox);
            self.tally.count(Event::Leave);
        }
    }

    /// A payload of an extended client that is in no group.
    #[cold]
    pub(super) fn hear_outsider(
        &mut self,
        payload: &[u8],
        datagram: &Datagram<'_>,
        key: usize,
        outbox: &mut Outbox,
    ) {
        let client = self.sessions.get(key).client;
        self.request(&Message::Payload(payload), &self.sender(datagram, &client, Some(key)), outbox);
    }

    /// A member's payload has come to a group that does not know it any more: its session has gone on from another address.
    #[cold]
    pub(super) fn hear_no_more(&mut self, datagram: &Datagram<'_>, key: usize, outbox: &mut Outbox) {
        let client = self.sessions.get(key).client;
        self.end_moved(key);
        self.hear_again(client, datagram, outbox);
    }

    /// Forgets the sessions that other shards have taken over since the last turn.
    #[inline]
    pub(super) fn forget_departed(&mut self) {
        for (client, token) in self.departed.take() {
            self.forget(&client, token);
        }
    }

    /// Forgets what is left of a session at the address where it had this token.
    fn forget(&mut self, client: &ClientAddr, token: Token) {
        let left = self.sessions.find(client).filter(|&key| self.token_of(key) == Some(token));
        if let Some(key) = left {
            self.end_moved(key);
        }
    }

    /// Forgets a session that another shard, or another address, has by now.
    fn end_moved(&mut self, key: usize) {
        self.people.remove(&(key as u32));
        self.expiry.wheel.remove(key);
        self.forget_session(key);
    }

    /// The same of one that is in no list of the wheel any more.
    pub(super) fn forget_session(&mut self, key: usize) {
        if let Some(view) = self.sessions.get(key).group() {
            self.views.exit(view);
        }
        self.forget_voice(key);
        self.sessions.remove(key);
    }

    /// Fans a payload out to a group that has extended members.
    pub(super) fn fan_out_in_forms(
        &mut self,
        payload: &[u8],
        datagram: &Datagram<'_>,
        key: usize,
        outbox: &mut Outbox,
    ) {
        self.tell_heard(key, outbox);
        let start = datagram.bytes.len() - payload.len();
        let extended = if payload.starts_with(b"!") { start - RAW.len() } else { start };
        let &Session { view, position, .. } = self.sessions.get(key);
        let header = match self.views.view(view).roster.with_sender() {
            0 => 0..0,
            _ => {
                let voice = self.voice(key);
                outbox.add_pieces(|put| voice.write_header(put))
            }
        };
        let (start, extended) = (start as u16, extended as u16);
        let payload = outbox.form(Forms { datagram: datagram.number, start, extended, header });
        let hold = self.settings.coalesce;
        outbox.fan_out(payload, GroupKey(view), self.views.view(view), position, hold);
    }

    /// Who a member is to those that want to know who speaks.
    fn voice(&mut self, key: usize) -> Arc<Voice> {
        if let Some(voice) = self.voices.get(&(key as u32)) {
            return Arc::clone(voice);
        }
        let handle = self.views.handle(self.sessions.get(key).view);
        let voice = Arc::new(Voice::new(self.groups.number(handle)));
        if let Some(person) = self.people.get(&(key as u32)) {
            voice.wear(&person.badge);
        }
        self.voices.insert(key as u32, Arc::clone(&voice));
        // It goes with the session from now on.
        if let Some(token) = self.token_of(key)
            && let Some(seat) = self.directory.hold(token).as_mut().and_then(Held::seat)
        {
            seat.voice = Some(Arc::clone(&voice));
        }
        voice
    }
}
