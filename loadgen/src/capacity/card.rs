//! The capacity card: what was found, how, on what, and whether it may be called a capacity.

mod text;
mod title;

use serde::{Deserialize, Serialize};

use super::goal::Goal;
use super::run::Asked;
use super::search::Found;
use super::standing::{Cores, Evidence, Standing, objections};
use super::trial::{Purpose, Spread, Trial};
use crate::plan::Plan;
use crate::report::{Machine, Report, Setup};

/// The form of a card in JSON.
pub const SCHEMA: &str = "loadgen-capacity/1";

/// What the method is, and where it is described.
pub const METHOD: &str =
    "MLRsearch: M. Konstantynowicz, V. Polak, Multiple Loss Ratio Search, RFC 9971, May 2026";

/// What a load is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Varied {
    /// Payloads per second of each sender.
    Rate,
    /// Clients.
    Clients,
}

/// Everything that the text and the JSON file show.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CapacityCard {
    /// [`SCHEMA`].
    pub schema: String,
    /// What it is in one sentence: a capacity, or why it is none.
    pub title: String,
    /// The same for machines.
    pub standing: Standing,
    /// All else that stands against calling it a capacity, a sentence each.
    pub caveats: Vec<String>,
    /// What was varied.
    pub varied: Varied,
    /// The lowest load that was allowed.
    pub min: f64,
    /// The highest, if there was one.
    pub max: Option<f64>,
    /// The target as it was written.
    pub target: String,
    /// What was asked of the last trial; load, clients and groups are those of each trial.
    pub plan: Plan,
    /// The objectives.
    pub objectives: Vec<Limit>,
    /// The bounds, and why the search ended.
    pub found: Found,
    /// What was measured at the lower bound, if there is one.
    pub lower: Option<Level>,
    /// What was measured at the upper bound, if there is one.
    pub upper: Option<Level>,
    /// The trials that repeated the lower bound.
    pub confirmation: Confirmation,
    /// The relay, if its metrics could be read.
    pub relay: Option<RelayName>,
    /// Where generator and relay ran.
    pub cores: Cores,
    /// The generator's machine.
    pub machine: Machine,
    /// How the last trial was done.
    pub setup: Setup,
    /// [`METHOD`].
    pub method: String,
    /// What the search aimed at.
    pub goal: Goal,
    /// All trials in their order.
    pub trials: Vec<Trial>,
}

/// An objective.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    /// Its flag, such as `--max-p99`.
    pub flag: String,
    /// Its limit, as text with its unit.
    pub limit: String,
}

/// What was measured at one load, by its valid trials of full length. At the lower bound these are the trials after the
/// search, if there were any: they had no part in choosing it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Level {
    /// Simulated clients.
    pub clients: u32,
    /// Their groups.
    pub groups: u32,
    /// How many trials.
    pub trials: u32,
    /// How many of them met every objective.
    pub good: u32,
    /// Payloads sent per second.
    pub payloads_per_second: Spread,
    /// Copies that arrived per second.
    pub deliveries_per_second: Spread,
    /// 99th percentile of the latency, in seconds.
    pub p99_seconds: Option<Spread>,
    /// Part of the expected copies that were lost, 0 to 1.
    pub loss: Spread,
    /// Processor time of the relay in percent of one core.
    pub relay_cpu_percent: Option<Spread>,
    /// Processor time of the relay for each datagram that it sent, in nanoseconds.
    pub relay_ns_per_delivery: Option<Spread>,
}

/// How the repetition of the lower bound ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Confirmation {
    /// Trials that were to be made.
    pub planned: u32,
    /// Trials that said something about the relay.
    pub valid: u32,
    /// Trials that met every objective.
    pub good: u32,
}

/// The relay, in its own words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelayName {
    /// Its version.
    pub version: String,
    /// Its backend.
    pub backend: String,
    /// Its shards.
    pub shards: u32,
}

impl CapacityCard {
    /// The card of a search; `last` is its last report.
    pub fn new(asked: &Asked, found: Found, trials: Vec<Trial>, last: &Report) -> Self {
        let confirmation = Confirmation::of(&trials, asked.confirmations);
        let confirmed = found.lower.is_none() || confirmation.is_enough(asked.goal.exceed_ratio);
        let (ending, objectives) = (found.ending, !last.objectives.is_empty());
        let objections = objections(Evidence { cores: &asked.cores, ending, objectives, confirmed });
        let mut card = CapacityCard {
            schema: SCHEMA.into(),
            title: String::new(),
            standing: objections.first().cloned().unwrap_or(Standing::Capacity),
            caveats: Vec::new(),
            varied: asked.varied,
            min: asked.min,
            max: asked.max,
            target: last.target.clone(),
            plan: last.plan.clone(),
            objectives: last.objectives.iter().map(Limit::of).collect(),
            lower: found.lower.and_then(|load| Level::of(&trials, load, asked.goal)),
            upper: found.upper.and_then(|load| Level::of(&trials, load, asked.goal)),
            found,
            confirmation,
            relay: last.relay.as_ref().map(RelayName::of),
            cores: asked.cores.clone(),
            machine: last.machine.clone(),
            setup: last.setup.clone(),
            method: METHOD.into(),
            goal: asked.goal,
            trials,
        };
        card.title = title::title(&card);
        card.caveats = objections.iter().skip(1).map(|one| title::caveat(&card, one)).collect();
        card
    }

    /// The exit code of the process, see [`Standing::exit_code`].
    pub fn exit_code(&self) -> u8 {
        self.standing.exit_code()
    }
}

impl Limit {
    fn of(objective: &crate::report::Objective) -> Self {
        Limit { flag: objective.flag.clone(), limit: objective.limit.clone() }
    }
}

impl RelayName {
    fn of(view: &crate::report::RelayView) -> Self {
        RelayName { version: view.version.clone(), backend: view.backend.clone(), shards: view.shards }
    }
}

impl Confirmation {
    fn of(trials: &[Trial], planned: u32) -> Self {
        let repeated =
            trials.iter().filter(|trial| trial.purpose == Purpose::Confirmation && trial.is_valid());
        let good: Vec<bool> = repeated.map(Trial::is_good).collect();
        let count = good.iter().filter(|&&good| good).count();
        Confirmation { planned, valid: good.len() as u32, good: count as u32 }
    }

    /// As many may miss the objectives as the search tolerates, and none may be wanting.
    fn is_enough(&self, exceed_ratio: f64) -> bool {
        f64::from(self.planned - self.good.min(self.planned)) <= f64::from(self.planned) * exceed_ratio
    }
}

impl Level {
    fn of(trials: &[Trial], load: f64, goal: Goal) -> Option<Self> {
        let full = goal.final_trial.as_secs_f64();
        let here = |purpose: Purpose| -> Vec<&Trial> {
            let is_here = |trial: &&Trial| trial.load == load && trial.is_valid() && trial.purpose == purpose;
            trials.iter().filter(is_here).collect()
        };
        let (repeated, mut searched) = (here(Purpose::Confirmation), here(Purpose::Search));
        // An upper bound can be proved by short trials alone.
        if searched.iter().any(|trial| trial.seconds >= full) {
            searched.retain(|trial| trial.seconds >= full);
        }
        let chosen = if repeated.is_empty() { searched } else { repeated };
        let spread =
            |value: fn(&Trial) -> Option<f64>| Spread::of(chosen.iter().filter_map(|trial| value(trial)));
        let first = chosen.first()?;
        Some(Level {
            clients: first.clients,
            groups: first.groups,
            trials: chosen.len() as u32,
            good: chosen.iter().filter(|trial| trial.is_good()).count() as u32,
            payloads_per_second: spread(|trial| Some(trial.payloads_per_second))?,
            deliveries_per_second: spread(|trial| Some(trial.deliveries_per_second))?,
            p99_seconds: spread(|trial| trial.p99_seconds),
            loss: spread(|trial| Some(trial.loss))?,
            relay_cpu_percent: spread(|trial| trial.relay_cpu_percent),
            relay_ns_per_delivery: spread(|trial| trial.relay_ns_per_delivery),
        })
    }
}
