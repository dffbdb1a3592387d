//! What a shard does about addresses that have not been proved: asks, believes, watches.

use std::net::SocketAddr;
use std::time::Duration;

use wire::{Command, Form, Proof, Refusal};

use crate::admission::{Gate, Stance};
use crate::limits::{LOOK_EVERY, SILENT_HALF_HEARTBEATS};
use crate::sessions::Session;
use crate::{AdmissionMode, ClientAddr, Engine, Settings, Tick};

use super::sender::Sender;

impl Engine {
    /// The gate of the fan-out that belongs to this engine.
    pub fn gate(&self) -> Gate {
        Gate::new(self.admission.clone(), self.now)
    }

    /// IP bytes that were meant for unproved members in peace.
    pub fn unproved_bytes(&self) -> u64 {
        self.payer.paid()
    }

    /// Shard 0 keeps watch for all.
    pub(super) fn keep_watch(&mut self) {
        if self.shard == 0 && self.now.since(self.looked) >= LOOK_EVERY {
            self.looked = self.now;
            self.admission.look(&self.settings, self.groups.clients(), self.now);
        }
    }

    /// When the watch wants the next turn, if it does not wait for a datagram.
    pub(super) fn next_look(&self) -> Option<Tick> {
        (self.shard == 0 && self.admission.stance() == Stance::Guarded).then(|| self.looked + LOOK_EVERY)
    }

    /// True if a datagram cannot be forged: it shows what its source was told.
    pub(super) fn shows_proof(&self, from: &Sender<'_>, proof: Proof) -> bool {
        from.client.is_stream()
            || matches!(proof, Proof::Cookie(cookie) if self.admission.is_valid(cookie, from.client, self.now))
    }

    /// Whether a client that joins is proved: by what it is, where it is, or what it shows. An unproved one that shows
    /// something wants to be, and is told how.
    pub(super) fn check_proof(&self, from: &Sender<'_>, proof: Proof) -> Result<bool, Refusal> {
        let client = from.client;
        let is_proved = from.is_proved || self.shows_proof(from, proof);
        let is_asked = !is_proved && self.admission.stance() != Stance::Open;
        match proof {
            Proof::None => Ok(is_proved),
            _ if is_asked => Err(self.ask(client)),
            Proof::Cookie(_) => Ok(is_proved),
            Proof::Other => Err(Refusal::NoSuchGroup),
        }
    }

    /// True if somebody has to prove itself, who is not proved, before it joins.
    pub(super) fn asks(&self, from: &Sender<'_>) -> bool {
        match self.admission.stance() {
            Stance::Open => false,
            Stance::Peace => self.own.may_be_a_service(from.client),
            Stance::Guarded | Stance::Strict => true,
        }
    }

    /// The question for a proof.
    pub(super) fn ask(&self, client: &ClientAddr) -> Refusal {
        Refusal::Retry(self.admission.cookie(client, self.now))
    }

    /// The question for a proof, as this command is answered with it.
    pub(super) fn ask_for(&self, command: Option<&Command<'_>>, client: &ClientAddr) -> Refusal {
        let cookie = self.admission.cookie(client, self.now);
        match command {
            Some(Command::Hello(_) | Command::Resume(_)) => Refusal::Prove(cookie),
            _ => Refusal::Retry(cookie),
        }
    }

    /// True while a client that was a member when its datagram came still is one, and has not shown where it is.
    pub(super) fn is_unproved(&self, key: usize) -> bool {
        self.sessions.try_get(key).is_some_and(|session| !session.proved)
    }

    /// A client has sent a command of so many bytes, which counts for its budget if it is an unproved member.
    pub(super) fn credit(&self, from: &Sender<'_>) {
        let has_budget = || from.session.is_some_and(|key| !self.sessions.get(key).proved);
        if self.admission.stance() == Stance::Guarded && has_budget() {
            self.admission.credit(from.client, from.datagram.bytes.len());
        }
    }

    /// Word has come by ICMP that nobody is at an address. It can be forged: see [`crate::Admission`].
    pub fn unreached(&self, to: SocketAddr) {
        if let Some(client) = ClientAddr::new(to) {
            self.admission.shrink(&client, self.now);
        }
    }

    /// An unproved member has shown that it receives what is sent to it. Its group has to hear of it.
    pub(super) fn prove(&mut self, key: usize) {
        let session = self.sessions.get_mut(key);
        if !session.proved {
            session.proved = true;
            self.admission.exit_unproved(std::mem::take(&mut session.silent));
        }
    }

    /// The trust has been extended since a member joined.
    pub(super) fn trust_again(&mut self, key: usize, from: &Sender<'_>) {
        self.prove(key);
        let session = self.sessions.get(key);
        self.groups.update(self.views.handle(session.view), from.as_member(true), session.position);
    }

    /// A member is no longer where everybody is trusted: it has to prove itself as anybody else.
    pub(super) fn doubt(&mut self, key: usize) {
        let session = self.sessions.get_mut(key);
        // An extended client has shown a cookie, and a connection is a proof itself.
        if session.proved && session.form == Form::Base && !session.client.is_stream() {
            session.proved = false;
            self.admission.enter_unproved();
            let handle = self.views.handle(session.view);
            self.groups.doubt(handle, &session.client, session.position);
        }
    }

    /// Looks whether an unproved member has ever sent anything after its JOIN.
    pub(super) fn judge(&mut self, key: usize) {
        let as_of = self.expiry.as_of;
        let session = self.sessions.get_mut(key);
        let is_silent = self.settings.admission == AdmissionMode::Auto
            && !session.proved
            && session.active == session.joined
            && as_of.since(session.joined) >= patience(&self.settings);
        if is_silent != session.silent {
            session.silent = is_silent;
            self.admission.set_silent(is_silent, self.groups.clients(), self.now);
        }
    }

    /// When the wheel has to look at a member that it has just looked at.
    pub(super) fn look_at(&self, session: &Session) -> Tick {
        let limit =
            if session.gone { self.settings.heartbeat } else { self.expiry.idle_limit(&self.settings) };
        let idle = session.active + limit;
        let judged = session.joined + patience(&self.settings);
        let is_judged = session.proved || session.silent || self.expiry.as_of >= judged;
        let is_watched = self.settings.admission == AdmissionMode::Auto;
        if is_watched && !is_judged { idle.min(judged) } else { idle }
    }
}

/// The silence after its JOIN that makes an unproved member a silent one.
fn patience(settings: &Settings) -> Duration {
    settings.heartbeat.saturating_mul(SILENT_HALF_HEARTBEATS) / 2
}
