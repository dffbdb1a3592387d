//! What a person sees while a run is under way.

use std::time::Duration;

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
