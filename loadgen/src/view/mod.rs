//! What a person sees while a run is under way.

mod lines;
mod live;
mod pace;
mod screen;
mod words;

use std::io::{IsTerminal, stdout};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

pub use lines::Lines;
pub use live::{Live, abort};

use crate::outcome::Progress;

/// The state of a run, shown a few times a second.
#[derive(Clone, Debug)]
pub struct Status {
    /// The target as it was written.
    pub target: String,
    /// Clients of the plan.
    pub clients: u64,
    /// Groups of the plan.
    pub groups: u64,
    /// Since the run began.
    pub elapsed: Duration,
    /// Since its present phase began.
    pub phase_elapsed: Duration,
    /// How long the present phase is to take, where that is known.
    pub phase_planned: Option<Duration>,
    /// What the run is about, in a few words: `--rate 50` or, in a search, the load that is tried.
    pub load: String,
    /// All threads together.
    pub progress: Progress,
}

/// What the person asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// Go on.
    GoOn,
    /// End early, with the report of what was seen.
    Stop,
}

/// Shows the state of a run.
pub trait View {
    /// Shows it, and says what the person wishes. Called about four times a second, only after the target's first
    /// answer.
    ///
    /// # Errors
    /// What the terminal or the pipe answers.
    fn show(&mut self, status: &Status) -> std::io::Result<Wish>;

    /// Puts the terminal back as it was; the report is printed after that.
    ///
    /// # Errors
    /// What the terminal answers.
    fn finish(&mut self) -> std::io::Result<()>;
}

/// The view that suits standard output: the live one on a terminal, unless plain lines are asked for; lines elsewhere.
/// A person's wish to end is remembered in `stop`, and looked for there: the second one ends the process.
pub fn pick(plain: bool, stop: &Arc<AtomicBool>) -> Box<dyn View> {
    let is_dumb = std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
    if !plain && !is_dumb && stdout().is_terminal() {
        Box::new(Live::new(Arc::clone(stop)))
    } else {
        Box::new(Lines::to(stdout()))
    }
}

#[cfg(test)]
pub(crate) fn example(elapsed: Duration, phase: crate::outcome::Phase) -> Status {
    Status {
        target: "127.0.0.1:5000".into(),
        clients: 100_000,
        groups: 1_000,
        elapsed,
        phase_elapsed: elapsed,
        phase_planned: None,
        load: "--rate 50".into(),
        progress: Progress { phase, members: 12_345, groups: 1_234, ..Progress::default() },
    }
}
