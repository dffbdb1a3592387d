//! Which shards turn: counted by looks, so that a process that was stopped as a whole accuses none of its shards.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::limits::DEAF_LOOKS;

/// The shards that do not turn, for whoever wants to know.
#[derive(Clone, Debug, Default)]
pub struct Pulse(Arc<[AtomicBool]>);

/// Counts for each shard how many looks in a row have found that it had not turned since it was asked.
#[derive(Debug)]
pub struct Vigil {
    missed: Vec<u32>,
    pulse: Pulse,
}

/// What a look has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// This shard does not turn.
    Stalled(usize),
    /// This one turns again.
    Turns(usize),
}

impl Pulse {
    /// Of so many shards, all of which turn.
    pub fn of(shards: usize) -> Self {
        Self((0..shards).map(|_| AtomicBool::new(false)).collect())
    }

    /// For each shard, true if it does not turn.
    pub fn stalled(&self) -> impl Iterator<Item = bool> {
        self.0.iter().map(|stalled| stalled.load(Ordering::Relaxed))
    }

    /// The first shard that does not turn.
    pub fn first_stalled(&self) -> Option<usize> {
        self.stalled().position(|stalled| stalled)
    }
}

impl Vigil {
    /// Over the shards of this pulse, which only it changes.
    pub fn over(pulse: Pulse) -> Self {
        Self { missed: vec![0; pulse.0.len()], pulse }
    }

    /// Takes a look: for each shard, true if it has not turned since it was asked. True if all have; and what is new.
    pub fn look(&mut self, deaf: impl Iterator<Item = bool>) -> (bool, Vec<Change>) {
        let (mut all_turn, mut changes) = (true, Vec::new());
        for (shard, deaf) in deaf.enumerate() {
            let missed = &mut self.missed[shard];
            *missed = if deaf { missed.saturating_add(1) } else { 0 };
            all_turn &= !deaf;
            let stalled = *missed >= DEAF_LOOKS;
            if self.pulse.0[shard].swap(stalled, Ordering::Relaxed) != stalled {
                changes.push(if stalled { Change::Stalled(shard) } else { Change::Turns(shard) });
            }
        }
        (all_turn, changes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_is_deaf_at_every_look_is_stalled() {
        let pulse = Pulse::of(2);
        let mut vigil = Vigil::over(pulse.clone());
        assert_eq!(vigil.look([false, false].into_iter()), (true, Vec::new()));
        // One look short of it, again and again, as where the whole process is stopped now and then.
        for _ in 0..3 {
            for _ in 1..DEAF_LOOKS {
                assert_eq!(vigil.look([false, true].into_iter()), (false, Vec::new()));
            }
            assert_eq!(vigil.look([false, false].into_iter()), (true, Vec::new()));
        }
        for _ in 1..DEAF_LOOKS {
            vigil.look([false, true].into_iter());
        }
        assert_eq!(pulse.first_stalled(), None);
        assert_eq!(vigil.look([false, true].into_iter()), (false, vec![Change::Stalled(1)]));
        assert_eq!(vigil.look([false, true].into_iter()), (false, Vec::new()), "it is told once");
        assert_eq!((pulse.first_stalled(), pulse.stalled().collect()), (Some(1), vec![false, true]));
        assert_eq!(vigil.look([false, false].into_iter()), (true, vec![Change::Turns(1)]));
        assert_eq!(pulse.first_stalled(), None);
    }
}
