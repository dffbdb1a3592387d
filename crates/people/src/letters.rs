//! Direct messages: taken, sent until they are acknowledged, kept if they are not.

use store::{Answer, Bound, Request};
use wire::{Ack, Letter as Written, MessageId, Notice, Refusal};

use crate::People;
use crate::desk::Question;
use crate::figures::Outcome;
use crate::inbox::{Flight, Full, Letter, Origin};
use crate::limits::{READ, TRIES, WINDOW};
use crate::name::Name;
use crate::outcomes::{Fate, Mark};
use crate::pace::Pace;
use crate::parties::{Address, Place, SessionId, Site, Turn};
use crate::people::{Key, Person};
use crate::timers::Job;

impl<A: Address, G: Place> People<A, G> {
    /// SEND: each repeat is answered as far as its message has come.
    pub(crate) fn send(
        &mut self,
        (id, site): (SessionId, Site),
        written: Written<'_>,
        turn: &mut Turn<'_, A>,
    ) -> Result<(), Refusal> {
        let from = self.name_of(id)?;
        let to = Name::parse(written.name).map_err(|_| Refusal::BadName)?;
        let mark = Mark { from: from.key.clone(), to: to.key.clone(), id: written.id };
        let fate = self.outcomes.get(&mark);
        if let Some(fate) = fate {
            self.figures.count(Outcome::Repeated);
            self.tell_fate(&mark, &to, fate, turn);
            return Ok(());
        }
        let (bytes, origin) = (written.bytes.into(), Origin::Sender(site));
        let letter = Letter { from, id: written.id, time: turn.now.unix, bytes, origin };
        let is_all_kept = !self.puts.contains_key(&to.key);
        match self.persons.get_mut(&to.key).filter(|person| is_all_kept && person.inbox.is_live()) {
            Some(person) if person.inbox.has(&mark.from, &mark.id) => {}
            Some(person) => match person.inbox.make_room(&mark.from, site) {
                Ok(other) => {
                    person.inbox.push(letter);
                    self.outcomes.set(&mark, Fate::UnderWay, turn.now.tick);
                    other.into_iter().for_each(|other| {
                        self.put_off(&Mark { from: other.from.key, to: to.key.clone(), id: other.id });
                    });
                    self.pump(&to.key, turn);
                }
                Err(Full) => self.put_off(&mark),
            },
            None => self.put(&to, letter, site, turn),
        }
        Ok(())
    }

    /// There is no room for a message now: it is forgotten, and its sender repeats it.
    fn put_off(&mut self, mark: &Mark) {
        self.figures.count(Outcome::Deferred);
        self.outcomes.forget(mark);
    }

    /// ACK: of a message that may be on its way, in line, kept, or just about to be.
    pub(crate) fn acknowledge(&mut self, id: SessionId, ack: Ack<'_>, turn: &mut Turn<'_, A>) {
        let (from, message) = match ack {
            Ack::PeerAt(nonce) => return self.end_introduction(id, nonce),
            Ack::Message { from, id } => (from, id),
        };
        let (Ok(own), Ok(from)) = (self.name_of(id), Name::parse(from)) else { return };
        self.wake(&own.key, turn);
        let mark = Mark { from: from.key, to: own.key.clone(), id: message };
        let letter = self.person(&own.key).and_then(|person| person.inbox.take(&mark.from, &message));
        match (letter, self.outcomes.get(&mark)) {
            (Some(Letter { origin: Origin::Store(number), .. }), _) | (None, Some(Fate::Stored(number))) => {
                self.desk.tell(Request::Delete { name: (*own.key).into(), number });
            }
            (None, Some(Fate::Asked(question))) => {
                if let Some(Question::Put { is_acknowledged, .. }) = self.desk.question_mut(question) {
                    *is_acknowledged = true;
                }
                return self.go_on(&own.key, turn);
            }
            (Some(_), _) => {}
            (None, _) => return,
        }
        self.finish(&mark, &own, turn);
        self.go_on(&own.key, turn);
    }

    /// A recipient has acknowledged something: there is room for more.
    fn go_on(&mut self, to: &Key, turn: &mut Turn<'_, A>) {
        if let Some((_, pace)) = self.paced(to) {
            pace.acknowledge();
        }
        self.begin(to, turn);
        self.pump(to, turn);
    }

    /// The recipient has it.
    fn finish(&mut self, mark: &Mark, to: &Name, turn: &mut Turn<'_, A>) {
        self.figures.count(Outcome::Delivered);
        self.outcomes.set(mark, Fate::Delivered, turn.now.tick);
        self.tell_fate(mark, to, Fate::Delivered, turn);
    }

    /// Tells a sender how far its message is, if it is there.
    fn tell_fate(&mut self, mark: &Mark, to: &Name, fate: Fate, turn: &mut Turn<'_, A>) {
        let notice = match fate {
            Fate::Delivered => Notice::Delivered(&to.shown, mark.id),
            Fate::Stored(_) => Notice::Stored(&to.shown, mark.id),
            Fate::UnderWay | Fate::Asked(_) => return,
        };
        self.tell_name(&mark.from, notice, turn);
    }

    fn tell_name(&self, name: &Key, notice: Notice<'_>, turn: &mut Turn<'_, A>) {
        if let Some(address) = self.address_of(name) {
            turn.post.tell(address, notice);
        }
    }

    fn address_of(&self, name: &Key) -> Option<A> {
        let session = self.persons.get(name).and_then(|person| self.sessions.get(&person.session));
        session.map(|session| session.address)
    }

    /// Sends what may be sent, and reads what there is room for.
    pub(crate) fn pump(&mut self, to: &Key, turn: &mut Turn<'_, A>) {
        while let Some(letter) = self.paced(to).and_then(|(person, pace)| person.inbox.next(pace.window())) {
            let serial = self.serial();
            let flight = Flight::new(letter, serial, turn.now.tick);
            if let Some(person) = self.persons.get_mut(to) {
                person.inbox.fly(flight);
            }
            self.launch(to, serial, turn);
        }
        let Some(inbox) = self.persons.get_mut(to).map(|person| &mut person.inbox) else { return };
        inbox.turn_round();
        if !inbox.wants_mail() {
            return;
        }
        let (after, life) = (inbox.read, inbox.life);
        let question = Question::Read { to: to.clone(), life, asked: READ };
        let request = Request::Read { name: (**to).into(), after, count: READ };
        // Who has too much to do is asked again when the recipient is next heard of.
        inbox.is_reading = self.desk.ask(question, request).is_ok();
        inbox.set_silent(!inbox.is_reading);
    }

    /// Sends a message once more, and says when to look at it again.
    fn launch(&mut self, to: &Key, serial: u64, turn: &mut Turn<'_, A>) {
        let Some(person) = self.persons.get_mut(to) else { return };
        let Some(session) = self.sessions.get(&person.session) else { return };
        let Some(flight) = person.inbox.flight_mut(serial) else { return };
        let Letter { from, id, time, bytes, .. } = &flight.letter;
        turn.post.tell(session.address, Notice::Message { from: &from.shown, id: *id, time: *time, bytes });
        flight.tries += 1;
        flight.sent = turn.now.tick;
        self.timers.add(turn.shard, flight.due(), Job::Try { to: to.clone(), serial });
        if flight.tries == TRIES {
            person.inbox.set_awaited(true);
        }
    }

    /// A message was sent a while ago, and may not have been acknowledged.
    pub(crate) fn try_again(&mut self, to: &Key, serial: u64, turn: &mut Turn<'_, A>) {
        let Some(inbox) = self.persons.get(to).map(|person| &person.inbox) else { return };
        let Some(flight) = inbox.flight(serial) else { return };
        if turn.now.tick < flight.due() {
            // It has been sent to another address since.
            return;
        }
        if inbox.may_try(flight) {
            self.figures.tries += 1;
            self.launch(to, serial, turn);
        } else {
            let since = flight.since;
            self.miss(to, since);
            if let Some(person) = self.persons.get_mut(to) {
                person.inbox.pass_over(turn.now.tick);
            }
            self.fall_silent(to, turn);
        }
    }

    fn fall_silent(&mut self, to: &Key, turn: &mut Turn<'_, A>) {
        let life = self.serial();
        let Some(person) = self.persons.get_mut(to) else { return };
        let (name, letters) =
            (Name { key: to.clone(), shown: person.shown.clone() }, person.inbox.fall_silent(life));
        self.keep(&name, letters, turn);
    }

    /// A recipient that is awaited is heard of: if it was silent, mail comes to it.
    pub(crate) fn wake(&mut self, name: &Key, turn: &mut Turn<'_, A>) {
        let Some(person) = self.persons.get_mut(name).filter(|person| person.inbox.is_awaited()) else {
            return;
        };
        person.inbox.hear(turn.now.tick);
        self.begin(name, turn);
    }

    /// Who was silent is sent something again, now or when it is time.
    fn begin(&mut self, name: &Key, turn: &mut Turn<'_, A>) {
        let Some((person, pace)) = self.paced(name).filter(|(person, _)| person.inbox.is_silent()) else {
            return;
        };
        let due = pace.due();
        if due <= turn.now.tick {
            person.inbox.set_silent(false);
            return self.pump(name, turn);
        }
        // Until then it does not matter what else it says.
        person.inbox.set_awaited(false);
        if person.inbox.timed.is_none_or(|timed| due < timed) {
            person.inbox.timed = Some(due);
            self.timers.add(turn.shard, due, Job::Round { to: name.clone() });
        }
    }

    /// It may be time for who was silent, and has spoken.
    pub(crate) fn begin_in_time(&mut self, name: &Key, turn: &mut Turn<'_, A>) {
        let Some(person) = self.persons.get_mut(name) else { return };
        person.inbox.timed = person.inbox.timed.filter(|&timed| timed > turn.now.tick);
        if !person.inbox.is_awaited() {
            self.begin(name, turn);
        }
    }

    /// What is on its way to a recipient, if anything is, has not been acknowledged since it was sent at this time, or is sent anew.
    pub(crate) fn miss(&mut self, name: &Key, at: u64) {
        if let Some((_, pace)) = self.paced(name).filter(|(person, _)| !person.inbox.flights.is_empty()) {
            pace.miss(at);
        }
    }

    /// A recipient, and the pace of the session that it is.
    fn paced(&mut self, name: &Key) -> Option<(&mut Person, &mut Pace)> {
        let person = self.persons.get_mut(name)?;
        let session = self.sessions.get_mut(&person.session)?;
        Some((person, &mut session.pace))
    }

    /// A recipient says where it is, which is where it was: what it has not acknowledged is sent once more, as if for the first time,
    /// unless that has just been done.
    pub(crate) fn deliver_again(&mut self, name: &Key, turn: &mut Turn<'_, A>) {
        self.wake(name, turn);
        let Some((person, pace)) = self.paced(name) else { return };
        if !person.inbox.is_silent() && pace.due() <= turn.now.tick {
            let count = pace.window();
            self.miss(name, turn.now.tick);
            self.launch_again(name, count, turn);
        }
    }

    /// A recipient is somewhere else: what it has not acknowledged is sent there, as if for the first time, as much of it as may be.
    pub(crate) fn deliver_there(&mut self, name: &Key, turn: &mut Turn<'_, A>) {
        let Some((person, pace)) = self.paced(name) else { return };
        if pace.is_whole() && person.inbox.is_in_line() {
            return self.launch_again(name, WINDOW, turn);
        }
        person.inbox.pass_over_nobody();
        self.fall_silent(name, turn);
        self.begin(name, turn);
    }

    fn launch_again(&mut self, name: &Key, count: usize, turn: &mut Turn<'_, A>) {
        let Some(person) = self.persons.get_mut(name) else { return };
        let mut serials = Vec::new();
        for flight in person.inbox.flights.iter_mut().take(count) {
            (flight.since, flight.tries) = (turn.now.tick, 0);
            serials.push(flight.serial);
        }
        serials.into_iter().for_each(|serial| self.launch(name, serial, turn));
        self.pump(name, turn);
    }

    /// Has letters kept that nobody takes now; those that are in the store already stay there.
    pub(crate) fn keep(&mut self, to: &Name, letters: Vec<Letter>, turn: &mut Turn<'_, A>) {
        for letter in letters {
            if let Origin::Sender(site) = letter.origin {
                self.put(to, letter, site, turn);
            }
        }
    }

    fn put(&mut self, to: &Name, letter: Letter, site: Site, turn: &mut Turn<'_, A>) {
        let mark = Mark { from: letter.from.key.clone(), to: to.key.clone(), id: letter.id };
        let request = Request::Put {
            to: (*to.key).into(),
            from: letter.from.stored(),
            site: site.bounded(),
            id: letter.id.as_str().into(),
            now: letter.time,
            bytes: letter.bytes,
        };
        let question = Question::Put { mark: mark.clone(), to: to.clone(), is_acknowledged: false };
        match self.desk.ask(question, request) {
            Ok(question) => {
                *self.puts.entry(to.key.clone()).or_default() += 1;
                self.outcomes.set(&mark, Fate::Asked(question), turn.now.tick);
            }
            Err(_) => self.put_off(&mark),
        }
    }

    pub(crate) fn hear_of_put(
        &mut self,
        mark: &Mark,
        to: &Name,
        is_acknowledged: bool,
        answer: &Answer,
        turn: &mut Turn<'_, A>,
    ) {
        self.count_put(&mark.to);
        match *answer {
            // Whatever the store says, it has arrived.
            _ if is_acknowledged => {
                if let Answer::Stored { number } = *answer {
                    self.desk.tell(Request::Delete { name: (*mark.to).into(), number });
                }
                self.finish(mark, to, turn);
            }
            Answer::Stored { number } => {
                self.figures.count(Outcome::Stored);
                self.outcomes.set(mark, Fate::Stored(number), turn.now.tick);
                self.tell_fate(mark, to, Fate::Stored(number), turn);
                if let Some(person) = self.persons.get_mut(&mark.to) {
                    person.inbox.has_more = true;
                }
            }
            Answer::NoSuchName => self.end(mark, Outcome::NoSuchName, Notice::NoSuchName(&to.shown), turn),
            Answer::Full(Bound::Store) => self.try_later(mark, Refusal::MailFull, turn),
            Answer::Full(Bound::Site) => self.try_later(mark, Refusal::SiteFull, turn),
            Answer::Full(Bound::Mails | Bound::Bytes | Bound::Sender | Bound::SiteInMailbox) => {
                self.end(mark, Outcome::MailboxFull, Notice::MailboxFull(&to.shown), turn);
            }
            _ => {
                // Its sender repeats it.
                self.figures.count(Outcome::Failed);
                self.outcomes.forget(mark);
            }
        }
        self.pump(&mark.to, turn);
    }

    /// A message is refused for good, and may come again as if it were new.
    fn end(&mut self, mark: &Mark, outcome: Outcome, notice: Notice<'_>, turn: &mut Turn<'_, A>) {
        self.figures.count(outcome);
        self.outcomes.forget(mark);
        self.tell_name(&mark.from, notice, turn);
    }

    /// There is no room for a message anywhere; that may pass, and its sender repeats it.
    fn try_later(&mut self, mark: &Mark, refusal: Refusal, turn: &mut Turn<'_, A>) {
        self.figures.count(Outcome::NoRoom);
        self.outcomes.forget(mark);
        if let Some(address) = self.address_of(&mark.from) {
            turn.post.refuse(address, refusal);
        }
    }

    fn count_put(&mut self, to: &Key) {
        let Some(puts) = self.puts.get_mut(to) else { return };
        *puts -= 1;
        if *puts == 0 {
            self.puts.remove(to);
        }
    }

    pub(crate) fn hear_of_mail(
        &mut self,
        to: &Key,
        life: u64,
        asked: usize,
        answer: Answer,
        turn: &mut Turn<'_, A>,
    ) {
        let Some(person) = self.persons.get_mut(to).filter(|person| person.inbox.life == life) else {
            return;
        };
        let inbox = &mut person.inbox;
        inbox.is_reading = false;
        let Answer::Mails(mails) = answer else {
            // The disk failed. It is asked again when the recipient is next heard of.
            return inbox.set_silent(true);
        };
        inbox.has_more = mails.len() >= asked;
        for mail in mails {
            inbox.read = inbox.read.max(mail.number);
            let from = Name::of_store(&mail.from);
            if inbox.skips(&from.key) {
                continue;
            }
            let Some(id) = MessageId::parse(mail.id.as_bytes()) else { continue };
            let mark = Mark { from: from.key.clone(), to: to.clone(), id };
            if self.outcomes.get(&mark) == Some(Fate::Delivered) {
                // It was acknowledged while the store looked it up.
                self.desk.tell(Request::Delete { name: to.to_string().into(), number: mail.number });
                continue;
            }
            let origin = Origin::Store(mail.number);
            inbox.push(Letter { from, id, time: mail.time, bytes: mail.bytes, origin });
        }
        self.pump(to, turn);
    }
}
