//! Whether a datagram is answered at all that comes from nobody who is proved: by its source, by its prefix, by its guesses.

use std::net::SocketAddr;

use wire::{Argument, Command, Hello, Proof, Refusal};

use crate::admission::Stance;
use crate::tally::{DropReason, Throttled};
use crate::{ClientAddr, Engine};

use super::sender::Sender;

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
    /// Whether a request is executed: a command, or `None` for a datagram that can only be refused. A member was looked at
    /// when it joined.
    pub(super) fn hear(&mut self, command: Option<&Command<'_>>, from: &Sender<'_>) -> Hearing {
        let client = from.client;
        if from.session.is_none() && (self.is_refused(from) || self.is_astray(command, client)) {
            return Hearing::Ignored;
        }
        let throttle = &self.admission.throttle;
        if self.is_known(command, from) || throttle.take_reply(client, self.now) {
            return Hearing::Heard;
        }
        let can_prove = matches!(
            command,
            Some(Command::Create(_) | Command::Join(_) | Command::Hello(_) | Command::Resume(_))
        );
        if can_prove && throttle.take_retry(client, self.now) {
            self.tally.throttled[Throttled::Replies as usize] += 1;
            return Hearing::Asked;
        }
        self.tally.drop(DropReason::ReplyLimit);
        Hearing::Ignored
    }

    /// Drops a datagram whose source is no client's, whatever it says.
    #[cold]
    pub(super) fn drop_nobody(&mut self, source: SocketAddr) {
        let is_unanswerable = source.port() == 0;
        self.tally.drop(if is_unanswerable {
            DropReason::SourcePortZero
        } else {
            DropReason::ImpossibleSource
        });
    }

    /// True if a datagram is dropped for its source alone, and counted.
    fn is_refused(&mut self, from: &Sender<'_>) -> bool {
        let (ip, local) = (from.client.ip(), &from.datagram.local);
        let admits = || self.settings.access.admits(ip);
        let reason = match () {
            () if from.client.is_stream() && admits() => return false,
            () if from.client.is_stream() => DropReason::Denied,
            () if self.own.is_no_source(ip) => DropReason::ImpossibleSource,
            () if ip.is_loopback() && self.own.is_no_loopback(local) => DropReason::ImpossibleSource,
            // It came before the kernel was asked to say so.
            () if self.own.is_broadcast(local) => DropReason::Broadcast,
            () if !admits() => DropReason::Denied,
            () => return false,
        };
        self.tally.drop(reason);
        true
    }

    /// True if somebody would become a client of this shard whose datagrams come to another.
    fn is_astray(&mut self, command: Option<&Command<'_>>, client: &ClientAddr) -> bool {
        let comes = matches!(command, Some(Command::Join(_) | Command::Hello(_) | Command::Resume(_)));
        let home = self.home.as_ref().filter(|_| comes);
        let is_astray = home.is_some_and(|home| home(client.socket_addr()) != self.shard);
        if is_astray {
            self.tally.drop(DropReason::WrongShard);
        }
        is_astray
    }

    /// True if the answer is owed, or goes to an address that is proved: by its session, its place, or what it shows.
    fn is_known(&self, command: Option<&Command<'_>>, from: &Sender<'_>) -> bool {
        let is_owed = matches!(command, Some(Command::Ping | Command::Who | Command::Beat));
        from.is_proved
            || is_owed && from.session.is_some()
            || !self.has_limits(from)
            || self.shows_proof(from, proof(command))
    }

    /// False where nobody has to prove anything, and for who is trusted.
    pub(super) fn has_limits(&self, from: &Sender<'_>) -> bool {
        self.admission.stance() != Stance::Open && !from.is_trusted
    }

    /// Who has tried too many wrong group ids learns of no more, right or wrong, but how to prove itself.
    pub(super) fn is_guessing(&self, from: &Sender<'_>, proved: bool) -> bool {
        self.has_limits(from) && self.admission.throttle.is_guessing(from.client, proved, self.now)
    }

    /// The question for a proof, counted where nobody else would have been asked.
    pub(super) fn ask_guesser(&mut self, from: &Sender<'_>, proved: bool) -> Refusal {
        if proved || !self.asks(from) {
            self.tally.throttled[Throttled::Guesses as usize] += 1;
        }
        self.ask(from.client)
    }

    /// Somebody has asked for a group that does not exist.
    pub(super) fn note_guess(&self, from: &Sender<'_>, proved: bool) -> Refusal {
        if self.has_limits(from) {
            self.admission.throttle.note_guess(from.client, proved, self.now);
        }
        Refusal::NoSuchGroup
    }
}

fn proof(command: Option<&Command<'_>>) -> Proof {
    let of_join = |argument: Argument<'_>| argument.group_and_proof().map_or(Proof::None, |(_, proof)| proof);
    match command {
        Some(Command::Create(argument)) => argument.cookie().map_or(Proof::None, Proof::Cookie),
        Some(Command::Join(argument)) => of_join(*argument),
        Some(Command::Hello(fields)) => match fields.hello() {
            Hello::Known { cookie, .. } => cookie.map_or(Proof::None, Proof::Cookie),
            Hello::Malformed | Hello::OtherVersion => Proof::None,
        },
        Some(Command::Resume(fields)) => fields.resume().cookie.map_or(Proof::None, Proof::Cookie),
        _ => Proof::None,
    }
}
