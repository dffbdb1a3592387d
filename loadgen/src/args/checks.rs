//! What flags mean together: an objective needs something to measure, and the clients need memory.

use procfs::{Current, Meminfo};

use super::UsageError;
use crate::plan::{Load, Plan};
use crate::verdict::Objectives;

/// Bytes, at least, that a member keeps for each sender that it hears.
const PAIR: u64 = 12;

/// Checks a plan before anything is done for it; its memory only where this machine is to do it.
///
/// # Errors
/// What cannot be.
pub fn check(plan: &Plan, objectives: &Objectives, is_done_here: bool) -> Result<(), UsageError> {
    check_copies(plan, objectives)?;
    if is_done_here { check_memory(plan) } else { Ok(()) }
}

/// Whoever asks for copies must let some be sent.
///
/// # Errors
/// The objective, and why nothing could be said of it.
pub fn check_copies(plan: &Plan, objectives: &Objectives) -> Result<(), UsageError> {
    let (Some(flag), Some(why)) = (about_copies(objectives), no_copies(plan)) else { return Ok(()) };
    Err(UsageError::Other(format!(
        "{flag} is about copies of payloads, and there are none: {why}; of heartbeats, --max-pong-loss can be asked"
    )))
}

/// The first objective that needs copies.
fn about_copies(objectives: &Objectives) -> Option<&str> {
    let loss = objectives.loss.map(|_| "--max-loss");
    let duplicates = objectives.duplicates.map(|_| "--max-duplicates");
    let latency = || objectives.latency.first().map(|(flag, ..)| flag.as_str());
    loss.or(duplicates).or_else(latency)
}

fn no_copies(plan: &Plan) -> Option<&'static str> {
    if matches!(plan.load, Load::Open { rate, .. } if rate <= 0.0) {
        Some("at --rate 0 (as in --profile heartbeat) nobody sends")
    } else if plan.senders_of(1) == 0 {
        Some("nobody sends")
    } else if plan.clients <= plan.groups {
        Some("every group has one member, and a payload reaches the others")
    } else {
        None
    }
}

/// Refuses more accounts than this machine has room for, before the kernel ends the process for them.
///
/// # Errors
/// How much it would be.
pub fn check_memory(plan: &Plan) -> Result<(), UsageError> {
    let available = Meminfo::current().ok().and_then(|memory| memory.mem_available);
    available.map_or(Ok(()), |available| fits(plan, available))
}

fn fits(plan: &Plan, available: u64) -> Result<(), UsageError> {
    let bytes = accounts(plan);
    if bytes <= available / 2 {
        return Ok(());
    }
    let (clients, size) = (plan.clients, size(plan));
    Err(UsageError::Other(format!(
        "--clients {clients} in groups of {size} with {senders} senders each need {need} of memory, for a member keeps \
         {PAIR} bytes or more for each sender that it hears, and half of what is available here is {half}: make the \
         groups smaller with --group-size, or give fewer --senders",
        senders = plan.senders_of(size),
        need = gigabytes(bytes),
        half = gigabytes(available / 2),
    )))
}

/// Bytes, at least, of what the members keep of the senders.
fn accounts(plan: &Plan) -> u64 {
    if no_copies(plan).is_some() {
        return 0;
    }
    let senders = plan.senders_of(size(plan));
    u64::from(plan.clients).saturating_mul(senders.into()).saturating_mul(PAIR)
}

fn size(plan: &Plan) -> u32 {
    plan.clients.div_ceil(plan.groups.max(1))
}

fn gigabytes(bytes: u64) -> String {
    format!("{:.1} GB", bytes as f64 / 1e9)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::plan::{Arrivals, Senders, example};

    fn objectives() -> [Objectives; 3] {
        let latency = vec![("--max-p99".to_owned(), 0.99, Duration::from_millis(5))];
        [
            Objectives { loss: Some(0.0), ..Objectives::default() },
            Objectives { duplicates: Some(0.0), ..Objectives::default() },
            Objectives { latency, ..Objectives::default() },
        ]
    }

    #[test]
    fn objectives_about_nothing_are_refused() {
        let plans = [
            Plan { load: Load::Open { rate: 0.0, arrivals: Arrivals::Constant }, ..example() },
            Plan { senders: Senders::PerGroup(0), ..example() },
            Plan { clients: 10, groups: 10, ..example() },
        ];
        let pongs = Objectives { pong_loss: Some(0.0), ..Objectives::default() };
        for plan in plans {
            assert!(check(&plan, &pongs, true).is_ok());
            for (objectives, flag) in objectives().iter().zip(["--max-loss", "--max-duplicates", "--max-p99"])
            {
                let error = check(&plan, objectives, true).unwrap_err().to_string();
                assert!(error.starts_with(flag) && error.contains("--max-pong-loss"), "{error}");
                assert!(check(&example(), objectives, true).is_ok());
            }
        }
    }

    #[test]
    fn accounts_must_have_room() {
        let large = Plan { clients: 40_000, groups: 1, ..example() };
        let error = fits(&large, 32_000_000_000).unwrap_err().to_string();
        for part in ["19.2 GB", "16.0 GB", "40000 senders", "--group-size", "--senders"] {
            assert!(error.contains(part), "{part}: {error}");
        }
        assert!(fits(&large, 38_400_000_000).is_ok());
        assert!(fits(&Plan { senders: Senders::PerGroup(1), ..large.clone() }, 1_000_000).is_ok());
        let quiet = Load::Open { rate: 0.0, arrivals: Arrivals::Constant };
        assert!(fits(&Plan { load: quiet, ..large }, 1).is_ok());
    }
}
