//! Who makes a group, comes into one and leaves it, and the sessions that come of it.

use wire::{Argument, Form, GroupId, Proof, Refusal, Reply, Usage};

use crate::address::Creator;
use crate::admission::Stance;
use crate::groups::{CannotCreate, CannotJoin, Joined};
use crate::pace::Pace;
use crate::sessions::{NOWHERE, Session};
use crate::tally::Event;
use crate::{ClientAddr, Departure, Engine, GroupKey, Member, Outbox};

use super::sender::Sender;

impl Engine {
    pub(super) fn create(&mut self, argument: Argument<'_>, from: &Sender<'_>) -> Result<Reply, Refusal> {
        let proof = argument.cookie().map_or(Proof::None, Proof::Cookie);
        // A wrong cookie is none: this command takes whatever stands behind it. What is made in a member's name need not be its own.
        let proved = from.is_trusted || self.shows_proof(from, proof);
        let creator = Creator::new(from.client, proved || self.admission.stance() == Stance::Open);
        let (throttle, now, is_limited) = (&self.admission.throttle, self.now, self.has_limits(from));
        let has_shelter = || !is_limited || throttle.take_shelter(from.client, now);
        let created = self.groups.create(creator, has_shelter, &self.settings, &mut self.entropy, self.now);
        let created = created.map_err(|cannot| match cannot {
            // Others may have used it up in its name. Who knows no proofs, and is asked for none, is told no more than that.
            CannotCreate::ClientLimit { .. }
                if !creator.proved && (argument.cookie().is_some() || self.asks(from)) =>
            {
                self.ask(from.client)
            }
            CannotCreate::ClientLimit { used } => {
                Refusal::ClientLimit { used, max: self.settings.max_groups_per_client }
            }
            CannotCreate::ServerFull => Refusal::ServerFull,
        })?;
        if created.evicted {
            self.tally.count(Event::EvictGroup);
        }
        self.tally.count(Event::Create);
        Ok(Reply::Created(created.id))
    }

    pub(super) fn join(
        &mut self,
        argument: Argument<'_>,
        from: &Sender<'_>,
        outbox: &mut Outbox,
    ) -> Result<Reply, Refusal> {
        let (id, proof) = argument.group_and_proof().map_err(Refusal::MissingArgument)?;
        let member = from.as_member(self.check_proof(from, proof)?);
        let id = id.ok_or(Refusal::NoSuchGroup)?;
        if let Some(key) = from.session.filter(|&key| self.is_in(key, &id)) {
            return self.join_again(key, member).map(|()| Reply::Joined(id));
        }
        // What is guessed in a member's name need not be its own.
        let shown = self.shows_proof(from, proof);
        let needs_proof = self.is_guessing(from, shown) || self.asks(from) && !member.proved;
        let (joined, admit) = self.enter(&id, member, (needs_proof, from.session.is_some()), outbox);
        let joined = joined.map_err(|cannot| {
            if admit && from.session.is_none() {
                self.groups.release_client();
            }
            match cannot {
                CannotJoin::NoSuchGroup => self.note_guess(from, shown),
                CannotJoin::GroupFull => Refusal::GroupFull(id),
                CannotJoin::ServerFull { .. } => Refusal::ServerFull,
                CannotJoin::NeedsProof => self.ask_guesser(from, member.proved),
            }
        })?;
        match from.session {
            Some(key) => self.move_session(key, joined, outbox),
            None => self.new_session(*from.client, joined),
        }
        self.tally.count(Event::Join);
        Ok(Reply::Joined(id))
    }

    fn join_again(&mut self, key: usize, member: Member) -> Result<(), Refusal> {
        if !member.proved && self.admission.stance() == Stance::Strict {
            return Err(self.ask(&member.client));
        }
        if member.proved {
            self.prove(key);
        }
        let session = self.sessions.get_mut(key);
        session.active = self.now;
        self.groups.update(self.views.handle(session.view), member, session.position);
        Ok(())
    }

    fn new_session(&mut self, client: ClientAddr, joined: Joined) {
        let view = self.views.enter(joined.handle);
        let (now, position, proved) = (self.now, joined.position, joined.proved);
        if !proved {
            self.admission.enter_unproved();
        }
        let paced = self.pace.as_ref().map_or(Pace::from_now(now), |pace| pace.spent(now));
        let joined = now;
        let form = Form::Base;
        self.add_session(Session {
            client,
            active: now,
            joined,
            view,
            position,
            proved,
            silent: false,
            gone: false,
            paced,
            form,
        });
    }

    pub(super) fn add_session(&mut self, session: Session) -> usize {
        let due = self.look_at(&session);
        let key = self.sessions.insert(session);
        self.expiry.wheel.add(key, due);
        key
    }

    pub(super) fn move_session(&mut self, key: usize, joined: Joined, outbox: &mut Outbox) {
        if self.sessions.get(key).group().is_some() {
            self.seal(key, outbox);
            self.exit_group(key);
            self.tally.count(Event::Leave);
        }
        if joined.proved {
            self.prove(key);
        }
        let session = self.sessions.get_mut(key);
        session.view = self.views.enter(joined.handle);
        session.position = joined.position;
        session.active = self.now;
    }

    pub(super) fn leave(
        &mut self,
        argument: Argument<'_>,
        from: &Sender<'_>,
        outbox: &mut Outbox,
    ) -> Result<Reply, Refusal> {
        let id =
            argument.group(Usage::Leave).map_err(Refusal::MissingArgument)?.ok_or(Refusal::NotInThatGroup)?;
        let in_it = from.session.filter(|&key| self.is_in(key, &id));
        let key = in_it.ok_or(Refusal::NotInThatGroup)?;
        self.seal(key, outbox);
        if self.sessions.get(key).form == Form::Base {
            self.expiry.wheel.remove(key);
            self.end_session(key);
        } else {
            self.exit_group(key);
        }
        self.tally.count(Event::Leave);
        Ok(Reply::Left(id))
    }

    /// Ends a session that is in no list of the wheel any more. True if a member is gone by that: not if it was in no group, nor
    /// if it had gone on elsewhere and there was nothing to end.
    pub(super) fn end_session(&mut self, key: usize) -> bool {
        if let Some(person) = self.people.remove(&(key as u32)) {
            if self.directory.take(&person.token).is_none() {
                self.forget_session(key);
                return false;
            }
            self.tell_end(&person);
        }
        let was_member = self.sessions.get(key).group().is_some();
        self.exit_group(key);
        let session = self.sessions.remove(key);
        if !session.proved {
            self.admission.exit_unproved(session.silent);
        }
        self.groups.release_client();
        was_member
    }

    pub(super) fn is_in(&self, key: usize, id: &GroupId) -> bool {
        self.sessions.get(key).group().is_some_and(|view| self.views.handle(view).id == *id)
    }

    /// What was said before a client leaves its group is sent before what is said from now on.
    pub(super) fn seal(&self, key: usize, outbox: &mut Outbox) {
        let Session { client, view, .. } = *self.sessions.get(key);
        outbox.seal(Departure { client, group: GroupKey(view) });
    }

    pub(super) fn exit_group(&mut self, key: usize) {
        let session = self.sessions.get_mut(key);
        let Some(view) = session.group() else { return };
        session.view = NOWHERE;
        self.groups.leave(self.views.handle(view), &session.client, session.position, self.now);
        self.views.exit(view);
        self.forget_voice(key);
    }

    pub(super) fn forget_voice(&mut self, key: usize) {
        if !self.voices.is_empty() {
            self.voices.remove(&(key as u32));
        }
    }
}
