//! Clients that have joined, and the reports of what is measured with them.

use std::time::{Duration, SystemTime};

use crate::args::Resolved;
use crate::capacity::{Cores, InvalidGoal};
use crate::crew::{Crew, CrewError};
use crate::lane::Measurement;
use crate::observer::Observer;
use crate::outcome::Outcome;
use crate::plan::{Load, Plan};
use crate::report::{Machine, Report, Setup};
use crate::session::{Session, SessionError, Watchers};
use crate::verdict::{Objectives, judge};

/// What a report needs besides what was measured.
#[derive(Clone, Debug)]
pub struct Context {
    /// What was asked.
    pub resolved: Resolved,
    /// The objectives.
    pub objectives: Objectives,
    /// The relay's own metrics.
    pub observer: Observer,
    /// Workers; none if this process does it all.
    pub workers: Vec<String>,
    /// The word that the workers ask for.
    pub token: Option<String>,
}

/// Clients that have joined.
pub struct Run<'a> {
    context: &'a Context,
    plan: Plan,
    session: Session<'a>,
}

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// Nobody can do the work.
    #[error(transparent)]
    Crew(#[from] CrewError),
    /// The work was not done.
    #[error(transparent)]
    Session(#[from] SessionError),
    /// A search that cannot be.
    #[error(transparent)]
    Goal(#[from] InvalidGoal),
}

impl<'a> Run<'a> {
    /// Lets the clients of a plan join.
    ///
    /// # Errors
    /// Why they cannot.
    ///
    /// What its owner should know is said on standard error.
    pub fn begin(context: &'a Context, plan: &Plan, watchers: &'a mut Watchers) -> Result<Self, RunError> {
        let crew = if context.workers.is_empty() {
            Crew::local(plan, &plan.whole())?
        } else {
            Crew::remote(plan, &context.workers, context.token.as_deref())?
        };
        crew.facts().notes.iter().for_each(|note| eprintln!("loadgen: {note}"));
        let mut session = Session::new(crew, &context.resolved.target, plan, watchers);
        session.join()?;
        Ok(Run { context, plan: plan.clone(), session })
    }

    /// Measures one load.
    ///
    /// # Errors
    /// Why there is no report.
    pub fn measure(&mut self, load: Load, duration: Duration) -> Result<Report, RunError> {
        let started = now();
        let before = self.context.observer.look();
        let outcome = self.session.measure(Measurement { load, warm_up: self.plan.warm_up, duration })?;
        let after = self.context.observer.look();
        let traffic = self.plan.warm_up + outcome.duration;
        let relay = self.context.observer.view(before.as_ref(), after.as_ref(), traffic);
        let plan = Plan { load, duration, ..self.plan.clone() };
        Ok(self.report(plan, outcome, relay, started))
    }

    /// The report of a run of which nothing was measured yet.
    pub fn unmeasured(&self) -> Report {
        let nothing = Err("nothing was measured".to_owned());
        self.report(self.plan.clone(), Outcome::planned(self.plan.duration), nothing, now())
    }

    /// Where it and the relay run.
    pub fn cores(&self) -> Cores {
        self.session.facts().cores.clone()
    }

    /// Lets the clients leave.
    pub fn end(mut self) {
        self.session.leave();
    }

    fn report(
        &self,
        plan: Plan,
        outcome: Outcome,
        relay: Result<crate::report::RelayView, String>,
        started: String,
    ) -> Report {
        let facts = self.session.facts();
        let (relay, relay_missing) = match relay {
            Ok(relay) => (Some(relay), None),
            Err(reason) => (None, Some(reason)),
        };
        let judgement = judge(&plan, &self.context.objectives, &outcome, relay.as_ref());
        Report {
            target: self.context.resolved.target.clone(),
            setup: Setup {
                backend: facts.backends.join(","),
                sockets: facts.sockets.clone(),
                threads: facts.threads,
                workers: self.context.workers.len() as u32,
                started,
            },
            plan,
            outcome,
            relay,
            relay_missing,
            losses: judgement.losses,
            objectives: judgement.objectives,
            verdict: judgement.verdict,
            reasons: judgement.reasons,
            machine: Machine::of_this(),
        }
    }
}

fn now() -> String {
    humantime::format_rfc3339_seconds(SystemTime::now()).to_string()
}
