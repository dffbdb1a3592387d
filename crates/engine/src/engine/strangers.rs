//! Whether a datagram is answered at all that comes from nobody who is proved: by its source, by its prefix, by its guesses.

use wire::{Argument, Command, Proof, Refusal, looks_like_reply};

use crate::admission::Stance;
use crate::tally::{DropReason, Throttled};
use crate::{ClientAddr, Engine, Member, Outbox};

/// What comes of a request before it is looked at.
pub(super) enum Hearing {
    /// It is executed.
    Heard,
    /// It is answered with a question for a proof.
    Asked,
    /// It is dropped, and counted.
    Ignored,
}

impl Engine {
    /// Whether a request is executed: a command, or `None` for a datagram that can only be refused.
    pub(super) fn hear(&mut self, command: Option<&Command<'_>>, client: &ClientAddr) -> Hearing {
        if self.is_refused(client) {
            return Hearing::Ignored;
        }
        let throttle = &self.admission.throttle;
        if self.is_known(command, client) || throttle.take_reply(client, self.now) {
            return Hearing::Heard;
        }
        let can_prove = matches!(command, Some(Command::Create(_) | Command::Join(_)));
        if can_prove && throttle.take_retry(client, self.now) {
            self.tally.throttled[Throttled::Replies as usize] += 1;
            return Hearing::Asked;
        }
        self.tally.drop(DropReason::ReplyLimit);
        Hearing::Ignored
    }

    /// True if a datagram is dropped for its source alone, and counted. A member's payload never is: it was looked at when
    /// it joined.
    fn is_refused(&mut self, client: &ClientAddr) -> bool {
        let ip = client.ip();
        let reason = match () {
            () if self.own.is_no_source(ip) => DropReason::ImpossibleSource,
            () if !self.settings.access.admits(ip) => DropReason::Denied,
            () => return false,
        };
        self.tally.drop(reason);
        true
    }

    /// True if the answer is owed, or goes to an address that is proved: by its session, its place, or what it shows.
    fn is_known(&self, command: Option<&Command<'_>>, client: &ClientAddr) -> bool {
        let is_owed = matches!(command, Some(Command::Ping | Command::Who));
        let is_member = || self.sessions.find(client).map(|key| self.sessions.get(key).proved || is_owed);
        let shows_proof = || matches!(proof(command), Proof::Cookie(cookie) if self.admission.is_valid(cookie, client, self.now));
        !self.has_limits(client) || is_member().unwrap_or(false) || shows_proof()
    }

    /// False where nobody has to prove anything, and for who is trusted.
    fn has_limits(&self, client: &ClientAddr) -> bool {
        self.admission.stance() != Stance::Open && !self.settings.trust.contains(client.ip())
    }

    pub(super) fn payload_of_stranger(&mut self, payload: &[u8], from: Member, outbox: &mut Outbox) {
        if looks_like_reply(payload) {
            return self.tally.drop(DropReason::ReplyFromStranger);
        }
        if let Hearing::Heard = self.hear(None, &from.client) {
            self.answer(Err(Refusal::NotJoined), from, outbox);
        }
    }

    /// Who has tried too many wrong group ids learns of no more, right or wrong, but how to prove itself.
    pub(super) fn check_guesses(&mut self, from: &Member) -> Result<(), Refusal> {
        let is_guessing = || self.admission.throttle.is_guessing(&from.client, from.proved, self.now);
        if self.has_limits(&from.client) && is_guessing() {
            self.tally.throttled[Throttled::Guesses as usize] += 1;
            return Err(self.ask(&from.client));
        }
        Ok(())
    }

    /// Somebody has asked for a group that does not exist.
    pub(super) fn note_guess(&self, from: &Member) -> Refusal {
        if self.has_limits(&from.client) {
            self.admission.throttle.note_guess(&from.client, from.proved, self.now);
        }
        Refusal::NoSuchGroup
    }
}

fn proof(command: Option<&Command<'_>>) -> Proof {
    let of_join = |argument: Argument<'_>| argument.group_and_proof().map_or(Proof::None, |(_, proof)| proof);
    match command {
        Some(Command::Create(argument)) => argument.cookie().map_or(Proof::None, Proof::Cookie),
        Some(Command::Join(argument)) => of_join(*argument),
        _ => Proof::None,
    }
}
