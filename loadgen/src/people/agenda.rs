//! What is to be done when, of everybody.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

/// Something to do. It may be out of date when its time has come: whoever does it looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Task {
    /// A person's request has had no answer.
    Ask(u32),
    /// A message has had no outcome, or may be sent for the first time.
    Send(u32),
    /// A person has said nothing for a while.
    Beat(u32),
    /// A person comes back.
    Return(u32),
    /// A person changes its address.
    Move(u32),
}

/// Tasks by their times.
#[derive(Debug, Default)]
pub struct Agenda(BinaryHeap<Reverse<(Duration, Task)>>);

impl Agenda {
    /// One more.
    pub fn add(&mut self, at: Duration, task: Task) {
        self.0.push(Reverse((at, task)));
    }

    /// The next one whose time has come, with its time.
    pub fn take(&mut self, now: Duration) -> Option<(Duration, Task)> {
        let is_due = self.next().is_some_and(|at| at <= now);
        is_due.then(|| self.0.pop()).flatten().map(|Reverse(next)| next)
    }

    /// When the next one is due.
    pub fn next(&self) -> Option<Duration> {
        self.0.peek().map(|Reverse((at, _))| *at)
    }
}
