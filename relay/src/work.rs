//! A batch of payloads for one roster, and how far it has been sent.

use std::time::Duration;

use engine::Roster;
use net::{Driver, Full, Part, Run, SocketIndex};

use crate::limits::BATCH_COPIES;
use crate::plan::Plan;

/// Payloads of one group, received one after the other, for the same members.
#[derive(Default)]
pub struct Work {
    /// When the turn began that took them.
    taken: Duration,
    roster: Roster,
    payloads: Vec<Queued>,
    /// Copies that have not been handed to the driver.
    copies: u64,
    /// Where to go on: the round, and the member in it.
    round: usize,
    member: u32,
}

/// A payload that waits for its receivers; it holds its receive buffer.
#[derive(Clone, Copy)]
pub struct Queued {
    /// The bytes.
    pub part: Part,
    /// The sender's position in the roster.
    pub sender: u32,
}

impl Work {
    /// Begins a new batch, keeping allocations.
    pub fn reset(&mut self, taken: Duration, roster: Roster) {
        self.taken = taken;
        self.roster = roster;
        self.payloads.clear();
        (self.copies, self.round, self.member) = (0, 0, 0);
    }

    /// Adds a payload.
    pub fn push(&mut self, payload: Queued) {
        self.copies += self.roster.len() as u64 - 1;
        self.payloads.push(payload);
    }

    /// The payloads, in the order in which they were received.
    pub fn payloads(&self) -> &[Queued] {
        &self.payloads
    }

    /// Copies that have not been handed to the driver.
    pub fn copies(&self) -> u64 {
        self.copies
    }

    /// When the turn began that took the payloads.
    pub fn taken(&self) -> Duration {
        self.taken
    }

    /// True once the first member has been served.
    pub fn is_started(&self) -> bool {
        (self.round, self.member) != (0, 0)
    }

    /// True if one more payload keeps the batch within its bound.
    pub fn has_room(&self) -> bool {
        self.payloads.is_empty() || self.copies + self.roster.len() as u64 <= BATCH_COPIES
    }

    /// Sends what is left, or as much as `budget` (in copies) and the driver allow. Round by round: every member gets
    /// its first run before anyone gets a second. The driver keeps the order of the runs to one destination.
    pub fn send(&mut self, plan: &Plan, driver: &mut impl Driver, budget: &mut usize) -> Result<(), Full> {
        while self.round < plan.rounds() {
            self.send_round(plan, driver, budget)?;
            (self.round, self.member) = (self.round + 1, 0);
        }
        Ok(())
    }

    fn send_round(&mut self, plan: &Plan, driver: &mut impl Driver, budget: &mut usize) -> Result<(), Full> {
        let mut next_span = plan.round(self.round, self.member);
        for member in self.roster.members().skip(self.member as usize) {
            if *budget == 0 {
                return Err(Full);
            }
            if let Some(span) = next_span(self.member) {
                driver.send(&Run {
                    socket: SocketIndex(member.local.socket().into()),
                    to: member.client.socket_addr(),
                    from: member.local.reached(),
                    gather: span.gather,
                    size: span.size,
                    bytes: span.bytes,
                })?;
                *budget = budget.saturating_sub(usize::from(span.gather.count));
                self.copies -= u64::from(span.gather.count);
            }
            self.member += 1;
        }
        Ok(())
    }
}
