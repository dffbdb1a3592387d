//! How much a shard's sockets let pass while it cannot even take in and drop what comes: payloads first, then commands,
//! but always heartbeats.

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
}

impl Default for Valve {
    fn default() -> Self {
        let never = Duration::ZERO;
        Self { payloads: Sieve::ALL, commands: Sieve::ALL, stepped: never, stood: never, standing: None }
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

    /// What passes from now on, if that changes; `pressure` is how full the receive queue is after a full turn.
    pub fn turn(&mut self, now: Duration, pressure: Option<f32>) -> Option<Option<Sieve>> {
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
        ((self.payloads, self.commands) != before).then(|| self.sieve())
    }

    /// Lets everything pass; what changes.
    pub fn open(&mut self) -> Option<Option<Sieve>> {
        let was_open = self.is_open();
        (self.payloads, self.commands) = (Sieve::ALL, Sieve::ALL);
        (!was_open).then_some(None)
    }

    fn sieve(&self) -> Option<Sieve> {
        let (of_second, of_rest) = (self.commands, self.payloads);
        // `!PING` is the only command that begins so.
        (!self.is_open()).then_some(Sieve { spared: *b"!P", first: b'!', of_second, of_rest })
    }

    fn close(&mut self) {
        let share = if self.payloads > 0 { &mut self.payloads } else { &mut self.commands };
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

    /// The last change of so many milliseconds, each with ten turns.
    fn last_change(
        valve: &mut Valve,
        millis: std::ops::Range<u64>,
        pressure: Option<f32>,
    ) -> Option<Option<Sieve>> {
        let turns = millis.flat_map(|millis| (0..10).map(move |tenth| at(millis) + at(1) * tenth / 10));
        turns.filter_map(|now| valve.turn(now, pressure)).last()
    }

    #[test]
    fn payloads_are_shed_first_and_heartbeats_never() {
        let mut valve = Valve::default();
        assert_eq!(last_change(&mut valve, 0..1000, None), None, "nothing to do");
        assert_eq!(last_change(&mut valve, 1000..1010, STANDS), None, "it has not stood long enough");
        let some = last_change(&mut valve, 1010..1060, STANDS).flatten().expect("a filter");
        assert!(some.of_rest > 0 && some.of_rest < Sieve::ALL / 2, "{some:?}");
        assert_eq!((some.of_second, some.spared), (Sieve::ALL, *b"!P"));
        let most = last_change(&mut valve, 1060..2000, STANDS).flatten().expect("a filter");
        assert_eq!((most.of_rest, most.of_second), (0, 0));
    }

    #[test]
    fn a_queue_that_is_nearly_full_is_dealt_with_at_once() {
        let mut valve = Valve::default();
        let most = last_change(&mut valve, 0..150, FULL).flatten().expect("a filter");
        assert_eq!((most.of_rest, most.of_second), (0, 0));
    }

    #[test]
    fn it_opens_within_a_second_and_commands_come_first() {
        let mut valve = Valve::default();
        last_change(&mut valve, 0..500, FULL);
        let some = last_change(&mut valve, 500..640, Some(0.01)).flatten().expect("a filter");
        assert!(some.of_rest == 0 && some.of_second > 0, "{some:?}");
        assert_eq!(last_change(&mut valve, 640..1300, None), Some(None), "no filter any more");
        assert!(valve.is_open() && valve.due().is_none());
    }

    #[test]
    fn a_queue_that_stands_now_and_then_changes_nothing() {
        let mut valve = Valve::default();
        for turn in 0..10_000 {
            assert_eq!(valve.turn(at(1) * turn / 4, STANDS.filter(|_| turn % 30 != 0)), None);
        }
    }

    #[test]
    fn a_thread_that_was_away_gets_a_chance() {
        let mut valve = Valve::default();
        for turn in 1..u64::from(SIEVE_CLOSING.1) {
            assert_eq!(valve.turn(at(100 * turn), STANDS), None);
        }
        assert!(valve.turn(at(10_000), STANDS).is_some());
    }

    #[test]
    fn a_filter_is_due_to_be_opened_even_if_nothing_arrives() {
        let mut valve = Valve::default();
        last_change(&mut valve, 0..20, STANDS);
        let due = valve.due().expect("a filter is there");
        assert!(due < at(20) + 2 * SIEVE_OPENING);
        assert!(valve.turn(due, None).is_some());
    }
}
