//! The end of a run of people: what was asked, what was seen, what it means.

pub mod html;
pub mod json;
pub mod text;
mod words;

use serde::{Deserialize, Serialize};

use super::PeoplePlan;
use super::outcome::Outcome;
use crate::report::{Machine, Objective, RelayView, Setup, Verdict};

/// Everything that the text, the JSON file and the HTML page show.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The target as it was written, `HOST:PORT`.
    pub target: String,
    /// What each name of this run begins with.
    pub run: String,
    /// What was asked.
    pub plan: PeoplePlan,
    /// How it was done.
    pub setup: Setup,
    /// What was seen.
    pub outcome: Outcome,
    /// What the relay's own metrics say about the same time, if they could be read.
    pub relay: Option<RelayView>,
    /// Why there is no `relay`, in a sentence.
    pub relay_missing: Option<String>,
    /// The objectives, and what was measured for each.
    pub objectives: Vec<Objective>,
    /// The judgement.
    pub verdict: Verdict,
    /// A sentence for each fault, for each reason to distrust the run, and what else is worth knowing.
    pub reasons: Vec<String>,
    /// The generator's machine.
    pub machine: Machine,
}
