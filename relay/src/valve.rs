//! How much a shard's sockets let pass while it cannot even take in and drop what comes: less of the kind that floods, but
//! always heartbeats.

use std::time::Duration;

use net::Sieve;

use crate::limits::{
    HURRY, HURRY_IF_DOMINATED, SIEVE_CLOSING, SIEVE_CLOSING_FAST, SIEVE_LEAST, SIEVE_OPENING,
};

/// Closes step by step while the receive queue stands, and opens when it no longer does.
#[derive(Debug)]
pub struct Valve {
    /// Of [`Sieve::ALL`].
    payloads: u32,
    commands: u32,
    /// When it was last changed, and when the queue last stood.
    stepped: Duration,
    stood: Duration,
    /// Since when it has in every turn, or since the last change, and how many these are.
    standing: Option<(Duration, u32)>,
    /// Commands and payloads that have passed since the last change.
    passed: (u64, u64),
}

impl Default for Valve {
    fn default() -> Self {
        let never = Duration::ZERO;
        let (payloads, commands) = (Sieve::ALL, Sieve::ALL);
        Self { payloads, commands, stepped: never, stood: never, standing: None, passed: (0, 0) }
    }
}

impl Valve {
    /// True if everything passes.
    pub fn is_open(&self) -> bool {
        (self.payloads, self.commands) == (Sieve::ALL, Sieve::ALL)
    }

    /// When it opens by a step if the queue does not stand.
    pub fn due(&self) -> Option<Duration> {
        (!self.is_open()).then(|| self.stood.max(self.stepped) + SIEVE_OPENING)
    }

    /// True if something else passes from now on; `pressure` is how full the receive queue is after a full turn, which has
    /// `taken` so many commands but for heartbeats, and so many payloads.
    pub fn turn(&mut self, now: Duration, pressure: Option<f32>, taken: (u64, u64)) -> bool {
        self.passed = (self.passed.0 + taken.0, self.passed.1 + taken.1);
        let before = (self.payloads, self.commands);
        let fuller = |limit| pressure.is_some_and(|pressure| pressure > limit);
        if fuller(HURRY_IF_DOMINATED) {
            self.stood = now;
            let (since, turns) = self.standing.get_or_insert((now, 0));
            *turns += 1;
            let (time, least) = if fuller(HURRY) { SIEVE_CLOSING_FAST } else { SIEVE_CLOSING };
            if *turns >= least && now >= *since + time {
                (self.stepped, self.standing) = (now, None);
                self.close();
            }
        } else {
            self.standing = None;
            if now >= self.stood.max(self.stepped) + SIEVE_OPENING {
                self.stepped = now;
                self.open_a_little();
            }
        }
        let is_changed = (self.payloads, self.commands) != before;
        if is_changed {
            self.passed = (0, 0);
        }
        is_changed
    }

    /// Lets everything pass; true if that changes something.
    pub fn open(&mut self) -> bool {
        let was_open = self.is_open();
        (self.payloads, self.commands) = (Sieve::ALL, Sieve::ALL);
        !was_open
    }

    /// How many commands pass, and how many payloads, of [`Sieve::ALL`] each.
    pub fn shares(&self) -> (u32, u32) {
        (self.commands, self.payloads)
    }

    /// Less passes of the kind of which more has come: payloads, or commands, whose flood must not cost the payloads.
    fn close(&mut self) {
        let (commands, payloads) = self.passed;
        let has_both = self.commands > 0 && self.payloads > 0;
        let closes_commands = if has_both { commands > payloads } else { self.commands > 0 };
        let share = if closes_commands { &mut self.commands } else { &mut self.payloads };
        *share = *share / 4 * 3;
        if *share < SIEVE_LEAST {
            *share = 0;
        }
    }

    fn open_a_little(&mut self) {
        let share = if self.commands < Sieve::ALL { &mut self.commands } else { &mut self.payloads };
        *share = (*share / 4 * 5 + SIEVE_LEAST).min(Sieve::ALL);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Duration {
        Duration::from_millis(millis)
    }

    const STANDS: Option<f32> = Some(0.1);
    const FULL: Option<f32> = Some(0.9);

    const PAYLOADS: (u64, u64) = (10, 200);
    const COMMANDS: (u64, u64) = (200, 10);

    /// How many commands and payloads pass after so many milliseconds, each with ten turns.
    fn shares_after(
        valve: &mut Valve,
        millis: std::ops::Range<u64>,
        pressure: Option<f32>,
        taken: (u64, u64),
    ) -> (u32, u32) {
        for turn in millis.flat_map(|millis| (0..10).map(move |tenth| at(millis) + at(1) * tenth / 10)) {
            valve.turn(turn, pressure, taken);
        }
        valve.shares()
    }

    #[test]
    fn payloads_that_flood_are_shed_first() {
        let mut valve = Valve::default();
        let all = (Sieve::ALL, Sieve::ALL);
        assert_eq!(shares_after(&mut valve, 0..1000, None, PAYLOADS), all, "nothing to do");
        assert_eq!(shares_after(&mut valve, 1000..1010, STANDS, PAYLOADS), all, "not long enough");
        let (commands, payloads) = shares_after(&mut valve, 1010..1060, STANDS, PAYLOADS);
        assert!(payloads > 0 && payloads < Sieve::ALL / 2 && commands == Sieve::ALL, "{payloads}");
        assert_eq!(shares_after(&mut valve, 1060..2000, STANDS, PAYLOADS), (0, 0));
    }

    #[test]
    fn commands_that_flood_do_not_cost_the_payloads() {
        let mut valve = Valve::default();
        let (commands, payloads) = shares_after(&mut valve, 0..100, STANDS, COMMANDS);
        assert!(commands < Sieve::ALL / 4 && payloads == Sieve::ALL, "{commands} {payloads}");
    }

    #[test]
    fn a_queue_that_is_nearly_full_is_dealt_with_at_once() {
        for taken in [PAYLOADS, COMMANDS] {
            assert_eq!(shares_after(&mut Valve::default(), 0..150, FULL, taken), (0, 0));
        }
    }

    #[test]
    fn it_opens_within_a_second_and_commands_come_first() {
        let mut valve = Valve::default();
        shares_after(&mut valve, 0..500, FULL, PAYLOADS);
        let (commands, payloads) = shares_after(&mut valve, 500..640, Some(0.01), PAYLOADS);
        assert!(payloads == 0 && commands > 0, "{commands}");
        assert_eq!(shares_after(&mut valve, 640..1300, None, PAYLOADS), (Sieve::ALL, Sieve::ALL));
        assert!(valve.is_open() && valve.due().is_none());
    }

    #[test]
    fn a_queue_that_stands_now_and_then_changes_nothing() {
        let mut valve = Valve::default();
        for turn in 0..10_000 {
            assert!(!valve.turn(at(1) * turn / 4, STANDS.filter(|_| turn % 30 != 0), PAYLOADS));
        }
    }

    #[test]
    fn a_thread_that_was_away_gets_a_chance() {
        let mut valve = Valve::default();
        for turn in 1..u64::from(SIEVE_CLOSING.1) {
            assert!(!valve.turn(at(100 * turn), STANDS, PAYLOADS));
        }
        assert!(valve.turn(at(10_000), STANDS, PAYLOADS));
    }

    #[test]
    fn a_filter_is_due_to_be_opened_even_if_nothing_arrives() {
        let mut valve = Valve::default();
        shares_after(&mut valve, 0..20, STANDS, PAYLOADS);
        let due = valve.due().expect("a filter is there");
        assert!(due < at(20) + 2 * SIEVE_OPENING);
        assert!(valve.turn(due, None, PAYLOADS));
    }
}
