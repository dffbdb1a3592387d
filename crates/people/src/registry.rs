//! Names: who has which, who gives one back, and what the store says of it.

use std::sync::Arc;

use store::{Answer, Request};
use wire::{News, Notice, Refusal, Register, Token};

use crate::People;
use crate::desk::Question;
use crate::inbox::Inbox;
use crate::name::Name;
use crate::parties::{Address, Place, SessionId, Site, Turn};
use crate::people::{Key, Person};

impl<A: Address, G: Place> People<A, G> {
    /// The name that a session has.
    ///
    /// # Errors
    /// If it has none.
    pub(crate) fn name_of(&self, id: SessionId) -> Result<Name, Refusal> {
        let session = self.sessions.get(&id).ok_or(Refusal::NotRegistered)?;
        let key = session.name.clone().ok_or(Refusal::NotRegistered)?;
        let person = self.persons.get(&key).ok_or(Refusal::NotRegistered)?;
        Ok(Name { shown: Arc::clone(&person.shown), key })
    }

    pub(crate) fn register(
        &mut self,
        (id, site): (SessionId, Site),
        Register { name, claim }: Register<'_>,
        fresh: Token,
        turn: &mut Turn<'_, A>,
    ) -> Result<(), Refusal> {
        let name = Name::parse(name).map_err(|_| Refusal::BadName)?;
        if self.sessions[&id].name.as_ref() == Some(&name.key) {
            return self.register_again(id, name, turn);
        }
        // Whoever comes for its own name is not kept from it by neighbours who want new ones.
        let site = site.bounded();
        let quota = site.filter(|&site| self.quota.take(site, turn.now.tick));
        let may_be_new = quota.is_some() || site.is_none();
        // A free name takes the claim that is shown for it: who has chosen one has it whatever answer is lost.
        let fresh = may_be_new.then(|| claim.unwrap_or(fresh).to_string().into());
        let request = Request::Claim {
            name: name.stored(),
            claim: claim.map(|claim| claim.to_string().into()),
            fresh,
            now: turn.now.unix,
        };
        let asked = self.desk.ask(Question::Claim { session: id, name, quota }, request);
        if asked.is_err() {
            quota.into_iter().for_each(|site| self.quota.give_back(site));
        }
        asked.map(drop).map_err(|_| Refusal::StoreFailed)
    }

    /// Who has a name need not prove it to have it once more, or written in another way. The store is asked only if that changes
    /// something, or mail may be there, which is counted.
    fn register_again(&mut self, id: SessionId, name: Name, turn: &mut Turn<'_, A>) -> Result<(), Refusal> {
        let person = self.persons.get(&name.key).ok_or(Refusal::NotRegistered)?;
        let Inbox { has_more, is_reading, .. } = person.inbox;
        let may_have_mail =
            has_more || is_reading || person.inbox.len() > 0 || self.puts.contains_key(&name.key);
        if person.shown == name.shown && !may_have_mail {
            self.welcome(id, &name.key, 0, turn);
            // It may have been away, and have missed what it was sent.
            self.deliver_again(&name.key, turn);
            return Ok(());
        }
        let claim = Some(person.claim.to_string().into());
        let request = Request::Claim { name: name.stored(), claim, fresh: None, now: turn.now.unix };
        let asked = self.desk.ask(Question::Again { session: id, name }, request);
        asked.map(drop).map_err(|_| Refusal::StoreFailed)
    }

    pub(crate) fn deregister(&mut self, id: SessionId, turn: &mut Turn<'_, A>) -> Result<(), Refusal> {
        let name = self.name_of(id).ok().map(|name| name.shown);
        if let Some(name) = name {
            self.depart(id, turn);
            if let Some(session) = self.sessions.get_mut(&id) {
                session.former = Some(name);
            }
        }
        let session = &self.sessions[&id];
        let former = session.former.as_deref().ok_or(Refusal::NotRegistered)?;
        turn.post.tell(session.address, Notice::Deregistered(former));
        Ok(())
    }

    /// What has been asked of the store is answered.
    pub(crate) fn hear_of(&mut self, question: Question, answer: Answer, turn: &mut Turn<'_, A>) {
        match question {
            Question::Claim { session, name, quota } => {
                if !matches!(answer, Answer::Claimed { is_new: true, .. }) {
                    quota.into_iter().for_each(|site| self.quota.give_back(site));
                }
                self.hear_of_claim(session, &name, &answer, turn);
            }
            Question::Again { session, name } => self.hear_of_repeat(session, &name, &answer, turn),
            Question::Put { mark, to, is_acknowledged } => {
                self.hear_of_put(&mark, &to, is_acknowledged, &answer, turn);
            }
            Question::Read { to, life, asked } => {
                self.hear_of_mail(&to, life, asked, answer, turn);
            }
            Question::Sweep { now } if matches!(answer, Answer::Swept { more: true, .. }) => {
                self.sweep_store(now);
            }
            Question::Sweep { .. } => {}
        }
    }

    pub(crate) fn sweep_store(&mut self, now: u64) {
        // Who has too much to do sweeps the next time.
        let _ = self.desk.ask(Question::Sweep { now }, Request::Sweep { now });
    }

    fn hear_of_claim(&mut self, id: SessionId, name: &Name, answer: &Answer, turn: &mut Turn<'_, A>) {
        let Some(session) = self.sessions.get(&id) else { return };
        let address = session.address;
        let (claim, mails) = match answer {
            Answer::Claimed { claim, mails, .. } => (Token::parse(claim.as_bytes()), *mails),
            Answer::Free => return turn.post.refuse(address, Refusal::SiteFull),
            Answer::NamesFull => return turn.post.refuse(address, Refusal::NamesFull),
            // It has asked twice before the first answer.
            Answer::Taken if session.name.as_ref() == Some(&name.key) => {
                if let Err(refusal) = self.register_again(id, name.clone(), turn) {
                    turn.post.refuse(address, refusal);
                }
                return;
            }
            Answer::Taken => {
                self.figures.taken += 1;
                return turn.post.tell(address, Notice::NameTaken(&name.shown));
            }
            _ => (None, 0),
        };
        let Some(claim) = claim else { return turn.post.refuse(address, Refusal::StoreFailed) };
        if session.name.as_ref().is_some_and(|own| *own != name.key) {
            self.depart(id, turn);
        }
        self.give(id, name, (claim, mails), turn);
    }

    fn hear_of_repeat(&mut self, id: SessionId, name: &Name, answer: &Answer, turn: &mut Turn<'_, A>) {
        // It may have given the name back since, or have lost it.
        let owner = self.sessions.get(&id).filter(|session| session.name.as_ref() == Some(&name.key));
        let (Some(owner), Some(person)) = (owner, self.persons.get(&name.key)) else { return };
        match *answer {
            Answer::Claimed { mails, .. } if person.shown == name.shown => {
                self.welcome(id, &name.key, mails, turn);
                self.deliver_again(&name.key, turn);
            }
            Answer::Claimed { mails, .. } => self.give(id, name, (person.claim, mails), turn),
            _ => turn.post.refuse(owner.address, Refusal::StoreFailed),
        }
    }

    /// The name is this session's from now on, whoever had it before.
    fn give(&mut self, id: SessionId, name: &Name, (claim, mails): (Token, u32), turn: &mut Turn<'_, A>) {
        self.figures.registered += 1;
        let before = self.persons.get(&name.key).map(|person| person.session);
        if let Some(before) = before.filter(|&before| before != id) {
            self.follow(before, id, turn.now.tick);
            self.miss(&name.key, turn.now.tick);
            self.take_away(before, name, turn);
        }
        let shown = Arc::clone(&name.shown);
        let life = self.serial();
        let Some(session) = self.sessions.get_mut(&id) else { return };
        let badge = Arc::clone(&session.badge);
        (session.name, session.former) = (Some(name.key.clone()), None);
        badge.wear(Some(Arc::clone(&name.shown)));
        let person = self.persons.get_or_insert_with(name.key.clone(), || Person {
            shown: Arc::clone(&shown),
            claim,
            session: id,
            inbox: Inbox::new(mails > 0, life, (Arc::clone(&badge), Arc::clone(&self.signals))),
        });
        person.inbox.belong_to(&badge);
        (person.session, person.shown, person.claim) = (id, shown, claim);
        self.come_into_room(id, News::Online, turn);
        self.welcome(id, &name.key, mails, turn);
        if before == Some(id) {
            self.deliver_again(&name.key, turn);
        } else {
            self.deliver_there(&name.key, turn);
        }
    }

    /// Answers who has the name, each time that it asks for it.
    fn welcome(&mut self, id: SessionId, name: &Key, mails: u32, turn: &mut Turn<'_, A>) {
        let (Some(session), Some(person)) = (self.sessions.get(&id), self.persons.get(name)) else { return };
        turn.post.tell(session.address, Notice::Registered(&person.shown, person.claim));
        if mails > 0 {
            turn.post.tell(session.address, Notice::Mail(mails));
        }
        if session.group.is_none() && self.settings.has_lobby {
            self.arrivals.push((session.shard, session.address));
            self.signals.set_arrivals(self.arrivals.len());
        }
    }

    /// What one session has just been sent another one is not sent at once.
    fn follow(&mut self, before: SessionId, id: SessionId, now: u64) {
        let Some(before) = self.sessions.get(&before).map(|session| session.pace) else { return };
        if let Some(session) = self.sessions.get_mut(&id) {
            session.pace.follow(before, now);
        }
    }

    /// Another session has shown the claim of its name.
    fn take_away(&mut self, id: SessionId, name: &Name, turn: &mut Turn<'_, A>) {
        self.leave_room(id, News::Left, turn);
        self.stop_waiting(id);
        let Some(session) = self.sessions.get_mut(&id) else { return };
        session.name = None;
        session.badge.wear(None);
        turn.post.tell(session.address, Notice::NameMoved(&name.shown));
    }

    /// A session's name goes offline. What is on its way to it is kept.
    pub(crate) fn depart(&mut self, id: SessionId, turn: &mut Turn<'_, A>) {
        let Ok(name) = self.name_of(id) else { return };
        self.leave_room(id, News::Offline, turn);
        self.stop_waiting(id);
        self.see(&name.key, turn.now);
        self.miss(&name.key, turn.now.tick);
        if let Some(mut person) = self.persons.remove(&name.key) {
            self.keep(&name, person.inbox.empty(), turn);
        }
        if let Some(session) = self.sessions.get_mut(&id) {
            session.name = None;
            session.badge.wear(None);
        }
    }

    pub(crate) fn person(&mut self, key: &Key) -> Option<&mut Person> {
        self.persons.get_mut(key)
    }
}
