//! Finding out in which way the relay can be spoken to: extended, then base; by UDP, then by TCP.

use std::time::Instant;

use wire::{Heartbeat, Refusal, Reply, Token};

use crate::event::Protocol;
use crate::greeting::Greeting;
use crate::limits::{CONNECTING, PAUSES, pause};
use crate::{Event, Output, Transport};

/// A search that goes on until something answers.
#[derive(Debug)]
pub(crate) struct Probe {
    /// Nothing: whatever answers.
    protocol: Option<Protocol>,
    transports: Vec<Transport>,
    step: usize,
    round: u32,
    phase: Phase,
    refused: bool,
    told: bool,
}

/// What was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Extended(Token, Heartbeat),
    /// So many answers to HELLO may still come.
    Base {
        strays: u32,
    },
}

#[derive(Debug)]
enum Phase {
    Opening { since: Instant },
    Asking(Greeting),
    Pausing { until: Instant },
}

impl Probe {
    pub(crate) fn new(
        protocol: Option<Protocol>,
        transports: Vec<Transport>,
        now: Instant,
        out: &mut Output,
    ) -> Self {
        out.open(transports[0]);
        let phase = Phase::Opening { since: now };
        Self { protocol, transports, step: 0, round: 0, phase, refused: false, told: false }
    }

    pub(crate) fn transport(&self) -> Transport {
        self.transports[self.step]
    }

    /// The socket is there: what to send.
    pub(crate) fn opened(&mut self, now: Instant) -> Option<Vec<u8>> {
        let Phase::Opening { .. } = self.phase else { return None };
        let greeting = Greeting::new(None, self.transport(), now);
        let first = self.encode(&greeting);
        self.phase = Phase::Asking(greeting);
        Some(first)
    }

    /// Nothing comes of this way.
    pub(crate) fn closed(&mut self, refused: bool, now: Instant, out: &mut Output) {
        self.refused |= refused;
        if matches!(self.phase, Phase::Pausing { .. }) {
            return;
        }
        if self.step + 1 < self.transports.len() {
            self.step += 1;
            self.open(now, out);
            return;
        }
        if !self.told {
            self.told = true;
            out.event(Event::NoContact { refused: self.refused });
        }
        self.refused = false;
        self.phase = Phase::Pausing { until: now + pause(&PAUSES, self.round) };
        self.round += 1;
    }

    /// The way that was asked by carries nothing any more; those that could not be had may be there now.
    pub(crate) fn network_changed(&mut self, now: Instant, out: &mut Output) {
        match self.phase {
            Phase::Asking(_) => self.closed(false, now, out),
            Phase::Opening { .. } | Phase::Pausing { .. } => self.begin(now, out),
        }
    }

    /// Takes an answer: what was found, or what to send.
    pub(crate) fn receive(
        &mut self,
        datagram: &[u8],
        now: Instant,
        out: &mut Output,
    ) -> Result<Option<Found>, Vec<u8>> {
        let Phase::Asking(greeting) = &mut self.phase else { return Ok(None) };
        if self.protocol == Some(Protocol::Base) {
            return Ok(Some(Found::Base { strays: 0 }));
        }
        let strays = greeting.sent() - 1;
        match Reply::parse_extended(datagram) {
            Some(Reply::Hello(token, heartbeat)) => Ok(Some(Found::Extended(token, heartbeat))),
            Some(Reply::Refused(Refusal::Prove(cookie))) if greeting.prove(cookie, now) => {
                Err(greeting.encode())
            }
            Some(Reply::Refused(Refusal::Version)) => Ok(self.is_base(strays, now, out)),
            None if datagram.starts_with(b"ERR BAD_CMD ") => Ok(self.is_base(strays, now, out)),
            _ => Ok(None),
        }
    }

    /// Lets time pass: what to send.
    pub(crate) fn tick(&mut self, now: Instant, out: &mut Output) -> Option<Vec<u8>> {
        match &mut self.phase {
            Phase::Opening { since } if now >= *since + CONNECTING => self.closed(false, now, out),
            Phase::Asking(greeting) if greeting.deadline() <= now => {
                if greeting.repeat(now) {
                    let Phase::Asking(greeting) = &self.phase else { return None };
                    return Some(self.encode(greeting));
                }
                self.closed(false, now, out);
            }
            Phase::Pausing { until } if *until <= now => self.begin(now, out),
            _ => {}
        }
        None
    }

    pub(crate) fn deadline(&self) -> Instant {
        match &self.phase {
            Phase::Opening { since } => *since + CONNECTING,
            Phase::Asking(greeting) => greeting.deadline(),
            Phase::Pausing { until } => *until,
        }
    }

    /// Whether nobody has answered in any way yet.
    pub(crate) fn is_in_vain(&self) -> bool {
        self.told
    }

    fn is_base(&mut self, strays: u32, now: Instant, out: &mut Output) -> Option<Found> {
        if self.protocol.is_none() {
            return Some(Found::Base { strays });
        }
        if !self.told {
            self.told = true;
            out.event(Event::NotExtended);
        }
        self.phase = Phase::Pausing { until: now + pause(&PAUSES, self.round) };
        self.round += 1;
        None
    }

    fn encode(&self, greeting: &Greeting) -> Vec<u8> {
        match self.protocol {
            // An answer shows that there is a relay, and changes nothing.
            Some(Protocol::Base) => b"!PING".to_vec(),
            _ => greeting.encode(),
        }
    }

    /// Tries all ways, the best one first.
    fn begin(&mut self, now: Instant, out: &mut Output) {
        self.step = 0;
        self.open(now, out);
    }

    fn open(&mut self, now: Instant, out: &mut Output) {
        out.open(self.transport());
        self.phase = Phase::Opening { since: now };
    }
}
