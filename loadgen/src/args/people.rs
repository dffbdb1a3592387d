//! The flags that describe people, and which others go with them.

use std::time::Duration;

use super::parse;
use super::profile::Profile;
use super::{LoadArgs, OutputArgs, RunArgs, UsageError};
use crate::people::PeoplePlan;
use crate::people::limits::{LONGEST_TEXT, MESSAGES, PEOPLE};
use crate::plan::{Heartbeat, Plan};

/// A fifth of the people are away.
const OFFLINE: f64 = 0.2;

/// Long enough for a relay to find out that somebody is silent, which takes 3 s.
const RETURNS: Duration = Duration::from_secs(5);

/// The flags that describe people.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "People (--profile people)")]
pub struct PeopleArgs {
    /// Part of the people who are offline at any time: their mail is stored [default: 20%]
    #[arg(long, value_name = "FRACTION", value_parser = parse::percent)]
    pub offline_share: Option<f64>,
    /// How long people stay offline on average, until they come back with their claim; and how long those who move stay at
    /// one address [default: 5s]
    #[arg(long, value_name = "D", value_parser = parse::duration)]
    pub returns: Option<Duration>,
    /// Part of the people who change their address again and again, and go on there with their session (RESUME) [default: 0]
    #[arg(long, value_name = "FRACTION", value_parser = parse::percent)]
    pub moving_share: Option<f64>,
}

impl RunArgs {
    /// What the people of a run are to do; None if it is a run of another kind.
    ///
    /// # Errors
    /// What does not go together.
    pub fn people(&self) -> Result<Option<PeoplePlan>, UsageError> {
        let PeopleArgs { offline_share, returns, moving_share } = self.people;
        if self.load.profile != Some(Profile::People) {
            let given = [
                ("--offline-share", offline_share.is_some()),
                ("--returns", returns.is_some()),
                ("--moving-share", moving_share.is_some()),
            ];
            return match given.into_iter().find(|(_, is_given)| *is_given) {
                Some((flag, _)) => Err(other(format!("{flag} is about people: give --profile people"))),
                None => Ok(None),
            };
        }
        foreign(&self.load, &self.output, self)?;
        let offline_share = offline_share.unwrap_or(OFFLINE);
        if offline_share >= 1.0 {
            return Err(other("--offline-share 100% leaves nobody who writes: give less".into()));
        }
        let plan = self.load.resolve()?.plan;
        sound(&plan)?;
        let (returns, moving_share) = (returns.unwrap_or(RETURNS), moving_share.unwrap_or(0.0));
        Ok(Some(PeoplePlan { plan, offline_share, returns, moving_share }))
    }
}

/// Flags that people have no use for.
fn foreign(load: &LoadArgs, output: &OutputArgs, args: &RunArgs) -> Result<(), UsageError> {
    let objectives = &args.objectives;
    let given = [
        ("--group-size", load.group_size.is_some()),
        ("--groups", load.groups.is_some()),
        ("--in-flight", load.in_flight.is_some()),
        ("--senders", load.senders.is_some()),
        ("--churn", load.churn > 0.0),
        ("--silent", load.silent > 0.0),
        ("--unproved", load.unproved),
        ("--warm-up", !load.warm_up.is_zero()),
        ("--heartbeat", load.heartbeat != Heartbeat::Auto),
        ("--workers", !output.workers.is_empty()),
        ("--max-pong-loss", objectives.max_pong_loss.is_some()),
    ];
    if let Some((flag, _)) = given.into_iter().find(|(_, is_given)| *is_given) {
        return Err(other(format!("{flag} does not go with --profile people: leave it out")));
    }
    if load.threads.is_some_and(|threads| threads > 1) {
        return Err(other(
            "--profile people works in one thread, with one account: leave --threads out".into(),
        ));
    }
    let always = [("--max-loss", objectives.max_loss), ("--max-duplicates", objectives.max_duplicates)];
    match always.into_iter().find(|(_, limit)| limit.is_some()) {
        Some((flag, _)) => Err(other(format!(
            "{flag} does not go with --profile people, where any message that is lost or doubled is a miss: leave it out"
        ))),
        None => Ok(()),
    }
}

fn sound(plan: &Plan) -> Result<(), UsageError> {
    let clients = plan.clients;
    if !(2..=PEOPLE).contains(&clients) {
        return Err(other(format!(
            "--clients {clients} with --profile people: 2 to {PEOPLE} people can write to each other"
        )));
    }
    if usize::from(plan.payload.largest()) > LONGEST_TEXT {
        let why = format!(
            "a SEND says more than its text: with --profile people --payload is {LONGEST_TEXT} at most"
        );
        return Err(other(why));
    }
    let messages = plan.messages_per_second() * plan.duration.as_secs_f64();
    if messages > MESSAGES as f64 {
        return Err(other(format!(
            "--rate, --clients and --duration make {messages:.0} messages, and each is remembered: {MESSAGES} are the \
             most; give less of one"
        )));
    }
    Ok(())
}

fn other(what: String) -> UsageError {
    UsageError::Other(what)
}
