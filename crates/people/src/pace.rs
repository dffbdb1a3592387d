//! How much a recipient is sent that acknowledges nothing.

use crate::limits::{AGAIN_MS, DOUBLED, PROBE, WINDOW};

/// How often in a row a session has not acknowledged what it was sent. **It is the session's**: whatever is said in the name of its
/// address, which may be somebody else's by now, makes it none that is new; only what a proof has come with does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pace {
    /// Rounds that have ended with something unacknowledged, since anything was acknowledged.
    missed: u32,
    /// When what the last of them has left unacknowledged was sent, or a proof came.
    since: Option<u64>,
}

impl Pace {
    /// A round ends, or begins anew, without the acknowledgement of what was sent at this time, or is sent once more. What belongs to a
    /// round that has been counted counts no more.
    pub fn miss(&mut self, at: u64) {
        if self.is_whole() || !self.is_recent(at) {
            *self = Self { missed: self.missed.saturating_add(1), since: self.since.max(Some(at)) };
        }
    }

    /// It has acknowledged something.
    pub fn acknowledge(&mut self) {
        *self = Self::default();
    }

    /// It has shown that it receives what is sent to where it is now. Whoever does so all the time is not believed each time.
    pub fn prove(&mut self, now: u64) {
        *self = if self.is_recent(now) {
            Self { missed: self.missed.max(1), ..*self }
        } else {
            Self { missed: 0, since: Some(now) }
        };
    }

    /// It gets now what another session got until now, unless that has just been sent it anew.
    pub fn follow(&mut self, other: Self, now: u64) {
        if self.is_whole() && other.is_recent(now) {
            *self = Self { missed: 1, ..other };
        }
    }

    fn is_recent(&self, now: u64) -> bool {
        self.since.is_some_and(|since| now < since + AGAIN_MS)
    }

    /// True if nothing speaks against all that there is room for.
    pub fn is_whole(&self) -> bool {
        self.missed == 0
    }

    /// How many messages may be under way.
    pub fn window(&self) -> usize {
        if self.is_whole() { WINDOW } else { PROBE }
    }

    /// When a round may begin.
    pub fn due(&self) -> u64 {
        let doubled = self.missed.saturating_sub(1).min(DOUBLED);
        self.since.filter(|_| !self.is_whole()).map_or(0, |since| since + (AGAIN_MS << doubled))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_round_in_vain_doubles_the_pause_and_an_acknowledgement_ends_it() {
        let mut pace = Pace::default();
        assert_eq!((pace.window(), pace.due()), (WINDOW, 0));
        let pauses = [500, 1000, 2000, 4000, 8000, 16_000, 32_000, 32_000];
        for (round, pause) in pauses.into_iter().enumerate() {
            let now = round as u64 * 100_000;
            pace.miss(now);
            assert_eq!((pace.window(), pace.due()), (PROBE, now + pause));
        }
        pace.acknowledge();
        assert_eq!((pace.window(), pace.due()), (WINDOW, 0));
    }

    #[test]
    fn a_proof_counts_once_in_half_a_second() {
        let mut pace = Pace::default();
        (0..9).for_each(|_| pace.miss(100));
        pace.prove(100 + AGAIN_MS);
        assert!(pace.is_whole());
        pace.prove(99 + 2 * AGAIN_MS);
        assert_eq!((pace.window(), pace.due()), (PROBE, 100 + 2 * AGAIN_MS));
        pace.prove(100 + 2 * AGAIN_MS);
        assert!(pace.is_whole());
    }
}
