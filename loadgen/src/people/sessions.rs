//! HELLO, REG, BEAT and DEREG: how people come, stay and are answered.

use std::time::Duration;

use wire::{Notice, Refusal, Reply, Token};

use super::agenda::Task;
use super::crowd::Crowd;
use super::limits::BEAT;
use super::person::{State, pause};

impl Crowd {
    /// A person begins, or begins anew.
    pub(super) fn greet(&mut self, person: u32, now: Duration) {
        self.people[person as usize].cookie = None;
        self.ask_for(person, State::Greeting, now);
    }

    /// A person says goodbye, and is gone when it is answered.
    pub(super) fn depart(&mut self, person: u32, now: Duration) {
        self.ask_for(person, State::Departing, now);
    }

    /// A person's request has had no answer in its time.
    pub(super) fn ask_again(&mut self, person: u32, at: Duration, now: Duration) {
        let it = &self.people[person as usize];
        if it.is_asking() && it.due == at {
            self.deeds.asked_again += 1;
            self.ask(person, now);
        }
    }

    /// A person says something, whatever it is, if nothing was said for a heartbeat.
    pub(super) fn beat(&mut self, person: u32, at: Duration, now: Duration) {
        let it = &mut self.people[person as usize];
        if it.beats != Some(at) {
            return;
        }
        it.beats = None;
        if it.state != State::Here {
            return;
        }
        if now >= it.spoke + self.heartbeat.mul_f64(BEAT) {
            self.say_something(person, now);
        }
        self.schedule_beat(person);
    }

    /// A person gives a sign of life.
    pub(super) fn say_something(&mut self, person: u32, now: Duration) {
        self.deeds.beats += 1;
        self.say(person, &[b"!BEAT"], now);
    }

    /// A person sends a datagram of these pieces.
    pub(super) fn say(&mut self, person: u32, pieces: &[&[u8]], now: Duration) {
        let it = &mut self.people[person as usize];
        it.spoke = now;
        self.out.put(it.place, pieces);
    }

    /// The relay has told a person something.
    pub(super) fn noticed(&mut self, person: u32, notice: Notice<'_>, now: Duration) {
        let state = self.people[person as usize].state;
        match notice {
            Notice::Message { from, id, bytes, .. } => self.message_came(person, from, id, bytes, now),
            Notice::Delivered(..) | Notice::Stored(..) | Notice::NoSuchName(_) | Notice::MailboxFull(_) => {
                self.told(person, notice, now);
            }
            Notice::Registered(_, claim) if state == State::Registering => {
                self.registered(person, claim, now);
            }
            Notice::Resumed { name, token, .. } if state == State::Moving => {
                self.resumed(person, name, token, now);
            }
            Notice::NameTaken(name) if state == State::Registering => self.is_taken(person, name),
            Notice::Deregistered(_) if state == State::Departing => self.enter(person, State::Away, now),
            // Answers to repeats, and what comes with an answer.
            Notice::Registered(..)
            | Notice::Deregistered(_)
            | Notice::Mail(_)
            | Notice::NameTaken(_)
            | Notice::Resumed { .. } => {}
            _ => self.deeds.unexpected += 1,
        }
    }

    /// The relay has answered a person.
    pub(super) fn answered(&mut self, person: u32, reply: Reply, now: Duration) {
        let state = self.people[person as usize].state;
        match (reply, state) {
            (Reply::Hello(token, heartbeat), State::Greeting) => {
                self.people[person as usize].token = Some(token);
                self.heartbeat = Duration::from_millis(heartbeat.0);
                self.ask_for(person, State::Registering, now);
            }
            (Reply::Pong(_), _) => self.deeds.pongs += 1,
            (Reply::Refused(refusal), _) => self.refused(person, refusal, now),
            // An answer to a repeat, and the lobby's.
            (Reply::Hello(..) | Reply::Joined(_), _) => {}
            _ => self.deeds.unexpected += 1,
        }
    }

    fn refused(&mut self, person: u32, refusal: Refusal, now: Duration) {
        let it = &mut self.people[person as usize];
        match (refusal, it.state) {
            (Refusal::Prove(cookie), State::Greeting | State::Moving) => {
                // A relay that takes no cookie is asked again in its time.
                if it.cookie.replace(cookie).is_none() {
                    self.ask(person, now);
                }
            }
            (Refusal::UnknownCommand | Refusal::Version, State::Greeting) => {
                let why = "the relay does not know HELLO 2, with which people begin: --profile people needs a relay \
                           with sessions and names, and \"loadgen run\" without it measures any other";
                self.failure.get_or_insert_with(|| why.to_owned());
            }
            (Refusal::NoSession | Refusal::NotRegistered, State::Departing) => {
                self.enter(person, State::Away, now);
            }
            (Refusal::NoSession | Refusal::NotRegistered, State::Here)
            | (Refusal::BadToken, State::Moving) => self.is_lost(person, now),
            (Refusal::NoSession, State::Registering) => self.greet(person, now),
            // Answers to repeats.
            (Refusal::Prove(_) | Refusal::NoSession | Refusal::NotRegistered | Refusal::BadToken, _) => {}
            // It says neither for what nor for how long: the message is sent again, as any that has no outcome.
            (Refusal::ServerFull, State::Here) => self.deeds.no_room += 1,
            (Refusal::ServerFull, _) => self.refusal = Some(refusal),
            _ => {
                self.refusal = Some(refusal);
                self.deeds.unexpected += 1;
            }
        }
    }

    fn registered(&mut self, person: u32, claim: Token, now: Duration) {
        let it = &mut self.people[person as usize];
        match it.claim.replace(claim) {
            None => self.deeds.registered += 1,
            Some(before) => self.deeds.claims_changed += u64::from(before != claim),
        }
        self.is_here(person, now);
    }

    /// A person has its name, and goes on with what it has to say.
    pub(super) fn is_here(&mut self, person: u32, now: Duration) {
        self.progressed = now;
        self.enter(person, State::Here, now);
        self.schedule_beat(person);
        self.go_on(person, now);
    }

    /// The relay has forgotten a person that did what it asks for.
    pub(super) fn is_lost(&mut self, person: u32, now: Duration) {
        self.deeds.sessions_lost += 1;
        self.greet(person, now);
    }

    /// Whoever has shown its claim asks again in its time.
    fn is_taken(&mut self, person: u32, name: &str) {
        if self.people[person as usize].claim.is_some() {
            self.deeds.claims_refused += 1;
        } else {
            let why = format!("somebody else has the name {name}, which this run has drawn: start it again");
            self.failure.get_or_insert(why);
        }
    }

    pub(super) fn ask_for(&mut self, person: u32, state: State, now: Duration) {
        self.enter(person, state, now);
        self.ask(person, now);
    }

    /// Sends a person's request, and says when to look at it again.
    fn ask(&mut self, person: u32, now: Duration) {
        let name = self.names.name(person);
        let it = &mut self.people[person as usize];
        it.tries = it.tries.saturating_add(1);
        it.due = now + pause(it.tries);
        let (due, claim) = (it.due, it.claim.map(Token::letters));
        let token = it.token.map(|token| token.to_string()).unwrap_or_default();
        let request = match (it.state, &it.cookie) {
            (State::Greeting, None) => "!HELLO 2".to_owned(),
            (State::Greeting, Some(cookie)) => format!("!HELLO 2 {cookie}"),
            (State::Registering, _) => format!("!REG {name}"),
            (State::Moving, None) => format!("!RESUME {token}"),
            (State::Moving, Some(cookie)) => format!("!RESUME {token} {cookie}"),
            _ => "!DEREG".to_owned(),
        };
        match claim.filter(|_| it.state == State::Registering) {
            Some(claim) => self.say(person, &[request.as_bytes(), b" ", &claim], now),
            None => self.say(person, &[request.as_bytes()], now),
        }
        self.agenda.add(due, Task::Ask(person));
    }

    /// A person is somewhere else now.
    pub(super) fn enter(&mut self, person: u32, state: State, now: Duration) {
        let it = &mut self.people[person as usize];
        self.here += u32::from(state == State::Here);
        self.here -= u32::from(it.state == State::Here);
        if state == State::Here {
            it.since = now;
        }
        (it.state, it.tries) = (state, 0);
    }

    fn schedule_beat(&mut self, person: u32) {
        let it = &mut self.people[person as usize];
        if it.beats.is_none() && !self.heartbeat.is_zero() {
            let at = it.spoke + self.heartbeat.mul_f64(BEAT);
            it.beats = Some(at);
            self.agenda.add(at, Task::Beat(person));
        }
    }
}
