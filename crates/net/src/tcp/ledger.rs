//! How much waits in all queues, and what became of it.

use super::bounds::Bounds;
use super::figures::Figures;
use super::queue::Kind;

/// What all queues of one thread have in common.
pub(super) struct Ledger {
    pub(super) bounds: Bounds,
    pub(super) figures: Figures,
    /// Bytes by kind, as queues count them.
    held: [usize; 2],
}

impl Ledger {
    pub(super) fn new(bounds: Bounds) -> Ledger {
        Ledger { bounds, figures: Figures::default(), held: [0; 2] }
    }

    /// A message of so many bytes has entered a queue.
    pub(super) fn enter(&mut self, kind: Kind, bytes: usize) {
        self.held[kind as usize] += bytes;
        self.figures.messages_queued += 1;
        self.figures.queued_bytes += bytes as u64;
    }

    /// It has left it again.
    pub(super) fn leave(&mut self, kind: Kind, bytes: usize) {
        self.held[kind as usize] -= bytes;
        self.figures.messages_queued -= 1;
        self.figures.queued_bytes -= bytes as u64;
    }

    /// Bytes of a kind that one queue may hold when so many more have come: its bound, or an equal share once all queues
    /// together are over theirs.
    pub(super) fn allowance(&self, kind: Kind, more: usize) -> usize {
        let Bounds { queue_bytes, queued_bytes, .. } = self.bounds;
        if self.held[kind as usize] + more <= queued_bytes {
            queue_bytes
        } else {
            queue_bytes.min(queued_bytes / self.figures.open.max(1) as usize)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn beyond_the_common_bound_all_have_an_equal_share() {
        let mut ledger = Ledger::new(Bounds { queue_bytes: 600, queued_bytes: 1000, ..Bounds::default() });
        ledger.figures.open = 10;
        ledger.enter(Kind::Payload, 900);
        assert_eq!(ledger.allowance(Kind::Payload, 100), 600);
        assert_eq!(ledger.allowance(Kind::Payload, 101), 100);
        assert_eq!(ledger.allowance(Kind::Control, 101), 600, "kinds do not take each other's room");
        ledger.figures.open = 1;
        assert_eq!(ledger.allowance(Kind::Payload, 101), 600);
        ledger.leave(Kind::Payload, 900);
        assert_eq!((ledger.figures.queued_bytes, ledger.figures.messages_queued), (0, 0));
    }
}
