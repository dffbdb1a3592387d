//! What a shard should have counted.

use engine::{CommandKind, DropReason, Event, Tally};
use wire::Refusal;

/// The model's own counters of one shard.
#[derive(Clone, Debug)]
pub struct Counts {
    /// Commands, by kind.
    pub commands: [u64; CommandKind::LABELS.len()],
    /// Refused requests, by code.
    pub refusals: [u64; Refusal::CODES.len()],
    /// Datagrams dropped in silence, by reason.
    pub dropped: [u64; DropReason::LABELS.len()],
    /// What happened to groups and members, by event.
    pub events: [u64; Event::LABELS.len()],
    /// Replies.
    pub replies: u64,
    /// Payloads, and the copies that they were meant for.
    pub payloads: u64,
    /// See above.
    pub copies: u64,
}

impl Default for Counts {
    fn default() -> Self {
        Self {
            commands: [0; _],
            refusals: [0; _],
            dropped: [0; _],
            events: [0; _],
            replies: 0,
            payloads: 0,
            copies: 0,
        }
    }
}

impl Counts {
    /// What the relay has counted otherwise. Where answers are `certain`, everything is compared.
    pub fn difference(&self, tally: &Tally, certain: bool) -> Option<String> {
        let pairs = [
            ("events", &self.events[..], &tally.events[..]),
            ("payloads", &[self.payloads], &[tally.fanout.count]),
            ("copies", &[self.copies], &[tally.fanout.sum]),
            ("commands", &self.commands[..], &tally.commands[..]),
            ("refusals", &self.refusals[..], &tally.refusals[..]),
            ("dropped", &self.dropped[..], &tally.dropped[..]),
            ("replies", &[self.replies], &[tally.replies]),
        ];
        let compared = if certain { pairs.len() } else { 3 };
        let (what, own, counted) =
            pairs.into_iter().take(compared).find(|(_, own, counted)| own != counted)?;
        Some(format!("the relay has counted {what} {counted:?}, the model {own:?}"))
    }
}
