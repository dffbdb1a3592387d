//! The trials of a search for capacity, with real clients.

use std::time::Duration;

use crate::args::{CapacityArgs, UsageError, Vary};
use crate::capacity::{self, Asked, CapacityCard, Cores, Goal, Varied};
use crate::outcome::Outcome;
use crate::plan::{Load, MAX_CLIENTS, Plan};
use crate::report::{Report, Verdict};
use crate::run::{Context, Run, RunError};
use crate::session::{SessionError, Watchers};

/// Trials that repeat the load that was found.
const CONFIRMATIONS: u32 = 3;

/// The lowest rate to try if nobody says otherwise, in payloads per second of each sender.
const LOWEST_RATE: f64 = 1.0;

/// Searches, and says what was found.
///
/// # Errors
/// What kept a trial from being made.
pub fn search(
    context: &Context,
    args: &CapacityArgs,
    watchers: &mut Watchers,
) -> anyhow::Result<CapacityCard> {
    match args.vary {
        Vary::Rate => search_rate(context, args, watchers),
        Vary::Clients => search_clients(context, args, watchers),
    }
}

/// The clients join once and stay for all trials.
fn search_rate(
    context: &Context,
    args: &CapacityArgs,
    watchers: &mut Watchers,
) -> anyhow::Result<CapacityCard> {
    let plan = &context.resolved.plan;
    let Load::Open { arrivals, .. } = plan.load else {
        let reason = "--in-flight is no rate that could be searched for: leave it out, or use loadgen run";
        return Err(UsageError::Other(reason.into()).into());
    };
    let mut run = Run::begin(context, plan, watchers)?;
    let asked = asked(args, Varied::Rate, args.min.unwrap_or(LOWEST_RATE), args.max, run.cores());
    let card = capacity::run(&asked, |rate, duration| run.measure(Load::Open { rate, arrivals }, duration));
    run.end();
    Ok(card?)
}

/// For each trial other clients join, and leave again.
fn search_clients(
    context: &Context,
    args: &CapacityArgs,
    watchers: &mut Watchers,
) -> anyhow::Result<CapacityCard> {
    let base = &context.resolved.plan;
    let size = f64::from(base.clients) / f64::from(base.groups);
    let max = args.max.unwrap_or(MAX_CLIENTS.into()).min(MAX_CLIENTS.into());
    let min = args.min.unwrap_or(size).min(max);
    let cores = {
        let run = Run::begin(context, &scaled(base, min, size), watchers)?;
        let cores = run.cores();
        run.end();
        cores
    };
    let asked = asked(args, Varied::Clients, min, Some(max), cores);
    let mut last: Option<Report> = None;
    let trial = |clients: f64, duration: Duration| {
        let plan = Plan { duration, ..scaled(base, clients, size) };
        let report = match one(context, &plan, watchers) {
            // A relay that does not take so many has missed what was asked of it.
            Err(RunError::Session(SessionError::NotTaken(reason))) if last.is_some() => {
                refused(last.as_ref(), plan, reason)
            }
            result => result,
        }?;
        last = Some(report.clone());
        Ok::<Report, RunError>(report)
    };
    Ok(capacity::run(&asked, trial)?)
}

fn one(context: &Context, plan: &Plan, watchers: &mut Watchers) -> Result<Report, RunError> {
    let mut run = Run::begin(context, plan, watchers)?;
    let report = run.measure(plan.load, plan.duration)?;
    run.end();
    Ok(report)
}

fn refused(last: Option<&Report>, plan: Plan, reason: String) -> Result<Report, RunError> {
    let Some(mut report) = last.cloned() else { return Err(SessionError::NotTaken(reason).into()) };
    report.outcome = Outcome::planned(plan.duration);
    (report.plan, report.relay) = (plan, None);
    (report.verdict, report.reasons) = (Verdict::Missed, vec![reason]);
    report.objectives.iter_mut().for_each(|objective| objective.met = false);
    Ok(report)
}

/// The same plan for so many clients, in groups of the same size.
fn scaled(base: &Plan, clients: f64, size: f64) -> Plan {
    let clients = clients.round().max(1.0) as u32;
    let groups = (f64::from(clients) / size).ceil().max(1.0) as u32;
    Plan { clients, groups: groups.min(clients), ..base.clone() }
}

fn asked(args: &CapacityArgs, varied: Varied, min: f64, max: Option<f64>, cores: Cores) -> Asked {
    let goal = Goal {
        initial_trial: args.trial / 5,
        final_trial: args.trial,
        duration_sum: args.trial * 3,
        width: args.width,
        whole: varied == Varied::Clients,
        max_time: args.max_time,
        ..Goal::default()
    };
    Asked { varied, goal, min, max, confirmations: CONFIRMATIONS, cores }
}
