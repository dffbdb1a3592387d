//! The trials of a search for capacity, with real clients.

use std::time::Duration;

use crate::args::{CapacityArgs, UsageError, Vary, check_copies, check_memory};
use crate::capacity::{self, Asked, CapacityCard, Cores, Goal, Varied};
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
    check_copies(base, &context.objectives)?;
    let size = f64::from(base.clients) / f64::from(base.groups);
    // A search begins at a maximum, so that one which nobody gave must not be given.
    let max = args.max.map(|max| max.min(MAX_CLIENTS.into()));
    let min = args.min.unwrap_or(size).min(max.unwrap_or(MAX_CLIENTS.into()));
    let (cores, unmeasured) = {
        let run = Run::begin(context, &scaled(base, min, size), watchers)?;
        let first = (run.cores(), run.unmeasured());
        run.end();
        first
    };
    let asked = asked(args, Varied::Clients, min, max, cores);
    let trial = |clients: f64, duration: Duration| {
        let plan = Plan { duration, ..scaled(base, clients, size) };
        match one(context, &plan, watchers) {
            Ok(report) => Ok(report),
            Err(error) => without_measurement(error, &unmeasured, plan),
        }
    };
    Ok(capacity::run(&asked, trial)?)
}

fn one(context: &Context, plan: &Plan, watchers: &mut Watchers) -> Result<Report, RunError> {
    if plan.clients > MAX_CLIENTS {
        let reason = format!("{} clients are more than a plan may have ({MAX_CLIENTS})", plan.clients);
        return Err(SessionError::Failed(reason).into());
    }
    if context.workers.is_empty() {
        check_memory(plan).map_err(|error| SessionError::Failed(error.to_string()))?;
    }
    let mut run = Run::begin(context, plan, watchers)?;
    let report = run.measure(plan.load, plan.duration)?;
    run.end();
    Ok(report)
}

/// What a trial says that came to no measurement: a relay that does not take so many clients has missed what was asked
/// of it, and a generator that cannot be so many knows nothing of the relay.
fn without_measurement(error: RunError, unmeasured: &Report, plan: Plan) -> Result<Report, RunError> {
    let (verdict, interrupted) = match &error {
        RunError::Session(SessionError::NotTaken(_)) => (Verdict::Missed, false),
        RunError::Session(SessionError::Failed(_)) | RunError::Crew(_) => (Verdict::Invalid, false),
        RunError::Session(SessionError::Interrupted) => (Verdict::Invalid, true),
        _ => return Err(error),
    };
    let mut report = Report { verdict, plan, reasons: vec![error.to_string()], ..unmeasured.clone() };
    report.outcome.interrupted = interrupted;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capacity::Trial;
    use crate::crew::CrewError;
    use crate::report::samples;

    fn trial(error: RunError) -> Result<Trial, RunError> {
        let report = without_measurement(error, &samples::perfect(), crate::plan::example())?;
        assert_eq!((report.reasons.len(), report.plan.clients), (1, 100));
        Ok(Trial::new(capacity::Purpose::Search, 100.0, Duration::from_secs(1), &report))
    }

    #[test]
    fn only_a_relay_that_refuses_has_missed() {
        let missed = trial(SessionError::NotTaken("full".into()).into()).unwrap();
        assert!(missed.is_valid() && !missed.is_good());
        let errors = [
            SessionError::Failed("no memory".into()).into(),
            RunError::Crew(CrewError::FewGroups { groups: 1, workers: 2 }),
        ];
        for error in errors {
            assert!(!trial(error).unwrap().is_valid());
        }
        assert!(trial(SessionError::Interrupted.into()).unwrap().interrupted);
        assert!(trial(SessionError::View(std::io::ErrorKind::BrokenPipe.into()).into()).is_err());
    }
}
